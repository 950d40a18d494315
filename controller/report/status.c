#include "status.h"

#include <stdlib.h>
#include <string.h>

static void drift_clear(struct drift *d)
{
	free(d->path);
	free(d->wanted);
	free(d->found);
	free(d->who);
	free(d->why);
	*d = (struct drift){0};
}

void drifts_fini(struct drifts *l)
{
	for (size_t i = 0; i < l->n; i++)
		drift_clear(&l->v[i]);
	free(l->v);
	*l = (struct drifts){0};
}

struct drift *drifts_add(struct drifts *l)
{
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	struct drift *d = &l->v[l->n++];
	*d = (struct drift){0};
	return d;
}

void vmstat_fini(struct vmstat *v)
{
	free(v->name);
	free(v->file);
	free(v->rev);
	free(v->message);
	free(v->hint);
	free(v->node);
	free(v->power);
	free(v->lock);
	record_fini(&v->record);
	drifts_fini(&v->drifts);
	drifts_fini(&v->corrected);
	strs_fini(&v->linked_to);
	strs_fini(&v->pending_keys);
	strs_fini(&v->blocked);
	free(v->last_op);
	free(v->last_upid);
	free(v->last_result);
	diags_fini(&v->findings);
	*v = (struct vmstat){0};
}

bool vmstat_is_suspended(const struct vmstat *v)
{
	return v->verdict == PLAN_OFF;
}

bool vmstat_is_stalled(const struct vmstat *v)
{
	return !vmstat_is_suspended(v) && (v->verdict == PLAN_STALLED || v->stale);
}

bool vmstat_is_ready(const struct vmstat *v)
{
	return v->verdict == PLAN_IN_SYNC && !v->stale;
}

bool vmstat_is_reconciling(const struct vmstat *v)
{
	return v->verdict == PLAN_ACT || v->verdict == PLAN_WAIT;
}

bool vmstat_is_drifted(const struct vmstat *v)
{
	return v->drifts.n > 0;
}

bool vmstat_is_pending(const struct vmstat *v)
{
	return v->pending_keys.n > 0 || v->record.silent.n > 0;
}

bool vmstat_is_unknown(const struct vmstat *v)
{
	static const enum reason unseen[] = {REASON_READING, REASON_CLUSTER_UNREACHABLE,
	    REASON_UNAUTHENTICATED, REASON_NODE_OFFLINE, REASON_UNCONFIRMED, REASON_ACCESS_LOST};
	for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
		if (v->reason == unseen[i])
			return true;
	return false;
}

enum vmstat_state vmstat_state(const struct vmstat *v)
{
	if (vmstat_is_stalled(v))
		return VMSTAT_STALLED;
	switch (v->verdict) {
	case PLAN_WAIT:
		return VMSTAT_WAITING;
	case PLAN_ACT:
		return VMSTAT_RECONCILING;
	case PLAN_OFF:
		return VMSTAT_SUSPENDED;
	case PLAN_STALLED:
	case PLAN_IN_SYNC:
	case PLAN_VERDICT__MAX:
		break;
	}
	if (vmstat_is_drifted(v))
		return VMSTAT_DRIFTED;
	return vmstat_is_pending(v) ? VMSTAT_PENDING : VMSTAT_READY;
}

const char *vmstat_state_word(enum vmstat_state s)
{
	static const char *const words[VMSTAT_STATE__MAX] = {
	    [VMSTAT_STALLED] = "Stalled",
	    [VMSTAT_WAITING] = "Waiting",
	    [VMSTAT_DRIFTED] = "Drifted",
	    [VMSTAT_RECONCILING] = "Reconciling",
	    [VMSTAT_SUSPENDED] = "Suspended",
	    [VMSTAT_PENDING] = "Ready, restart pending",
	    [VMSTAT_READY] = "Ready",
	};
	MUST((size_t)s < VMSTAT_STATE__MAX);
	return words[s];
}

const char *vmstat_state_count_word(enum vmstat_state s)
{
	static const char *const words[VMSTAT_STATE__MAX] = {
	    [VMSTAT_STALLED] = "stalled",
	    [VMSTAT_WAITING] = "waiting",
	    [VMSTAT_DRIFTED] = "ready but drifted",
	    [VMSTAT_RECONCILING] = "being reconciled",
	    [VMSTAT_SUSPENDED] = "suspended",
	    [VMSTAT_PENDING] = "ready but for a restart",
	};
	MUST((size_t)s < VMSTAT_STATE__MAX);
	return words[s];
}

int vmstat_rank(const struct vmstat *v)
{
	return (int)vmstat_state(v);
}

enum reason vmstat_reason(const struct vmstat *v)
{
	/* A VM that fits its version in force says so; what is wrong is the newer one. */
	bool behind = v->stale && v->verdict != PLAN_STALLED && v->verdict != PLAN_OFF;
	return behind ? REASON_MANIFEST_INVALID : v->reason;
}

const char *vmstat_next(const struct vmstat *v)
{
	if (v->hint && *v->hint)
		return v->hint;
	const char *next = reason_next(vmstat_reason(v));
	return *next ? next : NULL;
}

size_t status_problem_facts(const char *text, const char **ret_next)
{
	const char *split = NULL;
	for (const char *at = text; (at = strstr(at, "; ")); at++)
		split = at;
	*ret_next = split ? split + 2 : "";
	return split ? (size_t)(split - text) : strlen(text);
}

struct status_counts status_count(const struct status *s)
{
	struct status_counts c = {.total = s->n_vms};
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vmstat *v = s->vms[i];
		c.ready += vmstat_is_ready(v);
		c.stalled += vmstat_is_stalled(v);
		c.reconciling += vmstat_is_reconciling(v);
		c.drifted += vmstat_is_drifted(v);
		c.pending += vmstat_is_pending(v);
		c.suspended += vmstat_is_suspended(v);
		c.by_state[vmstat_state(v)]++;
	}
	return c;
}

static int compare(const void *pa, const void *pb)
{
	const struct vmstat *a = *(const struct vmstat *const *)pa;
	const struct vmstat *b = *(const struct vmstat *const *)pb;
	int ra = vmstat_rank(a), rb = vmstat_rank(b);
	return ra != rb ? (ra < rb ? -1 : 1) : strcmp(a->name, b->name);
}

const struct vmstat **status_sorted(const struct status *s)
{
	const struct vmstat **v = mem_calloc(s->n_vms ? s->n_vms : 1, sizeof(*v));
	for (size_t i = 0; i < s->n_vms; i++)
		v[i] = s->vms[i];
	qsort(v, s->n_vms, sizeof(*v), compare);
	return v;
}

void status_fini(struct status *s)
{
	free(s->controller_id);
	free(s->instance);
	free(s->rev_wanted);
	free(s->rev_applied);
	free(s->rev_followed);
	free(s->subject);
	free(s->git_problem);
	free(s->cluster_problem);
	free(s->report_problem);
	free(s->state_problem);
	free(s->vms);
	diags_fini(&s->findings);
	strs_fini(&s->copies);
	strs_fini(&s->unclaimed);
	for (size_t i = 0; i < s->fallen.n; i++)
		free(s->fallen.v[i].name);
	free(s->fallen.v);
	strs_fini(&s->leftovers);
	strs_fini(&s->used_vmids);
	*s = (struct status){0};
}
