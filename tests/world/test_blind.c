/* A token that may not read everything: what it cannot see is not taken for gone, and nobody is
 * named for what it cannot read. */
#include "log.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)

static void merge(struct world *w, const char *more)
{
	_cleanup_str_ char *spec = mem_printf("  cpu: { cores: 4 }\n%s", more);

	world_merge_web(w, spec, "a merge");
}

static struct world *ready_world(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);

	merge(w, "");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	return w;
}

static void forbid(struct world *w, const char *path)
{
	struct sim_fault f = {.kind = SIM_FAULT_FORBIDDEN, .path = path, .probability = 1};

	sim_fault_add(w->sim, &f);
}

static bool is_missing(struct world *w)
{
	return world_vmstat(w, "web-01")->reason == REASON_MISSING;
}

/* Sys.Audit on /: without it nobody can tell whether there is quorum. */
static void test_quorum_unseen(void **state)
{
	struct world *w = ready_world(361);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	forbid(w, "/cluster/status");
	world_run(w, 5 * MINUTE, NULL, NULL);
	merge(w, "  disk: { scsi1: { datastore_id: fast, size_gb: 5 } }\n");
	world_run(w, 30 * MINUTE, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_NO_QUORUM);
	assert_null(sim_guest_pending(w->sim, vmid, "scsi1"));
	assert_null(sim_guest_get(w->sim, vmid, "scsi1"));
	assert_int_equal(sim_human_delete(w->sim, vmid, "ops@pam", NULL), 0);
	assert_false(world_run(w, HOUR, is_missing, NULL));
	sim_fault_clear(w->sim);
	assert_true(world_run(w, HOUR, is_missing, NULL));
	world_free(&w);
}

static bool is_corrected(struct world *w)
{
	return world_vmstat(w, "web-01")->corrected.n == 1;
}

/* Sys.Syslog on /: without it every author is unknown, and all else works. */
static void test_log_unseen(void **state)
{
	struct world *w = ready_world(362);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv set = {0};

	(void)state;
	forbid(w, "/cluster/log");
	world_run(w, 5 * MINUTE, NULL, NULL);
	kv_set(&set, "cores", "8");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	assert_true(world_run(w, 15 * MINUTE, is_corrected, NULL));
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	assert_null(world_vmstat(w, "web-01")->corrected.v[0].who);
	assert_null(controller_status(w->controller)->cluster_problem);
	world_free(&w);
}

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quorum_unseen),
	    cmocka_unit_test(test_log_unseen),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
