/*
 * Calls and tasks through the real port, over TLS, against the simulated cluster as a program of
 * its own, which breaks what it is told to break. Its journal says what really happened.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "pveport.h"
#include "pvetask.h"

#define SIM RAMET_BINARY_DIR "/ramet-sim"
#define SEED RAMET_SOURCE_DIR "/tests/fixtures/sim/demo.yaml"
#define TOKEN "ramet@pve!ctl=6f1c6e0c-5c1d-4f0e-9a59-000000000003"
#define WAIT_MS 30000

static struct bench {
	char dir[64];
	pid_t pid;
	char url[128], ca[128], fingerprint[128];
	struct loop *l;
	struct pveport *port;
	struct pvereq *r;
} t;

static void forget(const char *name)
{
	_cleanup_str_ char *path = mem_printf("%s/%s", t.dir, name);
	unlink(path);
}

static void read_greeting(FILE *f)
{
	char line[512];
	while (fgets(line, sizeof(line), f) && strcmp(line, "ready\n") != 0) {
		sscanf(line, "endpoint %127s", t.url);
		sscanf(line, "ca %127s", t.ca);
		sscanf(line, "fingerprint %127s", t.fingerprint);
	}
	assert_true(*t.url && *t.ca && *t.fingerprint);
}

/* fault may be NULL. */
static void start(const char *fault, const struct pveport_opts *opts)
{
	int out[2];
	t = (struct bench){0};
	snprintf(t.dir, sizeof(t.dir), "/tmp/ramet-pvesim-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	_cleanup_str_ char *journal = mem_printf("%s/journal", t.dir);
	assert_int_equal(pipe(out), 0);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (t.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl(SIM, SIM, "--seed", SEED, "--listen", "127.0.0.1:0", "--tls-dir", t.dir,
		    "--journal", journal, "--speed", "20", fault ? "--fault" : (char *)NULL, fault,
		    (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	read_greeting(f);
	fclose(f);
	assert_int_equal(loop_new(&t.l, NULL), 0);
	const char *urls[] = {t.url};
	struct pveport_opts o = *opts;
	o.endpoints = urls;
	o.n_endpoints = 1;
	o.ca_file = o.n_fingerprints ? NULL : t.ca;
	o.token = o.token ? o.token : TOKEN;
	assert_int_equal(pveport_new(t.l, &o, &t.port, NULL), 0);
	t.r = pvereq_new(pveport_port(t.port), loop_clock(t.l), 20000);
}

static void stop(void)
{
	pvereq_free(&t.r);
	pveport_free(&t.port);
	loop_free(&t.l);
	kill(t.pid, SIGTERM);
	int status;
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	static const char *const files[] = {"journal", "ca.pem", "server.pem", "server.key"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		forget(files[i]);
	rmdir(t.dir);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct pveport_opts usual = {0};

struct answer {
	int calls;
	enum pve_outcome outcome;
	enum pve_reason reason;
	int status;
	char subject[128], text[512], upid[512], digest[64];
};

static void keep(void *arg, const struct pvereq_result *r)
{
	struct answer *a = arg;
	a->calls++;
	a->outcome = r->outcome;
	a->reason = r->reason;
	a->status = r->status;
	snprintf(a->subject, sizeof(a->subject), "%s", r->subject);
	snprintf(a->text, sizeof(a->text), "%s", r->text);
	snprintf(a->upid, sizeof(a->upid), "%s", r->upid ? r->upid : "");
	const char *digest = jsn_get_text(r->data, "digest");
	snprintf(a->digest, sizeof(a->digest), "%s", digest ? digest : "");
}

static void too_late(void *arg)
{
	*(bool *)arg = true;
}

static void wait_for(const int *calls)
{
	bool late = false;
	timer_id guard = clock_timer(loop_clock(t.l), WAIT_MS, too_late, &late);
	while (*calls == 0 && !late)
		assert_int_equal(loop_turn(t.l, NULL), 0);
	assert_false(late);
	clock_cancel(loop_clock(t.l), &guard);
	assert_int_equal(*calls, 1);
}

static struct answer ask_with(enum endpoint_id endpoint, const char *node, int64_t vmid,
    struct kv *params, int64_t timeout_ms)
{
	static struct answer a;
	a = (struct answer){0};
	struct pvereq_spec spec = {.endpoint = endpoint,
	    .args = {.node = node, .vmid = vmid},
	    .params = params,
	    .timeout_ms = timeout_ms};
	pvereq_send(t.r, &spec, keep, &a);
	wait_for(&a.calls);
	kv_fini(params);
	return a;
}

static struct kv clone_to(const char *newid)
{
	struct kv p = {0};
	kv_set(&p, "newid", newid);
	kv_set(&p, "name", "web-01");
	kv_set(&p, "description", "Front end; 100 %\nramet: lab/web-01 vmid=1001 n0nce");
	return p;
}

static struct answer clone_once(int64_t timeout_ms)
{
	struct kv p = clone_to("1001");
	return ask_with(ENDPOINT_CLONE, "pve1", 9000, &p, timeout_ms);
}

static struct answer ask(enum endpoint_id endpoint, const char *node, int64_t vmid)
{
	struct kv none = {0};
	return ask_with(endpoint, node, vmid, &none, 0);
}

/* Whether a VMID is taken: the oracle that sees everything. */
static bool exists(const char *vmid)
{
	struct kv p = {0};
	kv_set(&p, "vmid", vmid);
	struct answer a = ask_with(ENDPOINT_NEXTID, NULL, 0, &p, 0);
	assert_true(a.outcome == PVE_DONE || a.reason == PVE_EXISTS);
	return a.reason == PVE_EXISTS;
}

struct end {
	int calls;
	struct pvetask_result res;
	size_t lines;
};

static void keep_end(void *arg, const struct pvetask_result *r)
{
	struct end *e = arg;
	e->calls++;
	e->res = *r;
	e->lines = r->log->n;
}

static struct end follow(const char *text, int64_t deadline_ms)
{
	static struct end e;
	struct upid u;
	e = (struct end){0};
	assert_int_equal(pvetask_parse_upid(text, &u, NULL), 0);
	pvetask_follow(t.r, &u, &(struct pvetask_opts){.deadline_ms = deadline_ms}, keep_end, &e);
	wait_for(&e.calls);
	return e;
}

/* ---- without faults ---- */

static void a_thousand_reads_work(void **state)
{
	(void)state;
	enum { N = 1000 };
	static struct answer a[N];
	start(NULL, &usual);
	memset(a, 0, sizeof(a));
	struct pvereq_spec spec = {
	    .endpoint = ENDPOINT_GUEST_CONFIG, .args = {.node = "pve1", .vmid = 9000}};
	for (size_t i = 0; i < N; i++)
		pvereq_send(t.r, &spec, keep, &a[i]);
	for (size_t i = 0; i < N; i++) {
		wait_for(&a[i].calls);
		assert_int_equal(a[i].outcome, PVE_DONE);
		assert_string_equal(a[i].digest, a[0].digest);
	}
	assert_string_equal(pveport_port(t.port)->ops->entry(pveport_port(t.port)), "");
	assert_int_equal(ask(ENDPOINT_CLUSTER_STATUS, NULL, 0).outcome, PVE_DONE);
	assert_string_equal(pveport_port(t.port)->ops->entry(pveport_port(t.port)), "pve1");
	stop();
}

static void a_clone_is_followed_to_its_end(void **state)
{
	(void)state;
	start(NULL, &usual);
	assert_false(exists("1001"));
	struct answer a = clone_once(0);
	assert_int_equal(a.outcome, PVE_DONE);
	struct end e = follow(a.upid, 0);
	assert_int_equal(e.res.end, PVETASK_OK);
	assert_true(exists("1001"));
	a = ask(ENDPOINT_GUEST_CONFIG, "pve1", 1001);
	assert_int_equal(a.outcome, PVE_DONE);

	/* What was read before somebody else wrote is no ground to write upon. */
	struct kv p = {0};
	kv_set(&p, "cores", "3");
	kv_set(&p, "digest", a.digest);
	assert_int_equal(ask_with(ENDPOINT_CONFIG_PUT, "pve1", 1001, &p, 0).outcome, PVE_DONE);
	kv_set(&p, "cores", "4");
	kv_set(&p, "digest", a.digest);
	struct answer late = ask_with(ENDPOINT_CONFIG_PUT, "pve1", 1001, &p, 0);
	assert_int_equal(late.outcome, PVE_REJECTED);
	assert_int_equal(late.reason, PVE_DIGEST);
	stop();
}

static void refusals_are_understood(void **state)
{
	(void)state;
	start(NULL, &usual);
	struct answer a = ask(ENDPOINT_GUEST_CONFIG, "pve2", 9000);
	assert_int_equal(a.reason, PVE_NOT_HERE);
	struct kv p = clone_to("100");
	a = ask_with(ENDPOINT_CLONE, "pve1", 9000, &p, 0);
	assert_int_equal(a.outcome, PVE_REJECTED);
	assert_int_equal(a.reason, PVE_EXISTS);
	/* On another node it shows only in the task. */
	p = clone_to("101");
	a = ask_with(ENDPOINT_CLONE, "pve1", 9000, &p, 0);
	assert_int_equal(a.outcome, PVE_DONE);
	struct end e = follow(a.upid, 0);
	assert_int_equal(e.res.end, PVETASK_FAILED);
	assert_int_equal(e.res.reason, PVE_EXISTS);
	assert_true(e.lines > 0);

	kv_set(&p, "affinity", "0-3");
	a = ask_with(ENDPOINT_CONFIG_PUT, "pve1", 9000, &p, 0);
	assert_int_equal(a.reason, PVE_ROOT_ONLY);
	kv_set(&p, "cores", "0");
	a = ask_with(ENDPOINT_CONFIG_PUT, "pve1", 9000, &p, 0);
	assert_int_equal(a.reason, PVE_PARAMETER);
	assert_string_equal(a.subject, "cores");
	a = ask(ENDPOINT_START, "pve1", 9000);
	assert_true(a.outcome == PVE_REJECTED || a.outcome == PVE_DONE);
	if (a.outcome == PVE_DONE)
		assert_int_equal(follow(a.upid, 0).res.reason, PVE_TEMPLATE);
	a = ask(ENDPOINT_GUEST_CONFIG, "nonode", 9000);
	assert_true(a.outcome == PVE_REJECTED || a.outcome == PVE_NOT_SENT);
	stop();
}

static void the_fingerprint_is_trusted(void **state)
{
	(void)state;
	/* Started once to learn the fingerprint, then by it alone. */
	start(NULL, &usual);
	char pin[128];
	snprintf(pin, sizeof(pin), "%s", t.fingerprint);
	const char *pins[] = {pin};
	struct pveport_opts o = {.fingerprints = pins, .n_fingerprints = 1, .token = TOKEN};
	const char *urls[] = {t.url};
	o.endpoints = urls;
	o.n_endpoints = 1;
	pvereq_free(&t.r);
	pveport_free(&t.port);
	assert_int_equal(pveport_new(t.l, &o, &t.port, NULL), 0);
	t.r = pvereq_new(pveport_port(t.port), loop_clock(t.l), 20000);
	assert_int_equal(ask(ENDPOINT_VERSION, NULL, 0).outcome, PVE_DONE);
	stop();
}

static void a_wrong_token_is_refused(void **state)
{
	(void)state;
	struct pveport_opts o = {.token = "ramet@pve!ctl=00000000-0000-0000-0000-000000000000"};
	start(NULL, &o);
	struct answer a = ask(ENDPOINT_VERSION, NULL, 0);
	assert_int_equal(a.outcome, PVE_REJECTED);
	assert_int_equal(a.reason, PVE_UNAUTHENTICATED);
	stop();
}

/* ---- with faults ---- */

static void a_lost_answer_is_ambiguous_and_asked_about(void **state)
{
	(void)state;
	static const struct {
		const char *fault;
		bool done;
		enum pve_reason reason;
	} cases[] = {
	    {"reset-after,method=POST,path=/nodes/*/clone,nth=1", true, PVE_CUT},
	    {"reset-before,method=POST,path=/nodes/*/clone,nth=1", false, PVE_CUT},
	    {"status-after,status=596,method=POST,path=/nodes/*/clone,nth=1", true, PVE_CUT},
	    {"status,status=596,method=POST,path=/nodes/*/clone,nth=1", false, PVE_CUT},
	    {"truncate,method=POST,path=/nodes/*/clone,nth=1", true, PVE_CUT},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start(cases[i].fault, &usual);
		struct answer a = clone_once(0);
		if (a.outcome != PVE_AMBIGUOUS || a.reason != cases[i].reason)
			fail_msg("%s: %s, %s: %s", cases[i].fault, pve_outcome_word(a.outcome),
			    pve_reason_word(a.reason), a.text);
		if (exists("1001") != cases[i].done)
			fail_msg("%s: the clone is %sthere", cases[i].fault,
			    cases[i].done ? "not " : "");
		stop();
	}
}

static void a_late_answer_is_ambiguous(void **state)
{
	(void)state;
	/* Twenty times as fast: 600 s are 30 s. */
	start("delay-answer,delay=600000,method=POST,path=/nodes/*/clone,nth=1", &usual);
	struct answer a = clone_once(2000);
	assert_int_equal(a.outcome, PVE_AMBIGUOUS);
	assert_int_equal(a.reason, PVE_CUT);
	assert_true(exists("1001"));
	stop();
}

static void what_was_not_sent_is_sent_again(void **state)
{
	(void)state;
	start("status,status=595,method=POST,path=/nodes/*/clone,nth=1", &usual);
	struct answer a = clone_once(0);
	assert_int_equal(a.outcome, PVE_DONE);
	assert_int_equal(follow(a.upid, 0).res.end, PVETASK_OK);
	assert_true(exists("1001"));
	stop();
}

static void tasks_that_fail_or_hang_are_told(void **state)
{
	(void)state;
	start("task-error,method=POST,path=/nodes/*/clone,nth=1", &usual);
	struct answer a = clone_once(0);
	assert_int_equal(a.outcome, PVE_DONE);
	struct end e = follow(a.upid, 0);
	assert_int_equal(e.res.end, PVETASK_FAILED);
	assert_true(e.res.outcome != PVE_DONE);
	stop();
	start("task-hang,method=POST,path=/nodes/*/clone,nth=1", &usual);
	a = clone_once(0);
	assert_int_equal(a.outcome, PVE_DONE);
	e = follow(a.upid, 1000);
	assert_int_equal(e.res.end, PVETASK_LATE);
	assert_int_equal(e.res.outcome, PVE_AMBIGUOUS);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_thousand_reads_work),
	    cmocka_unit_test(a_clone_is_followed_to_its_end),
	    cmocka_unit_test(refusals_are_understood),
	    cmocka_unit_test(the_fingerprint_is_trusted),
	    cmocka_unit_test(a_wrong_token_is_refused),
	    cmocka_unit_test(a_lost_answer_is_ambiguous_and_asked_about),
	    cmocka_unit_test(a_late_answer_is_ambiguous),
	    cmocka_unit_test(what_was_not_sent_is_sent_again),
	    cmocka_unit_test(tasks_that_fail_or_hang_are_told),
	};
	if (access(SIM, X_OK) != 0) {
		fprintf(stderr, "%s is not there\n", SIM);
		return 77;
	}
	log_setup(LOG_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
