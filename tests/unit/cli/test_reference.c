#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>

#include "help.h"
#include "store.h"

/* docs/cli.md is generated: ramet help --output markdown > docs/cli.md */
static void test_reference_is_current(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf want = {0};
	_cleanup_str_ char *got = NULL;
	size_t len;
	help_markdown(&want);
	assert_int_equal(store_read_file(AT_FDCWD, RAMET_SOURCE_DIR "/docs/cli.md", (size_t)1 << 20,
			     &got, &len, NULL),
	    0);
	assert_string_equal(got, buf_str(&want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reference_is_current),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
