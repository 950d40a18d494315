#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "jsn.h"
#include "statusview.h"

#define T0 1795284000000 /* 2026-11-21T18:00:00Z */
#define REV "0123456789abcdef0123456789abcdef01234567"

static const struct statusview plain = {0};

static struct vmstat drifted(void)
{
	struct vmstat v = {.name = mem_strdup("web"),
	    .verdict = PLAN_IN_SYNC,
	    .reason = REASON_DRIFT_REPORTED,
	    .since_wall = T0,
	    .file = mem_strdup("vms/web.yaml"),
	    .rev = mem_strdup(REV),
	    .node = mem_strdup("pve1"),
	    .power = mem_strdup("running"),
	    .last_op = mem_strdup("set cores=4"),
	    .last_result = mem_strdup("OK"),
	    .record = {.vmid = 1001, .proven = true, .source_vmid = 9000}};
	*drifts_add(&v.drifts) = (struct drift){.path = mem_strdup("cpu.cores"),
	    .wanted = mem_strdup("4"),
	    .found = mem_strdup("8"),
	    .who = mem_strdup("ops@pam"),
	    .since_wall = T0};
	strs_add(&v.linked_to, "9000");
	strs_add(&v.pending_keys, "memory");
	return v;
}

static void test_one_in_full(void **state)
{
	(void)state;
	struct vmstat v = drifted();
	_cleanup_buf_ struct buf out = {0};
	statusview_one(&plain, &v, &out);
	assert_string_equal(buf_str(&out),
	    "web: Drifted\n"
	    "reason        DriftReported since 2026-11-21 18:00:00Z\n"
	    "next step     Change the manifest or the VM, or set drift: correct.\n"
	    "conditions    Ready Drifted PendingReboot\n"
	    "manifest      vms/web.yaml at 0123456789\n"
	    "vmid          1001\n"
	    "cloned from   9000\n"
	    "linked to     9000\n"
	    "node          pve1\n"
	    "power         running\n"
	    "last did      set cores=4\n"
	    "result        OK\n"
	    "\n"
	    "Drift:\n"
	    "  LEAF       WANTED  FOUND  BY       SINCE\n"
	    "  cpu.cores  4       8      ops@pam  2026-11-21 18:00:00Z\n"
	    "\n"
	    "Waits for a restart of the guest:\n"
	    "  memory\n");
	vmstat_fini(&v);
}

static void test_one_explained(void **state)
{
	(void)state;
	struct vmstat v = drifted();
	_cleanup_buf_ struct buf out = {0};
	const struct statusview_now now = {
	    .place = "vms/web.yaml:3:1", .problem = "no endpoint answers"};
	v.last_upid = mem_strdup("UPID:pve1:1");
	*drifts_add(&v.corrected) = (struct drift){.path = mem_strdup("memory.size"),
	    .wanted = mem_strdup("2048"),
	    .found = mem_strdup("1024"),
	    .corrected_wall = T0};
	statusview_explain(&(struct statusview){.columns = 60}, &v, &now, &out);
	assert_string_equal(buf_str(&out),
	    "web is Drifted since 2026-11-21 18:00:00Z (DriftReported), as last reported.\n"
	    "  Something differs and the manifest says that drift is only\n"
	    "  reported.\n"
	    "  It waits for a stop and start of the guest.\n"
	    "  cpu.cores is 8, wanted 4, by ops@pam, since 2026-11-21\n"
	    "  18:00:00Z.\n"
	    "  Written, and in force after the next stop and start of the\n"
	    "  guest: memory.\n"
	    "  Corrected 2026-11-21 18:00:00Z: memory.size was 1024,\n"
	    "  wanted 2048, by unknown.\n"
	    "  The last operation was \"set cores=4\"; it ended with OK;\n"
	    "  its task was UPID:pve1:1.\n"
	    "  Its manifest is vms/web.yaml:3:1, in force as of revision\n"
	    "  0123456789.\n"
	    "\n"
	    "Next: Change the manifest or the VM, or set drift: correct.\n"
	    "\n"
	    "This is what was reported; how it is now cannot be said: no\n"
	    "endpoint answers.\n");
	vmstat_fini(&v);
}

/* What was reported and what is seen now disagree: neither is passed over. */
static void test_a_look_that_is_newer_than_the_report(void **state)
{
	(void)state;
	struct vmstat v = {.name = (char *)"web", .verdict = PLAN_IN_SYNC, .since_wall = T0};
	_cleanup_buf_ struct buf quiet = {0}, busy = {0};
	struct statusview_now now = {.plan = "~ web (1001 on pve1): 3 changes\n"};
	statusview_explain(&plain, &v, &now, &quiet);
	assert_non_null(strstr(buf_str(&quiet), "\nNext: nothing to be done by a person.\n"));
	now.todo = true;
	statusview_explain(&plain, &v, &now, &busy);
	assert_string_equal(buf_str(&busy),
	    "web is Ready since 2026-11-21 18:00:00Z (InSync), as last reported.\n"
	    "  Everything that is listed is so.\n"
	    "\n"
	    "Next: nothing was reported that takes a person. What is to be done now, below, is "
	    "newer; if it stays, look whether the controller runs.\n"
	    "\n"
	    "Looked at now:\n"
	    "\n"
	    "~ web (1001 on pve1): 3 changes\n");
}

static void test_all(void **state)
{
	(void)state;
	struct vmstat v = drifted(), stalled = {.name = (char *)"db",
					 .verdict = PLAN_STALLED,
					 .reason = REASON_MISSING,
					 .message = (char *)"VM 1002 is gone",
					 .record = {.vmid = 1002}};
	const struct vmstat *all[] = {&stalled, &v};
	struct status s = {.controller_id = (char *)"home",
	    .rev_wanted = (char *)"working-tree",
	    .subject = (char *)"a\nb",
	    .git_problem = (char *)"no answer; wait",
	    .vms = all,
	    .n_vms = 2};
	_cleanup_buf_ struct buf out = {0};
	statusview_all(&plain, &s, &out);
	assert_string_equal(buf_str(&out),
	    "git: no answer\n"
	    "  next: wait\n"
	    "home: 1 of 2 ready, 1 stalled, 1 ready but drifted\n"
	    "revision working-tree (a b): not applied everywhere yet\n"
	    "\n"
	    "NAME  STATE    VMID  NODE  REASON         WHAT\n"
	    "db    Stalled  1002        Missing        VM 1002 is gone\n"
	    "web   Drifted  1001  pve1  DriftReported  cpu.cores is 8, wanted 4, by ops@pam\n"
	    "\n"
	    "Next steps:\n"
	    "  db: Remove the manifest, or set on_missing: recreate.\n");
	assert_false(statusview_is_ready(&s));
	_cleanup_str_ char *text = statusview_all_json(&s);
	_cleanup_jsn_ struct jsn *j = NULL;
	assert_int_equal(jsn_parse(text, strlen(text), &j, NULL), 0);
	const struct jsn *db = jsn_at(jsn_get(j, "vms"), 0);
	assert_string_equal(jsn_get_text(db, "reason"), "Missing");
	assert_false(jsn_get_bool(jsn_get(db, "conditions"), "Ready", true));
	assert_string_equal(jsn_get_text(jsn_get(j, "problems"), "git"), "no answer; wait");
	vmstat_fini(&v);
}

static void test_a_cluster_that_cannot_be_seen(void **state)
{
	(void)state;
	struct vmstat v = {.name = (char *)"web", .record = {.vmid = 1001}};
	const struct vmstat *all[] = {&v};
	struct status s = {.controller_id = (char *)"home",
	    .rev_wanted = (char *)"r",
	    .rev_applied = (char *)"r",
	    .vms = all,
	    .n_vms = 1};
	assert_true(statusview_is_ready(&s));
	s.cluster_problem = (char *)"it cannot be reached: refused; check cluster.endpoints";
	_cleanup_buf_ struct buf out = {0};
	statusview_all(&plain, &s, &out);
	assert_string_equal(buf_str(&out), "cluster: it cannot be reached: refused\n"
					   "  next: check cluster.endpoints\n"
					   "home: when last seen 1 of 1 ready\n"
					   "revision r: applied\n"
					   "\n"
					   "NAME  STATE            VMID  NODE  REASON  WHAT\n"
					   "web   Ready (unknown)  1001        InSync\n");
	assert_false(statusview_is_ready(&s));
}

static void test_a_manifest_that_is_gone_keeps_nobody_from_being_ready(void **state)
{
	(void)state;
	struct vmstat ready = {.name = (char *)"a"},
		      gone = {.name = (char *)"b", .verdict = PLAN_OFF, .reason = REASON_ORPHANED},
		      suspended = {
			  .name = (char *)"c", .verdict = PLAN_OFF, .reason = REASON_SUSPEND_SPEC};
	const struct vmstat *all[] = {&ready, &gone, &suspended};
	struct status s = {.vms = all, .n_vms = 2};
	assert_true(statusview_is_ready(&s));
	s.n_vms = 3;
	assert_false(statusview_is_ready(&s));
}

/* What others wrote drives no terminal. */
static void test_hostile_texts(void **state)
{
	(void)state;
	static const char evil[] = "x\x1b[2J\ny\xe2\x80\xae";
	struct vmstat v = {.name = (char *)"web",
	    .verdict = PLAN_STALLED,
	    .reason = REASON_REJECTED,
	    .message = (char *)evil,
	    .hint = (char *)evil,
	    .node = (char *)evil,
	    .power = (char *)evil,
	    .last_op = (char *)evil,
	    .last_result = (char *)evil};
	strs_add(&v.blocked, evil);
	*drifts_add(&v.drifts) = (struct drift){.path = mem_strdup(evil),
	    .wanted = mem_strdup(evil),
	    .found = mem_strdup(evil),
	    .who = mem_strdup(evil),
	    .why = mem_strdup(evil)};
	const struct vmstat *all[] = {&v};
	struct status s = {
	    .controller_id = (char *)"h", .cluster_problem = (char *)evil, .vms = all, .n_vms = 1};
	_cleanup_buf_ struct buf out = {0};
	statusview_all(&plain, &s, &out);
	statusview_one(&plain, &v, &out);
	statusview_explain(&plain, &v, &(struct statusview_now){.problem = evil}, &out);
	assert_null(strchr(buf_str(&out), '\x1b'));
	assert_null(strstr(buf_str(&out), "\xe2\x80\xae"));
	assert_null(strstr(buf_str(&out), "\ny"));
	strs_fini(&v.blocked);
	drifts_fini(&v.drifts);
}

#define MANY 12

/* Who has the same to do stands in one line; what is wrong with manifests is no silence. */
static void test_many_with_the_same_step(void **state)
{
	(void)state;
	struct vmstat vms[MANY] = {0};
	const struct vmstat *list[MANY];
	struct status s = {.vms = list, .n_vms = MANY, .controller_id = (char *)"home"};
	for (size_t i = 0; i < MANY; i++) {
		vms[i].name = mem_printf("vm-%02zu", i);
		vms[i].verdict = PLAN_STALLED;
		vms[i].reason = REASON_MISSING;
		vms[i].hint = mem_strdup(i == 1 ? "look at it" : "make room");
		list[i] = &vms[i];
	}
	s.findings.errors = 2; /* of a report that was read: only their number */
	_cleanup_buf_ struct buf out = {0};
	statusview_all(&plain, &s, &out);
	const char *steps = strstr(buf_str(&out), "\nNext steps:\n");
	assert_non_null(steps);
	assert_string_equal(steps,
	    "\nNext steps:\n"
	    "  vm-00, vm-02, vm-03, vm-04, vm-05, vm-06, vm-07, vm-08 and 3 more: make room\n"
	    "  vm-01: look at it\n"
	    "  manifests: mend the errors; STATUS.md lists them, and \"ramet validate\" in a "
	    "working "
	    "tree\n");
	assert_non_null(
	    strstr(buf_str(&out), "home: 0 of 12 ready, 12 stalled, 2 errors in manifests\n"));
	for (size_t i = 0; i < MANY; i++)
		vmstat_fini(&vms[i]);
}

static void test_errors_are_not_ready(void **state)
{
	(void)state;
	struct status s = {0};
	assert_true(statusview_is_ready(&s));
	s.findings.errors = 1;
	assert_false(statusview_is_ready(&s));
	_cleanup_str_ char *text = statusview_all_json(&s);
	_cleanup_jsn_ struct jsn *j = NULL;
	assert_int_equal(jsn_parse(text, strlen(text), &j, NULL), 0);
	assert_int_equal(jsn_get_int(j, "manifestErrors", -1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_in_full),
	    cmocka_unit_test(test_one_explained),
	    cmocka_unit_test(test_a_look_that_is_newer_than_the_report),
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_a_cluster_that_cannot_be_seen),
	    cmocka_unit_test(test_a_manifest_that_is_gone_keeps_nobody_from_being_ready),
	    cmocka_unit_test(test_hostile_texts),
	    cmocka_unit_test(test_many_with_the_same_step),
	    cmocka_unit_test(test_errors_are_not_ready),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
