#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "log.h"

#include "jsn.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *last;
static int count;

static void keep(const char *line, void *arg)
{
	assert_ptr_equal(arg, &count);
	mem_replace(&last, line);
	count++;
}

static int64_t december(void)
{
	return 1796112000000; /* 2026-12-01T08:00:00Z */
}

static int setup(void **state UNUSED)
{
	log_setup(LOG_INFO, false);
	log_set_color(false);
	log_set_journal(false);
	log_set_clock(NULL);
	log_set_sink(keep, &count);
	count = 0;
	return 0;
}

static int teardown(void **state UNUSED)
{
	mem_free_str(&last);
	return 0;
}

static void text_lines(void **state UNUSED)
{
	log_set_clock(december);
	log_info("vm web-01", "cloned to %s as %d", "pve1", 1204);
	assert_string_equal(last, "2026-12-01T08:00:00Z info  vm web-01: cloned to pve1 as 1204");
	log_set_clock(NULL);
	log_error("git", "gone");
	assert_string_equal(last, "error git: gone");
	log_warn(NULL, "plain");
	assert_string_equal(last, "warn  plain");
}

static void levels(void **state UNUSED)
{
	assert_true(log_enabled(LOG_INFO));
	assert_false(log_enabled(LOG_DEBUG));
	log_debug("x", "hidden");
	assert_int_equal(count, 0);
	log_setup(LOG_DEBUG, false);
	log_debug("x", "shown");
	assert_int_equal(count, 1);
	log_setup(LOG_ERROR, false);
	log_warn("x", "hidden");
	assert_int_equal(count, 1);
	enum log_level level = LOG_ERROR;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), -1);
	assert_int_equal(log_level_parse(NULL, &level), -1);
	assert_int_equal(level, LOG_DEBUG);
}

static void json_lines(void **state UNUSED)
{
	log_setup(LOG_INFO, true);
	log_set_clock(december);
	log_info("vm web-01", "say \"%s\"", "a\nb");
	assert_string_equal(last, "{\"time\":\"2026-12-01T08:00:00Z\",\"level\":\"info\","
				  "\"object\":\"vm web-01\",\"msg\":\"say \\\"a\\nb\\\"\"}");
}

static void foreign_text_cannot_forge(void **state UNUSED)
{
	log_info("vm a\nb", "x\r\ninfo  y\t\x1b[2J\x7f\xC2\x9B\xE2\x80\xAE\xFF");
	assert_string_equal(
	    last, "info  vm a\\nb: x\\r\\ninfo  y\\t\\x1b[2J\\x7f\\u009b\\u202e\\xff");
}

static void nor_in_json(void **state UNUSED)
{
	log_setup(LOG_INFO, true);
	log_info(NULL, "x\n\x1b[2J\x7f\xC2\x9B\xE2\x80\xAE");
	assert_string_equal(last, "{\"level\":\"info\",\"msg\":\"x\\n\\u001b[2J\\u007f"
				  "\\u009b\\u202e\"}");
}

static void masks(void **state UNUSED)
{
	log_mask("abc"); /* too short */
	log_mask(NULL);
	log_mask("hunter2");
	log_mask("hunter2-long");
	log_mask("hunter2");
	log_mask("web-01: up");
	log_info("git hunter2", "abc xhunter2-longx hunter2hunter2");
	assert_string_equal(last, "info  git ***: abc x***x ******");
	log_info("vm web-01", "up and well"); /* only object and message together spell it */
	assert_string_equal(last, "info  vm *** and well");
	log_setup(LOG_INFO, true);
	log_info("o", "token=hunter2");
	assert_null(strstr(last, "hunter2"));
	assert_non_null(strstr(last, "token=***"));
}

static void the_oldest_secret_is_forgotten(void **state UNUSED)
{
	for (int i = 0; i < 40; i++) {
		_cleanup_str_ char *secret = mem_printf("rotated-%02d-secret", i);
		log_mask(secret);
	}
	log_info("o", "rotated-07-secret rotated-08-secret rotated-39-secret");
	assert_string_equal(last, "info  o: rotated-07-secret *** ***");
}

static char *filled(size_t len, char c)
{
	char *s = mem_alloc(len + 1);
	memset(s, c, len);
	return s;
}

static void lines_are_bounded(void **state UNUSED)
{
	_cleanup_str_ char *long_text = filled(100000, 'x');
	log_info("o", "%s", long_text);
	assert_true(strlen(last) <= LOG_LINE_MAX);
	assert_true(strlen(last) > LOG_LINE_MAX - 128);
	assert_true(text_ends(last, "x…"));
	_cleanup_str_ char *long_object = filled(100000, 'o');
	_cleanup_str_ char *control = filled(100000, '\x01');
	log_info(long_object, "%s", control);
	assert_true(strlen(last) <= LOG_LINE_MAX);
	log_setup(LOG_INFO, true);
	log_info(long_object, "%s", control);
	assert_true(strlen(last) <= LOG_LINE_MAX);
	_cleanup_jsn_ struct jsn *j = NULL;
	assert_int_equal(jsn_parse(last, strlen(last), &j, NULL), 0);
	assert_true(strlen(jsn_get_text(j, "msg")) > 500);
	/* A secret across the cut leaves no part of itself. */
	log_setup(LOG_INFO, false);
	log_mask("SECRETSECRET");
	for (size_t at = LOG_LINE_MAX - 100; at < LOG_LINE_MAX; at++) {
		_cleanup_str_ char *before = filled(at, 'x');
		log_info("o", "%sSECRETSECRET", before);
		assert_null(strstr(last, "SEC"));
	}
}

static void color_is_around_the_level(void **state UNUSED)
{
	log_set_color(true);
	log_error("git", "gone");
	assert_string_equal(last, "\033[31merror\033[0m git: gone");
	log_info("git", "here");
	assert_string_equal(last, "info  git: here");
}

static void standard_error_and_errno(void **state UNUSED)
{
	log_set_sink(NULL, NULL);
	int p[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	errno = EAGAIN;
	log_info("git", "one");
	int after = errno;
	log_info("git", "two");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(p[1]);
	char got[64] = "";
	ssize_t n = read(p[0], got, sizeof(got) - 1);
	close(p[0]);
	assert_int_equal(n, 30);
	assert_string_equal(got, "info  git: one\ninfo  git: two\n");
	assert_int_equal(after, EAGAIN);
}

/* The journal has time and level of its own; a line that forges one is a message like any other. */
static void the_journal_is_told_the_level(void **state UNUSED)
{
	log_setup(LOG_DEBUG, false);
	log_set_clock(december);
	log_set_journal(true);
	log_error("git", "no %s", "answer");
	assert_string_equal(last, "<3>git: no answer");
	log_warn(NULL, "<0>panic\n<0>more");
	assert_string_equal(last, "<4><0>panic\\n<0>more");
	log_info("web-01", "cloned");
	assert_string_equal(last, "<6>web-01: cloned");
	log_debug("http", "x");
	assert_string_equal(last, "<7>http: x");
	log_setup(LOG_INFO, true);
	log_info("git", "x");
	assert_int_equal(last[0], '{');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(text_lines, setup, teardown),
	    cmocka_unit_test_setup_teardown(levels, setup, teardown),
	    cmocka_unit_test_setup_teardown(json_lines, setup, teardown),
	    cmocka_unit_test_setup_teardown(foreign_text_cannot_forge, setup, teardown),
	    cmocka_unit_test_setup_teardown(nor_in_json, setup, teardown),
	    cmocka_unit_test_setup_teardown(lines_are_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(color_is_around_the_level, setup, teardown),
	    cmocka_unit_test_setup_teardown(standard_error_and_errno, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_journal_is_told_the_level, setup, teardown),
	    cmocka_unit_test_setup_teardown(masks, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_oldest_secret_is_forgotten, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
