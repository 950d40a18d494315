#include "fileignore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

static bool exists(const char *folder, const char *name)
{
	_cleanup_str_ char *path = mem_printf("%s/%s", folder, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The length of real without its last part; 0 at the end. */
static size_t parent_len(const char *real, size_t len)
{
	while (len > 0 && real[len - 1] != '/')
		len--;
	while (len > 0 && real[len - 1] == '/')
		len--;
	return len;
}

/* The length of the nearest folder, from real upwards, that has an entry of that name; 0 = none. */
static size_t find_upwards(const char *real, const char *name)
{
	for (size_t len = strlen(real); len > 0; len = parent_len(real, len)) {
		_cleanup_str_ char *folder = mem_strndup(real, len);
		if (exists(folder, name))
			return len;
	}
	return 0;
}

/* The length of the folder with the rules; 0 = there is none. Beyond the root of a working tree
 * there is nothing that belongs to it; outside of one only the folder itself counts. */
static size_t find_folder(const char *real)
{
	size_t rules = find_upwards(real, GITIGNORE_FILE), root = find_upwards(real, ".git");

	return rules >= (root ? root : strlen(real)) ? rules : 0;
}

static int read_rules(const char *folder, struct gitignore **ret, struct err **err)
{
	_cleanup_str_ char *path = mem_printf("%s/%s", folder, GITIGNORE_FILE);
	static char text[GITIGNORE_BYTES + 1];
	size_t len = 0;
	ssize_t n = -1;
	/* No link out of the tree, as in a repository. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	while (fd >= 0 && len < sizeof(text) && (n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	int why = errno;
	if (fd >= 0)
		(void)close(fd);
	if (n < 0)
		return err_set(err, ERR_IO, "%s cannot be read: %s", path, strerror(why));
	return gitignore_new(ret, text, len, err);
}

int fileignore_open(struct fileignore *ret, const char *path, struct err **err)
{
	char *real = realpath(path, NULL);
	struct fileignore i = {.typed_len = strlen(path)};
	int rc = 0;

	size_t len = real ? find_folder(real) : 0;
	if (len > 0) {
		_cleanup_str_ char *folder = mem_strndup(real, len);
		i.inner = mem_strdup(real[len] == '/' ? real + len + 1 : real + len);
		rc = read_rules(folder, &i.rules, err);
	}
	free(real);
	if (rc != 0) {
		fileignore_fini(&i);
		return -1;
	}
	*ret = i;
	return 0;
}

void fileignore_fini(struct fileignore *i)
{
	gitignore_free(&i->rules);
	mem_free_str(&i->inner);
}

int fileignore_covers(
    const struct fileignore *i, const char *entry, bool folder, bool *ret, struct err **err)
{
	*ret = false;
	if (!i->rules)
		return 0;
	const char *rest = entry + i->typed_len;
	rest += strspn(rest, "/");
	_cleanup_str_ char *path = mem_printf("%s%s%s", i->inner, *i->inner ? "/" : "", rest);
	return gitignore_covers(i->rules, path, folder, ret, err);
}
