#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakeport.h"
#include "pvereq.h"

#define UPID "UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:ramet@pve!ctl:"

struct seen {
	int calls;
	enum pve_outcome outcome;
	enum pve_reason reason;
	int status;
	char subject[128], text[512], upid[256], first_error[128];
	bool has_data;
};

static void keep(void *arg, const struct pvereq_result *r)
{
	struct seen *s = arg;
	s->calls++;
	s->outcome = r->outcome;
	s->reason = r->reason;
	s->status = r->status;
	s->has_data = r->data != NULL;
	snprintf(s->subject, sizeof(s->subject), "%s", r->subject);
	snprintf(s->text, sizeof(s->text), "%s", r->text);
	snprintf(s->upid, sizeof(s->upid), "%s", r->upid ? r->upid : "");
	snprintf(s->first_error, sizeof(s->first_error), "%s",
	    r->errors->n > 0 ? r->errors->v[0].value : "");
	assert_true((r->outcome == PVE_DONE) == (*r->text == '\0'));
	assert_true((r->outcome == PVE_DONE) == (r->reason == PVE_NONE));
}

/* One call with one answer and no second attempt. */
static struct seen one(enum endpoint_id endpoint, const struct fake_answer *answer)
{
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct fakeport f;
	fakeport_init(&f, v, answer, 1);
	_cleanup_pvereq_ struct pvereq *r = pvereq_new(&f.port, vclock_clock(v), 60000);
	struct pvereq_spec spec = {.endpoint = endpoint,
	    .args = {.node = "pve1", .vmid = 9000, .pool = "prod"},
	    .patience_ms = -1};
	struct seen s = {0};
	pvereq_send(r, &spec, keep, &s);
	assert_int_equal(s.calls, 0);
	vclock_run_until(v, 100000);
	assert_int_equal(s.calls, 1);
	assert_int_equal(pvereq_active(r), 0);
	pvereq_free(&r);
	fakeport_fini(&f);
	return s;
}

static struct seen said(enum endpoint_id endpoint, int status, const char *reason, const char *body)
{
	struct fake_answer a = {
	    .transport = CLUSTER_REPLIED, .status = status, .reason = reason, .body = body};
	return one(endpoint, &a);
}

static void what_works_is_done(void **state)
{
	(void)state;
	struct seen s = said(ENDPOINT_CLONE, 200, "OK", "{\"data\":\"" UPID "\"}");
	assert_int_equal(s.outcome, PVE_DONE);
	assert_string_equal(s.upid, UPID);
	s = said(ENDPOINT_CONFIG_PUT, 200, "OK", "{\"data\":null}");
	assert_int_equal(s.outcome, PVE_DONE);
	assert_false(s.has_data);
	/* A configuration task that ended within its delay names no task. */
	s = said(ENDPOINT_CONFIG_POST, 200, "OK", "{\"data\":null}");
	assert_int_equal(s.outcome, PVE_DONE);
	assert_string_equal(s.upid, "");
	s = said(ENDPOINT_GUEST_CONFIG, 200, "OK", "{\"data\":{\"cores\":2}}");
	assert_true(s.has_data);
}

struct unread {
	int calls;
	enum pve_outcome outcome;
	char text[64], list[64];
	bool has_data;
};

static void keep_unread(void *arg, const struct pvereq_result *r)
{
	struct unread *u = arg;
	u->calls++;
	u->outcome = r->outcome;
	u->has_data = r->data || r->body;
	snprintf(u->text, sizeof(u->text), "%s", r->text);
	snprintf(u->list, sizeof(u->list), "%.*s", (int)r->list_len, r->list ? r->list : "");
}

/* What works is handed on as it came; what does not is understood as ever. */
static void a_list_is_left_unread(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {
	    {.transport = CLUSTER_REPLIED, .status = 200, .reason = "OK", .body = "{\"data\":[{"},
	    {.transport = CLUSTER_REPLIED,
		.status = 403,
		.reason = "Permission check failed",
		.body = "{\"data\":null}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
		struct fakeport f;
		fakeport_init(&f, v, &script[i], 1);
		_cleanup_pvereq_ struct pvereq *r = pvereq_new(&f.port, vclock_clock(v), 60000);
		struct pvereq_spec spec = {
		    .endpoint = ENDPOINT_RESOURCES, .unread = true, .patience_ms = -1};
		struct unread u = {0};
		pvereq_send(r, &spec, keep_unread, &u);
		vclock_run_until(v, 100000);
		assert_int_equal(u.calls, 1);
		assert_false(u.has_data);
		assert_int_equal(u.outcome, i ? PVE_REJECTED : PVE_DONE);
		assert_string_equal(u.list, i ? "" : "{\"data\":[{");
		assert_string_equal(u.text, i ? "Permission check failed" : "");
		pvereq_free(&r);
		fakeport_fini(&f);
	}
}

struct word {
	enum endpoint_id endpoint;
	int status;
	const char *reason;
	enum pve_outcome outcome;
	enum pve_reason why;
	const char *subject;
};

static const struct word words[] = {
    {ENDPOINT_CLONE, 500, "VM is locked (backup)", PVE_REJECTED, PVE_LOCKED, "backup"},
    {ENDPOINT_CONFIG_PUT, 500,
	"can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", PVE_REJECTED,
	PVE_FILE_LOCK, "/var/lock/qemu-server/lock-100.conf"},
    {ENDPOINT_CONFIG_PUT, 500, "checksum mismatch (file change by other user?)", PVE_REJECTED,
	PVE_DIGEST, ""},
    {ENDPOINT_MOVE_DISK, 500,
	"detected modified configuration - file changed by other user? Try again.", PVE_REJECTED,
	PVE_DIGEST, ""},
    {ENDPOINT_GUEST_CONFIG, 500,
	"Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist", PVE_REJECTED,
	PVE_NOT_HERE, "nodes/pve1/qemu-server/100.conf"},
    {ENDPOINT_CLONE, 500, "unable to find configuration file for VM 9000 on node 'pve1'",
	PVE_REJECTED, PVE_NOT_HERE, "9000 on node 'pve1'"},
    {ENDPOINT_CLONE, 500, "unable to create VM 1001: config file already exists", PVE_REJECTED,
	PVE_EXISTS, ""},
    {ENDPOINT_CLONE, 500, "cluster not ready - no quorum?", PVE_REJECTED, PVE_NO_QUORUM, ""},
    /* A node whose cluster file system is down: before a call is begun, and in the midst of it. */
    {ENDPOINT_CONFIG_PUT, 500,
	"RPCEnvironment init request failed: Unable to load access control list: Connection "
	"refused",
	PVE_REJECTED, PVE_CLUSTER_FS, ""},
    {ENDPOINT_CONFIG_PUT, 500,
	"unable to open file '/etc/pve/nodes/pve3/qemu-server/1.conf.tmp.645' - Transport endpoint "
	"is not connected",
	PVE_AMBIGUOUS, PVE_CLUSTER_FS, ""},
    /* On a minority node something may have been allocated before this text. */
    {ENDPOINT_CONFIG_PUT, 500,
	"unable to open file '/etc/pve/nodes/pve3/qemu-server/1.conf.tmp.645' - Permission denied",
	PVE_AMBIGUOUS, PVE_NO_QUORUM, "nodes/pve3/qemu-server/1.conf.tmp.645"},
    {ENDPOINT_CONFIG_PUT, 500, "cfs-lock 'storage-shared' error: no quorum!", PVE_REJECTED,
	PVE_NO_QUORUM, ""},
    {ENDPOINT_CONFIG_PUT, 500, "cfs-lock 'storage-shared' error: got lock request timeout",
	PVE_REJECTED, PVE_STORAGE_LOCK, "shared"},
    {ENDPOINT_DESTROY, 500, "can't remove VM 100 - protection mode enabled", PVE_REJECTED,
	PVE_PROTECTED, ""},
    {ENDPOINT_DESTROY, 500, "VM 100 is running - destroy failed", PVE_REJECTED, PVE_RUNNING, ""},
    {ENDPOINT_CLONE, 500, "storage 'nope' does not exist", PVE_REJECTED, PVE_NO_STORAGE, "nope"},
    {ENDPOINT_CLONE, 500, "pool 'nope' does not exist", PVE_REJECTED, PVE_NO_POOL, "nope"},
    {ENDPOINT_CLONE, 500, "can't clone VM to node 'pve2' (VM uses local storage)", PVE_REJECTED,
	PVE_CLONE_TARGET, "pve2"},
    {ENDPOINT_CONFIG_PUT, 500, "only root can set 'affinity' config", PVE_REJECTED, PVE_ROOT_ONLY,
	"set 'affinity' config"},
    {ENDPOINT_CONFIG_PUT, 500, "no options specified", PVE_REJECTED, PVE_NO_CHANGE, ""},
    {ENDPOINT_CLONE, 500, "hostname lookup 'nonode' failed - failed to get address info",
	PVE_REJECTED, PVE_NO_NODE, "nonode"},
    /* The task may run all the same. */
    {ENDPOINT_CLONE, 500, "can't lock file '/var/log/pve/tasks/.active.lock' - got timeout",
	PVE_AMBIGUOUS, PVE_TASK_LOCK, ""},
    {ENDPOINT_CLONE, 500, "got no worker upid - start worker failed", PVE_AMBIGUOUS, PVE_NO_WORKER,
	""},
    {ENDPOINT_CONFIG_POST, 500, "failed to update VM 100: VM is locked (snapshot)", PVE_REJECTED,
	PVE_LOCKED, "snapshot"},
    {ENDPOINT_CONFIG_POST, 500, "failed to update VM 100: what is this", PVE_AMBIGUOUS, PVE_OTHER,
	"100: what is this"},
    /* Words nobody knows: before a task nothing happened, in a synchronous write it may have. */
    {ENDPOINT_CLONE, 500, "computer says no", PVE_REJECTED, PVE_OTHER, ""},
    {ENDPOINT_CONFIG_PUT, 500, "computer says no", PVE_AMBIGUOUS, PVE_OTHER, ""},
    {ENDPOINT_GUEST_CONFIG, 500, "computer says no", PVE_REJECTED, PVE_OTHER, ""},
    {ENDPOINT_CLONE, 401, "Authentication failed!", PVE_REJECTED, PVE_UNAUTHENTICATED, ""},
    {ENDPOINT_CLONE, 403, "Permission check failed (/vms/9000, VM.Clone)", PVE_REJECTED,
	PVE_FORBIDDEN, "/vms/9000, VM.Clone"},
    {ENDPOINT_CLONE, 403, "Permission check failed", PVE_REJECTED, PVE_FORBIDDEN, ""},
    {ENDPOINT_CLONE, 403, "Permission check failed (pool 'nopool' does not exist)", PVE_REJECTED,
	PVE_NO_POOL, "nopool"},
    {ENDPOINT_REBOOT, 501, "Method 'POST /nodes/pve1/qemu/9000/status/reboot' not implemented",
	PVE_REJECTED, PVE_UNSUPPORTED, ""},
    {ENDPOINT_CLONE, 595, "No route to host", PVE_NOT_SENT, PVE_NODE_AWAY, ""},
    {ENDPOINT_CLONE, 595, "Connection timed out", PVE_NOT_SENT, PVE_NODE_AWAY, ""},
    {ENDPOINT_CLONE, 596, "Connection timed out", PVE_AMBIGUOUS, PVE_CUT, ""},
    {ENDPOINT_CLONE, 597, "", PVE_AMBIGUOUS, PVE_CUT, ""},
    {ENDPOINT_CLONE, 599, "Too many redirections", PVE_AMBIGUOUS, PVE_CUT, ""},
    {ENDPOINT_CLONE, 502, "Bad Gateway", PVE_AMBIGUOUS, PVE_CUT, ""},
    {ENDPOINT_CLONE, 302, "Found", PVE_REJECTED, PVE_OTHER, ""},
};

/* A proxy's page refuses in its own name: no privilege is lacking for it. */
static void a_page_is_no_answer_of_the_api(void **state)
{
	static const int statuses[] = {401, 403, 404, 429};
	static const char *const pages[] = {"\n<html>no</html>", "404 page not found\n"};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(statuses); i++) {

		struct seen s = said(ENDPOINT_CLONE, statuses[i / 2], "Go away", pages[i % 2]);
		assert_int_equal(s.outcome, PVE_REJECTED);
		assert_int_equal(s.reason, PVE_PROTOCOL);
		assert_non_null(strstr(s.text, "Go away"));
	}
	struct seen s = said(ENDPOINT_CLONE, 302, "Found", "<html>log in</html>");
	assert_int_equal(s.reason, PVE_PROTOCOL);
	s = said(ENDPOINT_CLONE, 502, "Bad Gateway", "<html></html>");
	assert_int_equal(s.outcome, PVE_AMBIGUOUS);
	assert_int_equal(s.reason, PVE_CUT);
}

static void every_refusal_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *w = &words[i];
		struct seen s = said(w->endpoint, w->status, w->reason, "{\"data\":null}");
		if (s.outcome != w->outcome || s.reason != w->why ||
		    strcmp(s.subject, w->subject) != 0)
			fail_msg("%d %s: %s %s (%s)", w->status, w->reason,
			    pve_outcome_word(s.outcome), pve_reason_word(s.reason), s.subject);
		assert_int_equal(s.status, w->status);
		if (*w->reason)
			assert_non_null(strstr(s.text, w->reason));
		else
			assert_non_null(strstr(s.text, "597"));
	}
}

static void parameters_are_refused_by_name(void **state)
{
	(void)state;
	struct seen s = said(ENDPOINT_CONFIG_PUT, 400, "Parameter verification failed.",
	    "{\"data\":null,\"errors\":{\"cores\":\"value must have a minimum value of 1\\n\"},"
	    "\"message\":\"Parameter verification failed.\\n\"}");
	assert_int_equal(s.outcome, PVE_REJECTED);
	assert_int_equal(s.reason, PVE_PARAMETER);
	assert_string_equal(s.subject, "cores");
	assert_string_equal(s.first_error, "value must have a minimum value of 1\n");
	assert_string_equal(
	    s.text, "Parameter verification failed. cores: value must have a minimum value of 1");

	s = said(ENDPOINT_NEXTID, 400, "Parameter verification failed.",
	    "{\"data\":null,\"errors\":{\"vmid\":\"VM 100 already exists\"}}");
	assert_int_equal(s.reason, PVE_EXISTS);
	assert_string_equal(s.subject, "100");
	s = said(ENDPOINT_NEXTID, 400, "Parameter verification failed.",
	    "{\"data\":null,\"errors\":{\"upid\":\"no such task\"}}");
	assert_int_equal(s.reason, PVE_NO_TASK);
}

static void a_failed_hotplug_is_partial(void **state)
{
	(void)state;
	struct seen s = said(ENDPOINT_CONFIG_PUT, 400, "Parameter verification failed.",
	    "{\"data\":null,\"errors\":{\"memory\":\"hotplug problem - memory hotplug not "
	    "enabled\"}}");
	assert_int_equal(s.outcome, PVE_PARTIAL);
	assert_int_equal(s.reason, PVE_HOTPLUG);
}

static void the_message_counts_where_the_phrase_is_cut(void **state)
{
	(void)state;
	struct seen s = said(ENDPOINT_CLONE, 500, "",
	    "{\"data\":null,\"message\":\"cluster not ready - no quorum?\\n\"}");
	assert_int_equal(s.reason, PVE_NO_QUORUM);
	assert_string_equal(s.text, "cluster not ready - no quorum?");
}

static void an_answer_without_sense_is_ambiguous(void **state)
{
	(void)state;
	static const char *const bodies[] = {"", "<html>hello</html>", "[]", "{}",
	    "{\"data\":\"UPID:x\"}", "{\"data\":{\"a\":1}}", "{\"data\":17}"};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct seen s = said(ENDPOINT_CLONE, 200, "OK", bodies[i]);
		assert_int_equal(s.outcome, PVE_AMBIGUOUS);
		assert_int_equal(s.reason, PVE_PROTOCOL);
		assert_string_equal(s.upid, "");
	}
}

static void cut_connections_are_ambiguous(void **state)
{
	(void)state;
	struct fake_answer cut = {.transport = CLUSTER_CUT};
	struct seen s = one(ENDPOINT_CLONE, &cut);
	assert_int_equal(s.outcome, PVE_AMBIGUOUS);
	assert_int_equal(s.reason, PVE_CUT);
	assert_int_equal(s.status, 0);
	assert_string_equal(s.text, "the wire broke");
	struct fake_answer tls = {.transport = CLUSTER_NOT_SENT, .trust = TLSTRUST_UNKNOWN};
	s = one(ENDPOINT_CLONE, &tls);
	assert_int_equal(s.outcome, PVE_NOT_SENT);
	assert_int_equal(s.reason, PVE_TLS);
	assert_string_equal(s.text,
	    "the wire broke; check cluster.ca_file (/etc/pve/pve-root-ca.pem) or "
	    "cluster.fingerprints");
	tls.trust = TLSTRUST_EXPIRED;
	s = one(ENDPOINT_CLONE, &tls);
	assert_string_equal(
	    s.text, "the wire broke; renew it on that node (pvecm updatecerts --force)");
}

/* ---- sending again ---- */

struct bench {
	struct vclock *v;
	struct fakeport f;
	struct pvereq *r;
	struct seen s;
};

static void bench_init(struct bench *b, const struct fake_answer *script, size_t n)
{
	*b = (struct bench){.v = vclock_new(7, 0)};
	fakeport_init(&b->f, b->v, script, n);
	b->r = pvereq_new(&b->f.port, vclock_clock(b->v), 60000);
}

static void bench_fini(struct bench *b)
{
	pvereq_free(&b->r);
	fakeport_fini(&b->f);
	assert_int_equal(vclock_pending(b->v), 0);
	vclock_free(&b->v);
}

static const struct pvereq_spec a_clone = {
    .endpoint = ENDPOINT_CLONE, .args = {.node = "pve1", .vmid = 9000}};

static void only_what_was_not_sent_is_sent_again(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {
	    {.transport = CLUSTER_NOT_SENT},
	    {.transport = CLUSTER_REPLIED, .status = 595, .reason = "Connection refused"},
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":\"" UPID "\"}"},
	};
	struct bench b;
	bench_init(&b, script, 3);
	pvereq_send(b.r, &a_clone, keep, &b.s);
	vclock_run_until(b.v, 100000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.outcome, PVE_DONE);
	assert_int_equal(b.f.n_seen, 3);
	/* Pauses of 125…375 and 250…750 ms. */
	assert_in_range(b.f.seen[1].at, 125, 375);
	assert_in_range(b.f.seen[2].at - b.f.seen[1].at, 250, 750);
	bench_fini(&b);
}

static void patience_has_an_end(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {{.transport = CLUSTER_NOT_SENT}};
	struct bench b;
	bench_init(&b, script, 1);
	b.f.repeat_last = true;
	struct pvereq_spec spec = a_clone;
	spec.patience_ms = 5000;
	pvereq_send(b.r, &spec, keep, &b.s);
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.outcome, PVE_NOT_SENT);
	assert_int_equal(b.s.reason, PVE_CONNECT);
	assert_true(b.f.n_seen >= 3 && b.f.n_seen <= 8);
	assert_true(b.f.seen[b.f.n_seen - 1].at <= 5000);
	bench_fini(&b);

	/* A refused certificate does not get better by asking again. */
	static const struct fake_answer tls[] = {
	    {.transport = CLUSTER_NOT_SENT, .trust = TLSTRUST_UNKNOWN}};
	bench_init(&b, tls, 1);
	pvereq_send(b.r, &a_clone, keep, &b.s);
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.f.n_seen, 1);
	bench_fini(&b);
}

static void a_cut_call_is_never_sent_again(void **state)
{
	(void)state;
	static const struct fake_answer script[][1] = {
	    {{.transport = CLUSTER_CUT}},
	    {{.transport = CLUSTER_REPLIED, .status = 596}},
	    {{.transport = CLUSTER_REPLIED, .status = 500, .reason = "got no worker upid"}},
	    {{.transport = CLUSTER_REPLIED, .status = 500, .reason = "VM is locked (clone)"}},
	};
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		struct bench b;
		bench_init(&b, script[i], 1);
		pvereq_send(b.r, &a_clone, keep, &b.s);
		vclock_run_until(b.v, 600000);
		assert_int_equal(b.s.calls, 1);
		assert_int_equal(b.f.n_seen, 1);
		bench_fini(&b);
	}
}

/* A read that was cut early is asked once more, and only once; not one that took all its time. */
static void a_cut_read_is_asked_once_more(void **state)
{
	(void)state;
	static const struct fake_answer mended[] = {{.transport = CLUSTER_CUT},
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":[]}"}};
	static const struct fake_answer broken[] = {{.transport = CLUSTER_CUT}};
	struct pvereq_spec read = {.endpoint = ENDPOINT_NEXTID};
	struct bench b;
	bench_init(&b, mended, 2);
	pvereq_send(b.r, &read, keep, &b.s);
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.outcome, PVE_DONE);
	assert_int_equal(b.f.n_seen, 2);
	bench_fini(&b);
	bench_init(&b, broken, 1);
	b.f.repeat_last = true;
	pvereq_send(b.r, &read, keep, &b.s);
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.calls, 1);
	assert_int_equal(b.s.outcome, PVE_AMBIGUOUS);
	assert_int_equal(b.s.reason, PVE_CUT);
	assert_int_equal(b.f.n_seen, 2);
	bench_fini(&b);
	bench_init(&b, mended, 2);
	read.patience_ms = -1; /* whoever waits for nobody does not wait for this either */
	pvereq_send(b.r, &read, keep, &b.s);
	vclock_run_until(b.v, 600000);
	assert_int_equal(b.s.outcome, PVE_AMBIGUOUS);
	assert_int_equal(b.f.n_seen, 1);
	bench_fini(&b);
}

static void the_call_goes_out_as_specified(void **state)
{
	(void)state;
	static const struct fake_answer ok[] = {{.status = 200, .body = "{\"data\":null}"}};
	struct bench b;
	bench_init(&b, ok, 1);
	_cleanup_kv_ struct kv params = {0};
	kv_set(&params, "digest", "abc");
	struct pvereq_spec spec = {.endpoint = ENDPOINT_STORAGE_CONTENT,
	    .args = {.node = "pve1", .storage = "a/b c"},
	    .params = &params};
	pvereq_send(b.r, &spec, keep, &b.s);
	kv_set(&params, "digest", "changed");
	vclock_run_until(b.v, 1);
	assert_string_equal(b.f.seen[0].method, "GET");
	assert_string_equal(b.f.seen[0].path, "/nodes/pve1/storage/a%2Fb%20c/content");
	assert_string_equal(b.f.seen[0].node, "pve1");
	assert_string_equal(kv_get(&b.f.seen[0].params, "digest"), "abc");
	bench_fini(&b);
}

static void a_path_without_its_parts_is_not_sent(void **state)
{
	(void)state;
	static const struct endpoint_args bad[] = {{.vmid = 100}, {.node = "pve1"},
	    {.node = "", .vmid = 100}, {.node = "..", .vmid = 100}, {.node = ".", .vmid = 100},
	    {.node = "pve1", .vmid = -1}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bench b;
		bench_init(&b, NULL, 0);
		struct pvereq_spec spec = {.endpoint = ENDPOINT_DESTROY, .args = bad[i]};
		pvereq_send(b.r, &spec, keep, &b.s);
		assert_int_equal(b.s.calls, 0);
		vclock_run_until(b.v, 1);
		assert_int_equal(b.s.calls, 1);
		assert_int_equal(b.s.outcome, PVE_NOT_SENT);
		bench_fini(&b);
	}
}

static void cancelled_calls_are_silent(void **state)
{
	(void)state;
	static const struct fake_answer script[] = {
	    {.transport = CLUSTER_NOT_SENT}, {.transport = CLUSTER_CUT, .delay_ms = 1000}};
	struct bench b;
	bench_init(&b, script, 2);
	pvereq_id id = pvereq_send(b.r, &a_clone, keep, &b.s);
	pvereq_id again = id;
	vclock_run_until(b.v, 500); /* the second attempt is under way */
	assert_int_equal(b.f.n_seen, 2);
	pvereq_cancel(b.r, &id);
	assert_int_equal(id, 0);
	assert_int_equal(b.f.cancelled, 1);
	pvereq_cancel(b.r, &again);
	vclock_run_until(b.v, 100000);
	assert_int_equal(b.s.calls, 0);
	bench_fini(&b);

	/* Between two attempts, and by the end of the client. */
	bench_init(&b, script, 2);
	id = pvereq_send(b.r, &a_clone, keep, &b.s);
	vclock_run_until(b.v, 1);
	pvereq_cancel(b.r, &id);
	pvereq_send(b.r, &a_clone, keep, &b.s);
	bench_fini(&b);
	assert_int_equal(b.s.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_works_is_done),
	    cmocka_unit_test(a_list_is_left_unread),
	    cmocka_unit_test(a_page_is_no_answer_of_the_api),
	    cmocka_unit_test(every_refusal_has_its_class),
	    cmocka_unit_test(parameters_are_refused_by_name),
	    cmocka_unit_test(a_failed_hotplug_is_partial),
	    cmocka_unit_test(the_message_counts_where_the_phrase_is_cut),
	    cmocka_unit_test(an_answer_without_sense_is_ambiguous),
	    cmocka_unit_test(cut_connections_are_ambiguous),
	    cmocka_unit_test(only_what_was_not_sent_is_sent_again),
	    cmocka_unit_test(patience_has_an_end),
	    cmocka_unit_test(a_cut_call_is_never_sent_again),
	    cmocka_unit_test(a_cut_read_is_asked_once_more),
	    cmocka_unit_test(the_call_goes_out_as_specified),
	    cmocka_unit_test(a_path_without_its_parts_is_not_sent),
	    cmocka_unit_test(cancelled_calls_are_silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
