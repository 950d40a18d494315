#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakeport.h"
#include "pvetask.h"

#define UPID "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:ramet@pve!ctl:"
#define TASK_PATH            \
	"/nodes/pve1/tasks/" \
	"UPID%3Apve1%3A00001234%3A0A1B2C3D%3A6500F00D%3Aqmclone%3A9000%3Aramet%40pve%21ctl%3A"

static void a_upid_has_its_parts(void **state)
{
	(void)state;
	struct upid u;
	assert_int_equal(pvetask_parse_upid(UPID, &u, NULL), 0);
	assert_string_equal(u.text, UPID);
	assert_string_equal(u.node, "pve1");
	assert_int_equal(u.pid, 0x1234);
	assert_int_equal(u.pstart, 0x0a1b2c3d);
	assert_int_equal(u.start_s, 0x6500f00d);
	assert_string_equal(u.type, "qmclone");
	assert_string_equal(u.id, "9000");
	assert_string_equal(u.user, "ramet@pve!ctl");
	/* A start of the process in nine digits, and a task about nothing in particular. */
	assert_int_equal(pvetask_parse_upid(
			     "UPID:a-b:00001234:10A1B2C3D:6500F00D:startall::root@pam:", &u, NULL),
	    0);
	assert_int_equal(u.pstart, 0x10a1b2c3d);
	assert_string_equal(u.node, "a-b");
	assert_string_equal(u.id, "");
}

static void what_is_no_upid_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "UPID",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:ramet@pve!ctl",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:ramet@pve!ctl:x",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:ramet@pve!ctl::",
	    " UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "upid:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "UPID::00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "UPID:-pve:00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "UPID:pve/..:00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "UPID:pve1:0001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "UPID:pve1:00001234:0A1B2C3:6500F00D:qmclone:9000:u@pve:",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00:qmclone:9000:u@pve:",
	    "UPID:pve1:0000123g:0A1B2C3D:6500F00D:qmclone:9000:u@pve:",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D::9000:u@pve:",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000::",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qm clone:9000:u@pve:",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:../..:u@pve:",
	    "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve:\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct upid u;
		if (pvetask_parse_upid(bad[i], &u, NULL) == 0)
			fail_msg("taken for a UPID: %s", bad[i]);
	}
	char long_one[2000];
	memset(long_one, 'a', sizeof(long_one));
	memcpy(long_one, "UPID:", 5);
	long_one[sizeof(long_one) - 1] = '\0';
	struct upid u;
	assert_int_equal(pvetask_parse_upid(long_one, &u, NULL), -1);
}

/* ---- following ---- */

struct seen {
	int calls;
	struct pvetask_result res;
	char text[512], subject[128], first_line[512], last_line[512];
	size_t lines;
	int percents[16];
	size_t n_percents;
};

struct bench {
	struct vclock *v;
	struct fakeport f;
	struct pvereq *r;
	struct pvetask *task;
	struct seen s;
	bool cancel_on_progress;
};

static void keep(void *arg, const struct pvetask_result *r)
{
	struct bench *b = arg;
	struct seen *s = &b->s;
	s->calls++;
	s->res = *r;
	snprintf(s->text, sizeof(s->text), "%s", r->text);
	snprintf(s->subject, sizeof(s->subject), "%s", r->subject);
	s->lines = r->log->n;
	if (r->log->n > 0) {
		snprintf(s->first_line, sizeof(s->first_line), "%s", r->log->v[0]);
		snprintf(s->last_line, sizeof(s->last_line), "%s", r->log->v[r->log->n - 1]);
	}
	assert_true(
	    (r->outcome == PVE_DONE) == (r->end == PVETASK_OK || r->end == PVETASK_WARNINGS));
}

static void keep_percent(void *arg, int percent)
{
	struct bench *b = arg;
	b->s.percents[b->s.n_percents++] = percent;
	if (b->cancel_on_progress)
		pvetask_cancel(&b->task);
}

static void start(
    struct bench *b, const struct fake_answer *script, size_t n, const struct pvetask_opts *opts)
{
	struct upid u;
	assert_int_equal(pvetask_parse_upid(UPID, &u, NULL), 0);
	*b = (struct bench){.v = vclock_new(3, 0)};
	fakeport_init(&b->f, b->v, script, n);
	b->r = pvereq_new(&b->f.port, vclock_clock(b->v), 60000);
	b->task = pvetask_follow(b->r, &u, opts, keep, b);
	assert_int_equal(b->s.calls, 0);
}

static void stop(struct bench *b)
{
	assert_int_equal(vclock_pending(b->v), 0);
	assert_int_equal(pvereq_active(b->r), 0);
	pvereq_free(&b->r);
	fakeport_fini(&b->f);
	vclock_free(&b->v);
}

#define RUNNING                                                              \
	{                                                                    \
		.status = 200, .body = "{\"data\":{\"status\":\"running\"}}" \
	}
#define STOPPED(exit)                                                                     \
	{                                                                                 \
		.status = 200,                                                            \
		.body = "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"" exit "\"}}" \
	}
#define NO_LOG                                                                                   \
	{                                                                                        \
		.status = 200, .body = "{\"total\":0,\"data\":[{\"n\":1,\"t\":\"no content\"}]}" \
	}

static void a_task_is_polled_until_it_is_ok(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {
	    RUNNING, RUNNING, RUNNING, RUNNING, STOPPED("OK")};
	struct bench b;
	start(&b, script, 5, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.res.end, PVETASK_OK);
	assert_int_equal(b.s.res.outcome, PVE_DONE);
	assert_string_equal(b.s.text, "");
	assert_string_equal(b.f.seen[0].path, TASK_PATH "/status");
	assert_string_equal(b.f.seen[0].node, "pve1");
	/* 150 ms, then half as long again each time, a tenth more or less. */
	int64_t pause = 150, last = 0;
	for (size_t i = 0; i < 5; i++) {
		assert_in_range(b.f.seen[i].at - last, pause - pause / 10, pause + pause / 10);
		last = b.f.seen[i].at;
		pause = pause * 3 / 2;
	}
	stop(&b);
}

static void warnings_come_with_the_log(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {STOPPED("WARNINGS: 2"),
	    {.status = 200, .body = "{\"total\":45,\"data\":[{\"n\":1,\"t\":\"first\"}]}"},
	    {.status = 200,
		.body =
		    "{\"total\":45,\"data\":[{\"n\":26,\"t\":\"WARN: Could not remove disk 'x'\"},"
		    "{\"n\":27,\"t\":\"TASK WARNINGS: 2\"}]}"}};
	struct bench b;
	start(&b, script, 3, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_WARNINGS);
	assert_int_equal(b.s.res.warnings, 2);
	assert_int_equal(b.s.lines, 2);
	assert_string_equal(b.s.first_line, "WARN: Could not remove disk 'x'");
	assert_string_equal(b.s.last_line, "TASK WARNINGS: 2");
	assert_string_equal(b.f.seen[1].path, TASK_PATH "/log");
	/* The last 20 of 45. */
	assert_string_equal(kv_get(&b.f.seen[2].params, "start"), "25");
	assert_string_equal(kv_get(&b.f.seen[2].params, "limit"), "20");
	stop(&b);
}

struct word {
	const char *exit;
	enum pvetask_end end;
	enum pve_outcome outcome;
	enum pve_reason reason;
	const char *subject;
};

static const struct word words[] = {
    {"VM is locked (clone)", PVETASK_FAILED, PVE_REJECTED, PVE_LOCKED, "clone"},
    {"clone failed: cfs-lock 'storage-nfs' error: got lock request timeout", PVETASK_FAILED,
	PVE_REJECTED, PVE_STORAGE_LOCK, "nfs"},
    {"clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout",
	PVETASK_FAILED, PVE_REJECTED, PVE_STORAGE_LOCK, "local-lvm"},
    {"can't lock file '/var/lock/qemu-server/lock-1.conf' - got timeout", PVETASK_FAILED,
	PVE_REJECTED, PVE_FILE_LOCK, "/var/lock/qemu-server/lock-1.conf"},
    {"close (rename) atomic file '/etc/pve/nodes/pve1/qemu-server/1101.conf' failed: File exists",
	PVETASK_FAILED, PVE_REJECTED, PVE_EXISTS, "/etc/pve/nodes/pve1/qemu-server/1101.conf"},
    {"unable to create VM 1101: config file already exists", PVETASK_FAILED, PVE_REJECTED,
	PVE_EXISTS, ""},
    {"Configuration file 'nodes/pve1/qemu-server/9.conf' does not exist", PVETASK_FAILED,
	PVE_REJECTED, PVE_NOT_HERE, "nodes/pve1/qemu-server/9.conf"},
    {"unable to open file '/etc/pve/nodes/pve3/qemu-server/1.conf.tmp.9' - Permission denied",
	PVETASK_FAILED, PVE_AMBIGUOUS, PVE_NO_QUORUM, "nodes/pve3/qemu-server/1.conf.tmp.9"},
    {"shrinking disks is not supported", PVETASK_FAILED, PVE_REJECTED, PVE_SHRINK, ""},
    {"clone failed: qemu-img: error while writing: No space left on device", PVETASK_FAILED,
	PVE_REJECTED, PVE_NO_SPACE, ""},
    {"VM quit/powerdown failed - got timeout", PVETASK_FAILED, PVE_AMBIGUOUS, PVE_NO_SHUTDOWN, ""},
    {"VM 100 already running", PVETASK_FAILED, PVE_REJECTED, PVE_RUNNING, ""},
    {"base volume 'local:9000/base-9000-disk-0.qcow2' is still in use by linked cloned",
	PVETASK_FAILED, PVE_REJECTED, PVE_BASE_IN_USE, "local:9000/base-9000-disk-0.qcow2"},
    {"clone failed: interrupted by signal", PVETASK_FAILED, PVE_AMBIGUOUS, PVE_INTERRUPTED, ""},
    {"start failed: QEMU exited with code 1", PVETASK_FAILED, PVE_AMBIGUOUS, PVE_START_FAILED,
	"QEMU exited with code 1"},
    {"the moon is full", PVETASK_FAILED, PVE_AMBIGUOUS, PVE_OTHER, ""},
    {"WARNINGS: many", PVETASK_FAILED, PVE_AMBIGUOUS, PVE_OTHER, ""},
};

static void every_failure_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *w = &words[i];
		char body[512];
		snprintf(body, sizeof(body),
		    "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"%s\"}}", w->exit);
		struct fake_answer script[] = {{.status = 200, .body = body}, NO_LOG};
		struct bench b;
		start(&b, script, 2, &(struct pvetask_opts){0});
		vclock_run_until(b.v, 60000);
		assert_int_equal(b.s.calls, 1);
		if (b.s.res.end != w->end || b.s.res.outcome != w->outcome ||
		    b.s.res.reason != w->reason || strcmp(b.s.subject, w->subject) != 0)
			fail_msg("%s: %s, %s, %s (%s)", w->exit, pvetask_end_word(b.s.res.end),
			    pve_outcome_word(b.s.res.outcome), pve_reason_word(b.s.res.reason),
			    b.s.subject);
		assert_string_equal(b.s.text, w->exit);
		assert_int_equal(b.s.lines, 0);
		stop(&b);
	}
}

/* Of a command that failed PVE tells its number and its arguments; what it said is in the log. */
static void the_log_says_what_a_command_said(void **state)
{
	static const struct {
		const char *exit, *lines, *text;
		enum pve_reason reason;
	} rows[] = {
	    {"clone failed: copy failed: command '/usr/bin/qemu-img convert' failed: exit code 1",
		"{\"n\":1,\"t\":\"create full clone of drive scsi0\"},"
		"{\"n\":2,\"t\":\"transferred 1.0 GiB of 2.0 GiB (50.00%)\"},"
		"{\"n\":3,\"t\":\"qemu-img: error while writing at byte 9: No space left on "
		"device\"},"
		"{\"n\":4,\"t\":\"TASK ERROR: clone failed: copy failed: command "
		"'/usr/bin/qemu-img "
		"convert' failed: exit code 1\"}",
		"qemu-img: error while writing at byte 9: No space left on device; clone failed: "
		"copy "
		"failed: command '/usr/bin/qemu-img convert' failed: exit code 1",
		PVE_NO_SPACE},
	    {"start failed: QEMU exited with code 1",
		"{\"n\":1,\"t\":\"no physical interface on bridge 'vmbr0'\"},"
		"{\"n\":2,\"t\":\"kvm: -netdev type=tap: network script failed with status "
		"65280\"},"
		"{\"n\":3,\"t\":\"TASK ERROR: start failed: QEMU exited with code 1\"}",
		"kvm: -netdev type=tap: network script failed with status 65280; start failed: "
		"QEMU "
		"exited with code 1",
		PVE_START_FAILED},
	    /* Nothing is guessed where nothing was said. */
	    {"command '/usr/bin/false' failed: exit code 1",
		"{\"n\":1,\"t\":\"trying to acquire lock...\"},{\"n\":2,\"t\":\" OK\"},"
		"{\"n\":3,\"t\":\"TASK ERROR: command '/usr/bin/false' failed: exit code 1\"}",
		"command '/usr/bin/false' failed: exit code 1", PVE_OTHER},
	    {"the moon is full", "{\"n\":1,\"t\":\"moon: No space left on device\"}",
		"the moon is full", PVE_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_str_ char *end = mem_printf(
		    "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"%s\"}}", rows[i].exit);
		_cleanup_str_ char *log = mem_printf("{\"total\":4,\"data\":[%s]}", rows[i].lines);
		struct fake_answer script[] = {{.status = 200, .body = end},
		    {.status = 200, .body = "{\"total\":4,\"data\":[{\"n\":1,\"t\":\"x\"}]}"},
		    {.status = 200, .body = log}};
		struct bench b;

		start(&b, script, ARRAY_LEN(script), &(struct pvetask_opts){0});
		vclock_run_until(b.v, 60000);
		assert_int_equal(b.s.res.end, PVETASK_FAILED);
		assert_int_equal(b.s.res.reason, rows[i].reason);
		assert_int_equal(b.s.res.outcome, PVE_AMBIGUOUS);
		assert_string_equal(b.s.text, rows[i].text);
		stop(&b);
	}
}

static void a_task_without_an_end_is_lost(void **state)
{
	(void)state;
	static const struct fake_answer unexpected[] = {STOPPED("unexpected status")};
	static const struct fake_answer silent[] = {
	    {.status = 200, .body = "{\"data\":{\"status\":\"stopped\"}}"}};
	static const struct fake_answer unknown[] = {
	    RUNNING, {.status = 400,
			 .reason = "Parameter verification failed.",
			 .body = "{\"data\":null,\"errors\":{\"upid\":\"no such task\"}}"}};
	struct bench b;
	start(&b, unexpected, 1, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_LOST);
	assert_int_equal(b.s.res.outcome, PVE_AMBIGUOUS);
	assert_int_equal(b.s.res.reason, PVE_TASK_LOST);
	stop(&b);
	start(&b, silent, 1, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_LOST);
	stop(&b);
	start(&b, unknown, 2, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_LOST);
	assert_int_equal(b.s.res.outcome, PVE_AMBIGUOUS);
	assert_int_equal(b.s.res.reason, PVE_NO_TASK);
	stop(&b);
}

static void a_node_that_comes_back_in_time_is_waited_for(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {RUNNING,
	    {.status = 595, .reason = "Connection timed out", .delay_ms = 30000},
	    {.transport = CLUSTER_CUT, .delay_ms = 30000}, {.status = 596, .delay_ms = 30000},
	    RUNNING, STOPPED("OK")};
	struct bench b;
	start(&b, script, 6, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 300000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.res.end, PVETASK_OK);
	stop(&b);
}

static void a_node_that_stays_away_loses_the_task(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {
	    RUNNING, {.status = 595, .reason = "No route to host", .delay_ms = 3000}};
	struct bench b;
	start(&b, script, 2, &(struct pvetask_opts){0});
	b.f.repeat_last = true;
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.res.end, PVETASK_LOST);
	assert_int_equal(b.s.res.outcome, PVE_AMBIGUOUS);
	assert_int_equal(b.s.res.reason, PVE_NODE_AWAY);
	/* Two minutes of silence, and what the last attempt takes. */
	assert_in_range(b.f.seen[b.f.n_seen - 1].at, 100000, 145000);
	stop(&b);
}

static void a_task_that_never_ends_is_late(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {RUNNING};
	struct bench b;
	start(&b, script, 1, &(struct pvetask_opts){.deadline_ms = 20000});
	b.f.repeat_last = true;
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.res.end, PVETASK_LATE);
	assert_int_equal(b.s.res.outcome, PVE_AMBIGUOUS);
	assert_string_equal(b.s.text, "the task, which began at 2023-09-12T23:11:09Z, still runs");
	/* It is looked at once more at the deadline itself, then at the log. */
	assert_int_equal(b.f.seen[b.f.n_seen - 2].at, 20000);
	stop(&b);
}

static void a_log_that_cannot_be_read_changes_nothing(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {STOPPED("VM is locked (backup)"),
	    {.transport = CLUSTER_CUT}, {.transport = CLUSTER_CUT}}; /* it is asked for once more */
	struct bench b;
	start(&b, script, 3, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_FAILED);
	assert_int_equal(b.s.res.reason, PVE_LOCKED);
	assert_int_equal(b.s.lines, 0);
	stop(&b);
}

#define LOG(total, lines)                                                           \
	{                                                                           \
		.status = 200, .body = "{\"total\":" total ",\"data\":[" lines "]}" \
	}
#define LINE(n, t) "{\"n\":" n ",\"t\":\"" t "\"}"

static void progress_is_read_from_the_log(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {RUNNING,
	    LOG("1", LINE("1", "create full clone of drive scsi0")), RUNNING,
	    LOG("3", LINE("2", "transferred 0.0 B of 2.0 GiB (0.00%)") "," LINE(
			 "3", "transferred 1.0 GiB of 2.0 GiB (50.12%)")),
	    RUNNING, LOG("3", ""), RUNNING,
	    LOG("4", LINE("4", "transferred 2.0 GiB of 2.0 GiB (100.00%)")), STOPPED("OK")};
	struct bench b;
	start(&b, script, 9, &(struct pvetask_opts){.progress = keep_percent});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_OK);
	assert_int_equal(b.s.n_percents, 2);
	assert_int_equal(b.s.percents[0], 50);
	assert_int_equal(b.s.percents[1], 100);
	assert_string_equal(kv_get(&b.f.seen[3].params, "start"), "1");
	assert_string_equal(kv_get(&b.f.seen[5].params, "start"), "3");
	stop(&b);

	/* The callback may lose interest. */
	start(&b, script, 9, &(struct pvetask_opts){.progress = keep_percent});
	b.cancel_on_progress = true;
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.calls, 0);
	assert_int_equal(b.s.n_percents, 1);
	stop(&b);
}

static void a_log_may_be_asked_for(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {STOPPED("OK"), LOG("1", LINE("1", "x")),
	    LOG("1", LINE("1", "Could not remove disk 'x'"))};
	struct bench b;
	start(&b, script, 3, &(struct pvetask_opts){.want_log = true});
	vclock_run_until(b.v, 60000);
	assert_int_equal(b.s.res.end, PVETASK_OK);
	assert_string_equal(b.s.first_line, "Could not remove disk 'x'");
	stop(&b);
}

static void a_cancelled_follower_is_silent(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {
	    RUNNING, {.transport = CLUSTER_CUT, .delay_ms = 10000}};
	struct bench b;
	start(&b, script, 2, &(struct pvetask_opts){0});
	vclock_run_until(b.v, 1000);
	pvetask_cancel(&b.task);
	assert_null(b.task);
	assert_int_equal(b.f.cancelled, 1);
	pvetask_cancel(&b.task);
	vclock_run_until(b.v, 100000);
	assert_int_equal(b.s.calls, 0);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_upid_has_its_parts),
	    cmocka_unit_test(what_is_no_upid_is_refused),
	    cmocka_unit_test(a_task_is_polled_until_it_is_ok),
	    cmocka_unit_test(warnings_come_with_the_log),
	    cmocka_unit_test(every_failure_has_its_class),
	    cmocka_unit_test(the_log_says_what_a_command_said),
	    cmocka_unit_test(a_task_without_an_end_is_lost),
	    cmocka_unit_test(a_node_that_comes_back_in_time_is_waited_for),
	    cmocka_unit_test(a_node_that_stays_away_loses_the_task),
	    cmocka_unit_test(a_task_that_never_ends_is_late),
	    cmocka_unit_test(a_log_that_cannot_be_read_changes_nothing),
	    cmocka_unit_test(progress_is_read_from_the_log),
	    cmocka_unit_test(a_log_may_be_asked_for),
	    cmocka_unit_test(a_cancelled_follower_is_silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
