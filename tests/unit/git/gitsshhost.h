/*
 * gitsshhost: the real SSH server of tests/e2e/lib/git-ssh-server, started for one test program.
 */
#ifndef RAMET_GITSSHHOST_H
#define RAMET_GITSSHHOST_H

#include "gitfix.h"

static char *base, *key, *known_hosts, *server;

static char *value_of(const char *lines, const char *name)
{
	const char *at = strstr(lines, name);
	assert_non_null(at);
	at += strlen(name);
	return mem_strndup(at, strcspn(at, "\n"));
}

static int start_server(void)
{
	server = mem_printf("%s/tests/e2e/lib/git-ssh-server", RAMET_SOURCE_DIR);
	char *cmd = mem_printf("mkdir -p %s/repos; %s start %s/srv %s/repos --until %ld >%s/out",
	    fix_dir, server, fix_dir, fix_dir, (long)getpid(), fix_dir);
	int status = system(cmd);
	free(cmd);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	char *lines = fix_sh("cat out");
	base = value_of(lines, "url=");
	key = value_of(lines, "key=");
	known_hosts = value_of(lines, "known_hosts=");
	free(lines);
	return 0;
}

static char *make_repo(const char *name)
{
	fix_run(
	    "git init -q --bare 'repos/%s.git'; git init -q '%s'; cd '%s'; git remote add origin "
	    "'../repos/%s.git'",
	    name, name, name, name);
	return mem_printf("%s/%s.git", base, name);
}

static char *commit(const char *name, const char *script)
{
	return fix_sh("cd '%s'; %s\ngit add -A; git commit -q -m 'A change'; "
		      "git push -q origin HEAD:main; git rev-parse HEAD",
	    name, script);
}

static void init(struct fix *f, const char *url)
{
	fix_init(f, url);
	f->opts.setup.ssh_key_file = key;
	f->opts.setup.known_hosts_file = known_hosts;
}

/* Runs the tests with a server; 77 when a program that it needs is not there. */
static int sshhost_run(const struct CMUnitTest *tests, size_t n)
{
	fix_begin();
	int r = start_server();
	if (r == 0) {
		r = _cmocka_run_group_tests("ssh", tests, n, NULL, NULL);
		fix_run("%s stop srv", server);
	}
	mem_free_str(&server);
	mem_free_str(&base);
	mem_free_str(&key);
	mem_free_str(&known_hosts);
	fix_end();
	return r;
}

#endif
