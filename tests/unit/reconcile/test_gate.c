/* Limits, queues, pauses of storages; who changed what. */
#include "attrib.h"
#include "gate.h"
#include "vclock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct gate_limits limits = {
    .parallel = 4, .parallel_per_node = 2, .clones_per_storage = 2, .reads = 3};

static void test_limits(void **state)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct gate *g = gate_new(vclock_clock(v), &limits);
	gate_ticket a, b;

	(void)state;
	a = gate_try(g, GATE_OP, "pve1", NULL);
	b = gate_try(g, GATE_OP, "pve1", NULL);
	assert_true(a && b);
	assert_false(gate_try(g, GATE_OP, "pve1", NULL)); /* two per node */
	assert_true(gate_try(g, GATE_CLONE, "pve2", "shared"));
	assert_true(gate_try(g, GATE_CLONE, "pve3", "shared"));
	assert_false(gate_try(g, GATE_OP, "pve4", NULL)); /* four in all */
	gate_give(g, &a);
	assert_int_equal(a, 0);
	assert_false(gate_try(g, GATE_CLONE, "pve4", "shared")); /* two clones per storage */
	assert_true(gate_try(g, GATE_CLONE, "pve4", "fast"));
	/* Reading has a limit of its own. */
	assert_true(gate_try(g, GATE_READ, NULL, NULL));
	assert_true(gate_try(g, GATE_READ, NULL, NULL));
	assert_true(gate_try(g, GATE_READ, NULL, NULL));
	assert_false(gate_try(g, GATE_READ, NULL, NULL));
	gate_free(&g);
}

struct got {
	int order[4];
	int n;
	gate_ticket last;
};

static struct got got;

static void on_first(void *arg, gate_ticket t)
{
	(void)arg;
	got.order[got.n++] = 1;
	got.last = t;
}

static void on_second(void *arg, gate_ticket t)
{
	(void)arg;
	got.order[got.n++] = 2;
	got.last = t;
}

static void test_queue_in_order(void **state)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct gate *g = gate_new(vclock_clock(v), &limits);
	gate_ticket a = gate_try(g, GATE_OP, "pve1", NULL);
	gate_ticket b = gate_try(g, GATE_OP, "pve1", NULL);
	uint64_t left;

	(void)state;
	got = (struct got){0};
	gate_wait(g, GATE_OP, "pve1", NULL, on_first, NULL);
	left = gate_wait(g, GATE_OP, "pve1", NULL, on_second, NULL);
	gate_wait(g, GATE_OP, "pve1", NULL, on_second, NULL);
	vclock_run_until(v, 10000);
	assert_int_equal(got.n, 0);
	gate_give(g, &a);
	assert_int_equal(got.n, 0); /* never from within the call */
	/* Nobody jumps the queue. */
	assert_false(gate_try(g, GATE_OP, "pve1", NULL));
	vclock_run_until(v, 10001);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.order[0], 1);
	gate_leave(g, &left);
	gate_give(g, &b);
	vclock_run_until(v, 10002);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.order[1], 2);
	gate_free(&g);
}

static void on_number(void *arg, gate_ticket t)
{
	got.order[got.n++] = *(const int *)arg;
	got.last = t;
}

/* Those of several nodes stand in one queue: the oldest that may go first does. */
static void test_oldest_that_may(void **state)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct gate *g = gate_new(vclock_clock(v), &limits);
	const int number[] = {1, 2, 3, 4, 5, 6};
	static const char *const nodes[] = {"pve1", "pve2", "pve1", "pve2", "pve1", "pve3"};
	gate_ticket held[4];
	uint64_t w[6];

	(void)state;
	got = (struct got){0};
	for (size_t i = 0; i < 4; i++)
		held[i] = gate_try(g, GATE_OP, i < 2 ? "pve1" : "pve2", NULL);
	for (size_t i = 0; i < 6; i++)
		w[i] = gate_wait(g, GATE_OP, nodes[i], NULL, on_number, (void *)&number[i]);
	gate_leave(g, &w[0]); /* the first of its node, the last, the only one */
	gate_leave(g, &w[4]);
	gate_leave(g, &w[5]);
	w[4] = gate_wait(g, GATE_OP, "pve1", NULL, on_number, (void *)&number[4]);
	gate_give(g, &held[3]);
	vclock_run_until(v, 1);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.order[0], 2);
	gate_give(g, &held[0]);
	gate_give(g, &got.last);
	vclock_run_until(v, 2);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.order[1], 3);
	assert_int_equal(got.order[2], 4);
	gate_give(g, &held[1]);
	vclock_run_until(v, 3);
	assert_int_equal(got.n, 4);
	assert_int_equal(got.order[3], 5);
	gate_free(&g);
}

static void test_storage_in_trouble(void **state)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct gate *g = gate_new(vclock_clock(v), &limits);

	(void)state;
	assert_int_equal(gate_storage_limit(g, "shared"), 2);
	gate_storage_result(g, "shared", true);
	assert_int_equal(gate_storage_limit(g, "shared"), 1);
	assert_int_equal(gate_storage_limit(g, "fast"), 2);
	assert_false(gate_try(g, GATE_CLONE, "pve1", "shared")); /* a pause */
	vclock_run_until(v, 40000);
	assert_true(gate_try(g, GATE_CLONE, "pve1", "shared"));
	gate_storage_result(g, "shared", false);
	assert_int_equal(gate_storage_limit(g, "shared"), 2);
	gate_free(&g);
}

/* A node that answers nothing in time keeps those of other nodes from nothing. */
static void test_slow_node(void **state)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct gate_limits more = limits;
	gate_ticket a, b, c;

	(void)state;
	more.reads = 4;
	struct gate *g = gate_new(vclock_clock(v), &more);
	got = (struct got){0};
	gate_node_result(g, "pve1", true);
	gate_node_result(g, "pve1", true);
	assert_true(gate_is_slow(g, "pve1"));
	assert_false(gate_is_slow(g, "pve2"));
	a = gate_try(g, GATE_READ, "pve1", NULL);
	b = gate_try(g, GATE_READ, "pve1", NULL);
	assert_true(a && b);
	assert_false(gate_try(g, GATE_READ, "pve1", NULL));
	gate_wait(g, GATE_READ, "pve1", NULL, on_first, NULL);
	c = gate_try(g, GATE_READ, "pve2", NULL);
	assert_true(c && gate_try(g, GATE_READ, "pve2", NULL));
	assert_false(gate_try(g, GATE_READ, "pve2", NULL)); /* four in all */
	gate_wait(g, GATE_READ, "pve2", NULL, on_second, NULL);
	gate_give(g, &c);
	assert_false(gate_try(g, GATE_READ, "pve2", NULL)); /* somebody waits for it */
	vclock_run_until(v, 1);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.order[0], 2);
	/* It answers again, and its own are served. */
	gate_give(g, &got.last);
	vclock_run_until(v, 2);
	assert_int_equal(got.n, 1);
	gate_node_result(g, "pve1", false);
	assert_false(gate_is_slow(g, "pve1"));
	vclock_run_until(v, 3);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.order[1], 1);
	gate_free(&g);
}

static uint32_t touched[8];
static size_t n_touched;

static void on_touch(void *arg, uint32_t vmid)
{
	(void)arg;
	touched[n_touched++] = vmid;
}

static void feed(struct attrib *a, const char *json)
{
	_cleanup_str_ char *list = mem_printf("{\"data\":%s}", json);

	assert_int_equal(attrib_feed(a, list, strlen(list), on_touch, NULL), 0);
}

static void test_who(void **state)
{
	struct attrib *a = attrib_new("ramet@pve!ctl");

	(void)state;
	n_touched = 0;
	feed(a, "[{\"node\":\"pve\",\"uid\":\"1\",\"time\":100,\"user\":\"old@pam\",\"msg\":"
		"\"update VM "
		"7990: -cores 2\"}]");
	assert_int_equal(n_touched, 0); /* what was there at the start is no news */
	assert_string_equal(attrib_who(a, 7990, "cores"), "old@pam");
	/* newest first */
	feed(a, "[{\"node\":\"pve\",\"uid\":\"5\",\"time\":104,\"user\":\"ramet@pve!ctl\",\"msg\":"
		"\"update VM "
		"7990: -cores 4\"},"
		"{\"node\":\"pve\",\"uid\":\"4\",\"time\":103,\"user\":\"eve@pam\",\"msg\":"
		"\"starting task "
		"UPID:pve:000006CB:00064D81:6B01D86C:qmstop:7991:eve@pam:\"},"
		"{\"node\":\"pve\",\"uid\":\"3\",\"time\":102,\"user\":\"eve@pam\",\"msg\":"
		"\"update VM 7990: resize "
		"--disk scsi0 --size 2G\"},"
		"{\"node\":\"pve\",\"uid\":\"2\",\"time\":101,\"user\":\"ops@pam\",\"msg\":"
		"\"update VM 7990: "
		"-delete net1,tags -net0 virtio,bridge=vmbr0\"},"
		"{\"node\":\"pve\",\"uid\":\"1\",\"time\":100,\"user\":\"old@pam\",\"msg\":"
		"\"update VM 7990: -cores "
		"2\"}]");
	assert_int_equal(n_touched, 3);
	assert_int_equal(touched[0], 7990);
	assert_int_equal(touched[2], 7991);
	assert_string_equal(attrib_who(a, 7990, "net0"), "ops@pam");
	assert_string_equal(attrib_who(a, 7990, "net1"), "ops@pam");
	assert_string_equal(attrib_who(a, 7990, "tags"), "ops@pam");
	assert_string_equal(attrib_who(a, 7990, "scsi0"), "eve@pam");
	assert_string_equal(attrib_who(a, 7991, "power"), "eve@pam");
	/* our own change is nobody's drift */
	assert_string_equal(attrib_who(a, 7990, "cores"), "old@pam");
	assert_null(attrib_who(a, 7990, "memory"));
	assert_null(attrib_who(a, 1, "cores"));
	attrib_free(&a);
}

static void test_hostile_lines(void **state)
{
	struct attrib *a = attrib_new(NULL);

	(void)state;
	n_touched = 0;
	feed(a, "[]");
	feed(a,
	    "[{\"node\":\"n\",\"time\":1,\"user\":\"x\",\"msg\":\"update VM : -cores\"},"
	    "{\"node\":\"n\",\"time\":1,\"user\":\"x\",\"msg\":\"update VM 99999999999: -a b\"},"
	    "{\"node\":\"n\",\"time\":1,\"user\":\"x\",\"msg\":\"update VM 100\"},"
	    "{\"node\":\"n\",\"time\":1,\"user\":\"x\",\"msg\":\"UPID:::::::::\"},"
	    "{\"node\":\"n\",\"time\":1,\"user\":\"x\",\"msg\":\"update VM 100: -delete\"},"
	    "{\"time\":1},7,null]");
	assert_int_equal(attrib_feed(a, "{\"data\":null}", 13, on_touch, NULL), -1);
	assert_int_equal(attrib_feed(a, "{\"data\":[{]}", 13, on_touch, NULL), -1);
	assert_int_equal(n_touched, 1); /* the line with a VMID, though it names nothing else */
	attrib_free(&a);
}

/* Each node dates its lines by its own clock: the one that is ahead hides nothing of the others. */
static void test_clocks_of_nodes(void **state)
{
	struct attrib *a = attrib_new(NULL);

	(void)state;
	n_touched = 0;
	feed(a, "[{\"node\":\"pve2\",\"uid\":\"7\",\"time\":9000,\"user\":\"eve@pam\",\"msg\":"
		"\"update VM 7990: -cores 2\"},"
		"{\"node\":\"pve1\",\"uid\":\"1\",\"time\":100,\"user\":\"old@pam\",\"msg\":"
		"\"update VM 7991: -cores 2\"}]");
	feed(a, "[{\"node\":\"pve2\",\"uid\":\"7\",\"time\":9000,\"user\":\"eve@pam\",\"msg\":"
		"\"update VM 7990: -cores 2\"},"
		"{\"node\":\"pve1\",\"uid\":\"2\",\"time\":160,\"user\":\"ops@pam\",\"msg\":"
		"\"update VM 7991: -cores 8\"},"
		"{\"node\":\"pve1\",\"uid\":\"1\",\"time\":100,\"user\":\"old@pam\",\"msg\":"
		"\"update VM 7991: -cores 2\"}]");
	assert_int_equal(n_touched, 1);
	assert_int_equal(touched[0], 7991);
	assert_string_equal(attrib_who(a, 7991, "cores"), "ops@pam");
	assert_string_equal(attrib_who(a, 7990, "cores"), "eve@pam");
	attrib_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_queue_in_order),
	    cmocka_unit_test(test_oldest_that_may),
	    cmocka_unit_test(test_storage_in_trouble),
	    cmocka_unit_test(test_slow_node),
	    cmocka_unit_test(test_who),
	    cmocka_unit_test(test_clocks_of_nodes),
	    cmocka_unit_test(test_hostile_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
