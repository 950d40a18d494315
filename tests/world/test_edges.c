/* The outer edges: a state directory that cannot be written, a clock that jumps, steps that an
 * earlier life began. */
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000

/* What the outside was asked, and what became of it. */
static struct {
	bool disk_full;
	unsigned calls;
	unsigned posts;	     /* calls that change something */
	unsigned unwritten;  /* of them: without a line of their own in the journal before */
	const char *kill_at; /* the process dies right after this call has its effect */
	char last_line[64];  /* kind of the last line */
} seen;

static enum fate on_touch(void *arg, enum touch kind, const char *what, const char *where)
{
	const char *t = kind == TOUCH_JOURNAL ? strstr(where, "\"t\":\"") : NULL;

	(void)arg;
	if (kind == TOUCH_JOURNAL) {
		if (t && !seen.disk_full)
			snprintf(seen.last_line, sizeof(seen.last_line), "%.*s",
			    (int)strcspn(t + 5, "\""), t + 5);
		return seen.disk_full ? FATE_FAIL : FATE_NORMAL;
	}
	seen.calls += kind == TOUCH_CLUSTER;
	if (kind != TOUCH_CLUSTER || strcmp(what, "GET") == 0)
		return FATE_NORMAL;
	seen.posts++;
	seen.unwritten += strcmp(seen.last_line, "step") != 0 &&
			  strcmp(seen.last_line, "intent") != 0 &&
			  strcmp(seen.last_line, "depart") != 0;
	if (seen.kill_at && strstr(where, seen.kill_at)) {
		seen.kill_at = NULL;
		return FATE_DIE_AFTER;
	}
	return FATE_NORMAL;
}

static void merge(struct world *w, const char *spec)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: 9001 }\n%s",
	    spec);
	memgit_commit(w->git, &files, "merge");
}

static struct world *new_world(uint64_t seed, const char *spec)
{
	struct world *w = world_new(seed, NULL);

	memset(&seen, 0, sizeof(seen));
	world_set_fates(w, on_touch, NULL);
	merge(w, spec);
	return w;
}

static void must_be_ready(struct world *w)
{
	const struct vmstat *v;

	if (world_run(w, HOUR_MS, world_all_ready, NULL))
		return;
	v = world_vmstat(w, "web-01");
	fail_msg("not Ready (%s): %s", v ? reason_word(v->reason) : "nothing", buf_str(&w->story));
}

static struct world *ready_world(uint64_t seed, const char *spec)
{
	struct world *w = new_world(seed, spec);

	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	world_run(w, 60000, NULL, NULL);
	return w;
}

static enum reason reason_of(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v ? v->reason : REASON__MAX;
}

static bool is_unwritable(struct world *w)
{
	return reason_of(w) == REASON_STATE_UNWRITABLE;
}

static void must_recover(struct world *w, int64_t within_ms)
{
	int64_t at = clock_now(w->clock);

	seen.disk_full = false;
	must_be_ready(w);
	assert_in_range(clock_now(w->clock) - at, 0, within_ms);
	world_run(w, 60000, NULL, NULL);
	assert_null(controller_status(w->controller)->state_problem);
	assert_null(strstr(memgit_status_file(w->git, "STATUS.md"), "No space left"));
	assert_int_equal(seen.unwritten, 0);
}

/* A full disk: nothing is cloned, the report says so, and it goes on as soon as there is room. */
static void test_no_clone_unwritten(void **state)
{
	struct world *w = new_world(1, "");

	(void)state;
	world_start(w, CONTROLLER_RUN);
	seen.disk_full = true;
	assert_true(world_run(w, HOUR_MS, is_unwritable, NULL));
	world_run(w, HOUR_MS, NULL, NULL);
	assert_true(is_unwritable(w));
	assert_int_equal(seen.posts, 0);
	assert_non_null(strstr(world_vmstat(w, "web-01")->message, "No space left on device"));
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "StateUnwritable"));
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "**State:**"));
	must_recover(w, 60000);
	world_free(&w);
}

/* The same for a VM that is there: no step without its line. */
static void test_no_step_unwritten(void **state)
{
	static const char *const steps[] = {"  cpu: { cores: 3 }\n",
	    "  disk: { scsi0: { size_gb: 9 } }\n", "  disk: { scsi0: { datastore_id: shared } }\n",
	    "  started: true\n", "  state: absent\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct world *w = ready_world(10 + i, "");
		unsigned posts = seen.posts;

		seen.disk_full = true;
		merge(w, steps[i]);
		assert_true(world_run(w, HOUR_MS, is_unwritable, NULL));
		world_run(w, 600000, NULL, NULL);
		assert_true(is_unwritable(w));
		assert_int_equal(seen.posts, posts);
		assert_int_equal(
		    sim_guest_get(w->sim, world_find(w, "web-01", NULL), "name") != NULL, 1);
		must_recover(w, 60000);
		assert_true(seen.posts > posts);
		world_free(&w);
	}
}

/* A record names it. */
static bool journal_has(struct world *w, const char *what)
{
	struct store *s = memstore_port(w->store);
	struct strs lines = {0};
	bool has = false;

	assert_int_equal(s->ops->load(s, &lines, NULL), 0);
	for (size_t i = 0; i < lines.n; i++)
		has |= strstr(lines.v[i], "\"record\"") && strstr(lines.v[i], what);
	strs_fini(&lines);
	return has;
}

/* What a VM was learnt to be while the disk was full is written down later. */
static void test_record_is_saved_later(void **state)
{
	struct world *w =
	    new_world(20, "  disk: { scsi1: { datastore_id: shared, size_gb: 1 } }\n");

	(void)state;
	world_start(w, CONTROLLER_RUN);
	while (world_find(w, "web-01", NULL) == 0 ||
	       !sim_guest_get(w->sim, world_find(w, "web-01", NULL), "scsi1"))
		world_step(w);
	seen.disk_full = true;
	world_run(w, 120000, NULL, NULL);
	must_recover(w, 60000);
	assert_true(journal_has(w, "scsi1"));
	world_free(&w);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* A long step is handed to the journal, and followed by the next life before anything else. */
static void test_step_is_handed_over(void **state)
{
	struct world *w = ready_world(30, "");
	bool stopped = false;
	unsigned posts;
	int64_t at;

	(void)state;
	merge(w, "  disk: { scsi0: { datastore_id: shared } }\n");
	while (sim_tasks_running(w->sim) == 0)
		world_step(w);
	posts = seen.posts;
	at = clock_now(w->clock);
	controller_stop(w->controller, set_flag, &stopped);
	while (!stopped)
		world_step(w);
	assert_in_range(clock_now(w->clock) - at, 0, 11000);
	assert_int_equal(sim_tasks_running(w->sim), 1);
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_int_equal(seen.posts, posts); /* nobody asked twice */
	assert_non_null(
	    strstr(sim_guest_get(w->sim, world_find(w, "web-01", NULL), "scsi0"), "shared:"));
	world_free(&w);
}

/* ---- the clock ---- */

#define DAY_MS (24 * (int64_t)HOUR_MS)

static const int64_t jumps[] = {5 * HOUR_MS, -5 * HOUR_MS, 400 * DAY_MS, -400 * DAY_MS};

static void jump(struct world *w, int64_t by)
{
	world_tell(w, "the clock jumps by %lld ms", (long long)by);
	vclock_jump_wall(w->vclock, by);
}

/* In the middle of a clone whose answer was lost: it is waited for, and nobody takes it for debris.
 */
static void test_jump_in_clone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		struct world *w = new_world(40 + i, "");
		size_t n = 0;

		seen.kill_at = "/clone";
		world_start(w, CONTROLLER_RUN);
		while (seen.posts == 0)
			world_step(w);
		jump(w, jumps[i]);
		world_start(w, CONTROLLER_RUN);
		world_run(w, 5000, NULL, NULL);
		jump(w, -jumps[i] / 2);
		must_be_ready(w);
		world_find(w, "web-01", &n);
		assert_int_equal(n, 1);
		assert_int_equal(seen.posts <= 2, 1); /* the clone, and its tag */
		assert_null(strstr(buf_str(&w->story), "broke off"));
		world_free(&w);
	}
}

static bool is_debris(struct world *w)
{
	return reason_of(w) == REASON_DEBRIS;
}

/* The power goes in the middle of a clone whose answer was lost, and the clock is set: what is left
 * of it is told, and stays in view however often it is looked at again. Returns how many calls
 * the looking took. */
static unsigned looks_at_debris(uint64_t seed, int64_t by)
{
	struct world *w = new_world(seed, "");
	unsigned calls;
	int64_t end;

	seen.kill_at = "/clone";
	world_start(w, CONTROLLER_RUN);
	while (seen.posts == 0 || sim_tasks_running(w->sim) == 0)
		world_step(w);
	world_run(w, 5000, NULL, NULL);
	assert_int_equal(sim_node_power(w->sim, "pve2", false, NULL), 0);
	world_run(w, 60000, NULL, NULL);
	assert_int_equal(sim_node_power(w->sim, "pve2", true, NULL), 0);
	jump(w, by);
	world_start(w, CONTROLLER_RUN);
	if (!world_run(w, HOUR_MS, is_debris, NULL))
		fail_msg("no debris: %s", buf_str(&w->story));
	calls = seen.calls;
	for (end = clock_now(w->clock) + 3 * HOUR_MS; clock_now(w->clock) < end;) {
		world_step(w);
		assert_int_equal(reason_of(w), REASON_DEBRIS);
	}
	calls = seen.calls - calls;
	world_clean_up(w);
	must_be_ready(w);
	assert_int_equal(w->violations, 0);
	world_free(&w);
	return calls;
}

/* A clone that seems to be asked for in the future is not young until then. */
static void test_jump_and_debris(void **state)
{
	unsigned usual = looks_at_debris(80, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++)
		assert_in_range(looks_at_debris(81 + i, jumps[i]), 1, usual + usual / 4);
}

static bool is_forgotten(struct world *w)
{
	return !world_vmstat(w, "web-01");
}

static enum fate die_before_clone(void *arg, enum touch kind, const char *what, const char *where)
{
	(void)arg;
	return kind == TOUCH_CLUSTER && strcmp(what, "POST") == 0 && strstr(where, "/clone")
		   ? FATE_DIE
		   : FATE_NORMAL;
}

/* An intent that seems to come from the future is not waited for until then. */
static void test_intent_of_the_future(void **state)
{
	struct world *w = new_world(50, "");
	_cleanup_kv_ struct kv none = {0};

	(void)state;
	world_set_fates(w, die_before_clone, NULL);
	world_start(w, CONTROLLER_RUN);
	while (w->controller)
		world_step(w);
	world_set_fates(w, on_touch, NULL);
	kv_set(&none, "other.yaml", "# nothing\n");
	memgit_commit(w->git, &none, "the manifest is gone");
	jump(w, -30 * DAY_MS);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 60000, NULL, NULL);
	assert_true(world_run(w, HOUR_MS, is_forgotten, NULL));
	assert_int_equal(seen.posts, 0);
	world_free(&w);
}

/* A correction is not put off for longer than it would be, however the clock jumps. */
static void test_jump_and_drift(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		struct world *w = ready_world(60 + i, "  cpu: { cores: 2 }\n");
		_cleanup_kv_ struct kv set = {0};
		int64_t vmid = world_find(w, "web-01", NULL), at;

		kv_set(&set, "cores", "7");
		for (unsigned turn = 0; turn < 2; turn++) {
			assert_int_equal(
			    sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
			world_run(w, 1000, NULL, NULL);
			jump(w, jumps[i]);
			at = clock_now(w->clock);
			while (strcmp(sim_guest_get(w->sim, vmid, "cores"), "2") != 0 &&
			       clock_now(w->clock) < at + HOUR_MS)
				world_step(w);
			assert_in_range(clock_now(w->clock) - at, 0, 15 * 60000);
			world_run(w, 120000, NULL, NULL);
		}
		must_be_ready(w);
		world_free(&w);
	}
}

static void order_both(struct world *w, const char *one, const char *two)
{
	_cleanup_kv_ struct kv files = {0};

	for (unsigned i = 1; i <= 2; i++) {
		_cleanup_str_ char *path = mem_printf("vm-%u.yaml", i);

		kv_setf(&files, path,
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: vm-%u }\nspec:\n"
		    "  node_name: pve2\n  clone: { source_vm_id: 9001 }\n  state: %s\n",
		    i, i == 1 ? one : two);
	}
	memgit_commit(w->git, &files, "merge");
}

static bool both_ready(struct world *w)
{
	return world_find(w, "vm-1", NULL) && world_find(w, "vm-2", NULL) && world_all_ready(w);
}

static bool first_gone(struct world *w)
{
	return world_find(w, "vm-1", NULL) == 0;
}

static bool second_gone(struct world *w)
{
	return world_find(w, "vm-2", NULL) == 0;
}

/* One VM an hour may go: an hour by a clock that does not jump. */
static void test_jump_and_budget(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		struct world *w = world_new(70 + i, NULL);

		order_both(w, "present", "present");
		world_start(w, CONTROLLER_RUN);
		assert_true(world_run(w, HOUR_MS, both_ready, NULL));
		world_run(w, 60000, NULL, NULL);
		order_both(w, "absent", "present");
		assert_true(world_run(w, 600000, first_gone, NULL));
		world_run(w, 120000, NULL, NULL);
		jump(w, jumps[i]);
		order_both(w, "absent", "absent");
		assert_false(world_run(w, 50 * 60000, second_gone, NULL));
		assert_int_equal(world_vmstat(w, "vm-2")->reason, REASON_DESTROY_BUDGET);
		assert_true(world_run(w, 40 * 60000, second_gone, NULL));
		world_free(&w);
	}
}

/* What takes effect with a restart of the guest is not taken for done because the clock was set. */
static void test_jump_is_no_restart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		struct world *w = ready_world(80 + i, "  started: true\n");
		int64_t vmid = world_find(w, "web-01", NULL);

		merge(w, "  started: true\n  disk: { scsi0: { serial: abc } }\n");
		world_run(w, 120000, NULL, NULL);
		assert_int_equal(reason_of(w), REASON_PENDING_REBOOT);
		jump(w, jumps[i]);
		world_run(w, 2 * HOUR_MS, NULL, NULL);
		assert_int_equal(reason_of(w), REASON_PENDING_REBOOT);
		assert_int_equal(sim_human_power(w->sim, vmid, false, NULL), 0);
		world_run(w, HOUR_MS, NULL, NULL);
		assert_int_equal(reason_of(w), REASON_IN_SYNC);
		world_free(&w);
	}
}

/* ---- another cluster ---- */

/* The endpoints of a configuration lead elsewhere: nothing is missing there, nothing is made. */
static void test_another_cluster(void **state)
{
	struct world *w = ready_world(90, "  on_missing: recreate\n");
	_cleanup_str_ char *yaml = mem_strdup(world_cluster_yaml);
	struct sim_opts o = {.seed_yaml = yaml,
	    .seed_name = "theirs",
	    .version = "9.2",
	    .random = 1,
	    .wall_ms = clock_wall(w->clock),
	    .journal = true};
	unsigned posts = seen.posts;

	(void)state;
	world_kill(w);
	memcpy(strstr(yaml, "name: world"), "name: their", strlen("name: their"));
	sim_free(&w->sim);
	assert_int_equal(sim_new(&o, &w->sim, NULL), 0);
	sim_run_until(w->sim, clock_now(w->clock));
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(seen.posts, posts);
	assert_int_equal(reason_of(w), REASON_CLUSTER_UNREACHABLE);
	assert_non_null(strstr(world_vmstat(w, "web-01")->message, "another cluster (their)"));
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "another cluster"));
	assert_int_not_equal(world_vmstat(w, "web-01")->record.vmid, 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_clone_unwritten),
	    cmocka_unit_test(test_no_step_unwritten),
	    cmocka_unit_test(test_record_is_saved_later),
	    cmocka_unit_test(test_step_is_handed_over),
	    cmocka_unit_test(test_jump_in_clone),
	    cmocka_unit_test(test_jump_and_debris),
	    cmocka_unit_test(test_intent_of_the_future),
	    cmocka_unit_test(test_jump_and_drift),
	    cmocka_unit_test(test_jump_and_budget),
	    cmocka_unit_test(test_jump_is_no_restart),
	    cmocka_unit_test(test_another_cluster),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
