#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "term.h"

static void test_columns_are_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(term_width("web"), 3);
	assert_int_equal(term_width("größe"), 5);
	assert_int_equal(term_width("日本"), 4);
	assert_int_equal(term_width("e\xcc\x81"), 1); /* e and a combining accent */
	assert_int_equal(term_width("4→8"), 3);
	assert_int_equal(term_width(""), 0);
}

static void fits(const char *s, size_t columns, const char *want)
{
	_cleanup_str_ char *got = term_fit(s, columns);
	assert_string_equal(got, want);
}

static void test_cutting(void **state)
{
	(void)state;
	fits("abcdef", 6, "abcdef");
	fits("abcdef", 5, "abcd…");
	fits("abcdef", 1, "…");
	fits("abcdef", 0, "");
	fits("日本語", 5, "日本…");
	fits("日本語", 4, "日…"); /* no half of a character */
	fits("a\nb\x1b[31m", 10, "a b [31m");
}

static void test_table_lines_up(void **state)
{
	(void)state;
	static const char *const cells[] = {"NAME", "STATE", "WHAT", "größe", "Ready", "", "a",
	    "Stalled", "a long text that does not fit"};
	struct term_table t = {.columns = 3};
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		term_cell(&t, TERM_PLAIN, cells[i]);
	_cleanup_buf_ struct buf out = {0}, whole = {0};
	term_table_print(&t, false, 40, &out);
	/* 5+2 and 7+2 columns leave 24 for the last. */
	assert_string_equal(buf_str(&out), "NAME   STATE    WHAT\n"
					   "größe  Ready\n"
					   "a      Stalled  a long text that does n…\n");
	term_table_print(&t, false, 0, &whole);
	assert_string_equal(buf_str(&whole), "NAME   STATE    WHAT\n"
					     "größe  Ready\n"
					     "a      Stalled  a long text that does not fit\n");
	term_table_fini(&t);
}

/* One long name leaves the rows of all others as they are, and can be copied whole. */
static void test_a_long_name_stands_alone(void **state)
{
	(void)state;
	static const char name[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	static const char *const cells[] = {"NAME", "STATE", "WHAT", "a", "Ready", "", name,
	    "Ready", "a long text that does not fit"};
	struct term_table t = {.columns = 3};
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		term_cell(&t, TERM_PLAIN, cells[i]);
	_cleanup_buf_ struct buf out = {0}, whole = {0};
	term_table_print(&t, false, 60, &out);
	/* 60 less 20 for the last, 5+2 for the second and 2: 31 for the first. */
	_cleanup_str_ char *expected = mem_printf("%-33sSTATE  WHAT\n%-33sReady\n%s\n%-33sReady  "
						  "a long text that do…\n",
	    "NAME", "a", name, "");
	assert_string_equal(buf_str(&out), expected);
	term_table_print(&t, false, 0, &whole);
	assert_non_null(strstr(buf_str(&whole), "xxx  Ready  a long text that does not fit\n"));
	term_table_fini(&t);
}

static void test_colour_takes_no_room(void **state)
{
	(void)state;
	struct term_table t = {.columns = 2};
	term_cell(&t, TERM_RED, "ab");
	term_cell(&t, TERM_PLAIN, "x");
	term_cell(&t, TERM_PLAIN, "abcd");
	term_cell(&t, TERM_GREEN, "y");
	_cleanup_buf_ struct buf colors = {0}, plain = {0};
	term_table_print(&t, true, 0, &colors);
	assert_string_equal(buf_str(&colors), "\x1b[31mab\x1b[0m    x\nabcd  \x1b[32my\x1b[0m\n");
	term_table_print(&t, false, 0, &plain);
	assert_string_equal(buf_str(&plain), "ab    x\nabcd  y\n");
	term_table_fini(&t);
}

static void test_wrapping(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf out = {0};
	term_wrap(&out, "one two three four", 2, 10);
	assert_string_equal(buf_str(&out), "  one two\n  three\n  four\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_columns_are_not_bytes),
	    cmocka_unit_test(test_cutting),
	    cmocka_unit_test(test_table_lines_up),
	    cmocka_unit_test(test_a_long_name_stands_alone),
	    cmocka_unit_test(test_colour_takes_no_room),
	    cmocka_unit_test(test_wrapping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
