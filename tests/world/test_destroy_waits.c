/* What has to hold up the end of a VM, and what is told of it. */
#include "support_end.h"
#include "support_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct vm web_there = {"web-01", "  started: true\n"};
static const struct vm web_absent = {"web-01", "  state: absent\n"};
static const struct vm web_nowhere = {"web-01", NULL};

/* ---- what holds it up ---- */

static void test_budget(void **state)
{
	struct vm v[] = {{"vm-a", ""}, {"vm-b", ""}, {"vm-c", ""}, {"vm-d", ""}};
	struct world *w = end_open(7, "", v, 4);
	int64_t a = world_find(w, "vm-a", NULL), b = world_find(w, "vm-b", NULL);
	int64_t began;

	(void)state;
	end_allow(a);
	v[0].more = "  state: absent\n";
	end_merge(w, v, 4, "a goes");
	end_must_go(w, "vm-a", a);
	began = clock_now(w->clock);
	/* 10 % of four are none, at least one: the next has to wait for the hour. */
	v[1].more = "  state: absent\n";
	end_merge(w, v, 4, "b goes");
	end_must_say(w, "vm-b", REASON_DESTROY_BUDGET);
	world_kill(w);
	end_start_life(w);
	end_must_say(w, "vm-b", REASON_DESTROY_BUDGET);
	world_kill(w);
	memstore_drop(w->store); /* the report remembers as well */
	end_start_life(w);
	end_must_say(w, "vm-b", REASON_DESTROY_BUDGET);
	world_run(w, 1800000, NULL, end_look);
	assert_true(sim_guest_exists(w->sim, b));
	end_allow(b);
	end_target = b;
	assert_true(world_run(w, HOUR_MS, end_gone, end_look));
	assert_true(clock_now(w->clock) - began > 1800000);
	end_close(w, NULL);
}

/* The smaller of both numbers counts, and none at all forbids it. */
static void test_budget_of_the_configuration(void **state)
{
	struct vm v[] = {{"vm-a", ""}, {"vm-b", ""}, {"vm-c", ""}};
	struct world *w = end_open(19, "destroy_budget: { count: 2, percent: 100 }", v, 3);
	int64_t ids[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		ids[i] = world_find(w, v[i].name, NULL);
		v[i].more = "  state: absent\n";
	}
	end_merge(w, v, 3, "all three");
	end_must_say(w, "vm-a", REASON_DESTROY_BUDGET);
	world_run(w, 2 * HOUR_MS, NULL, end_look);
	assert_int_equal(end_rules.deletes, 0);
	v[2].more = "";
	end_allow(ids[0]);
	end_allow(ids[1]);
	end_merge(w, v, 3, "two of them");
	end_must_go(w, "vm-a", ids[0]);
	end_must_go(w, "vm-b", ids[1]);
	assert_true(sim_guest_exists(w->sim, ids[2]));
	end_close(w, NULL);

	v[0].more = "";
	w = end_open(20, "destroy_budget: { count: 0, percent: 100 }", v, 1);
	v[0].more = "  state: absent\n";
	end_merge(w, v, 1, "one");
	end_must_say(w, "vm-a", REASON_DESTROY_BUDGET);
	world_run(w, 2 * HOUR_MS, NULL, end_look);
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

/* Too many at once: none of them, until a person says that they are meant. */
static void test_budget_stops_all(void **state)
{
	struct vm v[] = {{"vm-a", ""}, {"vm-b", ""}, {"vm-c", ""}, {"vm-d", ""}};
	struct world *w = end_open(8, "prune: true", v, 4);
	int64_t ids[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		ids[i] = world_find(w, v[i].name, NULL);
		v[i].more = NULL;
	}
	end_merge(w, v, 4, "three vanish");
	end_must_say(w, "vm-a", REASON_DESTROY_BUDGET);
	world_run(w, 3 * HOUR_MS, NULL, end_look);
	end_must_say(w, "vm-c", REASON_DESTROY_BUDGET);
	assert_int_equal(end_rules.deletes, 0);
	world_kill(w);
	w->destroy_budget = 2;
	end_start_life(w);
	end_must_say(w, "vm-b", REASON_DESTROY_BUDGET);
	world_kill(w);
	w->destroy_budget = 3;
	for (size_t i = 0; i < 3; i++)
		end_allow(ids[i]);
	end_start_life(w);
	for (size_t i = 0; i < 3; i++)
		end_must_go(w, v[i].name, ids[i]);
	end_close(w, NULL);
}

static void test_no_manifest_at_all(void **state)
{
	struct world *w =
	    end_open(9, "prune: true, destroy_budget: { count: 100, percent: 100 }", &web_there, 1);
	struct vm other = {"app-01", "  cpu: { croes: 4 }\n"};
	struct vm both[] = {web_there, {"app-01", ""}};

	(void)state;
	end_merge(w, &web_nowhere, 1, "an empty folder");
	end_must_say(w, "web-01", REASON_UNREADABLE);
	world_run(w, HOUR_MS, NULL, end_look);
	end_merge(w, &other, 1, "and a broken one");
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "web-01", REASON_UNREADABLE);
	end_merge(w, both, 2, "mended");
	if (!world_run(w, HOUR_MS, world_all_ready, end_look))
		end_close(w, "not Ready");
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

/* The branch is set back to where the VM was to be absent. */
static void test_history(void **state)
{
	struct world *w = end_open(10, "", &web_absent, 1);
	int64_t vmid;

	(void)state;
	end_merge(w, &web_there, 1, "wanted");
	if (!world_run(w, HOUR_MS, world_all_ready, end_look))
		end_close(w, "not Ready");
	vmid = world_find(w, "web-01", NULL);
	memgit_rewind(w->git, 1);
	end_must_say(w, "web-01", REASON_HISTORY);
	world_run(w, HOUR_MS, NULL, end_look);
	world_kill(w);
	end_start_life(w);
	end_must_say(w, "web-01", REASON_HISTORY);
	/* A commit on top of it is no confirmation. */
	end_merge(w, &web_absent, 1, "something else");
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "web-01", REASON_HISTORY);
	world_kill(w);
	memstore_drop(w->store); /* the report knows what was in force */
	end_start_life(w);
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "web-01", REASON_HISTORY);
	assert_int_equal(end_rules.deletes, 0);
	world_kill(w);
	end_allow(vmid);
	w->destroy_budget = 1;
	end_start_life(w);
	end_must_go(w, "web-01", vmid);
	end_close(w, NULL);
}

static void test_guards(void **state)
{
	struct world *w = end_open(11, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv set = {0};

	(void)state;
	kv_set(&set, "protection", "1");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	end_merge(w, &web_absent, 1, "goes");
	end_must_say(w, "web-01", REASON_PROTECTED);
	assert_int_equal(sim_human_ha(w->sim, vmid, true, NULL), 0);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", NULL, "protection", NULL), 0);
	end_must_say(w, "web-01", REASON_HA_MANAGED);
	assert_int_equal(sim_human_replicate(w->sim, vmid, true, NULL), 0);
	assert_int_equal(sim_human_ha(w->sim, vmid, false, NULL), 0);
	end_must_say(w, "web-01", REASON_REPLICATED);
	kv_fini(&set);
	kv_set(&set, "scsi3", "shared:1");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	assert_int_equal(sim_human_replicate(w->sim, vmid, false, NULL), 0);
	end_must_say(w, "web-01", REASON_UNMANAGED_DISKS);
	assert_true(sim_guest_running(w->sim, vmid));
	assert_int_equal(end_rules.deletes, 0);
	end_allow(vmid);
	{
		struct vm all = {
		    "web-01", "  state: absent\n  delete_unreferenced_disks_on_destroy: true\n"};

		end_merge(w, &all, 1, "with all its disks");
	}
	end_must_go(w, "web-01", vmid);
	assert_int_equal(sim_volumes_of(w->sim, vmid), 0);
	end_close(w, NULL);
}

static void test_deaf_guest(void **state)
{
	struct vm stop = {"web-01", "  state: absent\n  stop_on_destroy: true\n"};
	struct world *w = end_open(12, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	assert_int_equal(sim_human_deaf(w->sim, vmid, true, NULL), 0);
	end_merge(w, &web_absent, 1, "goes");
	end_must_say(w, "web-01", REASON_STAYS_UP);
	assert_true(sim_guest_running(w->sim, vmid));
	assert_int_equal(end_rules.deletes, 0);
	end_allow(vmid);
	end_merge(w, &stop, 1, "goes hard");
	end_must_go(w, "web-01", vmid);
	end_close(w, NULL);
}

static void drop_reply(void *arg, const struct sim_reply *reply)
{
	*(int *)arg = reply->status;
}

/* As root would: pvesm free. */
static void free_volume(struct world *w, const char *text)
{
	const char *volume = strstr(text, "pvesm free ");
	int status = 0;

	assert_non_null(volume);
	volume += strlen("pvesm free ");
	_cleanup_str_ char *name = mem_strndup(volume, strcspn(volume, ". \n"));
	size_t slash = strcspn(name, "/");
	bool linked = name[slash] == '/';
	_cleanup_str_ char *path = mem_printf("/nodes/pve2/storage/fast/content/%.*s%s%s",
	    (int)slash, name, linked ? "%2F" : "", linked ? name + slash + 1 : "");
	struct sim_req q = {.method = "DELETE",
	    .path = path,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222",
	    .node = "pve2"};

	sim_submit(w->sim, &q, drop_reply, &status);
	while (!status)
		world_step(w);
	assert_int_equal(status, 200);
}

static void test_leftovers_are_told(void **state)
{
	struct world *w = end_open(13, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);
	const char *text;

	(void)state;
	end_allow(vmid);
	assert_int_equal(sim_store_stuck(w->sim, "fast", true, NULL), 0);
	end_merge(w, &web_absent, 1, "goes");
	end_must_go(w, "web-01", vmid);
	world_run(w, 60000, NULL, end_look);
	text = memgit_status_file(w->git, "STATUS.md");
	assert_non_null(text);
	assert_non_null(strstr(text, "Volumes that were left"));
	assert_non_null(strstr(text, "pvesm free fast:"));
	world_run(w, HOUR_MS, NULL, end_look);
	text = memgit_status_file(w->git, "STATUS.md");
	assert_non_null(strstr(text, "pvesm free fast:"));
	assert_int_equal(sim_store_stuck(w->sim, "fast", false, NULL), 0);
	free_volume(w, text);
	world_run(w, HOUR_MS, NULL, end_look);
	assert_null(strstr(memgit_status_file(w->git, "STATUS.md"), "pvesm free"));
	end_close(w, NULL);
}

static void test_order_of_dependents(void **state)
{
	struct vm two[] = {{"db-01", ""}, {"app-01", "  depends_on: [db-01]\n"}};
	struct world *w = end_open(14, "destroy_budget: { count: 5, percent: 100 }", two, 2);
	int64_t db = world_find(w, "db-01", NULL), app = world_find(w, "app-01", NULL);

	(void)state;
	two[0].more = "  state: absent\n";
	end_merge(w, two, 2, "db-01 goes");
	end_must_say(w, "db-01", REASON_DEPENDENTS);
	world_run(w, 600000, NULL, end_look);
	end_allow(db);
	end_allow(app);
	two[1].more = "  depends_on: [db-01]\n  state: absent\n";
	end_merge(w, two, 2, "both go");
	end_target = app;
	while (sim_guest_exists(w->sim, app)) {
		world_step(w);
		assert_true(sim_guest_exists(w->sim, db));
	}
	end_must_go(w, "db-01", db);
	/* What is absent as ordered is no VM that another one could depend on. */
	two[1].more = "  depends_on: [db-01]\n";
	end_merge(w, two, 2, "app-01 comes back");
	end_must_say(w, "app-01", REASON_DEPENDENCY);
	world_run(w, 600000, NULL, end_look);
	assert_int_equal(world_find(w, "app-01", NULL), 0);
	end_close(w, NULL);
}

static void test_no_quorum(void **state)
{
	struct world *w = end_open(15, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	assert_int_equal(sim_node_quorum(w->sim, NULL, false, NULL), 0);
	end_merge(w, &web_absent, 1, "goes");
	world_run(w, HOUR_MS, NULL, end_look);
	assert_true(sim_guest_running(w->sim, vmid));
	assert_int_equal(end_rules.deletes, 0);
	end_allow(vmid);
	assert_int_equal(sim_node_quorum(w->sim, NULL, true, NULL), 0);
	end_must_go(w, "web-01", vmid);
	end_close(w, NULL);
}

/* The node that would do it is cut off from the others. */
static void test_minority_node(void **state)
{
	struct world *w = end_open(16, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	assert_string_equal(sim_guest_node(w->sim, vmid), "pve2");
	assert_int_equal(sim_node_quorum(w->sim, "pve2", false, NULL), 0);
	end_merge(w, &web_absent, 1, "goes");
	end_must_say(w, "web-01", REASON_NODE_OFFLINE);
	world_run(w, HOUR_MS, NULL, end_look);
	assert_true(sim_guest_running(w->sim, vmid));
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

static void test_template_with_linked_clones(void **state)
{
	struct vm v[] = {{"base-01", "  template: true\n"}};
	struct world *w = end_open(17, "", v, 1);
	int64_t base = world_find(w, "base-01", NULL), clone;
	_cleanup_kv_ struct kv files = {0};

	(void)state;
	for (int absent = 0; absent < 2; absent++) {
		kv_setf(&files, "base-01.yaml",
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: base-01 }\n"
		    "spec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"
		    "  template: true\n%s",
		    absent ? "  state: absent\n" : "");
		kv_setf(&files, "child.yaml",
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: child }\nspec:\n"
		    "  node_name: pve2\n  clone: { source_vm_id: %lld, full: false }\n",
		    (long long)base);
		memgit_commit(w->git, &files, "a child");
		if (!absent && !world_run(w, HOUR_MS, world_all_ready, end_look))
			end_close(w, "not Ready");
	}
	clone = world_find(w, "child", NULL);
	assert_int_not_equal(clone, 0);
	/* It is shown before anybody runs into it. */
	const struct strs *linked = &world_vmstat(w, "child")->linked_to;
	_cleanup_str_ char *id = mem_printf("%lld", (long long)base);
	assert_int_equal(linked->n, 1);
	assert_string_equal(linked->v[0], id);
	end_must_say(w, "base-01", REASON_LINKED_CLONES);
	assert_int_equal(end_rules.deletes, 0);
	/* Taken out of Ramet's hands it still needs its template. */
	assert_int_equal(sim_human_edit(w->sim, clone, "ops@pam", NULL, "description", NULL), 0);
	kv_del(&files, "child.yaml");
	memgit_commit(w->git, &files, "released");
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "base-01", REASON_LINKED_CLONES);
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

static const char *base_disk(struct world *w)
{
	return sim_guest_get(w->sim, world_find(w, "base-01", NULL), "scsi0");
}

static bool is_moved(struct world *w)
{
	return text_starts(base_disk(w), "shared:");
}

static void clone_by_somebody(struct world *w, int64_t base, int64_t vmid)
{
	_cleanup_str_ char *path = mem_printf("/nodes/pve2/qemu/%lld/clone", (long long)base);
	_cleanup_kv_ struct kv params = {0};
	struct sim_req q = {.method = "POST",
	    .path = path,
	    .params = &params,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222",
	    .node = "pve2"};
	int status = 0;

	kv_setf(&params, "newid", "%lld", (long long)vmid);
	kv_set(&params, "full", "0");
	sim_submit(w->sim, &q, drop_reply, &status);
	for (int i = 0;
	     i < 100000 && (!sim_guest_exists(w->sim, vmid) || sim_tasks_running(w->sim)); i++)
		world_step(w);
	assert_true(sim_guest_exists(w->sim, vmid));
}

/* PVE would copy the disk and warn that the old volume cannot be freed: it would be nobody's. */
static void test_template_stays_where_its_clones_need_it(void **state)
{
	struct vm v[] = {{"base-01", "  template: true\n"}};
	struct world *w = end_open(18, "", v, 1);
	_cleanup_str_ char *child = mem_printf(
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: child }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: %lld, full: false }\n",
	    (long long)world_find(w, "base-01", NULL));
	_cleanup_kv_ struct kv files = {0};
	int64_t clone;

	(void)state;
	kv_set(&files, "base-01.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: base-01 }\n"
	    "spec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"
	    "  template: true\n");
	kv_set(&files, "child.yaml", child);
	memgit_commit(w->git, &files, "a child");
	if (!world_run(w, HOUR_MS, world_all_ready, end_look))
		end_close(w, "not Ready");
	clone = world_find(w, "child", NULL);
	kv_set(&files, "base-01.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: base-01 }\n"
	    "spec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"
	    "  template: true\n  disk: { scsi0: { datastore_id: shared } }\n");
	memgit_commit(w->git, &files, "move it");
	end_must_say(w, "base-01", REASON_LINKED_CLONES);
	assert_true(text_starts(base_disk(w), "fast:base-"));
	/* A clone that is none of ours needs it as much. */
	clone_by_somebody(w, world_find(w, "base-01", NULL), 1060);
	kv_del(&files, "child.yaml");
	memgit_commit(w->git, &files, "released");
	assert_int_equal(sim_human_delete(w->sim, clone, "ops@pam", NULL), 0);
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "base-01", REASON_LINKED_CLONES);
	assert_true(text_starts(base_disk(w), "fast:base-"));
	assert_int_equal(sim_human_delete(w->sim, 1060, "ops@pam", NULL), 0);
	if (!world_run(w, HOUR_MS, is_moved, end_look))
		end_close(w, "not moved, and nobody needs it where it was");
	end_close(w, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_budget),
	    cmocka_unit_test(test_budget_of_the_configuration),
	    cmocka_unit_test(test_budget_stops_all),
	    cmocka_unit_test(test_no_manifest_at_all),
	    cmocka_unit_test(test_history),
	    cmocka_unit_test(test_guards),
	    cmocka_unit_test(test_deaf_guest),
	    cmocka_unit_test(test_leftovers_are_told),
	    cmocka_unit_test(test_order_of_dependents),
	    cmocka_unit_test(test_no_quorum),
	    cmocka_unit_test(test_minority_node),
	    cmocka_unit_test(test_template_with_linked_clones),
	    cmocka_unit_test(test_template_stays_where_its_clones_need_it),
	};

	world_quiet();
	wire_watch(RAMET_SOURCE_DIR "/../shared/pve");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	wire_tell();
	return failed;
}
