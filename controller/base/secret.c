#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static int read_all(int fd, const char *path, char *buf, size_t cap, size_t *ret, struct err **err)
{
	size_t len = 0;
	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret = len;
	return 0;
}

static int empty(const char *path, struct err **err)
{
	err_set(err, ERR_INPUT, "%s is empty", path);
	return err_hint(err, "write the secret into the file");
}

static int check(const char *path, const char *text, size_t *len, struct err **err)
{
	if (*len > SECRET_MAX_BYTES) {
		err_set(err, ERR_INPUT, "%s is larger than %d bytes", path, SECRET_MAX_BYTES);
		return err_hint(err, "put the secret alone into the file");
	}
	if (*len > 0 && text[*len - 1] == '\n')
		--*len;
	if (*len > 0 && text[*len - 1] == '\r')
		--*len;
	if (*len == 0)
		return empty(path, err);
	if (memchr(text, '\0', *len)) {
		err_set(err, ERR_INPUT, "%s is no text", path);
		return err_hint(err, "put the secret alone into the file, as text");
	}
	return 0;
}

/* A FIFO would hold the program up before anybody could look at it. -1 = err is set. */
static int open_plain(const char *path, struct stat *ret, struct err **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, ret) < 0) {
		err_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
		err_hint(err, "check that the file is there and that this user may read it");
	} else if (!S_ISREG(ret->st_mode)) {
		err_set(err, ERR_INPUT, "%s is no plain file", path);
		err_hint(err, "name a file");
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

int secret_look(const char *path, bool filled, bool *ret_loose, struct err **err)
{
	struct stat st;
	int fd = open_plain(path, &st, err);
	if (fd < 0)
		return -1;
	close(fd);
	if (filled && st.st_size == 0)
		return empty(path, err);
	*ret_loose = (st.st_mode & S_IROTH) != 0;
	return 0;
}

int secret_read(const char *path, char **ret, bool *ret_loose, struct err **err)
{
	int rc = -1;
	char *text = NULL;
	size_t len = 0;
	struct stat st;
	int fd = open_plain(path, &st, err);
	if (fd < 0)
		return -1;
	text = mem_alloc(SECRET_MAX_BYTES + 2);
	if (read_all(fd, path, text, SECRET_MAX_BYTES + 1, &len, err) < 0 ||
	    check(path, text, &len, err) < 0)
		goto out;
	text[len] = '\0';
	log_mask(text);
	*ret = mem_strndup(text, len);
	if (ret_loose)
		*ret_loose = (st.st_mode & S_IROTH) != 0;
	rc = 0;
out:
	if (text)
		explicit_bzero(text, SECRET_MAX_BYTES + 2);
	mem_free_str(&text);
	close(fd);
	return rc;
}
