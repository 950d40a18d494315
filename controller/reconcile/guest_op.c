/* The first step of a plan: its turn, its operation, and what comes of it. */
#include "guest_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define RETRIES 4
#define HELD_MS 1000

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
	if (r->end == OP_FREE || r->end == OP_HELD)
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
		guest_wait(g, has_guest ? REASON_LOCKED : REASON_SOURCE_LOCKED, text,
		    GUEST_LOCK_WAIT_MS, false);
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
	case OP_HELD:
		inventory_poke(g->env->inventory);
		guest_wait(g, REASON_RETRYING, r->text, HELD_MS, true);
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

/* The one that the new disks come to, as far as it can be told; its clones are limited. */
static char *clone_storage(const struct guest *g)
{
	const char *s = resource_str(g->want, ATTR_clone_target_datastore);

	if (s)
		return mem_strdup(s);
	KV_FOREACH (it, &g->turn->source.current) {
		_cleanup_drive_ struct drive d = {0};

		if (form_check(FMT_DISK_SLOT, it->key, NULL, NULL) &&
		    drive_parse(it->value, &d, NULL) == 0 && !d.cdrom && d.storage[0])
			return mem_strdup(d.storage);
	}
	return mem_strdup("");
}

void guest_act(struct guest *g)
{
	const struct step *s = &g->turn->plan.steps[0];
	bool clone = s->kind == STEP_CLONE;
	const char *node = clone ? g->turn->source.node : g->turn->guest.node;
	enum gate_kind kind = clone ? GATE_CLONE : GATE_OP;

	free(g->storage);
	g->storage = clone ? clone_storage(g) : NULL;
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
	/* What a person was asked to do stays in view until it is found done. */
	if (g->st.verdict != PLAN_STALLED) {
		guest_set_status(g, PLAN_ACT, REASON_CREATING, NULL, NULL);
		guest_note_op(g, mem_strdup("clone: looking for what came of it"));
	}
	guest_start_op(g, &job);
}
