#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tree.h"
#include "ydoc.h"

#define T0 1795284000000 /* 2026-11-21T18:00:00Z */

static const char hostile[] =
    "x\": y\n- a: !!str |\n  *b &c #\t\x01\x7f\xe2\x80\xae\xef\xbb\xbf\xff\xf0\x9f\x90\xa7";

static struct vmstat sample(void)
{
	struct vmstat v = {
	    .name = mem_strdup("web-01"),
	    .file = mem_strdup("vms/web.yaml"),
	    .rev = mem_strdup("0123456789abcdef0123456789abcdef01234567"),
	    .verdict = PLAN_STALLED,
	    .reason = REASON_DISK_SHRINK,
	    .message = mem_strdup("disk.scsi0.size_gb: 40 is less than 50"),
	    .hint = mem_strdup("write 50"),
	    .since_wall = T0,
	    .node = mem_strdup("pve1"),
	    .power = mem_strdup("running"),
	    .lock = mem_strdup("backup"),
	    .last_op = mem_strdup("configure: set cores=4"),
	    .last_upid = mem_strdup("UPID:pve1:0001:0002:656:qmconfig:1204:ramet@pve!t:"),
	    .last_result = mem_strdup("OK"),
	};
	v.record = (struct record){.vmid = 1204,
	    .uuid = mem_strdup("11111111-2222-3333-4444-555555555555"),
	    .nonce = mem_strdup("00ff00ff00ff00ff"),
	    .node = mem_strdup("pve2"),
	    .source_vmid = 9000,
	    .source_uuid = mem_strdup("aaaaaaaa-2222-3333-4444-555555555555"),
	    .proven = true,
	    .whole = true,
	    .synced_rev = mem_strdup("fedcba9876543210fedcba9876543210fedcba98"),
	    .good_rev = mem_strdup("0123456789abcdef0123456789abcdef01234567"),
	    .good_path = mem_strdup("vms/web.yaml"),
	    .boot_mark = 1795280000};
	memset(v.record.synced_hash, 'a', CRYPT_HEX_LEN - 1);
	kv_set(&v.record.cloned, "clone.full", "true");
	kv_set(&v.record.volumes, "scsi1", "local-lvm:vm-1204-disk-1");
	kv_set(&v.record.loose, "fast", "scsi0");
	kv_set(&v.record.macs, "net0", "BC:24:11:00:00:01");
	kv_set(&v.record.sizes, "scsi0", "50");
	kv_set(&v.record.stored, "cpu.units", "20000\t10000");
	kv_set(&v.record.silent, "disk.scsi0.serial", "2026-11-21T18:00:00Z");
	kv_set(&v.record.unmet, "cpu.affinity", "RootOnly");
	strs_add(&v.linked_to, "9000");
	strs_add(&v.pending_keys, "cores");
	strs_add(&v.blocked, "disk.scsi0.size_gb: 40 is less than 50");
	struct drift *d = drifts_add(&v.drifts);
	*d = (struct drift){.path = mem_strdup("cpu.cores"),
	    .wanted = mem_strdup("4"),
	    .found = mem_strdup("8"),
	    .who = mem_strdup("ops@pam"),
	    .since_wall = T0 + 60000,
	    .state = CHANGE_BLOCKED,
	    .fight = true,
	    .why = mem_strdup("came back 3 times")};
	d = drifts_add(&v.corrected);
	*d = (struct drift){.path = mem_strdup("name"),
	    .wanted = mem_strdup("web-01"),
	    .found = mem_strdup("x"),
	    .since_wall = T0 + 1000,
	    .corrected_wall = T0 + 2000};
	diag_hint(diags_add(&v.findings, DIAG_UNKNOWN_KEY, "vms/web.yaml", (struct mark){7, 3, 9},
		      "unknown key cpu.croes"),
	    "did you mean cores?");
	return v;
}

/* Written by hand from the description of the format. */
static const char sample_yaml[] =
    "apiVersion: ramet.dev/v1\n"
    "kind: ClonedVMStatus\n"
    "metadata:\n"
    "  name: web-01\n"
    "status:\n"
    "  phase: Stalled\n"
    "  reason: DiskShrink\n"
    "  message: \"disk.scsi0.size_gb: 40 is less than 50\"\n"
    "  hint: \"write 50\"\n"
    "  since: \"2026-11-21T18:00:00Z\"\n"
    "  file: vms/web.yaml\n"
    "  revision: \"0123456789abcdef0123456789abcdef01234567\"\n"
    "  stale: false\n"
    "  conditions:\n"
    "    - type: Ready\n"
    "      status: \"False\"\n"
    "      reason: DiskShrink\n"
    "      message: \"disk.scsi0.size_gb: 40 is less than 50\"\n"
    "      since: \"2026-11-21T18:00:00Z\"\n"
    "    - type: Reconciling\n"
    "      status: \"False\"\n"
    "      reason: Settled\n"
    "      since: \"2026-11-21T18:00:00Z\"\n"
    "    - type: Stalled\n"
    "      status: \"True\"\n"
    "      reason: DiskShrink\n"
    "      message: \"write 50\"\n"
    "      since: \"2026-11-21T18:00:00Z\"\n"
    "    - type: Drifted\n"
    "      status: \"True\"\n"
    "      reason: Differs\n"
    "      message: \"1 differing\"\n"
    "      since: \"2026-11-21T18:01:00Z\"\n"
    "    - type: PendingReboot\n"
    "      status: \"True\"\n"
    "      reason: RestartNeeded\n"
    "      message: cores\n"
    "    - type: Suspended\n"
    "      status: \"False\"\n"
    "      reason: NotSuspended\n"
    "      since: \"2026-11-21T18:00:00Z\"\n"
    "  node: pve1\n"
    "  power: running\n"
    "  lock: backup\n"
    "  linkedTo:\n"
    "    - \"9000\"\n"
    "  pendingKeys:\n"
    "    - cores\n"
    "  blocked:\n"
    "    - \"disk.scsi0.size_gb: 40 is less than 50\"\n"
    "  drift:\n"
    "    - path: cpu.cores\n"
    "      wanted: \"4\"\n"
    "      found: \"8\"\n"
    "      by: \"ops@pam\"\n"
    "      since: \"2026-11-21T18:01:00Z\"\n"
    "      state: Blocked\n"
    "      fight: true\n"
    "      why: \"came back 3 times\"\n"
    "  corrected:\n"
    "    - path: name\n"
    "      wanted: web-01\n"
    "      found: x\n"
    "      since: \"2026-11-21T18:00:01Z\"\n"
    "      corrected: \"2026-11-21T18:00:02Z\"\n"
    "  lastOperation:\n"
    "    what: \"configure: set cores=4\"\n"
    "    upid: \"UPID:pve1:0001:0002:656:qmconfig:1204:ramet@pve!t:\"\n"
    "    result: OK\n"
    "  findings:\n"
    "    - code: UnknownKey\n"
    "      file: vms/web.yaml\n"
    "      line: 7\n"
    "      column: 3\n"
    "      message: \"unknown key cpu.croes\"\n"
    "      hint: \"did you mean cores?\"\n"
    "  record:\n"
    "    vmid: 1204\n"
    "    uuid: \"11111111-2222-3333-4444-555555555555\"\n"
    "    nonce: \"00ff00ff00ff00ff\"\n"
    "    proven: true\n"
    "    node: pve2\n"
    "    sourceVmid: 9000\n"
    "    sourceUuid: aaaaaaaa-2222-3333-4444-555555555555\n"
    "    syncedHash: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
    "    syncedRevision: fedcba9876543210fedcba9876543210fedcba98\n"
    "    goodRevision: \"0123456789abcdef0123456789abcdef01234567\"\n"
    "    goodPath: vms/web.yaml\n"
    "    bootMark: 1795280000\n"
    "    whole: true\n"
    "    cloned:\n"
    "      clone.full: \"true\"\n"
    "    volumes:\n"
    "      scsi1: \"local-lvm:vm-1204-disk-1\"\n"
    "    loose:\n"
    "      fast: scsi0\n"
    "    macs:\n"
    "      net0: \"BC:24:11:00:00:01\"\n"
    "    sizes:\n"
    "      scsi0: \"50\"\n"
    "    stored:\n"
    "      cpu.units: \"20000\\t10000\"\n"
    "    silent:\n"
    "      disk.scsi0.serial: \"2026-11-21T18:00:00Z\"\n"
    "    unmet:\n"
    "      cpu.affinity: RootOnly\n";

static void test_golden(void **state)
{
	(void)state;
	struct vmstat v = sample();
	_cleanup_str_ char *text = tree_render_vm(&v);
	assert_string_equal(text, sample_yaml);
	vmstat_fini(&v);
}

static void parse(const char *text, struct vmstat *ret)
{
	_cleanup_err_ struct err *err = NULL;
	if (tree_parse_vm(text, strlen(text), ret, &err) != 0)
		fail_msg("refused: %s", err_msg(err));
}

static void test_everything_comes_back(void **state)
{
	(void)state;
	struct vmstat want = sample(), got;
	parse(sample_yaml, &got);
	assert_true(record_eq(&want.record, &got.record));
	assert_string_equal(got.name, "web-01");
	assert_int_equal(got.verdict, PLAN_STALLED);
	assert_int_equal(got.reason, REASON_DISK_SHRINK);
	assert_int_equal(got.since_wall, T0);
	assert_string_equal(got.message, want.message);
	assert_string_equal(got.hint, "write 50");
	assert_int_equal(got.drifts.n, 1);
	assert_string_equal(got.drifts.v[0].who, "ops@pam");
	assert_int_equal(got.drifts.v[0].since_wall, T0 + 60000);
	assert_int_equal(got.drifts.v[0].state, CHANGE_BLOCKED);
	assert_true(got.drifts.v[0].fight);
	assert_int_equal(got.corrected.n, 1);
	assert_null(got.corrected.v[0].who);
	assert_int_equal(got.corrected.v[0].corrected_wall, T0 + 2000);
	assert_true(strs_eq(&got.linked_to, &want.linked_to));
	assert_true(strs_eq(&got.pending_keys, &want.pending_keys));
	assert_true(strs_eq(&got.blocked, &want.blocked));
	assert_int_equal(got.findings.n, 1);
	assert_int_equal(got.findings.v[0].code, DIAG_UNKNOWN_KEY);
	assert_int_equal(got.findings.v[0].mark.line, 7);
	assert_string_equal(got.findings.v[0].hint, "did you mean cores?");
	assert_string_equal(got.last_upid, want.last_upid);
	_cleanup_str_ char *again = tree_render_vm(&got);
	assert_string_equal(again, sample_yaml);
	vmstat_fini(&want);
	vmstat_fini(&got);
}

static void test_nothing_known_comes_back_too(void **state)
{
	(void)state;
	struct vmstat v = {.name = mem_strdup("db"),
			  .verdict = PLAN_WAIT,
			  .reason = REASON_READING},
		      got;
	_cleanup_str_ char *text = tree_render_vm(&v);
	assert_non_null(strstr(text, "    - type: Ready\n      status: Unknown\n"));
	parse(text, &got);
	assert_true(record_eq(&v.record, &got.record));
	assert_int_equal(got.since_wall, 0);
	assert_null(got.node);
	vmstat_fini(&v);
	vmstat_fini(&got);
}

/* What others wrote stands in quotes: the document keeps its shape, and the text comes back but for
 * what is not printable. */
static void test_hostile_texts_do_not_leave_their_quotes(void **state)
{
	(void)state;
	struct vmstat v = sample(), got;
	mem_replace(&v.message, hostile);
	mem_replace(&v.last_result, hostile);
	mem_replace(&v.drifts.v[0].found, hostile);
	kv_set(&v.record.stored, "description", hostile);
	_cleanup_str_ char *text = tree_render_vm(&v);
	parse(text, &got);
	assert_string_equal(got.name, "web-01");
	assert_int_equal(got.record.vmid, 1204);
	assert_string_equal(
	    got.message, "x\": y - a: !!str |   *b &c #     \xef\xbf\xbd\xf0\x9f\x90\xa7");
	assert_string_equal(got.drifts.v[0].found, got.message);
	/* A value that is compared later comes back to the byte, as far as it was text. */
	assert_string_equal(kv_get(&got.record.stored, "description"),
	    "x\": y\n- a: !!str |\n  *b &c #\t\x01\x7f\xe2\x80\xae\xef\xbb\xbf\xef\xbf\xbd"
	    "\xf0\x9f\x90\xa7");
	vmstat_fini(&v);
	vmstat_fini(&got);
}

static void test_words_that_look_like_other_types_stay_texts(void **state)
{
	(void)state;
	static const char *const words[] = {"true", "No", "null", "~", "12", "1e5", "0x1f", "",
	    " pad ", "a: b", "a #b", "- x", "2026-01-01", "!t", "*a", "&a", "%x", "@x", "`x", "{",
	    "[", "'", "\"", "\\", "=", "<<", "---", "...", "a\xe2\x80\xa8z"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct vmstat v = {.name = mem_strdup("a")}, got;
		kv_set(&v.record.stored, "description", words[i]);
		_cleanup_str_ char *text = tree_render_vm(&v);
		parse(text, &got);
		assert_string_equal(kv_get(&got.record.stored, "description"), words[i]);
		vmstat_fini(&v);
		vmstat_fini(&got);
	}
}

/* The sample with one line changed is refused. */
static const struct {
	const char *old, *new;
} breakers[] = {
    {"kind: ClonedVMStatus", "kind: ClonedVM"},
    {"apiVersion: ramet.dev/v1", "apiVersion: ramet.dev/v2"},
    {"name: web-01", "name: ../../etc"},
    {"name: web-01", "name: [web]"},
    {"phase: Stalled", "phase: Dancing"},
    {"since: \"2026-11-21T18:00:00Z\"", "since: \"2026-13-21T18:00:00Z\""},
    {"since: \"2026-11-21T18:00:00Z\"", "since: \"2026-02-30T18:00:00Z\""},
    {"since: \"2026-11-21T18:00:00Z\"", "since: yesterday"},
    {"stale: false", "stale: maybe"},
    {"file: vms/web.yaml", "file: \"a\\nb\""},
    {"  file: vms/web.yaml\n      line", "  file: \"a\\x1b[2J\"\n      line"},
    {"vmid: 1204", "vmid: 99"},
    {"vmid: 1204", "vmid: 4294967297"},
    {"vmid: 1204", "vmid: \"1204\""},
    {"uuid: \"1111", "uuid: \"zzzz"},
    {"nonce: \"00ff", "nonce: \"00 f"},
    {"proven: true", "proven: 1"},
    {"net0: \"BC", "net0: \"XY"},
    {"scsi0: \"50\"", "scsi0: \"-1\""},
    {"scsi1: \"local", "\"a b\": \"local"},
    {"syncedHash: a", "syncedHash: "},
    {"state: Blocked", "state: Gone"},
    {"- path: cpu.cores\n      ", "- "},
    {"  record:\n    vmid", "  recorder:\n    vmid"},
    {"volumes:\n      scsi1", "volumes:\n      - scsi1"},
    {"pendingKeys:\n    - cores", "pendingKeys:\n    - [cores]"},
    {"kind: ", "kind: &a "},
};

static void test_broken_files_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(breakers); i++) {
		const char *at = strstr(sample_yaml, breakers[i].old);
		assert_non_null(at);
		_cleanup_str_ char *text = mem_printf("%.*s%s%s", (int)(at - sample_yaml),
		    sample_yaml, breakers[i].new, at + strlen(breakers[i].old));
		struct vmstat v;
		_cleanup_err_ struct err *err = NULL;
		if (tree_parse_vm(text, strlen(text), &v, &err) == 0)
			fail_msg("accepted: %s", breakers[i].new);
		assert_int_equal(err->code, ERR_INPUT);
	}
}

static void test_refusal_names_the_line(void **state)
{
	(void)state;
	static const char text[] = "apiVersion: ramet.dev/v1\nkind: ClonedVMStatus\n"
				   "metadata: {name: a}\nstatus:\n  record: {}\n  stale: 7\n";
	struct vmstat v;
	_cleanup_err_ struct err *err = NULL;
	assert_int_equal(tree_parse_vm(text, strlen(text), &v, &err), -1);
	assert_string_equal(err->msg, "status file, line 6: stale is neither true nor false");
}

static void test_rubbish_is_refused(void **state)
{
	(void)state;
	static const char *const rubbish[] = {"", "\n", "[]", "x", "a: b", "%", "\x01",
	    "{}\n---\n{}", "apiVersion: ramet.dev/v1\nkind: ClonedVMStatus\n"};
	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
		struct vmstat v;
		_cleanup_err_ struct err *err = NULL;
		assert_int_equal(tree_parse_vm(rubbish[i], strlen(rubbish[i]), &v, &err), -1);
		assert_non_null(err);
	}
}

static void test_words_of_a_newer_version(void **state)
{
	(void)state;
	static const char text[] =
	    "apiVersion: ramet.dev/v1\nkind: ClonedVMStatus\nmetadata: {name: a, colour: red}\n"
	    "status:\n  phase: Waiting\n  reason: WaitingForGodot\n  moon: full\n"
	    "  findings: [{code: NewRule, file: x, message: y}]\n  record: {vmid: 100, mood: "
	    "good}\n";
	struct vmstat v;
	parse(text, &v);
	assert_int_equal(v.reason, REASON_READING);
	assert_int_equal(v.findings.n, 0);
	assert_int_equal(v.record.vmid, 100);
	vmstat_fini(&v);
}

/* The longest that is written is still read. */
static void test_bounds_of_both_sides_agree(void **state)
{
	(void)state;
	struct vmstat v = sample(), got;
	static char longest[5001];
	memset(longest, '"', sizeof(longest) - 1);
	mem_replace(&v.message, longest);
	for (int i = 0; i < 600; i++) {
		struct drift *d = drifts_add(&v.drifts);
		d->path = mem_printf("leaf-%d", i);
		d->wanted = mem_strdup(longest);
		d->found = mem_strdup(longest);
		d = drifts_add(&v.corrected);
		d->path = mem_printf("leaf-%d", i);
		d->wanted = mem_strdup("4");
		d->found = mem_strdup("8");
		diags_add(
		    &v.findings, DIAG_UNKNOWN_KEY, "f", (struct mark){1, 1, 0}, "%s", longest);
	}
	_cleanup_str_ char *text = tree_render_vm(&v);
	parse(text, &got);
	assert_int_equal(got.drifts.n, 200);
	assert_int_equal(got.corrected.n, 500);
	assert_int_equal(got.findings.n, 20);
	vmstat_fini(&v);
	vmstat_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),
	    cmocka_unit_test(test_everything_comes_back),
	    cmocka_unit_test(test_nothing_known_comes_back_too),
	    cmocka_unit_test(test_hostile_texts_do_not_leave_their_quotes),
	    cmocka_unit_test(test_words_that_look_like_other_types_stay_texts),
	    cmocka_unit_test(test_broken_files_are_refused),
	    cmocka_unit_test(test_refusal_names_the_line),
	    cmocka_unit_test(test_rubbish_is_refused),
	    cmocka_unit_test(test_words_of_a_newer_version),
	    cmocka_unit_test(test_bounds_of_both_sides_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
