/* vms/NAME.yaml: one VM in full, for people, for programs, and for the next start. */
#include <stdlib.h>
#include <string.h>

#include "tree_part.h"
#include "yout.h"

static char *cut(const char *s)
{
	return s ? text_oneline(s, TREE_VM_TEXT_CHARS) : NULL;
}

/* A text that others wrote: bounded, on one line. */
static void put_cut(struct yout *y, const char *key, const char *s)
{
	_cleanup_str_ char *c = yout_is_folding(y) ? NULL : cut(s);
	yout_str(y, key, c ? c : s);
}

static const char *const phases[PLAN_VERDICT__MAX] = {
    [PLAN_IN_SYNC] = "InSync",
    [PLAN_ACT] = "Acting",
    [PLAN_WAIT] = "Waiting",
    [PLAN_STALLED] = "Stalled",
    [PLAN_OFF] = "Off",
};

const char *tree_phase_word(enum plan_verdict v)
{
	MUST((size_t)v < PLAN_VERDICT__MAX);
	return phases[v];
}

static const char *const outlooks[CHANGE_STATE__MAX] = {
    [CHANGE_DO] = "Correct",
    [CHANGE_PENDING] = "Pending",
    [CHANGE_BLOCKED] = "Blocked",
    [CHANGE_REPORT] = "Report",
};

const char *tree_outlook_word(enum change_state s)
{
	MUST((size_t)s < CHANGE_STATE__MAX);
	return outlooks[s];
}

/* ---- conditions ---- */

struct condition {
	const char *type;
	const char *status;
	const char *reason;
	const char *message;
	int64_t since;
};

static void put_condition(struct yout *y, const struct condition *c)
{
	yout_item(y);
	yout_str(y, "type", c->type);
	yout_str(y, "status", c->status);
	yout_str(y, "reason", c->reason);
	put_cut(y, "message", c->message);
	yout_time(y, "since", c->since);
	yout_item_end(y);
}

static const char *truth(bool b)
{
	return b ? "True" : "False";
}

static int64_t first_drift(const struct drifts *l)
{
	int64_t first = 0;
	for (size_t i = 0; i < l->n; i++)
		if (first == 0 || l->v[i].since_wall < first)
			first = l->v[i].since_wall;
	return first;
}

static void put_conditions(struct yout *y, const struct vmstat *v)
{
	const char *why = reason_word(v->reason);
	bool behind = vmstat_reason(v) != v->reason;
	const char *stalled_why = reason_word(vmstat_reason(v));
	bool ready = vmstat_is_ready(v), stalled = vmstat_is_stalled(v);
	bool drifted = vmstat_is_drifted(v), pending = vmstat_is_pending(v);
	_cleanup_str_ char *drift = drifted ? mem_printf("%zu differing", v->drifts.n) : NULL;
	_cleanup_str_ char *keys = v->pending_keys.n ? strs_join(&v->pending_keys, ", ") : NULL;
	const struct condition all[] = {
	    {"Ready", vmstat_is_unknown(v) ? "Unknown" : truth(ready), ready ? why : stalled_why,
		behind ? reason_doc(REASON_MANIFEST_INVALID) : v->message, v->since_wall},
	    {"Reconciling", truth(vmstat_is_reconciling(v)),
		vmstat_is_reconciling(v) ? why : "Settled", NULL, v->since_wall},
	    {"Stalled", truth(stalled), stalled ? stalled_why : "NoPersonNeeded",
		stalled ? vmstat_next(v) : NULL, v->since_wall},
	    {"Drifted", truth(drifted), drifted ? "Differs" : "AsListed", drift,
		first_drift(&v->drifts)},
	    {"PendingReboot", truth(pending), pending ? "RestartNeeded" : "NothingPending", keys,
		0},
	    {"Suspended", truth(vmstat_is_suspended(v)),
		vmstat_is_suspended(v) ? why : "NotSuspended", NULL, v->since_wall},
	};
	yout_open(y, "conditions");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		put_condition(y, &all[i]);
	yout_close(y);
}

/* ---- the rest ---- */

static void put_drifts(struct yout *y, const char *key, const struct drifts *l, size_t max)
{
	if (l->n == 0)
		return;
	yout_open(y, key);
	for (size_t i = 0; i < l->n && i < max; i++) {
		const struct drift *d = &l->v[i];
		yout_item(y);
		yout_str(y, "path", d->path);
		put_cut(y, "wanted", d->wanted);
		put_cut(y, "found", d->found);
		put_cut(y, "by", d->who);
		yout_time(y, "since", d->since_wall);
		if (d->corrected_wall)
			yout_time(y, "corrected", d->corrected_wall);
		else
			yout_str(y, "state", tree_outlook_word(d->state));
		if (d->fight)
			yout_bool(y, "fight", true);
		put_cut(y, "why", d->why);
		yout_item_end(y);
	}
	yout_close(y);
}

static void put_findings(struct yout *y, const struct diags *l)
{
	if (l->n == 0)
		return;
	yout_open(y, "findings");
	for (size_t i = 0; i < l->n && i < TREE_VM_FINDINGS_MAX; i++) {
		const struct diag *d = &l->v[i];
		yout_item(y);
		yout_str(y, "code", diag_word(d->code));
		put_cut(y, "file", d->file);
		if (d->mark.line > 0) {
			yout_int(y, "line", d->mark.line);
			yout_int(y, "column", d->mark.col);
		}
		put_cut(y, "message", d->msg);
		put_cut(y, "hint", d->hint);
		yout_item_end(y);
	}
	yout_close(y);
}

static void put_record(struct yout *y, const struct record *r)
{
	yout_open(y, "record");
	if (r->vmid)
		yout_int(y, "vmid", r->vmid);
	yout_str(y, "uuid", r->uuid);
	yout_str(y, "nonce", r->nonce);
	yout_bool(y, "proven", r->proven);
	yout_str(y, "node", r->node);
	if (r->source_vmid)
		yout_int(y, "sourceVmid", r->source_vmid);
	yout_str(y, "sourceUuid", r->source_uuid);
	yout_str(y, "syncedHash", r->synced_hash[0] ? r->synced_hash : NULL);
	yout_str(y, "syncedRevision", r->synced_rev);
	yout_str(y, "goodRevision", r->good_rev);
	yout_str(y, "goodPath", r->good_path);
	if (r->boot_mark)
		yout_int(y, "bootMark", r->boot_mark);
	if (r->whole)
		yout_bool(y, "whole", true);
	yout_kv(y, "cloned", &r->cloned);
	yout_kv(y, "volumes", &r->volumes);
	yout_kv(y, "loose", &r->loose);
	yout_kv(y, "macs", &r->macs);
	yout_kv(y, "sizes", &r->sizes);
	yout_kv(y, "stored", &r->stored);
	yout_kv(y, "silent", &r->silent);
	yout_kv(y, "unmet", &r->unmet);
	if (r->owns)
		yout_bool(y, "owns", true);
	yout_kv(y, "owned", &r->owned);
	yout_kv(y, "parting", &r->parting);
	yout_close(y);
}

static void put_operation(struct yout *y, const struct vmstat *v)
{
	if (!v->last_op && !v->last_upid && !v->last_result)
		return;
	yout_open(y, "lastOperation");
	put_cut(y, "what", v->last_op);
	put_cut(y, "upid", v->last_upid);
	put_cut(y, "result", v->last_result);
	yout_close(y);
}

static void put_vm(struct yout *y, const struct vmstat *v)
{
	yout_str(y, "apiVersion", "ramet.dev/v1");
	yout_str(y, "kind", "ClonedVMStatus");
	yout_open(y, "metadata");
	yout_str(y, "name", v->name);
	yout_close(y);
	yout_open(y, "status");
	yout_str(y, "phase", tree_phase_word(v->verdict));
	yout_str(y, "reason", reason_word(v->reason));
	put_cut(y, "message", v->message);
	put_cut(y, "hint", v->hint);
	yout_time(y, "since", v->since_wall);
	yout_str(y, "file", v->file);
	yout_str(y, "revision", v->rev);
	yout_bool(y, "stale", v->stale);
	put_conditions(y, v);
	yout_str(y, "node", v->node);
	put_cut(y, "power", v->power);
	put_cut(y, "lock", v->lock);
	yout_strs(y, "linkedTo", &v->linked_to);
	yout_strs(y, "pendingKeys", &v->pending_keys);
	yout_strs(y, "blocked", &v->blocked);
	put_drifts(y, "drift", &v->drifts, TREE_VM_DRIFTS_MAX);
	put_drifts(y, "corrected", &v->corrected, STATUS_CORRECTED_MAX);
	put_operation(y, v);
	put_findings(y, &v->findings);
	put_record(y, &v->record);
	yout_close(y);
}

char *tree_render_vm(const struct vmstat *v)
{
	struct buf out = {0};
	struct yout y = {.out = &out};
	put_vm(&y, v);
	return buf_take(&out);
}

uint64_t tree_fold_vm(const struct vmstat *v, uint64_t seed)
{
	struct yout y = {.fold = seed};
	put_vm(&y, v);
	return y.fold;
}
