/*
 * The controller and its repository over hours of virtual time: a day in which nothing happens, a
 * leaf that flaps a thousand times, a status branch that others delete and rewrite, a server that
 * asks for a pause, manifests that move.
 */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR ((int64_t)3600 * 1000)
#define MINUTE ((int64_t)60 * 1000)

static const char web_yaml[] = "apiVersion: ramet.dev/v1\n"
			       "kind: ClonedVM\n"
			       "metadata: { name: web-01 }\n"
			       "spec:\n"
			       "  node_name: pve2\n"
			       "  clone: { source_vm_id: 9001, full: false }\n"
			       "  cpu: { cores: 4 }\n"
			       "  started: true\n";
static const char db_yaml[] = "apiVersion: ramet.dev/v1\n"
			      "kind: ClonedVM\n"
			      "metadata: { name: db-01 }\n"
			      "spec:\n"
			      "  node_name: pve1\n"
			      "  clone: { source_vm_id: 9001, full: false }\n";

static void put_file(struct world *w, const char *path, const char *text, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, path, text);
	memgit_commit(w->git, &files, subject);
}

static bool has_settled(struct world *w)
{
	return world_all_ready(w) && memgit_status_file(w->git, "vms/web-01.yaml") != NULL;
}

/* One VM, Ready and reported, and some minutes of rest after it. */
static struct world *settled_world(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);

	put_file(w, "web.yaml", web_yaml, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, has_settled, NULL));
	world_run(w, 20 * MINUTE, NULL, NULL);
	return w;
}

static void test_quiet_day(void **state)
{
	struct world *w = settled_world(1);
	struct memgit_asked before = memgit_asked(w->git), after;
	size_t commits = memgit_status_commits(w->git);

	(void)state;
	world_run(w, 24 * HOUR, NULL, NULL);
	after = memgit_asked(w->git);
	/* One listing a minute, up to a tenth later by jitter and half a second of travel. */
	assert_in_range(after.list - before.list, 24 * 60 * 60 / 67, 24 * 60);
	assert_int_equal(after.read, before.read);
	assert_int_equal(after.old, before.old);
	assert_int_equal(after.status, before.status);
	assert_int_equal(after.publish, before.publish);
	assert_int_equal(memgit_status_commits(w->git), commits);
	world_free(&w);
}

#define FLAPS 1000
#define FLAP_MS 15000

static void set_cores(struct world *w, int64_t vmid, const char *cores)
{
	_cleanup_kv_ struct kv set = {0};

	kv_set(&set, "cores", cores);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
}

/* Whatever happens, and to how many VMs: one commit within an interval. */
static void test_interval(void **state)
{
	struct world *w = world_new(3, "report: { interval: 2m }\n");
	size_t before;
	int64_t vmid;

	(void)state;
	put_file(w, "web.yaml", web_yaml, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, has_settled, NULL));
	world_run(w, 20 * MINUTE, NULL, NULL);
	vmid = world_find(w, "web-01", NULL);
	before = memgit_status_commits(w->git);
	for (unsigned i = 0; i < 80; i++) {
		set_cores(w, vmid, i % 2 ? "4" : "8");
		world_run(w, FLAP_MS, NULL, NULL);
	}
	assert_in_range(memgit_status_commits(w->git) - before, 2, 80 * FLAP_MS / (2 * MINUTE) + 1);
	world_free(&w);
}

static bool is_told(struct world *w)
{
	const char *text = memgit_status_file(w->git, "STATUS.md");

	return text && strstr(text, "vms/web-01.yaml changed too often within an hour");
}

static enum fate no_publish(void *arg, enum touch kind, const char *what, const char *where)
{
	unsigned *asked = arg;
	bool it = kind == TOUCH_GIT && text_eq(what, "publish");

	(void)where;
	*asked += it;
	return it ? FATE_FAIL : FATE_NORMAL;
}

/* A branch that may be read and not written, for an hour: it is tried with pauses that double up to
 * five minutes, what is tried in vain does not count as changing often, and once a report gets
 * through, what it says of reports is over. */
static void test_pushes_fail_for_long(void **state)
{
	struct world *w = settled_world(6);
	int64_t vmid = world_find(w, "web-01", NULL);
	unsigned asked = 0;

	(void)state;
	world_set_fates(w, no_publish, &asked);
	set_cores(w, vmid, "8");
	world_run(w, HOUR, NULL, NULL);
	assert_non_null(strstr(controller_status(w->controller)->report_problem, "no route"));
	/* 5, 10, 20, 40, 80 and 160 s make five minutes; then one every five, a quarter later by
	 * jitter at the most. */
	assert_in_range(asked, 6 + 55 / 6 - 1, 7 + 55 / 5 + 1);
	world_set_fates(w, NULL, NULL);
	world_run(w, 10 * MINUTE, NULL, NULL);
	assert_null(controller_status(w->controller)->report_problem);
	assert_non_null(strstr(memgit_status_file(w->git, "DRIFT.md"), "cpu.cores"));
	assert_null(strstr(memgit_status_file(w->git, "STATUS.md"), "**Report:**"));
	world_free(&w);
}

static void test_flapping_leaf(void **state)
{
	struct world *w = settled_world(2);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t before = memgit_status_commits(w->git), commits, others;
	bool told = false;

	(void)state;
	for (unsigned i = 0; i < FLAPS; i++) {
		set_cores(w, vmid, i % 2 ? "4" : "8");
		world_run(w, FLAP_MS, NULL, NULL);
		told |= is_told(w);
	}
	commits = memgit_status_commits(w->git) - before;
	print_message(
	    "%d flaps in %d min: %zu commits\n", FLAPS, FLAPS * FLAP_MS / (int)MINUTE, commits);
	/* 20 at once, each hour half of them again, and one every five minutes of 250 of them. */
	assert_in_range(commits, 20, 20 + 4 * 10 + 50);
	assert_true(told);
	assert_non_null(strstr(controller_status(w->controller)->report_problem, "every 5 min"));

	/* What is new is not held up by it. */
	others = memgit_asked(w->git).publish;
	set_cores(w, vmid, "8");
	_cleanup_kv_ struct kv files = {0};
	kv_set(&files, "web.yaml", web_yaml);
	kv_set(&files, "db.yaml", db_yaml);
	memgit_commit(w->git, &files, "second");
	for (unsigned i = 0; i < 12; i++) {
		set_cores(w, vmid, i % 2 ? "4" : "8");
		world_run(w, FLAP_MS, NULL, NULL);
	}
	assert_true(memgit_asked(w->git).publish > others);
	assert_non_null(memgit_status_file(w->git, "vms/db-01.yaml"));

	/* It ends: the report is true soon, and forgets the matter in time. */
	set_cores(w, vmid, "8");
	world_run(w, 7 * MINUTE, NULL, NULL);
	assert_non_null(strstr(memgit_status_file(w->git, "vms/web-01.yaml"), "cpu.cores"));
	world_run(w, 6 * HOUR, NULL, NULL);
	assert_false(is_told(w));
	assert_null(controller_status(w->controller)->report_problem);
	world_free(&w);
}

static void test_status_branch_is_deleted(void **state)
{
	struct world *w = settled_world(3);
	_cleanup_str_ char *vm = mem_strdup(memgit_status_file(w->git, "vms/web-01.yaml"));

	(void)state;
	memgit_drop_status(w->git);
	assert_null(memgit_status_file(w->git, "STATUS.md"));
	world_run(w, 2 * MINUTE, NULL, NULL);
	assert_non_null(memgit_status_file(w->git, "STATUS.md"));
	assert_string_equal(memgit_status_file(w->git, "vms/web-01.yaml"), vm);
	assert_int_equal(memgit_status_commits(w->git), 1);
	world_run(w, HOUR, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), 1);
	world_free(&w);
}

static void test_status_branch_is_rewritten(void **state)
{
	struct world *w = settled_world(4);
	_cleanup_str_ char *vm = mem_strdup(memgit_status_file(w->git, "vms/web-01.yaml"));
	size_t commits;

	(void)state;
	/* What is ours is put right, what is theirs stays. */
	memgit_foreign_status(w->git, "vms/web-01.yaml", "all is lost\n");
	memgit_foreign_status(w->git, "NOTES.txt", "theirs");
	commits = memgit_status_commits(w->git);
	world_run(w, 2 * MINUTE, NULL, NULL);
	assert_string_equal(memgit_status_file(w->git, "vms/web-01.yaml"), vm);
	assert_string_equal(memgit_status_file(w->git, "NOTES.txt"), "theirs");
	assert_int_equal(memgit_status_commits(w->git), commits + 1);

	/* What does not concern us is no reason for a commit. */
	memgit_foreign_status(w->git, "NOTES.txt", "more");
	commits = memgit_status_commits(w->git);
	world_run(w, HOUR, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), commits);
	world_free(&w);
}

/* The path of a manifest is not its identity: a file moves, a folder gets another name. */
static void test_manifests_move(void **state)
{
	static const char *const paths[] = {"prod/web.yaml", "live/web.yaml", "live/web/01.yml"};
	struct world *w = settled_world(5);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		put_file(w, paths[i], web_yaml, "moved");
		world_run(w, 15 * MINUTE, NULL, NULL);
		assert_int_equal(world_find(w, "web-01", NULL), vmid);
		assert_string_equal(world_vmstat(w, "web-01")->file, paths[i]);
		assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	}
	assert_int_equal(sim_guests(w->sim, NULL, 0), 5); /* two templates, two strangers, one */
	world_free(&w);
}

/* A server that is away is asked less and less often, and noticed soon when it is back. */
static void test_back_off(void **state)
{
	struct world *w = settled_world(7);
	struct memgit_asked before = memgit_asked(w->git);

	(void)state;
	memgit_set_down(w->git, true);
	world_run(w, 30 * MINUTE, NULL, NULL);
	/* The next poll, after 5, 10, 20, 40, 80 s, then every two minutes; each up to a tenth
	 * later. */
	assert_in_range(memgit_asked(w->git).list - before.list, 16, 20);
	assert_non_null(controller_status(w->controller)->git_problem);
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	memgit_set_down(w->git, false);
	before = memgit_asked(w->git);
	world_run(w, 2 * MINUTE + 15000, NULL, NULL);
	assert_true(memgit_asked(w->git).list > before.list);
	assert_null(controller_status(w->controller)->git_problem);
	world_free(&w);
}

/* The server asks to be left alone: it is, by polls, by webhooks and by reports. */
static void test_pause_is_kept(void **state)
{
	struct world *w = settled_world(6);
	struct memgit_asked before;

	(void)state;
	memgit_set_pause(w->git, 30 * MINUTE);
	world_run(w, 2 * MINUTE, NULL, NULL);
	before = memgit_asked(w->git);
	memgit_set_pause(w->git, 0);
	for (unsigned i = 0; i < 25; i++) {
		controller_poke(w->controller);
		world_run(w, MINUTE, NULL, NULL);
	}
	assert_int_equal(memgit_asked(w->git).list, before.list);
	world_run(w, 12 * MINUTE, NULL, NULL);
	assert_true(memgit_asked(w->git).list > before.list);
	assert_null(controller_status(w->controller)->git_problem);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pushes_fail_for_long),
	    cmocka_unit_test(test_quiet_day),
	    cmocka_unit_test(test_interval),
	    cmocka_unit_test(test_flapping_leaf),
	    cmocka_unit_test(test_status_branch_is_deleted),
	    cmocka_unit_test(test_status_branch_is_rewritten),
	    cmocka_unit_test(test_manifests_move),
	    cmocka_unit_test(test_back_off),
	    cmocka_unit_test(test_pause_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
