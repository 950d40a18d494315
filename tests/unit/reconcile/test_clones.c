/* What a clone comes to that broke off, or that nobody may look at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "desk.h"

#define TASK "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:ramet@pve!ctl:"
#define OK(data)                                                                           \
	{                                                                                  \
		.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":" data "}" \
	}
#define REFUSED(code, words)                                                   \
	{                                                                      \
		.transport = CLUSTER_REPLIED, .status = code, .reason = words, \
		.body = "{\"data\":null}"                                      \
	}
#define FREE OK("\"1204\"")
#define TAKEN                                                                              \
	{                                                                                  \
		.transport = CLUSTER_REPLIED, .status = 400,                               \
		.reason = "Parameter verification failed.",                                \
		.body = "{\"data\":null,\"errors\":{\"vmid\":\"VM 1204 already exists\"}}" \
	}
#define QUORATE OK("[{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1}]")
#define ENDED(words) OK("{\"status\":\"stopped\",\"exitstatus\":\"" words "\"}")
#define RUNNING OK("{\"status\":\"running\"}")
#define NO_LOG                                                                                   \
	{                                                                                        \
		.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":[],\"total\":0}" \
	}
#define GUEST(more)                                                   \
	OK("[{\"key\":\"digest\",\"value\":\"abc\"},"                 \
	   "{\"key\":\"description\",\"value\":\"" MARKER "\"}," more \
	   "{\"key\":\"smbios1\",\"value\":\"uuid=" UUID "\"}]")
#define PLACEHOLDER                                   \
	OK("[{\"key\":\"digest\",\"value\":\"abc\"}," \
	   "{\"key\":\"lock\",\"value\":\"clone\"},"  \
	   "{\"key\":\"description\",\"value\":\" qmclone temporary file\"}]")

static void clone_of(struct desk *d, const char *more, const struct fake_answer *script, size_t n)
{
	struct step s = {.kind = STEP_CLONE, .allocates = true};

	open_desk(d, more, script, n);
	d->port.repeat_last = true;
	send(d, &s);
}

static void clone(struct desk *d, const struct fake_answer *script, size_t n)
{
	clone_of(d, "", script, n);
}

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text ? text : "");
}

/* PVE unlocks the clone, moves it to its node and then puts it into the pool; when that fails it
 * frees all disks and removes a configuration that is not there any more. */
static void test_a_clone_whose_disks_were_freed(void **state)
{
	static const struct fake_answer script[] = {FREE, QUORATE, OK("\"" TASK "\""),
	    ENDED("clone failed: cfs-lock 'file-user_cfg' error: got lock request timeout"), NO_LOG,
	    TAKEN, GUEST("")};
	struct desk d;

	(void)state;
	clone(&d, script, ARRAY_LEN(script));
	assert_int_equal(d.end, OP_STUCK);
	assert_int_equal(d.reason, REASON_DEBRIS);
	assert_has(d.text, "got lock request timeout");
	assert_has(d.hint, "qm destroy 1204");
	assert_non_null(journal_intent(d.journal, "web-01"));
	close_desk(&d);
}

#define DISKS                                                                  \
	"{\"key\":\"scsi0\",\"value\":\"fast:vm-1204-disk-0,size=20G\"},"      \
	"{\"key\":\"scsi1\",\"value\":\"big:9000/base-9000-disk-1.qcow2/1204/" \
	"vm-1204-disk-1.qcow2,size=8G\"},"                                     \
	"{\"key\":\"ide2\",\"value\":\"local:iso/a.iso,media=cdrom\"},"
#define NO_QUORUM_AT_LAST                                                                       \
	ENDED("clone failed: Failed to move config to node 'pve3' - rename failed: Permission " \
	      "denied"),                                                                        \
	    NO_LOG

static void ask_disks(struct desk *d, struct fake_answer fast, struct fake_answer big)
{
	const struct fake_answer script[] = {FREE, QUORATE, OK("\"" TASK "\""), NO_QUORUM_AT_LAST,
	    TAKEN, GUEST(DISKS), fast, big, TAKEN, GUEST(DISKS)};

	clone(d, script, ARRAY_LEN(script));
}

/* Without quorum nothing can be freed, and another instance may have made it anew: what has its
 * disks is a clone like any other. */
static void test_a_failed_clone_with_its_disks(void **state)
{
	struct desk d;

	(void)state;
	ask_disks(&d,
	    (struct fake_answer)OK("[{\"volid\":\"fast:vm-1204-disk-1\"},"
				   "{\"volid\":\"fast:vm-1204-disk-0\"}]"),
	    (struct fake_answer)OK("[{\"volid\":\"big:1204/vm-1204-disk-1.qcow2\"}]"));
	assert_int_equal(d.end, OP_CREATED);
	close_desk(&d);
	ask_disks(&d, (struct fake_answer)OK("[{\"volid\":\"fast:vm-1204-disk-0\"}]"),
	    (struct fake_answer)OK("[{\"volid\":\"big:1204/vm-1204-disk-2.qcow2\"}]"));
	assert_int_equal(d.reason, REASON_DEBRIS);
	assert_has(
	    d.hint, "look for big:9000/base-9000-disk-1.qcow2/1204/vm-1204-disk-1.qcow2 and");
	assert_has(d.hint, "qm destroy 1204");
	close_desk(&d);
	/* Not to be seen is not gone, and not there either. */
	ask_disks(&d, (struct fake_answer)OK("[{\"volid\":\"fast:vm-1204-disk-0\"}]"),
	    (struct fake_answer)REFUSED(403, "Permission check failed (/storage/big, "
					     "Datastore.AllocateSpace|Datastore.Audit)"));
	assert_int_equal(d.reason, REASON_DEBRIS);
	assert_has(d.hint, "look at its disks");
	close_desk(&d);
	ask_disks(&d, (struct fake_answer)REFUSED(596, "Connection timed out"),
	    (struct fake_answer)REFUSED(596, "Connection timed out"));
	assert_int_equal(d.end, OP_AGAIN);
	close_desk(&d);
}

/* The node was cut off after all was done: that is a clone like any other. */
static void test_a_clone_that_is_there(void **state)
{
	static const struct fake_answer script[] = {
	    FREE, QUORATE, OK("\"" TASK "\""), ENDED("unexpected status"), TAKEN, GUEST("")};
	struct desk d;

	(void)state;
	clone(&d, script, ARRAY_LEN(script));
	assert_int_equal(d.end, OP_CREATED);
	close_desk(&d);
}

/* Whoever took the number first has it: nobody is told to destroy that one, seen or not. */
static void test_a_number_that_somebody_else_took(void **state)
{
	static const struct fake_answer script[] = {FREE, QUORATE, OK("\"" TASK "\""),
	    ENDED("close (rename) atomic file '/etc/pve/nodes/pve1/qemu-server/1204.conf' failed: "
		  "File exists"),
	    NO_LOG, TAKEN, REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)")};
	struct desk d;

	(void)state;
	clone(&d, script, ARRAY_LEN(script));
	assert_int_equal(d.end, OP_STUCK);
	assert_int_equal(d.reason, REASON_VMID_TAKEN);
	assert_null(journal_intent(d.journal, "web-01"));
	close_desk(&d);
}

/* Nobody can see whether what has the number is the clone: what to do is to look. */
static void test_a_clone_that_nobody_may_see(void **state)
{
	static const struct fake_answer script[] = {FREE, QUORATE, OK("\"" TASK "\""),
	    ENDED("clone failed: interrupted by signal"), NO_LOG, TAKEN,
	    REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)"), TAKEN,
	    REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)"), TAKEN,
	    REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)"), TAKEN,
	    REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)"), TAKEN,
	    REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)"), TAKEN,
	    REFUSED(403, "Permission check failed (/vms/1204, VM.Audit)")};
	struct desk d;

	(void)state;
	clone(&d, script, ARRAY_LEN(script));
	assert_int_equal(d.end, OP_STUCK);
	assert_int_equal(d.reason, REASON_ACCESS_LOST);
	assert_has(d.hint, "VM.Audit");
	assert_null(strstr(d.hint, "destroy"));
	close_desk(&d);
}

#define LOOK TAKEN, PLACEHOLDER
#define LOOKS LOOK, LOOK, LOOK, LOOK

/* The answer that named the task is lost. The lock is looked at every 3 s for the 30 s of the
 * manifest, and for 15 more; then the running tasks of the node tell. */
static void judge_unnamed(struct fake_answer tasks, struct desk *d)
{
	const struct fake_answer script[] = {
	    FREE, QUORATE, OK("null"), LOOKS, LOOKS, LOOKS, LOOKS, tasks};
	const struct fake_seen *last;

	clone_of(d, " }\n  timeouts: { create: 30s", script, ARRAY_LEN(script));
	last = &d->port.seen[d->port.n_seen - 1];
	assert_string_equal(last->path, "/nodes/pve1/tasks");
	assert_string_equal(kv_get(&last->params, "source"), "active");
	assert_non_null(journal_intent(d->journal, "web-01"));
}

static void test_a_slow_clone_is_no_debris(void **state)
{
	struct desk d;

	(void)state;
	judge_unnamed((struct fake_answer)OK("[{\"type\":\"qmclone\",\"id\":\"9000\",\"status\":"
					     "\"RUNNING\"}]"),
	    &d);
	assert_int_equal(d.end, OP_STUCK);
	assert_int_equal(d.reason, REASON_TASK_STUCK);
	assert_has(d.text, "a clone of 9000 runs on pve1");
	assert_null(d.hint);
	close_desk(&d);
	/* One of another template, and one that has ended. */
	judge_unnamed(
	    (struct fake_answer)OK("[{\"type\":\"qmclone\",\"id\":\"9001\"},{\"type\":\"qmclone\","
				   "\"id\":\"9000\",\"endtime\":1800000000}]"),
	    &d);
	assert_int_equal(d.reason, REASON_DEBRIS);
	assert_has(d.hint, "qm destroy 1204");
	close_desk(&d);
	/* Not to be seen is not known. */
	judge_unnamed((struct fake_answer)REFUSED(500, "computer says no"), &d);
	assert_int_equal(d.end, OP_AGAIN);
	close_desk(&d);
}

/* Nothing is heard of the task, because a daemon of the node hangs: it may still be at work. */
static void test_a_silent_task_is_no_debris(void **state)
{
#define MUTE                                                                                   \
	{                                                                                      \
		.transport = CLUSTER_REPLIED, .status = 596, .reason = "Connection timed out", \
		.delay_ms = 30000                                                              \
	}
	static const struct fake_answer script[] = {
	    FREE, QUORATE, OK("\"" TASK "\""), RUNNING, MUTE, MUTE, MUTE, MUTE, TAKEN, PLACEHOLDER};
	struct desk d;

	(void)state;
	clone(&d, script, ARRAY_LEN(script));
	assert_int_equal(d.end, OP_AGAIN);
	assert_has(d.text, "nothing heard of the task");
	assert_string_equal(journal_intent(d.journal, "web-01")->upid, TASK);
	close_desk(&d);
}

/* A node without quorum turns away one try after the other: nothing is written down for that, and
 * no number is used up. */
static void test_no_trace_without_quorum(void **state)
{
#define NO_QUORUM                                                     \
	OK("[{\"type\":\"cluster\",\"name\":\"home\",\"quorate\":0}," \
	   "{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1}]")
	static const struct fake_answer clones[] = {FREE, NO_QUORUM},
					steps[] = {NO_QUORUM, NO_QUORUM, NO_QUORUM};
	static const enum step_kind kinds[] = {STEP_RESIZE, STEP_MOVE, STEP_CONFIG};
	struct desk d;
	struct step first = {.kind = STEP_CLONE, .allocates = true};
	const uint32_t *used;
	unsigned before;

	(void)state;
	open_desk_of(&d, "", "", clones, ARRAY_LEN(clones));
	send(&d, &first);
	assert_int_equal(d.end, OP_FAILED);
	assert_has(d.text, "quorum");
	assert_int_equal(d.lines, 1); /* the record, when the desk was opened */
	assert_null(journal_intent(d.journal, "web-01"));
	assert_int_equal(journal_used(d.journal, &used), 1);
	close_desk(&d);

	open_desk(&d, "", steps, ARRAY_LEN(steps));
	before = d.lines;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct step s = {.kind = kinds[i],
		    .allocates = true,
		    .slot = (char *)"scsi0",
		    .storage = (char *)"local",
		    .size_gb = 20,
		    .text = (char *)"a step"};

		send(&d, &s);
		assert_int_equal(d.end, OP_FAILED);
	}
	assert_int_equal(d.lines, before);
	close_desk(&d);
}

/* Whether a number is free is not to be learnt just now: it is asked for again next time. */
static void test_no_number_is_burnt(void **state)
{
	static const struct fake_answer script[] = {
	    REFUSED(500, "ipcc_send_rec failed"), REFUSED(500, "ipcc_send_rec failed")};
	_cleanup_str_ char *first = NULL;
	struct step s = {.kind = STEP_CLONE, .allocates = true};
	struct desk d;
	const struct fake_seen *r;

	(void)state;
	open_desk_of(&d, "", "", script, ARRAY_LEN(script));
	r = send(&d, &s);
	assert_int_equal(d.end, OP_FAILED);
	first = mem_strdup(kv_get(&r->params, "vmid"));
	r = send(&d, &s);
	assert_string_equal(kv_get(&r->params, "vmid"), first);
	close_desk(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_trace_without_quorum),
	    cmocka_unit_test(test_no_number_is_burnt),
	    cmocka_unit_test(test_a_clone_whose_disks_were_freed),
	    cmocka_unit_test(test_a_failed_clone_with_its_disks),
	    cmocka_unit_test(test_a_clone_that_is_there),
	    cmocka_unit_test(test_a_number_that_somebody_else_took),
	    cmocka_unit_test(test_a_clone_that_nobody_may_see),
	    cmocka_unit_test(test_a_slow_clone_is_no_debris),
	    cmocka_unit_test(test_a_silent_task_is_no_debris),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
