#include "sim_field.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_prop.h"

int field_bad(const struct seed *c, const struct ynode *n, const char *fmt, ...)
{
	va_list ap;
	char *msg = NULL;
	int r;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	va_end(ap);
	r = err_set(c->err, ERR_CONFIG, "%s:%u: %s", c->file, n ? n->mark.line : 0, msg ? msg : "");
	free(msg);
	return r;
}

const char *field_str(const struct ynode *map, const char *key, const char *fallback)
{
	const struct ynode *n = ynode_get(map, key);

	return n && n->kind == YNODE_SCALAR && !ynode_is_null(n) ? n->text : fallback;
}

bool field_flag(const struct ynode *map, const char *key, bool fallback)
{
	const char *t = field_str(map, key, NULL);

	return t ? !strcmp(t, "true") || !strcmp(t, "1") || !strcmp(t, "yes") : fallback;
}

int64_t field_number(const struct ynode *map, const char *key, int64_t fallback)
{
	const char *t = field_str(map, key, NULL);
	int64_t v;

	return t && !text_to_int(t, INT64_MIN, INT64_MAX, &v) ? v : fallback;
}

int64_t field_bytes(const struct ynode *map, const char *key, int64_t fallback)
{
	const char *t = field_str(map, key, NULL);
	int64_t v = t ? size_parse(t) : -1;

	return v >= 0 ? v : fallback;
}

int field_known(const struct seed *c, const struct ynode *map, const char *keys)
{
	if (map->kind != YNODE_MAP)
		return field_bad(c, map, "a map is expected here");
	for (size_t i = 0; i < map->n; i++) {
		_cleanup_str_ char *w = mem_printf("|%s|", map->keys[i]);

		if (!strstr(keys, w)) {
			const struct ynode at = {.mark = map->key_marks[i]};

			return field_bad(c, &at, "unknown key \"%s\"", map->keys[i]);
		}
	}
	return 0;
}

void field_list(const struct ynode *n, struct strs *ret)
{
	if (!n)
		return;
	if (n->kind == YNODE_SCALAR && text_split(n->text, ", ", true, 64, ret) < 0)
		*ret = (struct strs){0};
	for (size_t i = 0; n->kind == YNODE_SEQ && i < n->n; i++)
		if (n->items[i]->kind == YNODE_SCALAR)
			strs_add(ret, n->items[i]->text);
}

int64_t field_duration(const char *t)
{
	char *end;
	double v = strtod(t, &end);

	if (end == t || v < 0)
		return -1;
	if (!strcmp(end, "s"))
		v *= 1000;
	else if (!strcmp(end, "m"))
		v *= 60000;
	else if (*end && strcmp(end, "ms") != 0)
		return -1;
	return (int64_t)v;
}
