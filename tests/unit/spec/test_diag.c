/* Findings: excerpts with carets, order, ceiling, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag.h"

static char *print(const struct diags *l, bool colour)
{
	struct buf b;
	buf_init(&b, 0);
	diags_print_text(l, colour, &b);
	return buf_take(&b);
}

static void excerpt_with_caret(void **state)
{
	(void)state;
	static const char text[] = "spec:\n  cpu:\n    cors: 4\n";
	_cleanup_diags_ struct diags l = {0};
	struct mark m = {.line = 3, .col = 5, .end_col = 9};
	struct diag *d =
	    diags_add(&l, DIAG_UNKNOWN_KEY, "web.yaml", m, "cpu has no key %s", "cors");
	diag_hint(d, "did you mean %s?", "cores");
	diags_excerpt(&l, 0, "web.yaml", text, strlen(text));
	_cleanup_str_ char *out = print(&l, false);
	assert_string_equal(out, "web.yaml:3:5: error: cpu has no key cors [UnknownKey]\n"
				 "  3 |     cors: 4\n"
				 "    |     ^^^^\n"
				 "  hint: did you mean cores?\n");
	_cleanup_str_ char *tinted = print(&l, true);
	assert_non_null(strstr(tinted, "\033[1;31merror:"));
}

static void excerpt_of_odd_lines(void **state)
{
	(void)state;
	/* Tabs become one blank each, control characters a question mark; a caret at the end. */
	static const char text[] = "a:\r\n\tx\x1b: \xc3\xa4 y\r";
	_cleanup_diags_ struct diags l = {0};
	diags_add(&l, DIAG_SYNTAX, "f", (struct mark){.line = 2, .col = 8}, "x");
	diags_excerpt(&l, 0, "f", text, strlen(text));
	_cleanup_str_ char *out = print(&l, false);
	assert_string_equal(out, "f:2:8: error: x [Syntax]\n"
				 "  2 |  x?: \xc3\xa4 y\n"
				 "    |        ^\n");
}

/* A byte that would begin six of UTF-8 takes nothing of what follows with it. */
static void excerpt_of_another_encoding(void **state)
{
	(void)state;
	static const char text[] = "d: \"gr\xfc\", b: \xc3(";
	_cleanup_diags_ struct diags l = {0};
	diags_add(&l, DIAG_ENCODING, "f", (struct mark){.line = 1, .col = 7}, "x");
	diags_excerpt(&l, 0, "f", text, strlen(text));
	assert_string_equal(l.v[0].line, "d: \"gr?\", b: ?(");
}

static void long_line_is_cut(void **state)
{
	(void)state;
	char text[1001];
	memset(text, 'a', 1000);
	text[499] = 'X';
	text[1000] = '\0';
	_cleanup_diags_ struct diags l = {0};
	struct mark m = {.line = 1, .col = 500, .end_col = 501};
	diags_add(&l, DIAG_SYNTAX, "f", m, "x");
	diags_excerpt(&l, 0, "f", text, 1000);
	assert_true(strlen(l.v[0].line) < 140);
	/* The caret stands below the X, counted in characters. */
	size_t chars = 0;
	const char *p = l.v[0].line;
	while (*p != 'X') {
		chars += ((unsigned char)*p & 0xc0) != 0x80;
		p++;
	}
	assert_int_equal(l.v[0].caret, chars + 1);
	assert_int_equal(l.v[0].caret_end, chars + 2);
}

static void messages_are_one_bounded_line(void **state)
{
	(void)state;
	char evil[5000];
	memset(evil, 'x', sizeof(evil));
	memcpy(evil, "a\nb\033[31m", 8);
	evil[sizeof(evil) - 1] = '\0';
	_cleanup_diags_ struct diags l = {0};
	diags_add(&l, DIAG_SYNTAX, "f", (struct mark){0}, "%s", evil);
	assert_null(strpbrk(l.v[0].msg, "\n\033"));
	assert_true(strlen(l.v[0].msg) < 700);
	_cleanup_str_ char *out = print(&l, false);
	assert_memory_equal(out, "f: error: a b", 13);
}

static void sorted_by_place(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags l = {0};
	diags_add(&l, DIAG_SYNTAX, "b", (struct mark){.line = 1, .col = 1}, "4");
	diags_add(&l, DIAG_SYNTAX, "a", (struct mark){.line = 10, .col = 1}, "3");
	diags_add(&l, DIAG_SYNTAX, "a", (struct mark){.line = 2, .col = 9}, "2");
	diags_add(&l, DIAG_SYNTAX, "a", (struct mark){.line = 2, .col = 1}, "1");
	diags_sort(&l);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(l.v[i].msg[0], '1' + (int)i);
}

static void ceiling(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags l = {.max = 5};
	for (int i = 0; i < 50; i++)
		diag_hint(diags_add(&l, DIAG_SYNTAX, "f", (struct mark){0}, "n %d", i), "hint");
	assert_int_equal(l.n, 6);
	assert_int_equal(l.v[5].code, DIAG_TOO_MANY_FINDINGS);
	assert_int_equal(diags_errors(&l), 50);
	_cleanup_diags_ struct diags all = {0};
	diags_append(&all, &l);
	assert_int_equal(all.n, 6);
	assert_int_equal(diags_errors(&all), 50);
}

static void dropping_one_document(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags l = {0};
	for (unsigned i = 0; i < 4; i++)
		diags_add(&l, DIAG_ANCHOR, i < 3 ? "f" : "g", (struct mark){0}, "n")->doc =
		    i % 2 + 1;
	diags_drop_doc(&l, "f", 1);
	assert_int_equal(l.n, 2);
	assert_int_equal(diags_errors(&l), 2);
	diags_drop_doc(&l, "f", 0);
	assert_int_equal(l.n, 2);
}

static void as_json(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags l = {0};
	diags_add(&l, DIAG_DEPRECATED, "f", (struct mark){.line = 1, .col = 2}, "old");
	diags_set_object(&l, 0, "web-01");
	struct jsn *j = diags_to_jsn(&l);
	_cleanup_str_ char *s = jsn_print(j, false);
	assert_string_equal(s,
	    "[{\"code\":\"Deprecated\",\"severity\":\"warning\",\"file\":\"f\","
	    "\"line\":1,\"column\":2,\"object\":\"web-01\",\"message\":\"old\"}]");
	jsn_free(&j);
	assert_int_equal(diags_errors(&l), 0);
	assert_int_equal(diags_warnings(&l), 1);
}

static void every_code_has_word_and_doc(void **state)
{
	(void)state;
	for (int i = 0; i < DIAG_CODE__MAX; i++) {
		const char *word = diag_word((enum diag_code)i);
		assert_true(word && word[0] >= 'A' && word[0] <= 'Z' && !strpbrk(word, " _-"));
		assert_true(diag_doc((enum diag_code)i) && *diag_doc((enum diag_code)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(word, diag_word((enum diag_code)k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(excerpt_with_caret),
	    cmocka_unit_test(excerpt_of_odd_lines),
	    cmocka_unit_test(excerpt_of_another_encoding),
	    cmocka_unit_test(long_line_is_cut),
	    cmocka_unit_test(messages_are_one_bounded_line),
	    cmocka_unit_test(sorted_by_place),
	    cmocka_unit_test(ceiling),
	    cmocka_unit_test(dropping_one_document),
	    cmocka_unit_test(as_json),
	    cmocka_unit_test(every_code_has_word_and_doc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
