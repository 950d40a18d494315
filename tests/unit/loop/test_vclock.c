#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vclock.h"

struct trace {
	struct vclock *v;
	char text[64];
	int64_t at[64];
	size_t n;
	timer_id victim;
};

struct mark {
	struct trace *t;
	char name;
};

static void note(void *arg)
{
	struct mark *m = arg;
	m->t->at[m->t->n] = clock_now(vclock_clock(m->t->v));
	m->t->text[m->t->n++] = m->name;
}

static void mark_fired(void *arg)
{
	*(bool *)arg = true;
}

static void timers_fire_by_due_time_then_by_order(void **state UNUSED)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 1000000);
	struct clock *c = vclock_clock(v);
	struct trace t = {.v = v};
	struct mark m[5] = {{&t, 'a'}, {&t, 'b'}, {&t, 'c'}, {&t, 'd'}, {&t, 'e'}};

	clock_timer(c, 50, note, &m[0]);
	clock_timer(c, 10, note, &m[1]);
	clock_timer(c, 50, note, &m[2]);
	clock_timer(c, 0, note, &m[3]);
	clock_timer(c, 101, note, &m[4]);
	assert_int_equal(vclock_pending(v), 5);
	assert_int_equal(vclock_next_at(v), 0);
	assert_int_equal(t.n, 0);

	vclock_run_until(v, 100);
	assert_string_equal(t.text, "dbac");
	assert_int_equal(t.at[0], 0);
	assert_int_equal(t.at[1], 10);
	assert_int_equal(t.at[2], 50);
	assert_int_equal(t.at[3], 50);
	assert_int_equal(clock_now(c), 100);
	assert_int_equal(clock_wall(c), 1000100);

	assert_true(vclock_next(v));
	assert_string_equal(t.text, "dbace");
	assert_int_equal(clock_now(c), 101);
	assert_false(vclock_next(v));
	assert_int_equal(vclock_next_at(v), -1);
}

static void cancelled_timers_do_not_fire(void **state UNUSED)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct clock *c = vclock_clock(v);
	struct trace t = {.v = v};
	struct mark m[40];
	timer_id id[40];
	for (size_t i = 0; i < 40; i++) {
		m[i] = (struct mark){&t, (char)('A' + i)};
		/* 0, 7, 14 … modulo 40: every due time once, out of order */
		id[i] = clock_timer(c, (int64_t)(i * 7 % 40), note, &m[i]);
	}
	for (size_t i = 0; i < 40; i++) {
		if (i * 7 % 40 != 3 && i * 7 % 40 != 39)
			clock_cancel(c, &id[i]);
	}
	assert_int_equal(vclock_pending(v), 2);
	vclock_run_until(v, 1000);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.at[0], 3);
	assert_int_equal(t.at[1], 39);
	/* An id that fired is no other timer's id. */
	timer_id fresh = clock_timer(c, 1, note, &m[0]);
	for (size_t i = 0; i < 40; i++) {
		timer_id old = id[i];
		clock_cancel(c, &old);
	}
	assert_int_equal(vclock_pending(v), 1);
	clock_cancel(c, &fresh);
	assert_int_equal(fresh, 0);
	assert_int_equal(vclock_pending(v), 0);
}

/* Against the plainest thing that could work: a list that is searched. */
static void many_timers_fire_as_a_list_would(void **state UNUSED)
{
	enum { N = 500 };
	static struct due {
		int64_t at;
		size_t order;
		bool gone, fired;
		timer_id id;
	} list[N];
	static size_t fired_at[N], n_fired;
	_cleanup_vclock_ struct vclock *v = vclock_new(9, 0);
	struct clock *c = vclock_clock(v);
	n_fired = 0;
	for (size_t i = 0; i < N; i++) {
		list[i] = (struct due){.at = (int64_t)(clock_random(c) % 50), .order = i};
		list[i].id = clock_timer(c, list[i].at, mark_fired, &list[i].fired);
	}
	for (size_t i = 0; i < N; i++) {
		list[i].gone = clock_random(c) % 3 == 0;
		timer_id id = list[i].id;
		if (list[i].gone)
			clock_cancel(c, &id);
	}
	while (vclock_next(v)) {
		for (size_t i = 0; i < N; i++) {
			if (list[i].fired) {
				fired_at[n_fired++] = i;
				list[i].fired = false;
			}
		}
	}
	for (size_t k = 0; k < n_fired; k++) {
		size_t best = N;
		for (size_t i = 0; i < N; i++) {
			if (!list[i].gone && (best == N || list[i].at < list[best].at))
				best = i;
		}
		assert_int_equal(fired_at[k], best);
		list[best].gone = true;
	}
	for (size_t i = 0; i < N; i++)
		assert_true(list[i].gone);
}

static void set_again(void *arg)
{
	struct mark *m = arg;
	note(m);
	if (m->t->n < 3)
		clock_timer(vclock_clock(m->t->v), 10, set_again, m);
}

static void cancel_other(void *arg)
{
	struct mark *m = arg;
	note(m);
	clock_cancel(vclock_clock(m->t->v), &m->t->victim);
}

static void timers_may_set_and_cancel_timers(void **state UNUSED)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct trace t = {.v = v};
	struct mark again = {&t, 'r'}, killer = {&t, 'k'}, victim = {&t, 'v'};
	clock_timer(vclock_clock(v), 5, set_again, &again);
	clock_timer(vclock_clock(v), 40, cancel_other, &killer);
	t.victim = clock_timer(vclock_clock(v), 40, note, &victim);
	vclock_run_until(v, 100);
	assert_string_equal(t.text, "rrrk");
	assert_int_equal(t.at[2], 25);
}

static bool two_seen(const void *arg)
{
	return ((const struct trace *)arg)->n >= 2;
}

static void run_to_stops_at_the_condition(void **state UNUSED)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct trace t = {.v = v};
	struct mark m = {&t, 'x'};
	for (int i = 1; i <= 4; i++)
		clock_timer(vclock_clock(v), i * 100, note, &m);
	assert_false(vclock_run_to(v, 150, two_seen, &t));
	assert_int_equal(t.n, 1);
	assert_true(vclock_run_to(v, 1000, two_seen, &t));
	assert_int_equal(clock_now(vclock_clock(v)), 200);
}

static void a_seed_gives_one_sequence(void **state UNUSED)
{
	_cleanup_vclock_ struct vclock *a = vclock_new(0, 0), *b = vclock_new(0, 0),
				       *d = vclock_new(1, 0);
	/* First value of splitmix64 with seed 0, from its published reference. */
	uint64_t first = clock_random(vclock_clock(a));
	assert_true(first == 0xe220a8397b1dcdafu);
	assert_true(clock_random(vclock_clock(b)) == first);
	assert_true(clock_random(vclock_clock(d)) != first);
	assert_true(clock_random(vclock_clock(a)) == clock_random(vclock_clock(b)));
}

static void the_wall_jumps_alone(void **state UNUSED)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(0, 5000);
	vclock_run_until(v, 10);
	vclock_jump_wall(v, -3000);
	assert_int_equal(clock_wall(vclock_clock(v)), 2010);
	assert_int_equal(clock_now(vclock_clock(v)), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_fire_by_due_time_then_by_order),
	    cmocka_unit_test(cancelled_timers_do_not_fire),
	    cmocka_unit_test(many_timers_fire_as_a_list_would),
	    cmocka_unit_test(timers_may_set_and_cancel_timers),
	    cmocka_unit_test(run_to_stops_at_the_condition),
	    cmocka_unit_test(a_seed_gives_one_sequence),
	    cmocka_unit_test(the_wall_jumps_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
