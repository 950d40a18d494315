#include "outdir.h"

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

static int dir_write(
    struct outdir *o, const char *path, const char *data, size_t len, struct err **err)
{
	struct file_outdir *f = file_outdir(o);
	_cleanup_str_ char *dir = mem_strdup(path);

	if (!path_ok(path))
		return refuse(path, err);
	for (char *p = dir; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdirat(f->dirfd, dir, 0755) < 0 && errno != EEXIST)
			return err_set(err, ERR_IO, "cannot make %s: %s", dir, strerror(errno));
	}
	return store_write_atomic(f->dirfd, path, data, len, err);
}

static int dir_remove(struct outdir *o, const char *path, struct err **err)
{
	struct file_outdir *f = file_outdir(o);

	if (!path_ok(path))
		return refuse(path, err);
	if (unlinkat(f->dirfd, path, 0) < 0 && errno != ENOENT)
		return err_set(err, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
	return 0;
}

static int dir_read(
    struct outdir *o, const char *path, char **ret, size_t *ret_len, struct err **err)
{
	struct file_outdir *f = file_outdir(o);

	if (!path_ok(path))
		return refuse(path, err);
	return store_read_file(f->dirfd, path, FILE_MAX, ret, ret_len, err);
}

static int list_in(int dirfd, const char *sub, struct strs *ret, struct err **err)
{
	int fd = openat(dirfd, sub ? sub : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static const struct outdir_ops dir_ops = {
    .write = dir_write, .remove = dir_remove, .read = dir_read, .list = dir_list};

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
