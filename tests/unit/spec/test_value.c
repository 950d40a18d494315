/* Values: equality, text, durations, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "value.h"
#include "ydoc.h"

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
		const char *printed;
	} good[] = {
	    {"30m", 1800000, "30m"},
	    {"1h30m", 5400000, "1h30m"},
	    {"90m", 5400000, "1h30m"},
	    {"45s", 45000, "45s"},
	    {"250ms", 250, "250ms"},
	    {"1.5s", 1500, "1.5s"},
	    {"1.5h", 5400000, "1h30m"},
	    {".5s", 500, "500ms"},
	    {"1h0m0s", 3600000, "1h"},
	    {"0", 0, "0s"},
	    {"0s", 0, "0s"},
	    {"1500us", 1, "1ms"},
	    {"2000000ns", 2, "2ms"},
	    {"3000\xc2\xb5s", 3, "3ms"},
	    {"8784h", INT64_C(31622400000), "8784h"},
	    {"1h2m3.004s", 3723004, "1h2m3.004s"},
	};
	static const char *const bad[] = {"", "30", "-1s", "+1s", "1 s", "1d", "s", ".s", "1h30",
	    "8785h", "99999999999999999999h", "1m1", "1,5s", "infs"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t ms = -1;
		assert_int_equal(value_parse_duration(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
		_cleanup_str_ char *printed = value_print_duration(ms);
		assert_string_equal(printed, good[i].printed);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms;
		if (value_parse_duration(bad[i], &ms) == 0)
			print_error("%s was taken\n", bad[i]);
		assert_int_equal(value_parse_duration(bad[i], &ms), -1);
	}
}

static void times(void **state)
{
	(void)state;
	/* Seconds as `date -u -d … +%s` gives them. */
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-12-01T08:00:00Z", INT64_C(1796112000000)},
	    {"2026-12-01T09:00:00+01:00", INT64_C(1796112000000)},
	    {"2026-12-01T02:30:00-05:30", INT64_C(1796112000000)},
	    {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
	    {"2000-03-01T00:00:00Z", INT64_C(951868800000)},
	    {"2024-12-31T23:59:59.25Z", INT64_C(1735689599250)},
	    {"2100-03-01t00:00:00z", INT64_C(4107542400000)},
	};
	static const char *const bad[] = {"", "2026-12-01", "2026-12-01T08:00:00",
	    "2026-13-01T08:00:00Z", "2026-02-29T08:00:00Z", "2026-12-01T24:00:00Z",
	    "2026-12-01T08:60:00Z", "2026-12-01T08:00:00.Z", "2026-12-01T08:00:00+1:00",
	    "2026-12-01T08:00:00Zx", "1969-12-31T23:59:59Z", "2100-02-29T00:00:00Z"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t ms = -1;
		assert_int_equal(value_parse_time(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms;
		if (value_parse_time(bad[i], &ms) == 0)
			print_error("%s was taken\n", bad[i]);
		assert_int_equal(value_parse_time(bad[i], &ms), -1);
	}
}

static void equality(void **state)
{
	(void)state;
	struct value four = {.type = VALUE_INT, .i = 4}, also = {.type = VALUE_NUM, .n = 4.0},
		     half = {.type = VALUE_NUM, .n = 4.5}, yes = {.type = VALUE_BOOL, .b = true},
		     none = {.type = VALUE_NULL}, absent = {.type = VALUE_ABSENT};
	_cleanup_value_ struct value s = {0}, t = {0};
	value_set_str(&s, "4");
	value_set_str(&t, "5");
	value_set_str(&t, "4");
	assert_true(value_eq(&four, &also));
	assert_false(value_eq(&four, &half));
	assert_false(value_eq(&four, &s));
	assert_true(value_eq(&s, &t));
	assert_false(value_eq(&none, &absent));
	assert_false(value_eq(&yes, &four));
	struct value copy;
	value_copy(&copy, &s);
	value_fini(&s);
	assert_int_equal(s.type, VALUE_ABSENT);
	assert_string_equal(copy.s, "4");
	value_fini(&copy);
}

static void sets(void **state)
{
	(void)state;
	_cleanup_value_ struct value a = {.type = VALUE_SET}, b = {.type = VALUE_SET};
	strs_add(&a.set, "b");
	strs_add(&a.set, "a, c");
	strs_sort_unique(&a.set);
	assert_false(value_eq(&a, &b));
	_cleanup_str_ char *text = value_print(&a), *yaml = value_print_yaml(&a),
			   *empty = value_print_yaml(&b);
	assert_string_equal(text, "[a, c, b]");
	assert_string_equal(yaml, "[\"a, c\", b]");
	assert_string_equal(empty, "[]");
}

/* Whatever the text, our own reader gets it back from its YAML form, as a text, in block and flow.
 */
static void yaml_form_reads_back(void **state)
{
	(void)state;
	static const char *const texts[] = {"host", "", " ", "null", "~", "Null", "true", "no",
	    "ON", "12", "-1", "+1", ".5", "1e3", "0x1f", "1_000", "2026-12-01", "52:54:00:12:34:56",
	    "BC:24:11:2E:C5:00", "a: b", "a:", ":a", "a #b", "#a", "- a", "-", "-a", "---", "...",
	    "? a", "[a", "]", "{a}", "a, b", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "'a'",
	    "\"a\"", "a\\b", "a\nb", "\ta", "a\t", "trailing ", "\x01", "\x7f", "\xc2\x85",
	    "\xe2\x80\xa8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "=", "<<", "y", ".inf",
	    "local:iso/x.iso", "+aes", "-pcid", "100%", "a'b", "=a", "?a"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_value_ struct value v = {0};
		value_set_str(&v, texts[i]);
		_cleanup_str_ char *yaml = value_print_yaml(&v);
		_cleanup_str_ char *doc = mem_printf("a: %s\nb: [%s, x]\n", yaml, yaml);
		struct diags diags = {0};
		struct ydoc *y = NULL;
		int rc = ydoc_parse("f", doc, strlen(doc), NULL, &diags, &y);
		if (rc != 0)
			print_error("%s: %s", doc, diags.n ? diags.v[0].msg : "");
		assert_int_equal(rc, 0);
		const struct ynode *a = ynode_get(ydoc_root(y, 0), "a");
		const struct ynode *b = ynode_get(ydoc_root(y, 0), "b");
		assert_string_equal(a->text, texts[i]);
		assert_string_equal(b->items[0]->text, texts[i]);
		assert_int_equal(b->n, 2);
		assert_false(ynode_is_null(a));
		ydoc_free(&y);
		diags_fini(&diags);
	}
	_cleanup_value_ struct value mac = {0};
	value_set_str(&mac, "52:54:00:12:34:56");
	_cleanup_str_ char *quoted = value_print_yaml(&mac);
	assert_string_equal(quoted, "\"52:54:00:12:34:56\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations),
	    cmocka_unit_test(times),
	    cmocka_unit_test(equality),
	    cmocka_unit_test(sets),
	    cmocka_unit_test(yaml_form_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
