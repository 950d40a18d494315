#include "guest_int.h"
#include "log.h"
#include "secretfile.h"

#include <stdlib.h>
#include <string.h>

#define RETRIES 4
#define AUTHOR_WAIT_MS 3000
#define LOCK_WAIT_MS 15000
#define OTHER_WAIT_MS 30000

static void act(struct guest *g);

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
		guest_save_record(g);
	}
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

	guest_wait(g, p->reason, p->message,
	    p->reason == REASON_LOCKED || p->reason == REASON_SOURCE_LOCKED ? LOCK_WAIT_MS
									    : OTHER_WAIT_MS,
	    view);
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
	act(g);
}

/* The number on record belongs to somebody else, and another guest carries our marker for this
 * name: the record is older than that one, as after a loss. */
static bool take_newer(struct guest *g)
{
	const struct claim *c = claims_find(g->env->claims, g->name);

	enum reason r = g->turn->plan.reason;

	if ((r != REASON_FOREIGN_VM && r != REASON_COPIED_MARKER) || !c || c->locked ||
	    c->vmid == g->rec.vmid || guest_is_departing(g) ||
	    journal_intent(g->env->journal, g->name))
		return false;
	g->rec.vmid = 0;
	guest_take_claim(g, c);
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
	if (take_newer(g))
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

static void on_progress(void *arg, int percent)
{
	struct guest *g = arg;

	g->env->note(g->env->arg, NOTE_PROGRESS, g->name, g->st.last_op, percent);
}

static void note_result(struct guest *g, const struct op_result *r)
{
	_cleanup_str_ char *text = text_oneline(r->text, 300);

	mem_replace(&g->st.last_upid, r->upid);
	mem_replace(&g->st.last_result, text);
	if (r->end == OP_FREE)
		return;
	g->env->note(g->env->arg, NOTE_DONE, g->name, text, -1);
	log_info(g->name, "%s: %s", g->st.last_op ? g->st.last_op : "", text);
}

/* For these a person is needed at once; all others are tried again first. */
static bool needs_person(enum pve_reason why, enum reason *ret)
{
	static const struct {
		enum pve_reason why;
		enum reason reason;
	} rows[] = {{PVE_ROOT_ONLY, REASON_ROOT_ONLY}, {PVE_PROTECTED, REASON_PROTECTED},
	    {PVE_PARAMETER, REASON_REJECTED}, {PVE_UNSUPPORTED, REASON_NOT_SUPPORTED},
	    {PVE_HA_MANAGED, REASON_HA_MANAGED}, {PVE_BASE_IN_USE, REASON_LINKED_CLONES},
	    {PVE_REPLICATED, REASON_REPLICATED}, {PVE_NO_SPACE, REASON_STORAGE_FULL}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].why == why) {
			*ret = rows[i].reason;
			return true;
		}
	}
	return false;
}

/* How often is tried again what fails for no passing reason. */
static unsigned retries(const struct guest *g)
{
	bool clone = !g->rec.vmid && g->want;

	return clone ? (unsigned)resource_int(g->want, ATTR_clone_retries) : RETRIES;
}

static void stall_step(struct guest *g, enum pve_reason why, const char *text)
{
	_cleanup_str_ char *hint = guest_step_hint(g);

	guest_stall(g, REASON_REJECTED, text, hint ? hint : guest_hint(why, text));
}

static void failed(struct guest *g, const struct op_result *r)
{
	_cleanup_str_ char *text = text_oneline(r->text, 300);
	bool counts = r->why == PVE_OTHER || pve_reason_next(r->why) == PVE_NEXT_PERSON;
	bool has_guest = g->turn && g->turn->has_guest;
	bool ending = g->turn && g->turn->planned && g->turn->plan.destroy;
	/* Whoever waits for somebody else has not failed. */
	bool waits =
	    r->why == PVE_LOCKED || r->why == PVE_NO_QUORUM || r->why == PVE_UNAUTHENTICATED;
	enum reason person;

	if (r->why == PVE_FORBIDDEN) {
		guest_forbidden(g, r);
		return;
	}
	g->fails += !waits;
	/* Each try holds the guest's lock for minutes. */
	if (r->why == PVE_NO_SHUTDOWN && (ending || g->fails > 2)) {
		guest_stall(g, REASON_STAYS_UP, text, ending ? NULL : guest_hint(r->why, text));
		return;
	}
	if (r->why == PVE_LOCKED)
		guest_wait(
		    g, has_guest ? REASON_LOCKED : REASON_SOURCE_LOCKED, text, LOCK_WAIT_MS, false);
	else if (r->why == PVE_NO_QUORUM)
		guest_wait(g, REASON_NO_QUORUM, text, 15000, true);
	else if (r->why == PVE_DIGEST && g->fails <= 3)
		guest_wait(g, REASON_RETRYING, text, 0, false);
	else if (r->why == PVE_UNAUTHENTICATED)
		guest_wait(g, REASON_UNAUTHENTICATED, text, 60000, true);
	else if (needs_person(r->why, &person))
		guest_stall(g, person, text, guest_hint(r->why, text));
	else if (counts && g->fails > retries(g))
		stall_step(g, r->why, text);
	else
		guest_wait(g,
		    r->end == OP_AGAIN && r->why != PVE_NO_SHUTDOWN ? REASON_UNCONFIRMED
								    : REASON_TASK_FAILED,
		    text, guest_backoff(g), r->why == PVE_NOT_HERE);
	if (r->why == PVE_NOT_HERE)
		inventory_poke(g->env->inventory);
}

static void take_created(struct guest *g, const struct op_result *r)
{
	_cleanup_str_ char *rev = mem_strdup(g->rec.good_rev), *path = mem_strdup(g->rec.good_path);
	_cleanup_str_ char *event =
	    mem_printf("created %s as %u on %s", g->name, r->record->vmid, r->record->node);

	record_fini(&g->rec);
	record_copy(&g->rec, r->record);
	mem_replace(&g->rec.good_rev, rev);
	mem_replace(&g->rec.good_path, path);
	g->fails = 0;
	g->met = false;
	guest_save_record(g);
	g->env->changed(g->env->arg, g, event);
	inventory_poke(g->env->inventory);
	guest_wait(g, REASON_CREATING, NULL, 5000, true); /* until the list shows it */
}

/* The step was carried out as far as PVE says; the next look tells. A step that changes nothing is
 * not sent again and again without a pause. */
static void done(struct guest *g)
{
	const struct step *s = &g->turn->plan.steps[0];
	bool destroyed = s->kind == STEP_DESTROY;
	bool same = g->last_step && text_eq(g->last_step, s->text);

	mem_replace(&g->last_step, s->text);
	g->acted = true;
	if (s->kind == STEP_MIGRATE)
		inventory_poke(g->env->inventory);
	turn_free(&g->last);
	g->last = TAKE(g->turn);
	if (guest_went_down(g, s))
		return;
	if (destroyed) {
		g->end_seen = true;
		inventory_poke(g->env->inventory);
		guest_wait(
		    g, REASON_DESTROYING, "destroyed; looking whether it is gone", 5000, true);
		return;
	}
	guest_note_size(g, s, same);
	if (guest_note_vain(g, same))
		return;
	if (same) {
		g->fails++;
		guest_wait(g, REASON_UPDATING, "the step had no visible effect yet",
		    guest_backoff(g), false);
		return;
	}
	guest_enter(g, GUEST_WAIT);
	guest_begin(g);
}

/* The operation that just ended was this. */
static bool is_step(const struct guest *g, enum step_kind kind)
{
	const struct plan *p = g->turn && g->turn->planned ? &g->turn->plan : NULL;

	return p && p->n_steps && p->steps[0].kind == kind;
}

static void on_op(void *arg, const struct op_result *r)
{
	struct guest *g = arg;
	bool clone = g->storage != NULL;

	CHECK_OBJ(g, GUEST_MAGIC);
	note_result(g, r);
	if (is_step(g, STEP_POOL))
		g->pool_at = clock_now(g->env->clock);
	if (clone)
		gate_storage_result(g->env->gate, g->storage, r->why == PVE_STORAGE_LOCK);
	gate_give(g->env->gate, &g->ticket);
	g->intent_free = false;
	guest_note_left(g, r);
	guest_note_full(g, r);
	if (g->resuming) {
		guest_end_resumed(g, r);
		op_cancel(&g->op);
		return;
	}
	if (r->end != OP_STUCK || r->reason != REASON_TASK_STUCK)
		g->end_seen = true; /* if there was one */
	switch (r->end) {
	case OP_DONE:
		done(g);
		break;
	case OP_CREATED:
		take_created(g, r);
		break;
	case OP_FREE:
		g->intent_free = true;
		guest_enter(g, GUEST_WAIT);
		guest_begin(g);
		break;
	case OP_ABANDONED:
		guest_meet(g, r->text);
		break;
	case OP_STUCK:
		if (r->reason == REASON_TASK_STUCK)
			guest_wait(g, r->reason, r->text, 60000, false);
		else if (r->reason == REASON_STATE_UNWRITABLE)
			guest_wait_state(g, r->text);
		else
			guest_stall(g, r->reason, r->text, r->hint);
		break;
	case OP_AGAIN:
		g->acted = true; /* perhaps */
		failed(g, r);
		break;
	case OP_FAILED:
		failed(g, r);
		break;
	case OP_END__MAX:
		break;
	}
	op_cancel(&g->op);
}

void guest_start_op(struct guest *g, const struct op_job *job)
{
	guest_enter(g, GUEST_ACT);
	g->op = op_start(&g->env->op, job, on_op, on_progress, g);
}

static void run_step(struct guest *g)
{
	const struct plan *p = &g->turn->plan;
	const struct step *s = &p->steps[0];
	struct turn *t = g->turn;
	struct op_job job = {.name = g->name,
	    .step = s,
	    .want = t->want,
	    .record = t->has_record ? &g->rec : NULL,
	    .guest = t->has_guest ? &t->guest : NULL,
	    .source = t->has_source ? &t->source : NULL,
	    .secrets_dir = g->env->policy->secrets_dir,
	    .met = g->met};

	const char *kind = step_kind_word(s->kind);
	bool told = s->text && text_starts(s->text, kind);

	guest_set_status(g, PLAN_ACT, p->reason, p->message ? p->message : s->text, NULL);
	guest_note_op(
	    g, told ? mem_strdup(s->text) : mem_printf("%s: %s", kind, s->text ? s->text : ""));
	g->end_seen = false;
	g->stay_after = 0;
	if (t->has_guest) {
		plan_note_step(p, &t->in, &g->rec);
		guest_save_record(g);
	}
	if (s->kind == STEP_REBOOT)
		guest_note_restart(g);
	guest_start_op(g, &job);
}

static void on_gate(void *arg, gate_ticket t)
{
	struct guest *g = arg;

	g->waiter = 0;
	g->ticket = t;
	/* What was read is old by now. */
	guest_enter(g, GUEST_WAIT);
	guest_begin(g);
}

static const char *clone_storage(const struct guest *g)
{
	const char *s = resource_str(g->want, ATTR_clone_target_datastore);

	if (s)
		return s;
	KV_FOREACH (it, &g->turn->source.current) {
		struct drive d;

		if (!form_check(FMT_DISK_SLOT, it->key, NULL, NULL) ||
		    drive_parse(it->value, &d, NULL) < 0)
			continue;
		if (!d.cdrom && d.storage[0])
			mem_replace(&((struct guest *)g)->storage, d.storage);
		drive_fini(&d);
		if (g->storage)
			return g->storage;
	}
	return "";
}

static void act(struct guest *g)
{
	const struct step *s = &g->turn->plan.steps[0];
	bool clone = s->kind == STEP_CLONE;
	const char *node = clone ? g->turn->source.node : g->turn->guest.node;
	enum gate_kind kind = clone ? GATE_CLONE : GATE_OP;

	mem_free_str(&g->storage);
	if (clone) {
		_cleanup_str_ char *store = mem_strdup(clone_storage(g));

		mem_replace(&g->storage, store);
	}
	if (!g->ticket)
		g->ticket = gate_try(g->env->gate, kind, node, g->storage);
	if (g->ticket) {
		run_step(g);
		return;
	}
	guest_enter(g, GUEST_GATE);
	guest_set_status(g, PLAN_WAIT, REASON_NO_SLOT, NULL, NULL);
	g->waiter = gate_wait(g->env->gate, kind, node, g->storage, on_gate, g);
}

void guest_resolve(struct guest *g)
{
	/* Of what is to go, nothing more is made: what came of it is found out to the end. */
	struct op_job job = {.name = g->name, .want = guest_is_leaving(g) ? NULL : g->want};

	if (g->env->readonly || g->env->stopping) {
		/* More than this is not to be learnt without taking the clone up again. */
		g->current = true;
		guest_wait(g, REASON_UNCONFIRMED, "a clone was under way when it was seen last",
		    g->env->full_read_ms, false);
		return;
	}
	if (guest_is_held(g))
		return;
	guest_set_status(g, PLAN_ACT, REASON_CREATING, NULL, NULL);
	guest_note_op(g, mem_strdup("clone: looking for what came of it"));
	guest_start_op(g, &job);
}
