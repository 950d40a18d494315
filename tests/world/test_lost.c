/* What is remembered of VMs is lost, in part or whole, or people edit what a VM is known by. */
#include "marker.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000

static const char web_yaml[] = "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: "
			       "web-01 }\nspec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, "
			       "full: false }\n  cpu: { cores: 2 }\n  on_missing: recreate\n";

static struct world *ready_world(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "web.yaml", web_yaml);
	memgit_commit(w->git, &files, "first");
	world_start(w, CONTROLLER_RUN);
	if (!world_run(w, HOUR_MS, world_all_ready, NULL))
		fail_msg("not Ready: %s", buf_str(&w->story));
	world_run(w, 60000, NULL, NULL);
	return w;
}

static void must_be_ready(struct world *w)
{
	if (!world_run(w, HOUR_MS, world_all_ready, NULL)) {
		const struct vmstat *v = world_vmstat(w, "web-01");

		fail_msg("not Ready (%s): %s", v ? reason_word(v->reason) : "nothing",
		    buf_str(&w->story));
	}
}

static int64_t first;

static bool is_made_anew(struct world *w)
{
	int64_t vmid = world_find(w, "web-01", NULL);

	return vmid && vmid != first;
}

/* The report is older than the VM that was made in place of another one, whose number a stranger
 * has, and the journal is lost: the VM that carries the marker is the one. */
static void test_old_record_and_a_stranger(void **state)
{
	struct world *w = ready_world(1);
	int64_t second;
	size_t n = 0;

	(void)state;
	first = world_find(w, "web-01", NULL);
	memgit_set_down(w->git, true);
	assert_int_equal(sim_human_delete(w->sim, first, "ops@pam", NULL), 0);
	assert_true(world_run(w, HOUR_MS, is_made_anew, NULL));
	second = world_find(w, "web-01", NULL);
	world_run(w, 60000, NULL, NULL);
	world_kill(w);
	memstore_drop(w->store);
	assert_int_equal(sim_human_create(w->sim, first, "pve3", "ops@pam", NULL, NULL), 0);
	memgit_set_down(w->git, false);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", &n), second);
	assert_int_equal(n, 1);
	assert_int_equal(world_vmstat(w, "web-01")->record.vmid, second);
	assert_false(world_vmstat(w, "web-01")->record.proven);
	assert_null(sim_guest_get(w->sim, first, "description"));
	world_free(&w);
}

/* Nothing is remembered, and its own VM is shown but may not be read: it is not gone, and no second
 * one is made. Not even its tag is there yet. */
static void test_unreadable_is_not_gone(void **state)
{
	struct world *w = ready_world(1);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_str_ char *path = mem_printf("/nodes/*/qemu/%lld/*", (long long)vmid);
	struct sim_fault f = {.kind = SIM_FAULT_FORBIDDEN, .path = path, .probability = 1};
	size_t n = 0;

	(void)state;
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", NULL, "tags", NULL), 0);
	sim_fault_add(w->sim, &f);
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
	sim_fault_clear(w->sim);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
	world_free(&w);
}

/* The tag is decoration: without it the VM is still known. */
static void test_tag_is_no_identity(void **state)
{
	struct world *w = ready_world(2);
	_cleanup_kv_ struct kv set = {0};
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t n = 0;

	(void)state;
	kv_set(&set, "cores", "7");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, "tags", NULL), 0);
	world_run(w, HOUR_MS, NULL, NULL);
	must_be_ready(w);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "2");
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", NULL, "tags", NULL), 0);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
	world_free(&w);
}

/* Text around the marker is nobody's business; without the marker the VM is let go. */
static void test_description_edited(void **state)
{
	struct world *w = ready_world(3);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv set = {0}, off = {0};
	const char *marker = strstr(sim_guest_get(w->sim, vmid, "description"), "ramet: ");
	const struct vmstat *v;
	size_t entries;

	(void)state;
	assert_non_null(marker);
	kv_setf(&set, "description", "Ask Jo before touching it\n%s\nReally", marker);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	world_run(w, HOUR_MS, NULL, NULL);
	must_be_ready(w);
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "Jo"));
	kv_set(&off, "description", "Mine now");
	kv_set(&off, "cores", "7");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &off, NULL, NULL), 0);
	entries = sim_journal_len(w->sim);
	world_run(w, HOUR_MS, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_RELEASED);
	assert_int_equal(sim_journal_len(w->sim), entries);
	/* Also after a restart without journal: the report knows it. */
	world_kill(w);
	memstore_drop(w->store);
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_RELEASED);
	assert_int_equal(sim_journal_len(w->sim), entries);
	world_free(&w);
}

/* Only the journal is lost: everything is as it was. */
static void test_journal_lost(void **state)
{
	struct world *w = ready_world(4);
	int64_t vmid = world_find(w, "web-01", NULL);
	struct record before = {0};
	size_t entries = sim_journal_len(w->sim);

	(void)state;
	record_copy(&before, &world_vmstat(w, "web-01")->record);
	assert_true(before.whole);
	before.whole = false; /* the report may be older than what was done last */
	world_kill(w);
	memstore_drop(w->store);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	world_run(w, 60000, NULL, NULL);
	assert_true(record_eq(&before, &world_vmstat(w, "web-01")->record));
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	assert_int_equal(sim_journal_len(w->sim), entries);
	record_fini(&before);
	world_free(&w);
}

/* Journal and report are lost, and somebody took the marker off: a VM of the name may be the one,
 * so nothing is cloned before a person has said so. */
static void test_lookalike(void **state)
{
	struct world *w = ready_world(7);
	int64_t vmid = world_find(w, "web-01", NULL), ids[100];
	size_t before = sim_guests(w->sim, ids, 100);
	_cleanup_kv_ struct kv files = {0};
	_cleanup_str_ char *again = NULL;

	(void)state;
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", NULL, "description", NULL), 0);
	world_run(w, 60000, NULL, NULL);
	for (int life = 0; life < 2; life++) {
		world_start(w, CONTROLLER_RUN);
		world_run(w, HOUR_MS, NULL, NULL);
		assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_NAME_TAKEN);
		assert_int_equal(sim_guests(w->sim, ids, 100), before);
		world_kill(w);
	}
	/* It is another one: the person gives a number. */
	again = mem_printf("%s  id: 1077\n", web_yaml);
	kv_set(&files, "web.yaml", again);
	memgit_commit(w->git, &files, "a new one");
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", NULL), 1077);
	assert_int_equal(sim_guests(w->sim, ids, 100), before + 1);
	world_free(&w);
}

/* Somebody else's VM may well have the name: without the tag it is nobody's business. */
static void test_namesake(void **state)
{
	struct world *w = ready_world(8);
	int64_t vmid = world_find(w, "web-01", NULL), ids[100];
	size_t before = sim_guests(w->sim, ids, 100);

	(void)state;
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	assert_int_equal(
	    sim_human_edit(w->sim, vmid, "ops@pam", NULL, "description,tags", NULL), 0);
	world_run(w, 60000, NULL, NULL);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_int_not_equal(world_find(w, "web-01", NULL), vmid);
	assert_int_equal(sim_guests(w->sim, ids, 100), before + 1);
	world_free(&w);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* With Git out of reach there is nothing to wait for at the end. */
static void test_stop_without_git(void **state)
{
	struct world *w = ready_world(5);
	_cleanup_kv_ struct kv set = {0};
	int64_t vmid = world_find(w, "web-01", NULL), at;
	bool stopped = false;

	(void)state;
	memgit_set_down(w->git, true);
	kv_set(&set, "cores", "7"); /* something to report */
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	world_run(w, 60000, NULL, NULL);
	assert_non_null(controller_status(w->controller)->report_problem);
	at = clock_now(w->clock);
	controller_stop(w->controller, set_flag, &stopped);
	while (!stopped)
		world_step(w);
	assert_in_range(clock_now(w->clock) - at, 0, 2000);
	world_free(&w);
}

/* Who waits for a lock has not failed: however long it takes, it goes on at once afterwards. */
static void test_lock_is_no_failure(void **state)
{
	struct world *w = ready_world(6);
	_cleanup_kv_ struct kv set = {0};
	int64_t vmid = world_find(w, "web-01", NULL), at;

	(void)state;
	kv_set(&set, "cores", "7");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	assert_int_equal(sim_human_lock(w->sim, vmid, "backup", NULL), 0);
	world_run(w, 6 * HOUR_MS, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_LOCKED);
	assert_non_null(strstr(world_vmstat(w, "web-01")->message, "backup"));
	assert_int_equal(sim_human_lock(w->sim, vmid, NULL, NULL), 0);
	at = clock_now(w->clock);
	must_be_ready(w);
	assert_in_range(clock_now(w->clock) - at, 0, 60000);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "2");
	world_free(&w);
}

static bool is_struck(struct world *w)
{
	return sim_fault_struck(w->sim) > 0;
}

/* The call for the clone is carried out long after everybody has given it up, and nobody wants the
 * VM any more; then it is wanted again. */
static void test_a_clone_that_comes_late(void **state)
{
	struct world *w = world_new(21, NULL);
	struct sim_fault f = {.kind = SIM_FAULT_DELAY, .path = "*/clone", .nth = 1};
	_cleanup_kv_ struct kv files = {0}, none = {0};
	size_t n = 0;

	(void)state;
	f.delay_ms = 100000;
	kv_set(&files, "web.yaml", web_yaml);
	kv_set(&none, "README", "nothing");
	memgit_commit(w->git, &files, "first");
	sim_fault_add(w->sim, &f);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, is_struck, NULL));
	memgit_commit(w->git, &none, "goes");
	world_run(w, 900000, NULL, NULL);
	memgit_commit(w->git, &files, "comes back");
	must_be_ready(w);
	world_run(w, 300000, NULL, NULL);
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	world_free(&w);
}

static bool was_destroyed(struct world *w)
{
	struct sim_entry e;

	for (size_t i = 0; i < sim_journal_len(w->sim); i++) {
		sim_journal_at(w->sim, i, &e);
		if (strcmp(e.method, "DELETE") == 0)
			return true;
	}
	return false;
}

/* The same, and its manifest says state: absent: it is not called gone before it is sure that
 * nothing comes, and what came goes. */
static void test_a_late_clone_of_what_is_absent(void **state)
{
	struct world *w = world_new(22, NULL);
	struct sim_fault f = {.kind = SIM_FAULT_DELAY, .path = "*/clone", .nth = 1};
	_cleanup_kv_ struct kv files = {0}, absent = {0};

	(void)state;
	f.delay_ms = 100000;
	kv_set(&files, "web.yaml", web_yaml);
	kv_setf(&absent, "web.yaml", "%s  state: absent\n", web_yaml);
	memgit_commit(w->git, &files, "first");
	sim_fault_add(w->sim, &f);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, is_struck, NULL));
	world_kill(w);
	memgit_commit(w->git, &absent, "absent");
	world_start(w, CONTROLLER_RUN);
	world_run(w, 60000, NULL, NULL);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	assert_int_not_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	assert_true(world_run(w, HOUR_MS, was_destroyed, NULL));
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	world_free(&w);
}

static void set_quorum(struct world *w, bool on)
{
	assert_int_equal(sim_node_quorum(w->sim, NULL, on, NULL), 0);
}

/* The call is carried out after everything was forgotten and looked for; the VM has no tag yet, and
 * is found by its name before another one is cloned. */
static void test_a_clone_that_nobody_remembers(void **state)
{
	struct world *w = world_new(23, NULL);
	struct sim_fault f = {.kind = SIM_FAULT_DELAY, .path = "*/clone", .nth = 1};
	_cleanup_kv_ struct kv files = {0};
	int64_t vmid;
	size_t n = 0;

	(void)state;
	f.delay_ms = 12000;
	kv_set(&files, "web.yaml", web_yaml);
	memgit_commit(w->git, &files, "first");
	sim_fault_add(w->sim, &f);
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, is_struck, NULL));
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 10000, NULL, NULL);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	world_run(w, 5000, NULL, NULL);
	vmid = world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	set_quorum(w, false);
	world_run(w, 60000, NULL, NULL);
	set_quorum(w, true);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
	world_free(&w);
}

static bool is_between_disks(struct world *w)
{
	for (int64_t vmid = 100; vmid < 10000; vmid++) {
		const char *lock = sim_guest_get(w->sim, vmid, "lock"),
			   *text = sim_guest_get(w->sim, vmid, "description");

		if (lock && strcmp(lock, "clone") == 0 && text && strstr(text, "ramet"))
			return true;
	}
	return false;
}

/* Of several disks one is copied, so that the new VM carries the marker and is locked still, when
 * everything is forgotten: it is waited for, as long as it takes. */
static void test_a_clone_between_its_disks(void **state)
{
	static const char one[] = "scsi0: \"fast:4\"";
	static const char full_yaml[] =
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\n"
	    "spec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, full: true }\n";
	const char *at = strstr(world_cluster_yaml, one);
	_cleanup_str_ char *yaml = NULL;
	_cleanup_kv_ struct kv files = {0};
	struct world *w;
	size_t n = 0;

	(void)state;
	assert_non_null(at);
	yaml = mem_printf("%.*s%s, scsi1: \"fast:200\"%s", (int)(at - world_cluster_yaml),
	    world_cluster_yaml, one, at + strlen(one));
	w = world_new_on(24, NULL, yaml);
	kv_set(&files, "web.yaml", full_yaml);
	memgit_commit(w->git, &files, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, is_between_disks, NULL));
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	world_run(w, HOUR_MS, NULL, NULL);
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	world_free(&w);
}

/* Long after everything was looked at, a VM turns up that carries the marker and is locked still:
 * somebody else makes it, and no second one is cloned. */
static void test_a_clone_that_another_makes(void **state)
{
	struct world *w = world_new(25, NULL);
	char name[] = "web-01", id[] = "world", nonce[] = "0123456789abcdef";
	struct marker m = {.controller = id, .name = name, .vmid = 1005, .nonce = nonce};
	_cleanup_kv_ struct kv files = {0}, none = {0}, conf = {0};
	_cleanup_str_ char *text = NULL;
	size_t n = 0;

	(void)state;
	kv_set(&none, "README", "nothing");
	memgit_commit(w->git, &none, "begin");
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(marker_join("", &m, &text, NULL), 0);
	kv_set(&conf, "name", "web-01");
	kv_set(&conf, "description", text);
	assert_int_equal(sim_human_create(w->sim, 1005, "pve2", "root@pam", &conf, NULL), 0);
	assert_int_equal(sim_human_lock(w->sim, 1005, "clone", NULL), 0);
	world_run(w, 300000, NULL, NULL);
	kv_set(&files, "web.yaml", web_yaml);
	memgit_commit(w->git, &files, "first");
	world_run(w, HOUR_MS, NULL, NULL);
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_LOCKED);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_old_record_and_a_stranger),
	    cmocka_unit_test(test_unreadable_is_not_gone),
	    cmocka_unit_test(test_tag_is_no_identity),
	    cmocka_unit_test(test_description_edited),
	    cmocka_unit_test(test_journal_lost),
	    cmocka_unit_test(test_lookalike),
	    cmocka_unit_test(test_namesake),
	    cmocka_unit_test(test_stop_without_git),
	    cmocka_unit_test(test_lock_is_no_failure),
	    cmocka_unit_test(test_a_clone_that_comes_late),
	    cmocka_unit_test(test_a_late_clone_of_what_is_absent),
	    cmocka_unit_test(test_a_clone_that_nobody_remembers),
	    cmocka_unit_test(test_a_clone_between_its_disks),
	    cmocka_unit_test(test_a_clone_that_another_makes),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
