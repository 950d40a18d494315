/* Lists of tasks: of a node (its file of active ones and its index) and of the cluster (what each
 * node broadcast last). */
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_net.h"

#define FRESH_MAX                                                                      \
	25 /* tasks in the file of active ones: all that run, then the newest finished \
	    */
#define NEVER INT64_MAX

/* A node's tasks as they were known at a time. */
struct view {
	const struct node *node;
	int64_t until;	 /* ms */
	int64_t written; /* when its list was last made anew by a start or an end */
	int64_t read;	 /* when pvestatd last read it */
};

static int64_t first_tick(const struct sim *s, const struct node *n, int64_t from)
{
	int64_t period = s->timing[TIMING_STATD];

	if (!n->statd || period <= 0)
		return NEVER;
	return from <= n->phase ? n->phase
				: n->phase + (from - n->phase + period - 1) / period * period;
}

/* After a power loss nobody sees that a task is gone until the node's list is made anew: when a
 * worker starts there, or by pvestatd. */
static int64_t found_dead(const struct sim *s, const struct task *t)
{
	int64_t up = t->node->rebooted, at;

	if (!t->node->up || up < t->end_ms)
		return NEVER;
	at = first_tick(s, t->node, up);
	for (size_t i = 0; i < s->ntasks; i++)
		if (s->tasks[i]->node == t->node && s->tasks[i]->start_ms >= up &&
		    s->tasks[i]->start_ms < at)
			at = s->tasks[i]->start_ms;
	return at;
}

/* When the node's list said so. */
static int64_t ended(const struct sim *s, const struct task *t)
{
	return t->job ? NEVER : t->lost ? found_dead(s, t) : t->end_ms;
}

static bool finished(const struct sim *s, const struct task *t, const struct view *v)
{
	return ended(s, t) <= v->until;
}

static struct view view_of(const struct sim *s, const struct node *by, const struct node *n)
{
	struct view v = {.node = n, .until = net_known_until(s, by, n), .written = INT64_MIN};
	int64_t period = s->timing[TIMING_STATD];

	for (size_t i = 0; i < s->ntasks; i++) {
		int64_t end = ended(s, s->tasks[i]);

		if (s->tasks[i]->node != n)
			continue;
		if (s->tasks[i]->start_ms <= v.until && s->tasks[i]->start_ms > v.written)
			v.written = s->tasks[i]->start_ms;
		if (end <= v.until && end > v.written)
			v.written = end;
	}
	v.read = last_broadcast(s, n);
	if (v.read > v.until && period > 0)
		v.read -= (v.read - v.until + period - 1) / period * period;
	return v;
}

static struct jsn *task_json(const struct task *t)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "upid", t->upid);
	jsn_put_str(o, "node", t->node->name);
	jsn_put_str(o, "type", t->type);
	jsn_put_str(o, "id", t->id);
	jsn_put_int(o, "starttime", t->start);
	return o;
}

static void put_end(const struct sim *s, struct jsn *o, const struct task *t)
{
	jsn_put_str(o, "status", t->status);
	jsn_put_int(o, "endtime", t->lost ? (s->wall0 + found_dead(s, t)) / 1000 : t->end);
}

/* --- the cluster's --- */

/* What was read from the file is a text; who has just written it has a number, or nothing yet. */
static void put_saved(
    const struct sim *s, struct jsn *o, const struct task *t, const struct view *v)
{
	int64_t at = finished(s, t, v) ? ended(s, t) : t->start_ms;
	bool fresh = at == v->written && v->read <= at;

	if (finished(s, t, v)) {
		put_end(s, o, t);
		if (fresh)
			jsn_put_int(o, "saved", 1);
		else
			jsn_put_str(o, "saved", "1");
		return;
	}
	jsn_put_int(o, "pid", t->pid);
	if (!fresh)
		jsn_put_str(o, "saved", "0");
}

/* A task of the list, with what its place there hangs on. */
struct place {
	const struct task *task;
	int64_t ended;
	size_t nth; /* in the order of starts */
};

/* What runs keeps the order in which it began. What is over is sorted by the second it began in;
 * of one second, what ended first was moved behind what still ran. */
static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	bool done = x->ended != NEVER;

	if (done != (y->ended != NEVER))
		return done ? 1 : -1;
	if (done && x->task->start != y->task->start)
		return x->task->start > y->task->start ? -1 : 1;
	if (done && x->ended != y->ended)
		return x->ended > y->ended ? -1 : 1;
	return (x->nth < y->nth) != done ? -1 : 1;
}

/* All that run, and as many of the others as can be among the newest. */
static size_t places(const struct sim *s, const struct view *v, struct place *ret)
{
	size_t n = 0, over = 0;
	int64_t oldest = INT64_MAX;

	for (size_t i = s->ntasks; i--;) {
		const struct task *t = s->tasks[i];
		bool done = finished(s, t, v);

		if (t->node != v->node || t->start_ms > v->until ||
		    (done && over >= FRESH_MAX && t->start < oldest))
			continue;
		if (done) {
			over++;
			oldest = t->start;
		}
		ret[n++] = (struct place){.task = t, .ended = done ? ended(s, t) : NEVER, .nth = i};
	}
	if (n)
		qsort(ret, n, sizeof(*ret), by_place);
	return n;
}

static void push_broadcast(struct job *j, const struct view *v, bool all, struct jsn *ret)
{
	struct sim *s = j->sim;
	struct place *list = mem_calloc(s->ntasks + 1, sizeof(*list));
	size_t n = places(s, v, list);

	for (size_t i = 0; i < n && (i < FRESH_MAX || list[i].ended == NEVER); i++) {
		const struct task *t = list[i].task;
		_cleanup_str_ char *user = mem_strndup(t->full, strcspn(t->full, "!"));
		struct jsn *o;

		/* The owner without the token is compared with who asks: a token never finds its
		 * own tasks here. */
		if (!all && strcmp(user, j->who.full) != 0)
			continue;
		o = task_json(t);
		task_put_who(o, t->full);
		put_saved(s, o, t, v);
		jsn_push(ret, o);
	}
	free(list);
}

void api_cluster_tasks(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();
	bool all = auth_has(s, &j->who, "/", PRIV_BIT(SYS_AUDIT));

	for (size_t i = 0; i < s->nnodes; i++) {
		const struct view v = view_of(s, j->node, s->nodes[i]);

		push_broadcast(j, &v, all, a);
	}
	job_ok(j, a);
}

/* --- a node's --- */

/* upid_normalize_status_type; what runs has none. */
static const char *kind_of(const struct task *t)
{
	if (!t->status)
		return "";
	if (!strcmp(t->status, "OK"))
		return "ok";
	if (text_starts(t->status, "WARNINGS: "))
		return "warning";
	return strcmp(t->status, "unexpected status") != 0 ? "error" : "unknown";
}

static bool wanted(const struct job *j, const struct task *t)
{
	const char *type = job_param(j, "typefilter"), *vm = job_param(j, "vmid"),
		   *user = job_param(j, "userfilter"), *status = job_param(j, "statusfilter"),
		   *kind = kind_of(t);
	bool failed = !strcmp(kind, "error") || !strcmp(kind, "unknown");
	_cleanup_strs_ struct strs kinds = {0};

	if (status && text_split(status, ",; ", true, 8, &kinds) == 0 && kinds.n &&
	    !strs_has(&kinds, kind))
		return false;
	return !(type && strcmp(type, t->type) != 0) && !(vm && strcmp(vm, t->id) != 0) &&
	       !(user && !strcasestr(t->full, user)) && t->start >= job_param_int(j, "since", 0) &&
	       t->start <= job_param_int(j, "until", INT64_MAX) &&
	       !(job_param_bool(j, "errors") && !failed);
}

/* As lines of the index come: the last ended first; of one second, the last begun. */
static int by_end(const void *a, const void *b)
{
	const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;

	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	if (x->start_ms != y->start_ms)
		return x->start_ms > y->start_ms ? -1 : 1;
	return x->pid != y->pid ? (x->pid > y->pid ? -1 : 1) : 0;
}

/* The node's tasks, running or finished, that the caller may see and asked for. */
static size_t pick(struct job *j, bool done, struct task **ret)
{
	struct sim *s = j->sim;
	_cleanup_str_ char *path = mem_printf("/nodes/%s", j->node->name);
	bool all = auth_has(s, &j->who, path, PRIV_BIT(SYS_AUDIT));
	const struct view now = {.node = j->node, .until = s->now};
	size_t n = 0;

	for (size_t i = s->ntasks; i--;) {
		struct task *t = s->tasks[i];

		if (done && t->chapter + 1 < t->node->chapter) /* neither list has it any more */
			continue;
		if (t->node == j->node && finished(s, t, &now) == done && wanted(j, t) &&
		    (all || !strcmp(t->full, j->who.full) || !strcmp(t->full, j->who.user)))
			ret[n++] = t;
	}
	return n;
}

void api_node_tasks(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();
	const char *source = job_param(j, "source");
	int64_t start = job_param_int(j, "start", 0), limit = job_param_int(j, "limit", 50);
	struct task **v = mem_calloc(s->ntasks + 1, sizeof(*v));
	size_t n = source && strcmp(source, "archive") != 0 ? pick(j, false, v) : 0, active = n;

	if (!source || strcmp(source, "active") != 0) {
		n += pick(j, true, v + n);
		qsort(v + active, n - active, sizeof(*v), by_end);
	}
	for (size_t i = 0; i < n; i++) {
		struct jsn *o;

		if ((int64_t)i < start || (limit && (int64_t)i >= start + limit))
			continue;
		o = task_json(v[i]);
		jsn_put_int(o, "pid", v[i]->pid);
		jsn_put_int(o, "pstart", v[i]->pstart);
		if (i < active) { /* as its line in the file is read */
			jsn_put_str(o, "user", v[i]->full);
			jsn_put_str(o, "saved", "0");
			jsn_put_str(o, "status", "RUNNING");
		} else {
			task_put_who(o, v[i]->full);
			put_end(s, o, v[i]);
		}
		jsn_push(a, o);
	}
	free(v);
	job_ok_total(j, a, (int64_t)n);
}
