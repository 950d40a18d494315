/* Tasks that take long, break off or end in words that say little. */
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define HEAD                                                                            \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n" \
	"  node_name: pve1\n  clone: { source_vm_id: 9000, full: false }\n"

static void commit(struct world *w, const char *more, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml", HEAD "%s", more);
	memgit_commit(w->git, &files, subject);
}

static struct world *open_world(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);

	return w;
}

static void must(struct world *w, bool fine, const char *what)
{
	if (fine)
		return;
	fputs(buf_str(&w->story), stderr);
	fail_msg("%s", what);
}

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text ? text : "");
}

/* Requests of one kind. */
struct count {
	const char *end;
	unsigned n;
};

static void count(void *arg, const char *method, const char *path)
{
	struct count *c = arg;

	c->n += !text_eq(method, "GET") && text_ends(path, c->end);
}

static bool is_stuck(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->reason == REASON_TASK_STUCK;
}

/* A move of hours is watched to its end: nothing else is asked for meanwhile, and what is told does
 * not change with the time. */
static void test_a_task_beyond_its_time(void **state)
{
	struct world *w = open_world(1);
	struct sim_fault f = {
	    .kind = SIM_FAULT_TASK_HANG, .method = "POST", .path = "*/move_disk", .nth = 1};
	struct count c = {.end = "/move_disk"};
	_cleanup_str_ char *message = NULL;
	size_t commits;

	(void)state;
	commit(w, "", "first");
	world_start(w, CONTROLLER_RUN);
	must(w, world_run(w, HOUR_MS, world_all_ready, NULL), "not ready");
	simport_set_hook(w->port, count, &c);
	sim_fault_add(w->sim, &f);
	commit(w, "  disk: { scsi0: { datastore_id: fast } }\n", "elsewhere");
	must(w, world_run(w, HOUR_MS, is_stuck, NULL), "not told that the task is stuck");
	world_run(w, 120000, NULL, NULL);
	message = mem_strdup(world_vmstat(w, "web-01")->message);
	assert_has(message, "still runs");
	commits = memgit_status_commits(w->git);
	world_run(w, 4 * HOUR_MS, NULL, NULL);
	must(w, c.n == 1, "asked for a second time");
	must(w, is_stuck(w), "not stuck any more");
	assert_string_equal(world_vmstat(w, "web-01")->message, message);
	assert_has(world_vmstat(w, "web-01")->last_upid, ":qmmove:");
	assert_int_equal(memgit_status_commits(w->git), commits);
	/* Somebody ends it: it is tried again. */
	assert_int_equal(sim_human_stop_tasks(w->sim), 1);
	must(w, world_run(w, HOUR_MS, world_all_ready, NULL), "not ready in the end");
	assert_int_equal(c.n, 2);
	world_free(&w);
}

static bool is_full(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->reason == REASON_STORAGE_FULL;
}

static const struct sim_fault full = {.kind = SIM_FAULT_TASK_ERROR,
    .method = "POST",
    .path = "*/clone",
    .probability = 1.0,
    .text = "clone failed: qemu-img: error while writing at byte 9: No space left on device"};

/* Each try fills the storage to its end, and other guests live there: it is not tried with each
 * reading, but when there is more space than there was, and otherwise once in an hour. */
static void test_a_full_storage_is_not_filled_again_and_again(void **state)
{
	struct world *w = open_world(3);
	struct count c = {.end = "/clone"};
	size_t commits;

	(void)state;
	sim_fault_add(w->sim, &full);
	commit(w, "", "first");
	world_start(w, CONTROLLER_RUN);
	simport_set_hook(w->port, count, &c);
	must(w, world_run(w, HOUR_MS, is_full, NULL), "not told that the storage is full");
	assert_int_equal(c.n, 1);
	assert_has(world_vmstat(w, "web-01")->message, "No space left on device");
	world_run(w, 15 * 60000, NULL, NULL);
	commits = memgit_status_commits(w->git);
	world_run(w, 40 * 60000, NULL, NULL);
	must(w, is_full(w), "not full any more");
	assert_int_equal(c.n, 1);
	assert_int_equal(memgit_status_commits(w->git), commits);
	world_run(w, 2 * HOUR_MS, NULL, NULL);
	assert_in_range(c.n, 2, 4);
	/* A merge is a wish to try. */
	c.n = 0;
	sim_fault_clear(w->sim);
	commit(w, "  description: smaller\n", "second");
	must(w, world_run(w, 300000, world_all_ready, NULL), "not tried after a merge");
	assert_int_equal(c.n, 1);
	world_free(&w);
}

/* Another VM goes, and its disks with it. */
static void test_space_that_is_freed(void **state)
{
	struct world *w = open_world(5);
	struct count c = {.end = "/clone"};
	_cleanup_kv_ struct kv conf = {0};

	(void)state;
	kv_set(&conf, "scsi0", "shared:100");
	assert_int_equal(sim_human_create(w->sim, 500, "pve2", "ops@pam", &conf, NULL), 0);
	sim_fault_add(w->sim, &full);
	commit(w, "", "first");
	world_start(w, CONTROLLER_RUN);
	simport_set_hook(w->port, count, &c);
	must(w, world_run(w, HOUR_MS, is_full, NULL), "not told that the storage is full");
	world_run(w, 15 * 60000, NULL, NULL);
	assert_int_equal(c.n, 1);
	sim_fault_clear(w->sim);
	assert_int_equal(sim_human_delete(w->sim, 500, "ops@pam", NULL), 0);
	must(w, world_run(w, 15 * 60000, world_all_ready, NULL), "not tried with more space");
	world_free(&w);
}

/* The running tasks of a node, when somebody backs up all of its guests. */
static char *say_backup(void *arg, const char *path, const char *body)
{
	(void)body;
	if (!*(bool *)arg || !text_ends(path, "/nodes/pve1/tasks"))
		return NULL;
	return mem_strdup("{\"total\":1,\"data\":[{\"type\":\"vzdump\",\"id\":\"\",\"user\":"
			  "\"root@pam\",\"starttime\":1795300000,\"node\":\"pve1\"}]}");
}

/* Who waits for a lock is told whose it is, and when nobody seems to hold it. */
static void test_whose_lock_it_is(void **state)
{
	struct world *w = open_world(7);
	bool runs = true;
	const struct vmstat *v;
	int64_t vmid;
	size_t commits;

	(void)state;
	commit(w, "", "first");
	world_start(w, CONTROLLER_RUN);
	must(w, world_run(w, HOUR_MS, world_all_ready, NULL), "not ready");
	simport_set_mouth(w->port, say_backup, &runs);
	vmid = world_find(w, "web-01", NULL);
	assert_int_equal(sim_human_lock(w->sim, vmid, "backup", NULL), 0);
	commit(w, "  description: Front\n", "second");
	world_run(w, 180000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_LOCKED);
	/* 1795300000 s by the calendar. */
	assert_has(v->message, "(backup): vzdump by root@pam since 2026-11-21T22:26:40Z");
	commits = memgit_status_commits(w->git);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), commits);
	/* The task is gone, its lock is not. */
	runs = false;
	world_run(w, 120000, NULL, NULL);
	assert_null(strstr(world_vmstat(w, "web-01")->message, "vzdump"));
	assert_null(strstr(world_vmstat(w, "web-01")->message, "no task"));
	world_run(w, 600000, NULL, NULL);
	assert_has(world_vmstat(w, "web-01")->message,
	    "(backup): no task that would hold it is shown on pve1");
	assert_int_equal(sim_human_lock(w->sim, vmid, NULL, NULL), 0);
	must(w, world_run(w, 120000, world_all_ready, NULL), "not ready without the lock");
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_full_storage_is_not_filled_again_and_again),
	    cmocka_unit_test(test_space_that_is_freed),
	    cmocka_unit_test(test_whose_lock_it_is),
	    cmocka_unit_test(test_a_task_beyond_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
