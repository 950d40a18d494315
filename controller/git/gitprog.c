#include "gitprog.h"
#include "gitname.h"
#include "gitsshproc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_BYTES ((size_t)8192)
#define ANSWER_MS 10000
#define ENV_MAX 8

static const struct {
	const char *program, *package;
} packages[] = {
    {"ssh-keygen", "openssh-client"},
    {"gpgv", "gpgv"},
    {"gpg", "gpg"},
    {"gpg-agent", "gpg-agent"},
};

static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin"};

static int blame_missing(const char *program, struct err **err)
{
	err_set(err, ERR_CONFIG, "there is no %s on this machine", program);
	for (size_t i = 0; i < ARRAY_LEN(packages); i++) {
		if (strcmp(packages[i].program, program) == 0)
			err_hint(
			    err, "install %s: signatures of commits need it", packages[i].package);
	}
	return -1;
}

int gitprog_need(const char *program, struct err **err)
{
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		_cleanup_str_ char *path = mem_printf("%s/%s", folders[i], program);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return blame_missing(program, err);
}

int gitprog_run(const char *const *argv, const char *const *more_env,
    const struct gitproto_bytes *input, struct gitprog *ret, struct err **err)
{
	/* Times without a zone, as in a list of signers, count as UTC. */
	const char *env[ENV_MAX] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"};
	struct gitprog got = {.status = 255};
	struct gitsshproc p;
	char chunk[1024];
	ssize_t n;

	for (size_t i = 0; more_env && more_env[i] && i < ENV_MAX - 4; i++)
		env[3 + i] = more_env[i];
	buf_init(&got.out, ANSWER_BYTES);
	if (gitsshproc_start(&p, argv, env, err) != 0)
		return -1;
	/* It may end before it has read all: its status says why. */
	(void)gitsshproc_write(&p, input->ptr, input->len, ANSWER_MS);
	gitsshproc_close_in(&p);
	while ((n = gitsshproc_read(&p, chunk, sizeof(chunk), ANSWER_MS)) > 0)
		buf_add(&got.out, chunk, (size_t)n);
	gitsshproc_stop(&p);
	if (n == 0 && WIFEXITED(p.status))
		got.status = WEXITSTATUS(p.status);
	got.words = gitname_clean(buf_str(&p.words), 300, false);
	gitsshproc_fini(&p);
	if (n >= 0 && got.status != 127) {
		*ret = got;
		return 0;
	}
	gitprog_fini(&got);
	return n < 0 ? err_set(err, ERR_TIMEOUT, "%s does not answer", argv[0])
		     : blame_missing(argv[0], err);
}

void gitprog_fini(struct gitprog *p)
{
	buf_fini(&p->out);
	mem_free_str(&p->words);
}

static int remove_entry(
    const char *path, const struct stat *st UNUSED, int kind UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

void gitprog_sweep(const char *dir)
{
	static const char *const names[] = {GITPROG_SIGNATURE, GITPROG_SIGNERS, GITPROG_KEYRING};
	_cleanup_str_ char *home = mem_printf("%s/" GITPROG_HOME, dir);

	if (access(home, F_OK) == 0)
		nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_str_ char *path = mem_printf("%s/%s", dir, names[i]);
		unlink(path);
	}
}

int gitprog_askpass(const char *path, const char *file, struct err **err)
{
	_cleanup_str_ char *text = mem_printf("#!/bin/sh\nexec cat -- '%s'\n", file);

	if (strchr(file, '\''))
		return err_set(
		    err, ERR_CONFIG, "a file with a passphrase has a quotation mark in its name");
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	size_t len = strlen(text);
	bool good = fd >= 0 && write(fd, text, len) == (ssize_t)len;
	int saved = errno;
	if (fd >= 0)
		close(fd);
	return good ? 0 : err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(saved));
}

int gitprog_write(const char *path, const char *data, size_t len, struct err **err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd >= 0 && write(fd, data, len) == (ssize_t)len;
	int saved = errno;
	if (fd >= 0)
		close(fd);
	return good ? 0 : err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(saved));
}

int gitprog_read(const char *path, size_t max, struct buf *ret, struct err **err)
{
	char chunk[4096];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	buf_init_secret(ret, max);
	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)n);
	int saved = errno;
	explicit_bzero(chunk, sizeof(chunk));
	if (fd >= 0)
		close(fd);
	if (n == 0 && !ret->overflow)
		return 0;
	buf_fini(ret);
	return err_set(
	    err, ERR_CONFIG, "%s cannot be read: %s", path, n < 0 ? strerror(saved) : "too large");
}
