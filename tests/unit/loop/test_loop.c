#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

struct trace {
	struct loop *l;
	char text[64];
	size_t n;
	struct loop_io *io;
	int fd;
	timer_id victim;
};

struct mark {
	struct trace *t;
	char name;
};

static void put(struct trace *t, char c)
{
	assert_true(t->n + 1 < sizeof(t->text));
	t->text[t->n++] = c;
}

static void note(void *arg)
{
	struct mark *m = arg;
	put(m->t, m->name);
}

static void note_and_stop(void *arg)
{
	struct mark *m = arg;
	put(m->t, m->name);
	loop_stop(m->t->l);
}

static struct loop *fresh(struct trace *t)
{
	struct loop *l = NULL;
	assert_int_equal(loop_new(&l, NULL), 0);
	*t = (struct trace){.l = l, .fd = -1};
	return l;
}

static void timers_fire_in_order_and_the_loop_ends(void **state UNUSED)
{
	struct trace t;
	_cleanup_loop_ struct loop *l = fresh(&t);
	struct clock *c = loop_clock(l);
	struct mark a = {&t, 'a'}, b = {&t, 'b'}, x = {&t, 'x'};
	int64_t start = clock_now(c);
	clock_timer(c, 30, note, &b);
	clock_timer(c, 1, note, &a);
	timer_id gone = clock_timer(c, 5, note, &x);
	clock_cancel(c, &gone);
	assert_int_equal(gone, 0);
	assert_int_equal(loop_run(l, NULL), 0);
	assert_string_equal(t.text, "ab");
	assert_true(clock_now(c) - start >= 30);
}

static void kill_victim(void *arg)
{
	struct mark *m = arg;
	put(m->t, m->name);
	clock_cancel(loop_clock(m->t->l), &m->t->victim);
}

static void a_timer_cancels_one_that_is_due_too(void **state UNUSED)
{
	struct trace t;
	_cleanup_loop_ struct loop *l = fresh(&t);
	struct mark k = {&t, 'k'}, v = {&t, 'v'};
	clock_timer(loop_clock(l), 0, kill_victim, &k);
	t.victim = clock_timer(loop_clock(l), 0, note, &v);
	assert_int_equal(t.n, 0);
	assert_int_equal(loop_run(l, NULL), 0);
	/* libevent may fire either first; whichever does, the cancelled one stays silent. */
	assert_true(strcmp(t.text, "k") == 0 || strcmp(t.text, "vk") == 0);
}

static void readable(void *arg, int fd, unsigned what)
{
	struct mark *m = arg;
	char byte;
	assert_int_equal(what, LOOP_READ);
	assert_int_equal(read(fd, &byte, 1), 1);
	put(m->t, byte);
	if (byte == 'z')
		loop_io_del(&m->t->io);
}

static void writable(void *arg, int fd, unsigned what)
{
	struct mark *m = arg;
	assert_int_equal(what, LOOP_WRITE);
	assert_int_equal(write(fd, "xyz", 3), 3);
	put(m->t, 'w');
	loop_io_set(m->t->io, 0);
}

static void descriptors_call_back_until_deleted(void **state UNUSED)
{
	struct trace t, tw;
	_cleanup_loop_ struct loop *l = fresh(&t);
	int p[2];
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	tw = (struct trace){.l = l};
	struct mark r = {&t, 'r'}, w = {&tw, 'w'};
	t.io = loop_io_add(l, p[0], LOOP_READ, readable, &r);
	tw.io = loop_io_add(l, p[1], 0, writable, &w);
	loop_io_set(tw.io, LOOP_WRITE);
	assert_int_equal(loop_run(l, NULL), 0);
	assert_string_equal(t.text, "xyz");
	assert_string_equal(tw.text, "w");
	assert_null(t.io);
	loop_io_del(&tw.io);
	close(p[0]);
	close(p[1]);
}

static void defer_more(void *arg)
{
	struct mark *m = arg;
	put(m->t, m->name);
	if (m->name < 'c') {
		m->name++;
		loop_defer(m->t->l, defer_more, m);
	}
}

static void timer_defers(void *arg)
{
	struct mark *m = arg;
	loop_defer(m->t->l, defer_more, m);
	put(m->t, 't');
}

static void deferred_calls_run_after_the_callback(void **state UNUSED)
{
	struct trace t;
	_cleanup_loop_ struct loop *l = fresh(&t);
	struct mark m = {&t, 'a'};
	clock_timer(loop_clock(l), 0, timer_defers, &m);
	assert_int_equal(loop_run(l, NULL), 0);
	assert_string_equal(t.text, "tabc");
}

static void deferred_calls_run_when_the_loop_is_freed(void **state UNUSED)
{
	struct trace t;
	struct loop *l = fresh(&t);
	struct mark m = {&t, 'b'}, n = {&t, 'n'};
	loop_defer(l, defer_more, &m);
	clock_timer(loop_clock(l), 0, note, &n);
	loop_free(&l);
	assert_null(l);
	assert_string_equal(t.text, "bc");
}

static void on_signal(void *arg, int signo)
{
	struct mark *m = arg;
	put(m->t, signo == SIGHUP ? 'h' : signo == SIGTERM ? 't' : '?');
	if (signo == SIGTERM)
		loop_stop(m->t->l);
}

static void raise_hup(void *arg UNUSED)
{
	raise(SIGHUP);
}

static void raise_term(void *arg UNUSED)
{
	raise(SIGTERM);
}

static void signals_arrive_in_the_loop(void **state UNUSED)
{
	struct trace t;
	_cleanup_loop_ struct loop *l = fresh(&t);
	struct mark m = {&t, 's'};
	struct loop_signal *hup = loop_signal_add(l, SIGHUP, on_signal, &m);
	struct loop_signal *term = loop_signal_add(l, SIGTERM, on_signal, &m);
	clock_timer(loop_clock(l), 0, raise_hup, NULL);
	clock_timer(loop_clock(l), 10, raise_term, NULL);
	assert_int_equal(loop_run(l, NULL), 0);
	assert_string_equal(t.text, "ht");
	loop_signal_del(&hup);
	loop_signal_del(&term);
	assert_null(hup);
}

static void stop_leaves_what_is_due_later(void **state UNUSED)
{
	struct trace t;
	_cleanup_loop_ struct loop *l = fresh(&t);
	struct mark a = {&t, 'a'}, b = {&t, 'b'};
	clock_timer(loop_clock(l), 0, note_and_stop, &a);
	clock_timer(loop_clock(l), 600000, note, &b);
	assert_int_equal(loop_run(l, NULL), 0);
	assert_string_equal(t.text, "a");
}

static void random_numbers_differ(void **state UNUSED)
{
	struct trace t;
	_cleanup_loop_ struct loop *l = fresh(&t);
	assert_true(clock_random(loop_clock(l)) != clock_random(loop_clock(l)));
	/* After 2020, before 2100: milliseconds of Unix time. */
	assert_true(
	    clock_wall(loop_clock(l)) > 1577836800000 && clock_wall(loop_clock(l)) < 4102444800000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timers_fire_in_order_and_the_loop_ends),
	    cmocka_unit_test(a_timer_cancels_one_that_is_due_too),
	    cmocka_unit_test(descriptors_call_back_until_deleted),
	    cmocka_unit_test(deferred_calls_run_after_the_callback),
	    cmocka_unit_test(deferred_calls_run_when_the_loop_is_freed),
	    cmocka_unit_test(signals_arrive_in_the_loop),
	    cmocka_unit_test(stop_leaves_what_is_due_later),
	    cmocka_unit_test(random_numbers_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
