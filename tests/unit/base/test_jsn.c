#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "jsn.h"

#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct jsn *parsed(const char *text)
{
	struct err *e = NULL;
	struct jsn *j = NULL;
	if (jsn_parse(text, strlen(text), &j, &e) != 0)
		fail_msg("%s: %s", text, err_msg(e));
	return j;
}

static void refused(const char *text, size_t len, enum err_code code)
{
	_cleanup_err_ struct err *e = NULL;
	struct jsn *j = (struct jsn *)&e; /* must stay as it is */
	if (jsn_parse(text, len, &j, &e) != -1)
		fail_msg("taken: %s", text);
	assert_ptr_equal(j, &e);
	assert_int_equal(e->code, code);
}

static void takes_json(void **state UNUSED)
{
	static const char *const good[] = {"{}", "[]", " [1, 2]\n", "true", "null", "1", "-0.5e+3",
	    "\"\"", "\"\\ud83d\\ude00\"", "\"\\\\u0000\"", "18446744073709551615",
	    "-9223372036854775808", "{\"a\":{\"b\":[null,false]}}"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		_cleanup_jsn_ struct jsn *j = parsed(good[i]);
		_cleanup_str_ char *s = jsn_print(j, false);
		assert_non_null(s);
	}
}

static void refuses_what_is_not_json(void **state UNUSED)
{
	static const char *const bad[] = {"", " ", "[1,]", "{\"a\":1,}", "{'a':1}", "'a'", "[NaN]",
	    "Infinity", "-Infinity", "[1] 2", "[1]x", "/* c */ 1", "[1 // c\n]", "TRUE", "nul",
	    "nulll", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[-]", "[1-2]", "\"a", "\"\\x41\"",
	    "\"\\u12\"", "\"a\nb\"", "{1:2}", "{\"a\"}", "[", "]", "[}", "{\"a\":}", "[1 2]",
	    "\"\\u0000\"", "18446744073709551616", "-9223372036854775809", "\"\xFF\"",
	    "\"\xED\xA0\x80\"", "\xEF\xBB\xBF{}", "truefalse", "1true", ",", ":"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(bad[i], strlen(bad[i]), ERR_INPUT);
	refused("1\0", 2, ERR_INPUT);
	refused("[\0]", 3, ERR_INPUT);
}

static void error_says_where(void **state UNUSED)
{
	_cleanup_err_ struct err *e = NULL;
	struct jsn *j;
	assert_int_equal(jsn_parse("[1, NaN]", 8, &j, &e), -1);
	assert_string_equal(e->msg, "not valid JSON at byte 4: unexpected character");
	assert_int_equal(jsn_parse("[1, 2", 5, &j, NULL), -1);
}

static void depth_is_limited(void **state UNUSED)
{
	char text[2 * JSN_DEPTH_MAX + 3] = "";
	memset(text, '[', JSN_DEPTH_MAX);
	memset(text + JSN_DEPTH_MAX, ']', JSN_DEPTH_MAX);
	_cleanup_jsn_ struct jsn *j = parsed(text);
	assert_true(jsn_is_array(j));
	memset(text, '[', JSN_DEPTH_MAX + 1);
	memset(text + JSN_DEPTH_MAX + 1, ']', JSN_DEPTH_MAX + 1);
	refused(text, strlen(text), ERR_LIMIT);
	/* Side by side is not deep. */
	char wide[3 * 100 + 2] = "[";
	for (int i = 0; i < 100; i++)
		memcpy(wide + 1 + 3 * i, i < 99 ? "[]," : "[]]", 4);
	_cleanup_jsn_ struct jsn *w = parsed(wide);
	assert_int_equal(jsn_len(w), 100);
}

static void containers_are_limited(void **state UNUSED)
{
	size_t n = JSN_CONTAINERS_MAX; /* and the outer one: one too many */
	char *text = mem_alloc(3 * n + 2);
	text[0] = '[';
	for (size_t i = 0; i < n; i++)
		memcpy(text + 1 + 3 * i, "[],", 3);
	text[3 * n] = ']';
	refused(text, 3 * n + 1, ERR_LIMIT);
	free(text);
}

static void lenient_accessors(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j =
	    parsed("{\"i\":12,\"s\":\"12\",\"d\":1.50,\"w\":3.0,\"t\":true,\"f\":false,\"n\":null,"
		   "\"big\":18446744073709551615,\"huge\":1e999,\"x\":\"abc\",\"l\":[1],\"one\":1,"
		   "\"z\":\"0\",\"ds\":\"2.5\",\"h\":9007199254740994.0}");
	assert_string_equal(jsn_get_text(j, "i"), "12");
	assert_string_equal(jsn_get_text(j, "s"), "12");
	assert_string_equal(jsn_get_text(j, "d"), "1.50");
	assert_string_equal(jsn_get_text(j, "t"), "1");
	assert_string_equal(jsn_get_text(j, "f"), "0");
	assert_string_equal(jsn_get_text(j, "big"), "18446744073709551615");
	assert_null(jsn_get_text(j, "n"));
	assert_null(jsn_get_text(j, "l"));
	assert_null(jsn_get_text(j, "absent"));
	assert_int_equal(jsn_get_int(j, "i", -1), 12);
	assert_int_equal(jsn_get_int(j, "s", -1), 12);
	assert_int_equal(jsn_get_int(j, "w", -1), 3);
	assert_int_equal(jsn_get_int(j, "d", -1), -1);
	assert_int_equal(jsn_get_int(j, "big", -1), -1);
	assert_int_equal(jsn_get_int(j, "huge", -1), -1);
	assert_int_equal(jsn_get_int(j, "h", -1), -1);
	assert_int_equal(jsn_get_int(j, "x", -1), -1);
	assert_int_equal(jsn_get_int(j, "t", -1), -1);
	assert_int_equal(jsn_get_int(j, "n", -1), -1);
	assert_true(jsn_get_num(j, "d", 0) == 1.5);
	assert_true(jsn_get_num(j, "ds", 0) == 2.5);
	assert_true(jsn_get_num(j, "i", 0) == 12);
	assert_true(jsn_get_num(j, "huge", 7) == 7);
	assert_true(jsn_get_num(j, "l", 7) == 7);
	assert_true(jsn_get_bool(j, "t", false));
	assert_true(jsn_get_bool(j, "one", false));
	assert_false(jsn_get_bool(j, "f", true));
	assert_false(jsn_get_bool(j, "z", true));
	assert_true(jsn_get_bool(j, "x", true));
	assert_false(jsn_get_bool(j, "absent", false));
	assert_true(jsn_has(j, "n"));
	assert_false(jsn_has(j, "absent"));
	assert_true(jsn_is_null(jsn_get(j, "n")));
	assert_true(jsn_is_string(jsn_get(j, "s")));
	assert_false(jsn_is_string(jsn_get(j, "i")));
}

static void wrong_shapes_are_answered(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j = parsed("[10,{\"k\":1}]");
	assert_null(jsn_get(j, "k"));
	assert_null(jsn_get(NULL, "k"));
	assert_false(jsn_has(NULL, "k"));
	assert_false(jsn_is_object(NULL));
	assert_int_equal(jsn_len(NULL), 0);
	assert_int_equal(jsn_len(j), 2);
	assert_int_equal(jsn_len(jsn_at(j, 1)), 1);
	assert_int_equal(jsn_len(jsn_at(j, 0)), 0);
	assert_null(jsn_at(j, 2));
	assert_null(jsn_at(NULL, 0));
	assert_string_equal(jsn_text(jsn_at(j, 0)), "10");
	struct jsn_iter it;
	assert_false(jsn_iter_first(j, &it));
	assert_false(jsn_iter_next(&it));
}

static void last_of_equal_keys_counts(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j = parsed("{\"a\":1,\"b\":2,\"a\":3}");
	assert_int_equal(jsn_len(j), 2);
	assert_int_equal(jsn_get_int(j, "a", 0), 3);
}

static void iterates_in_order(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j = parsed("{\"z\":1,\"a\":null,\"m\":3}");
	_cleanup_strs_ struct strs keys = {0};
	struct jsn_iter it;
	JSN_FOREACH (it, j)
		strs_add(&keys, it.key);
	_cleanup_str_ char *s = strs_join(&keys, "");
	assert_string_equal(s, "zam");
	_cleanup_jsn_ struct jsn *empty = parsed("{}");
	JSN_FOREACH (it, empty)
		fail();
}

static struct jsn *sample(void)
{
	struct jsn *j = jsn_new_object();
	jsn_put_str(j, "name", "web-01");
	jsn_put_str(j, "absent", NULL);
	jsn_put(j, "none", jsn_new_null());
	jsn_put_int(j, "cores", 4);
	jsn_put_bool(j, "on", true);
	jsn_put_num(j, "limit", 0.1);
	jsn_put(j, "nan", jsn_new_num(NAN));
	struct jsn *list = jsn_new_array();
	jsn_push_str(list, "a/b");
	jsn_push(list, jsn_new_int(INT64_MIN));
	jsn_push(list, jsn_new_object());
	jsn_push(list, jsn_new_array());
	jsn_put(j, "list", list);
	return j;
}

static void prints(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j = sample();
	_cleanup_str_ char *flat = jsn_print(j, false);
	assert_string_equal(flat, "{\"name\":\"web-01\",\"none\":null,\"cores\":4,\"on\":true,"
				  "\"limit\":0.1,\"nan\":null,"
				  "\"list\":[\"a/b\",-9223372036854775808,{},[]]}");
	_cleanup_str_ char *pretty = jsn_print(j, true);
	assert_string_equal(pretty, "{\n"
				    "  \"name\": \"web-01\",\n"
				    "  \"none\": null,\n"
				    "  \"cores\": 4,\n"
				    "  \"on\": true,\n"
				    "  \"limit\": 0.1,\n"
				    "  \"nan\": null,\n"
				    "  \"list\": [\n"
				    "    \"a/b\",\n"
				    "    -9223372036854775808,\n"
				    "    {},\n"
				    "    []\n"
				    "  ]\n"
				    "}\n");
	_cleanup_str_ char *null = jsn_print(NULL, false);
	assert_string_equal(null, "null");
}

static void prints_hostile_bytes_as_json(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j = jsn_new_object();
	jsn_put_str(j, "k\xFF", "\"\\\n\x1b\xC3");
	_cleanup_str_ char *s = jsn_print(j, false);
	assert_string_equal(s, "{\"k\xEF\xBF\xBD\":\"\\\"\\\\\\n\\u001b\xEF\xBF\xBD\"}");
	_cleanup_jsn_ struct jsn *back = parsed(s);
	assert_true(jsn_eq(j, back));
}

/* Marks of direction and the terminal's own characters, as escapes: the same text for programs, and
 * nothing but itself for who looks at it. */
static void prints_nothing_hidden(void **state UNUSED)
{
	static const char plain[] = "{\"a\\u202e\":\"\\u009b1m\\u007f\xC3\xA4\\u2066\"}";
	_cleanup_jsn_ struct jsn *j = jsn_new_object();
	jsn_put_str(j, "a\xE2\x80\xAE",
	    "\xC2\x9B"
	    "1m\x7F\xC3\xA4\xE2\x81\xA6");
	_cleanup_str_ char *flat = jsn_print(j, false);
	assert_string_equal(flat, plain);
	_cleanup_str_ char *pretty = jsn_print(j, true);
	assert_string_equal(pretty, "{\n  \"a\\u202e\": \"\\u009b1m\\u007f\xC3\xA4\\u2066\"\n}\n");
	_cleanup_jsn_ struct jsn *back = parsed(flat);
	assert_true(jsn_eq(j, back));
}

static void copies_are_independent(void **state UNUSED)
{
	_cleanup_jsn_ struct jsn *j = parsed("{\"d\":1.50,\"o\":{\"x\":[1]}}");
	_cleanup_jsn_ struct jsn *copy = jsn_copy(j);
	assert_true(jsn_eq(j, copy));
	jsn_put_int(j, "d", 2);
	assert_false(jsn_eq(j, copy));
	_cleanup_str_ char *s = jsn_print(copy, false);
	assert_string_equal(s, "{\"d\":1.50,\"o\":{\"x\":[1]}}");
	assert_true(jsn_del(j, "d"));
	assert_false(jsn_del(j, "d"));
	assert_false(jsn_has(j, "d"));
	assert_null(jsn_copy(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_json),
	    cmocka_unit_test(refuses_what_is_not_json),
	    cmocka_unit_test(error_says_where),
	    cmocka_unit_test(depth_is_limited),
	    cmocka_unit_test(containers_are_limited),
	    cmocka_unit_test(lenient_accessors),
	    cmocka_unit_test(wrong_shapes_are_answered),
	    cmocka_unit_test(last_of_equal_keys_counts),
	    cmocka_unit_test(iterates_in_order),
	    cmocka_unit_test(prints),
	    cmocka_unit_test(prints_hostile_bytes_as_json),
	    cmocka_unit_test(prints_nothing_hidden),
	    cmocka_unit_test(copies_are_independent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
