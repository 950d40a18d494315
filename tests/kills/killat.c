/*
 * Loaded into the controller before everything else (LD_PRELOAD): kills it at its n-th change of
 * the state directory, before or after it, or asks it to end, or counts the changes.
 *
 *   KILLAT_DIR    the state directory
 *   KILLAT_N      the change, from 1; 0 = none
 *   KILLAT_WHEN   before or after
 *   KILLAT_SIGNAL its number
 *   KILLAT_COUNT  a file that gets one byte for each change
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static unsigned count;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void die(void)
{
	const char *sign = getenv("KILLAT_SIGNAL");

	kill(getpid(), sign ? (int)strtol(sign, NULL, 10) : SIGKILL);
}

/* Only files of the directory itself: the repository beside them is another process's. */
static bool is_inside(int fd)
{
	const char *dir = getenv("KILLAT_DIR");
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || !dir || strncmp(path, dir, strlen(dir)) != 0)
		return false;
	path[n] = '\0';
	return !path[strlen(dir)] ||
	       (path[strlen(dir)] == '/' && !strchr(path + strlen(dir) + 1, '/'));
}

/* Whether the process dies after what comes now. */
static bool touches(void)
{
	const char *at = getenv("KILLAT_N"), *when = getenv("KILLAT_WHEN");
	const char *file = getenv("KILLAT_COUNT");
	ssize_t (*put)(int, const void *, size_t) = next("write");
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	bool now = ++count == (at ? strtoul(at, NULL, 10) : 0);

	if (fd >= 0 && put(fd, ".", 1) == 1)
		close(fd);
	if (now && when && strcmp(when, "before") == 0)
		die();
	return now;
}

ssize_t write(int fd, const void *from, size_t len)
{
	ssize_t (*real)(int, const void *, size_t) = next("write");
	bool last = is_inside(fd) && touches();
	ssize_t n = real(fd, from, len);

	if (last)
		die();
	return n;
}

int fsync(int fd)
{
	int (*real)(int) = next("fsync");
	bool last = is_inside(fd) && touches();
	int rc = real(fd);

	if (last)
		die();
	return rc;
}

int fdatasync(int fd)
{
	int (*real)(int) = next("fdatasync");
	bool last = is_inside(fd) && touches();
	int rc = real(fd);

	if (last)
		die();
	return rc;
}

int renameat(int at, const char *from, int to_at, const char *to)
{
	int (*real)(int, const char *, int, const char *) = next("renameat");
	bool last = is_inside(at) && touches();
	int rc = real(at, from, to_at, to);

	if (last)
		die();
	return rc;
}

int unlinkat(int at, const char *path, int flags)
{
	int (*real)(int, const char *, int) = next("unlinkat");
	bool last = is_inside(at) && touches();
	int rc = real(at, path, flags);

	if (last)
		die();
	return rc;
}
