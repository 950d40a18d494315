/* The times that a manifest gives: what takes longer is told, and nothing is done twice for it. */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)

static void merge(struct world *w, const char *timeouts)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	    "  node_name: pve1\n  clone: { source_vm_id: 9000 }\n%s",
	    timeouts);
	memgit_commit(w->git, &files, "a merge");
}

static bool is_late(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->message && strstr(v->message, "timeouts.read");
}

static bool is_stuck(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->reason == REASON_TASK_STUCK;
}

/* Each of the calls is answered within its own time, and all of them together take too long. */
static void test_read(void **state)
{
	struct sim_fault slow = {.kind = SIM_FAULT_DELAY_ANSWER,
	    .path = "/nodes/*/qemu/*/status/current",
	    .probability = 1,
	    .delay_ms = 20000};
	struct world *w = world_new(321, NULL);

	(void)state;
	merge(w, "");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	sim_fault_add(w->sim, &slow);
	assert_false(world_run(w, HOUR, is_late, NULL)); /* five minutes by default */
	assert_true(world_all_ready(w));
	merge(w, "  timeouts: { read: 5s }\n");
	assert_true(world_run(w, HOUR, is_late, NULL));
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_WAIT);
	sim_fault_clear(w->sim);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	world_free(&w);
}

/* The clone of 20 GiB takes longer. */
static void test_create(void **state)
{
	struct world *w = world_new(322, NULL);
	size_t n = 0;

	(void)state;
	merge(w, "  timeouts: { create: 5s }\n");
	world_start(w, CONTROLLER_RUN);
	if (!world_run(w, 90000, is_stuck, NULL))
		fail_msg("%s", buf_str(&w->story));
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	assert_int_not_equal(world_find(w, "web-01", &n), 0);
	assert_int_equal(n, 1);
	world_free(&w);

	w = world_new(322, NULL);
	merge(w, "");
	world_start(w, CONTROLLER_RUN);
	assert_false(world_run(w, 90000, is_stuck, NULL));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_create),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
