/* How often a clone that fails is asked for again is what the manifest says; then a person is. */
#include "log.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000

static unsigned calls;

static void count_clones(void *arg, const char *method, const char *path)
{
	(void)arg;
	calls += strcmp(method, "POST") == 0 && text_ends(path, "/clone");
}

static bool is_stalled(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->verdict == PLAN_STALLED;
}

static void must_be_tried(const char *retries, unsigned times)
{
	struct sim_fault fails = {.kind = SIM_FAULT_TASK_ERROR,
	    .method = "POST",
	    .path = "*/clone",
	    .probability = 1,
	    .text = "clone failed: something that nobody knows"};
	struct world *w = world_new(341, NULL);
	_cleanup_kv_ struct kv files = {0};

	calls = 0;
	sim_fault_add(w->sim, &fails);
	kv_setf(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: 9001%s }\n",
	    retries);
	memgit_commit(w->git, &files, "first");
	world_start(w, CONTROLLER_RUN);
	simport_set_hook(w->port, count_clones, NULL);
	if (!world_run(w, HOUR_MS, is_stalled, NULL))
		fail_msg("%s", buf_str(&w->story));
	assert_int_equal(calls, times);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_REJECTED);
	world_free(&w);
}

static void test_clone_that_fails(void **state)
{
	(void)state;
	must_be_tried(", retries: 0", 1);
	must_be_tried(", retries: 1", 2);
	must_be_tried("", 4); /* three by default */
}

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clone_that_fails),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
