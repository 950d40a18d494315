#include "files.h"
#include "fileignore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define _cleanup_fd_ _cleanup_(close_fd)

static int add(
    struct files *f, const char *path, struct buf *data, const char *skipped, struct err **err)
{
	f->bytes += data ? data->len : 0;
	if (f->n >= bundle_limits_default.files || f->bytes > bundle_limits_default.bytes_total) {
		(void)err_set(
		    err, ERR_LIMIT, "%s: too many manifests, or too large together", path);
		return err_hint(err, "name a smaller folder");
	}
	MEM_PUSH_ROOM(f->v, f->n, f->cap);
	size_t len = data ? data->len : 0;
	f->v[f->n++] = (struct bundle_file){.path = mem_strdup(path),
	    .data = data ? buf_take(data) : NULL,
	    .len = len,
	    .skipped = mem_strdup(skipped)};
	return 0;
}

static int add_near(struct files *f, const char *path, struct err **err)
{
	if (add(f, path, NULL, NULL, err) != 0)
		return -1;
	f->v[f->n - 1].passed_over = true;
	return 0;
}

/* Everything up to one byte more than is allowed. */
static int read_all(int fd, struct buf *out)
{
	char chunk[16384];
	while (out->len <= FILES_BYTES_MAX) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		buf_add(out, chunk, (size_t)got);
	}
	return 0;
}

static int load_file(struct files *f, int fd, const char *path, struct err **err)
{
	_cleanup_buf_ struct buf data = {0};
	if (read_all(fd, &data) != 0) {
		_cleanup_str_ char *why = mem_printf("it cannot be read: %s", strerror(errno));
		return add(f, path, NULL, why, err);
	}
	if (data.len > FILES_BYTES_MAX)
		return add(f, path, NULL, "larger than 1 MiB", err);
	return add(f, path, &data, NULL, err);
}

/* Of one path of the command line. */
struct walk {
	struct files *f;
	struct fileignore ignore;
};

static int load_folder(struct walk *w, int fd, const char *path, unsigned depth, struct err **err);

/* One entry of a folder. What is no manifest by its name is nobody's business. */
static int load_entry(struct walk *w, int dirfd, const char *folder, const char *name,
    unsigned depth, struct err **err)
{
	struct files *f = w->f;
	struct stat st;
	_cleanup_str_ char *path = mem_printf(
	    "%s%s%s", folder, *folder && folder[strlen(folder) - 1] != '/' ? "/" : "", name);
	bool manifest = bundle_is_manifest_path(name);
	bool near = bundle_is_near_path(name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		_cleanup_str_ char *why = mem_printf("it cannot be looked at: %s", strerror(errno));
		return manifest ? add(f, path, NULL, why, err) : 0;
	}
	if (!S_ISDIR(st.st_mode) && !manifest && !near)
		return 0;
	bool ignored;
	if (fileignore_covers(&w->ignore, path, S_ISDIR(st.st_mode), &ignored, err) != 0)
		return -1;
	if (ignored)
		return 0;
	if (near && !S_ISDIR(st.st_mode))
		return add_near(f, path, err);
	if (S_ISLNK(st.st_mode))
		return add(f, path, NULL, "a symbolic link", err);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return add(f, path, NULL, "no regular file", err);
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		_cleanup_str_ char *why = mem_printf("it cannot be opened: %s", strerror(errno));
		return add(f, path, NULL, why, err);
	}
	if (S_ISDIR(st.st_mode))
		return load_folder(w, fd, path, depth + 1, err);
	return load_file(f, fd, path, err);
}

static int load_folder(struct walk *w, int fd, const char *path, unsigned depth, struct err **err)
{
	if (depth > FILES_DEPTH_MAX)
		return add(w->f, path, NULL, "folders are nested too deep", err);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = own >= 0 ? fdopendir(own) : NULL;
	if (!dir) {
		int why = errno;
		if (own >= 0)
			(void)close(own);
		return err_set(err, ERR_IO, "cannot read the folder %s: %s", path, strerror(why));
	}
	int rc = 0;
	for (struct dirent *e; rc == 0 && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			rc = load_entry(w, fd, path, e->d_name, depth, err);
	(void)closedir(dir);
	return rc;
}

static int load_root(struct files *f, int fd, const char *path, struct err **err)
{
	struct walk w = {.f = f};
	if (fileignore_open(&w.ignore, path, err) != 0)
		return -1;
	int rc = load_folder(&w, fd, path, 0, err);
	fileignore_fini(&w.ignore);
	return rc;
}

static int load_path(struct files *f, const char *path, struct err **err)
{
	struct stat st;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		int why = errno;
		(void)err_set(err, why == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open %s: %s",
		    path, strerror(why));
		return err_hint(err,
		    why == EACCES ? "check that this user may read it, and enter the folders above"
				  : "name a manifest, or a folder with manifests");
	}
	if (S_ISDIR(st.st_mode))
		return load_root(f, fd, path, err);
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, ERR_IO, "%s is neither a file nor a folder", path);
		return err_hint(err, "name a manifest or a folder; \"ramet validate -\" reads "
				     "standard input");
	}
	return load_file(f, fd, path, err);
}

static void clear(struct bundle_file *b)
{
	free((void *)b->path);
	free((void *)b->data);
	free((void *)b->skipped);
}

static int compare(const void *pa, const void *pb)
{
	const struct bundle_file *a = pa, *b = pb;
	return strcmp(a->path, b->path);
}

/* A file that two arguments name is one file. */
static void sort_unique(struct files *f)
{
	if (f->n == 0)
		return;
	qsort(f->v, f->n, sizeof(*f->v), compare);
	size_t kept = 1;
	for (size_t i = 1; i < f->n; i++) {
		if (strcmp(f->v[kept - 1].path, f->v[i].path) == 0)
			clear(&f->v[i]);
		else
			f->v[kept++] = f->v[i];
	}
	f->n = kept;
}

int files_load(char *const *paths, size_t n, struct files *ret, struct err **err)
{
	struct files f = {0};
	for (size_t i = 0; i < n; i++) {
		if (load_path(&f, paths[i], err) != 0) {
			files_fini(&f);
			return -1;
		}
	}
	sort_unique(&f);
	*ret = f;
	return 0;
}

void files_fini(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		clear(&f->v[i]);
	free(f->v);
	*f = (struct files){0};
}
