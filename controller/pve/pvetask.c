#include "pvetask.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

#define TASK_MAGIC 0x70767473u

#define DEADLINE_MS_DEFAULT ((int64_t)30 * 60 * 1000)
#define POLL_MS_FIRST 150
#define POLL_MS_MAX 3000
/* A task of which nothing is heard for so long is given up as lost: a node that is only slow, or a
 * proxy that restarts, is back by then. */
#define SILENCE_MS_MAX 120000
#define LOG_LINES 20
#define LOG_LINE_CHARS 300
#define TEXT_CHARS 400

enum task_state { TASK_STATUS, TASK_PROGRESS, TASK_LOG_TOTAL, TASK_LOG_TAIL, TASK_STATE__MAX };

struct pvetask {
	uint32_t magic;
	struct pvereq *r;
	struct upid upid;
	struct pvetask_opts opts;
	enum task_state state;
	int64_t deadline_at, heard_at;
	int64_t poll_ms;
	int64_t log_seen; /* lines of the log already looked at for progress */
	int percent;
	pvereq_id call;
	timer_id timer;
	/* what is told at the end */
	struct pvetask_result res;
	struct pveerr err;
	char *text;
	struct strs log;
	pvetask_cb cb;
	void *arg;
};

/* ---- UPIDs ---- */

static bool is_hex(const char *s, size_t len)
{
	return strspn(s, "0123456789abcdefABCDEF") == len && s[len] == '\0';
}

static bool is_node(const char *s)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(s);
	if (len == 0 || len >= sizeof(((struct upid *)0)->node) || !strchr(letters, s[0]) ||
	    !strchr(letters, s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] != '-' && !strchr(letters, s[i]))
			return false;
	}
	return true;
}

static int copy_part(char *dst, size_t cap, const char *src, bool may_be_empty)
{
	size_t len = strlen(src);
	if (len >= cap || (len == 0 && !may_be_empty) || strpbrk(src, " \t/"))
		return -1;
	memcpy(dst, src, len + 1);
	return 0;
}

static int parse_parts(const struct strs *p, struct upid *ret)
{
	size_t pstart_len = p->n == 9 ? strlen(p->v[3]) : 0;
	if (p->n != 9 || !text_eq(p->v[0], "UPID") || !is_node(p->v[1]) || !is_hex(p->v[2], 8) ||
	    (pstart_len != 8 && pstart_len != 9) || !is_hex(p->v[3], pstart_len) ||
	    !is_hex(p->v[4], 8) || *p->v[8])
		return -1;
	memcpy(ret->node, p->v[1], strlen(p->v[1]) + 1);
	ret->pid = (uint32_t)strtoul(p->v[2], NULL, 16);
	ret->pstart = strtoull(p->v[3], NULL, 16);
	ret->start_s = (int64_t)strtoull(p->v[4], NULL, 16);
	if (copy_part(ret->type, sizeof(ret->type), p->v[5], false) < 0 ||
	    copy_part(ret->id, sizeof(ret->id), p->v[6], true) < 0 ||
	    copy_part(ret->user, sizeof(ret->user), p->v[7], false) < 0)
		return -1;
	return 0;
}

int pvetask_parse_upid(const char *text, struct upid *ret, struct err **err)
{
	struct upid u = {0};
	_cleanup_strs_ struct strs parts = {0};
	size_t len = strnlen(text, UPID_MAX_BYTES);
	if (len >= UPID_MAX_BYTES || !text_is_printable(text, len) ||
	    text_split(text, ":", false, 9, &parts) < 0 || parse_parts(&parts, &u) < 0)
		return err_set(err, ERR_INPUT, "\"%.100s\" is no UPID", text);
	memcpy(u.text, text, len + 1);
	*ret = u;
	return 0;
}

/* ---- following ---- */

static void ask(
    struct pvetask *t, enum task_state state, enum endpoint_id endpoint, const struct kv *params);

static void task_free(struct pvetask *t)
{
	pvereq_cancel(t->r, &t->call);
	clock_cancel(pvereq_clock(t->r), &t->timer);
	strs_fini(&t->log);
	free(t->text);
	t->magic = 0;
	free(t);
}

static void tell(struct pvetask *t)
{
	t->res.reason = t->err.reason;
	t->res.subject = t->err.subject;
	t->res.text = t->text ? t->text : "";
	t->res.log = &t->log;
	log_debug("pve", "task %s: %s%s%s", t->upid.text, pvetask_end_word(t->res.end),
	    *t->res.text ? ": " : "", t->res.text);
	t->cb(t->arg, &t->res);
	task_free(t);
}

/* Sets what will be told, and reads the end of the log first where it may explain something. */
static void end(struct pvetask *t, enum pvetask_end how, const char *text)
{
	t->res.end = how;
	mem_free_str(&t->text);
	t->text = text_oneline(text, TEXT_CHARS);
	bool unexplained = how == PVETASK_FAILED || how == PVETASK_WARNINGS || how == PVETASK_LATE;
	if (unexplained || (how == PVETASK_OK && t->opts.want_log)) {
		struct kv params = {0};
		kv_set(&params, "start", "0");
		kv_set(&params, "limit", "1");
		ask(t, TASK_LOG_TOTAL, ENDPOINT_TASK_LOG, &params);
		kv_fini(&params);
		return;
	}
	tell(t);
}

static void end_lost(struct pvetask *t, enum pve_reason reason, const char *text)
{
	t->err = (struct pveerr){.reason = reason};
	t->res.outcome = PVE_AMBIGUOUS;
	end(t, PVETASK_LOST, text);
}

static void poll_now(void *arg)
{
	struct pvetask *t = arg;
	CHECK_OBJ(t, TASK_MAGIC);
	t->timer = 0;
	ask(t, TASK_STATUS, ENDPOINT_TASK_STATUS, NULL);
}

static void poll_later(struct pvetask *t)
{
	struct clock *clock = pvereq_clock(t->r);
	int64_t now = clock_now(clock);
	if (now >= t->deadline_at) {
		t->err = (struct pveerr){.reason = PVE_OTHER};
		t->res.outcome = PVE_AMBIGUOUS;
		/* In words that stay the same however long it takes. */
		_cleanup_str_ char *since = text_time(t->upid.start_s * 1000);
		_cleanup_str_ char *text =
		    mem_printf("the task, which began at %s, still runs", since);
		end(t, PVETASK_LATE, text);
		return;
	}
	/* Jitter of a fifth, so that many followers do not ask in step. */
	int64_t pause = t->poll_ms - t->poll_ms / 10 +
			(int64_t)(clock_random(clock) % (uint64_t)(t->poll_ms / 5));
	if (now + pause > t->deadline_at)
		pause = t->deadline_at - now;
	t->poll_ms = t->poll_ms * 3 / 2 > POLL_MS_MAX ? POLL_MS_MAX : t->poll_ms * 3 / 2;
	t->timer = clock_timer(clock, pause, poll_now, t);
}

static void judge_exit(struct pvetask *t, const char *exitstatus)
{
	int64_t n;
	const char *count = text_after(exitstatus, "WARNINGS: ");
	t->err = (struct pveerr){.reason = PVE_NONE, .outcome = PVE_DONE};
	if (text_eq(exitstatus, "OK")) {
		t->res.outcome = PVE_DONE;
		end(t, PVETASK_OK, "");
	} else if (count && text_to_int(count, 0, 1000000, &n) == 0) {
		t->res.outcome = PVE_DONE;
		t->res.warnings = (unsigned)n;
		end(t, PVETASK_WARNINGS, exitstatus);
	} else {
		/* A text that we do not know says nothing about what was done before it. */
		if (!pveerr_find(exitstatus, &t->err))
			t->err = (struct pveerr){.reason = PVE_OTHER, .outcome = PVE_AMBIGUOUS};
		t->res.outcome = t->err.outcome;
		bool lost = t->err.reason == PVE_TASK_LOST;
		end(t, lost ? PVETASK_LOST : PVETASK_FAILED, exitstatus);
	}
}

static void status_came(struct pvetask *t, const struct pvereq_result *res)
{
	struct clock *clock = pvereq_clock(t->r);
	if (res->outcome == PVE_DONE) {
		const char *status = jsn_get_text(res->data, "status");
		const char *exitstatus = jsn_get_text(res->data, "exitstatus");
		t->heard_at = clock_now(clock);
		if (text_eq(status, "stopped")) {
			judge_exit(t, exitstatus ? exitstatus : "unexpected status");
			return;
		}
	} else if (res->reason == PVE_NO_TASK) {
		end_lost(t, PVE_NO_TASK, "the node does not know the task any more");
		return;
	} else if (clock_now(clock) - t->heard_at >= SILENCE_MS_MAX) {
		_cleanup_str_ char *text = mem_printf("nothing heard of the task: %s", res->text);
		end_lost(t, res->reason, text);
		return;
	}
	if (t->opts.progress && res->outcome == PVE_DONE) {
		struct kv params = {0};
		kv_setf(&params, "start", "%lld", (long long)t->log_seen);
		kv_set(&params, "limit", "500");
		ask(t, TASK_PROGRESS, ENDPOINT_TASK_LOG, &params);
		kv_fini(&params);
		return;
	}
	poll_later(t);
}

/* "transferred 1.0 GiB of 2.0 GiB (50.12%)" gives 50; -1 if there is no percentage. */
static int percent_of(const char *line)
{
	const char *open = strrchr(line, '(');
	if (!open)
		return -1;
	size_t digits = strspn(open + 1, "0123456789");
	size_t rest = digits + strspn(open + 1 + digits, ".0123456789");
	if (digits < 1 || digits > 3 || strncmp(open + 1 + rest, "%)", 2) != 0)
		return -1;
	long v = strtol(open + 1, NULL, 10);
	return v >= 0 && v <= 100 ? (int)v : -1;
}

static void progress_came(struct pvetask *t, const struct pvereq_result *res)
{
	int percent = t->percent;
	for (size_t i = 0; i < jsn_len(res->data); i++) {
		const char *line = jsn_get_text(jsn_at(res->data, i), "t");
		int here = line ? percent_of(line) : -1;
		percent = here >= 0 ? here : percent;
	}
	/* An empty log answers with one line "no content". */
	if (res->outcome == PVE_DONE && jsn_get_int(res->body, "total", 0) > t->log_seen)
		t->log_seen += (int64_t)jsn_len(res->data);
	bool news = percent != t->percent;
	t->percent = percent;
	/* The next look is arranged first: the callback may cancel the follower. */
	poll_later(t);
	if (news)
		t->opts.progress(t->arg, percent);
}

static void total_came(struct pvetask *t, const struct pvereq_result *res)
{
	int64_t total = res->outcome == PVE_DONE ? jsn_get_int(res->body, "total", 0) : 0;
	if (total <= 0) {
		tell(t);
		return;
	}
	struct kv params = {0};
	kv_setf(&params, "start", "%lld", (long long)(total > LOG_LINES ? total - LOG_LINES : 0));
	kv_setf(&params, "limit", "%d", LOG_LINES);
	ask(t, TASK_LOG_TAIL, ENDPOINT_TASK_LOG, &params);
	kv_fini(&params);
}

/* "qemu-img: error while writing: No space left on device": of a program, and no line of PVE's. */
static bool is_said_by_program(const char *line)
{
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789-_./");

	return n > 0 && line[n] == ':' && line[n + 1] == ' ';
}

/* Of a command that failed PVE tells only its number; what it said last comes first then. */
static void explain(struct pvetask *t)
{
	const char *said = NULL;
	struct pveerr err;

	if (t->res.end != PVETASK_FAILED ||
	    (!strstr(t->text, "failed: exit code ") && !strstr(t->text, "exited with code ")))
		return;
	for (size_t i = 0; i < t->log.n; i++)
		if (is_said_by_program(t->log.v[i]))
			said = t->log.v[i];
	if (!said)
		return;
	if (t->err.reason == PVE_OTHER && pveerr_find(said, &err) && err.reason == PVE_NO_SPACE)
		t->err.reason = err.reason;
	char *both = mem_printf("%s; %s", said, t->text);
	free(t->text);
	t->text = both;
}

static void tail_came(struct pvetask *t, const struct pvereq_result *res)
{
	size_t n = jsn_len(res->data);
	for (size_t i = n > LOG_LINES ? n - LOG_LINES : 0; i < n; i++) {
		const char *line = jsn_get_text(jsn_at(res->data, i), "t");
		if (line)
			strs_add_take(&t->log, text_oneline(line, LOG_LINE_CHARS));
	}
	explain(t);
	tell(t);
}

static void on_result(void *arg, const struct pvereq_result *res)
{
	struct pvetask *t = arg;
	CHECK_OBJ(t, TASK_MAGIC);
	t->call = 0;
	switch (t->state) {
	case TASK_STATUS:
		status_came(t, res);
		return;
	case TASK_PROGRESS:
		progress_came(t, res);
		return;
	case TASK_LOG_TOTAL:
		total_came(t, res);
		return;
	case TASK_LOG_TAIL:
		tail_came(t, res);
		return;
	case TASK_STATE__MAX:
		break;
	}
	MUST(false);
}

static void ask(
    struct pvetask *t, enum task_state state, enum endpoint_id endpoint, const struct kv *params)
{
	struct pvereq_spec spec = {
	    .endpoint = endpoint,
	    .args = {.node = t->upid.node, .upid = t->upid.text},
	    .params = params,
	};
	t->state = state;
	t->call = pvereq_send(t->r, &spec, on_result, t);
}

struct pvetask *pvetask_follow(struct pvereq *r, const struct upid *upid,
    const struct pvetask_opts *opts, pvetask_cb cb, void *arg)
{
	struct clock *clock = pvereq_clock(r);
	struct pvetask *t = mem_alloc(sizeof(*t));
	*t = (struct pvetask){.magic = TASK_MAGIC,
	    .r = r,
	    .upid = *upid,
	    .opts = *opts,
	    .poll_ms = POLL_MS_FIRST,
	    .percent = -1,
	    .cb = cb,
	    .arg = arg};
	t->heard_at = clock_now(clock);
	t->deadline_at =
	    t->heard_at + (opts->deadline_ms ? opts->deadline_ms : DEADLINE_MS_DEFAULT);
	poll_later(t);
	return t;
}

void pvetask_cancel(struct pvetask **tp)
{
	struct pvetask *t = *tp;
	*tp = NULL;
	if (!t)
		return;
	CHECK_OBJ(t, TASK_MAGIC);
	task_free(t);
}

const char *pvetask_end_word(enum pvetask_end e)
{
	switch (e) {
	case PVETASK_OK:
		return "ok";
	case PVETASK_WARNINGS:
		return "ok with warnings";
	case PVETASK_FAILED:
		return "failed";
	case PVETASK_LOST:
		return "lost";
	case PVETASK_LATE:
		return "late";
	case PVETASK_END__MAX:
		break;
	}
	MUST(false);
	return "";
}
