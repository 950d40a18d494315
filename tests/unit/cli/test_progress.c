#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "log.h"
#include "progress.h"
#include "vclock.h"

#define T0 1795284000000 /* 2026-11-21T18:00:00Z */

struct screen {
	struct vclock *vclock;
	struct buf out;
	struct progress *progress;
};

static void write_out(void *arg, const char *text)
{
	buf_adds(arg, text);
}

static char *summary(void *arg)
{
	return mem_strdup(arg);
}

static void start(struct screen *s, bool live, size_t rows)
{
	*s = (struct screen){.vclock = vclock_new(1, T0)};
	s->progress = progress_new(&(struct progress_opts){.clock = vclock_clock(s->vclock),
	    .live = live,
	    .columns = 60,
	    .rows = rows,
	    .write = write_out,
	    .arg = &s->out,
	    .summary = live ? summary : NULL,
	    .summary_arg = (char *)"0 of 2 ready"});
}

static void finish(struct screen *s)
{
	progress_free(&s->progress);
	buf_fini(&s->out);
	vclock_free(&s->vclock);
}

static void note(
    struct screen *s, enum note_kind kind, const char *vm, const char *text, int percent)
{
	progress_note(
	    s->progress, &(struct note){.kind = kind, .vm = vm, .text = text, .percent = percent});
}

static void test_plain_lines_carry_the_time(void **state)
{
	(void)state;
	struct screen s;
	start(&s, false, 24);
	note(&s, NOTE_STEP, "web-01", "cloning template 100 to pve1 as 1204", -1);
	vclock_run_until(s.vclock, 5000);
	note(&s, NOTE_PROGRESS, "web-01", "cloning", 40);
	note(&s, NOTE_DONE, "web-01", "failed\nand \x1b[2J more", -1);
	note(&s, NOTE_STEP, "web-01", "starting", -1);
	note(&s, NOTE_DONE, "web-01", "OK", -1);
	note(&s, NOTE_TROUBLE, NULL, "no endpoint answers", -1);
	assert_string_equal(buf_str(&s.out),
	    "2026-11-21T18:00:00Z web-01: cloning template 100 to pve1 as 1204\n"
	    "2026-11-21T18:00:05Z web-01: cloning template 100 to pve1 as 1204: failed and  [2J "
	    "more "
	    "(5 s)\n"
	    "2026-11-21T18:00:05Z web-01: starting\n"
	    "2026-11-21T18:00:05Z web-01: starting: done (0 s)\n"
	    "2026-11-21T18:00:05Z no endpoint answers\n");
	assert_int_equal(vclock_pending(s.vclock), 0);
	finish(&s);
}

static void test_display_is_redrawn_in_place(void **state)
{
	(void)state;
	struct screen s;
	start(&s, true, 24);
	note(&s, NOTE_STEP, "web-01", "cloning", -1);
	note(&s, NOTE_STEP, "db", "resizing", -1);
	assert_string_equal(buf_str(&s.out), ""); /* the first frame comes from the clock */
	vclock_run_until(s.vclock, 0);
	assert_string_equal(buf_str(&s.out), "\x1b[?25l"
					     "/ web-01  cloning  0 s\n"
					     "/ db      resizing  0 s\n"
					     "0 of 2 ready\n");
	buf_reset(&s.out);
	note(&s, NOTE_PROGRESS, "web-01", "cloning", 40);
	vclock_run_until(s.vclock, 100);
	assert_string_equal(buf_str(&s.out), "\x1b[3A\r\x1b[J"
					     "- web-01  cloning  40 %  0 s\n"
					     "- db      resizing  0 s\n"
					     "0 of 2 ready\n");
	buf_reset(&s.out);
	/* What is done stays above, the rest is drawn again below. */
	note(&s, NOTE_DONE, "web-01", "OK", -1);
	assert_string_equal(buf_str(&s.out), "\x1b[3A\r\x1b[J"
					     "web-01: cloning: done (100 ms)\n"
					     "- db  resizing  0 s\n"
					     "0 of 2 ready\n");
	buf_reset(&s.out);
	progress_free(&s.progress);
	assert_string_equal(buf_str(&s.out), "\x1b[2A\r\x1b[J\x1b[?25h");
	assert_int_equal(vclock_pending(s.vclock), 0);
	finish(&s);
}

static void test_small_terminals(void **state)
{
	(void)state;
	struct screen s;
	start(&s, true, 5);
	static const char *const names[] = {"a", "b", "c", "d"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		note(&s, NOTE_STEP, names[i],
		    "0123456789012345678901234567890123456789012345678901234567890", -1);
	vclock_run_until(s.vclock, 0);
	/* 59 columns at most, so that the cursor never wraps. */
	assert_string_equal(buf_str(&s.out),
	    "\x1b[?25l"
	    "/ a  01234567890123456789012345678901234567890123456789012…\n"
	    "/ b  01234567890123456789012345678901234567890123456789012…\n"
	    "  and 2 more\n"
	    "0 of 2 ready\n");
	finish(&s);
}

static void test_log_lines_go_above_the_display(void **state)
{
	(void)state;
	struct screen s;
	log_setup(LOG_WARN, false);
	start(&s, true, 24);
	vclock_run_until(s.vclock, 0);
	buf_reset(&s.out);
	log_warn("git", "no answer");
	const char *line = strstr(buf_str(&s.out), "no answer");
	assert_non_null(line);
	assert_string_equal(line + strlen("no answer"), "\n0 of 2 ready\n");
	assert_int_equal(strncmp(buf_str(&s.out), "\x1b[1A\r\x1b[J", 8), 0);
	finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain_lines_carry_the_time),
	    cmocka_unit_test(test_display_is_redrawn_in_place),
	    cmocka_unit_test(test_small_terminals),
	    cmocka_unit_test(test_log_lines_go_above_the_display),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
