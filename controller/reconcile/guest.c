#include "guest.h"

#include "guest_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_MS 2000
#define BACKOFF_MAX_MS 300000
#define GONE_LOOKS 2 /* views of the cluster, one after the other, before "gone" is believed */
#define HIDDEN_LOOKS 3
#define SETTLED_WAIT_MS 60000

static const char *const state_names[] = {
#define GUEST(code, name, longest_ms, doc) name,
#include "guest.def"
#undef GUEST
};

const char *guest_state_name(enum guest_state s)
{
	return state_names[s];
}

void guest_enter(struct guest *g, enum guest_state next)
{
	if (next != g->state)
		log_debug(g->name, "%s -> %s", state_names[g->state], state_names[next]);
	g->state = next;
}

void turn_free(struct turn **tp)
{
	struct turn *t = *tp;

	if (!t)
		return;
	if (t->planned)
		plan_fini(&t->plan);
	obs_guest_fini(&t->guest);
	obs_guest_fini(&t->source);
	record_fini(&t->record);
	strs_fini(&t->fight);
	bundle_unref(&t->bundle);
	free(t);
	*tp = NULL;
}

struct guest *guest_new(const struct guest_env *env, const char *name)
{
	struct guest *g = mem_alloc(sizeof(*g));
	const struct record *rec = journal_find(env->journal, name);

	g->magic = GUEST_MAGIC;
	g->env = env;
	g->name = mem_strdup(name);
	g->state = GUEST_SETTLED;
	g->st.name = mem_strdup(name);
	g->st.verdict = PLAN_WAIT;
	g->st.reason = REASON_READING;
	g->st.since_wall = clock_wall(env->clock);
	if (rec)
		record_copy(&g->rec, rec);
	record_copy(&g->st.record, &g->rec);
	return g;
}

void guest_drop_action(struct guest *g)
{
	op_cancel(&g->op);
	look_cancel(&g->look);
	ask_cancel(g->env->asker, &g->call);
	gate_leave(g->env->gate, &g->waiter);
	gate_give(g->env->gate, &g->ticket);
	gate_give(g->env->gate, &g->read_ticket);
	clock_cancel(g->env->clock, &g->timer);
}

void guest_free(struct guest **gp)
{
	struct guest *g = *gp;

	if (!g)
		return;
	CHECK_OBJ(g, GUEST_MAGIC);
	guest_drop_action(g);
	turn_free(&g->turn);
	turn_free(&g->last);
	bundle_unref(&g->bundle);
	record_fini(&g->rec);
	vmstat_fini(&g->st);
	free(g->name);
	free(g->storage);
	free(g->last_step);
	free(g->nonce);
	g->magic = 0;
	free(g);
	*gp = NULL;
}

void guest_restore(struct guest *g, const struct vmstat *old)
{
	struct drifts *pairs[2][2] = {{&g->st.drifts, (struct drifts *)&old->drifts},
	    {&g->st.corrected, (struct drifts *)&old->corrected}};

	if (!g->rec.vmid && !journal_intent(g->env->journal, g->name)) {
		record_fini(&g->rec);
		record_copy(&g->rec, &old->record);
		record_fini(&g->st.record);
		record_copy(&g->st.record, &g->rec);
	}
	for (size_t k = 0; k < 2; k++) {
		struct drifts *to = pairs[k][0];
		const struct drifts *from = pairs[k][1];

		for (size_t i = 0; to->n == i && i < from->n; i++) {
			MEM_PUSH_ROOM(to->v, to->n, to->cap);
			to->v[to->n] = from->v[i];
			to->v[to->n].path = mem_strdup(from->v[i].path);
			to->v[to->n].wanted = mem_strdup(from->v[i].wanted);
			to->v[to->n].found = mem_strdup(from->v[i].found);
			to->v[to->n].who = mem_strdup(from->v[i].who);
			to->v[to->n].why = mem_strdup(from->v[i].why);
			to->n++;
		}
	}
	if (old->verdict < PLAN_VERDICT__MAX && old->reason < REASON__MAX && old->since_wall) {
		g->st.verdict = old->verdict;
		g->st.reason = old->reason;
		g->st.since_wall = old->since_wall;
	}
}

void guest_save_record(struct guest *g)
{
	_cleanup_err_ struct err *e = NULL;

	record_fini(&g->st.record);
	record_copy(&g->st.record, &g->rec);
	if (g->env->readonly || !g->rec.vmid)
		return;
	if (journal_record(g->env->journal, g->name, &g->rec, &e) < 0)
		log_error(g->name, "%s; it is kept in memory", err_msg(e));
}

void guest_set_status(
    struct guest *g, enum plan_verdict v, enum reason r, const char *message, const char *hint)
{
	struct vmstat *s = &g->st;

	if (s->verdict == v && s->reason == r && text_eq(s->message, message) &&
	    text_eq(s->hint, hint))
		return;
	if (s->verdict != v || s->reason != r) {
		s->since_wall = clock_wall(g->env->clock);
		s->verdict = v;
		s->reason = r;
		g->env->note(
		    g->env->arg, NOTE_STATE, g->name, message ? message : reason_word(r), -1);
	}
	mem_replace(&s->message, message);
	mem_replace(&s->hint, hint);
	g->env->changed(g->env->arg, g, NULL);
}

static void on_timer(void *arg)
{
	struct guest *g = arg;

	g->timer = 0;
	guest_begin(g);
}

static void set_timer(struct guest *g, int64_t ms)
{
	clock_cancel(g->env->clock, &g->timer);
	g->timer = clock_timer(g->env->clock, ms, on_timer, g);
}

static int64_t jitter(const struct guest *g, int64_t ms)
{
	return ms + (int64_t)(clock_random(g->env->clock) % (uint64_t)(ms / 5 + 1));
}

int64_t guest_backoff(const struct guest *g)
{
	int64_t ms = BACKOFF_MIN_MS;

	for (unsigned i = 1; i < g->fails && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return jitter(g, ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

void guest_wait(struct guest *g, enum reason r, const char *message, int64_t ms, bool view)
{
	bool again = g->due;

	g->due = false;
	g->wait_view = view;
	if (!g->waiting || g->wait_reason != r)
		g->wait_since = clock_now(g->env->clock);
	g->waiting = true;
	g->wait_reason = r;
	guest_enter(g, GUEST_WAIT);
	guest_set_status(g, PLAN_WAIT, r, message, NULL);
	set_timer(g, again ? 0 : ms);
}

void guest_stall(struct guest *g, enum reason r, const char *message, const char *hint)
{
	guest_enter(g, GUEST_STALLED);
	guest_set_status(g, PLAN_STALLED, r, message, hint);
	guest_settle(g);
}

/* Until the next full read. The pauses are of different length, so that reads spread evenly. */
void guest_settle(struct guest *g)
{
	int64_t full = g->env->full_read_ms;
	int64_t ms = full / 2 + (int64_t)(clock_random(g->env->clock) % (uint64_t)(full / 2 + 1));

	if (g->state != GUEST_STALLED)
		guest_enter(g, GUEST_SETTLED);
	g->wait_view = g->waiting = false;
	set_timer(g, g->due ? 0 : ms);
	g->due = false;
}

static void note_good_version(struct guest *g)
{
	const struct resource *w = g->want;

	if (!w || g->entry->stale)
		return;
	if (g->rec.good_rev && strcmp(g->hash, w->hash) == 0 && text_eq(g->rec.good_path, w->file))
		return;
	mem_replace(&g->rec.good_rev, g->entry->rev);
	mem_replace(&g->rec.good_path, w->file);
	guest_save_record(g);
}

static void note_findings(struct guest *g)
{
	struct diags *to = &g->st.findings;

	diags_fini(to);
	for (size_t i = 0; g->bundle && i < g->bundle->diags.n; i++) {
		const struct diag *d = &g->bundle->diags.v[i];
		struct diags one = {.v = (struct diag *)d, .n = 1};

		if (text_eq(d->object, g->name))
			diags_append(to, &one);
	}
}

void guest_want(struct guest *g, struct bundle *b, const struct bundle_entry *entry)
{
	bool first = !g->bundle, same;

	CHECK_OBJ(g, GUEST_MAGIC);
	if (first && g->rec.synced_hash[0])
		memcpy(g->hash, g->rec.synced_hash, sizeof(g->hash));
	bundle_ref(b);
	bundle_unref(&g->bundle);
	g->bundle = b;
	g->entry = entry;
	g->want = entry ? entry->res : NULL;
	same = !first && strcmp(g->hash, g->want ? g->want->hash : "") == 0;
	note_good_version(g);
	note_findings(g);
	memcpy(g->hash, g->want ? g->want->hash : "", g->want ? sizeof(g->hash) : 1);
	mem_replace(&g->st.file, g->want ? g->want->file : NULL);
	mem_replace(&g->st.rev, entry ? entry->rev : NULL);
	g->st.stale = entry && entry->stale;
	g->env->changed(g->env->arg, g, NULL);
	if (same)
		return;
	if (!first) {
		g->fails = 0;
		g->fight_since = clock_wall(g->env->clock);
		mem_free_str(&g->last_step);
	}
	g->current = false;
	guest_wake(g);
}

void guest_wake(struct guest *g)
{
	CHECK_OBJ(g, GUEST_MAGIC);
	switch (g->state) {
	case GUEST_SETTLED:
	case GUEST_WAIT:
	case GUEST_STALLED:
		set_timer(g, 0);
		return;
	case GUEST_QUEUED:
		return; /* will be read anyway */
	case GUEST_READ:
	case GUEST_ORACLE:
	case GUEST_SOURCE:
	case GUEST_GATE:
	case GUEST_ACT:
		g->due = true;
		return;
	case GUEST__MAX:
		break;
	}
}

void guest_view(struct guest *g)
{
	if (g->state == GUEST_WAIT && g->wait_view)
		set_timer(g, 0);
}

static void read_failed(struct guest *g, enum look_end end, const struct ask_answer *a)
{
	_cleanup_str_ char *text = mem_strdup(a->text);

	g->fails++;
	switch (end) {
	case LOOK_NO_CONFIG: /* it moved, or the list is old */
		inventory_poke(g->env->inventory);
		guest_wait(g, REASON_RETRYING, "the VM is not where the cluster showed it last",
		    guest_backoff(g), true);
		return;
	case LOOK_FORBIDDEN:
		guest_stall(g, REASON_ACCESS_LOST, text, NULL);
		return;
	case LOOK_FAILED:
		if (a->why == ASK_WHY_UNAUTHENTICATED)
			guest_wait(g, REASON_UNAUTHENTICATED, NULL, 60000, true);
		else
			guest_wait(g, REASON_RETRYING, text, guest_backoff(g), false);
		return;
	case LOOK_OK:
	case LOOK_END__MAX:
		break;
	}
}

static void on_look(void *arg, enum look_end end, struct obs_guest *o, const struct ask_answer *why)
{
	struct guest *g = arg;
	const struct obs_row *row = obs_cluster_row(inventory_view(g->env->inventory), g->rec.vmid);

	CHECK_OBJ(g, GUEST_MAGIC);
	gate_give(g->env->gate, &g->read_ticket);
	if (end != LOOK_OK) {
		read_failed(g, end, why);
		look_cancel(&g->look);
		return;
	}
	g->turn->guest = *o;
	*o = (struct obs_guest){0};
	g->turn->has_guest = true;
	look_cancel(&g->look);
	if (row) {
		g->turn->guest.pool = mem_strdup(row->pool);
		g->turn->guest.pool_known = row->pool || inventory_pools_known(g->env->inventory);
	}
	guest_plan_turn(g);
}

static void on_read_ticket(void *arg, gate_ticket t)
{
	struct guest *g = arg;
	const struct obs_row *row;

	g->waiter = 0;
	g->read_ticket = t;
	row = obs_cluster_row(inventory_view(g->env->inventory), g->rec.vmid);
	if (!row) { /* went away while waiting */
		gate_give(g->env->gate, &g->read_ticket);
		guest_enter(g, GUEST_WAIT);
		guest_begin(g);
		return;
	}
	guest_enter(g, GUEST_READ);
	g->look = look_start(g->env->asker, row->vmid, row->node, false, on_look, g);
}

static void queue_read(struct guest *g)
{
	gate_ticket t = gate_try(g->env->gate, GATE_READ, NULL, NULL);

	guest_enter(g, GUEST_QUEUED);
	if (t)
		on_read_ticket(g, t);
	else
		g->waiter = gate_wait(g->env->gate, GATE_READ, NULL, NULL, on_read_ticket, g);
}

/* The VMID is a container's now: something without marker and UUID stands there. */
static void plan_container(struct guest *g, const struct obs_row *row)
{
	struct obs_guest *o = &g->turn->guest;

	o->vmid = row->vmid;
	o->node = mem_strdup(row->node);
	o->digest = mem_strdup("");
	o->uuid = mem_strdup("");
	g->turn->has_guest = true;
	guest_plan_turn(g);
}

static void on_oracle(void *arg, const struct ask_answer *a)
{
	struct guest *g = arg;
	uint64_t looks = inventory_looks(g->env->inventory);

	g->call = 0;
	if (a->outcome == ASK_DONE) {
		g->hidden_seen = 0;
		if (g->gone_look != looks) {
			g->gone_look = looks;
			g->gone_seen++;
		}
		if (g->gone_seen >= GONE_LOOKS) {
			g->turn->gone = true;
			guest_plan_turn(g);
			return;
		}
		inventory_poke(g->env->inventory);
		guest_wait(
		    g, REASON_READING, "the VM is not in the list; looking again", 5000, true);
		return;
	}
	g->gone_seen = 0;
	if (a->status != 400) {
		_cleanup_str_ char *text = mem_strdup(a->text);

		g->fails++;
		guest_wait(g, REASON_RETRYING, text, guest_backoff(g), false);
		return;
	}
	if (++g->hidden_seen < HIDDEN_LOOKS) {
		inventory_poke(g->env->inventory);
		guest_wait(g, REASON_READING, "the VM exists but is not in the list; looking again",
		    5000, true);
		return;
	}
	guest_stall(g, REASON_ACCESS_LOST, "the VM exists but the token may not see it", NULL);
}

static void ask_oracle(struct guest *g)
{
	_cleanup_kv_ struct kv params = {0};
	struct ask_req q = {.method = "GET", .path = "/cluster/nextid", .params = &params};

	kv_setf(&params, "vmid", "%u", g->rec.vmid);
	guest_enter(g, GUEST_ORACLE);
	g->call = ask(g->env->asker, &q, on_oracle, g);
}

static void locate(struct guest *g)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);
	const struct obs_row *row = obs_cluster_row(view, g->rec.vmid);
	const struct obs_node *node = row ? obs_cluster_node(view, row->node) : NULL;

	if (!row) {
		/* "Cannot see" is not "gone". */
		if (!inventory_settled(g->env->inventory))
			guest_wait(g, REASON_NO_QUORUM,
			    "the VM is not in the list, and the view is not sure", 15000, true);
		else
			ask_oracle(g);
		return;
	}
	g->gone_seen = g->hidden_seen = 0;
	if (!row->qemu)
		plan_container(g, row);
	else if (node && !node->online)
		guest_wait(g, REASON_NODE_OFFLINE, NULL, 30000, true);
	else
		queue_read(g);
}

static void on_source(
    void *arg, enum look_end end, struct obs_guest *o, const struct ask_answer *why)
{
	struct guest *g = arg;

	if (end == LOOK_OK) {
		g->turn->source = *o;
		*o = (struct obs_guest){0};
		g->turn->has_source = true;
		look_cancel(&g->look);
		guest_plan_turn(g);
		return;
	}
	if (end == LOOK_FORBIDDEN) {
		_cleanup_str_ char *text = mem_printf("the template cannot be read: %s", why->text);

		guest_stall(g, REASON_FORBIDDEN, text,
		    "grant the token VM.Audit and VM.Clone on the template");
	} else {
		read_failed(g, end, why);
	}
	look_cancel(&g->look);
}

static void read_source(struct guest *g)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);
	uint32_t vmid = (uint32_t)resource_int(g->want, ATTR_clone_source_vm_id);
	const struct obs_row *row = obs_cluster_row(view, vmid);
	const struct obs_node *node = row ? obs_cluster_node(view, row->node) : NULL;

	if (!row || !row->qemu) {
		g->turn->source_gone = view->complete;
		guest_plan_turn(g);
	} else if (node && !node->online) {
		guest_wait(
		    g, REASON_NODE_OFFLINE, "the template's node is not reachable", 30000, true);
	} else {
		guest_enter(g, GUEST_SOURCE);
		g->look = look_start(g->env->asker, vmid, row->node, true, on_source, g);
	}
}

/* A VM that carries our marker and is on no record: the record was lost. */
static bool take_claim(struct guest *g)
{
	const struct claim *c = claims_find(g->env->claims, g->name);

	if (!c || c->locked)
		return false;
	g->rec.vmid = c->vmid;
	mem_replace(&g->rec.nonce, c->nonce);
	mem_replace(&g->rec.uuid, c->uuid);
	mem_replace(&g->rec.node, c->node);
	g->rec.proven = false;
	log_warn(
	    g->name, "the record was lost; VM %u carries its marker and is taken as it", c->vmid);
	guest_save_record(g);
	return true;
}

static void begin_new(struct guest *g)
{
	const char *missing = g->env->not_ready(g->env->arg);

	if (take_claim(g))
		locate(g);
	else if (missing)
		guest_wait(g, REASON_READING, missing, 5000, true);
	else
		read_source(g);
}

static void orphan(struct guest *g)
{
	g->current = true;
	guest_set_status(g, PLAN_OFF, REASON_ORPHANED, NULL, NULL);
	guest_settle(g);
}

void guest_begin(struct guest *g)
{
	struct inventory *inv = g->env->inventory;

	CHECK_OBJ(g, GUEST_MAGIC);
	clock_cancel(g->env->clock, &g->timer);
	g->due = false;
	turn_free(&g->turn);
	g->turn = mem_alloc(sizeof(*g->turn));
	if (inventory_is_down(inv))
		guest_wait(g,
		    asker_is_unauthenticated(g->env->asker) ? REASON_UNAUTHENTICATED
							    : REASON_CLUSTER_UNREACHABLE,
		    inventory_problem(inv), 60000, true);
	else if (!inventory_is_ready(inv) || !g->bundle)
		guest_wait(g, REASON_READING, NULL, 60000, true);
	else if (journal_intent(g->env->journal, g->name) && !g->intent_free)
		guest_resolve(g);
	else if (!g->want)
		orphan(g);
	else if (g->rec.vmid)
		locate(g);
	else
		begin_new(g);
}

const char *guest_name(const struct guest *g)
{
	return g->name;
}

enum guest_state guest_state(const struct guest *g)
{
	return g->state;
}

uint32_t guest_vmid(const struct guest *g)
{
	const struct intent *in = journal_intent(g->env->journal, g->name);

	return g->rec.vmid ? g->rec.vmid : in ? in->vmid : 0;
}

bool guest_is_wanted(const struct guest *g)
{
	return g->want != NULL;
}

const struct record *guest_record(const struct guest *g)
{
	return &g->rec;
}

const struct vmstat *guest_status(const struct guest *g)
{
	return &g->st;
}

const struct plan *guest_plan(const struct guest *g)
{
	if (g->turn && g->turn->planned)
		return &g->turn->plan;
	return g->last && g->last->planned ? &g->last->plan : NULL;
}

bool guest_is_quiet(const struct guest *g)
{
	return g->current && !g->due &&
	       (g->state == GUEST_SETTLED || g->state == GUEST_WAIT || g->state == GUEST_STALLED);
}

bool guest_is_settled(const struct guest *g)
{
	if (g->due)
		return false;
	if (g->state == GUEST_STALLED)
		return true;
	if (g->state == GUEST_SETTLED)
		return g->current || !g->want;
	return g->state == GUEST_WAIT &&
	       clock_now(g->env->clock) - g->wait_since >= SETTLED_WAIT_MS;
}

bool guest_is_acting(const struct guest *g)
{
	return g->op != NULL;
}
