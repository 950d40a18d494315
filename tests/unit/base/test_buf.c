#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "buf.h"

#include <stdlib.h>
#include <string.h>

static void grows(void **state UNUSED)
{
	_cleanup_buf_ struct buf b = {0};
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_addc(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 1000);
	assert_int_equal(strlen(buf_str(&b)), 1000);
	assert_int_equal(buf_str(&b)[27], 'b');
	buf_reset(&b);
	buf_adds(&b, NULL);
	buf_adds(&b, "x");
	buf_addf(&b, "=%d", 12);
	buf_add(&b, "\0z", 2);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "x=12\0z", 7);
}

static void a_secret_is_wiped(void **state UNUSED)
{
	static const char none[200];
	_cleanup_buf_ struct buf b;
	buf_init_secret(&b, 1000);
	for (int i = 0; i < 25; i++)
		buf_adds(&b, "password");
	assert_int_equal(b.len, 200);
	assert_memory_equal(b.data + 192, "password", 9);
	buf_cut(&b, 4);
	assert_string_equal(buf_str(&b), "pass");
	assert_memory_equal(b.data + 4, none, 196);
	buf_reset(&b);
	assert_memory_equal(b.data, none, 200);
	buf_fini(&b);
	assert_true(b.secret); /* and so is what it holds next */
}

static void ceiling_drops_whole_and_stays(void **state UNUSED)
{
	_cleanup_buf_ struct buf b;
	buf_init(&b, 5);
	buf_adds(&b, "abc");
	assert_false(b.overflow);
	buf_adds(&b, "def");
	assert_true(b.overflow);
	assert_string_equal(buf_str(&b), "abc");
	buf_adds(&b, "x"); /* would fit, but not behind a gap */
	assert_string_equal(buf_str(&b), "abc");
	buf_reset(&b);
	assert_false(b.overflow);
	buf_adds(&b, "12345");
	assert_false(b.overflow);
	assert_string_equal(buf_str(&b), "12345");
	buf_fini(&b);
	assert_int_equal(b.max, 5);
}

static void cut_and_take(void **state UNUSED)
{
	_cleanup_buf_ struct buf b = {0};
	buf_cut(&b, 0);
	buf_adds(&b, "hello");
	buf_cut(&b, 9);
	assert_int_equal(b.len, 5);
	buf_cut(&b, 2);
	assert_string_equal(buf_str(&b), "he");
	_cleanup_str_ char *s = buf_take(&b);
	assert_string_equal(s, "he");
	assert_int_equal(b.len, 0);
	_cleanup_str_ char *empty = buf_take(&b);
	assert_string_equal(empty, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grows),
	    cmocka_unit_test(a_secret_is_wiped),
	    cmocka_unit_test(ceiling_drops_whole_and_stays),
	    cmocka_unit_test(cut_and_take),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
