/*
 * The end of VMs: ordered by state: absent or by a manifest that is gone, against every fault, the
 * death of the controller at every line of its journal, and people who are quicker.
 */
#include "support_end.h"
#include "support_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool counts_effect(struct world *w, const char *effect, int64_t vmid)
{
	for (size_t i = 0; i < sim_journal_len(w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		if (strcmp(e.effect, effect) == 0 && e.vmid == vmid)
			return true;
	}
	return false;
}

static const struct vm web_there = {"web-01", "  started: true\n"};
static const struct vm web_absent = {"web-01", "  state: absent\n"};
static const struct vm web_nowhere = {"web-01", NULL};

/* ---- orders ---- */

static void test_absent(void **state)
{
	const struct vm both[] = {{"web-01", "  started: true\n"}, {"app-01", ""}};
	const struct vm one[] = {{"web-01", "  state: absent\n"}, {"app-01", ""}};
	struct world *w = end_open(1, "", both, 2);
	int64_t vmid = world_find(w, "web-01", NULL), other = world_find(w, "app-01", NULL);
	const char *summary;

	(void)state;
	end_allow(vmid);
	end_merge(w, one, 2, "web-01 goes");
	end_must_go(w, "web-01", vmid);
	assert_true(counts_effect(w, "stop", vmid));
	assert_true(sim_guest_exists(w->sim, other));
	assert_int_equal(sim_volumes_of(w->sim, vmid), 0);
	world_run(w, 60000, NULL, end_look);
	assert_int_equal(end_rules.deletes, 1);
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	summary = memgit_status_file(w->git, "summary.json");
	assert_non_null(summary);
	assert_non_null(strstr(summary, "\"destroyed\""));
	/* Wanted again: another one, with another number. */
	end_merge(w, both, 2, "web-01 again");
	if (!world_run(w, HOUR_MS, world_all_ready, end_look))
		end_close(w, "not Ready again");
	assert_int_not_equal(world_find(w, "web-01", NULL), vmid);
	end_close(w, NULL);
}

static void test_prune(void **state)
{
	struct vm two[] = {web_there, {"app-01", ""}};
	struct world *w = end_open(2, "prune: true", two, 2);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	end_allow(vmid);
	two[0] = web_nowhere;
	end_merge(w, two, 2, "web-01 vanishes");
	end_must_go(w, "web-01", vmid);
	world_run(w, 60000, NULL, end_look);
	assert_null(world_vmstat(w, "web-01"));
	assert_int_equal(end_rules.deletes, 1);
	end_close(w, NULL);
}

/* The manifest is gone, and another one means the same VM by its number: a rename that does not say
 * what it is. */
static void test_prune_of_what_another_names(void **state)
{
	struct vm two[] = {{"web-01", ""}, {"app-01", ""}};
	struct world *w = end_open(21, "prune: true", two, 2);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_str_ char *line = mem_printf("  id: %lld\n", (long long)vmid);
	const struct vm next[] = {{"web-02", line}, {"app-01", ""}};

	(void)state;
	end_merge(w, next, 2, "renamed without a word");
	end_must_say(w, "web-01", REASON_STILL_NAMED);
	world_run(w, HOUR_MS, NULL, end_look);
	assert_true(sim_guest_exists(w->sim, vmid));
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

/* Without prune it is released: marker and tag stay, and nobody touches it. */
static void test_released(void **state)
{
	struct vm two[] = {web_there, {"app-01", ""}};
	struct world *w = end_open(3, "", two, 2);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t entries;

	(void)state;
	two[0] = web_nowhere;
	end_merge(w, two, 2, "web-01 vanishes");
	end_must_say(w, "web-01", REASON_ORPHANED);
	entries = sim_journal_len(w->sim);
	world_run(w, HOUR_MS, NULL, end_look);
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_true(sim_guest_running(w->sim, vmid));
	/* A person removes it: then nothing is remembered of it. */
	assert_int_equal(sim_human_power(w->sim, vmid, false, NULL), 0);
	assert_int_equal(sim_human_delete(w->sim, vmid, "ops@pam", NULL), 0);
	world_run(w, 600000, NULL, end_look);
	assert_null(world_vmstat(w, "web-01"));
	end_close(w, NULL);
}

/* What the last manifest said about the end counts also when it is gone, after a restart as well.
 */
static void test_prune_protected(void **state)
{
	struct vm two[] = {{"web-01", "  protect: true\n"}, {"app-01", ""}};
	struct world *w = end_open(4, "prune: true", two, 2);

	(void)state;
	two[0].more = NULL;
	end_merge(w, two, 2, "web-01 vanishes");
	end_must_say(w, "web-01", REASON_PROTECT_SPEC);
	world_kill(w);
	end_start_life(w);
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "web-01", REASON_PROTECT_SPEC);
	world_kill(w);
	memstore_drop(w->store);
	end_start_life(w);
	world_run(w, HOUR_MS, NULL, end_look);
	end_must_say(w, "web-01", REASON_PROTECT_SPEC);
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

static void test_withdrawn(void **state)
{
	struct world *w = end_open(5, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	assert_int_equal(sim_human_lock(w->sim, vmid, "backup", NULL), 0);
	end_merge(w, &web_absent, 1, "goes");
	end_must_say(w, "web-01", REASON_LOCKED);
	end_merge(w, &web_there, 1, "stays");
	world_run(w, 120000, NULL, end_look);
	assert_int_equal(sim_human_lock(w->sim, vmid, NULL, NULL), 0);
	world_run(w, 120000, NULL, end_look);
	if (!world_run(w, HOUR_MS, world_all_ready, end_look))
		end_close(w, "not Ready");
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	assert_int_equal(end_rules.deletes, 0);
	end_close(w, NULL);
}

/* ---- faults and deaths ---- */

static void strike(size_t i, const char *method, const char *path, unsigned times)
{
	struct world *w = end_open(100 + i, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);

	end_allow(vmid);
	world_add_fault(w, i, method, path, times);
	end_merge(w, &web_absent, 1, "goes");
	world_tell(w, "fault %zu on %s %s, strikes %u", i, method, path, times);
	end_must_go(w, "web-01", vmid);
	end_close(w, sim_fault_struck(w->sim) ? NULL : "the fault did not strike");
}

static void test_every_fault(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORLD_CALL_FAULTS; i++) {
		for (unsigned times = 1; times <= 2; times++) {
			strike(i, "DELETE", "*/qemu/*", times);
			strike(i, "POST", "*/status/shutdown", times);
		}
	}
}

static void die_after(unsigned n, bool lose_state)
{
	struct vm two[] = {web_there, {"app-01", ""}};
	struct world *w = end_open(200 + n, "", two, 2);
	int64_t vmid = world_find(w, "web-01", NULL);

	world_run(w, 60000, NULL, end_look); /* the report is out */
	end_allow(vmid);
	two[0] = web_absent;
	world_kill_after_lines(w, n);
	end_merge(w, two, 2, "goes");
	world_run(w, 300000, NULL, end_look);
	if (!w->controller) {
		if (lose_state)
			memstore_drop(w->store);
		end_start_life(w);
	}
	world_tell(w, "death after line %u", n);
	end_must_go(w, "web-01", vmid);
	world_run(w, 300000, NULL, end_look);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	assert_int_not_equal(world_find(w, "app-01", NULL), 0);
	end_close(w, NULL);
}

static void test_death_at_every_line(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 12; n++) {
		die_after(n, false);
		die_after(n, true);
	}
}

static int64_t first;

static bool is_made_anew(struct world *w)
{
	int64_t vmid = world_find(w, "web-01", NULL);

	return vmid && vmid != first && world_all_ready(w);
}

static bool is_forgotten(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && !v->record.vmid;
}

/* It was destroyed, and the report never came to say so; then it is wanted again. */
static void test_report_is_older_than_the_destroy(void **state)
{
	struct world *w = end_open(9, "", &web_there, 1);

	(void)state;
	first = world_find(w, "web-01", NULL);
	end_allow(first);
	end_merge(w, &web_absent, 1, "goes");
	end_target = first;
	assert_true(world_run(w, HOUR_MS, end_gone, end_look));
	memgit_set_down(w->git, true);
	assert_true(world_run(w, HOUR_MS, is_forgotten, end_look));
	world_kill(w);
	memgit_set_down(w->git, false);
	end_merge(w, &web_there, 1, "comes back");
	end_start_life(w);
	if (!world_run(w, HOUR_MS, is_made_anew, end_look))
		end_close(w, "it is not made anew");
	end_close(w, NULL);
}

/* Journal and status branch are lost: the marker alone is not enough to destroy. */
static void test_everything_lost(void **state)
{
	struct world *w = end_open(6, "", &web_there, 1);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_str_ char *more = NULL;
	struct vm confirmed = {"web-01", NULL};
	const char *uuid = strstr(sim_guest_get(w->sim, vmid, "smbios1"), "uuid=");

	(void)state;
	assert_non_null(uuid);
	more = mem_printf("  id: %lld\n  state: absent\n", (long long)vmid);
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	end_merge(w, &web_absent, 1, "goes");
	end_start_life(w);
	end_must_say(w, "web-01", REASON_UNCONFIRMED_OWNER);
	world_run(w, HOUR_MS, NULL, end_look);
	assert_int_equal(end_rules.deletes, 0);
	/* A person confirms it. */
	end_allow(vmid);
	confirmed.more = more;
	{
		_cleanup_kv_ struct kv files = {0};

		kv_setf(&files, "web.yaml",
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata:\n  name: web-01\n"
		    "  annotations: { ramet.dev/adopt: %.36s }\nspec:\n  node_name: pve2\n"
		    "  clone: { source_vm_id: 9001, full: false }\n%s",
		    uuid + strlen("uuid="), confirmed.more);
		memgit_commit(w->git, &files, "confirmed");
	}
	end_must_go(w, "web-01", vmid);
	end_close(w, NULL);
}

/* ---- people who are quicker ---- */

/* What makes an end of it, or of a part of it. */
static const struct ending {
	const char *policy;
	struct vm before, after;
	bool gone; /* somebody deletes it, and it is made anew */
} endings[] = {
    {"", {"web-01", "  started: true\n"}, {"web-01", "  state: absent\n"}, false},
    {"prune: true", {"web-01", "  started: true\n"}, {"web-01", NULL}, false},
    {"", {"web-01", "  disk: { scsi1: { datastore_id: shared, size_gb: 1 } }\n"},
	{"web-01", "  delete: { disk: [scsi1], network: [net1] }\n"}, false},
    {"", {"web-01", "  on_missing: recreate\n"}, {"web-01", "  on_missing: recreate\n"}, true},
};

static bool is_decided(struct world *w)
{
	(void)w;
	return end_rules.replaced || end_rules.deletes;
}

/* At the n-th request from the order on the VM gives way to a stranger. False when all was over
 * before. */
static bool replaced_at(const struct ending *end, unsigned n, enum end_look_of stranger)
{
	struct vm two[] = {end->before, {"app-01", ""}};
	struct world *w = end_open(300 + n, end->policy, two, 2);
	int64_t vmid = world_find(w, "web-01", NULL);
	bool replaced;

	world_run(w, 60000, NULL, end_look);
	end_allow(vmid);
	end_rules.victim = vmid;
	end_rules.stranger = stranger;
	end_rules.countdown = n;
	two[0] = end->after;
	if (end->gone)
		assert_int_equal(sim_human_delete(w->sim, vmid, "ops@pam", NULL), 0);
	else
		end_merge(w, two, 2, "goes");
	world_run(w, 600000, is_decided, end_look);
	replaced = end_rules.replaced;
	world_run(w, 120000, NULL, end_look);
	world_tell(w, "replaced at request %u by a stranger of look %d", n, (int)stranger);
	if (replaced && !sim_guest_exists(w->sim, vmid))
		end_close(w, "the stranger is gone");
	end_close(w, NULL);
	return replaced;
}

/* At every request between the order and the end the VM is deleted and its number taken by a
 * stranger, who may have our tag, or be a copy of the very VM: nobody asks to destroy that one, and
 * nothing of it is changed. */
static void test_number_reused_at_every_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		for (int look = 0; look < END_LOOK_OF__MAX; look++) {
			unsigned n = 1;

			while (n <= 60 && replaced_at(&endings[i], n, (enum end_look_of)look))
				n++;
			/* Until the call itself, where there is one. */
			if (n <= 20 || (n > 60 && i < 2))
				fail_msg("ending %zu: %u requests", i, n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_absent),
	    cmocka_unit_test(test_prune),
	    cmocka_unit_test(test_prune_of_what_another_names),
	    cmocka_unit_test(test_released),
	    cmocka_unit_test(test_prune_protected),
	    cmocka_unit_test(test_withdrawn),
	    cmocka_unit_test(test_every_fault),
	    cmocka_unit_test(test_death_at_every_line),
	    cmocka_unit_test(test_report_is_older_than_the_destroy),
	    cmocka_unit_test(test_everything_lost),
	    cmocka_unit_test(test_number_reused_at_every_step),
	};

	world_quiet();
	wire_watch(RAMET_SOURCE_DIR "/../shared/pve");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	wire_tell();
	return failed;
}
