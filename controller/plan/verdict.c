#include "verdict.h"

#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define NAMED_MAX 3 /* changes that a message spells out */

static void give(
    struct planner *pl, enum plan_verdict v, enum reason r, char *message, const char *hint)
{
	struct plan *p = pl->out;
	p->verdict = v;
	p->reason = r;
	free(p->message);
	p->message = message;
	mem_replace(&p->hint, hint);
}

static size_t count(const struct plan *p, enum change_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_changes; i++)
		n += p->changes[i].state == state;
	return n;
}

static void add_named(struct buf *out, const struct plan *p, enum change_state state)
{
	size_t named = 0, all = count(p, state);
	for (size_t i = 0; i < p->n_changes && named < NAMED_MAX; i++) {
		const struct change *c = &p->changes[i];
		if (c->state != state)
			continue;
		buf_addf(out, "%s%s %s → %s", named ? ", " : "", c->path, c->from, c->to);
		named++;
	}
	if (all > named)
		buf_addf(out, " and %zu more", all - named);
}

static char *say(const char *before, const struct plan *p, enum change_state state)
{
	struct buf out;
	buf_init(&out, 0);
	buf_adds(&out, before);
	add_named(&out, p, state);
	return buf_take(&out);
}

static bool all_drift(const struct plan *p)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];
		if (c->step < 0)
			continue;
		if (!c->drift)
			return false;
		n++;
	}
	return n > 0;
}

static void act(struct planner *pl)
{
	struct plan *p = pl->out;
	const struct step *first = &p->steps[0];
	_cleanup_str_ char *why = NULL;

	enum reason r = policy_step(pl, first, &why);
	if (r != REASON_IN_SYNC) {
		enum plan_verdict v =
		    reason_cond(r) == REASON_COND_STALLED ? PLAN_STALLED : PLAN_WAIT;
		give(pl, v, r, mem_printf("waiting to %s: %s", first->text, why), NULL);
		return;
	}
	if (pl->policy->observe_only) {
		give(pl, PLAN_WAIT, REASON_OBSERVE_ONLY,
		    mem_printf("would %s; the controller only observes", first->text), NULL);
		return;
	}
	r = p->destroy	   ? REASON_DESTROYING
	    : pl->foretold ? REASON_CREATING
	    : all_drift(p) ? REASON_CORRECTING
			   : REASON_UPDATING;
	if (p->n_steps == 1)
		give(pl, PLAN_ACT, r, mem_strdup(first->text), NULL);
	else
		give(pl, PLAN_ACT, r,
		    mem_printf("%s, then %zu more step%s", first->text, p->n_steps - 1,
			p->n_steps == 2 ? "" : "s"),
		    NULL);
}

/* Nothing is left that could be done: what differs from now on is drift, but for what could never
 * be had. */
static void note_synced(struct planner *pl)
{
	struct plan *p = pl->out;
	struct record *r = &p->learned;

	if (pl->foretold || pl->adopting)
		return;
	memcpy(r->synced_hash, pl->want->hash, sizeof(r->synced_hash));
	kv_fini(&r->unmet);
	if (pl->tagless)
		kv_set(&r->unmet, PLANNER_TAG, reason_word(REASON_TAG_FORBIDDEN));
	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];
		if (c->state == CHANGE_BLOCKED && !c->drift)
			kv_set(&r->unmet, c->path, reason_word(c->reason));
	}
}

static void blocked(struct planner *pl, const struct change *worst)
{
	size_t n = count(pl->out, CHANGE_BLOCKED);
	enum plan_verdict v =
	    reason_cond(worst->reason) == REASON_COND_STALLED ? PLAN_STALLED : PLAN_WAIT;
	_cleanup_str_ char *more =
	    n > 1 ? mem_printf("; %zu more %s blocked", n - 1, n == 2 ? "is" : "are")
		  : mem_strdup("");
	give(pl, v, worst->reason,
	    mem_printf("%s%s%s%s%s",
		pl->foretold	   ? "not cloned: "
		: pl->out->destroy ? "not destroyed: "
				   : "",
		pl->out->destroy ? "" : worst->path, pl->out->destroy ? "" : ": ", worst->why,
		more),
	    worst->hint);
}

static bool any_report(const struct plan *p, enum reason r)
{
	for (size_t i = 0; i < p->n_changes; i++)
		if (p->changes[i].state == CHANGE_REPORT && p->changes[i].reason == r)
			return true;
	return false;
}

static void tagless(struct planner *pl)
{
	const char *tag = pl->policy->env.tag;
	_cleanup_str_ char *hint = mem_printf(
	    "as root on a node, look at registered-tags and user-tag-access: pvesh get "
	    "/cluster/options; take %s out of the registered ones (pvesh set /cluster/options "
	    "--registered-tags ...), or let everybody set it (pvesh set /cluster/options "
	    "--user-tag-access user-allow=list,user-allow-list=%s); or set cluster.tag to another "
	    "tag or to \"\"; it is tried again when these options or the manifest change, or Ramet "
	    "starts",
	    tag, tag);

	give(pl, PLAN_IN_SYNC, REASON_TAG_FORBIDDEN,
	    mem_printf(
		"everything listed is so; PVE does not let the token put the tag %s on", tag),
	    hint);
}

static void settled(struct planner *pl)
{
	struct plan *p = pl->out;

	if (any_report(p, REASON_DRIFT_REPORTED))
		give(pl, PLAN_IN_SYNC, REASON_DRIFT_REPORTED, say("drift: ", p, CHANGE_REPORT),
		    NULL);
	else if (count(p, CHANGE_PENDING))
		give(pl, PLAN_IN_SYNC, REASON_PENDING_REBOOT,
		    say(pl->g->power == OBS_POWER_STOPPED ? "comes with the next start: "
			: pl->restarted ? "waits for a stop and start, a restart did not bring it: "
					: "waits for a stop and start: ",
			p, CHANGE_PENDING),
		    pl->g->power == OBS_POWER_STOPPED ? "Start the guest when it suits you."
						      : NULL);
	else if (any_report(p, REASON_CLONE_SOURCE_CHANGED))
		give(pl, PLAN_IN_SYNC, REASON_CLONE_SOURCE_CHANGED,
		    say("history, not changed: ", p, CHANGE_REPORT), NULL);
	else if (pl->tagless)
		tagless(pl);
	else if (pl->in->record && !pl->out->learned.proven)
		give(pl, PLAN_IN_SYNC, REASON_UNPROVEN,
		    mem_strdup("everything listed is so; the record was rebuilt from the marker"),
		    NULL);
	else
		give(pl, PLAN_IN_SYNC, REASON_IN_SYNC, mem_strdup("everything listed is so"), NULL);
}

void verdict_give(struct planner *pl)
{
	const struct change *worst = planner_worst(pl);

	if (pl->hands_off)
		return; /* match has said it */
	if (pl->out->n_steps) {
		act(pl);
		return;
	}
	if (!pl->out->destroy)
		note_synced(pl);
	if (worst)
		blocked(pl, worst);
	else
		settled(pl);
}
