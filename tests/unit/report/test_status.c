#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "status.h"

enum {
	READY = 1,
	RECONCILING = 2,
	STALLED = 4,
	SUSPENDED = 8,
	DRIFTED = 16,
	PENDING = 32,
	UNKNOWN = 64
};

struct row {
	enum plan_verdict verdict;
	enum reason reason;
	bool stale, drift, pending;
	unsigned conditions;
	enum vmstat_state state;
};

static const struct row rows[] = {
    {PLAN_IN_SYNC, REASON_IN_SYNC, false, false, false, READY, VMSTAT_READY},
    {PLAN_IN_SYNC, REASON_PENDING_REBOOT, false, false, true, READY | PENDING, VMSTAT_PENDING},
    {PLAN_IN_SYNC, REASON_DRIFT_REPORTED, false, true, false, READY | DRIFTED, VMSTAT_DRIFTED},
    {PLAN_IN_SYNC, REASON_IN_SYNC, true, false, false, STALLED, VMSTAT_STALLED},
    {PLAN_ACT, REASON_CREATING, false, false, false, RECONCILING, VMSTAT_RECONCILING},
    {PLAN_ACT, REASON_CORRECTING, false, true, false, RECONCILING | DRIFTED, VMSTAT_RECONCILING},
    {PLAN_ACT, REASON_UPDATING, true, false, false, RECONCILING | STALLED, VMSTAT_STALLED},
    {PLAN_WAIT, REASON_LOCKED, false, false, false, RECONCILING, VMSTAT_WAITING},
    {PLAN_WAIT, REASON_NODE_OFFLINE, false, false, false, RECONCILING | UNKNOWN, VMSTAT_WAITING},
    {PLAN_STALLED, REASON_DISK_SHRINK, false, false, false, STALLED, VMSTAT_STALLED},
    {PLAN_STALLED, REASON_FIGHT, false, true, false, STALLED | DRIFTED, VMSTAT_STALLED},
    {PLAN_OFF, REASON_SUSPEND_SPEC, false, false, false, SUSPENDED, VMSTAT_SUSPENDED},
    {PLAN_OFF, REASON_ORPHANED, true, false, false, SUSPENDED, VMSTAT_SUSPENDED},
};

static struct vmstat make(const struct row *r)
{
	struct vmstat v = {.verdict = r->verdict, .reason = r->reason, .stale = r->stale};
	if (r->drift)
		drifts_add(&v.drifts)->path = mem_strdup("cpu.cores");
	if (r->pending)
		strs_add(&v.pending_keys, "cores");
	return v;
}

static unsigned conditions(const struct vmstat *v)
{
	return (vmstat_is_ready(v) ? READY : 0) | (vmstat_is_reconciling(v) ? RECONCILING : 0) |
	       (vmstat_is_stalled(v) ? STALLED : 0) | (vmstat_is_suspended(v) ? SUSPENDED : 0) |
	       (vmstat_is_drifted(v) ? DRIFTED : 0) | (vmstat_is_pending(v) ? PENDING : 0) |
	       (vmstat_is_unknown(v) ? UNKNOWN : 0);
}

static void test_conditions_follow_from_the_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vmstat v = make(&rows[i]);
		assert_int_equal(conditions(&v), rows[i].conditions);
		assert_int_equal(vmstat_state(&v), rows[i].state);
		vmstat_fini(&v);
	}
}

static void test_a_change_that_pve_does_not_show_counts_as_pending(void **state)
{
	(void)state;
	struct vmstat v = {.verdict = PLAN_IN_SYNC};
	assert_false(vmstat_is_pending(&v));
	kv_set(&v.record.silent, "disk.scsi0.serial", "2026-11-21T10:00:00Z");
	assert_true(vmstat_is_pending(&v));
	vmstat_fini(&v);
}

static void test_next_step(void **state)
{
	(void)state;
	struct vmstat v = {.verdict = PLAN_STALLED, .reason = REASON_MISSING};
	assert_string_equal(vmstat_next(&v), reason_next(REASON_MISSING));
	v.hint = mem_strdup("own words");
	assert_string_equal(vmstat_next(&v), "own words");
	mem_replace(&v.hint, NULL);
	v.verdict = PLAN_IN_SYNC;
	v.reason = REASON_IN_SYNC;
	assert_null(vmstat_next(&v));
	v.stale = true;
	assert_string_equal(vmstat_next(&v), reason_next(REASON_MANIFEST_INVALID));
	vmstat_fini(&v);
}

static void test_worst_first_then_by_name(void **state)
{
	(void)state;
	struct vmstat a = {.name = (char *)"a", .verdict = PLAN_IN_SYNC};
	struct vmstat b = {.name = (char *)"b", .verdict = PLAN_STALLED};
	struct vmstat c = {.name = (char *)"c", .verdict = PLAN_WAIT, .reason = REASON_LOCKED};
	struct vmstat d = {.name = (char *)"d", .verdict = PLAN_STALLED};
	const struct vmstat *all[] = {&a, &b, &c, &d};
	struct status s = {.vms = all, .n_vms = 4};
	const struct vmstat **v = status_sorted(&s);
	assert_ptr_equal(v[0], &b);
	assert_ptr_equal(v[1], &d);
	assert_ptr_equal(v[2], &c);
	assert_ptr_equal(v[3], &a);
	free(v);
	struct status_counts n = status_count(&s);
	assert_int_equal(n.total, 4);
	assert_int_equal(n.ready, 1);
	assert_int_equal(n.stalled, 2);
	assert_int_equal(n.reconciling, 1);
	assert_int_equal(n.by_state[VMSTAT_WAITING], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_conditions_follow_from_the_verdict),
	    cmocka_unit_test(test_a_change_that_pve_does_not_show_counts_as_pending),
	    cmocka_unit_test(test_next_step),
	    cmocka_unit_test(test_worst_first_then_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
