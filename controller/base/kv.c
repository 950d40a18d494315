#include "kv.h"

#include <stdlib.h>
#include <string.h>

/* Index of the key, or of the place where it belongs. */
static size_t place_of(const struct kv *m, const char *key, bool *ret_found)
{
	size_t lo = 0, hi = m->n;
	*ret_found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(m->v[mid].key, key);
		if (c == 0) {
			*ret_found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void kv_fini(struct kv *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].key);
		free(m->v[i].value);
	}
	free(m->v);
	*m = (struct kv){0};
}

static void set_take(struct kv *m, const char *key, char *value)
{
	bool found;
	size_t i = place_of(m, key, &found);
	if (found) {
		free(m->v[i].value);
		m->v[i].value = value;
		return;
	}
	char *copy = mem_strdup(key);
	MEM_PUSH_ROOM(m->v, m->n, m->cap);
	memmove(m->v + i + 1, m->v + i, (m->n - i) * sizeof(*m->v));
	m->v[i] = (struct kv_item){copy, value};
	m->n++;
}

void kv_set(struct kv *m, const char *key, const char *value)
{
	MUST(key && value);
	set_take(m, key, mem_strdup(value));
}

void kv_setf(struct kv *m, const char *key, const char *fmt, ...)
{
	MUST(key);
	va_list ap;
	va_start(ap, fmt);
	char *value = mem_vprintf(fmt, ap);
	va_end(ap);
	set_take(m, key, value);
}

bool kv_del(struct kv *m, const char *key)
{
	bool found;
	size_t i = place_of(m, key, &found);
	if (!found)
		return false;
	free(m->v[i].key);
	free(m->v[i].value);
	m->n--;
	memmove(m->v + i, m->v + i + 1, (m->n - i) * sizeof(*m->v));
	return true;
}

const char *kv_get(const struct kv *m, const char *key)
{
	bool found;
	size_t i = place_of(m, key, &found);
	return found ? m->v[i].value : NULL;
}

bool kv_has(const struct kv *m, const char *key)
{
	return kv_get(m, key) != NULL;
}

void kv_copy(struct kv *dst, const struct kv *src)
{
	struct kv copy = {.n = src->n, .cap = src->n};
	if (src->n)
		copy.v = mem_calloc(src->n, sizeof(*copy.v));
	for (size_t i = 0; i < src->n; i++) {
		copy.v[i].key = mem_strdup(src->v[i].key);
		copy.v[i].value = mem_strdup(src->v[i].value);
	}
	*dst = copy;
}

bool kv_eq(const struct kv *a, const struct kv *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].key, b->v[i].key) != 0 ||
		    strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return true;
}
