#include "ops.h"

#include "log.h"
#include "marker.h"
#include "observe.h"
#include "ops_int.h"
#include "secretfile.h"

#include <stdlib.h>
#include <string.h>

#define SHUTDOWN_MAX_S 180
#define RESUMED_MS 600000

void op_cancel(struct op **opp)
{
	struct op *op = *opp;

	if (!op)
		return;
	CHECK_OBJ(op, OP_MAGIC);
	pvereq_cancel(op->env.pve, &op->call);
	pvetask_cancel(&op->task);
	look_cancel(&op->look);
	clock_cancel(op->env.clock, &op->timer);
	free(op->name);
	free(op->node);
	free(op->pool);
	free(op->upid);
	free(op->text);
	free(op->task_text);
	kv_fini(&op->params);
	strs_fini(&op->nodes);
	strs_fini(&op->disks);
	intent_fini(&op->intent);
	op_end_fini(op);
	op->magic = 0;
	free(op);
	*opp = NULL;
}

/* Nobody follows it any more. That this is not written down costs a look at its task after the next
 * start. */
static void end_step(struct op *op)
{
	_cleanup_err_ struct err *e = NULL;

	if (op->stepped && journal_step_end(op->env.journal, op->name, &e) < 0)
		log_warn(op->name, "%s, ignoring", err_msg(e));
	op->stepped = false;
}

void op_finish(struct op *op, enum op_end end, enum pve_reason why, const char *text)
{
	struct op_result r = {.end = end,
	    .why = why,
	    .text = text ? text : "",
	    .upid = op->upid,
	    .call = {.endpoint = op->endpoint,
		.vmid = op->vmid,
		.newid = op->intent.vmid,
		.pool = op->pool ? op->pool : kv_get(&op->params, "poolid")},
	    .left = op->end.left.n ? &op->end.left : NULL};

	/* Of a restart that nobody answered the guest itself tells what came of it. */
	if (end != OP_AGAIN || !op->boot || op->upid)
		end_step(op);
	op->cb(op->arg, &r);
}

void op_finish_stuck(struct op *op, enum reason reason, const char *text, const char *hint)
{
	struct op_result r = {
	    .end = OP_STUCK, .reason = reason, .text = text, .hint = hint, .upid = op->upid};

	/* What still runs is under way: nothing else is begun before it has ended. */
	if (reason != REASON_TASK_STUCK)
		end_step(op);
	op->cb(op->arg, &r);
}

void op_unwritable(struct op *op, const struct err *e)
{
	op_finish_stuck(op, REASON_STATE_UNWRITABLE, err_msg(e), NULL);
}

char *op_identity(const char *controller_id, const struct op_job *job)
{
	const struct obs_guest *g = job->guest;
	const char *desc = kv_get(&g->current, "description");
	const struct record *rec = job->record;
	char *why = NULL;
	struct marker m;

	if (marker_find(desc ? desc : "", &m) != MARKER_OK) {
		if (job->want && job->want->adopt && g->uuid[0] &&
		    text_eq_nocase(job->want->adopt, g->uuid))
			return NULL;
		return mem_strdup("the guest does not carry our marker");
	}
	if (strcmp(m.controller, controller_id) != 0 || m.vmid != g->vmid)
		why = mem_printf(
		    "the guest's marker is that of %s/%s, VMID %u", m.controller, m.name, m.vmid);
	else if (!rec || rec->vmid != g->vmid)
		why = mem_strdup("the guest is not on record");
	else if (rec->nonce && strcmp(rec->nonce, m.nonce) != 0)
		why = mem_strdup("the guest's marker is not the one that was written");
	else if (rec->uuid && rec->uuid[0] && strcmp(rec->uuid, g->uuid) != 0)
		why = mem_strdup("the guest's UUID is not the recorded one");
	else if (strcmp(m.name, job->name) != 0 &&
		 !(job->want && text_eq(job->want->renamed_from, m.name)))
		why = mem_printf("the guest's marker is that of the manifest %s", m.name);
	marker_fini(&m);
	return why;
}

static void on_progress(void *arg, int percent)
{
	struct op *op = arg;

	op->progress(op->arg, percent);
}

void op_task_ended(struct op *op, const struct pvetask_result *r)
{
	op->task = NULL;
	switch (r->end) {
	case PVETASK_OK:
	case PVETASK_WARNINGS:
		op_finish(op, OP_DONE, PVE_NONE, r->text[0] ? r->text : "OK");
		return;
	case PVETASK_FAILED:
		op_finish(
		    op, r->outcome == PVE_REJECTED ? OP_FAILED : OP_AGAIN, r->reason, r->text);
		return;
	case PVETASK_LOST:
		op_finish(op, OP_AGAIN, PVE_TASK_LOST, r->text);
		return;
	case PVETASK_LATE:
		op_finish_stuck(op, REASON_TASK_STUCK, r->text, NULL);
		return;
	case PVETASK_END__MAX:
		break;
	}
}

static void on_task(void *arg, const struct pvetask_result *r)
{
	op_task_ended(arg, r);
}

bool op_follow(struct op *op, const char *upid, pvetask_cb cb)
{
	struct pvetask_opts o = {.deadline_ms = op->task_ms,
	    .want_log = op->want_log,
	    .progress = op->progress ? on_progress : NULL};
	struct upid u;

	if (pvetask_parse_upid(upid, &u, NULL) < 0)
		return false;
	mem_replace(&op->upid, upid);
	attrib_learn_self(inventory_attrib(op->env.inventory), upid);
	op->task = pvetask_follow(op->env.pve, &u, &o, cb, op);
	return true;
}

static void note_task(struct op *op, const char *upid)
{
	_cleanup_err_ struct err *e = NULL;

	/* Not written down is not lost: the guest is read again before anything else is done. */
	if (op->stepped && journal_step_upid(op->env.journal, op->name, upid, &e) < 0)
		log_warn(op->name, "%s, ignoring", err_msg(e));
}

void op_sent(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;

	op->call = 0;
	if (a->outcome == PVE_DONE && a->upid)
		note_task(op, a->upid);
	switch (a->outcome) {
	case PVE_DONE:
		if (!a->upid || !op_follow(op, a->upid, on_task))
			op_finish(op, OP_DONE, PVE_NONE, "OK");
		return;
	case PVE_NOT_SENT:
	case PVE_REJECTED:
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

/* What frees, grows or allocates asks the node that will do it: on a node without quorum PVE frees
 * volumes and enlarges images although the configuration cannot be written. */
static bool quorum_ok(struct op *op, const struct pvereq_result *a)
{
	_cleanup_str_ char *text = NULL;
	bool quorate = false, answered = a->outcome == PVE_DONE;

	op->call = 0;
	if (answered && observe_quorum_of(a->data, op->node, &quorate, NULL) == 0 && quorate)
		return true;
	text = mem_printf("node %s does not confirm that it has quorum%s%s", op->node,
	    answered ? "" : ": ", answered ? "" : a->text);
	op_finish(op, OP_FAILED, answered || a->reason == PVE_FORBIDDEN ? PVE_NO_QUORUM : a->reason,
	    text);
	return false;
}

static void on_quorum(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;

	if (quorum_ok(op, a))
		op->quorate(op);
}

void op_ask_quorum(struct op *op, void (*next)(struct op *op))
{
	struct pvereq_spec q = {.endpoint = ENDPOINT_CLUSTER_STATUS, .args = {.node = op->node}};

	op->quorate = next;
	op->call = pvereq_send(op->env.pve, &q, on_quorum, op);
}

bool op_is_held(struct op *op)
{
	if (!op->env.may || op->env.may(op->env.arg, op->name, op->create))
		return false;
	op_finish(op, OP_HELD, PVE_NONE, "not sent: it may not act any more");
	return true;
}

void op_send(struct op *op, pvereq_cb cb)
{
	struct pvereq_spec q = {.endpoint = op->endpoint,
	    .args = {.node = op->node, .vmid = op->vmid, .pool = op->pool},
	    .params = &op->params,
	    .patience_ms = -1}; /* what was read would be old: better read again */

	if (op_is_held(op))
		return;
	op->call = pvereq_send(op->env.pve, &q, cb, op);
}

static void on_refused(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	op_finish_stuck(op, REASON_BUG, op->text, NULL);
}

/* The answer must not come from within op_start. */
static void refuse(struct op *op, char *why)
{
	log_error(op->name, "refused before sending: %s", why);
	op->text = why;
	op->timer = clock_timer(op->env.clock, 0, on_refused, op);
}

static char *config_request(struct op *op, const struct op_job *job)
{
	const struct step *s = job->step;
	const struct obs_guest *g = job->guest;
	_cleanup_err_ struct err *err = NULL;

	op->endpoint = s->task ? ENDPOINT_CONFIG_POST : ENDPOINT_CONFIG_PUT;
	kv_copy(&op->params, &s->set);
	if (s->del.n) {
		_cleanup_str_ char *del = strs_join(&s->del, ",");

		kv_set(&op->params, "delete", del);
	}
	kv_set(&op->params, "digest", g->digest);
	if (secretfile_fill(job->secrets_dir, job->want, &op->params, &err) < 0)
		return mem_strdup(err_msg(err));
	return NULL;
}

static void pool_request(struct op *op, const struct step *s, const struct obs_guest *g)
{
	bool leave = !s->pool || !s->pool[0];
	const char *pool = leave ? g->pool : s->pool;
	const struct obs_cluster *c = inventory_view(op->env.inventory);

	/* A pool within another one is in no path. */
	if (strchr(pool, '/')) {
		op->endpoint = ENDPOINT_POOLS_PUT;
		kv_set(&op->params, "poolid", pool);
	} else {
		op->endpoint = ENDPOINT_POOL_PUT;
		op->pool = mem_strdup(pool);
	}
	kv_setf(&op->params, "vms", "%u", g->vmid);
	if (leave)
		kv_set(&op->params, "delete", "1");
	else if (g->pool &&
		 (c->version_major > 8 || (c->version_major == 8 && c->version_minor >= 1)))
		kv_set(&op->params, "allow-move", "1");
}

static void power_request(struct op *op, enum endpoint_id endpoint)
{
	int64_t s = op->task_ms / 2000;

	op->endpoint = endpoint;
	if (endpoint != ENDPOINT_START)
		kv_setf(&op->params, "timeout", "%lld",
		    (long long)(s > SHUTDOWN_MAX_S ? SHUTDOWN_MAX_S : s));
}

/* PVE moves a disk of a template and then only warns that others are linked to what it leaves. */
static void take_store(struct op *op, const struct obs_guest *g, const char *slot)
{
	const char *text = kv_get(&g->current, slot);
	_cleanup_drive_ struct drive d = {0};

	if (g->template && text && drive_parse(text, &d, NULL) == 0 && *d.storage)
		strs_add(&op->end.stores, d.storage);
}

/* NULL, or why the step cannot be turned into a request. */
static char *make_request(struct op *op, const struct op_job *job)
{
	const struct step *s = job->step;
	const struct obs_guest *g = job->guest;

	switch (s->kind) {
	case STEP_CONFIG:
		return config_request(op, job);
	case STEP_RESIZE:
		op->endpoint = ENDPOINT_RESIZE;
		kv_set(&op->params, "disk", s->slot);
		kv_setf(&op->params, "size", "%lluG", (unsigned long long)s->size_gb);
		kv_set(&op->params, "digest", g->digest);
		return NULL;
	case STEP_MOVE:
		op->endpoint = ENDPOINT_MOVE_DISK;
		kv_set(&op->params, "disk", s->slot);
		kv_set(&op->params, "storage", s->storage);
		if (s->format && s->format[0])
			kv_set(&op->params, "format", s->format);
		kv_set(&op->params, "delete", "1");
		kv_set(&op->params, "digest", g->digest);
		take_store(op, g, s->slot);
		return NULL;
	case STEP_POOL:
		pool_request(op, s, g);
		return NULL;
	case STEP_MIGRATE:
		op->endpoint = ENDPOINT_MIGRATE;
		kv_set(&op->params, "target", s->node);
		if (g->power == OBS_POWER_RUNNING)
			kv_set(&op->params, "online", "1");
		return NULL;
	case STEP_TEMPLATE:
		op->endpoint = ENDPOINT_TEMPLATE;
		if (s->slot)
			kv_set(&op->params, "disk", s->slot);
		return NULL;
	case STEP_START:
		power_request(op, ENDPOINT_START);
		return NULL;
	case STEP_SHUTDOWN:
		power_request(op, ENDPOINT_SHUTDOWN);
		return NULL;
	case STEP_REBOOT:
		power_request(op, ENDPOINT_REBOOT);
		return NULL;
	case STEP_CLONE:
	case STEP_STOP:
	case STEP_DESTROY:
	case STEP_KIND__MAX:
		break;
	}
	return mem_printf("no request for the step %s", step_kind_word(s->kind));
}

/* Nonce of the marker, or NULL. Caller frees. */
static char *nonce_of(const struct obs_guest *g)
{
	const char *desc = kv_get(&g->current, "description");
	char *nonce = NULL;
	struct marker m;

	if (marker_find(desc ? desc : "", &m) == MARKER_OK) {
		nonce = mem_strdup(m.nonce);
		marker_fini(&m);
	}
	return nonce;
}

static void on_last_look(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why)
{
	struct op *op = arg;
	_cleanup_str_ char *nonce = nonce_of(g), *text = mem_strdup(why->text);
	bool same = text_eq(op->end.uuid, g->uuid) && text_eq(op->end.nonce, nonce);
	enum pve_reason word = end == LOOK_NO_CONFIG ? PVE_NOT_HERE : why->reason;

	look_cancel(&op->look);
	if (end != LOOK_OK)
		op_finish(op, OP_FAILED, word, text);
	else if (!same)
		op_finish(op, OP_FAILED, PVE_DIGEST, "it is another VM now");
	else
		op_send(op, op_sent);
}

/* These carry a digest: PVE itself refuses them when it is another VM by now. */
static bool is_guarded(const struct op *op)
{
	return kv_has(&op->params, "digest");
}

/* What is about to be done is on the disk before anybody is asked for it, and not before the node
 * has its quorum: whoever is turned away again and again leaves no trace. The guest is looked at
 * last. */
static void begin_step(struct op *op)
{
	_cleanup_err_ struct err *e = NULL;
	struct doing d = {.vmid = op->vmid,
	    .text = op->text,
	    .boot = op->boot,
	    .wall_ms = clock_wall(op->env.clock)};

	if (journal_step(op->env.journal, op->name, &d, &e) < 0) {
		op_unwritable(op, e);
		return;
	}
	op->stepped = true;
	if (is_guarded(op))
		op_send(op, op_sent);
	else
		op->look = look_start(op->env.pve, op->vmid, op->node, true, on_last_look, op);
}

static void ask_quorum_first(struct op *op)
{
	if (op->check_quorum)
		op_ask_quorum(op, begin_step);
	else
		begin_step(op);
}

static void on_step(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	if (op->end.stores.n)
		op_ask_linked(op, ask_quorum_first);
	else
		ask_quorum_first(op);
}

static void on_resume(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	if (!op->upid || !op_follow(op, op->upid, on_task))
		op_finish(op, OP_AGAIN, PVE_TASK_LOST, "nobody knows what came of it");
}

/* The task of an earlier life: it may still be under way. */
static void resume_step(struct op *op)
{
	const struct doing *d = journal_doing(op->env.journal, op->name);

	MUST(d);
	op->vmid = d->vmid;
	op->upid = mem_strdup(d->upid);
	op->task_ms = RESUMED_MS;
	op->stepped = true;
	op->timer = clock_timer(op->env.clock, 0, on_resume, op);
}

struct op *op_start(const struct op_env *env, const struct op_job *job, op_cb cb,
    op_progress_cb progress, void *arg)
{
	struct op *op = mem_alloc(sizeof(*op));
	char *why;

	op->magic = OP_MAGIC;
	op->env = *env;
	op->cb = cb;
	op->progress = progress;
	op->arg = arg;
	op->name = mem_strdup(job->name);
	if (job->departs || job->resumes) {
		(job->departs ? op_end_resume : resume_step)(op);
		return op;
	}
	if (job->step && (job->step->parting || job->step->kind == STEP_DESTROY)) {
		op_end_start(op, job);
		return op;
	}
	if (!job->step || job->step->kind == STEP_CLONE) {
		op_create_start(op, job);
		return op;
	}
	MUST(job->guest && job->want);
	op->node = mem_strdup(job->guest->node);
	op->vmid = job->guest->vmid;
	op->task_ms = resource_int(job->want, ATTR_timeouts_update);
	why = op_identity(env->controller_id, job);
	if (!why)
		why = make_request(op, job);
	if (why) {
		refuse(op, why);
		return op;
	}
	op->check_quorum = job->step->allocates;
	op->boot = job->step->kind == STEP_REBOOT ? job->guest->started_s : 0;
	op->text = mem_strdup(job->step->text);
	op->end.uuid = mem_strdup(job->guest->uuid);
	op->end.nonce = nonce_of(job->guest);
	op->timer = clock_timer(op->env.clock, 0, on_step, op);
	return op;
}
