#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "cidrive.h"
#include "destroy.h"
#include "diff.h"
#include "drives.h"
#include "foretell.h"
#include "match.h"
#include "order.h"
#include "preflight.h"
#include "verdict.h"

#define BOOT_SLACK_S 10 /* the start of a guest is derived from its uptime, which is rounded */

const char *step_kind_word(enum step_kind k)
{
	static const char *const words[] = {
	    [STEP_CLONE] = "clone",
	    [STEP_MOVE] = "move",
	    [STEP_RESIZE] = "resize",
	    [STEP_CONFIG] = "configure",
	    [STEP_POOL] = "pool",
	    [STEP_MIGRATE] = "migrate",
	    [STEP_TEMPLATE] = "template",
	    [STEP_START] = "start",
	    [STEP_SHUTDOWN] = "shutdown",
	    [STEP_REBOOT] = "reboot",
	    [STEP_STOP] = "stop",
	    [STEP_DESTROY] = "destroy",
	};
	MUST(k < STEP_KIND__MAX);
	return words[k];
}

const char *plan_disruption_word(enum plan_disruption d)
{
	static const char *const words[] = {"none", "hotplug", "reboot"};
	MUST(d < PLAN_DISRUPTION__MAX);
	return words[d];
}

void change_fini(struct change *c)
{
	free(c->path);
	free(c->slot);
	free(c->from);
	free(c->to);
	free(c->why);
	free(c->hint);
	free(c->place);
	*c = (struct change){0};
}

void plan_fini(struct plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++)
		step_fini(&p->steps[i]);
	for (size_t i = 0; i < p->n_changes; i++)
		change_fini(&p->changes[i]);
	free(p->steps);
	free(p->changes);
	free(p->message);
	free(p->hint);
	strs_fini(&p->pending_keys);
	record_fini(&p->learned);
	*p = (struct plan){0};
}

/* ---- setting up ---- */

static void set_modes(struct planner *pl)
{
	static const char *const drifts[] = {"correct", "report", "ignore"};
	static const char *const ceilings[] = {"none", "hotplug", "reboot"};
	const char *drift = planner_text(pl, ATTR_drift, NULL);
	const char *ceiling = planner_text(pl, ATTR_max_disruption, NULL);

	pl->drift = pl->policy->drift;
	for (size_t i = 0; i < ARRAY_LEN(drifts); i++)
		if (text_eq(drift, drifts[i]))
			pl->drift = (enum plan_drift)i;
	pl->ceiling = pl->policy->max_disruption;
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++)
		if (text_eq(ceiling, ceilings[i]))
			pl->ceiling = (enum plan_disruption)i;
}

static void use_guest(struct planner *pl)
{
	const struct obs_guest *g = pl->in->guest;
	const struct record *r = pl->in->record;
	struct record *learned = &pl->out->learned;

	pl->g = g;
	pl->running = g->power != OBS_POWER_STOPPED && g->power != OBS_POWER_HIBERNATED;
	pl->unchanged = r && r->synced_hash[0] && text_eq(r->synced_hash, pl->want->hash);
	bool started_since =
	    g->started_s && learned->boot_mark && g->started_s > learned->boot_mark + BOOT_SLACK_S;
	if (g->power == OBS_POWER_STOPPED || started_since)
		kv_fini(&learned->silent);
	strs_fini(&pl->out->pending_keys);
	strs_copy(&pl->out->pending_keys, &g->pending_keys);
}

static bool stop(struct planner *pl, enum plan_verdict v, enum reason r, char *message)
{
	pl->out->verdict = v;
	pl->out->reason = r;
	free(pl->out->message);
	pl->out->message = message;
	return false;
}

static bool use_source(struct planner *pl)
{
	long long id = (long long)resource_int(pl->want, ATTR_clone_source_vm_id);
	_cleanup_err_ struct err *err = NULL;

	pl->out->create = true;
	if (!pl->in->source && pl->in->source_gone) {
		preflight_clone(pl); /* what else is wrong need not wait */
		return stop(pl, PLAN_STALLED, REASON_SOURCE_MISSING,
		    mem_printf(
			"not cloned: there is no VM %lld to clone, or the token cannot see it",
			id));
	}
	if (!pl->in->source)
		return stop(pl, PLAN_WAIT, REASON_READING,
		    mem_printf("the template %lld has not been read yet", id));
	if (foretell_clone(pl, &pl->foretold_guest, &err) < 0) {
		stop(pl, PLAN_STALLED, REASON_DESCRIPTION_TOO_LONG,
		    mem_printf("not cloned: VM %lld: %s", id, err_msg(err)));
		mem_replace(&pl->out->hint, err ? err->hint : NULL);
		return false;
	}
	pl->g = &pl->foretold_guest;
	pl->foretold = true;
	return true;
}

/* ---- the passes ---- */

static int compare_changes(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

static void drop_steps(struct plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++)
		step_fini(&p->steps[i]);
	p->n_steps = 0;
	for (size_t i = 0; i < p->n_changes; i++)
		p->changes[i].step = -1;
}

/* Asked last and for all steps at once: nothing that is not listed is written or removed. */
static void guard(struct planner *pl)
{
	char *wrong = plan_check_steps(pl->out, pl->in);
	if (!wrong)
		return;
	drop_steps(pl->out);
	stop(pl, PLAN_STALLED, REASON_BUG, wrong);
}

static void finish_changes(struct planner *pl)
{
	struct plan *p = pl->out;

	planner_place(pl);
	if (p->n_changes > 1)
		qsort(p->changes, p->n_changes, sizeof(*p->changes), compare_changes);
}

static void compare(struct planner *pl)
{
	struct plan *p = pl->out;

	kv_copy(&pl->goal, &pl->g->pending);
	diff_own(pl);
	diff_deletes(pl);
	diff_devices(pl);
	drives_plan(pl);
	cidrive_plan(pl);
	diff_leaves(pl);
	if (pl->foretold)
		preflight_clone(pl);
	order_steps(pl);
	actions_plan(pl);
	/* A VM that could not be finished is not begun; one that is not ours to touch is left. */
	if (pl->hands_off || (pl->foretold && planner_worst(pl)))
		drop_steps(p);
	order_restart(pl);
	finish_changes(pl);
	verdict_give(pl);
	guard(pl);
}

static void end(struct planner *pl)
{
	destroy_plan(pl);
	finish_changes(pl);
	verdict_give(pl);
	guard(pl);
}

void plan_make(const struct plan_input *in, struct plan *ret)
{
	struct planner pl = {.in = in, .out = ret, .want = in->want, .policy = in->policy};

	*ret = (struct plan){0};
	if (in->record)
		record_copy(&ret->learned, in->record);
	if (!in->want) {
		stop(&pl, PLAN_OFF, REASON_ORPHANED,
		    mem_strdup("the manifest is gone; the VM is left as it is"));
		return;
	}
	set_modes(&pl);
	enum match m = match_guest(&pl);
	if (m == MATCH_OURS) {
		use_guest(&pl);
		compare(&pl);
	} else if (m == MATCH_END) {
		use_guest(&pl);
		end(&pl);
	} else if (m == MATCH_CREATE) {
		record_fini(&ret->learned); /* of a VM that is no more */
		if (use_source(&pl))
			compare(&pl);
		else
			finish_changes(&pl);
	}
	planner_fini(&pl);
}
