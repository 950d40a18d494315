/* The status model as JSON, for programs that call the command. */
#include "jsn.h"
#include "statusview.h"

static void put_time(struct jsn *j, const char *key, int64_t wall_ms)
{
	_cleanup_str_ char *t = wall_ms ? text_time(wall_ms) : NULL;
	jsn_put_str(j, key, t);
}

static struct jsn *list(const struct strs *l)
{
	struct jsn *j = jsn_new_array();
	for (size_t i = 0; i < l->n; i++)
		jsn_push_str(j, l->v[i]);
	return j;
}

static struct jsn *drifts(const struct drifts *l)
{
	struct jsn *a = jsn_new_array();
	for (size_t i = 0; i < l->n; i++) {
		const struct drift *d = &l->v[i];
		struct jsn *j = jsn_new_object();
		jsn_put_str(j, "path", d->path);
		jsn_put_str(j, "wanted", d->wanted);
		jsn_put_str(j, "found", d->found);
		jsn_put_str(j, "by", d->who);
		put_time(j, "since", d->since_wall);
		put_time(j, "corrected", d->corrected_wall);
		if (d->fight)
			jsn_put_bool(j, "fight", true);
		jsn_put_str(j, "why", d->why);
		jsn_push(a, j);
	}
	return a;
}

static struct jsn *conditions(const struct vmstat *v)
{
	struct jsn *j = jsn_new_object();
	jsn_put_bool(j, "Ready", vmstat_is_ready(v));
	jsn_put_bool(j, "Reconciling", vmstat_is_reconciling(v));
	jsn_put_bool(j, "Stalled", vmstat_is_stalled(v));
	jsn_put_bool(j, "Drifted", vmstat_is_drifted(v));
	jsn_put_bool(j, "PendingReboot", vmstat_is_pending(v));
	jsn_put_bool(j, "Suspended", vmstat_is_suspended(v));
	return j;
}

static struct jsn *vm(const struct vmstat *v)
{
	struct jsn *j = jsn_new_object();
	jsn_put_str(j, "name", v->name);
	jsn_put_str(j, "state", vmstat_state_word(vmstat_state(v)));
	jsn_put_str(j, "reason", reason_word(vmstat_reason(v)));
	jsn_put_str(j, "message", v->message);
	jsn_put_str(j, "next", vmstat_next(v));
	put_time(j, "since", v->since_wall);
	jsn_put_bool(j, "known", !vmstat_is_unknown(v));
	jsn_put_str(j, "file", v->file);
	jsn_put_str(j, "revision", v->rev);
	jsn_put_bool(j, "stale", v->stale);
	if (v->record.vmid)
		jsn_put_int(j, "vmid", v->record.vmid);
	jsn_put_str(j, "uuid", v->record.uuid);
	jsn_put_str(j, "node", v->node);
	jsn_put_str(j, "power", v->power);
	jsn_put_str(j, "lock", v->lock);
	jsn_put(j, "conditions", conditions(v));
	jsn_put(j, "drift", drifts(&v->drifts));
	jsn_put(j, "corrected", drifts(&v->corrected));
	jsn_put(j, "linkedTo", list(&v->linked_to));
	jsn_put(j, "pendingKeys", list(&v->pending_keys));
	jsn_put(j, "blocked", list(&v->blocked));
	jsn_put_str(j, "lastOperation", v->last_op);
	jsn_put_str(j, "lastUpid", v->last_upid);
	jsn_put_str(j, "lastResult", v->last_result);
	jsn_put(j, "findings", diags_to_jsn(&v->findings));
	return j;
}

char *statusview_one_json(const struct vmstat *v)
{
	_cleanup_jsn_ struct jsn *j = vm(v);
	return jsn_print(j, true);
}

char *statusview_all_json(const struct status *s)
{
	struct status_counts c = status_count(s);
	_cleanup_jsn_ struct jsn *j = jsn_new_object();
	jsn_put_str(j, "controller", s->controller_id);
	jsn_put_str(j, "attempted", s->rev_wanted);
	jsn_put_str(j, "applied", s->rev_applied);
	jsn_put_int(j, "total", (int64_t)c.total);
	jsn_put_int(j, "ready", (int64_t)c.ready);
	jsn_put_int(j, "manifestErrors", (int64_t)diags_errors(&s->findings));
	struct jsn *problems = jsn_new_object();
	jsn_put_str(problems, "git", s->git_problem);
	jsn_put_str(problems, "cluster", s->cluster_problem);
	jsn_put_str(problems, "report", s->report_problem);
	jsn_put_str(problems, "state", s->state_problem);
	jsn_put(j, "problems", problems);
	struct jsn *vms = jsn_new_array();
	for (size_t i = 0; i < s->n_vms; i++)
		jsn_push(vms, vm(s->vms[i]));
	jsn_put(j, "vms", vms);
	return jsn_print(j, true);
}
