/*
 * Every recorded refusal of a real cluster, and every recorded end of a task, has the outcome and
 * the reason that its own words call for: the rows below are what is known of PVE, and none of them
 * comes from pveerr.def. What has no row fails. Exit 77 where the recordings are absent.
 */
#include "exchange.h"
#include "fakeport.h"
#include "holder.h"
#include "pveanswer.h"
#include "pvetask.h"

struct verdict {
	const char *words; /* pieces in order, between '*' */
	enum pve_outcome outcome;
	enum pve_reason reason;
};

/* Of a parameter, in `errors` of a 400. Whatever else a 400 says of one refuses its value. */
static const struct verdict of_parameters[] = {
    {"hotplug problem - ", PVE_PARTIAL, PVE_HOTPLUG},
    {"VM * already exists", PVE_REJECTED, PVE_EXISTS},
    {"no such task", PVE_REJECTED, PVE_NO_TASK},
    {"unable to parse worker upid", PVE_REJECTED, PVE_NO_TASK},
    {"Only root may use this option", PVE_REJECTED, PVE_ROOT_ONLY},
};

/* In the reason phrase of a 500, and at the end of a task. */
static const struct verdict of_words[] = {
    /* It passes, nothing was done. */
    {"VM is locked (", PVE_REJECTED, PVE_LOCKED},
    {"can't lock file '/var/lock/qemu-server/lock-", PVE_REJECTED, PVE_FILE_LOCK},
    {"cfs-lock 'storage-*no quorum", PVE_REJECTED, PVE_NO_QUORUM},
    {"cluster not ready - no quorum", PVE_REJECTED, PVE_NO_QUORUM},
    /* It passes, and something may have been freed, enlarged or begun. */
    {"/etc/pve/*.conf.tmp.*Permission denied", PVE_AMBIGUOUS, PVE_NO_QUORUM},
    {"got no worker upid", PVE_AMBIGUOUS, PVE_NO_WORKER},
    {"VM quit/powerdown failed", PVE_AMBIGUOUS, PVE_NO_SHUTDOWN},
    {"interrupted by signal", PVE_AMBIGUOUS, PVE_INTERRUPTED},
    {"received interrupt", PVE_AMBIGUOUS, PVE_INTERRUPTED},
    {"unexpected status", PVE_AMBIGUOUS, PVE_TASK_LOST},
    /* The world is another one than was believed. */
    {"checksum mismatch", PVE_REJECTED, PVE_DIGEST},
    {"Configuration file 'nodes/*does not exist", PVE_REJECTED, PVE_NOT_HERE},
    {"unable to find configuration file for VM", PVE_REJECTED, PVE_NOT_HERE},
    {"config file already exists", PVE_REJECTED, PVE_EXISTS},
    {"close (rename) atomic file *File exists", PVE_REJECTED, PVE_EXISTS},
    {"already running", PVE_REJECTED, PVE_RUNNING},
    {"is running - destroy failed", PVE_REJECTED, PVE_RUNNING},
    {"to template if VM is running", PVE_REJECTED, PVE_RUNNING},
    {"VM * not running", PVE_REJECTED, PVE_NOT_RUNNING},
    {"can't convert a template to a template", PVE_REJECTED, PVE_TEMPLATE},
    {"can't start a vm if it's a template", PVE_REJECTED, PVE_TEMPLATE},
    {"disk '*' does not exist", PVE_REJECTED, PVE_NO_DISK},
    {"is already a pool member", PVE_REJECTED, PVE_POOL_MEMBER},
    {"is not a pool member", PVE_REJECTED, PVE_POOL_MEMBER},
    {"belongs already to pool", PVE_REJECTED, PVE_POOL_MEMBER},
    {"no options specified", PVE_REJECTED, PVE_NO_CHANGE},
    /* Somebody has to do something. */
    {"nly root can ", PVE_REJECTED, PVE_ROOT_ONLY},
    {"protection mode enabled", PVE_REJECTED, PVE_PROTECTED},
    {"hostname lookup '", PVE_REJECTED, PVE_NO_NODE},
    {"address lookup for '", PVE_REJECTED, PVE_NO_NODE},
    {"no such cluster node '", PVE_REJECTED, PVE_NO_NODE},
    {"can't clone VM to node '", PVE_REJECTED, PVE_CLONE_TARGET},
    {"can't clone to non-shared storage", PVE_REJECTED, PVE_CLONE_TARGET},
    {"inked clone feature is not supported", PVE_REJECTED, PVE_CLONE_KIND},
    {"not allowed for linked clones", PVE_REJECTED, PVE_CLONE_KIND},
    {"base volume '*still in use by linked clone", PVE_REJECTED, PVE_BASE_IN_USE},
    {"without --online", PVE_REJECTED, PVE_MIGRATION},
    {"migration aborted", PVE_AMBIGUOUS, PVE_MIGRATION},
    {"pool '*' does not exist", PVE_REJECTED, PVE_NO_POOL},
    {"snapshot '*' does not exist", PVE_REJECTED, PVE_NO_SNAPSHOT},
    {"because VM contains snapshots", PVE_REJECTED, PVE_SNAPSHOTS},
    {"storage '*' does not exist", PVE_REJECTED, PVE_NO_STORAGE},
    {"volume '*' does not exist", PVE_REJECTED, PVE_NO_VOLUME},
    {"shrinking disks is not supported", PVE_REJECTED, PVE_SHRINK},
    {"start failed: QEMU exited", PVE_AMBIGUOUS, PVE_START_FAILED},
};

/* Words for values that Ramet never sends and calls that it never makes: no reason, and whether
 * something was done is not in them. */
static const char *const unnamed[] = {
    "SSH public key validation error",
    "balloon value too large",
    "disk image '*-cloudinit.*already exists",
    "option different from storage format",
    "failed to stat",
    "invalid bootorder",
    "no sdn vnet ID specified",
    "cloud-init drive is already attached",
    "unable to parse directory volume name",
    "unable to parse value of '",
    "unable to parse volume ID",
    "snapshot feature is not available",
    "The image size is too large",
    "command '/usr/bin/qemu-img resize",
};

static bool has_words(const char *text, const char *words)
{
	while (*words) {
		_cleanup_str_ char *piece = mem_strndup(words, strcspn(words, "*"));
		const char *at = strstr(text, piece);

		if (!at)
			return false;
		text = at + strlen(piece);
		words += strlen(piece) + (words[strlen(piece)] == '*');
	}
	return true;
}

struct tally {
	size_t seen, wrong;
	size_t hits[ARRAY_LEN(of_words)], param_hits[ARRAY_LEN(of_parameters)];
	size_t unnamed_hits[ARRAY_LEN(unnamed)];
};

static void complain(struct tally *t, const struct exchange *x, const char *what)
{
	t->wrong++;
	print_message("%s: %s: %s\n", x->file, x->step ? x->step : "", what);
}

/* False: the words are in no row. */
static bool look_up(const char *text, struct tally *t, struct verdict *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(of_words); i++) {
		if (!has_words(text, of_words[i].words))
			continue;
		t->hits[i]++;
		*ret = of_words[i];
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(unnamed); i++) {
		if (!has_words(text, unnamed[i]))
			continue;
		t->unnamed_hits[i]++;
		*ret = (struct verdict){text, PVE_AMBIGUOUS, PVE_OTHER};
		return true;
	}
	return false;
}

static struct verdict of_errors(const struct exchange *x, struct tally *t)
{
	struct jsn_iter it;

	JSN_FOREACH (it, jsn_get(jsn_get(x->response, "body"), "errors"))
		for (size_t i = 0; i < ARRAY_LEN(of_parameters); i++)
			if (has_words(jsn_text(it.val), of_parameters[i].words)) {
				t->param_hits[i]++;
				return of_parameters[i];
			}
	return (struct verdict){"", PVE_REJECTED, PVE_PARAMETER};
}

/* False: nothing is known of such an answer. */
static bool of_status(const struct exchange *x, struct tally *t, struct verdict *ret)
{
	bool pool = has_words(x->reply.reason, "(pool '*' does not exist)");

	switch (x->reply.status) {
	case 400:
		*ret = of_errors(x, t);
		return true;
	case 401:
		*ret = (struct verdict){"", PVE_REJECTED, PVE_UNAUTHENTICATED};
		return true;
	case 403:
		*ret = (struct verdict){"", PVE_REJECTED, pool ? PVE_NO_POOL : PVE_FORBIDDEN};
		return has_words(x->reply.reason, "Permission check failed");
	case 500:
		return look_up(x->reply.reason, t, ret);
	case 501:
		*ret = (struct verdict){"", PVE_REJECTED, PVE_UNSUPPORTED};
		return true;
	case 595: /* the connection never stood */
		*ret = (struct verdict){"", PVE_NOT_SENT, PVE_NODE_AWAY};
		return true;
	case 596: /* it stood */
		*ret = (struct verdict){"", PVE_AMBIGUOUS, PVE_CUT};
		return true;
	default:
		return false;
	}
}

/* What only reads has done nothing, and what begins a task not yet. */
static enum pve_outcome limit(const struct exchange *x, const struct verdict *v)
{
	if (x->reply.status >= 595)
		return v->outcome;
	if (x->e->kind == ENDPOINT_KIND_READ)
		return PVE_REJECTED;
	if (v->reason == PVE_OTHER && x->e->kind == ENDPOINT_KIND_TASK)
		return PVE_REJECTED;
	return v->outcome;
}

/* A person reads what PVE said: its phrase, and each refused parameter by name. */
static bool is_told(const struct exchange *x, const struct pveanswer *a)
{
	_cleanup_str_ char *first = mem_strndup(x->reply.reason, strnlen(x->reply.reason, 60));
	struct jsn_iter it;
	bool told = strstr(a->text, first) != NULL;

	JSN_FOREACH (it, jsn_get(jsn_get(x->response, "body"), "errors"))
		told &= kv_has(&a->errors, it.key);
	return told;
}

static void refusal(const struct exchange *x, void *arg)
{
	struct tally *t = arg;
	struct verdict want;
	struct pveanswer a;

	if (x->reply.status == 200)
		return;
	t->seen++;
	if (!of_status(x, t, &want)) {
		complain(t, x, x->reply.reason);
		return;
	}
	pveanswer_read(x->id, &x->reply, &a);
	if (a.err.reason != want.reason || a.err.outcome != limit(x, &want) || !is_told(x, &a)) {
		_cleanup_str_ char *what =
		    mem_printf("%s %d %s: %s %s", x->e->word, x->reply.status, a.text,
			pve_outcome_word(a.err.outcome), pve_reason_word(a.err.reason));
		complain(t, x, what);
	}
	pveanswer_fini(&a);
}

/* ---- tasks ---- */

struct end {
	int calls;
	struct pvetask_result res;
	char first[400];
	size_t lines;
};

static void keep_end(void *arg, const struct pvetask_result *r)
{
	struct end *e = arg;

	e->calls++;
	e->res = *r;
	e->lines = r->log->n;
	snprintf(e->first, sizeof(e->first), "%s", r->log->n ? r->log->v[0] : "");
}

static struct end follow(const char *upid, const struct fake_answer *script, size_t n)
{
	struct pvetask_opts opts = {.want_log = true};
	struct vclock *v = vclock_new(3, 0);
	struct end e = {0};
	struct fakeport f;
	struct upid u;

	assert_int_equal(pvetask_parse_upid(upid, &u, NULL), 0);
	fakeport_init(&f, v, script, n);
	f.repeat_last = true;
	struct pvereq *r = pvereq_new(&f.port, vclock_clock(v), 60000);
	pvetask_follow(r, &u, &opts, keep_end, &e);
	vclock_run_until(v, 600000);
	assert_int_equal(e.calls, 1);
	pvereq_free(&r);
	fakeport_fini(&f);
	vclock_free(&v);
	return e;
}

static void task_end(const struct exchange *x, void *arg)
{
	const struct jsn *data = jsn_get(jsn_get(x->response, "body"), "data");
	const char *upid = jsn_get_text(data, "upid"), *end = jsn_get_text(data, "exitstatus");
	struct verdict want = {"", PVE_DONE, PVE_NONE};
	enum pvetask_end how = PVETASK_OK;
	struct tally *t = arg;

	if (x->id != ENDPOINT_TASK_STATUS || x->reply.status != 200 || !end)
		return;
	t->seen++;
	if (text_starts(end, "WARNINGS: ")) {
		how = PVETASK_WARNINGS;
	} else if (!text_eq(end, "OK")) {
		how = PVETASK_FAILED;
		if (!look_up(end, t, &want)) {
			complain(t, x, end);
			return;
		}
		if (want.reason == PVE_TASK_LOST)
			how = PVETASK_LOST;
	}
	const struct fake_answer script[] = {
	    {CLUSTER_REPLIED, 200, "OK", x->reply.body},
	    {CLUSTER_REPLIED, 200, "OK", "{\"data\":[],\"total\":0}"},
	};
	struct end got = follow(upid, script, ARRAY_LEN(script));
	if (got.res.end != how || got.res.outcome != want.outcome || got.res.reason != want.reason)
		complain(t, x, end);
}

/* ---- logs of tasks ---- */

static void task_log(const struct exchange *x, void *arg)
{
	const struct jsn *body = jsn_get(x->response, "body"), *data = jsn_get(body, "data");
	/* Of a task that it does not know it says so in one object. */
	size_t n = jsn_is_array(data) ? jsn_len(data) : 0, from = n > 20 ? n - 20 : 0;
	struct tally *t = arg;

	if (x->id != ENDPOINT_TASK_LOG || x->reply.status != 200)
		return;
	t->seen++;
	const struct fake_answer script[] = {
	    {CLUSTER_REPLIED, 200, "OK",
		"{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"OK\"}}"},
	    {CLUSTER_REPLIED, 200, "OK", x->reply.body},
	    {CLUSTER_REPLIED, 200, "OK", x->reply.body},
	};
	struct end got =
	    follow("UPID:pve1:00001234:0A1B2C3D:6500F00D:qmclone:9000:u@pve!t:", script,
		ARRAY_LEN(script));
	_cleanup_str_ char *first =
	    n ? text_oneline(jsn_get_text(jsn_at(data, from), "t"), 300) : mem_strdup("");
	if (got.lines != n - from || !text_eq(got.first, first))
		complain(t, x, "the log is misread");
	if (n > 0 && jsn_get_int(body, "total", 0) <= 0)
		complain(t, x, "the log came without its length");
}

/* ---- names of tasks ---- */

/* A list tells the parts besides: the user without the token's name where that stands apart. */
static void task_row(const struct exchange *x, const struct jsn *row, struct tally *t)
{
	const char *text = jsn_get_text(row, "upid"), *token = jsn_get_text(row, "tokenid");
	const char *user = jsn_get_text(row, "user");
	_cleanup_str_ char *who =
	    token ? mem_printf("%s!%s", user, token) : mem_strdup(user ? user : "");
	struct upid u;

	t->seen++;
	if (!text || pvetask_parse_upid(text, &u, NULL) < 0 ||
	    !text_eq(u.node, jsn_get_text(row, "node")) ||
	    !text_eq(u.type, jsn_get_text(row, "type")) ||
	    !text_eq(u.id, jsn_get_text(row, "id")) || !text_eq(u.user, who) ||
	    u.start_s != jsn_get_int(row, "starttime", 0) ||
	    (jsn_has(row, "pid") && (int64_t)u.pid != jsn_get_int(row, "pid", 0)) ||
	    (jsn_has(row, "pstart") && (int64_t)u.pstart != jsn_get_int(row, "pstart", 0)))
		complain(t, x, text ? text : "a task without a name");
}

/* The one that holds a lock is the first of those that run and do such work on the guest; of a
 * clone the number is that of its source. */
static void lock_holder(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	const struct jsn *first = NULL;

	for (size_t i = 0; i < jsn_len(data) && !first; i++)
		if (text_eq(jsn_get_text(jsn_at(data, i), "type"), "qmclone") &&
		    !jsn_has(jsn_at(data, i), "endtime"))
			first = jsn_at(data, i);
	_cleanup_str_ char *holder = holder_find(data, "clone", 1);
	_cleanup_str_ char *who =
	    first ? mem_printf("qmclone by %s since ", jsn_get_text(first, "user")) : NULL;
	if (who ? !holder || !text_starts(holder, who) : holder != NULL)
		complain(t, x, "the holder of a lock");
}

static void task_names(const struct exchange *x, void *arg)
{
	const struct jsn *data = jsn_get(jsn_get(x->response, "body"), "data");
	bool list = x->id == ENDPOINT_NODE_TASKS;
	struct tally *t = arg;

	if (x->reply.status != 200)
		return;
	if (x->id == ENDPOINT_TASK_STATUS)
		task_row(x, data, t);
	for (size_t i = 0; list && i < jsn_len(data); i++)
		task_row(x, jsn_at(data, i), t);
	if (x->id == ENDPOINT_NODE_TASKS)
		lock_holder(x, data, t);
}

/* ---- ---- */

static void check(exchange_fn fn, size_t least)
{
	struct tally t = {0};

	exchange_walk(fn, &t);
	print_message("%zu read\n", t.seen);
	assert_int_equal(t.wrong, 0);
	assert_true(t.seen >= least);
}

static void refusals_and_ends_mean_what_they_say(void **state)
{
	struct tally t = {0};

	(void)state;
	exchange_walk(refusal, &t);
	print_message("%zu refusals\n", t.seen);
	assert_true(t.seen > 1000);
	exchange_walk(task_end, &t);
	print_message("%zu with the ends of tasks\n", t.seen);
	assert_int_equal(t.wrong, 0);
	assert_true(t.seen > 1500);
	/* A row that nothing fits is a wrong one. */
	for (size_t i = 0; i < ARRAY_LEN(of_words); i++)
		if (!t.hits[i])
			fail_msg("never said: %s", of_words[i].words);
	for (size_t i = 0; i < ARRAY_LEN(of_parameters); i++)
		if (!t.param_hits[i])
			fail_msg("never said: %s", of_parameters[i].words);
	for (size_t i = 0; i < ARRAY_LEN(unnamed); i++)
		if (!t.unnamed_hits[i])
			fail_msg("never said: %s", unnamed[i]);
}

static void logs_are_read_to_their_end(void **state)
{
	(void)state;
	check(task_log, 400);
}

static void names_of_tasks_are_taken_apart(void **state)
{
	(void)state;
	check(task_names, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refusals_and_ends_mean_what_they_say),
	    cmocka_unit_test(logs_are_read_to_their_end),
	    cmocka_unit_test(names_of_tasks_are_taken_apart),
	};

	if (!recordings_exist()) {
		print_message("no recordings\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
