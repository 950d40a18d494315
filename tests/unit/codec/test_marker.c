#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "marker.h"

#define LINE "ramet: homelab/web-01 vmid=1204 0123456789abcdef"

static void found(void **state)
{
	struct marker m = {0};
	(void)state;
	assert_int_equal(marker_find("Front end\r\n\r\n" LINE "\r\n", &m), MARKER_OK);
	assert_string_equal(m.controller, "homelab");
	assert_string_equal(m.name, "web-01");
	assert_int_equal(m.vmid, 1204);
	assert_string_equal(m.nonce, "0123456789abcdef");
	marker_fini(&m);
	/* in the middle, and twice the same */
	assert_int_equal(marker_find(LINE "\nadded by hand\n" LINE, &m), MARKER_OK);
	marker_fini(&m);
}

static void not_found(void **state)
{
	struct marker m = {0};
	static const struct {
		const char *text;
		enum marker_found found;
	} cases[] = {
	    {"", MARKER_NONE},
	    {"Front end", MARKER_NONE},
	    {"ramet: see the wiki", MARKER_NONE},
	    {"see ramet: homelab/web-01 vmid=1204 0123456789abcdef", MARKER_NONE},
	    {"ramet: homelab/web-01 vmid=1204", MARKER_GARBLED},
	    {"ramet: homelab/web-01 vmid=1204 0123456789abcde", MARKER_GARBLED},
	    {"ramet: homelab/web-01 vmid=1204 0123456789ABCDEF", MARKER_GARBLED},
	    {"ramet: homelab/web-01 vmid=99 0123456789abcdef", MARKER_GARBLED},
	    {"ramet: homelab/web-01 vmid=-1204 0123456789abcdef", MARKER_GARBLED},
	    {"ramet: homelab/web-01 vmid=01204 0123456789abcdef", MARKER_GARBLED},
	    {"ramet: homelab/web-01 vmid=9999999999 0123456789abcdef", MARKER_GARBLED},
	    {"ramet: homelab web-01 vmid=1204 0123456789abcdef", MARKER_GARBLED},
	    {"ramet: homelab/ vmid=1204 0123456789abcdef", MARKER_GARBLED},
	    {"ramet: a/b/c vmid=1204 0123456789abcdef", MARKER_GARBLED},
	    {LINE "\nramet: homelab/web-01 vmid=1205 0123456789abcdef", MARKER_SEVERAL},
	    {LINE " x", MARKER_GARBLED},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(marker_find(cases[i].text, &m), cases[i].found);
		assert_null(m.name);
	}
}

static void stripped(void **state)
{
	(void)state;
	_cleanup_str_ char *a = marker_strip("\nFront\n" LINE "\nend  \n\n");
	assert_string_equal(a, "\nFront\nend");
	_cleanup_str_ char *b = marker_strip(LINE);
	assert_string_equal(b, "");
	_cleanup_str_ char *c = marker_strip("ramet: see the wiki");
	assert_string_equal(c, "ramet: see the wiki");
}

static void joined(void **state)
{
	struct marker m = {.controller = (char *)"homelab",
	    .name = (char *)"web-02",
	    .vmid = 1300,
	    .nonce = (char *)"fedcba9876543210"};
	_cleanup_str_ char *line = marker_print(&m), *text = NULL, *bare = NULL;
	struct marker back = {0};
	(void)state;
	assert_string_equal(line, "ramet: homelab/web-02 vmid=1300 fedcba9876543210");
	assert_true(marker_is_line(line));
	/* an older marker goes, ours is the last line */
	assert_int_equal(marker_join("Front end  \n" LINE "\n", &m, &text, NULL), 0);
	assert_string_equal(text, "Front end\n\nramet: homelab/web-02 vmid=1300 fedcba9876543210");
	assert_int_equal(marker_find(text, &back), MARKER_OK);
	assert_int_equal(back.vmid, 1300);
	marker_fini(&back);
	assert_int_equal(marker_join(NULL, &m, &bare, NULL), 0);
	assert_string_equal(bare, line);
}

static void too_long(void **state)
{
	struct marker m = {.controller = (char *)"c",
	    .name = (char *)"n",
	    .vmid = 100,
	    .nonce = (char *)"fedcba9876543210"};
	/* "ramet: c/n vmid=100 fedcba9876543210" has 36 characters, the blank line 2 */
	size_t room = MARKER_DESCRIPTION_MAX - 36 - 2;
	char *body = calloc(1, 2 * MARKER_DESCRIPTION_MAX + 8);
	_cleanup_str_ char *text = NULL;
	_cleanup_err_ struct err *err = NULL;
	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < room; i++)
		memcpy(body + 2 * i, "\xc3\xa4", 2); /* characters count, not bytes */
	assert_int_equal(marker_join(body, &m, &text, &err), 0);
	strcat(body, "x");
	_cleanup_str_ char *more = NULL;
	assert_int_equal(marker_join(body, &m, &more, &err), -1);
	assert_int_equal(err->code, ERR_LIMIT);
	assert_non_null(strstr(err->hint, "8154"));
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(found),
	    cmocka_unit_test(not_found),
	    cmocka_unit_test(stripped),
	    cmocka_unit_test(joined),
	    cmocka_unit_test(too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
