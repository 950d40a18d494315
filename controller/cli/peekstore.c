#include "peekstore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "text.h"

#define JOURNAL "journal"

struct peekstore {
	struct store store;
	struct strs lines;
};

static struct peekstore *peek(struct store *s)
{
	return (struct peekstore *)(void *)s;
}

static int peek_append(struct store *s, const char *line, struct err **err)
{
	(void)err;
	strs_add(&peek(s)->lines, line);
	return 0;
}

static int peek_load(struct store *s, struct strs *ret, struct err **err)
{
	(void)err;
	strs_copy(ret, &peek(s)->lines);
	return 0;
}

static int peek_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	(void)err;
	strs_fini(&peek(s)->lines);
	strs_copy(&peek(s)->lines, lines);
	return 0;
}

/* A line without its end is still being written. */
static void take_lines(struct peekstore *p, char *text)
{
	for (char *end; (end = strchr(text, '\n')); text = end + 1) {
		*end = '\0';
		if (*text)
			strs_add(&p->lines, text);
	}
}

int peekstore_open(const char *dir, struct store **ret, struct err **err)
{
	static const struct store_ops ops = {
	    .append = peek_append, .load = peek_load, .rewrite = peek_rewrite};
	_cleanup_str_ char *path = mem_printf("%s/" JOURNAL, dir);
	_cleanup_str_ char *text = NULL;
	_cleanup_err_ struct err *why = NULL;
	size_t len;
	if (store_read_file(AT_FDCWD, path, STORE_BYTES_MAX, &text, &len, &why) != 0 &&
	    why->code != ERR_NOTFOUND)
		return err_pass(err, &why);
	struct peekstore *p = mem_alloc(sizeof(*p));
	p->store.ops = &ops;
	if (text)
		take_lines(p, text);
	*ret = &p->store;
	return 0;
}

void peekstore_close(struct store **s)
{
	if (!*s)
		return;
	strs_fini(&peek(*s)->lines);
	free(peek(*s));
	*s = NULL;
}
