/* What depends on another VM is started after it, not only made after it, and keeps it from being
 * destroyed already while it is made. */
#include "log.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)

static void merge(struct world *w, const char *db)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "db.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: db-01 }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n  started: true\n%s",
	    db);
	kv_set(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n  started: true\n"
	    "  depends_on: [db-01]\n");
	memgit_commit(w->git, &files, "a merge");
}

static bool runs(struct world *w)
{
	return sim_guest_running(w->sim, world_find(w, "web-01", NULL));
}

static bool is_stalled(struct world *w)
{
	return world_vmstat(w, "db-01")->verdict == PLAN_STALLED;
}

static void test_started_after(void **state)
{
	struct world *w = world_new(351, NULL);

	(void)state;
	merge(w, "");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	merge(
	    w, "  disk: { scsi0: { size_gb: 1 } }\n"); /* smaller than it is: a person is needed */
	assert_true(world_run(w, HOUR, is_stalled, NULL));
	assert_int_equal(sim_human_power(w->sim, world_find(w, "web-01", NULL), false, NULL), 0);
	assert_false(world_run(w, 30 * MINUTE, runs, NULL));
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_DEPENDENCY);
	merge(w, "");
	assert_true(world_run(w, HOUR, runs, NULL));
	world_free(&w);
}

static bool is_cloned_from(struct world *w)
{
	return sim_fault_struck(w->sim) > 0;
}

static void test_kept_for_what_is_being_made(void **state)
{
	struct world *w = world_new(352, NULL);
	struct sim_fault f = {.kind = SIM_FAULT_TASK_HANG, .path = "*/clone", .nth = 2};
	int64_t db;

	(void)state;
	sim_fault_add(w->sim, &f);
	merge(w, "");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, is_cloned_from, NULL));
	db = world_find(w, "db-01", NULL);
	merge(w, "  state: absent\n");
	world_run(w, 20 * MINUTE, NULL, NULL);
	assert_true(sim_guest_exists(w->sim, db));
	assert_true(sim_guest_running(w->sim, db));
	assert_int_equal(world_vmstat(w, "db-01")->reason, REASON_DEPENDENTS);
	world_free(&w);
}

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_started_after),
	    cmocka_unit_test(test_kept_for_what_is_being_made),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
