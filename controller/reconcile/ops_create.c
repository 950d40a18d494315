#include "log.h"
#include "marker.h"
#include "ops_int.h"
#include "provenance.h"
#include "rootcmd.h"

#include <stdlib.h>
#include <string.h>

/*
 * A clone in two phases around its task. The intent (number, nonce, source) is on the disk before
 * the call; from then on only that number is tried until the guest under it is ours, or is proven
 * to be a stranger's. Asking twice for one number can never give two guests: PVE refuses the
 * second.
 */

#define PLACEHOLDER "qmclone temporary file"
#define POLL_MS 3000
#define TASKS_MAX 10000
#define TASKS_LIMIT "500"
#define LEAST_MS 60000 /* for a clone that was asked for long ago, as far as one knows */

static void probe(struct op *op);

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void created(struct op *op, const struct obs_guest *g, const struct marker *m)
{
	_cleanup_err_ struct err *e = NULL;
	struct record rec = {.vmid = g->vmid,
	    .uuid = mem_strdup(g->uuid),
	    .nonce = mem_strdup(m->nonce),
	    .node = mem_strdup(g->node),
	    .source_vmid = op->intent.source,
	    .source_uuid = mem_strdup(op->intent.source_uuid),
	    .proven = strcmp(m->nonce, op->intent.nonce) == 0};
	rec.whole = rec.proven && !op->intent.restored;
	if (rec.proven)
		kv_copy(&rec.cloned, &op->intent.cloned);
	struct op_result r = {.end = OP_CREATED, .text = "OK", .upid = op->upid, .record = &rec};

	if (journal_end(op->env.journal, op->name, &rec, &e) < 0)
		op_unwritable(op, e);
	else
		op->cb(op->arg, &r);
	record_fini(&rec);
}

static void abandon(struct op *op)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *text = NULL;

	if (journal_end(op->env.journal, op->name, NULL, &e) < 0) {
		op_unwritable(op, e);
		return;
	}
	text = mem_printf("VMID %u belongs to another guest", op->intent.vmid);
	if (op->fixed_id == op->intent.vmid)
		op_finish_stuck(op, REASON_VMID_TAKEN, text, NULL);
	else
		op_finish(op, OP_ABANDONED, PVE_EXISTS, text);
}

static void debris(struct op *op)
{
	_cleanup_str_ char *text =
	    mem_printf("the clone under VMID %u on node %s broke off and left a locked guest",
		op->intent.vmid, op->node);
	_cleanup_str_ char *command =
	    rootcmd_clear(op->node, op->intent.vmid, "clone task runs", true);
	_cleanup_str_ char *hint =
	    mem_printf("%s; then look for leftover volumes vm-%u-*", command, op->intent.vmid);

	op_finish_stuck(op, REASON_DEBRIS, text, hint);
}

/* After that PVE frees the disks, or tries to. */
static bool is_husk(const struct op *op)
{
	return !op->disks_seen && op->task_text && strstr(op->task_text, "clone failed: ");
}

/* Something has the number, and the token may not see what. */
static void hidden(struct op *op, const char *text)
{
	_cleanup_str_ char *why =
	    mem_printf("VM %u is there, and cannot be read: %s", op->intent.vmid, text);

	op_finish_stuck(op, REASON_ACCESS_LOST, why,
	    "grant the token VM.Audit on the new VM, for example on /vms");
}

/* How long ago the clone was asked for. What seems to lie in the future was asked for before the
 * clock was set back: as if it had been now, once. Else it stayed young until the clock is there
 * again. */
static int64_t intent_age(struct op *op)
{
	_cleanup_err_ struct err *e = NULL;
	int64_t age = clock_wall(op->env.clock) - op->intent.wall_ms;

	if (age >= 0)
		return age;
	op->intent.wall_ms = clock_wall(op->env.clock);
	if (journal_begin(op->env.journal, op->name, &op->intent, &e) < 0)
		log_warn(op->name, "%s, ignoring", err_msg(e));
	return 0;
}

static void on_poll(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	probe(op);
}

/* Its task has ended, or its time is over, and the moment for the last rename as well. */
static bool is_over(struct op *op)
{
	bool ended = op->task_ok || op->task_text || clock_now(op->env.clock) >= op->deadline;

	return ended && op->polls++ >= 5;
}

/* The number of its task is that of the source; it runs where the source is. */
static bool is_cloning(const struct op *op, const struct jsn *tasks)
{
	for (size_t i = 0; i < jsn_len(tasks) && i < TASKS_MAX; i++) {
		const struct jsn *t = jsn_at(tasks, i);

		if (text_eq(jsn_get_text(t, "type"), "qmclone") && !jsn_has(t, "endtime") &&
		    jsn_get_int(t, "id", 0) == (int64_t)op->intent.source)
			return true;
	}
	return false;
}

static void on_tasks(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;
	_cleanup_str_ char *text = mem_printf(
	    "VM %u is being cloned still, as far as can be seen: a clone of %u runs on %s",
	    op->intent.vmid, op->intent.source, op->intent.source_node);

	op->call = 0;
	if (a->outcome != PVE_DONE)
		op_finish(op, OP_AGAIN, a->reason, a->text);
	else if (is_cloning(op, a->data))
		op_finish_stuck(op, REASON_TASK_STUCK, text, NULL);
	else
		debris(op);
}

/* Nobody knows the task: with a slow storage it may run for hours, and whoever removed the lock
 * then would remove it from under the copy. */
static void ask_tasks(struct op *op)
{
	_cleanup_kv_ struct kv params = {0};
	struct pvereq_spec q = {.endpoint = ENDPOINT_NODE_TASKS,
	    .args.node = op->intent.source_node,
	    .params = &params};

	kv_set(&params, "source", "active");
	kv_set(&params, "limit", TASKS_LIMIT);
	op->call = pvereq_send(op->env.pve, &q, on_tasks, op);
}

/* The clone is under way, as far as one can see. */
static void wait_for_clone(struct op *op)
{
	bool ended = op->task_ok || op->task_text;

	if (op->task_silent)
		op_finish(op, OP_AGAIN, op->task_why, op->task_text);
	else if (is_over(op))
		(ended || !op->intent.source_node ? debris : ask_tasks)(op);
	else
		op->timer = clock_timer(op->env.clock, POLL_MS, on_poll, op);
}

/* With rights on a pool only, the guest shows up at the very end of its clone. */
static void wait_for_sight(struct op *op, const char *text)
{
	/* The only call that was made ever found it there. */
	bool stranger = op->task_why == PVE_EXISTS && op->intent.tries == 1 && !op->intent.restored;

	if (stranger)
		abandon(op);
	else if (op->task_silent)
		op_finish(op, OP_AGAIN, op->task_why, op->task_text);
	else if (op->task_ok || is_over(op))
		hidden(op, text);
	else
		op->timer = clock_timer(op->env.clock, POLL_MS, on_poll, op);
}

static void judge(struct op *op, const struct obs_guest *g)
{
	const char *desc = or_empty(kv_get(&g->current, "description"));
	struct marker m;

	mem_replace(&op->node, g->node);
	if (marker_find(desc, &m) == MARKER_OK) {
		bool ours = strcmp(m.controller, op->env.controller_id) == 0 &&
			    strcmp(m.name, op->name) == 0 && m.vmid == g->vmid;

		if (!ours)
			abandon(op);
		else if (text_eq(g->lock, "clone"))
			wait_for_clone(op);
		else if (is_husk(op))
			op_ask_disks(op, g, probe);
		else
			created(op, g, &m);
		marker_fini(&m);
		return;
	}
	if (text_eq(g->lock, "clone") && strstr(desc, PLACEHOLDER))
		wait_for_clone(op);
	else
		abandon(op);
}

static void look_next(struct op *op);

static void on_look(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why)
{
	_cleanup_str_ char *text = mem_strdup(why->text);
	enum pve_reason word = why->reason;
	struct op *op = arg;
	struct obs_guest got = *g;

	*g = (struct obs_guest){0};
	look_cancel(&op->look);
	switch (end) {
	case LOOK_OK:
		judge(op, &got);
		break;
	case LOOK_NO_CONFIG:
		look_next(op);
		break;
	case LOOK_FORBIDDEN:
		wait_for_sight(op, text);
		break;
	case LOOK_FAILED:
		op_finish(op, OP_AGAIN, word, text);
		break;
	case LOOK_END__MAX:
		break;
	}
	obs_guest_fini(&got);
}

/* Where the number may be: where the cluster shows it, the target, the source. */
static void look_next(struct op *op)
{
	if (op->at_node == op->nodes.n) {
		inventory_poke(op->env.inventory);
		op_finish(op, OP_AGAIN, PVE_NOT_HERE,
		    "the new VMID exists, but on no node that was asked");
		return;
	}
	op->look =
	    look_start(op->env.pve, op->intent.vmid, op->nodes.v[op->at_node++], true, on_look, op);
}

static void add_node(struct strs *l, const char *node)
{
	if (node && node[0] && !strs_has(l, node))
		strs_add(l, node);
}

static void find_it(struct op *op)
{
	const struct obs_cluster *view = inventory_view(op->env.inventory);
	const struct obs_row *row = obs_cluster_row(view, op->intent.vmid);

	strs_fini(&op->nodes);
	op->at_node = 0;
	if (row && !row->qemu) { /* a container took the number */
		abandon(op);
		return;
	}
	if (row)
		add_node(&op->nodes, row->node);
	add_node(&op->nodes, op->intent.source_node);
	add_node(&op->nodes, op->intent.target_node);
	for (size_t i = 0; i < view->n_nodes; i++)
		if (view->nodes[i].online)
			add_node(&op->nodes, view->nodes[i].name);
	look_next(op);
}

/* The answer to the last call may still come. */
static bool is_late_possible(struct op *op)
{
	return intent_age(op) < OPS_LATE_MS;
}

/* The number is free: no guest came of the calls that were made, so far. */
static void is_free(struct op *op)
{
	_cleanup_err_ struct err *e = NULL;

	if (op->task_ok) {
		/* The task said OK, and the guest is gone: somebody was quick. */
		op_finish(op, OP_FREE, PVE_NONE, "the new guest was removed again");
		return;
	}
	if (op->task_text) {
		/* Without the UPID in the journal the next try does not ask for the old task. */
		mem_replace(&op->intent.upid, NULL);
		if (journal_begin(op->env.journal, op->name, &op->intent, &e) < 0) {
			op_unwritable(op, e);
			return;
		}
		op_finish(op, OP_FAILED, op->task_why, op->task_text);
		return;
	}
	if (op->has_want) {
		op_finish(op, OP_FREE, PVE_NONE, "the number is free");
		return;
	}
	if (is_late_possible(op))
		op_finish(op, OP_AGAIN, PVE_NONE, "a late answer may still come");
	else if (journal_end(op->env.journal, op->name, NULL, &e) < 0)
		op_unwritable(op, e);
	else
		op_finish(op, OP_ABANDONED, PVE_NONE, "nothing came of the clone");
}

static void on_probe(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;
	int rc = op_existence(a);

	op->call = 0;
	if (rc < 0)
		op_finish(op, OP_AGAIN, a->reason, a->text);
	else if (rc > 0)
		find_it(op);
	else
		is_free(op);
}

static void probe(struct op *op)
{
	op_ask_existence(op, op->intent.vmid, on_probe);
}

static void on_task(void *arg, const struct pvetask_result *r)
{
	struct op *op = arg;

	op->task = NULL;
	switch (r->end) {
	case PVETASK_OK:
	case PVETASK_WARNINGS:
		op->task_ok = true;
		break;
	case PVETASK_FAILED:
	case PVETASK_LOST:
		op->task_why = r->reason;
		op->task_silent = r->end == PVETASK_LOST && r->reason != PVE_TASK_LOST &&
				  r->reason != PVE_NO_TASK;
		mem_replace(&op->task_text, r->text);
		break;
	case PVETASK_LATE:
		op_finish_stuck(op, REASON_TASK_STUCK, r->text, NULL);
		return;
	case PVETASK_END__MAX:
		break;
	}
	probe(op);
}

static void follow_clone(struct op *op)
{
	if (!op_follow(op, op->intent.upid, on_task))
		probe(op);
}

static void on_posted(void *arg, const struct pvereq_result *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct op *op = arg;

	op->call = 0;
	switch (a->outcome) {
	case PVE_DONE:
		if (!a->upid) {
			probe(op);
			return;
		}
		mem_replace(&op->intent.upid, a->upid);
		/* Not written down is not lost: nonce and number find the clone. */
		if (journal_upid(op->env.journal, op->name, a->upid, &e) < 0)
			log_warn(op->name, "%s, ignoring", err_msg(e));
		follow_clone(op);
		return;
	case PVE_NOT_SENT:
	case PVE_REJECTED:
		if (a->reason == PVE_EXISTS || a->reason == PVE_FILE_LOCK) {
			probe(op); /* perhaps an earlier call of ours got through */
			return;
		}
		op_finish(op, OP_FAILED, a->reason, a->text);
		return;
	case PVE_PARTIAL:
	case PVE_AMBIGUOUS:
		op_finish(op, OP_AGAIN, a->reason, a->text);
		return;
	case PVE_OUTCOME__MAX:
		break;
	}
}

static void post(struct op *op)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *desc = NULL;
	struct marker m = {.controller = (char *)op->env.controller_id,
	    .name = op->name,
	    .vmid = op->intent.vmid,
	    .nonce = op->intent.nonce};

	if (op_is_held(op))
		return;
	if (marker_join(op->text, &m, &desc, &e) < 0) {
		op_finish_stuck(op, REASON_SOURCE_UNSUITABLE, err_msg(e),
		    "shorten the template's description, or list one in the manifest");
		return;
	}
	op->intent.tries++;
	op->intent.wall_ms = clock_wall(op->env.clock);
	mem_replace(&op->intent.upid, NULL);
	if (journal_begin(op->env.journal, op->name, &op->intent, &e) < 0) {
		op_unwritable(op, e);
		return;
	}
	kv_setf(&op->params, "newid", "%u", op->intent.vmid);
	kv_set(&op->params, "description", desc);
	op_send(op, on_posted); /* the quorum was asked for before */
}

void op_clone_numbered(struct op *op)
{
	post(op);
}

void op_clone_taken(struct op *op)
{
	op->intent.vmid = op->candidate;
	abandon(op);
}

static char *draw_nonce(struct clock *clock)
{
	return mem_printf("%016llx", (unsigned long long)clock_random(clock));
}

static void fill_params(struct op *op, const struct op_job *job)
{
	const struct resource *w = job->want;
	const char *target = resource_str(w, ATTR_node_name), *name = resource_str(w, ATTR_name);
	const char *pool = resource_str(w, ATTR_clone_pool_id);
	const char *snap = resource_str(w, ATTR_clone_snapshot_name);
	const char *store = resource_str(w, ATTR_clone_target_datastore);
	const char *format = resource_str(w, ATTR_clone_target_format);
	const struct leaf *limit = resource_find(w, ATTR_clone_bandwidth_limit, NULL);
	bool full = resource_bool(w, ATTR_clone_full);

	kv_set(&op->params, "name", name ? name : w->name);
	kv_set(&op->params, "full", full ? "1" : "0");
	if (target && strcmp(target, job->source->node) != 0) {
		kv_set(&op->params, "target", target);
		mem_replace(&op->intent.target_node, target);
	}
	if (pool)
		kv_set(&op->params, "pool", pool);
	if (snap)
		kv_set(&op->params, "snapname", snap);
	if (full && store)
		kv_set(&op->params, "storage", store);
	if (full && format)
		kv_set(&op->params, "format", format);
	/* None at all is another limit than that of the datacenter. */
	if (limit && limit->value.type == VALUE_INT)
		kv_setf(&op->params, "bwlimit", "%lld", (long long)limit->value.i * 1024);
}

static void on_begin(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	if (op->intent.vmid)
		op_ask_quorum(op, post);
	else
		op_number(op);
}

static void clone_start(struct op *op, const struct op_job *job)
{
	const struct leaf *desc = resource_find(job->want, ATTR_description, NULL);
	const char *inherited = or_empty(kv_get(&job->source->current, "description"));

	if (desc)
		op->text = mem_strdup(desc->value.type == VALUE_STR ? desc->value.s : "");
	else
		op->text = marker_strip(inherited);
	op->intent.source = job->source->vmid;
	mem_replace(&op->intent.source_uuid, job->source->uuid);
	mem_replace(&op->intent.source_node, job->source->node);
	mem_replace(&op->intent.target_node, "");
	op->node = mem_strdup(job->source->node);
	op->endpoint = ENDPOINT_CLONE;
	op->vmid = job->source->vmid;
	fill_params(op, job);
	provenance_note(job->want, &op->intent.cloned);
	op->fixed_id = (uint32_t)resource_int(job->want, ATTR_id);
	/* An open intent has its number and nonce: these and no others. */
	if (!op->intent.vmid)
		op->intent.nonce = draw_nonce(op->env.clock);
	op->timer = clock_timer(op->env.clock, 0, on_begin, op);
}

static void on_resolve(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	if (op->intent.upid)
		follow_clone(op);
	else
		probe(op);
}

/* Of the time for the clone that an earlier life asked for, or this one some time ago. The wall
 * clock may have jumped since: never more than all of it, and never so little that nobody looks. */
static int64_t time_left(struct op *op, bool open)
{
	int64_t left = op->task_ms - (open ? intent_age(op) : 0);

	return left > LEAST_MS || op->task_ms < LEAST_MS ? left : LEAST_MS;
}

void op_create_start(struct op *op, const struct op_job *job)
{
	const struct intent *intent = journal_intent(op->env.journal, job->name);
	bool open = intent != NULL;

	op->create = true;
	op->has_want = job->want != NULL;
	op->met = job->met;
	op->task_ms = job->want ? resource_int(job->want, ATTR_timeouts_create) : 1800000;
	if (open)
		intent_copy(&op->intent, intent);
	op->deadline = clock_now(op->env.clock) + time_left(op, open);
	if (job->step) {
		MUST(job->source && job->want);
		clone_start(op, job);
		return;
	}
	MUST(open);
	op->node = mem_strdup(or_empty(op->intent.source_node));
	mem_replace(&op->upid, op->intent.upid);
	if (job->want)
		op->fixed_id = (uint32_t)resource_int(job->want, ATTR_id);
	op->timer = clock_timer(op->env.clock, 0, on_resolve, op);
}
