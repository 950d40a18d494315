#include "gitwork.h"
#include "child.h"
#include "gitfiles.h"
#include "gitjob.h"
#include "gitsettings.h"
#include "gitworker.h"
#include "log.h"
#include "text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define GITWORK_MAGIC 0x67777270u
/* Of a result that is no listing. */
#define NO_HEADS .head = "", .status_head = "", .note = ""

struct gitwork {
	uint32_t magic;
	struct gitport port;
	struct loop *loop;
	struct child *child;
	struct buf setup; /* encoded: holds the password */
	int64_t deadline_ms[GITWORK__MAX];
	struct gitjobs jobs; /* the first is the running one if `running` */
	bool running;
	bool introduced; /* the process has its settings */
	bool proven;	 /* and has served a job before the one at hand */
	timer_id pump, overdue;
	struct gitfiles files; /* of the running job */
	int *exit_status;
};

static const char *const kind_words[GITWORK__MAX] = {
    [GITWORK_LIST] = "listing the branches",
    [GITWORK_READ] = "reading the watched branch",
    [GITWORK_READ_OLD] = "reading an older version",
    [GITWORK_READ_STATUS] = "reading the status branch",
    [GITWORK_COMPARE] = "comparing two revisions",
    [GITWORK_CAN_PUSH] = "asking whether a push is allowed",
    [GITWORK_PUBLISH] = "publishing the report",
};

void gitwork_defaults(struct gitwork_opts *opts)
{
	*opts = (struct gitwork_opts){
	    .deadline_ms =
		{
		    [GITWORK_LIST] = 30000,
		    [GITWORK_READ] = 300000,
		    [GITWORK_READ_OLD] = 300000,
		    [GITWORK_READ_STATUS] = 120000,
		    [GITWORK_COMPARE] = 300000,
		    [GITWORK_CAN_PUSH] = 120000,
		    [GITWORK_PUBLISH] = 120000,
		},
	};
	gitsettings_defaults(&opts->setup);
}

/* --- results --- */

static void pump(void *arg);

static void pump_after(struct gitwork *w, int64_t ms)
{
	clock_cancel(loop_clock(w->loop), &w->pump);
	w->pump = clock_timer(loop_clock(w->loop), ms, pump, w);
}

static struct gitjob *pop(struct gitwork *w)
{
	struct gitjob *j = w->jobs.first;
	gitjobs_take(&w->jobs, j);
	w->running = false;
	clock_cancel(loop_clock(w->loop), &w->overdue);
	return j;
}

/* Ends the first job with res. The callback may use the port in any way but free it. */
static void finish(struct gitwork *w, const struct gitport_result *res)
{
	struct gitjob *j = pop(w);
	child_deadline(w->child, 0);
	pump_after(w, 0);
	w->proven = w->introduced;
	if (j->cb)
		j->cb(j->arg, res);
	gitfiles_drop(&w->files);
	gitjob_free(&j);
}

static void finish_err(struct gitwork *w, const struct err *why, bool rejected)
{
	struct gitport_result res = {.err = why, NO_HEADS, .rejected = rejected};
	finish(w, &res);
}

static PRINTF(3, 4) void finish_fail(struct gitwork *w, enum err_code code, const char *fmt, ...)
{
	_cleanup_err_ struct err *why = NULL;
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *text = mem_vprintf(fmt, ap);
	va_end(ap);
	err_set(&why, code, "%s", text);
	if (code == ERR_TIMEOUT)
		err_hint(&why, "check the Git server and the network; it will be tried again");
	finish_err(w, why, false);
}

/* The worker reads what strangers wrote: what it says is checked once more. */
static void finish_broken(struct gitwork *w, const char *what)
{
	log_warn("git", "%s, killing the worker", what);
	child_kill(w->child);
	w->introduced = false;
	finish_fail(w, ERR_PROTOCOL, "the git worker sent what it should not: %s", what);
}

static void finish_read(struct gitwork *w, const struct gitproto_msg *msg)
{
	struct gitport_result res = {
	    NO_HEADS,
	    .rev = msg->rev,
	    .base = msg->base,
	    .files = gitfiles_sorted(&w->files),
	    .n_files = w->files.n,
	    .gone = gitfiles_gone(&w->files),
	    .n_gone = w->files.gone.n,
	    .gaps = msg->gaps,
	    .author = msg->author,
	    .subject = msg->subject,
	    .commit_wall_ms = msg->commit_wall_ms,
	    .truncated = msg->truncated,
	    .path_missing = msg->path_missing,
	};
	finish(w, &res);
}

/* The worker may read only those files that were there when it started. A failure that may have to
 * do with them calls for a new one: a person may have put another in the place of one. */
static bool is_about_files(enum err_code code)
{
	return code == ERR_CONFIG || code == ERR_TLS || code == ERR_AUTH || code == ERR_IO ||
	       code == ERR_SIGNATURE || code == ERR_UNREACHABLE || code == ERR_TIMEOUT;
}

/* A worker that served others before may have failed because a file was put in the place of
 * another: the job is given to a new one, once. */
static bool try_again(struct gitwork *w, enum err_code code)
{
	struct gitjob *j = w->jobs.first;
	if (!w->proven || j->again || !j->cb || !is_about_files(code) || code == ERR_UNREACHABLE ||
	    code == ERR_TIMEOUT)
		return false;
	j->again = true;
	child_kill(w->child);
	w->introduced = w->proven = w->running = false;
	gitfiles_drop(&w->files);
	pump_after(w, 0);
	return true;
}

static void take_failure(struct gitwork *w, const struct gitproto_msg *msg)
{
	_cleanup_err_ struct err *why = NULL;
	if (try_again(w, (enum err_code)msg->code))
		return;
	err_set(&why, (enum err_code)msg->code, "%s", msg->text);
	if (msg->hint[0])
		err_hint(&why, "%s", msg->hint);
	err_retry(&why, msg->retry_ms);
	if (is_about_files(why->code)) {
		child_kill(w->child);
		w->introduced = false;
	}
	finish_err(w, why, msg->rejected && w->jobs.first->kind == GITWORK_PUBLISH);
}

static bool reads_files(enum gitwork_kind kind)
{
	return kind == GITWORK_READ || kind == GITWORK_READ_OLD || kind == GITWORK_READ_STATUS;
}

static void take_answer(struct gitwork *w, const struct gitproto_msg *msg)
{
	enum gitwork_kind kind = w->jobs.first->kind;
	child_trust(w->child);
	switch (msg->type) {
	case GITPROTO_FILE:
	case GITPROTO_GONE:
		if (reads_files(kind)) {
			if (!gitfiles_add(&w->files, msg))
				finish_broken(w, "more files than asked for");
			return;
		}
		break;
	case GITPROTO_AGAIN:
		if (reads_files(kind)) {
			gitfiles_drop(&w->files);
			return;
		}
		break;
	case GITPROTO_DONE:
		if (reads_files(kind)) {
			finish_read(w, msg);
			return;
		}
		break;
	case GITPROTO_LISTED:
		if (kind == GITWORK_LIST) {
			struct gitport_result res = {.head = msg->head,
			    .note = msg->note,
			    .status_head = msg->status_head,
			    .empty = msg->empty};
			finish(w, &res);
			return;
		}
		break;
	case GITPROTO_COMPARED:
		if (kind == GITWORK_COMPARE) {
			struct gitport_result res = {
			    NO_HEADS, .relation = (enum gitport_relation)msg->relation};
			finish(w, &res);
			return;
		}
		break;
	case GITPROTO_PUBLISHED:
		if (kind == GITWORK_PUBLISH || kind == GITWORK_CAN_PUSH) {
			struct gitport_result res = {NO_HEADS, .new_head = msg->head};
			finish(w, &res);
			return;
		}
		break;
	case GITPROTO_FAILED:
		take_failure(w, msg);
		return;
	case GITPROTO_SETUP:
	case GITPROTO_LIST:
	case GITPROTO_READ:
	case GITPROTO_READ_STATUS:
	case GITPROTO_COMPARE:
	case GITPROTO_CAN_PUSH:
	case GITPROTO_PUT:
	case GITPROTO_DEL:
	case GITPROTO_PUBLISH:
	case GITPROTO__MAX:
		break;
	}
	finish_broken(w, "an answer to another question");
}

static void on_frame(void *arg, const void *data, size_t len)
{
	struct gitwork *w = arg;
	struct gitproto_msg msg;
	_cleanup_err_ struct err *err = NULL;

	CHECK_OBJ(w, GITWORK_MAGIC);
	if (gitproto_decode(data, len, &msg, &err) != 0) {
		log_warn("git", "%s", err_msg(err));
		child_kill(w->child);
		w->introduced = false;
		if (w->running)
			finish_err(w, err, false);
		return;
	}
	/* Rests of a job that was cancelled. */
	if (!w->running || msg.job != w->jobs.first->id)
		return;
	take_answer(w, &msg);
}

static void on_end(void *arg, enum child_end why, int status)
{
	struct gitwork *w = arg;

	CHECK_OBJ(w, GITWORK_MAGIC);
	w->introduced = false;
	if (w->exit_status) {
		*w->exit_status = status;
		w->exit_status = NULL;
	}
	if (!w->running)
		return;
	if (why == CHILD_OVERDUE)
		finish_fail(w, ERR_TIMEOUT, "%s took longer than %lld s",
		    kind_words[w->jobs.first->kind],
		    (long long)w->deadline_ms[w->jobs.first->kind] / 1000);
	else
		finish_fail(w, ERR_IO, "the git worker %s %d while %s",
		    WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		    kind_words[w->jobs.first->kind]);
}

/* --- the queue --- */

/* The deadline also runs while a new worker cannot be had. */
static void overdue(void *arg)
{
	struct gitwork *w = arg;
	w->overdue = 0;
	finish_fail(w, ERR_TIMEOUT, "%s: no git worker could be started in time",
	    kind_words[w->jobs.first->kind]);
}

static int send_job(struct gitwork *w, const struct gitjob *j, struct err **err)
{
	if (!w->introduced) {
		w->proven = false;
		if (child_send(w->child, w->setup.data, w->setup.len, err) != 0)
			return -1;
	}
	w->introduced = true;
	return gitjob_send(j, w->child, err);
}

/* Starts the first job if none runs. */
static void pump(void *arg)
{
	struct gitwork *w = arg;
	_cleanup_err_ struct err *err = NULL;

	CHECK_OBJ(w, GITWORK_MAGIC);
	w->pump = 0;
	if (w->running || !w->jobs.first)
		return;
	struct gitjob *j = w->jobs.first;
	if (j->refused) {
		_cleanup_err_ struct err *why = TAKE(j->refused);
		finish_err(w, why, false);
		return;
	}
	int64_t ms = w->deadline_ms[j->kind];
	if (!child_is_running(w->child))
		w->introduced = false;
	if (child_start(w->child, &err) != 0) {
		if (err->code != ERR_BUSY) {
			finish_err(w, err, false);
			return;
		}
		if (!w->overdue)
			w->overdue = clock_timer(loop_clock(w->loop), ms, overdue, w);
		pump_after(w, child_pause(w->child));
		return;
	}
	clock_cancel(loop_clock(w->loop), &w->overdue);
	w->running = true;
	child_deadline(w->child, ms);
	if (send_job(w, j, &err) != 0) {
		child_kill(w->child);
		finish_err(w, err, false);
	}
}

static struct gitwork *of_port(struct gitport *p)
{
	struct gitwork *w = (struct gitwork *)((char *)p - offsetof(struct gitwork, port));
	CHECK_OBJ(w, GITWORK_MAGIC);
	return w;
}

static struct gitjob *job_new(struct gitwork *w, enum gitwork_kind kind, gitport_cb cb, void *arg)
{
	if (!w->running && !w->pump)
		pump_after(w, 0);
	return gitjobs_add(&w->jobs, kind, cb, arg);
}

static gitport_job port_list(struct gitport *p, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_LIST, cb, arg);
	gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_LIST});
	return j->id;
}

static gitport_job port_read(
    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_READ, cb, arg);
	gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_READ, .rev = rev, .base = base});
	return j->id;
}

static gitport_job port_read_old(
    struct gitport *p, const char *rev, const char *path, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_READ_OLD, cb, arg);
	gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_READ, .rev = rev, .path = path});
	return j->id;
}

static gitport_job port_read_status(struct gitport *p, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_READ_STATUS, cb, arg);
	gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_READ_STATUS});
	return j->id;
}

static gitport_job port_can_push(struct gitport *p, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_CAN_PUSH, cb, arg);
	gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_CAN_PUSH});
	return j->id;
}

static gitport_job port_compare(
    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_COMPARE, cb, arg);
	gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_COMPARE, .rev = rev, .base = base});
	return j->id;
}

static gitport_job port_publish(
    struct gitport *p, const struct gitport_publish *pub, gitport_cb cb, void *arg)
{
	struct gitjob *j = job_new(of_port(p), GITWORK_PUBLISH, cb, arg);
	gitjob_say_publish(j, pub);
	return j->id;
}

static void port_cancel(struct gitport *p, gitport_job id)
{
	struct gitwork *w = of_port(p);
	struct gitjob *j = gitjobs_find(&w->jobs, id);

	if (!j)
		return;
	if (j == w->jobs.first && w->running) {
		j->cb = NULL;
		/* A push that is under way is left to end: half of one helps nobody. */
		if (j->kind == GITWORK_PUBLISH)
			return;
		child_kill(w->child);
		w->introduced = false;
		gitfiles_drop(&w->files);
		(void)pop(w);
		gitjob_free(&j);
		pump_after(w, 0);
		return;
	}
	if (j == w->jobs.first)
		clock_cancel(loop_clock(w->loop), &w->overdue);
	gitjobs_take(&w->jobs, j);
	gitjob_free(&j);
}

static const struct gitport_ops port_ops = {
    .list = port_list,
    .read = port_read,
    .read_old = port_read_old,
    .read_status = port_read_status,
    .compare = port_compare,
    .can_push = port_can_push,
    .publish = port_publish,
    .cancel = port_cancel,
};

int gitwork_new(
    struct gitwork **ret, struct loop *loop, const struct gitwork_opts *opts, struct err **err)
{
	struct gitwork *w = mem_alloc(sizeof(*w));
	w->magic = GITWORK_MAGIC;
	w->port.ops = &port_ops;
	w->loop = loop;
	w->files.max_files = opts->setup.max_files;
	w->files.max_bytes = opts->setup.max_total_bytes;
	memcpy(w->deadline_ms, opts->deadline_ms, sizeof(w->deadline_ms));
	buf_init_secret(&w->setup, GITPROTO_FRAME_MAX);
	w->child = child_new(loop, &(struct child_opts){
				       .name = "git worker",
				       .word = GITWORKER_WORD,
				       .exe = opts->exe,
				       .env = opts->env,
				       .frame_max = GITPROTO_FRAME_MAX,
				       .on_frame = on_frame,
				       .on_end = on_end,
				       .arg = w,
				   });
	if (gitsettings_encode(&opts->setup, &w->setup, err) != 0) {
		gitwork_free(&w);
		return -1;
	}
	*ret = w;
	return 0;
}

void gitwork_free(struct gitwork **wp)
{
	struct gitwork *w = *wp;
	if (!w)
		return;
	CHECK_OBJ(w, GITWORK_MAGIC);
	child_free(&w->child);
	clock_cancel(loop_clock(w->loop), &w->pump);
	clock_cancel(loop_clock(w->loop), &w->overdue);
	while (w->jobs.first) {
		struct gitjob *j = pop(w);
		gitjob_free(&j);
	}
	gitfiles_drop(&w->files);
	buf_fini(&w->setup);
	w->magic = 0;
	free(w);
	*wp = NULL;
}

struct gitport *gitwork_port(struct gitwork *w)
{
	return &w->port;
}

long gitwork_pid(const struct gitwork *w)
{
	return child_pid(w->child);
}

void gitwork_finish(struct gitwork *w, int *status)
{
	*status = -1;
	w->exit_status = status;
	child_finish(w->child);
}
