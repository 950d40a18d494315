/* VMs with a marker of ours that no manifest and no record claims, and manifests whose old name
 * nobody knows: told, and left alone. */
#include "support_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD(name) "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n"
#define RENAMED(name, old)                                                  \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name \
	", annotations: { ramet.dev/renamed-from: " old " } }\nspec:\n"
#define CLONE "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"
#define OTHER HEAD("web-02") CLONE
#define MINUTE 60000

static struct world *open_with(const char *yaml)
{
	struct world *w = world_new(51, NULL);

	case_merge(w, yaml, "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	world_run(w, MINUTE, NULL, NULL);
	return w;
}

static void lose_all(struct world *w)
{
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
}

/* The report names the VM, and says what a person can do. */
static bool is_told(struct world *w, int64_t vmid)
{
	const char *md = memgit_status_file(w->git, "STATUS.md");
	_cleanup_str_ char *word = mem_printf("%lld", (long long)vmid);

	return md && strstr(md, word);
}

static void must_be_told(struct world *w, int64_t vmid)
{
	if (!is_told(w, vmid))
		fail_msg("VM %lld is not in %s", (long long)vmid,
		    memgit_status_file(w->git, "STATUS.md"));
}

/* What it was cloned as, as a backup has it, under this number. */
static void restore(struct world *w, const struct kv *conf, int64_t vmid)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	kv_copy(&set, conf);
	kv_del(&set, "digest");
	kv_del(&set, "vmgenid");
	kv_set(&set, "scsi0", "shared:4");
	if (sim_human_create(w->sim, vmid, "pve3", "ops@pam", &set, &e) < 0)
		fail_msg("restore: %s", err_msg(e));
}

/* Nothing is remembered, and its manifest went meanwhile. */
static void all_lost_and_no_manifest(void **state)
{
	struct world *w = open_with(HEAD("web-01") CLONE "---\n" OTHER);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t entries = sim_journal_len(w->sim);

	(void)state;
	lose_all(w);
	case_merge(w, OTHER, "one is gone");
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	must_be_told(w, vmid);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_ORPHANED);
	assert_non_null(vmstat_next(world_vmstat(w, "web-01")));
	assert_int_equal(sim_journal_len(w->sim), entries);
	world_free(&w);
}

/* A person restores what was destroyed, and nobody has a manifest of it. */
static void restored_after_all(void **state)
{
	struct world *w = open_with(HEAD("web-01") CLONE "---\n" OTHER);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv conf = {0};
	size_t entries;

	(void)state;
	kv_copy(&conf, sim_guest_conf(w->sim, vmid));
	case_merge(w, OTHER, "one is gone");
	world_run(w, 5 * MINUTE, NULL, NULL);
	assert_int_equal(sim_human_delete(w->sim, vmid, "ops@pam", NULL), 0);
	world_run(w, 15 * MINUTE, NULL, NULL);
	assert_false(is_told(w, vmid));
	restore(w, &conf, vmid);
	entries = sim_journal_len(w->sim);
	world_run(w, 15 * MINUTE, NULL, NULL);
	must_be_told(w, vmid);
	assert_int_equal(sim_journal_len(w->sim), entries);
	/* Whoever does as the report says hears no more of it. */
	_cleanup_kv_ struct kv plain = {0};
	kv_set(&plain, "description", "Jo's");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &plain, NULL, NULL), 0);
	world_run(w, 15 * MINUTE, NULL, NULL);
	assert_false(is_told(w, vmid));
	world_free(&w);
}

/* Two carry the marker of one name, all is forgotten, and no manifest says which is meant. */
static void two_and_no_manifest(void **state)
{
	struct world *w = open_with(HEAD("web-01") CLONE "---\n" OTHER);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv conf = {0};
	size_t entries;

	(void)state;
	kv_copy(&conf, sim_guest_conf(w->sim, vmid));
	_cleanup_str_ char *old = mem_printf("vmid=%lld", (long long)vmid);
	const char *desc = kv_get(&conf, "description"), *at = strstr(desc, old);
	_cleanup_str_ char *other =
	    mem_printf("%.*svmid=1077%s", (int)(at - desc), desc, at + strlen(old));
	kv_set(&conf, "description", other);
	restore(w, &conf, 1077);
	lose_all(w);
	case_merge(w, OTHER, "one is gone");
	entries = sim_journal_len(w->sim);
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	must_be_told(w, vmid);
	must_be_told(w, 1077);
	assert_int_equal(sim_journal_len(w->sim), entries);
	world_free(&w);
}

/* What a clone left that broke off, all is forgotten, and no manifest asks for anything new. */
static void debris_that_nobody_waits_for(void **state)
{
	struct world *w = open_with(OTHER);
	_cleanup_kv_ struct kv conf = {0};

	(void)state;
	kv_set(&conf, "description", "qmclone temporary file");
	assert_int_equal(sim_human_create(w->sim, 1066, "pve3", "ops@pam", &conf, NULL), 0);
	assert_int_equal(sim_human_lock(w->sim, 1066, "clone", NULL), 0);
	world_kill(w);
	memstore_drop(w->store);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 2 * (int64_t)HOUR_MS, NULL, NULL);
	must_be_told(w, 1066);
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "qm unlock 1066"));
	world_free(&w);
}

/* Two renames while nobody looked: the name in the middle was never known, and the VM is on record
 * under the first one. Nothing is cloned, and with prune nothing destroyed, before a person says
 * what is meant; also when the records come from the markers. */
static void renamed_twice(const char *policy, bool lost, bool new_one)
{
	struct world *w = world_new(52, policy);
	int64_t vmid, ids[100];
	size_t guests;

	case_merge(w, HEAD("web-01") CLONE "---\n" OTHER, "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	world_run(w, MINUTE, NULL, NULL);
	vmid = world_find(w, "web-01", NULL);
	guests = sim_guests(w->sim, ids, 100);
	world_kill(w);
	if (lost)
		memstore_drop(w->store);
	if (lost)
		memgit_drop_status(w->git);
	case_merge(w, RENAMED("web-b", "web-01") CLONE "---\n" OTHER, "once");
	case_merge(w, RENAMED("web-c", "web-b") CLONE "---\n" OTHER, "twice");
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	world_kill(w); /* the doubt outlives it */
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(sim_guests(w->sim, ids, 100), guests);
	assert_true(sim_guest_exists(w->sim, vmid));
	assert_int_equal(world_vmstat(w, "web-c")->reason, REASON_OLD_NAME_UNKNOWN);
	assert_non_null(strstr(world_vmstat(w, "web-c")->message, "web-01 (VM "));
	case_merge(w,
	    new_one ? HEAD("web-c") CLONE "---\n" OTHER
		    : RENAMED("web-c", "web-01") CLONE "---\n" OTHER,
	    "a word");
	world_run(w, 10 * MINUTE, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-c")->verdict, PLAN_IN_SYNC);
	assert_true(new_one || sim_guest_exists(w->sim, vmid));
	assert_int_equal(sim_guests(w->sim, ids, 100), guests + (new_one && !policy));
	assert_int_equal(world_find(w, "web-c", NULL) == vmid, !new_one);
	world_free(&w);
}

static void renamed_twice_while_away(void **state)
{
	static const char prune[] = "policy: { vmid_range: 1000-1099, prune: true }\n";

	(void)state;
	renamed_twice(NULL, false, false);
	renamed_twice(NULL, false, true);
	renamed_twice(NULL, true, false);
	renamed_twice(prune, false, false);
}

/* An annotation that was left in the manifest keeps nobody from having a new VM. */
static void old_annotation(void **state)
{
	struct world *w = open_with(RENAMED("web-c", "web-b") CLONE "---\n" OTHER);
	int64_t vmid = world_find(w, "web-c", NULL);

	(void)state;
	assert_int_not_equal(vmid, 0);
	case_merge(w, RENAMED("web-c", "web-b") CLONE, "one is released");
	world_run(w, 5 * MINUTE, NULL, NULL);
	case_merge(w, RENAMED("web-c", "web-b") CLONE "---\n" RENAMED("web-e", "web-d") CLONE,
	    "a new one");
	world_run(w, 10 * MINUTE, NULL, NULL);
	assert_int_not_equal(world_find(w, "web-e", NULL), 0);
	assert_int_equal(world_find(w, "web-c", NULL), vmid);
	world_free(&w);
}

/* Renamed in PVE while its manifest is renamed, and a stranger takes the old name and the tag: a
 * name is no identity. */
static void renamed_by_all(void **state)
{
	struct world *w = open_with(HEAD("web-01") CLONE);
	int64_t vmid = world_find(w, "web-01", NULL), ids[100];
	_cleanup_kv_ struct kv other = {0}, mine = {0};
	size_t guests, entries;

	(void)state;
	kv_set(&mine, "name", "web-x");
	kv_set(&other, "name", "web-01");
	kv_set(&other, "tags", "ramet");
	world_kill(w);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &mine, NULL, NULL), 0);
	kv_set(&mine, "name", "web-y");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &mine, NULL, NULL), 0);
	assert_int_equal(sim_human_create(w->sim, 1071, "pve3", "ops@pam", &other, NULL), 0);
	guests = sim_guests(w->sim, ids, 100);
	case_merge(w, RENAMED("web-02", "web-01") CLONE "  name: web-02\n", "renamed as well");
	entries = sim_journal_len(w->sim);
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	assert_int_equal(sim_guests(w->sim, ids, 100), guests);
	assert_int_equal(world_find(w, "web-02", NULL), vmid);
	assert_string_equal(sim_guest_get(w->sim, vmid, "name"), "web-02");
	assert_string_equal(sim_guest_get(w->sim, 1071, "name"), "web-01");
	for (size_t i = entries; i < sim_journal_len(w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		assert_int_not_equal(e.vmid, 1071);
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_lost_and_no_manifest),
	    cmocka_unit_test(restored_after_all),
	    cmocka_unit_test(two_and_no_manifest),
	    cmocka_unit_test(debris_that_nobody_waits_for),
	    cmocka_unit_test(renamed_twice_while_away),
	    cmocka_unit_test(old_annotation),
	    cmocka_unit_test(renamed_by_all),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
