#include "guest.h"

#include "guest_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_MS 2000
#define BACKOFF_MAX_MS 300000
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
	strs_fini(&t->bridges);
	kv_fini(&t->secrets);
	kv_fini(&t->secret_errors);
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
	pvereq_cancel(g->env->pve, &g->call);
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
	resource_unref(&g->parting);
	strs_fini(&g->bases);
	strs_fini(&g->loose_seen);
	strs_fini(&g->tags_refused);
	free(g->tag_rules);
	record_fini(&g->rec);
	record_fini(&g->told);
	vmstat_fini(&g->st);
	free(g->name);
	free(g->storage);
	free(g->last_step);
	free(g->vain_digest);
	guest_forget_lock(g);
	free(g->full_step);
	free(g->full_text);
	free(g->sized_slot);
	free(g->size_told);
	free(g->nonce);
	g->magic = 0;
	free(g);
	*gp = NULL;
}

/* A record without UUID is an intent: a clone was about to be asked for when it was reported. The
 * call may still be on its way, so that number and nonce are taken up again. */
static void restore_intent(struct guest *g, const struct record *r)
{
	_cleanup_err_ struct err *e = NULL;
	struct intent in = {.vmid = r->vmid,
	    .nonce = r->nonce,
	    .source = r->source_vmid,
	    .source_uuid = r->source_uuid,
	    .source_node = r->node,
	    .tries = 1,
	    .restored = true,
	    .wall_ms = clock_wall(g->env->clock)};

	if (r->nonce && journal_begin(g->env->journal, g->name, &in, &e) < 0)
		log_error(g->name, "%s", err_msg(e));
}

bool guest_was_destroyed(const struct guest *g, uint32_t vmid)
{
	const struct fallen *f;
	size_t n = journal_fallen(g->env->journal, &f);

	for (size_t i = 0; i < n && journal_is_scanned(g->env->journal); i++)
		if (f[i].vmid == vmid && !f[i].past && strcmp(f[i].name, g->name) == 0)
			return true;
	return false;
}

/* Another instance saw what came of the clone of which our journal knows the beginning only. */
static bool restore_end(struct guest *g, const struct intent *in, const struct record *r)
{
	_cleanup_err_ struct err *e = NULL;

	if (g->op || in->vmid != r->vmid || !text_eq(in->nonce, r->nonce))
		return false;
	if (journal_end(g->env->journal, g->name, r, &e) < 0)
		log_error(g->name, "%s", err_msg(e));
	return !e;
}

static void restore_record(struct guest *g, const struct record *r)
{
	const struct intent *in = journal_intent(g->env->journal, g->name);
	bool whole = r->uuid && r->uuid[0];

	if (whole && r->vmid == g->rec.vmid && !text_eq_nocase(r->uuid, g->rec.uuid)) {
		record_fini(&g->told);
		record_copy(&g->told, r);
	}
	if (g->rec.vmid || guest_was_destroyed(g, r->vmid) ||
	    (in && !(whole && restore_end(g, in, r))))
		return;
	if (!whole) {
		restore_intent(g, r);
		return;
	}
	record_fini(&g->rec);
	record_copy(&g->rec, r);
	g->rec.whole = false; /* a report may be older than the last disk that was made */
	guest_save_record(g); /* each place may be lost, also the one it came from */
}

void guest_restore(struct guest *g, const struct vmstat *old)
{
	struct drifts *pairs[2][2] = {{&g->st.drifts, (struct drifts *)&old->drifts},
	    {&g->st.corrected, (struct drifts *)&old->corrected}};

	restore_record(g, &old->record);
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

void guest_take_claim(struct guest *g, const struct claim *c)
{
	struct record rec = {.vmid = c->vmid,
	    .uuid = mem_strdup(c->uuid),
	    .nonce = mem_strdup(c->nonce),
	    .node = mem_strdup(c->node)};

	if (g->rec.vmid || journal_intent(g->env->journal, g->name)) {
		record_fini(&rec);
		return;
	}
	/* Whatever else is remembered is of another VM, but for what the manifest said. */
	rec.good_rev = TAKE(g->rec.good_rev);
	rec.good_path = TAKE(g->rec.good_path);
	rec.parting = g->rec.parting;
	g->rec.parting = (struct kv){0};
	/* Nobody knows what was under way there. */
	for (size_t i = 0; g->want && i < g->want->n_leaves; i++)
		if (g->want->leaves[i].attr->format == FMT_STORAGE &&
		    g->want->leaves[i].value.type == VALUE_STR)
			kv_set(&rec.loose, g->want->leaves[i].value.s, "?");
	record_fini(&g->rec);
	g->rec = rec;
	log_warn(
	    g->name, "the record was lost; VM %u carries its marker and is taken as it", c->vmid);
	guest_save_record(g);
}

bool guest_confirm(struct guest *g, uint32_t vmid, const char *uuid)
{
	if (!g->rec.vmid || g->rec.vmid != vmid || !g->rec.uuid ||
	    !text_eq_nocase(g->rec.uuid, uuid))
		return false;
	if (g->rec.proven)
		return true;
	g->rec.proven = true;
	guest_save_record(g);
	log_info(g->name, "VM %u is confirmed by a person", vmid);
	g->env->changed(g->env->arg, g, NULL);
	guest_wake(g);
	return true;
}

bool guest_take_record(struct guest *g, struct guest *from)
{
	_cleanup_err_ struct err *e = NULL;
	struct record rec;

	if (from->want || from->op || journal_intent(g->env->journal, from->name) ||
	    !from->rec.vmid)
		return false;
	record_copy(&rec, &from->rec);
	mem_replace(&rec.good_rev, g->rec.good_rev);
	mem_replace(&rec.good_path, g->rec.good_path);
	if (!g->env->readonly && (journal_record(g->env->journal, g->name, &rec, &e) < 0 ||
				     journal_forget(g->env->journal, from->name, &e) < 0)) {
		log_error(g->name, "%s", err_msg(e));
		record_fini(&rec);
		return false;
	}
	log_info(g->name, "takes over VM %u of %s", rec.vmid, from->name);
	record_fini(&g->rec);
	g->rec = rec;
	record_fini(&g->st.record);
	record_copy(&g->st.record, &g->rec);
	record_fini(&from->rec);
	record_fini(&from->st.record);
	from->env->changed(from->env->arg, from, NULL);
	return true;
}

void guest_save_record(struct guest *g)
{
	_cleanup_err_ struct err *e = NULL;

	guest_note_parting(g); /* the record may be another one than when the manifest came */
	record_fini(&g->st.record);
	record_copy(&g->st.record, &g->rec);
	if (g->env->readonly || !g->rec.vmid)
		return;
	g->unsaved = journal_record(g->env->journal, g->name, &g->rec, &e) < 0;
	if (g->unsaved)
		log_error(g->name, "%s; it is kept in memory", err_msg(e));
}

void guest_set_status(
    struct guest *g, enum plan_verdict v, enum reason r, const char *message, const char *hint)
{
	struct vmstat *s = &g->st;
	_cleanup_str_ char *event = NULL;

	if (s->verdict == v && s->reason == r && text_eq(s->message, message) &&
	    text_eq(s->hint, hint))
		return;
	if (s->verdict != v || s->reason != r) {
		s->since_wall = clock_wall(g->env->clock);
		s->verdict = v;
		s->reason = r;
		if (v == PLAN_STALLED)
			event = mem_printf("stalled: %s %s", g->name, reason_word(r));
		/* What is done is told step by step. */
		if (v != PLAN_ACT && reason_cond(r) != REASON_COND_RECONCILING)
			g->env->note(g->env->arg, NOTE_STATE, g->name,
			    message ? message : reason_word(r), -1);
	}
	mem_replace(&s->message, message);
	mem_replace(&s->hint, hint);
	g->env->changed(g->env->arg, g, event);
}

void guest_note_op(struct guest *g, char *what)
{
	struct vmstat *s = &g->st;

	free(s->last_op);
	s->last_op = what;
	mem_replace(&s->last_upid, NULL); /* of the one before */
	mem_replace(&s->last_result, NULL);
	g->env->note(g->env->arg, NOTE_STEP, g->name, what, -1);
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

	gate_give(g->env->gate, &g->ticket); /* whoever waits holds up nobody */
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

	int64_t soon = guest_restart_pause(g);

	gate_give(g->env->gate, &g->ticket);
	if (g->state != GUEST_STALLED)
		guest_enter(g, GUEST_SETTLED);
	if (soon > 0 && soon < ms)
		ms = soon;
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

/* "refused: web-01 vms/web-01.yaml:9:10: cpu has no key croes", for the report. */
static char *refusal(const struct guest *g)
{
	const struct diags *l = &g->st.findings;

	for (size_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->v[i];

		if (diag_severity(d->code) == DIAG_ERROR && d->file)
			return mem_printf("refused: %s %s:%u:%u: %s", g->name, d->file,
			    d->mark.line, d->mark.col, d->msg);
	}
	return mem_printf("refused: %s", g->name);
}

void guest_want(struct guest *g, struct bundle *b, const struct bundle_entry *entry)
{
	bool first = !g->bundle, same;
	_cleanup_str_ char *event = NULL;

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
	if (guest_note_parting(g))
		guest_save_record(g);
	note_findings(g);
	memcpy(g->hash, g->want ? g->want->hash : "", g->want ? sizeof(g->hash) : 1);
	mem_replace(&g->st.file, g->want ? g->want->file : NULL);
	mem_replace(&g->st.rev, entry ? entry->rev : NULL);
	if (entry && entry->stale && !g->st.stale && !first)
		event = refusal(g);
	g->st.stale = entry && entry->stale;
	g->env->changed(g->env->arg, g, event);
	if (same)
		return;
	if (!first) {
		g->fails = 0;
		guest_retry_tags(g);
		mem_free_str(&g->full_step);
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
	if (g->unsaved)
		guest_save_record(g);
	if (g->state == GUEST_WAIT && g->wait_view)
		set_timer(g, 0);
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
	const struct intent *in;

	if (g->rec.vmid)
		return g->rec.vmid;
	in = journal_intent(g->env->journal, g->name);
	return in ? in->vmid : 0;
}

bool guest_is_wanted(const struct guest *g)
{
	return g->want != NULL;
}

const struct resource *guest_manifest(const struct guest *g)
{
	return g->want;
}

const struct record *guest_record(const struct guest *g)
{
	return &g->rec;
}

void guest_show_intent(struct guest *g)
{
	const struct intent *in = journal_intent(g->env->journal, g->name);

	if (g->rec.vmid && !in)
		return;
	record_fini(&g->st.record);
	record_copy(&g->st.record, &g->rec);
	if (!in)
		return;
	mem_replace(&g->st.record.uuid, NULL); /* of a VM that is being made anew */
	g->st.record.vmid = in->vmid;
	mem_replace(&g->st.record.nonce, in->nonce);
	mem_replace(&g->st.record.node, in->source_node);
	g->st.record.source_vmid = in->source;
	mem_replace(&g->st.record.source_uuid, in->source_uuid);
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

bool guest_is_current(const struct guest *g)
{
	return g->current;
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
