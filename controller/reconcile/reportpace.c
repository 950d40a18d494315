#include "reportpace.h"

#include <string.h>

#define WINDOW_MS ((int64_t)3600 * 1000)

void reportpace_fini(struct reportpace *p)
{
	kv_fini(&p->counts);
	p->since = 0;
}

static int64_t count_of(const struct reportpace *p, const char *path)
{
	const char *text = kv_get(&p->counts, path);
	int64_t n;

	return text && text_to_int(text, 0, INT64_MAX, &n) == 0 ? n : 0;
}

/* Each hour everything counts half: what goes on stays slow, what is over is forgotten. */
static void age(struct reportpace *p, int64_t now)
{
	if (p->since && now - p->since < WINDOW_MS)
		return;
	struct kv old = p->counts;

	p->counts = (struct kv){0};
	KV_FOREACH (it, &old) {
		int64_t n;

		if (text_to_int(it->value, 0, INT64_MAX, &n) == 0 && n > 1)
			kv_setf(&p->counts, it->key, "%lld", (long long)n / 2);
	}
	kv_fini(&old);
	p->since = now;
}

void reportpace_count(struct reportpace *p, const char *path, int64_t now)
{
	age(p, now);
	kv_setf(&p->counts, path, "%lld", (long long)count_of(p, path) + 1);
}

bool reportpace_is_often(const struct reportpace *p, const char *path)
{
	return count_of(p, path) >= REPORTPACE_OFTEN;
}

char *reportpace_note(struct reportpace *p, int64_t now)
{
	const char *first = NULL;
	size_t n = 0;

	age(p, now);
	KV_FOREACH (it, &p->counts) {
		if (!reportpace_is_often(p, it->key))
			continue;
		if (n++ == 0)
			first = it->key;
	}
	if (n == 0)
		return NULL;
	_cleanup_str_ char *more = n > 1 ? mem_printf(" and %zu more", n - 1) : mem_strdup("");
	_cleanup_str_ char *pause = text_duration(REPORTPACE_SLOW_MS);
	return mem_printf("%s%s changed too often within an hour: it is published every %s only; "
			  "see DRIFT.md for what goes to and fro",
	    first, more, pause);
}
