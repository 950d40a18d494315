/* A bundle that is made from what changed since the one before says the same as one that is made
 * from all files: over random sequences of changes. */
#include "support_bundles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATHS 14
#define WALKS 40
#define STEPS 60

static uint64_t rng;

static uint64_t draw(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng >> 11;
}

static const char *const paths[PATHS] = {"a.yaml", "a/a.yaml", "a/b.yml", "b.yaml", "b/c/d.yaml",
    "c.yaml", "c.yml", "lab/1.yaml", "lab/2.yaml", "z.yaml", "z/0.yaml", "z/1.yaml", "z/2.yaml",
    "z/3.yaml"};

/* One revision: NULL = no such file; "!" in front of a text: it could not be read. */
struct tree {
	char *v[PATHS];
};

static void change(struct tree *t)
{
	size_t i = draw() % PATHS, k = draw() % PATHS;
	switch (draw() % 8) {
	case 0: /* gone */
		mem_free_str(&t->v[i]);
		return;
	case 1: /* moved, over another perhaps */
		if (i != k) {
			free(t->v[k]);
			t->v[k] = TAKE(t->v[i]);
		}
		return;
	case 2: /* copied */
		if (i != k)
			mem_replace(&t->v[k], t->v[i]);
		return;
	case 3:
		mem_replace(&t->v[i], "!a symbolic link");
		return;
	default:
		free(t->v[i]);
		t->v[i] = bundles_text(draw());
	}
}

static struct bundle_file file_of(const struct tree *t, size_t i)
{
	const char *text = t->v[i];
	return *text == '!'
		   ? (struct bundle_file){.path = paths[i], .skipped = text + 1}
		   : (struct bundle_file){.path = paths[i], .data = text, .len = strlen(text)};
}

static struct bundle *build(const char *rev, const struct tree *t, const struct bundle *last)
{
	struct bundle_file v[PATHS];
	struct bundle *b = NULL;
	size_t n = 0;
	for (size_t i = 0; i < PATHS; i++)
		if (t->v[i])
			v[n++] = file_of(t, i);
	assert_int_equal(bundle_build(rev, v, n, last, &b, NULL), 0);
	assert_int_equal(b->n_read, n);
	return b;
}

static struct bundle *update(
    const char *rev, const struct tree *t, const struct tree *before, const struct bundle *last)
{
	struct bundle_file v[PATHS];
	const char *gone[PATHS];
	struct bundle_change c = {.files = v, .gone = gone};
	struct bundle *b = NULL;
	for (size_t i = PATHS; i-- > 0;) { /* in an order of no meaning */
		if (!t->v[i] && before->v[i])
			gone[c.n_gone++] = paths[i];
		else if (t->v[i] && !text_eq(t->v[i], before->v[i]))
			v[c.n++] = file_of(t, i);
	}
	assert_int_equal(bundle_update(rev, &c, last, &b, NULL), 0);
	assert_true(b->n_read <= c.n);
	return b;
}

static void walk(uint64_t seed)
{
	struct tree now = {{NULL}}, before = {{NULL}};
	struct bundle *whole = NULL, *grown = NULL;

	rng = seed * 0x9e3779b97f4a7c15u + 1;
	for (unsigned step = 0; step < STEPS; step++) {
		_cleanup_str_ char *rev = mem_printf("r%u", step);
		for (uint64_t n = draw() % 4; n > 0; n--)
			change(&now);
		struct bundle *bare = bundles_bare(whole);
		struct bundle *a = build(rev, &now, bare);
		bundle_unref(&bare);
		struct bundle *b =
		    grown ? update(rev, &now, &before, grown) : build(rev, &now, NULL);
		bundles_same(a, b);
		bundle_unref(&whole);
		bundle_unref(&grown);
		whole = a;
		grown = b;
		for (size_t i = 0; i < PATHS; i++)
			mem_replace(&before.v[i], now.v[i]);
	}
	bundle_unref(&whole);
	bundle_unref(&grown);
	for (size_t i = 0; i < PATHS; i++) {
		free(now.v[i]);
		free(before.v[i]);
	}
}

static void test_walks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= WALKS; seed++)
		walk(seed);
}

/* A limit counts what stays as well as what is new. */
static void test_limits(void **state)
{
	(void)state;
	size_t n = bundle_limits_default.files;
	struct bundle_file *v = mem_calloc(n, sizeof(*v));
	struct bundle *b = NULL, *next = NULL;
	struct err *err = NULL;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct bundle_file){
		    .path = mem_printf("f%06zu.yaml", i), .data = "{}", .len = 2};
	assert_int_equal(bundle_build("r1", v, n, NULL, &b, NULL), 0);
	const struct bundle_file more = {.path = "more.yaml", .data = "{}", .len = 2};
	struct bundle_change c = {.files = &more, .n = 1};
	assert_int_equal(bundle_update("r2", &c, b, &next, &err), -1);
	assert_int_equal(err->code, ERR_LIMIT);
	err_free(&err);
	const char *const gone[] = {v[7].path};
	c.gone = gone;
	c.n_gone = 1;
	assert_int_equal(bundle_update("r2", &c, b, &next, NULL), 0);
	assert_int_equal(next->n_files, n);
	assert_int_equal(next->n_read, 1);
	bundle_unref(&next);
	bundle_unref(&b);
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)v[i].path);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_walks),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
