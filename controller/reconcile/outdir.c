#include "outdir.h"

#include "crypt.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x4f555444u
#define FILE_MAX ((size_t)16 << 20)
#define LEASE ".lease."
#define LEASE_MAX 256

struct file_outdir {
	struct outdir base;
	uint32_t magic;
	int dirfd;
};

static struct file_outdir *file_outdir(struct outdir *o)
{
	struct file_outdir *f = (struct file_outdir *)o;

	CHECK_OBJ(f, MAGIC);
	return f;
}

static bool path_ok(const char *path)
{
	struct strs parts = {0};
	bool ok = text_split(path, "/", false, 8, &parts) == 0 && parts.n > 0;

	for (size_t i = 0; ok && i < parts.n; i++)
		ok = parts.v[i][0] && parts.v[i][0] != '.';
	strs_fini(&parts);
	return ok;
}

static int refuse(const char *path, struct err **err)
{
	return err_set(err, ERR_INTERNAL, "%s is no path of a report", path);
}

/* The folder that a file of the report stands in, and its name there; -1 with errno. Never through
 * a link: whoever else may write into the report would say with it where we write. */
static int open_folder(
    const struct file_outdir *f, const char *path, bool make, const char **ret_name)
{
	int fd = fcntl(f->dirfd, F_DUPFD_CLOEXEC, 3);

	for (const char *slash; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		_cleanup_str_ char *part = mem_strndup(path, (size_t)(slash - path));
		int above = fd;

		if (make && mkdirat(above, part, 0755) < 0 && errno != EEXIST)
			fd = -1;
		else
			fd = openat(above, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int e = errno;
		close(above);
		errno = e;
	}
	*ret_name = path;
	return fd;
}

static int dir_write(
    struct outdir *o, const char *path, const char *data, size_t len, struct err **err)
{
	const char *name;

	if (!path_ok(path))
		return refuse(path, err);
	int fd = open_folder(file_outdir(o), path, true, &name);
	if (fd < 0)
		return err_set(
		    err, ERR_IO, "cannot open the folder of %s: %s", path, strerror(errno));
	int rc = store_write_atomic(fd, name, data, len, err);
	close(fd);
	return rc;
}

static int dir_remove(struct outdir *o, const char *path, struct err **err)
{
	const char *name;

	if (!path_ok(path))
		return refuse(path, err);
	int fd = open_folder(file_outdir(o), path, false, &name);
	int rc = fd < 0 ? -1 : unlinkat(fd, name, 0);
	if (rc < 0 && errno != ENOENT)
		err_set(err, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
	else
		rc = 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int dir_read(
    struct outdir *o, const char *path, char **ret, size_t *ret_len, struct err **err)
{
	const char *name;

	if (!path_ok(path))
		return refuse(path, err);
	int fd = open_folder(file_outdir(o), path, false, &name);
	if (fd < 0)
		return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "cannot open the folder of %s: %s", path, strerror(errno));
	int rc = store_read_file(fd, name, FILE_MAX, ret, ret_len, err);
	close(fd);
	return rc;
}

static int list_in(int dirfd, const char *sub, struct strs *ret, struct err **err)
{
	int fd = openat(dirfd, sub ? sub : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return err_set(
		    err, ERR_IO, "cannot list %s: %s", sub ? sub : "the report", strerror(errno));
	}
	while ((e = readdir(d)) && ret->n < OUTDIR_FILES_MAX) {
		_cleanup_str_ char *path =
		    sub ? mem_printf("%s/%s", sub, e->d_name) : mem_strdup(e->d_name);
		struct stat st;

		if (e->d_name[0] == '.' || fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			strs_add(ret, path);
		else if (S_ISDIR(st.st_mode) && !sub && list_in(dirfd, path, ret, err) < 0) {
			closedir(d);
			return -1;
		}
	}
	closedir(d);
	return 0;
}

static int dir_list(struct outdir *o, struct strs *ret, struct err **err)
{
	struct strs l = {0};

	if (list_in(file_outdir(o)->dirfd, NULL, &l, err) < 0) {
		strs_fini(&l);
		return -1;
	}
	strs_sort_unique(&l);
	*ret = l;
	return 0;
}

/* ---- whose it is ---- */

/*
 * A file ".lease.N" for each take-over, made by link(), which never replaces: of several who want
 * to follow N, one gets N + 1. The highest counts. It is removed by nobody but the next one, after
 * that one's own is there: whoever links an old number finds a higher one when he looks again.
 */

/* The highest; 0 = there is none. Those below `drop` are removed. */
static uint64_t lease_scan(const struct file_outdir *f, uint64_t drop)
{
	int fd = openat(f->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t top = 0;
	struct dirent *e;
	int64_t n;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		const char *digits = text_after(e->d_name, LEASE);

		if (!digits || text_to_int(digits, 1, INT64_MAX, &n) < 0)
			continue;
		if ((uint64_t)n < drop)
			(void)unlinkat(f->dirfd, e->d_name, 0);
		else if ((uint64_t)n > top)
			top = (uint64_t)n;
	}
	if (d)
		closedir(d);
	return top;
}

static uint64_t lease_top(const struct file_outdir *f)
{
	return lease_scan(f, 0);
}

static char *lease_name(uint64_t n)
{
	return mem_printf(LEASE "%llu", (unsigned long long)n);
}

static char *lease_read(const struct file_outdir *f, uint64_t n)
{
	_cleanup_str_ char *name = lease_name(n);
	char *text = NULL;
	size_t len;

	if (!n || store_read_file(f->dirfd, name, LEASE_MAX, &text, &len, NULL) < 0)
		return NULL;
	text_trim_right(text);
	return text;
}

static char *dir_holder(struct outdir *o)
{
	struct file_outdir *f = file_outdir(o);

	return lease_read(f, lease_top(f));
}

/* 1 = it is ours, 0 = somebody else was quicker. */
static int lease_link(struct file_outdir *f, const char *instance, uint64_t n, struct err **err)
{
	_cleanup_str_ char *name = lease_name(n), *tmp = NULL, *text = mem_printf("%s\n", instance);
	char word[17];
	struct stat st;
	int rc;

	crypt_random_hex(8, word);
	tmp = mem_printf(LEASE "new-%s", word);
	if (store_write_atomic(f->dirfd, tmp, text, strlen(text), err) < 0)
		return -1;
	rc = linkat(f->dirfd, tmp, f->dirfd, name, 0);
	/* Over a network the answer to a link that was made may be lost. */
	if (rc < 0 && fstatat(f->dirfd, tmp, &st, 0) == 0 && st.st_nlink == 2)
		rc = 0;
	if (rc < 0 && errno != EEXIST)
		err_set(err, ERR_IO, "cannot make %s: %s", name, strerror(errno));
	rc = rc == 0 ? 1 : errno == EEXIST ? 0 : -1;
	(void)unlinkat(f->dirfd, tmp, 0);
	return rc;
}

static int dir_claim(struct outdir *o, const char *instance, char **ret_holder, struct err **err)
{
	struct file_outdir *f = file_outdir(o);
	uint64_t top = lease_top(f);
	_cleanup_str_ char *before = lease_read(f, top);
	int won = 1;

	if (!text_eq(before, instance)) {
		won = lease_link(f, instance, ++top, err);
		if (won < 0)
			return -1;
	}
	if (won && lease_top(f) == top) {
		(void)lease_scan(f, top);
		*ret_holder = mem_strdup(instance);
		return 0;
	}
	if (won) { /* an old number: others have gone on meanwhile */
		_cleanup_str_ char *own = lease_name(top);

		(void)unlinkat(f->dirfd, own, 0);
	}
	*ret_holder = lease_read(f, lease_top(f));
	return 0;
}

static const struct outdir_ops dir_ops = {.write = dir_write,
    .remove = dir_remove,
    .read = dir_read,
    .list = dir_list,
    .claim = dir_claim,
    .holder = dir_holder};

static int fail_open(const char *what, const char *dir, struct err **err)
{
	err_set(err, ERR_IO, "report.directory: cannot %s %s: %s", what, dir, strerror(errno));
	return err_hint(err, "let the user that runs ramet write there, or name another folder");
}

int outdir_open(const char *dir, bool writing, struct outdir **ret, struct err **err)
{
	struct file_outdir *f;
	int fd;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return fail_open("make", dir, err);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_open("open", dir, err);
	if (writing && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		fail_open("write to", dir, err);
		close(fd);
		return -1;
	}
	f = mem_alloc(sizeof(*f));
	f->magic = MAGIC;
	f->base.ops = &dir_ops;
	f->dirfd = fd;
	*ret = &f->base;
	return 0;
}

void outdir_close(struct outdir **o)
{
	struct file_outdir *f;

	if (!*o)
		return;
	f = file_outdir(*o);
	close(f->dirfd);
	f->magic = 0;
	free(f);
	*o = NULL;
}
