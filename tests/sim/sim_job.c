#include "sim_job.h"
#include "sim_extjs.h"
#include "sim_fault.h"

#define INDEX_MAX 50000 /* bytes of a list of finished tasks, some 600 of them */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void job_end(struct job *j);

void job_list_drop(struct job **v, size_t *n, const struct job *j)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i] == j) {
			memmove(v + i, v + i + 1, (--*n - i) * sizeof(struct job *));
			return;
		}
}

/* --- steps --- */

static void job_run(void *arg)
{
	struct job *j = arg;
	struct sim *s = j->sim;

	CHECK_OBJ(j, JOB_MAGIC);
	j->timer = 0;
	s->acting = j;
	j->fn(j);
	s->acting = NULL;
}

struct job *job_new(struct sim *s)
{
	struct job *j = mem_alloc(sizeof(*j));

	j->magic = JOB_MAGIC;
	j->sim = s;
	j->id = ++s->next_id;
	j->next = s->jobs;
	if (s->jobs)
		s->jobs->prev = j;
	s->jobs = j;
	return j;
}

void job_next(struct job *j, int64_t ms, void (*fn)(struct job *j))
{
	j->fn = fn;
	if (!fault_stands(j, ms))
		j->timer = sim_at(j->sim, j->sim->now + ms, job_run, j);
}

static void fs_ready(struct job *j)
{
	job_when_fs(j, j->held);
}

void job_when_fs(struct job *j, void (*fn)(struct job *j))
{
	j->held = fn;
	if (j->sim->fs_until > j->sim->now)
		job_next(j, j->sim->fs_until - j->sim->now, fs_ready);
	else
		fn(j);
}

/* --- answers --- */

static void deliver(struct job *j, struct sim_reply *r)
{
	if (j->answered)
		return;
	j->answered = true;
	sim_unschedule(j->sim, j->cut_timer);
	j->cut_timer = 0;
	r->close = r->status >= 400;
	if (!j->cb)
		return;
	if (j->faulty && j->fault == SIM_FAULT_RESET_AFTER)
		r->cut = SIM_CUT_RESET;
	if (j->faulty && j->fault == SIM_FAULT_STATUS_AFTER) {
		r->status = j->fault_status;
		r->reason = j->fault_text ? j->fault_text : "Connection timed out";
		r->body = "";
		r->len = 0;
		r->close = true;
	}
	if (j->faulty && j->fault == SIM_FAULT_TRUNCATE && r->len) {
		r->cut = SIM_CUT_SHORT;
		r->len /= 2;
	}
	if (j->faulty && j->fault == SIM_FAULT_HOLD_ANSWER) {
		fault_held(j);
		return;
	}
	if (j->faulty && j->fault == SIM_FAULT_DELAY_ANSWER) {
		late_hold(j, r, j->fault_delay);
		return;
	}
	j->cb(j->arg, r);
}

static void send_json(struct job *j, int status, const char *reason, struct jsn *body)
{
	struct sim_reply r;
	char *text;

	format_answer(j->format, body, &status, &reason);
	/* What a fault cuts short or holds back is a text. */
	text = j->tree && !j->faulty ? NULL : jsn_print(body, false);
	r = (struct sim_reply){.status = status,
	    .reason = reason,
	    .body = text ? text : "",
	    .len = text ? strlen(text) : 0,
	    .tree = text ? NULL : &body};
	deliver(j, &r);
	free(text);
	jsn_free(&body);
}

void job_status(struct job *j, int status, const char *reason)
{
	struct sim_reply r = {.status = status, .reason = reason, .body = ""};

	deliver(j, &r);
	job_end(j);
}

void job_plain(struct job *j, int status, const char *reason)
{
	struct sim_reply r = {.status = status,
	    .reason = reason,
	    .body = reason,
	    .len = strlen(reason),
	    .plain = true};

	deliver(j, &r);
	job_end(j);
}

void job_ok_total(struct job *j, struct jsn *data, int64_t total)
{
	struct jsn *body = jsn_new_object();

	jsn_put(body, "data", data ? data : jsn_new_null());
	if (total > 0) /* none is not said */
		jsn_put_int(body, "total", total);
	send_json(j, 200, "OK", body);
	job_end(j);
}

void job_ok_text(struct job *j, const struct buf *data)
{
	struct sim_reply r = {.status = 200, .reason = "OK"};
	struct buf body;

	buf_init(&body, data->len + 64);
	buf_adds(&body, "{\"data\":");
	buf_add(&body, data->data, data->len);
	if (j->format && !strcmp(j->format, "extjs"))
		buf_adds(&body, ",\"success\":1");
	buf_addc(&body, '}');
	r.body = buf_str(&body);
	r.len = body.len;
	deliver(j, &r);
	buf_fini(&body);
	job_end(j);
}

void job_ok(struct job *j, struct jsn *data)
{
	if (!j->task && !j->answered) {
		job_ok_total(j, data, -1);
		return;
	}
	jsn_free(&data);
	job_end(j);
}

void job_done(struct job *j)
{
	job_ok(j, NULL);
}

/* All of the complaint stands in one line. */
static void task_fail(struct job *j, const char *msg)
{
	char *line = mem_strdup(msg);

	text_trim_right(line);
	for (char *p = line; (p = strchr(p, '\n'));)
		*p = ' ';
	job_log(j, "TASK ERROR: %s", line);
	mem_free_str(&j->task->status);
	j->task->status = line;
	job_end(j);
}

char *oops_print(const struct oops *o)
{
	struct buf b;

	buf_init(&b, 0);
	if (o->status != 500)
		buf_addf(&b, "%d ", o->status);
	buf_adds(&b, o->msg);
	KV_FOREACH (i, &o->errors)
		buf_addf(&b, "\n%s: %s", i->key, i->value);
	text_trim_right(b.data);
	return buf_take(&b);
}

void job_oops(struct job *j, struct oops *o)
{
	_cleanup_str_ char *reason = NULL;
	struct jsn *body;
	const char *nl = strchr(o->msg, '\n');

	reason = nl ? mem_strndup(o->msg, (size_t)(nl - o->msg)) : mem_strdup(o->msg);
	if (j->task) {
		_cleanup_str_ char *text = oops_print(o);

		task_fail(j, text);
		return;
	}
	body = jsn_new_object();
	if (o->errors.n) {
		struct jsn *e = jsn_new_object();

		KV_FOREACH (i, &o->errors)
			jsn_put_str(e, i->key, i->value);
		jsn_put(body, "errors", e);
	}
	jsn_put(body, "data", jsn_new_null());
	if (o->status == 501)
		jsn_put_str(body, "message", o->msg);
	else {
		_cleanup_str_ char *msg = mem_printf("%s\n", o->msg);

		jsn_put_str(body, "message", msg);
	}
	send_json(j, o->status, reason, body);
	job_end(j);
}

void job_die(struct job *j, const char *fmt, ...)
{
	_cleanup_oops_ struct oops o = {0};
	va_list ap;
	char *msg = NULL;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	va_end(ap);
	oops_die(&o, "%s", msg ? msg : "?");
	free(msg);
	job_oops(j, &o);
}

/* --- tasks --- */

uint32_t node_fork(struct sim *s, struct node *n)
{
	n->pid += 1 + (uint32_t)sim_rand_below(s, 9);
	return n->pid;
}

static void fault_task_end(struct job *j)
{
	task_fail(j, j->fault_text ? j->fault_text : "interrupted by signal");
}

static void send_upid(struct job *j)
{
	struct jsn *body = jsn_new_object();

	jsn_put_str(body, "data", j->task->upid);
	send_json(j, 200, "OK", body);
	j->answered = true;
}

static void hold_over(void *arg)
{
	struct job *j = arg;

	j->hold_timer = 0;
	send_upid(j);
}

/* A task that was waited for ends: its outcome is the answer. */
static void hold_end(struct job *j)
{
	struct jsn *body;

	sim_unschedule(j->sim, j->hold_timer);
	j->hold_timer = 0;
	if (j->answered || !j->task || !j->task->status)
		return;
	body = jsn_new_object();
	jsn_put(body, "data", jsn_new_null());
	if (!strcmp(j->task->status, "OK")) {
		send_json(j, 200, "OK", body);
	} else {
		_cleanup_str_ char *reason =
		    mem_printf("failed to update VM %" PRId64 ": %s", j->vmid, j->task->status);
		_cleanup_str_ char *msg = mem_printf("%s\n", reason);

		jsn_put_str(body, "message", msg);
		send_json(j, 500, reason, body);
	}
}

/* The worker stands: its number is the answer, and it begins. */
static void forked(struct job *j)
{
	void (*fn)(struct job * j) = j->after;

	if (j->hold)
		j->hold_timer = sim_at(j->sim, j->sim->now + j->hold, hold_over, j);
	else
		send_upid(j);
	worker_give(j);
	if (j->faulty && j->fault == SIM_FAULT_TASK_ERROR)
		fn = fault_task_end;
	/* A clone puts its file down before it looks at anything else. */
	job_next(j, strcmp(j->task->type, "qmclone") ? j->sim->timing[TIMING_BEGIN] : 1, fn);
}

static struct task *task_new(
    struct sim *s, struct node *n, const char *type, const char *id, const char *who, int64_t start)
{
	struct task *t = mem_alloc(sizeof(*t));

	t->type = mem_strdup(type);
	t->id = mem_strdup(id);
	t->full = mem_strdup(who);
	t->node = n;
	t->start = start;
	t->pid = node_fork(s, n);
	t->pstart = (s->now > n->up_since ? s->now - n->up_since : 0) / 10 + 100000;
	t->upid = mem_printf("UPID:%s:%08X:%08" PRIX64 ":%08" PRIX64 ":%s:%s:%s:", n->name, t->pid,
	    (uint64_t)t->pstart, (uint64_t)t->start, type, id, who);
	MEM_PUSH_ROOM(s->tasks, s->ntasks, s->taskcap);
	s->tasks[s->ntasks++] = t;
	smap_put(&s->taskmap, t->upid, t);
	return t;
}

/* It is written into the node's list of finished tasks. One that has become too long is put aside,
 * in the place of the one before. */
static void task_archive(struct task *t)
{
	struct node *n = t->node;

	t->chapter = n->chapter;
	n->index_bytes += strlen(t->upid) + strlen(" 00000000 \n") + strlen(t->status);
	if (n->index_bytes > INDEX_MAX) {
		n->index_bytes = 0;
		n->chapter++;
	}
}

void task_past(struct sim *s, struct node *n, const char *type, const char *id, const char *who,
    const struct task *as)
{
	struct task *t = task_new(s, n, type, id, who, as->start);
	bool good = !strcmp(as->status, "OK") || text_starts(as->status, "WARNINGS");

	t->end = as->end;
	t->start_ms = as->start * 1000 - s->wall0;
	t->end_ms = as->end * 1000 - s->wall0;
	t->status = mem_strdup(as->status);
	task_archive(t);
	strs_add_take(&t->log, mem_printf("TASK %s%s", good ? "" : "ERROR: ", as->status));
	clog_add(s, n, who, 6, "starting task %s", t->upid);
	clog_add(s, n, who, good ? 6 : 3, "end task %s %s", t->upid, as->status);
}

void job_fork(struct job *j, const char *type, const char *id, void (*fn)(struct job *j))
{
	struct sim *s = j->sim;
	struct task *t = task_new(s, j->node, type, id, j->who.full, sim_secs(s));

	t->start_ms = s->now;
	t->job = j;
	clog_add(s, j->node, j->who.full, 6, "starting task %s", t->upid);

	j->task = t;
	j->after = fn;
	if (j->by_ha)
		job_log(j, "task started by HA resource agent");
	/* The log of the cluster says so first. */
	job_next(
	    j, s->timing[TIMING_FORK] + (s->fs_until > s->now ? s->fs_until - s->now : 0), forked);
}

struct task *task_find(const struct sim *s, const char *upid)
{
	return smap_get(&s->taskmap, upid);
}

static void task_finish(struct job *j)
{
	struct task *t = j->task;

	t->end = sim_secs(j->sim);
	t->end_ms = j->sim->now;
	t->job = NULL;
	if (!t->lost && worker_blocked(j->sim, t->node, t->slot)) {
		t->unreaped = true;
		j->sim->unreaped++;
	}
	if (t->lost) {
		mem_replace(&t->status, "unexpected status");
		return;
	}
	if (!t->status && j->faulty && j->fault == SIM_FAULT_TASK_ERROR_AFTER) {
		t->status = mem_strdup(j->fault_text ? j->fault_text : "interrupted by signal");
		job_log(j, "TASK ERROR: %s", t->status);
	} else if (!t->status && t->warnings) {
		t->status = mem_printf("WARNINGS: %u", t->warnings);
		job_log(j, "TASK %s", t->status);
	} else if (!t->status) {
		t->status = mem_strdup("OK");
		job_log(j, "TASK OK");
	}
	clog_add(j->sim, t->node, t->full,
	    !strcmp(t->status, "OK") || text_starts(t->status, "WARNINGS") ? 6 : 3,
	    "end task %s %s", t->upid, t->status);
}

static void task_close(struct job *j)
{
	task_finish(j);
	task_archive(j->task);
}

void task_stop(struct task *t)
{
	struct job *j = t->job;

	if (!j)
		return;
	if (j->fault == SIM_FAULT_TASK_HANG)
		j->faulty = false; /* cleaning up does not hang */
	if (j->on_abort) {
		lock_give_up(j);
		sim_unschedule(j->sim, j->timer);
		j->timer = 0;
		j->on_abort(j, "interrupted by signal");
		return;
	}
	t->status = mem_strdup("received interrupt");
	strs_add_take(&t->log, mem_printf("TASK ERROR: %s", t->status));
	job_end(j);
}

void task_kill(struct task *t)
{
	t->lost = true;
	job_end(t->job);
}

void node_kill(struct sim *s, struct node *n)
{
	struct job *next;

	for (struct job *j = s->jobs; j; j = next) {
		next = j->next;
		if (j->node != n && j->entry != n)
			continue;
		if (j->task && j->node == n) {
			j->task->lost = true;
			job_end(j);
		} else if (!j->task) {
			struct sim_reply r = {.cut = SIM_CUT_RESET,
			    .status = 596,
			    .reason = "Broken pipe",
			    .body = ""};

			if (j->entry != n)
				r.cut = SIM_CUT_NONE;
			deliver(j, &r);
			job_end(j);
		}
	}
}

void tasks_free(struct sim *s)
{
	for (size_t i = 0; i < s->ntasks; i++) {
		struct task *t = s->tasks[i];

		free(t->upid);
		free(t->type);
		free(t->id);
		free(t->full);
		free(t->status);
		strs_fini(&t->log);
		free(t);
	}
	free(s->tasks);
	smap_fini(&s->taskmap);
}

/* --- the end --- */

static void job_end(struct job *j)
{
	struct sim *s = j->sim;

	if (j->task && j->task->job)
		task_close(j);
	if (j->hold)
		hold_end(j);
	lock_give_up(j);
	job_list_drop(
	    j->node ? j->node->queue : NULL, j->node ? &j->node->nqueue : &(size_t){0}, j);
	sim_unschedule(s, j->timer);
	sim_unschedule(s, j->cut_timer);
	worker_give(j);
	job_unlock_all(j);
	if (j->prev)
		j->prev->next = j->next;
	else
		s->jobs = j->next;
	if (j->next)
		j->next->prev = j->prev;
	if (s->acting == j)
		s->acting = NULL;
	if (j->data_free)
		j->data_free(j->data);
	who_fini(&j->who);
	kv_fini(&j->params);
	free(j->pool);
	free(j->format);
	free(j->method);
	free(j->path);
	mem_free_secret(&j->authorization);
	mem_free_secret(&j->ticket);
	free(j->csrf);
	free(j->wait_msg);
	free(j->cfs_name);
	free(j->cfs_what);
	free(j->fault_text);
	j->magic = 0;
	free(j);
}

void job_free(struct job *j)
{
	j->answered = true;
	if (j->task)
		j->task->lost = true;
	job_end(j);
}

const char *job_param(const struct job *j, const char *key)
{
	return kv_get(&j->params, key);
}

int64_t job_param_int(const struct job *j, const char *key, int64_t fallback)
{
	int64_t v;
	const char *s = kv_get(&j->params, key);

	if (s && *s == '+')
		s++;
	return s && !text_to_int(s, INT64_MIN, INT64_MAX, &v) ? v : fallback;
}

bool job_param_bool(const struct job *j, const char *key)
{
	return job_param_int(j, key, 0) == 1;
}
