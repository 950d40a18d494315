#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pvetoken.h"
#include "vclock.h"

#define OLD "ramet@pve!ctl=11111111"
#define NEW "ramet@pve!ctl=22222222"
#define MINUTE 60000

static struct {
	struct vclock *clock;
	struct pvetoken token;
	const char *file; /* NULL = it cannot be read */
	unsigned reads;
} t;

static int read_file(void *arg, char **ret, struct err **err)
{
	(void)arg;
	t.reads++;
	if (!t.file)
		return err_set(err, ERR_IO, "gone");
	*ret = mem_strdup(t.file);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	t.clock = vclock_new(1, 0);
	t.file = OLD;
	t.reads = 0;
	pvetoken_init(
	    &t.token, &(struct pvetoken_opts){
			  .clock = vclock_clock(t.clock), .token = OLD, .read = read_file});
	return 0;
}

static int end(void **state)
{
	(void)state;
	pvetoken_fini(&t.token);
	vclock_free(&t.clock);
	return 0;
}

static void wait_ms(int64_t ms)
{
	vclock_run_until(t.clock, clock_now(vclock_clock(t.clock)) + ms);
}

/* A request that may go out, and its answer. */
static void exchange(int status)
{
	struct pvetoken_pass pass;

	assert_true(pvetoken_ask(&t.token, &pass));
	pvetoken_answered(&t.token, status, &pass);
	pvetoken_over(&t.token, &pass);
}

static void assert_closed(void)
{
	struct pvetoken_pass pass;

	assert_false(pvetoken_ask(&t.token, &pass));
}

static void a_refused_token_is_tried_once_a_minute(void **state)
{
	(void)state;
	exchange(200);
	exchange(401);
	assert_closed();
	wait_ms(MINUTE - 1);
	assert_closed();
	wait_ms(1);
	exchange(401);
	assert_closed();
	wait_ms(MINUTE - 1);
	assert_closed();
	wait_ms(1);
	exchange(200);
	exchange(200);
}

static void of_two_at_a_time_one_is_the_probe(void **state)
{
	struct pvetoken_pass pass;

	(void)state;
	exchange(401);
	wait_ms(MINUTE);
	assert_true(pvetoken_ask(&t.token, &pass));
	wait_ms(MINUTE);
	assert_closed();
	pvetoken_answered(&t.token, 401, &pass);
	pvetoken_over(&t.token, &pass);
	assert_closed();
}

/* A connection that broke says nothing of the token, and is no reason to try at once. */
static void a_probe_without_an_answer_was_one(void **state)
{
	struct pvetoken_pass pass;

	(void)state;
	exchange(401);
	wait_ms(MINUTE);
	assert_true(pvetoken_ask(&t.token, &pass));
	pvetoken_over(&t.token, &pass);
	assert_closed();
	wait_ms(MINUTE);
	exchange(200);
}

static void another_token_is_tried_at_once(void **state)
{
	(void)state;
	exchange(401);
	assert_closed();
	t.file = NEW;
	exchange(200);
	assert_string_equal(t.token.text, NEW);
	exchange(200);
}

/* What stands in the file for a moment while somebody writes it is no token. */
static void half_a_token_is_none(void **state)
{
	(void)state;
	exchange(401);
	t.file = "ramet@pve!ctl";
	assert_closed();
	t.file = NULL;
	assert_closed();
	assert_string_equal(t.token.text, OLD);
	wait_ms(MINUTE);
	exchange(401);
}

/* Several were under way with the old one when the first of them was refused. */
static void answers_to_the_token_before_say_nothing_of_the_new_one(void **state)
{
	struct pvetoken_pass one, two;

	(void)state;
	assert_true(pvetoken_ask(&t.token, &one));
	assert_true(pvetoken_ask(&t.token, &two));
	t.file = NEW;
	pvetoken_answered(&t.token, 401, &one);
	pvetoken_over(&t.token, &one);
	pvetoken_answered(&t.token, 401, &two);
	pvetoken_over(&t.token, &two);
	exchange(200);
	assert_string_equal(t.token.text, NEW);
}

/* It is read when it is refused, and before each try after that: not otherwise. */
static void the_file_is_read_when_there_is_a_reason(void **state)
{
	(void)state;
	exchange(200);
	exchange(403);
	assert_int_equal(t.reads, 0);
	exchange(401);
	assert_int_equal(t.reads, 1);
	assert_closed();
	assert_int_equal(t.reads, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    T(a_refused_token_is_tried_once_a_minute),
	    T(of_two_at_a_time_one_is_the_probe),
	    T(a_probe_without_an_answer_was_one),
	    T(another_token_is_tried_at_once),
	    T(half_a_token_is_none),
	    T(answers_to_the_token_before_say_nothing_of_the_new_one),
	    T(the_file_is_read_when_there_is_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
