/*
 * githost: the real HTTPS server of tests/e2e/lib/git-server, started for one test program.
 */
#ifndef RAMET_GITHOST_H
#define RAMET_GITHOST_H

#include "gitfix.h"

struct githost {
	char *script, *base, *ca, *password;
};

static char *githost_value(const char *lines, const char *key)
{
	const char *at = strstr(lines, key);
	assert_non_null(at);
	at += strlen(key);
	return mem_strndup(at, strcspn(at, "\n"));
}

static void githost_fini(struct githost *h)
{
	mem_free_str(&h->script);
	mem_free_str(&h->base);
	mem_free_str(&h->ca);
	mem_free_str(&h->password);
}

/* 77 when a program that the server needs is not there. */
UNUSED static int githost_start(struct githost *h)
{
	h->script = mem_printf("%s/tests/e2e/lib/git-server", RAMET_SOURCE_DIR);
	char *cmd = mem_printf(
	    "%s start %s/srv --until %ld >%s/out", h->script, fix_dir, (long)getpid(), fix_dir);
	int status = system(cmd);
	free(cmd);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		githost_fini(h);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	char *lines = fix_sh("cat out");
	h->base = githost_value(lines, "url=");
	h->ca = githost_value(lines, "ca=");
	h->password = githost_value(lines, "password=");
	free(lines);
	return 0;
}

UNUSED static void githost_stop(struct githost *h)
{
	fix_run("%s stop srv", h->script);
	githost_fini(h);
}

/* An empty repository on the server with a working copy beside it; the URL. */
UNUSED static char *githost_repo(struct githost *h, const char *name)
{
	fix_run("%s repo %s/srv %s; git init -q %s; cd %s; git remote add origin "
		"%s/srv/repos/%s.git",
	    h->script, fix_dir, name, name, name, fix_dir, name);
	return mem_printf("%s/%s.git", h->base, name);
}

UNUSED static void githost_settings(const struct githost *h, struct fix *f, const char *url)
{
	fix_init(f, url);
	f->opts.setup.ca_file = h->ca;
	f->opts.setup.username = "ramet";
	f->opts.setup.password = h->password;
}

/* --- the one of a test program --- */

static struct githost host;

UNUSED static char *make_repo(const char *name)
{
	return githost_repo(&host, name);
}

/* One more commit on main, after the script; its id. */
UNUSED static char *commit(const char *name, const char *script)
{
	return fix_sh("cd %s; %s\ngit add -A; git commit -q -m 'A change'; "
		      "git push -q origin HEAD:main; git rev-parse HEAD",
	    name, script);
}

UNUSED static void init(struct fix *f, const char *url)
{
	githost_settings(&host, f, url);
}

/* Runs the tests with the server; 77 when a program that it needs is not there. */
UNUSED static int githost_run(const struct CMUnitTest *tests, size_t n)
{
	fix_begin();
	int r = githost_start(&host);
	if (r == 0) {
		r = _cmocka_run_group_tests("https", tests, n, NULL, NULL);
		githost_stop(&host);
	}
	fix_end();
	return r;
}

#endif
