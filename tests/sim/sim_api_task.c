/* Tasks: their states and logs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"

#define STOP_SECONDS 5

void task_put_who(struct jsn *o, const char *full)
{
	const char *bang = strchr(full, '!');
	_cleanup_str_ char *user = mem_strndup(full, strcspn(full, "!"));

	jsn_put_str(o, "user", user);
	if (bang)
		jsn_put_str(o, "tokenid", bang + 1);
}

static struct jsn *task_json(const struct task *t)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "upid", t->upid);
	jsn_put_str(o, "node", t->node->name);
	jsn_put_str(o, "type", t->type);
	jsn_put_str(o, "id", t->id);
	jsn_put_int(o, "starttime", t->start);
	task_put_who(o, t->full);
	return o;
}

/* Who started it, as its number says: that is asked of tasks that are forgotten, too. */
static char *upid_user(const char *upid)
{
	for (int i = 0; i < 7 && *upid; i++) {
		upid += strcspn(upid, ":");
		upid += *upid == ':';
	}
	return mem_strndup(upid, strcspn(upid, ":"));
}

/* Whether the caller may see the task of the path, which may be none; otherwise the answer is on
 * its way. */
static bool may_task(struct job *j, uint64_t other_right)
{
	const char *upid = job_param(j, "upid");
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *path = mem_printf("/nodes/%s", j->node->name);
	_cleanup_str_ char *whose = upid_user(upid);
	const char *rest;

	if (!text_starts(upid, "UPID:") || strlen(upid) < 30) {
		oops_param(&o, "upid", "unable to parse worker upid");
		job_oops(j, &o);
		return false;
	}
	/* A user sees what his tokens did, a token only its own. */
	rest = text_after(whose, j->who.full);
	if (!(rest && (!*rest || (*rest == '!' && !strchr(j->who.full, '!')))) &&
	    !auth_check(j->sim, &j->who, path, other_right, false, &o)) {
		job_oops(j, &o);
		return false;
	}
	return true;
}

static struct task *open_task(struct job *j, uint64_t other_right)
{
	const char *upid = job_param(j, "upid");
	struct task *t = task_find(j->sim, upid);
	_cleanup_oops_ struct oops o = {0};
	bool wrong = !text_starts(upid, "UPID:") || strlen(upid) < 30;

	/* That there is none is said to anybody. */
	if ((wrong || (t && t->node == j->node)) && !may_task(j, other_right))
		return NULL;
	if (!t || t->node != j->node) {
		oops_param(&o, "upid", "no such task");
		job_oops(j, &o);
		return NULL;
	}
	return t;
}

void api_task_index(struct job *j)
{
	struct jsn *a = jsn_new_array(), *o = jsn_new_object();

	jsn_put_str(o, "name", "log");
	jsn_push(a, o);
	o = jsn_new_object();
	jsn_put_str(o, "name", "status");
	jsn_push(a, o);
	job_ok(j, a);
}

void api_task_status(struct job *j)
{
	const struct task *t = open_task(j, PRIV_BIT(SYS_AUDIT));
	bool running = t && task_seen_running(j->sim, t);
	struct jsn *o;

	if (!t)
		return;
	o = task_json(t);
	jsn_put_int(o, "pid", t->pid);
	jsn_put_int(o, "pstart", t->pstart);
	jsn_put_str(o, "status", running ? "running" : "stopped");
	if (!running)
		jsn_put_str(o, "exitstatus", t->status);
	job_ok(j, o);
}

/* Only the file of the log is looked for. 8 forgets to make a list of its one line. */
static void log_absent(struct job *j)
{
	struct jsn *o = jsn_new_object(), *a = jsn_new_array();

	jsn_put_int(o, "n", 1);
	jsn_put_str(o, "t", "unable to open file - No such file or directory");
	if (!j->sim->v9) {
		jsn_free(&a);
		job_ok_total(j, o, 1);
		return;
	}
	jsn_push(a, o);
	job_ok_total(j, a, 1);
}

void api_task_log(struct job *j)
{
	int64_t start = job_param_int(j, "start", 0), limit = job_param_int(j, "limit", 50);
	const struct task *t = task_find(j->sim, job_param(j, "upid"));
	struct jsn *a;

	if (!may_task(j, PRIV_BIT(SYS_AUDIT)))
		return;
	if (!t || t->node != j->node) {
		log_absent(j);
		return;
	}
	a = jsn_new_array();
	for (size_t i = (size_t)start; i < t->log.n && (!limit || (int64_t)i < start + limit);
	     i++) {
		struct jsn *o = jsn_new_object();

		jsn_put_int(o, "n", (int64_t)i + 1);
		jsn_put_str(o, "t", t->log.v[i]);
		jsn_push(a, o);
	}
	if (!t->log.n) {
		struct jsn *o = jsn_new_object();

		jsn_put_int(o, "n", 1);
		jsn_put_str(o, "t", "no content");
		jsn_push(a, o);
	}
	job_ok_total(j, a, t->log.n ? (int64_t)t->log.n : 1);
}

/* The group of processes is told to end and looked after for five seconds, then killed. */
static void stop_wait(struct job *j)
{
	struct task *t = task_find(j->sim, job_param(j, "upid"));

	if (t && t->job && j->step++ < STOP_SECONDS) {
		job_next(j, 1000, stop_wait);
		return;
	}
	if (t && t->job)
		task_kill(t);
	job_ok(j, NULL);
}

void api_task_stop(struct job *j)
{
	struct task *t = open_task(j, PRIV_BIT(SYS_MODIFY));

	if (!t)
		return;
	if (t->job)
		task_stop(t);
	stop_wait(j);
}
