/*
 * Chosen cases of the machines against the simulated cluster: the clone call with every fault, the
 * death of the controller at every line of its journal, a frozen cluster, a rejected push, Git out
 * of reach, the modes and the orderly stop.
 */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char web_yaml[] = "apiVersion: ramet.dev/v1\n"
			       "kind: ClonedVM\n"
			       "metadata: { name: web-01 }\n"
			       "spec:\n"
			       "  node_name: pve2\n"
			       "  clone: { source_vm_id: 9001, full: false }\n"
			       "  cpu: { cores: 4 }\n"
			       "  started: true\n";

static struct judge judge;

static void look(struct world *w)
{
	judge_look(&judge, w);
}

static struct world *new_world(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "web.yaml", web_yaml);
	memgit_commit(w->git, &files, "first");
	judge = (struct judge){0};
	judge_name(&judge, "web-01");
	return w;
}

static void end_world(struct world *w, const char *what)
{
	unsigned violations = w->violations;

	if (what || violations)
		fputs(buf_str(&w->story), stderr);
	judge_fini(&judge);
	world_free(&w);
	if (what)
		fail_msg("%s", what);
	assert_int_equal(violations, 0);
}

static void must_be_ready(struct world *w, const char *what)
{
	size_t n = 0;

	if (!world_run(w, 3600000, world_all_ready, look))
		end_world(w, what);
	world_find(w, "web-01", &n);
	if (n != 1)
		end_world(w, what);
}

/* Whatever comes of the first call, and of the second as well: one VM. */
static void test_clone_call_with_every_fault(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORLD_CALL_FAULTS; i++) {
		for (unsigned nth = 1; nth <= 2; nth++) {
			struct world *w = new_world(10 + i);
			_cleanup_str_ char *what = mem_printf("fault %zu, strikes %u", i, nth);

			world_add_fault(w, i, "POST", "*/clone", nth);
			world_start(w, CONTROLLER_RUN);
			must_be_ready(w, what);
			end_world(w, sim_fault_struck(w->sim) ? NULL : what);
		}
	}
}

/* Dies right after its n-th line is on the disk: between intent and call, call and UPID, UPID and
 * record. The next life finds what came of it. */
static void test_death_at_every_line(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 12; n++) {
		struct world *w = new_world(40 + n);
		_cleanup_str_ char *what = mem_printf("death after line %u", n);

		world_start(w, CONTROLLER_RUN);
		world_kill_after_lines(w, n);
		world_run(w, 100000, NULL, look);
		if (!w->controller)
			world_start(w, CONTROLLER_RUN);
		must_be_ready(w, what);
		end_world(w, NULL);
	}
}

/* The same, and the state directory is lost with it. */
static void test_death_and_loss(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 12; n++) {
		struct world *w = new_world(60 + n);
		_cleanup_str_ char *what = mem_printf("death and loss after line %u", n);

		world_start(w, CONTROLLER_RUN);
		world_kill_after_lines(w, n);
		world_run(w, 100000, NULL, look);
		if (w->controller)
			world_kill(w);
		memstore_drop(w->store);
		if (n % 2)
			memgit_drop_status(w->git);
		world_start(w, CONTROLLER_RUN);
		must_be_ready(w, what);
		end_world(w, NULL);
	}
}

static void test_no_quorum_freezes(void **state)
{
	struct world *w = new_world(80);
	const struct vmstat *v;

	(void)state;
	assert_int_equal(sim_node_quorum(w->sim, NULL, false, NULL), 0);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 600000, NULL, look);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	v = world_vmstat(w, "web-01");
	assert_non_null(v);
	assert_int_equal(v->reason, REASON_NO_QUORUM);
	assert_int_equal(sim_node_quorum(w->sim, NULL, true, NULL), 0);
	must_be_ready(w, "quorum is back");
	end_world(w, NULL);
}

static void test_not_in_the_list_is_not_gone(void **state)
{
	struct world *w = new_world(81);
	struct sim_fault f = {.kind = SIM_FAULT_FORBIDDEN, .method = "GET", .probability = 1.0};
	const struct vmstat *v;
	int64_t vmid;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	vmid = world_find(w, "web-01", NULL);
	sim_fault_add(w->sim, &f);
	world_run(w, 1800000, NULL, look);
	v = world_vmstat(w, "web-01");
	assert_non_null(v);
	assert_true(v->reason != REASON_MISSING);
	assert_true(sim_guest_exists(w->sim, vmid));
	sim_fault_clear(w->sim);
	must_be_ready(w, "the rights are back");
	end_world(w, NULL);
}

static void test_deleted_by_hand_is_reported(void **state)
{
	struct world *w = new_world(82);
	_cleanup_err_ struct err *e = NULL;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	assert_int_equal(sim_human_power(w->sim, world_find(w, "web-01", NULL), false, &e), 0);
	assert_int_equal(sim_human_delete(w->sim, world_find(w, "web-01", NULL), "ops@pam", &e), 0);
	world_run(w, 300000, NULL, look);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_MISSING);
	world_run(w, 3600000, NULL, look);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	end_world(w, NULL);
}

static bool git_problem(struct world *w)
{
	return controller_status(w->controller)->git_problem != NULL;
}

static void test_git_out_of_reach(void **state)
{
	struct world *w = new_world(83);

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	memgit_set_down(w->git, true);
	assert_true(world_run(w, 200000, git_problem, look));
	/* What was good stays in force. */
	assert_int_equal(controller_bundle(w->controller)->n, 1);
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	memgit_set_down(w->git, false);
	world_run(w, 300000, NULL, look);
	assert_false(git_problem(w));
	end_world(w, NULL);
}

static void test_empty_repository_and_missing_branch(void **state)
{
	struct world *w = world_new(84, NULL);

	(void)state;
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, 60000, git_problem, NULL));
	assert_non_null(strstr(controller_status(w->controller)->git_problem, "no commit yet"));
	memgit_foreign_status(w->git, "x", "y"); /* a branch, but not the watched one */
	world_run(w, 300000, NULL, NULL);
	assert_non_null(
	    strstr(controller_status(w->controller)->git_problem, "branch does not exist"));
	assert_int_equal(sim_journal_len(w->sim), 0);
	world_free(&w);
}

static void test_rejected_push_is_rebuilt(void **state)
{
	struct world *w = new_world(85);

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	world_run(w, 60000, NULL, look);
	memgit_foreign_status(w->git, "NOTES.txt", "theirs");
	assert_int_equal(sim_human_migrate(w->sim, world_find(w, "web-01", NULL), "pve3", NULL), 0);
	world_run(w, 120000, NULL, look);
	assert_null(controller_status(w->controller)->report_problem);
	assert_non_null(strstr(memgit_status_file(w->git, "vms/web-01.yaml"), "node: pve3"));
	/* Theirs is still there: never forced. */
	assert_string_equal(memgit_status_file(w->git, "NOTES.txt"), "theirs");
	end_world(w, NULL);
}

static void test_fight_is_left_alone(void **state)
{
	struct world *w = new_world(86);
	int64_t vmid;
	unsigned corrected = 0;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	vmid = world_find(w, "web-01", NULL);
	for (unsigned i = 0; i < 6; i++) {
		_cleanup_kv_ struct kv set = {0};
		const char *now;

		kv_set(&set, "tags", "mine");
		kv_set(&set, "cores", "8");
		assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
		world_run(w, 1200000, NULL, look);
		now = sim_guest_pending(w->sim, vmid, "cores");
		corrected += text_eq(now ? now : sim_guest_get(w->sim, vmid, "cores"), "4");
	}
	assert_int_equal(corrected, 3);
	assert_true(world_vmstat(w, "web-01")->drifts.n > 0);
	assert_true(world_vmstat(w, "web-01")->drifts.v[0].fight);
	assert_string_equal(world_vmstat(w, "web-01")->drifts.v[0].who, "ops@pam");
	end_world(w, NULL);
}

/* A new metadata.name with the annotation continues the VM: no second one, and the marker follows.
 */
static void test_renamed(void **state)
{
	struct world *w = new_world(90);
	_cleanup_kv_ struct kv files = {0};
	int64_t vmid;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	vmid = world_find(w, "web-01", NULL);
	kv_set(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata:\n  name: web-02\n  annotations: { "
	    "ramet.dev/renamed-from: web-01 }\nspec:\n  node_name: pve2\n  clone: { source_vm_id: "
	    "9001, full: false }\n  cpu: { cores: 4 }\n");
	memgit_commit(w->git, &files, "renamed");
	world_run(w, 600000, NULL, look);
	assert_int_equal(world_find(w, "web-02", NULL), vmid);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	assert_int_equal(sim_guests(w->sim, NULL, 0), 5); /* two templates, two strangers, one */
	assert_int_equal(world_vmstat(w, "web-02")->verdict, PLAN_IN_SYNC);
	assert_null(world_vmstat(w, "web-01"));
	/* And across a death. */
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 300000, NULL, look);
	assert_int_equal(world_vmstat(w, "web-02")->record.vmid, vmid);
	end_world(w, NULL);
}

static void test_copy_is_told_and_left_alone(void **state)
{
	struct world *w = new_world(93);
	_cleanup_kv_ struct kv conf = {0};
	const struct status *s;
	int64_t vmid;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	vmid = world_find(w, "web-01", NULL);
	kv_set(&conf, "description", sim_guest_get(w->sim, vmid, "description"));
	kv_set(&conf, "tags", "ramet");
	kv_set(&conf, "cores", "1");
	assert_int_equal(sim_human_create(w->sim, 4711, "pve3", "ops@pam", &conf, NULL), 0);
	world_run(w, 120000, NULL, look);
	s = controller_status(w->controller);
	assert_int_equal(s->copies.n, 1);
	assert_non_null(strstr(s->copies.v[0], "VM 4711"));
	assert_string_equal(sim_guest_get(w->sim, 4711, "cores"), "1");
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "4711"));
	/* Gone again, gone from the report. */
	assert_int_equal(sim_human_delete(w->sim, 4711, "ops@pam", NULL), 0);
	world_run(w, 120000, NULL, look);
	assert_int_equal(controller_status(w->controller)->copies.n, 0);
	end_world(w, NULL);
}

static size_t most_tasks;

static void count_tasks(struct world *w)
{
	if (sim_tasks_running(w->sim) > most_tasks)
		most_tasks = sim_tasks_running(w->sim);
}

/* Many at once: within the limits, and each its own VM. */
static void test_many(void **state)
{
	static const char range[] = "policy: { vmid_range: 2000-2999 }\n"
				    "reconcile: { parallel: 8, parallel_per_node: 6, "
				    "clones_per_storage: 3 }\n";
	struct world *w = world_new(91, range);
	_cleanup_kv_ struct kv files = {0};
	struct strs ids = {0};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		_cleanup_str_ char *path = mem_printf("vm-%02u.yaml", i);
		_cleanup_str_ char *text = mem_printf(
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: vm-%02u }\nspec:\n"
		    "  node_name: pve%u\n  clone: { source_vm_id: %u, full: false }\n"
		    "  cpu: { cores: 3 }\n",
		    i, 1 + i % 3, i % 2 ? 9000 : 9001);

		kv_set(&files, path, text);
	}
	memgit_commit(w->git, &files, "many");
	most_tasks = 0;
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, 600000, world_all_ready, count_tasks));
	/* Two storages with three clones each; what follows a clone counts for the whole. */
	assert_in_range(most_tasks, 4, 8);
	for (unsigned i = 0; i < 60; i++) {
		_cleanup_str_ char *name = mem_printf("vm-%02u", i);
		size_t n = 0;
		int64_t vmid = world_find(w, name, &n);

		assert_int_equal(n, 1);
		assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "3");
		strs_add_take(&ids, mem_printf("%lld", (long long)vmid));
	}
	strs_sort_unique(&ids);
	assert_int_equal(ids.n, 60);
	strs_fini(&ids);
	world_free(&w);
}

static char *plain(const char *name, bool full)
{
	return mem_printf(
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n"
	    "  node_name: pve1\n  clone: { source_vm_id: 9000, full: %s }\n",
	    name, full ? "true" : "false");
}

static bool b_waits_for_its_turn(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "vm-b");

	return v && v->reason == REASON_NO_SLOT;
}

/* Who gets its turn and needs it no more gives it back. */
static void test_turn_is_given_back(void **state)
{
	struct world *w =
	    world_new(94, "policy: { vmid_range: 2000-2999 }\nreconcile: { parallel: 1 }\n");
	_cleanup_str_ char *a = plain("vm-a", true), *b = plain("vm-b", true);
	_cleanup_str_ char *c = plain("vm-c", false);
	_cleanup_kv_ struct kv files = {0};

	(void)state;
	kv_set(&files, "a.yaml", a);
	kv_set(&files, "b.yaml", b);
	memgit_commit(w->git, &files, "two");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, 60000, b_waits_for_its_turn, NULL));
	kv_del(&files, "b.yaml");
	kv_set(&files, "c.yaml", c);
	memgit_commit(w->git, &files, "one goes, one comes");
	controller_poke(w->controller); /* b goes while it still waits */
	if (!world_run(w, 900000, world_all_ready, NULL))
		end_world(w, "the turn is lost");
	assert_true(world_find(w, "vm-c", NULL) != 0);
	assert_int_equal(world_find(w, "vm-b", NULL), 0);
	world_free(&w);
}

static bool is_settled(struct world *w)
{
	return controller_is_settled(w->controller);
}

static void test_plan_changes_nothing(void **state)
{
	struct world *w = new_world(87);
	const struct plan *p;

	(void)state;
	world_start(w, CONTROLLER_PLAN);
	assert_true(world_run(w, 60000, is_settled, NULL));
	p = controller_plan(w->controller, "web-01");
	assert_non_null(p);
	assert_true(p->create);
	assert_int_equal(sim_journal_len(w->sim), 0);
	assert_int_equal(memstore_lines(w->store), 0);
	assert_int_equal(memgit_status_commits(w->git), 0);
	end_world(w, NULL);
}

static void test_apply_settles(void **state)
{
	struct world *w = new_world(88);

	(void)state;
	world_start(w, CONTROLLER_APPLY);
	assert_true(world_run(w, 600000, is_settled, look));
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	assert_non_null(memgit_status_file(w->git, "vms/web-01.yaml"));
	end_world(w, NULL);
}

/* apply PATH works on its own VMs and leaves the report of all others as it is. */
static void test_apply_path(void **state)
{
	static const char db_yaml[] =
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: db-01 "
	    "}\nspec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, full: "
	    "false }\n";
	struct bundle_file file = {.path = "db.yaml", .data = db_yaml, .len = sizeof(db_yaml) - 1};
	struct world *w = new_world(92);
	_cleanup_str_ char *web = NULL, *readme = NULL;
	struct bundle *desired = NULL;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "at first");
	world_run(w, 60000, NULL, look);
	web = mem_strdup(memgit_status_file(w->git, "vms/web-01.yaml"));
	readme = mem_strdup(memgit_status_file(w->git, "STATUS.md"));
	world_kill(w);
	assert_int_equal(bundle_build("by hand", &file, 1, NULL, &desired, NULL), 0);
	world_start_path(w, desired);
	assert_true(world_run(w, 600000, is_settled, look));
	assert_int_equal(world_vmstat(w, "db-01")->verdict, PLAN_IN_SYNC);
	assert_null(world_vmstat(w, "web-01"));
	assert_non_null(memgit_status_file(w->git, "vms/db-01.yaml"));
	assert_string_equal(memgit_status_file(w->git, "vms/web-01.yaml"), web);
	assert_string_equal(memgit_status_file(w->git, "STATUS.md"), readme);
	world_kill(w);
	bundle_unref(&desired);
	end_world(w, NULL);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* In the middle of a clone: at the latest after 10 s it is handed to the journal. */
static void test_orderly_stop(void **state)
{
	struct world *w = new_world(89);
	bool stopped = false;
	int64_t at;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	while (sim_tasks_running(w->sim) == 0)
		world_step(w);
	at = clock_now(w->clock);
	controller_stop(w->controller, set_flag, &stopped);
	while (!stopped)
		world_step(w);
	assert_in_range(clock_now(w->clock) - at, 0, 11000);
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w, "after the stop");
	end_world(w, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clone_call_with_every_fault),
	    cmocka_unit_test(test_death_at_every_line),
	    cmocka_unit_test(test_death_and_loss),
	    cmocka_unit_test(test_no_quorum_freezes),
	    cmocka_unit_test(test_not_in_the_list_is_not_gone),
	    cmocka_unit_test(test_deleted_by_hand_is_reported),
	    cmocka_unit_test(test_git_out_of_reach),
	    cmocka_unit_test(test_empty_repository_and_missing_branch),
	    cmocka_unit_test(test_rejected_push_is_rebuilt),
	    cmocka_unit_test(test_fight_is_left_alone),
	    cmocka_unit_test(test_renamed),
	    cmocka_unit_test(test_copy_is_told_and_left_alone),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_turn_is_given_back),
	    cmocka_unit_test(test_plan_changes_nothing),
	    cmocka_unit_test(test_apply_settles),
	    cmocka_unit_test(test_apply_path),
	    cmocka_unit_test(test_orderly_stop),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
