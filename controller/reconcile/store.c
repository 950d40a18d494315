#include "store.h"

#include "buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x53544f52u
#define JOURNAL "journal"
#define WORD "adopt."
#define WORD_MAX 4096
#define WORDS_MAX 1000 /* at a time; the next look finds the rest */

struct file_store {
	struct store base; /* first, so that the port's pointer is ours */
	uint32_t magic;
	char *dir;
	int dirfd, lockfd, fd;
	bool torn; /* an append failed in the middle: the next one starts a line of its own */
	bool made; /* there was a journal: without it lines would stand alone, until all are
		      rewritten */
};

static struct file_store *file_store(struct store *s)
{
	struct file_store *f = (struct file_store *)s;

	CHECK_OBJ(f, MAGIC);
	return f;
}

static int fail(struct err **err, const char *what, const char *path)
{
	int e = errno;

	return err_set(err, ERR_IO, "cannot %s %s: %s", what, path, strerror(e));
}

/* Of the state directory itself: who reads it must find the setting. */
static int fail_state(struct err **err, const char *what, const char *path)
{
	int e = errno;

	err_set(err, ERR_IO, "controller.state_dir: cannot %s %s: %s", what, path, strerror(e));
	return err_hint(err, "%s",
	    e == ENOSPC || e == EDQUOT
		? "free space there, or name a folder elsewhere"
		: "let the user that runs ramet write there, or name another folder");
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_dir(int dirfd, const char *name, struct err **err)
{
	_cleanup_str_ char *dir = mem_strdup(name);
	char *slash = strrchr(dir, '/');
	int fd, rc;

	if (slash)
		*slash = '\0';
	fd = openat(dirfd, slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, "open the directory of", name);
	rc = fsync(fd);
	if (rc < 0)
		fail(err, "flush the directory of", name);
	close(fd);
	return rc;
}

int store_write_atomic(int dirfd, const char *name, const void *data, size_t len, struct err **err)
{
	_cleanup_str_ char *tmp = mem_printf("%s.new", name);
	int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return fail(err, "create", tmp);
	if (write_all(fd, data, len) < 0 || fsync(fd) < 0) {
		fail(err, "write", tmp);
		close(fd);
		unlinkat(dirfd, tmp, 0);
		return -1;
	}
	close(fd);
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		fail(err, "rename to", name);
		unlinkat(dirfd, tmp, 0);
		return -1;
	}
	return sync_dir(dirfd, name, err);
}

int store_read_file(
    int dirfd, const char *name, size_t max, char **ret, size_t *ret_len, struct err **err)
{
	_cleanup_buf_ struct buf b = {0};
	/* No link, and nothing that waits for a writer. */
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char chunk[16384];
	ssize_t n;

	if (fd < 0) {
		if (errno == ENOENT)
			return err_set(err, ERR_NOTFOUND, "%s does not exist", name);
		return fail(err, "open", name);
	}
	buf_init(&b, max);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail(err, "read", name);
			close(fd);
			return -1;
		}
		buf_add(&b, chunk, (size_t)n);
	}
	close(fd);
	if (b.overflow)
		return err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", name, max);
	*ret_len = b.len;
	*ret = buf_take(&b);
	return 0;
}

static void close_journal(struct file_store *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* What is written to a file without a name is lost with the process. */
static bool is_removed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static int open_journal(struct file_store *f, struct err **err)
{
	int make = f->made ? 0 : O_CREAT;

	f->fd = openat(f->dirfd, JOURNAL, O_RDWR | make | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0 && errno == ENOENT && f->made) {
		err_set(err, ERR_IO, "the journal in %s was removed by somebody else", f->dir);
		return err_hint(err, "leave the state directory to ramet");
	}
	if (f->fd < 0)
		return fail_state(err, "open the journal in", f->dir);
	if (sync_dir(f->dirfd, JOURNAL, err) < 0) {
		close_journal(f); /* the next line tries again */
		return -1;
	}
	f->made = true;
	return 0;
}

static int file_append(struct store *s, const char *line, struct err **err)
{
	struct file_store *f = file_store(s);
	_cleanup_str_ char *text = mem_printf("%s%s\n", f->torn ? "\n" : "", line);

	if (strlen(line) > STORE_LINE_MAX)
		return err_set(err, ERR_LIMIT, "a line of the journal is too long");
	if (f->fd >= 0 && is_removed(f->fd)) {
		close_journal(f);
		f->made = true;
	}
	if (f->fd < 0 && open_journal(f, err) < 0)
		return -1;
	if (write_all(f->fd, text, strlen(text)) < 0 || fdatasync(f->fd) < 0) {
		f->torn = true;
		return fail_state(err, "write the journal in", f->dir);
	}
	f->torn = false;
	return 0;
}

static int file_load(struct store *s, struct strs *ret, struct err **err)
{
	struct file_store *f = file_store(s);
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *text = NULL;
	struct strs lines = {0};
	size_t len = 0;

	if (store_read_file(f->dirfd, JOURNAL, STORE_BYTES_MAX, &text, &len, &e) < 0) {
		if (e->code != ERR_NOTFOUND)
			return err_pass(err, &e);
		*ret = lines;
		return 0;
	}
	/* What follows the last line end was being written when the power went. */
	f->torn = len > 0 && text[len - 1] != '\n';
	for (char *p = text, *nl; (nl = memchr(p, '\n', len - (size_t)(p - text))); p = nl + 1) {
		*nl = '\0';
		if (*p)
			strs_add(&lines, p);
	}
	*ret = lines;
	return 0;
}

static int file_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	struct file_store *f = file_store(s);
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < lines->n; i++) {
		buf_adds(&b, lines->v[i]);
		buf_addc(&b, '\n');
	}
	if (b.overflow)
		return err_set(err, ERR_LIMIT, "the journal is too large");
	/* What is open may not be the journal any more, even when an error is told. */
	close_journal(f);
	if (store_write_atomic(f->dirfd, JOURNAL, buf_str(&b), b.len, err) < 0) {
		(void)err_wrap(err, "controller.state_dir: %s", f->dir);
		return err_hint(err,
		    "free space there and let the user that runs ramet write there, or name "
		    "another folder");
	}
	f->torn = false;
	f->made = true;
	return 0;
}

/* ---- what people leave beside the journal ---- */

static char *word_name(const char *name)
{
	return mem_printf(WORD "%s", name);
}

char *store_word_path(const char *dir, const char *name)
{
	return mem_printf("%s/" WORD "%s", dir, name);
}

int store_leave_word(const char *dir, const char *name, const char *line, struct err **err)
{
	_cleanup_str_ char *path = store_word_path(dir, name);
	_cleanup_str_ char *text = mem_printf("%s\n", line);

	MUST(text_is_dns_label(name));
	return store_write_atomic(AT_FDCWD, path, text, strlen(text), err);
}

static void file_words(struct store *s, struct strs *ret)
{
	int fd = dup(file_store(s)->dirfd); /* closedir closes it */
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(d); /* both share the place that was read last */
	for (struct dirent *e; ret->n < WORDS_MAX && (e = readdir(d));) {
		const char *name = text_after(e->d_name, WORD);

		if (name && text_is_dns_label(name))
			strs_add(ret, name);
	}
	closedir(d);
}

static char *file_word(struct store *s, const char *name)
{
	struct file_store *f = file_store(s);
	_cleanup_str_ char *file = word_name(name);
	char *text = NULL;
	size_t len;

	if (!text_is_dns_label(name) ||
	    store_read_file(f->dirfd, file, WORD_MAX, &text, &len, NULL) < 0)
		return NULL;
	text_trim_right(text);
	return text;
}

static void file_drop_word(struct store *s, const char *name)
{
	_cleanup_str_ char *file = word_name(name);
	int dirfd = file_store(s)->dirfd;

	if (text_is_dns_label(name) && unlinkat(dirfd, file, 0) == 0)
		(void)sync_dir(dirfd, file, NULL);
}

static const struct store_ops file_ops = {.append = file_append,
    .load = file_load,
    .rewrite = file_rewrite,
    .words = file_words,
    .word = file_word,
    .drop_word = file_drop_word};

/* Its name in the directory above: what is flushed inside is lost with it. Who may not read the one
 * above cannot flush it. */
static int sync_above(const char *dir, struct err **err)
{
	_cleanup_str_ char *above = mem_strdup(dir);
	char *slash = strrchr(above, '/');
	int fd, rc;

	if (slash)
		slash[slash == above] = '\0';
	fd = open(slash ? above : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	rc = fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
	if (rc < 0)
		fail_state(err, "flush the directory of", dir);
	close(fd);
	return rc;
}

static int make_dir(const char *dir, mode_t mode, struct err **err)
{
	if (mkdir(dir, mode) == 0)
		return sync_above(dir, err);
	return errno == EEXIST ? 0 : fail_state(err, "make the directory", dir);
}

static int make_dirs(const char *dir, struct err **err)
{
	_cleanup_str_ char *path = mem_strdup(dir);

	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (make_dir(path, 0755, err) < 0)
			return -1;
		*p = '/';
	}
	if (make_dir(path, 0700, err) < 0)
		return -1;
	return sync_above(path, err); /* who made it may have died before */
}

int store_open(const char *dir, struct store **ret, struct err **err)
{
	struct file_store *f;
	struct store *s;

	if (!dir[0])
		return err_set(err, ERR_CONFIG, "controller.state_dir is empty");
	if (make_dirs(dir, err) < 0)
		return -1;
	f = mem_alloc(sizeof(*f));
	f->magic = MAGIC;
	f->base.ops = &file_ops;
	f->dir = mem_strdup(dir);
	f->lockfd = f->fd = -1;
	s = &f->base;
	f->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dirfd < 0) {
		fail_state(err, "open", dir);
		store_close(&s);
		return -1;
	}
	f->lockfd = openat(f->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lockfd < 0) {
		fail_state(err, "open the lock in", dir);
		store_close(&s);
		return -1;
	}
	if (flock(f->lockfd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK) {
			err_set(
			    err, ERR_BUSY, "another ramet runs with the state directory %s", dir);
			err_hint(err,
			    "stop it first, or give this one a controller.state_dir and a "
			    "controller.id of its own");
		} else {
			fail_state(err, "lock", dir);
		}
		store_close(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

void store_close(struct store **s)
{
	struct file_store *f;

	if (!*s)
		return;
	f = file_store(*s);
	close_journal(f);
	if (f->lockfd >= 0)
		close(f->lockfd);
	if (f->dirfd >= 0)
		close(f->dirfd);
	free(f->dir);
	f->magic = 0;
	free(f);
	*s = NULL;
}

static int null_append(struct store *s, const char *line, struct err **err)
{
	(void)s, (void)line, (void)err;
	return 0;
}

static int null_load(struct store *s, struct strs *ret, struct err **err)
{
	(void)s, (void)err;
	*ret = (struct strs){0};
	return 0;
}

static int null_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	(void)s, (void)lines, (void)err;
	return 0;
}

static const struct store_ops null_ops = {
    .append = null_append, .load = null_load, .rewrite = null_rewrite};
struct store *store_null(void)
{
	static struct store null_store = {.ops = &null_ops};

	return &null_store;
}
