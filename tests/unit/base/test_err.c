#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "err.h"

#include <string.h>

static void set_returns_minus_one(void **state UNUSED)
{
	_cleanup_err_ struct err *e = NULL;
	assert_int_equal(err_set(&e, ERR_TIMEOUT, "no answer in %d s", 5), -1);
	assert_int_equal(e->code, ERR_TIMEOUT);
	assert_string_equal(err_msg(e), "no answer in 5 s");
	assert_null(e->hint);
	assert_int_equal(err_set(NULL, ERR_IO, "x"), -1);
}

static void set_again_may_use_the_old_one(void **state UNUSED)
{
	_cleanup_err_ struct err *e = NULL;
	err_set(&e, ERR_IO, "inner");
	err_hint(&e, "try");
	err_set(&e, ERR_BUSY, "outer of %s", err_msg(e));
	assert_string_equal(e->msg, "outer of inner");
	assert_int_equal(e->code, ERR_BUSY);
	assert_null(e->hint);
}

static void wrap_keeps_code_and_hint(void **state UNUSED)
{
	_cleanup_err_ struct err *e = NULL;
	assert_int_equal(err_wrap(&e, "nothing"), -1);
	assert_null(e);
	assert_int_equal(err_hint(&e, "nothing"), -1);
	assert_null(e);
	err_set(&e, ERR_NOTFOUND, "no such file");
	assert_int_equal(err_hint(&e, "create %s", "it"), -1);
	assert_int_equal(err_wrap(&e, "reading %s", "a.yaml"), -1);
	assert_string_equal(e->msg, "reading a.yaml: no such file");
	assert_string_equal(e->hint, "create it");
	assert_int_equal(e->code, ERR_NOTFOUND);
	assert_int_equal(err_wrap(NULL, "x"), -1);
}

static void pass_moves(void **state UNUSED)
{
	_cleanup_err_ struct err *out = NULL;
	struct err *in = NULL;
	err_set(&out, ERR_IO, "old");
	err_set(&in, ERR_TLS, "new");
	assert_int_equal(err_pass(&out, &in), -1);
	assert_null(in);
	assert_string_equal(out->msg, "new");
	err_set(&in, ERR_TLS, "unwanted");
	assert_int_equal(err_pass(NULL, &in), -1);
	assert_null(in);
	assert_int_equal(err_pass(&out, &out), -1);
	assert_string_equal(out->msg, "new");
}

static void words(void **state UNUSED)
{
	assert_string_equal(err_word(ERR_AUTH), "Unauthenticated");
	assert_string_equal(err_msg(NULL), "unknown error");
	for (int a = 0; a < ERR__MAX; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_word(a), err_word(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(set_returns_minus_one),
	    cmocka_unit_test(set_again_may_use_the_old_one),
	    cmocka_unit_test(wrap_keeps_code_and_hint),
	    cmocka_unit_test(pass_moves),
	    cmocka_unit_test(words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
