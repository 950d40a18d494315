/* Two controllers with one id and two state directories: the newer one acts, the older one sees it
 * and only looks. */
#include "support_rival.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
/* The other controller, beside the world's own. */
static struct rival other;

static void end(struct world *w)
{
	rival_free(&other);
	world_free(&w);
}

static void commit(struct world *w, unsigned cores)
{
	_cleanup_str_ char *spec = mem_printf("  cpu: { cores: %u }\n", cores);

	world_merge_web(w, spec, "merge");
}

static struct world *open_world(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);

	commit(w, 2);
	return w;
}

/* With a VM that is Ready, and told in the report. */
static struct world *open_ready(uint64_t seed)
{
	struct world *w = open_world(seed);

	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_run(w, 60000, NULL, NULL);
	return w;
}

static const struct vmstat *vmstat_of(struct controller *c)
{
	const struct status *s = controller_status(c);

	return s->n_vms ? s->vms[0] : NULL;
}

static enum reason reason_of(struct controller *c)
{
	const struct vmstat *v = vmstat_of(c);

	return v ? v->reason : REASON__MAX;
}

static bool has_cores(struct world *w, const char *cores)
{
	int64_t vmid = world_find(w, "web-01", NULL);

	return vmid && text_eq(sim_guest_get(w->sim, vmid, "cores"), cores);
}

static bool has_three(struct world *w)
{
	return has_cores(w, "3");
}

static bool has_five(struct world *w)
{
	return has_cores(w, "5");
}

static bool own_is_replaced(struct world *w)
{
	return reason_of(w->controller) == REASON_REPLACED;
}

static bool other_is_replaced(struct world *w)
{
	(void)w;
	return reason_of(other.controller) == REASON_REPLACED;
}

static void test_newer_acts(void **state)
{
	struct world *w = open_ready(1);
	size_t entries, reports, n = 0;

	(void)state;
	rival_start(&other, w, false);
	world_run(w, 300000, NULL, NULL);
	assert_int_equal(reason_of(other.controller), REASON_IN_SYNC);
	commit(w, 3);
	assert_true(world_run(w, HOUR_MS, has_three, NULL));
	world_run(w, 300000, NULL, NULL);
	/* Something to do, and only the newer one does it; the older says why it does not. */
	assert_int_equal(
	    sim_human_delete(w->sim, world_find(w, "web-01", NULL), "ops@pam", NULL), 0);
	world_run(w, 300000, NULL, NULL);
	world_find(w, "web-01", &n);
	assert_int_equal(n, 0); /* on_missing: report */
	rival_stop(&other);
	entries = sim_journal_len(w->sim);
	reports = memgit_status_commits(w->git);
	commit(w, 4);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_int_equal(memgit_status_commits(w->git), reports);
	/* Started again it is the newest. */
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 300000, NULL, NULL);
	assert_true(memgit_status_commits(w->git) > reports);
	assert_non_null(strstr(memgit_status_file(w->git, "summary.json"),
	    controller_status(w->controller)->instance));
	end(w);
}

/* Each change is made by one of them only, from the moment on at which the older one can know. */
static void test_older_says_so(void **state)
{
	struct world *w = open_ready(2);
	int64_t vmid;

	(void)state;
	vmid = world_find(w, "web-01", NULL);
	rival_start(&other, w, false);
	commit(w, 3);
	assert_true(world_run(w, 600000, has_three, NULL));
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	end(w);
}

static void commit_absent(struct world *w)
{
	world_merge_web(w, "  state: absent\n", "absent");
}

static bool is_gone(struct world *w)
{
	return world_find(w, "web-01", NULL) == 0;
}

/* What the newer one destroyed, as it was told to, the older one does not miss when it acts again:
 * its record is older than the report. */
static void test_destroyed_by_the_other(void **state)
{
	struct world *w = open_ready(3);
	int64_t vmid;

	(void)state;
	vmid = world_find(w, "web-01", NULL);
	rival_start(&other, w, false);
	world_run(w, 300000, NULL, NULL);
	world_kill(w); /* with its record */
	commit_absent(w);
	assert_true(world_run(w, HOUR_MS, is_gone, NULL));
	world_run(w, 120000, NULL, NULL);
	rival_stop(&other);
	commit(w, 2);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	assert_int_not_equal(world_find(w, "web-01", NULL), vmid);
	end(w);
}

static bool is_struck(struct world *w)
{
	return sim_fault_struck(w->sim) > 0;
}

/* The older one asks for a clone just before it sees that it was replaced, and the cluster makes it
 * when the newer one is about to: it is met and taken, at whatever moment it comes. */
static void test_late_clone_of_the_other(void **state)
{
	(void)state;
	for (int64_t late = 60000; late < 180000; late += 5000) {
		struct world *w = world_new(40, NULL);
		struct sim_fault f = {
		    .kind = SIM_FAULT_DELAY, .path = "*/clone", .nth = 1, .delay_ms = late};
		_cleanup_kv_ struct kv none = {0};
		size_t n = 0;

		w->tell = getenv("RAMET_WORLD_TELL") != NULL;
		kv_set(&none, "README", "nothing");
		memgit_commit(w->git, &none, "begin");
		world_start(w, CONTROLLER_RUN);
		world_run(w, 120000, NULL, NULL);
		commit(w, 2);
		sim_fault_add(w->sim, &f);
		assert_true(world_run(w, HOUR_MS, is_struck, NULL));
		rival_start(&other, w, false);
		world_run(w, 1800000, NULL, NULL);
		world_find(w, "web-01", &n);
		if (n != 1)
			fail_msg(
			    "%zu VMs with a clone that is %lld s late", n, (long long)late / 1000);
		assert_int_equal(vmstat_of(other.controller)->verdict, PLAN_IN_SYNC);
		end(w);
	}
}

static bool own_says_replaced(struct world *w)
{
	return strstr(buf_str(&w->story), "a newer instance (");
}

/* Of the older one: whether it asked for a number, and what it asked for after it said that another
 * one acts. */
static unsigned numbers, late_calls;

static void note_call(void *arg, const char *method, const char *path)
{
	struct world *w = arg;

	numbers += text_ends(path, "/nextid");
	late_calls += strcmp(method, "GET") != 0 && own_says_replaced(w);
}

static bool asks_for_a_number(struct world *w)
{
	(void)w;
	return numbers > 0;
}

/* What it asks before it asks for the clone is answered so slowly that another one has taken over
 * by then. */
static void test_replaced_while_it_asks(void **state)
{
	(void)state;
	for (uint64_t seed = 60; seed < 70; seed++) {
		struct world *w = world_new(seed, NULL);
		struct sim_fault f = {.kind = SIM_FAULT_DELAY_ANSWER,
		    .method = "GET",
		    .probability = 1,
		    .delay_ms = 25000};
		_cleanup_kv_ struct kv none = {0};

		kv_set(&none, "README", "nothing");
		memgit_commit(w->git, &none, "begin");
		world_start(w, CONTROLLER_RUN);
		world_run(w, 120000, NULL, NULL);
		simport_set_hook(w->port, note_call, w);
		sim_fault_add(w->sim, &f);
		commit(w, 2);
		numbers = 0;
		assert_true(world_run(w, HOUR_MS, asks_for_a_number, NULL));
		rival_start(&other, w, false);
		world_run(w, 1800000, NULL, NULL);
		end(w);
	}
	assert_int_equal(late_calls, 0);
}

static void note_unwanted(void *arg, const char *method, const char *path)
{
	struct world *w = arg;
	const struct bundle *b = controller_bundle(w->controller);

	numbers += text_ends(path, "/nextid");
	(void)method;
	late_calls += text_ends(path, "/clone") && b && text_eq(b->rev, memgit_head(w->git));
}

/* The same, and it is not wanted any more when the answer comes. */
static void test_unwanted_while_it_asks(void **state)
{
	(void)state;
	late_calls = 0;
	for (uint64_t seed = 60; seed < 65; seed++) {
		struct world *w = world_new(seed, NULL);
		struct sim_fault f = {.kind = SIM_FAULT_DELAY_ANSWER,
		    .method = "GET",
		    .probability = 1,
		    .delay_ms = 25000};

		commit(w, 2);
		sim_fault_add(w->sim, &f);
		numbers = 0;
		world_start(w, CONTROLLER_RUN);
		simport_set_hook(w->port, note_call, w);
		assert_true(world_run(w, HOUR_MS, asks_for_a_number, NULL));
		commit_absent(w);
		simport_set_hook(w->port, note_unwanted, w);
		world_run(w, 600000, NULL, NULL);
		world_free(&w);
	}
	assert_int_equal(late_calls, 0);
}

static bool is_told_as_begun(struct world *w)
{
	const char *told = memgit_status_file(w->git, "vms/web-01.yaml");

	return told && strstr(told, "vmid: 1") && !strstr(told, "uuid: ");
}

/* One saw a clone begin and the other one saw it end: that it was there is known to both, and when
 * somebody deletes it, it is not made anew unasked. */
static void test_end_seen_by_the_other(void **state)
{
	struct sim_fault f = {
	    .kind = SIM_FAULT_DELAY, .path = "*/clone", .nth = 1, .delay_ms = 25000};
	struct world *w = open_world(42);
	int64_t vmid;

	(void)state;
	sim_fault_add(w->sim, &f);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, is_told_as_begun, NULL));
	rival_start(&other, w, false);
	world_run(w, 20000, NULL, NULL);
	rival_stop(&other);
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_run(w, 60000, NULL, NULL);
	rival_start(&other, w, false);
	world_run(w, 20000, NULL, NULL);
	vmid = world_find(w, "web-01", NULL);
	assert_int_equal(sim_human_delete(w->sim, vmid, "root@pam", NULL), 0);
	world_run(w, 1800000, NULL, NULL);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	assert_int_equal(reason_of(other.controller), REASON_MISSING);
	end(w);
}

static unsigned writes_of(struct world *w, size_t from)
{
	unsigned n = 0;
	uint64_t last = 0;

	for (size_t i = from; i < sim_journal_len(w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		if (text_ends(e.path, "/config") && e.request != last) {
			n++;
			last = e.request;
		}
	}
	return n;
}

/* The older one was away, the newer one acts, and the report is lost, in which the older one would
 * have seen that: it does not act before the newer one could see it. */
static void test_older_comes_back_without_a_report(void **state)
{
	struct world *w = open_ready(4);
	size_t from;

	(void)state;
	world_kill(w);
	rival_start(&other, w, false);
	world_run(w, 300000, NULL, NULL);
	assert_int_equal(reason_of(other.controller), REASON_IN_SYNC);
	memgit_drop_status(w->git);
	from = sim_journal_len(w->sim);
	world_start(w, CONTROLLER_RUN);
	commit(w, 3);
	/* A poll of the other one and a look. */
	world_run(w, 20000, NULL, NULL);
	assert_int_equal(reason_of(w->controller), REASON_TAKING_OVER);
	assert_true(world_run(w, HOUR_MS, has_three, NULL));
	assert_int_equal(writes_of(w, from), 1);
	world_run(w, 300000, NULL, NULL);
	from = sim_journal_len(w->sim);
	commit(w, 5);
	assert_true(world_run(w, HOUR_MS, has_five, NULL));
	world_run(w, 300000, NULL, NULL);
	assert_int_equal(writes_of(w, from), 1);
	end(w);
}

/* Both begin at the same moment, on an empty repository: one VM. */
static void test_at_the_same_moment(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 30; seed++) {
		struct world *w = open_world(seed);
		size_t n = 0;

		world_start(w, CONTROLLER_RUN);
		rival_start(&other, w, false);
		world_run(w, 900000, NULL, NULL);
		world_find(w, "web-01", &n);
		assert_int_equal(n, 1);
		commit(w, 3);
		assert_true(world_run(w, HOUR_MS, has_three, NULL));
		commit(w, 5);
		assert_true(world_run(w, HOUR_MS, has_five, NULL));
		world_run(w, 60000, NULL, NULL);
		/* At most one of them was replaced: somebody acts. */
		assert_false(own_is_replaced(w) && other_is_replaced(w));
		end(w);
	}
}

/* Whoever only observes, with the same controller.id, is no rival: it neither acts nor takes the
 * report over, and the one that acts goes on. */
static void test_observer_beside(void **state)
{
	struct world *w = open_ready(40);
	_cleanup_str_ char *own = NULL;
	size_t reports;

	(void)state;
	own = mem_strdup(controller_status(w->controller)->instance);
	reports = memgit_status_commits(w->git);
	rival_start(&other, w, true);
	world_run(w, 600000, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), reports);
	assert_non_null(strstr(memgit_status_file(w->git, "summary.json"), own));
	commit(w, 3);
	assert_true(world_run(w, 600000, has_three, NULL));
	world_run(w, 120000, NULL, NULL);
	assert_int_equal(reason_of(w->controller), REASON_IN_SYNC);
	assert_non_null(strstr(memgit_status_file(w->git, "summary.json"), own));
	end(w);
}

/* It reports as long as nobody acts; who begins to act does not wait for it, and takes the report
 * over. */
static void test_observer_first(void **state)
{
	struct world *w = open_world(41);
	size_t reports;
	int64_t at;

	(void)state;
	rival_start(&other, w, true);
	world_run(w, 300000, NULL, NULL);
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "ObserveOnly"));
	at = clock_now(w->clock);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	assert_in_range(clock_now(w->clock) - at, 0, 70000);
	world_run(w, 300000, NULL, NULL);
	assert_null(strstr(memgit_status_file(w->git, "STATUS.md"), "ObserveOnly"));
	reports = memgit_status_commits(w->git);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), reports);
	end(w);
}

/* Whoever observes writes no record, and so leaves no word either that all records are there: who
 * acts after it on the same state directory looks at all VMs itself. */
static void test_observer_on_an_empty_directory(void **state)
{
	struct world *w = open_world(42);
	struct sim_fault f = {.kind = SIM_FAULT_FORBIDDEN, .probability = 1};
	_cleanup_str_ char *path = NULL;
	size_t n = 0;

	(void)state;
	world_start(w, CONTROLLER_RUN);
	while (sim_tasks_running(w->sim) == 0) { /* the clone, which no report knows of yet */
		assert_true(clock_now(w->clock) < HOUR_MS);
		world_step(w);
	}
	world_kill(w);
	memstore_drop(w->store);
	w->observe_only = true;
	world_start(w, CONTROLLER_RUN);
	world_run(w, 600000, NULL, NULL);
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	world_kill(w);
	w->observe_only = false;
	path = mem_printf("/nodes/*/qemu/%lld/*", (long long)world_find(w, "web-01", NULL));
	f.path = path;
	sim_fault_add(w->sim, &f); /* what cannot be read may be it */
	world_start(w, CONTROLLER_RUN);
	world_run(w, 600000, NULL, NULL);
	sim_fault_clear(w->sim);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	end(w);
}

static void merge_two(struct world *w, const char *first, const char *second)
{
	_cleanup_kv_ struct kv files = {0};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_str_ char *path = mem_printf("web-%zu.yaml", i);

		kv_setf(&files, path,
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-0%zu "
		    "}\nspec:\n"
		    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n%s",
		    i + 1, i ? second : first);
	}
	memgit_commit(w->git, &files, "both");
}

static bool other_is_ready(struct world *w)
{
	const struct status *s = controller_status(other.controller);

	(void)w;
	return s->n_vms == 2 && s->vms[0]->verdict == PLAN_IN_SYNC &&
	       s->vms[1]->verdict == PLAN_IN_SYNC;
}

/* What the older one destroyed in the moment in which it was replaced stands in no report, and
 * counts for the budget. */
static void test_budget_of_both(void **state)
{
	static const char absent[] = "  state: absent\n";

	(void)state;
	for (int64_t at = 2000; at < 60000; at += 6000) {
		struct world *w = world_new(70,
		    "policy: { vmid_range: 1000-1099, destroy_budget: { count: 1, percent: 50, "
		    "window: 10m } }\n");

		merge_two(w, "", "");
		rival_start(&other, w, false);
		assert_true(world_run(w, HOUR_MS, other_is_ready, NULL));
		world_run(w, 120000, NULL, NULL);
		merge_two(w, absent, "");
		world_run(w, at, NULL, NULL);
		world_start(w, CONTROLLER_RUN);
		assert_true(world_run(w, HOUR_MS, is_gone, NULL));
		world_run(w, 180000, NULL, NULL);
		merge_two(w, absent, absent);
		world_run(w, 300000, NULL, NULL);
		assert_int_not_equal(world_find(w, "web-02", NULL), 0);
		assert_int_equal(world_vmstat(w, "web-02")->reason, REASON_DESTROY_BUDGET);
		end(w);
	}
}

/* With something to report that has to wait for its turn: that another one has taken over is seen
 * all the same. */
static void test_seen_while_a_report_waits(void **state)
{
	struct world *w =
	    world_new(44, "policy: { vmid_range: 1000-1099 }\nreport: { interval: 30m }\n");

	(void)state;
	commit(w, 2);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_run(w, HOUR_MS, NULL, NULL);
	commit(w, 3);
	assert_true(world_run(w, HOUR_MS, has_three, NULL));
	world_run(w, HOUR_MS / 4, NULL, NULL);
	commit(w, 5);
	assert_true(world_run(w, HOUR_MS, has_five, NULL));
	rival_start(&other, w, false);
	assert_true(world_run(w, 150000, own_says_replaced, NULL));
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newer_acts),
	    cmocka_unit_test(test_older_says_so),
	    cmocka_unit_test(test_older_comes_back_without_a_report),
	    cmocka_unit_test(test_destroyed_by_the_other),
	    cmocka_unit_test(test_late_clone_of_the_other),
	    cmocka_unit_test(test_replaced_while_it_asks),
	    cmocka_unit_test(test_unwanted_while_it_asks),
	    cmocka_unit_test(test_end_seen_by_the_other),
	    cmocka_unit_test(test_budget_of_both),
	    cmocka_unit_test(test_seen_while_a_report_waits),
	    cmocka_unit_test(test_at_the_same_moment),
	    cmocka_unit_test(test_observer_beside),
	    cmocka_unit_test(test_observer_first),
	    cmocka_unit_test(test_observer_on_an_empty_directory),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
