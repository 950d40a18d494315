/*
 * What is waited for, or was done a moment ago, is neither written down nor asked for again and
 * again.
 */
#include "support_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD(name)                                                                        \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n" \
	"  node_name: pve1\n"

static struct world *new_world(uint64_t seed, const char *yaml)
{
	struct world *w = world_new(seed, NULL);

	case_merge(w, yaml, "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	return w;
}

static size_t pool_writes;

static void count_pool_writes(void *arg, const char *method, const char *path)
{
	(void)arg;
	pool_writes += strcmp(method, "PUT") == 0 && text_starts(path, "/pools");
}

static const char plain_yaml[] = HEAD("web-01") "  clone: { source_vm_id: 9000, full: false }\n";
static const char disk_yaml[] =
    HEAD("web-01") "  clone: { source_vm_id: 9000, full: false }\n"
		   "  disk: { scsi1: { datastore_id: fast, size_gb: 5 } }\n";
static const char move_yaml[] = HEAD("web-01") "  clone: { source_vm_id: 9000 }\n"
					       "  disk: { scsi0: { datastore_id: fast } }\n";
static const char full_yaml[] = HEAD("web-01") "  clone: { source_vm_id: 9000 }\n";

static void waits_quietly(uint64_t seed, const char *before, const char *after)
{
	struct world *w = new_world(seed, before);

	assert_int_equal(sim_node_quorum(w->sim, NULL, false, NULL), 0);
	world_run(w, 120000, NULL, NULL);
	case_merge(w, after, "second");
	world_run(w, 180000, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_NO_QUORUM);
	size_t lines = memstore_lines(w->store), reports = memgit_status_commits(w->git);
	world_run(w, 600000, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_NO_QUORUM);
	assert_int_equal(memstore_lines(w->store), lines);
	assert_int_equal(memgit_status_commits(w->git), reports);
	assert_int_equal(sim_node_quorum(w->sim, NULL, true, NULL), 0);
	case_must_be_ready(w);
	assert_non_null(strstr(sim_guest_get(w->sim, world_find(w, "web-01", NULL),
				   after == disk_yaml ? "scsi1" : "scsi0"),
	    "fast:"));
	world_free(&w);
}

/* What is to be made or moved is on record before it is asked for, and not sooner. */
static void test_waiting_for_quorum(void **state)
{
	(void)state;
	waits_quietly(301, plain_yaml, disk_yaml);
	waits_quietly(302, full_yaml, move_yaml);
}

static int64_t wrote_at;
static struct clock *hands;

static void note_write(void *arg, const char *method, const char *path)
{
	(void)arg;
	if (!wrote_at && strcmp(method, "POST") == 0 && text_ends(path, "/config"))
		wrote_at = clock_now(hands);
}

/* Nobody notices a partition in its first seconds, so what allocates waits until quorum has lasted
 * 15 s: after it was lost, and after nobody could see whether it was there. */
static void test_quorum_has_to_last(void **state)
{
	struct sim_fault refuse = {.kind = SIM_FAULT_REFUSE, .probability = 1};

	(void)state;
	for (int blind = 0; blind < 2; blind++) {
		struct world *w = new_world(305, plain_yaml);
		int64_t back;

		world_run(w, 120000, NULL, NULL);
		if (blind)
			sim_fault_add(w->sim, &refuse);
		else
			assert_int_equal(sim_node_quorum(w->sim, NULL, false, NULL), 0);
		case_merge(w, disk_yaml, "second");
		world_run(w, 180000, NULL, NULL);
		hands = w->clock;
		wrote_at = 0;
		simport_set_hook(w->port, note_write, NULL);
		back = clock_now(w->clock);
		if (blind)
			sim_fault_clear(w->sim);
		else
			assert_int_equal(sim_node_quorum(w->sim, NULL, true, NULL), 0);
		case_must_be_ready(w);
		assert_true(wrote_at >= back + 15000);
		world_free(&w);
	}
}

#define POOL_YAML(pool) \
	HEAD("web-01") "  clone: { source_vm_id: 9000, full: false, pool_id: " pool " }\n"

/* The list of guests that the pool is read from is behind by some seconds. */
static void test_pool_is_written_once(void **state)
{
	(void)state;
	for (uint64_t seed = 311; seed < 319; seed++) {
		struct world *w = new_world(seed, POOL_YAML("production"));

		pool_writes = 0;
		simport_set_hook(w->port, count_pool_writes, NULL);
		case_merge(w, POOL_YAML("lab"), "second");
		world_run(w, 300000, NULL, NULL);
		case_must_be_ready(w);
		assert_string_equal(sim_guest_pool(w->sim, world_find(w, "web-01", NULL)), "lab");
		assert_int_equal(pool_writes, 1);
		world_free(&w);
	}
}

/* pvestatd stands still, as on a node that just came back: its storages are waited for. */
static void test_silent_storage(void **state)
{
	struct world *w = new_world(321, plain_yaml);
	const struct vmstat *v;

	(void)state;
	assert_int_equal(sim_node_statd(w->sim, NULL, false, NULL), 0);
	world_run(w, 900000, NULL, NULL);
	case_merge(w, disk_yaml, "second");
	world_run(w, 180000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->verdict, PLAN_WAIT);
	assert_int_equal(v->reason, REASON_STORAGE_SILENT);
	assert_non_null(strstr(v->message, "storage fast since 2026-"));
	size_t reports = memgit_status_commits(w->git);
	world_run(w, 900000, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), reports);
	assert_int_equal(sim_node_statd(w->sim, NULL, true, NULL), 0);
	case_must_be_ready(w);
	assert_int_equal(sim_volumes_of(w->sim, world_find(w, "web-01", NULL)), 2);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_waiting_for_quorum),
	    cmocka_unit_test(test_quorum_has_to_last),
	    cmocka_unit_test(test_pool_is_written_once),
	    cmocka_unit_test(test_silent_storage),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
