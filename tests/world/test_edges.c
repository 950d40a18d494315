/* The outer edges: a state directory that cannot be written, a clock that jumps, steps that an
 * earlier life began. */
#include "log.h"
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
	w->tell = getenv("RAMET_WORLD_TELL") != NULL;
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

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_clone_unwritten),
	    cmocka_unit_test(test_no_step_unwritten),
	    cmocka_unit_test(test_record_is_saved_later),
	    cmocka_unit_test(test_step_is_handed_over),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
