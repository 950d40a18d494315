#include "log.h"
#include "marker.h"
#include "observe.h"
#include "ops_int.h"

#include <stdlib.h>
#include <string.h>

/*
 * The end of a VM. Its plan has asked everything that speaks against it; here stands what is asked
 * again at the last moment: jobs that copy it, clones that need it, the quorum of the very node,
 * and right before the call who it is. Between that reading and PVE's own lock on the number
 * remains a moment in which nobody can hold on to the number (docs/threat-model.md).
 *
 * The intent is on the disk before the call, the task's name after it.
 */

#define SHUTDOWN_SHARE_PERCENT 60 /* of the time for all of it */
#define SHUTDOWN_MAX_S 180
#define LEFT_MAX 64
#define VOLUMES_MAX 100000
#define JOBS_MAX 10000

/* NULL, or why the guest is not the one on record. Stricter than for any other step: a marker, a
 * nonce and a UUID there must be. Caller frees. */
static char *who_is_it(const struct op *op, const struct obs_guest *g)
{
	const char *desc = kv_get(&g->current, "description");
	char *why = NULL;
	struct marker m;

	if (marker_find(desc ? desc : "", &m) != MARKER_OK)
		return mem_strdup("the guest does not carry our marker");
	if (strcmp(m.controller, op->env.controller_id) != 0 || m.vmid != op->vmid ||
	    g->vmid != op->vmid)
		why = mem_printf(
		    "the guest's marker is that of %s/%s, VMID %u", m.controller, m.name, m.vmid);
	else if (strcmp(m.name, op->name) != 0 && !text_eq(op->end.renamed_from, m.name))
		why = mem_printf("the guest's marker is that of the manifest %s", m.name);
	else if (!text_eq(op->end.nonce, m.nonce))
		why = mem_strdup("the guest's marker is not the one that was written");
	else if (!op->end.uuid || !op->end.uuid[0] || !text_eq_nocase(op->end.uuid, g->uuid))
		why = mem_strdup("the guest's UUID is not the recorded one");
	else if (text_eq(kv_get(&g->current, "protection"), "1"))
		why = mem_strdup("PVE's protection flag is set");
	marker_fini(&m);
	return why;
}

/* ---- the intent ---- */

static bool depart(struct op *op, bool deleting)
{
	_cleanup_err_ struct err *e = NULL;
	struct departure d = {.vmid = op->vmid,
	    .deleting = deleting,
	    .wall_ms = clock_wall(op->env.clock),
	    .now_ms = clock_now(op->env.clock)};

	if (op_is_held(op))
		return false;
	if (journal_depart(op->env.journal, op->name, &d, &e) == 0)
		return true;
	op_unwritable(op, e);
	return false;
}

static void note_upid(struct op *op, const char *upid)
{
	_cleanup_err_ struct err *e = NULL;

	/* Not written down is not lost: the guest is read again before anything else is done. */
	if (journal_depart_upid(op->env.journal, op->name, upid, &e) < 0)
		log_warn(op->name, "%s, ignoring", err_msg(e));
}

/* ---- the task ---- */

/* Volumes that PVE could not remove. 9.x counts them as warnings, 8.4 ends with OK all the same. */
static void take_leftovers(struct op *op, const struct strs *log)
{
	static const char words[] = "Could not remove disk '";

	for (size_t i = 0; i < log->n && op->end.left.n < LEFT_MAX; i++) {
		const char *p = strstr(log->v[i], words);
		size_t len = p ? strcspn(p + strlen(words), "'") : 0;
		_cleanup_str_ char *volume = p ? mem_strndup(p + strlen(words), len) : NULL;

		if (volume && *volume && !strs_has(&op->end.left, volume))
			strs_add(&op->end.left, volume);
	}
}

static void on_end_task(void *arg, const struct pvetask_result *r)
{
	struct op *op = arg;

	if (r->end == PVETASK_OK || r->end == PVETASK_WARNINGS)
		take_leftovers(op, r->log);
	op_task_ended(op, r);
}

static void on_end_sent(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;

	if (a->outcome == PVE_DONE && a->upid) {
		op->call = 0;
		note_upid(op, a->upid);
		if (op_follow(op, a->upid, on_end_task))
			return;
	}
	op_sent(op, a);
}

/* ---- the last look ---- */

static void on_last_look(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why)
{
	struct op *op = arg;
	_cleanup_str_ char *text = mem_strdup(why ? why->text : ""), *wrong = NULL;
	enum pve_reason word = why ? why->reason : PVE_NONE;

	if (end == LOOK_OK)
		wrong = who_is_it(op, g);
	/* Disks that were hung in since the plan was made go with it, a tag of a person may have
	 * come, and an HA resource would be removed with it. */
	bool changed =
	    end == LOOK_OK && !wrong && (!text_eq(op->end.digest, g->digest) || g->ha_managed);
	look_cancel(&op->look);
	if (end != LOOK_OK) {
		op_finish(op, OP_FAILED, end == LOOK_NO_CONFIG ? PVE_NOT_HERE : word, text);
		return;
	}
	if (wrong) {
		/* Read again in full: the plan will say what it is now. */
		log_error(op->name, "not destroyed: VM %u on %s: %s", op->vmid, op->node, wrong);
		op_finish(op, OP_FAILED, PVE_DIGEST, wrong);
		return;
	}
	if (changed) {
		op_finish(op, OP_FAILED, PVE_DIGEST,
		    "not destroyed: somebody changed the VM since it was read; reading it again");
		return;
	}
	op->endpoint = ENDPOINT_DESTROY;
	op_send(op, on_end_sent);
}

static void look_last(struct op *op)
{
	if (!depart(op, true))
		return;
	/* In full, for what the configuration does not say: whether HA manages it. */
	op->look = look_start(op->env.pve, op->vmid, op->node, false, on_last_look, op);
}

/* ---- clones that need it ---- */

static void next_store(struct op *op);

/* "base-9000-disk-0" stands in the name of whatever is linked to it. */
static bool is_linked(const struct op *op, const struct jsn *row)
{
	_cleanup_str_ char *base = mem_printf("base-%u-", op->vmid);
	const char *volid = jsn_get_text(row, "volid"), *parent = jsn_get_text(row, "parent");
	bool own = jsn_get_int(row, "vmid", 0) == (int64_t)op->vmid;

	return !own && ((volid && strstr(volid, base)) || (parent && strstr(parent, base)));
}

static void on_content(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;

	op->call = 0;
	if (a->outcome != PVE_DONE || !jsn_is_array(a->data) || jsn_len(a->data) > VOLUMES_MAX) {
		_cleanup_str_ char *text =
		    mem_printf("whether linked clones need the template is not to be seen: %s",
			a->outcome == PVE_DONE ? "the answer makes no sense" : a->text);

		op_finish(op, OP_FAILED, a->outcome == PVE_DONE ? PVE_PROTOCOL : a->reason, text);
		return;
	}
	for (size_t i = 0; i < jsn_len(a->data); i++) {
		const struct jsn *row = jsn_at(a->data, i);

		if (!is_linked(op, row))
			continue;
		_cleanup_str_ char *text = mem_printf("not %s: the volume %s is linked to it",
		    op->endpoint == ENDPOINT_MOVE_DISK ? "moved" : "destroyed",
		    jsn_get_text(row, "volid"));
		op_finish_stuck(op, REASON_LINKED_CLONES, text, NULL);
		return;
	}
	op->end.at_store++;
	next_store(op);
}

static void next_store(struct op *op)
{
	if (op->end.at_store == op->end.stores.n) {
		op->end.unlinked(op);
		return;
	}
	struct pvereq_spec q = {.endpoint = ENDPOINT_STORAGE_CONTENT,
	    .args = {.node = op->node, .storage = op->end.stores.v[op->end.at_store]}};

	op->call = pvereq_send(op->env.pve, &q, on_content, op);
}

void op_ask_linked(struct op *op, void (*next)(struct op *op))
{
	op->end.unlinked = next;
	next_store(op);
}

static void ask_quorum_last(struct op *op)
{
	op_ask_quorum(op, look_last);
}

static void send_power(struct op *op)
{
	if (depart(op, false))
		op_send(op, on_end_sent);
}

/* ---- jobs that copy it ---- */

static void on_replication(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;

	op->call = 0;
	if (a->outcome != PVE_DONE) {
		_cleanup_str_ char *text =
		    mem_printf("whether it is replicated is not to be seen: %s", a->text);

		op_finish(op, OP_FAILED, a->reason, text);
		return;
	}
	for (size_t i = 0; i < jsn_len(a->data) && i < JOBS_MAX; i++) {
		const struct jsn *job = jsn_at(a->data, i);

		if (jsn_get_int(job, "guest", 0) != (int64_t)op->vmid)
			continue;
		const char *id = jsn_get_text(job, "id");
		_cleanup_str_ char *text = mem_printf(
		    "not destroyed: the replication job %s copies its disks", id ? id : "");
		op_finish_stuck(op, REASON_REPLICATED, text, NULL);
		return;
	}
	if (op->end.power)
		op_ask_quorum(op, send_power);
	else
		op_ask_linked(op, ask_quorum_last);
}

static void ask_replication(struct op *op)
{
	struct pvereq_spec q = {.endpoint = ENDPOINT_REPLICATION};

	op->call = pvereq_send(op->env.pve, &q, on_replication, op);
}

/* ---- beginning ---- */

static void on_begin(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	if (op->end.refused)
		op_finish(op, OP_FAILED, PVE_DIGEST, op->end.refused);
	else
		ask_replication(op);
}

static void take_stores(struct op *op, const struct obs_guest *g)
{
	KV_FOREACH (item, &g->current) {
		_cleanup_drive_ struct drive d = {0};

		if (drive_parse(item->value, &d, NULL) == 0 && *d.storage && d.owner == g->vmid &&
		    !strs_has(&op->end.stores, d.storage))
			strs_add(&op->end.stores, d.storage);
	}
}

static void power_params(struct op *op)
{
	int64_t s = op->task_ms / 1000 * SHUTDOWN_SHARE_PERCENT / 100;

	if (s > SHUTDOWN_MAX_S)
		s = SHUTDOWN_MAX_S;
	kv_setf(&op->params, "timeout", "%lld", (long long)(s > 1 ? s : 1));
}

void op_end_start(struct op *op, const struct op_job *job)
{
	const struct step *s = job->step;

	MUST(job->guest && job->want && job->record);
	op->node = mem_strdup(job->guest->node);
	op->vmid = job->guest->vmid;
	op->task_ms = resource_int(job->want, ATTR_timeouts_delete);
	op->want_log = true;
	op->end.uuid = mem_strdup(job->record->uuid);
	op->end.nonce = mem_strdup(job->record->nonce);
	op->end.digest = mem_strdup(job->guest->digest);
	op->end.renamed_from = mem_strdup(job->want->renamed_from);
	op->end.power = s->kind != STEP_DESTROY;
	op->end.refused = job->record->vmid == op->vmid && job->record->proven
			      ? who_is_it(op, job->guest)
			      : mem_strdup("the guest is not on record for certain");
	if (op->end.power) {
		op->endpoint = s->kind == STEP_STOP ? ENDPOINT_STOP : ENDPOINT_SHUTDOWN;
		power_params(op);
	} else {
		kv_set(&op->params, "purge", s->purge ? "1" : "0");
		kv_set(&op->params, "destroy-unreferenced-disks", s->unreferenced ? "1" : "0");
		if (job->guest->template)
			take_stores(op, job->guest);
	}
	op->timer = clock_timer(op->env.clock, 0, on_begin, op);
}

static void on_resume(void *arg)
{
	struct op *op = arg;

	op->timer = 0;
	if (!op->upid || !op_follow(op, op->upid, on_end_task))
		op_finish(op, OP_AGAIN, PVE_TASK_LOST, "nobody knows what came of it");
}

void op_end_resume(struct op *op)
{
	const struct departure *d = journal_departure(op->env.journal, op->name);

	MUST(d);
	op->vmid = d->vmid;
	op->end.power = !d->deleting;
	op->want_log = true;
	op->task_ms = 600000;
	op->upid = mem_strdup(d->upid);
	op->timer = clock_timer(op->env.clock, 0, on_resume, op);
}

void op_end_fini(struct op *op)
{
	free(op->end.uuid);
	free(op->end.nonce);
	free(op->end.digest);
	free(op->end.renamed_from);
	free(op->end.refused);
	strs_fini(&op->end.stores);
	strs_fini(&op->end.left);
}
