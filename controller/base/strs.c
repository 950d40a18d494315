#include "strs.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

void strs_fini(struct strs *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strs){0};
}

void strs_add_take(struct strs *l, char *s)
{
	MUST(s);
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	l->v[l->n++] = s;
}

void strs_add(struct strs *l, const char *s)
{
	strs_add_take(l, mem_strdup(s));
}

bool strs_has(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (text_eq(l->v[i], s))
			return true;
	return false;
}

bool strs_has_sorted(const struct strs *l, const char *s)
{
	size_t i = MEM_PLACE(at, l->n, strcmp(l->v[at], s) < 0);
	return i < l->n && strcmp(l->v[i], s) == 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strs_sort_unique(struct strs *l)
{
	if (l->n < 2)
		return;
	qsort(l->v, l->n, sizeof(*l->v), by_bytes);
	size_t kept = 1;
	for (size_t i = 1; i < l->n; i++) {
		if (strcmp(l->v[i], l->v[kept - 1]) == 0)
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}

void strs_copy(struct strs *dst, const struct strs *src)
{
	struct strs copy = {0};
	for (size_t i = 0; i < src->n; i++)
		strs_add(&copy, src->v[i]);
	*dst = copy;
}

bool strs_eq(const struct strs *a, const struct strs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

char *strs_join(const struct strs *l, const char *sep)
{
	size_t sep_len = strlen(sep), size = 1;
	for (size_t i = 0; i < l->n; i++)
		size += strlen(l->v[i]) + sep_len;
	char *out = mem_grow(NULL, size, 1);
	char *p = out;
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			p = stpcpy(p, sep);
		p = stpcpy(p, l->v[i]);
	}
	*p = '\0';
	return out;
}
