/* spec/examples: the good ones have no finding, the bad ones exactly those of their first line. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle.h"

#define FILE_MAX ((size_t)2 << 20)

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	char *data = mem_alloc(FILE_MAX);
	*ret_len = fread(data, 1, FILE_MAX - 1, f);
	fclose(f);
	return data;
}

static struct bundle *build(const char *path, const char *data, size_t len)
{
	struct bundle_file file = {.path = path, .data = data, .len = len};
	struct bundle *b = NULL;
	assert_int_equal(bundle_build("r1", &file, 1, NULL, &b, NULL), 0);
	return b;
}

typedef void each_fn(const char *path, const char *name);

static size_t for_each(const char *folder, each_fn *fn)
{
	struct dirent **names = NULL;
	_cleanup_str_ char *dir = mem_printf("%s/spec/examples/%s", RAMET_SOURCE_DIR, folder);
	int n = scandir(dir, &names, NULL, alphasort);
	size_t count = 0;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			_cleanup_str_ char *path = mem_printf("%s/%s", dir, names[i]->d_name);
			fn(path, names[i]->d_name);
			count++;
		}
		free(names[i]);
	}
	free(names);
	return count;
}

static void check_good(const char *path, const char *name)
{
	size_t len;
	_cleanup_str_ char *data = read_file(path, &len);
	struct bundle *b = build(name, data, len);
	if (b->diags.n > 0) {
		struct buf text;
		buf_init(&text, 0);
		diags_print_text(&b->diags, false, &text);
		print_error("%s", buf_str(&text));
		buf_fini(&text);
	}
	assert_int_equal(b->diags.n, 0);
	assert_true(b->n > 0);
	assert_false(b->incomplete);
	bundle_unref(&b);
}

/* "Code line:col, Code line:col" in the order of the file. */
static char *findings_text(const struct diags *l)
{
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < l->n; i++)
		buf_addf(&b, "%s%s %u:%u", i ? ", " : "", diag_word(l->v[i].code),
		    l->v[i].mark.line, l->v[i].mark.col);
	return buf_take(&b);
}

static size_t failures;

static void check_bad(const char *path, const char *name)
{
	static const char prefix[] = "# expect: ";
	size_t len;
	_cleanup_str_ char *data = read_file(path, &len);
	assert_memory_equal(data, prefix, strlen(prefix));
	const char *expect = data + strlen(prefix);
	_cleanup_str_ char *wanted = mem_strndup(expect, strcspn(expect, "\n"));
	struct bundle *b = build(name, data, len);
	_cleanup_str_ char *found = findings_text(&b->diags);
	if (strcmp(wanted, found) != 0) {
		print_error(
		    "%s: wanted %s\n%*s   found %s\n", name, wanted, (int)strlen(name), "", found);
		failures++;
	}
	for (size_t i = 0; i < b->diags.n; i++) {
		const struct diag *d = &b->diags.v[i];
		assert_non_null(d->hint);
		assert_non_null(d->line);
		assert_true(d->caret > 0);
	}
	bundle_unref(&b);
}

static void good_ones_are_valid(void **state)
{
	(void)state;
	assert_true(for_each("good", check_good) >= 8);
}

static void bad_ones_have_their_findings(void **state)
{
	(void)state;
	assert_true(for_each("bad", check_bad) >= 45);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_ones_are_valid),
	    cmocka_unit_test(bad_ones_have_their_findings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
