#include "jsnrows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

static const char *const keys[] = {"vmid", "name", "lock", NULL};

/* "vmid/name/lock;" for each row, "-" for what is absent. */
static void on_row(void *arg, const char *const *values)
{
	for (size_t i = 0; keys[i]; i++)
		buf_addf(arg, "%s%s", i ? "/" : "", values[i] ? values[i] : "-");
	buf_addc(arg, ';');
}

static void expect_rows(const char *json, const char *rows)
{
	_cleanup_buf_ struct buf b = {0};
	_cleanup_err_ struct err *e = NULL;
	struct jsnrows what = {.list = "data", .keys = keys, .cb = on_row, .arg = &b};
	assert_int_equal(jsnrows_read(json, strlen(json), &what, &e), 0);
	assert_string_equal(buf_str(&b), rows);
}

static void expect_refusal(const char *json, enum err_code code, const char *words)
{
	_cleanup_buf_ struct buf b = {0};
	_cleanup_err_ struct err *e = NULL;
	struct jsnrows what = {.list = "data", .keys = keys, .cb = on_row, .arg = &b};
	assert_int_equal(jsnrows_read(json, strlen(json), &what, &e), -1);
	assert_int_equal(e->code, code);
	assert_non_null(strstr(err_msg(e), words));
}

static void test_rows(void **state UNUSED)
{
	expect_rows("{\"data\":[]}", "");
	expect_rows("{\"data\":[{\"vmid\":100,\"name\":\"web\",\"cpu\":0.5,\"lock\":\"clone\"},"
		    "{\"name\":\"db\",\"vmid\":\"101\"}]}",
	    "100/web/clone;101/db/-;");
	/* whatever stands beside, in any order, with blanks */
	expect_rows(" { \"total\" : [ { \"data\" : [ 1 ] } ] ,\n\t\"data\" : [ { } , 7 , \"x\" , "
		    "null , [ { \"vmid\" : 1 } ] , { \"vmid\" : 2 } ] , \"z\" : { } } ",
	    "-/-/-;2/-/-;");
}

static void test_values(void **state UNUSED)
{
	expect_rows("{\"data\":[{\"vmid\":true,\"name\":false,\"lock\":null}]}", "1/0/-;");
	expect_rows("{\"data\":[{\"vmid\":-0,\"name\":12.50,\"lock\":1e3}]}", "0/12.50/1e3;");
	expect_rows("{\"data\":[{\"vmid\":{\"vmid\":1},\"name\":[\"x\"],\"lock\":\"\"}]}", "-/-/;");
	/* of two with one name the last counts, also when it is nothing */
	expect_rows("{\"data\":[{\"vmid\":1,\"vmid\":2,\"name\":\"a\",\"name\":null}]}", "2/-/-;");
	/* escapes, in names of members too */
	expect_rows("{\"data\":[{\"na\\u006de\":\"a\\\"\\u00e9\\n\"}]}", "-/a\"\xc3\xa9\n/-;");
	/* a row does not inherit from the one before, nor a longer text from a shorter one */
	expect_rows("{\"data\":[{\"name\":\"a\"},{\"name\":\"long\"},{\"name\":\"b\"},{}]}",
	    "-/a/-;-/long/-;-/b/-;-/-/-;");
}

static void test_refusals(void **state UNUSED)
{
	expect_refusal("{\"data\":null}", ERR_PROTOCOL, "data is no list");
	expect_refusal("{}", ERR_PROTOCOL, "data is no list");
	expect_refusal("[{\"vmid\":1}]", ERR_PROTOCOL, "data is no list");
	expect_refusal("{\"data\":[],\"data\":[]}", ERR_INPUT, "a second list");
	expect_refusal("", ERR_INPUT, "a value was expected");
	expect_refusal("{\"data\":[{\"vmid\":1}", ERR_INPUT, "the end");
	expect_refusal("{\"data\":[{\"vmid\":1},]}", ERR_INPUT, "a value was expected");
	expect_refusal("{\"data\":[{\"vmid\":1,}]}", ERR_INPUT, "name of a member");
	expect_refusal("{\"data\":[{\"vmid\" 1}]}", ERR_INPUT, "unexpected");
	expect_refusal("{\"data\":[]}}", ERR_INPUT, "more than one value");
	expect_refusal("{\"data\":[{\"x\":'a'}]}", ERR_INPUT, "unexpected");
	expect_refusal("{\"data\":[{\"x\":NaN}]}", ERR_INPUT, "unexpected");
	expect_refusal("{\"data\":[{\"x\":\"\\q\"}]}", ERR_INPUT, "escape");
	expect_refusal("{\"data\":[{\"x\":\"\xff\"}]}", ERR_INPUT, "UTF-8");
}

static void test_depth(void **state UNUSED)
{
	_cleanup_buf_ struct buf b = {0};
	buf_adds(&b, "{\"data\":[{\"x\":");
	for (int i = 0; i < 1000; i++)
		buf_addc(&b, '[');
	expect_refusal(buf_str(&b), ERR_LIMIT, "deeper");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
