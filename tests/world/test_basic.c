/* One merge, one VM, then the cases that every later world rests on. */
#include "support_world.h"

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
			       "  node_name: pve1\n"
			       "  description: Front end\n"
			       "  tags: [web]\n"
			       "  clone: { source_vm_id: 9000 }\n"
			       "  cpu: { cores: 4 }\n"
			       "  memory: { size: 4096 }\n"
			       "  network: { net0: { tag: 100 } }\n"
			       "  disk: { scsi0: { size_gb: 25 } }\n"
			       "  delete: { network: [net1] }\n"
			       "  started: true\n";

static void commit(struct world *w, const char *path, const char *text, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	if (text)
		kv_set(&files, path, text);
	memgit_commit(w->git, &files, subject);
}

static void fail_with_story(struct world *w, const char *what)
{
	fputs(buf_str(&w->story), stderr);
	world_free(&w);
	fail_msg("%s", what);
}

static void must_be_ready(struct world *w)
{
	if (!world_run(w, 900000, world_all_ready, NULL))
		fail_with_story(w, "not Ready after 15 virtual minutes");
}

static void assert_conf(struct world *w, int64_t vmid, const char *key, const char *want)
{
	const char *have = sim_guest_get(w->sim, vmid, key);

	if (!text_eq(have, want)) {
		print_error(
		    "%s is %s, not %s\n", key, have ? have : "absent", want ? want : "absent");
		fail_with_story(w, "a key has the wrong value");
	}
}

static struct world *ready_world(void)
{
	struct world *w = world_new(1, NULL);

	commit(w, "web.yaml", web_yaml, "first");
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	return w;
}

static bool is_starting(struct world *w)
{
	int64_t vmid = world_find(w, "web-01", NULL);
	const struct vmstat *v = world_vmstat(w, "web-01");

	return vmid && v && v->message && strstr(v->message, "start the guest") &&
	       sim_tasks_running(w->sim);
}

/* A new VM is spared no less than others as soon as it is being started. */
static void test_ceiling_holds_for_a_new_guest(void **state)
{
	struct world *w = world_new(1, NULL);
	_cleanup_str_ char *yaml = mem_printf("%s  max_disruption: none\n", web_yaml);
	_cleanup_kv_ struct kv set = {0};
	int64_t vmid;

	(void)state;
	commit(w, "web.yaml", yaml, "first");
	world_start(w, CONTROLLER_RUN);
	while (!is_starting(w) && clock_now(w->clock) < 900000)
		world_step(w);
	vmid = world_find(w, "web-01", NULL);
	assert_conf(w, vmid, "net1", NULL);
	kv_set(&set, "net1", "virtio=BC:24:11:00:00:01,bridge=vmbr1");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	world_run(w, 900000, NULL, NULL);
	assert_true(sim_guest_running(w->sim, vmid));
	assert_conf(w, vmid, "net1", "virtio=BC:24:11:00:00:01,bridge=vmbr1");
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_DISRUPTION);
	world_free(&w);
}

static void test_first_merge(void **state)
{
	struct world *w = ready_world();
	size_t n = 0;
	int64_t vmid = world_find(w, "web-01", &n);
	const char *net0, *status;

	(void)state;
	assert_int_equal(n, 1);
	assert_in_range(vmid, 1000, 1099);
	assert_conf(w, vmid, "cores", "4");
	assert_conf(w, vmid, "memory", "4096");
	assert_conf(w, vmid, "agent", "1"); /* as the template had it */
	assert_conf(w, vmid, "net1", NULL);
	assert_true(sim_guest_running(w->sim, vmid));
	net0 = sim_guest_get(w->sim, vmid, "net0");
	assert_non_null(strstr(net0, "tag=100"));
	assert_non_null(strstr(net0, "bridge=vmbr0"));
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "scsi0"), "size=25G"));
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "tags"), "ramet"));
	world_run(w, 30000, NULL, NULL);
	status = memgit_status_file(w->git, "STATUS.md");
	assert_non_null(status);
	assert_non_null(strstr(status, "web-01"));
	assert_non_null(memgit_status_file(w->git, "vms/web-01.yaml"));
	world_free(&w);
}

static bool cores_are_back(struct world *w)
{
	int64_t vmid = world_find(w, "web-01", NULL);
	const char *c = sim_guest_pending(w->sim, vmid, "cores");

	return text_eq(c ? c : sim_guest_get(w->sim, vmid, "cores"), "4");
}

static void test_drift_is_attributed_and_corrected(void **state)
{
	struct world *w = ready_world();
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};
	const char *drift;

	(void)state;
	world_run(w, 60000, NULL, NULL);
	kv_set(&set, "description", "mine now");
	kv_set(&set, "cores", "8");
	/* The marker stays: only the text before it is edited. */
	kv_setf(&set, "description", "mine now\n%s",
	    strstr(sim_guest_get(w->sim, vmid, "description"), "ramet: "));
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, &e), 0);
	assert_true(world_run(w, 120000, cores_are_back, NULL));
	must_be_ready(w);
	world_run(w, 60000, NULL, NULL);
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "Front end"));
	drift = memgit_status_file(w->git, "DRIFT.md");
	assert_non_null(drift);
	if (getenv("RAMET_WORLD_TELL")) {
		for (size_t i = 0; i < memgit_status_commits(w->git); i++)
			fprintf(stderr, "commit: %s\n", memgit_status_message(w->git, i));
		fprintf(stderr, "%s\n%s\n%s\n", memgit_status_file(w->git, "STATUS.md"), drift,
		    memgit_status_file(w->git, "vms/web-01.yaml"));
	}
	if (!strstr(drift, "ops@pam")) {
		print_error("%s\n", drift);
		fail_with_story(w, "the author is not named");
	}
	world_free(&w);
}

static void test_quiet_when_in_sync(void **state)
{
	struct world *w = ready_world();
	size_t commits, entries;

	(void)state;
	world_run(w, 60000, NULL, NULL);
	commits = memgit_status_commits(w->git);
	entries = sim_journal_len(w->sim);
	world_run(w, 3600000, NULL, NULL);
	if (memgit_status_commits(w->git) != commits || sim_journal_len(w->sim) != entries)
		fail_with_story(w, "an hour without changes is not quiet");
	world_free(&w);
}

static void test_broken_manifest_keeps_the_last_good(void **state)
{
	struct world *w = ready_world();
	int64_t vmid = world_find(w, "web-01", NULL);
	const struct vmstat *v;

	(void)state;
	world_run(w, 30000, NULL, NULL);
	commit(w, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\n"
	    "spec: { node_name: pve1, clone: { source_vm_id: 9000 }, cpus: 3 }\n",
	    "broken");
	world_run(w, 200000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_non_null(v);
	assert_true(v->stale);
	assert_true(v->findings.n > 0);
	/* After a restart the last good version comes out of history. */
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 200000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_non_null(v);
	assert_true(v->stale);
	assert_conf(w, vmid, "cores", "4");
	world_free(&w);
}

static void test_vanished_manifest_releases(void **state)
{
	struct world *w = ready_world();
	int64_t vmid = world_find(w, "web-01", NULL);
	const struct vmstat *v;
	size_t entries;

	(void)state;
	world_run(w, 30000, NULL, NULL);
	entries = sim_journal_len(w->sim);
	commit(w, "other.txt", "nothing", "gone");
	world_run(w, 300000, NULL, NULL);
	assert_true(sim_guest_exists(w->sim, vmid));
	assert_int_equal(sim_journal_len(w->sim), entries);
	v = world_vmstat(w, "web-01");
	assert_non_null(v);
	assert_int_equal(v->reason, REASON_ORPHANED);
	world_free(&w);
}

static void test_everything_lost(void **state)
{
	struct world *w = ready_world();
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t n = 0;

	(void)state;
	world_run(w, 30000, NULL, NULL);
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
	assert_false(world_vmstat(w, "web-01")->record.proven);
	world_free(&w);
}

static bool says_history(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->reason == REASON_CLONE_SOURCE_CHANGED &&
	       strstr(v->message, "clone.target_datastore absent → fast");
}

/* Where a VM was cloned to is history: told when the manifest says otherwise later, and no reason
 * to do anything. It is known from the journal, and from the report. */
static void test_provenance_is_history(void **state)
{
	struct world *w = ready_world();
	int64_t vmid = world_find(w, "web-01", NULL);
	const char *from = strstr(web_yaml, "9000 }");
	_cleanup_str_ char *other = mem_printf("%.*s9000, target_datastore: fast%s",
	    (int)(from - web_yaml), web_yaml, from + strlen("9000"));
	(void)state;
	_cleanup_str_ char *disk = mem_strdup(sim_guest_get(w->sim, vmid, "scsi0"));
	commit(w, "web.yaml", other, "second");
	if (!world_run(w, 900000, says_history, NULL))
		fail_with_story(w, "the journal does not know");
	world_kill(w);
	memstore_drop(w->store);
	world_start(w, CONTROLLER_RUN);
	if (!world_run(w, 900000, says_history, NULL))
		fail_with_story(w, "the report does not know");
	assert_conf(w, vmid, "scsi0", disk);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_merge),
	    cmocka_unit_test(test_drift_is_attributed_and_corrected),
	    cmocka_unit_test(test_quiet_when_in_sync),
	    cmocka_unit_test(test_broken_manifest_keeps_the_last_good),
	    cmocka_unit_test(test_vanished_manifest_releases),
	    cmocka_unit_test(test_everything_lost),
	    cmocka_unit_test(test_provenance_is_history),
	    cmocka_unit_test(test_ceiling_holds_for_a_new_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
