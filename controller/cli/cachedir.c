#include "cachedir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* The first of the readers' folders that nobody holds; false when there is none. */
static bool take_reader(const char *state_dir, struct cachedir *ret)
{
	for (int i = 0; i < CACHEDIR_READERS; i++) {
		_cleanup_str_ char *path = mem_printf("%s/read-%d", state_dir, i);
		_cleanup_str_ char *lock = mem_printf("%s.lock", path);
		int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return false;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret = (struct cachedir){.path = TAKE(path), .lock = fd};
			return true;
		}
		(void)close(fd);
	}
	return false;
}

static int take_temporary(char *const *env, struct cachedir *ret, struct err **err)
{
	const char *base = cli_env(env, "TMPDIR");
	_cleanup_str_ char *path =
	    mem_printf("%s/ramet-XXXXXX", base && *base == '/' ? base : "/tmp");
	if (!mkdtemp(path))
		return err_set(
		    err, ERR_IO, "cannot make a folder like %s: %s", path, strerror(errno));
	*ret = (struct cachedir){.path = TAKE(path), .lock = -1, .temporary = true};
	return 0;
}

int cachedir_take(const char *state_dir, bool controller, char *const *env, struct cachedir *ret,
    struct err **err)
{
	if (controller) {
		*ret = (struct cachedir){.path = mem_printf("%s/git", state_dir), .lock = -1};
		return 0;
	}
	return take_reader(state_dir, ret) ? 0 : take_temporary(env, ret, err);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

void cachedir_release(struct cachedir *c)
{
	if (c->temporary)
		(void)nftw(c->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (c->lock >= 0)
		(void)close(c->lock);
	free(c->path);
	*c = CACHEDIR_NONE;
}
