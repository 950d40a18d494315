#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "store.h"

static void expect_file(const char *path, const char *want)
{
	_cleanup_str_ char *got = NULL;
	size_t len;
	assert_int_equal(store_read_file(AT_FDCWD, path, (size_t)1 << 20, &got, &len, NULL), 0);
	assert_string_equal(got, want);
}

/* docs/cli.md is generated: ramet help --output markdown > docs/cli.md */
static void test_reference_is_current(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf want = {0};
	help_markdown(&want);
	expect_file(RAMET_SOURCE_DIR "/docs/cli.md", buf_str(&want));
}

/* docs/ramet.1 is generated: ramet help --output man > docs/ramet.1 */
static void test_page_is_current(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf want = {0};
	help_man(&want);
	expect_file(RAMET_SOURCE_DIR "/docs/ramet.1", buf_str(&want));
}

static void test_page_has_every_command_and_option(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf page = {0};
	help_man(&page);
	for (size_t i = 0; i < cli_n_commands; i++) {
		_cleanup_str_ char *title = mem_printf("\n.SS \"ramet %s", cli_commands[i].name);
		assert_non_null(strstr(buf_str(&page), title));
	}
	assert_non_null(strstr(buf_str(&page), "\n.B \\-\\-all\\-leaves\n"));
	/* a line that begins with a dot and is no request of ours */
	assert_null(strstr(buf_str(&page), "\n..."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reference_is_current),
	    cmocka_unit_test(test_page_is_current),
	    cmocka_unit_test(test_page_has_every_command_and_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
