/* One turn: what was read is planned, and what the plan says comes next. */
#include "guest_int.h"
#include "log.h"
#include "marker.h"
#include "secretfile.h"

#include <stdlib.h>
#include <string.h>

#define AUTHOR_WAIT_MS 3000
#define OTHER_WAIT_MS 30000

static void fill_input(struct guest *g)
{
	struct turn *t = g->turn;

	guest_look_at_tags(g);
	t->bundle = bundle_ref(g->bundle);
	t->want = guest_wanted(g);
	t->has_record = g->rec.vmid != 0;
	record_copy(&t->record, &g->rec);
	guest_drift_fights(g, &t->fight);
	if (!g->nonce)
		g->nonce = mem_printf("%016llx", (unsigned long long)clock_random(g->env->clock));
	t->in = (struct plan_input){.want = t->want,
	    .record = t->has_record ? &t->record : NULL,
	    .guest = t->has_guest ? &t->guest : NULL,
	    .guest_gone = t->gone,
	    .source = t->has_source ? &t->source : NULL,
	    .source_gone = t->source_gone,
	    .bridges = t->bridges.n > 0 ? &t->bridges : NULL,
	    .cluster = inventory_view(g->env->inventory),
	    .policy = g->env->policy,
	    .fights = t->fight.n > 0,
	    .fight = &t->fight,
	    .wall_ms = clock_wall(g->env->clock),
	    .going = guest_is_departing(g),
	    .sized_slot = g->sized_slot,
	    .sized_gb = g->sized_gb,
	    .tagless = g->tagless,
	    .tags_refused = g->tags_refused.n ? &g->tags_refused : NULL,
	    .restarting = guest_is_restarting(g),
	    .secrets = &t->secrets,
	    .secret_errors = &t->secret_errors,
	    .nonce = g->nonce};
	if (guest_is_leaving(g) || (t->has_guest && t->guest.template))
		g->env->peril(g->env->arg, g, &t->in.peril);
}

static void take_learned(struct guest *g)
{
	const struct record *l = &g->turn->plan.learned;
	_cleanup_str_ char *rev = mem_strdup(g->rec.good_rev), *path = mem_strdup(g->rec.good_path);

	if (record_eq(l, &g->rec))
		return;
	record_fini(&g->rec);
	record_copy(&g->rec, l);
	mem_replace(&g->rec.good_rev, rev);
	mem_replace(&g->rec.good_path, path);
	/* Who is in sync has more to write in this very turn, and a write is waited for. */
	if (g->turn->plan.verdict != PLAN_IN_SYNC)
		guest_save_record(g);
}

static void fill_status(struct guest *g)
{
	const struct plan *p = &g->turn->plan;
	struct vmstat *s = &g->st;

	if (g->turn->has_guest) {
		const struct obs_guest *o = &g->turn->guest;

		mem_replace(&s->node, o->node);
		mem_replace(&s->power, o->power_word);
		mem_replace(&s->lock, o->lock);
	}
	strs_fini(&s->pending_keys);
	strs_copy(&s->pending_keys, &p->pending_keys);
	strs_fini(&s->blocked);
	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];

		if (c->state == CHANGE_BLOCKED)
			strs_add_take(&s->blocked,
			    mem_printf("%s: %s%s%s%s", c->path,
				c->why ? c->why : reason_word(c->reason), c->place ? " (" : "",
				c->place ? c->place : "", c->place ? ")" : ""));
	}
	g->env->changed(g->env->arg, g, NULL);
}

static void in_sync(struct guest *g)
{
	const struct plan *p = &g->turn->plan;
	/* The record as it was before this look, which has taken the hash over. */
	const char *hash = g->turn->want->hash;
	bool was = strcmp(g->turn->record.synced_hash, hash) == 0;

	g->fails = 0;
	g->acted = g->author_asked = false;
	mem_free_str(&g->last_step);
	turn_free(&g->last);
	if (!was || !g->rec.synced_rev) {
		memcpy(g->rec.synced_hash, hash, sizeof(g->rec.synced_hash));
		mem_replace(&g->rec.synced_rev, g->entry ? g->entry->rev : NULL);
	}
	guest_save_record(g);
	guest_set_status(g, PLAN_IN_SYNC, p->reason, p->message, p->hint);
	guest_settle(g);
}

static bool depends_wait(struct guest *g)
{
	const struct strs *deps = resource_set(g->want, ATTR_depends_on);

	for (size_t i = 0; deps && i < deps->n; i++) {
		_cleanup_str_ char *text = NULL;

		if (g->env->dependency_ready(g->env->arg, deps->v[i]))
			continue;
		text = mem_printf("%s is not Ready", deps->v[i]);
		guest_wait(g, REASON_DEPENDENCY, text, 10000, false);
		return true;
	}
	return false;
}

static void wait_for(struct guest *g, const struct plan *p)
{
	bool view = p->reason == REASON_NO_QUORUM || p->reason == REASON_QUORUM_YOUNG ||
		    p->reason == REASON_NODE_OFFLINE || p->reason == REASON_CLUSTER_UNREACHABLE ||
		    p->reason == REASON_STORAGE_SILENT;

	bool held = p->reason == REASON_LOCKED || p->reason == REASON_SOURCE_LOCKED ||
		    p->reason == REASON_HA_BUSY;

	guest_wait(g, p->reason, p->message, held ? GUEST_LOCK_WAIT_MS : OTHER_WAIT_MS, view);
	mem_replace(&g->st.hint, p->hint);
}

static void stalled(struct guest *g, const struct plan *p)
{
	g->acted = false;
	guest_stall(g, p->reason, p->message, p->hint);
}

/* Something differs; may it be changed now? */
static void may_act(struct guest *g, bool new_drift)
{
	const struct plan *p = &g->turn->plan;
	const struct step *s = &p->steps[0];
	int64_t delay;

	if (g->env->readonly || g->env->stopping) {
		guest_wait(g, g->env->readonly ? REASON_OBSERVE_ONLY : REASON_RETRYING, s->text,
		    g->env->full_read_ms, false);
		return;
	}
	if (guest_is_held(g) || guest_is_vain(g, s) || guest_awaits_restart(g, p))
		return;
	if (new_drift && !g->author_asked && inventory_log_known(g->env->inventory)) {
		/* The log is a moment behind: ask it for the author before the trace is mended. */
		g->author_asked = true;
		inventory_poke(g->env->inventory);
		guest_wait(g, REASON_CORRECTING, NULL, AUTHOR_WAIT_MS, true);
		return;
	}
	delay = guest_drift_delay(g);
	if (delay > 0) {
		_cleanup_str_ char *text =
		    mem_strdup("the same drift was corrected before; waiting "
			       "longer this time");

		guest_wait(g, REASON_CORRECTING, text, delay, false);
		return;
	}
	if (s->kind == STEP_CLONE && guest_has_lookalike(g))
		return;
	if ((s->kind == STEP_CLONE || s->kind == STEP_START) && depends_wait(g))
		return;
	if ((s->kind == STEP_CLONE || s->allocates) && !inventory_settled(g->env->inventory)) {
		guest_wait(g, inventory_unsettled(g->env->inventory),
		    "the view of the cluster is not whole, or quorum has not lasted 15 s yet",
		    15000, true);
		return;
	}
	guest_act(g);
}

/* The number on record belongs to somebody else, and another guest carries our marker for this
 * name: the record is older than that one, as after a loss. */
static bool take_newer(struct guest *g)
{
	const struct claim *c = claims_find(g->env->claims, g->name);

	enum reason r = g->turn->plan.reason;

	if ((r != REASON_FOREIGN_VM && r != REASON_COPIED_MARKER) || !c || c->locked ||
	    c->vmid == g->rec.vmid || claims_rival(g->env->claims, c) || guest_is_departing(g) ||
	    journal_intent(g->env->journal, g->name))
		return false;
	g->rec.vmid = 0;
	guest_take_claim(g, c);
	guest_enter(g, GUEST_WAIT);
	guest_begin(g);
	return true;
}

/* Another instance made it under the number that another VM had, as its report says and its marker
 * shows. Of two records that contradict each other none is a proof, so a person confirms it before
 * it is destroyed. */
static bool take_told(struct guest *g)
{
	const struct obs_guest *o = &g->turn->guest;
	const char *desc = kv_get(&o->current, "description");
	bool same = false;
	struct marker m;

	if (g->turn->plan.reason != REASON_FOREIGN_VM || !g->turn->has_guest ||
	    g->told.vmid != o->vmid || !text_eq_nocase(g->told.uuid, o->uuid) ||
	    guest_is_departing(g) || journal_intent(g->env->journal, g->name) ||
	    marker_find(desc ? desc : "", &m) != MARKER_OK)
		return false;
	same = strcmp(m.controller, g->env->policy->controller_id) == 0 &&
	       strcmp(m.name, g->name) == 0 && m.vmid == o->vmid && text_eq(m.nonce, g->told.nonce);
	marker_fini(&m);
	if (!same)
		return false;
	record_fini(&g->rec);
	g->rec = g->told;
	g->told = (struct record){0};
	g->rec.proven = g->rec.whole = false;
	log_warn(g->name, "VM %u is the one of the last report, not the one on record here",
	    g->rec.vmid);
	guest_save_record(g);
	guest_enter(g, GUEST_WAIT);
	guest_begin(g);
	return true;
}

void guest_plan_turn(struct guest *g)
{
	const struct plan *p;
	bool new_drift;

	if (!guest_wanted(g)) { /* the manifest went while the guest was being read */
		guest_enter(g, GUEST_WAIT);
		guest_begin(g);
		return;
	}
	fill_input(g);
	if (g->last && g->last->planned && g->turn->has_guest && g->rec.vmid) {
		plan_learn_step(&g->last->plan, 0, &g->last->in, &g->turn->guest, &g->rec);
		record_fini(&g->turn->record);
		record_copy(&g->turn->record, &g->rec);
		guest_save_record(g);
	}
	turn_free(&g->last);
	/* With the salt of what was written last, which may just have been learnt. */
	secretfile_look(g->env->policy->secrets_dir, g->turn->want,
	    g->turn->has_record ? &g->turn->record : NULL, &g->turn->secrets,
	    &g->turn->secret_errors);
	plan_make(&g->turn->in, &g->turn->plan);
	g->turn->in.peril = (struct plan_peril){0}; /* borrowed for the call */
	if (g->turn->has_guest)
		guest_learn_bases(g);
	if (g->turn->has_guest && !g->turn->plan.destroy)
		guest_stay(g);
	g->turn->planned = true;
	g->current = true;
	p = &g->turn->plan;
	if (take_newer(g) || take_told(g))
		return;
	take_learned(g);
	fill_status(g);
	new_drift = guest_drift_update(g);
	switch (p->verdict) {
	case PLAN_IN_SYNC:
		in_sync(g);
		return;
	case PLAN_ACT:
		if (p->n_steps == 0)
			guest_stall(g, REASON_BUG, "a plan to act has no step", NULL);
		else
			may_act(g, new_drift);
		return;
	case PLAN_WAIT:
		wait_for(g, p);
		return;
	case PLAN_STALLED:
		stalled(g, p);
		return;
	case PLAN_OFF:
		g->fails = 0;
		guest_set_status(g, PLAN_OFF, p->reason, p->message, p->hint);
		guest_settle(g);
		return;
	case PLAN_VERDICT__MAX:
		break;
	}
}
