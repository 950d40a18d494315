/* The service manager is a socket of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify.h"
#include "text.h"

struct manager {
	struct loop *l;
	int fd;
	char dir[64], path[96];
};

static int set_up(void **state)
{
	struct manager *m = mem_alloc(sizeof(*m));
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(m->dir, sizeof(m->dir), "/tmp/ramet-notify-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->path, sizeof(m->path), "%s/socket", m->dir);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", m->path);
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(loop_new(&m->l, NULL), 0);
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct manager *m = *state;
	loop_free(&m->l);
	close(m->fd);
	unlink(m->path);
	rmdir(m->dir);
	free(m);
	return 0;
}

static char *heard(struct manager *m)
{
	char text[2048];
	ssize_t n = recv(m->fd, text, sizeof(text), MSG_DONTWAIT);
	return n < 0 ? NULL : mem_strndup(text, (size_t)n);
}

static void assert_heard(struct manager *m, const char *want)
{
	_cleanup_str_ char *s = heard(m);
	assert_non_null(s);
	assert_string_equal(s, want);
}

static void says_what_systemd_understands(void **state)
{
	struct manager *m = *state;
	_cleanup_notify_ struct notify *n =
	    notify_new(m->l, &(struct notify_opts){.socket = m->path});
	notify_ready(n, "reading");
	assert_heard(m, "READY=1\nSTATUS=reading");
	notify_status(n, "3 VMs\nREADY=0");
	assert_heard(m, "STATUS=3 VMs READY=0");
	notify_reloading(n);
	_cleanup_str_ char *s = heard(m);
	assert_true(text_starts(s, "RELOADING=1\nMONOTONIC_USEC="));
	notify_stopping(n);
	assert_heard(m, "STOPPING=1");
}

static void feeds_the_watchdog_twice_as_often(void **state)
{
	struct manager *m = *state;
	_cleanup_notify_ struct notify *n =
	    notify_new(m->l, &(struct notify_opts){.socket = m->path, .watchdog_usec = "40000"});
	struct clock *c = loop_clock(m->l);
	int64_t begun = clock_now(c);
	for (int i = 0; i < 3; i++) {
		char text[64] = "";
		assert_int_equal(loop_turn(m->l, NULL), 0);
		assert_int_equal(recv(m->fd, text, sizeof(text) - 1, 0), 10);
		assert_string_equal(text, "WATCHDOG=1");
	}
	/* At once, after 20 ms, after 40 ms: not before. */
	assert_true(clock_now(c) - begun >= 39);
	notify_free(&n);
}

static void another_process_is_meant(void **state)
{
	struct manager *m = *state;
	_cleanup_notify_ struct notify *n = notify_new(m->l,
	    &(struct notify_opts){.socket = m->path, .watchdog_usec = "1000", .watchdog_pid = "1"});
	(void)n;
	assert_int_equal(loop_turn(m->l, NULL), 0);
	_cleanup_str_ char *s = heard(m);
	assert_null(s);
}

static void nobody_listens(void **state)
{
	struct manager *m = *state;
	static const char *const nowhere[] = {NULL, "", "relative", "/no/such/socket"};
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
		struct notify *n = notify_new(m->l, &(struct notify_opts){.socket = nowhere[i]});
		notify_ready(n, "x");
		notify_stopping(n);
		notify_free(&n);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(says_what_systemd_understands),
	    T(feeds_the_watchdog_twice_as_often),
	    T(another_process_is_meant),
	    T(nobody_listens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
