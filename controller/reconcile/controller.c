#include "controller.h"

#include "controller_int.h"
#include "log.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_MS 250
#define STOP_MS 8000 /* with the last report all is over within 10 s, after which others kill */
#define STOP_POLL_MS 200
#define READS 16

/* --- guests --- */
static size_t place(const struct controller *c, const char *name)
{
	return MEM_PLACE(at, c->n_guests, strcmp(guest_name(c->guests[at]), name) < 0);
}

struct guest *controller_find_guest(const struct controller *c, const char *name)
{
	size_t i = place(c, name);

	return i < c->n_guests && strcmp(guest_name(c->guests[i]), name) == 0 ? c->guests[i] : NULL;
}

struct guest *controller_make_guest(struct controller *c, const char *name)
{
	struct guest *g = controller_find_guest(c, name);
	size_t i = place(c, name);

	if (g)
		return g;
	MEM_PUSH_ROOM(c->guests, c->n_guests, c->cap_guests);
	memmove(&c->guests[i + 1], &c->guests[i], (c->n_guests - i) * sizeof(*c->guests));
	c->n_guests++;
	c->guests[i] = guest_new(&c->env, name);
	return c->guests[i];
}

bool controller_in_scope(const struct controller *c, const char *name)
{
	return !c->has_only || strs_has(&c->only, name);
}

static void on_note(void *arg, enum note_kind kind, const char *vm, const char *text, int percent)
{
	struct controller *c = arg;
	struct note n = {.kind = kind, .vm = vm, .text = text ? text : "", .percent = percent};

	if (c->o.ports.note)
		c->o.ports.note(c->o.ports.note_arg, &n);
}

static void note(struct controller *c, enum note_kind kind, const char *vm, const char *text)
{
	on_note(c, kind, vm, text, -1);
}

/* Told once, and tried again with each look at the cluster. */
static void look_at_state(struct controller *c)
{
	_cleanup_str_ char *text = NULL;

	if (!journal_try(c->journal))
		text = mem_printf("%s, so nothing is begun; free space in controller.state_dir, or "
				  "mend its disk or its permissions",
		    journal_problem(c->journal));
	if (text_eq(c->state_problem, text))
		return;
	mem_replace(&c->state_problem, text);
	note(c, NOTE_TROUBLE, NULL, text ? text : "the state directory can be written again");
	if (text)
		log_error("journal", "%s", text);
	else
		log_info("journal", "the state directory can be written again");
	reporter_dirty(c->reporter, NULL);
}

/* Names on record whose manifest is not there have a machine too: their record stays reported. */
static void adopt_records(struct controller *c)
{
	const char *name;

	for (size_t i = 0; (name = journal_name(c->journal, i)); i++)
		if (controller_in_scope(c, name))
			controller_make_guest(c, name);
}

static void apply_bundle(struct controller *c)
{
	struct bundle *b = c->bundle;

	journal_gather(c->journal); /* a merge may change the record of every VM */
	controller_note_renames(c);
	for (size_t i = 0; i < b->n; i++)
		if (controller_in_scope(c, b->v[i].res->name))
			controller_make_guest(c, b->v[i].res->name);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct bundle_entry *e = bundle_find(b, guest_name(c->guests[i]));

		/* With something unreadable, what is absent may only be unseen. With a scope,
		 * nothing is released. */
		if (e || (!b->incomplete && !c->o.desired))
			guest_want(c->guests[i], b, e);
	}
	controller_settle_journal(c);
}

static void on_bundle(void *arg)
{
	struct controller *c = arg;
	struct bundle *b = source_bundle(c->source);
	_cleanup_str_ char *text = NULL;

	bundle_ref(b);
	bundle_unref(&c->bundle);
	guest_rights_fini(&c->rights);
	c->bundle = b;
	free(c->ids);
	c->ids = NULL;
	text = mem_printf("revision %.12s: %s", b->rev,
	    source_subject(c->source) ? source_subject(c->source) : "");
	note(c, NOTE_REVISION, NULL, text);
	for (size_t i = 0; i < b->diags.n; i++) {
		const struct diag *d = &b->diags.v[i];
		const char *file = d->file ? d->file : "?";
		_cleanup_str_ char *line = d->mark.line ? mem_printf("%s:%u:%u: %s", file,
							      d->mark.line, d->mark.col, d->msg)
							: mem_printf("%s: %s", file, d->msg);

		note(c, NOTE_FINDING, d->object, line);
	}
	adopt_records(c);
	apply_bundle(c);
	reporter_dirty(c->reporter, NULL);
}

static void on_source_problem(void *arg)
{
	struct controller *c = arg;
	const char *p = source_problem(c->source);

	note(c, NOTE_TROUBLE, NULL, p ? p : "Git is well again");
	reporter_dirty(c->reporter, NULL);
}

static bool on_record(void *arg, size_t i, const char **ret_name, const struct record **ret)
{
	struct controller *c = arg;

	if (i >= c->n_guests)
		return false;
	*ret_name = guest_name(c->guests[i]);
	*ret = guest_record(c->guests[i]);
	return true;
}

/* --- the cluster --- */

/* All guests were looked at: whatever carries a marker of ours is put on record, its manifest there
 * or not. */
static void scan_done(struct controller *c)
{
	_cleanup_err_ struct err *e = NULL;
	const struct claim *m;

	journal_gather(c->journal);
	for (size_t i = 0; (m = claims_next(c->claims, &i));)
		if (!m->copy && !claims_rival(c->claims, m) && controller_in_scope(c, m->name))
			guest_take_claim(controller_make_guest(c, m->name), m);
	controller_settle_journal(c);
	if (c->bundle)
		apply_bundle(c);
	c->wide = false;
	/* Whoever observes writes no record: the next one to act has to look itself. */
	if (!c->has_only && !c->o.desired && !c->env.readonly &&
	    journal_set_scanned(c->journal, true, &e) < 0)
		log_error("journal", "%s", err_msg(e));
}

/* While another instance may still act, more may come. */
static bool may_end_scan(const struct controller *c)
{
	return c->wide && claims_is_complete(c->claims) &&
	       !lease_is_taking_over(&c->lease, clock_now(c->clock)) && !controller_is_unseen(c) &&
	       inventory_view(c->inventory)->complete;
}

static void on_view(void *arg)
{
	struct controller *c = arg;

	look_at_state(c);
	controller_watch_lease(c);
	controller_note_known(c);
	controller_take_words(c);
	if (reporter_is_restored(c->reporter))
		claims_update(c->claims, c->wide);
	if (may_end_scan(c))
		scan_done(c); /* there was nothing to look at */
	for (size_t i = 0; i < c->n_guests; i++)
		guest_view(c->guests[i]);
	if (!text_eq(c->cluster_problem, inventory_problem(c->inventory))) {
		mem_replace(&c->cluster_problem, inventory_problem(c->inventory));
		note(c, NOTE_TROUBLE, NULL,
		    c->cluster_problem ? c->cluster_problem : "the cluster answers again");
		reporter_dirty(c->reporter, NULL);
	}
}

static void on_claims(void *arg)
{
	struct controller *c = arg;

	if (!claims_is_complete(c->claims))
		return;
	if (may_end_scan(c))
		scan_done(c);
	for (size_t i = 0; i < c->n_guests; i++) {
		enum reason r = guest_status(c->guests[i])->reason;
		bool stranger = r == REASON_FOREIGN_VM || r == REASON_COPIED_MARKER;

		if (!guest_record(c->guests[i])->vmid ||
		    (stranger && claims_find(c->claims, guest_name(c->guests[i]))))
			guest_wake(c->guests[i]);
	}
	reporter_dirty(c->reporter, NULL);
}

/* --- what guests ask for --- */

static bool take_over(void *arg, struct guest *g, const char *old)
{
	struct guest *from = controller_find_guest(arg, old);

	if (!from || !guest_vmid(from) || guest_is_wanted(from))
		return false;
	return !guest_take_record(g, from);
}

static bool dependency_ready(void *arg, const char *name)
{
	const struct guest *g = controller_find_guest(arg, name);

	/* Who is absent as ordered is well, and no VM to depend on. */
	return g && guest_is_wanted(g) && !guest_is_leaving(g) && guest_is_quiet(g) &&
	       vmstat_is_ready(guest_status(g));
}

static void on_changed(void *arg, struct guest *g, const char *event)
{
	struct controller *c = arg;

	(void)g;
	reporter_dirty(c->reporter, event);
}

/* --- the report --- */
static const struct status *model(void *arg)
{
	return controller_build_report(arg);
}

static bool is_busy(void *arg)
{
	const struct controller *c = arg;

	for (size_t i = 0; i < c->n_guests; i++) {
		enum guest_state s = guest_state(c->guests[i]);

		if (s != GUEST_SETTLED && s != GUEST_WAIT && s != GUEST_STALLED)
			return true;
	}
	return false;
}

static void start_source(struct controller *c)
{
	if (c->source && !c->source_started)
		source_start(c->source);
	c->source_started = true;
}

static void on_restored(void *arg)
{
	struct controller *c = arg;

	controller_settle_journal(c);
	/* Only now: the records say which last good versions are to be read. */
	start_source(c);
	if (c->bundle)
		apply_bundle(c);
	inventory_poke(c->inventory);
	reporter_dirty(c->reporter, NULL);
	/* A report of an earlier life is a memory. */
	c->blank &= !c->seen_instance;
	controller_begin_lease(c);
}

static void on_report(void *arg, const char *text)
{
	struct controller *c = arg;
	const char *p = reporter_problem(c->reporter);

	controller_lease_reported(c, text != NULL);
	if (text) {
		_cleanup_str_ char *line = mem_strndup(text, strcspn(text, "\n"));
		note(c, NOTE_REPORT, NULL, line);
	} else {
		note(c, NOTE_TROUBLE, NULL, p ? p : "reports are published again");
		start_source(c); /* its own words on what is wrong are better */
	}
}

/* --- life --- */
static void watch(void *arg)
{
	struct controller *c = arg;
	bool settled;

	/* Each look at the cluster gives the reporter something to think about; nobody who waits
	 * should have to catch it between two of them. */
	if (controller_guests_settled(c))
		reporter_flush(c->reporter);
	settled = controller_settled_now(c);
	c->watch = clock_timer(c->clock, WATCH_MS, watch, c);
	if (settled && !c->was_settled && c->settled_cb)
		c->settled_cb(c->settled_arg);
	c->was_settled = settled;
}

static void make_machines(struct controller *c)
{
	const struct config *k = c->o.config;
	const struct ports *p = &c->o.ports;
	bool readonly = c->o.mode == CONTROLLER_PLAN;

	c->pve = pvereq_new(p->cluster, c->clock, k->cluster_timeout);
	c->gate =
	    gate_new(c->clock, &(struct gate_limits){.parallel = (unsigned)k->reconcile_parallel,
				   .parallel_per_node = (unsigned)k->reconcile_parallel_per_node,
				   .clones_per_storage = (unsigned)k->reconcile_clones_per_storage,
				   .reads = READS});
	c->inventory = inventory_new(&(struct inventory_opts){.clock = c->clock,
	    .pve = c->pve,
	    .tick_ms = k->reconcile_tick,
	    .own_user = p->pve_user,
	    .nothing_sent = readonly || c->o.observe_only,
	    .alien = controller_alien,
	    .on_view = on_view,
	    .on_touched = controller_on_touched,
	    .arg = c});
	c->claims = claims_new(&(struct claims_opts){.clock = c->clock,
	    .pve = c->pve,
	    .inventory = c->inventory,
	    .controller_id = k->controller_id,
	    .tag = k->cluster_tag,
	    .is_known = controller_is_known,
	    .is_sought = controller_is_sought,
	    .on_change = on_claims,
	    .arg = c});
	if (!c->o.desired)
		c->source = source_new(&(struct source_opts){.clock = c->clock,
		    .git = p->git,
		    .interval_ms = k->git_interval,
		    .branch = k->git_branch,
		    .folder = k->git_path,
		    .rev = c->rev,
		    .once = c->o.mode != CONTROLLER_RUN,
		    .on_listed = controller_on_listed,
		    .followed = controller_followed,
		    .on_followed = controller_on_followed,
		    .on_bundle = on_bundle,
		    .on_problem = on_source_problem,
		    .on_record = on_record,
		    .arg = c});
	c->reporter = reporter_new(&(struct reporter_opts){.clock = c->clock,
	    .git = p->git,
	    .outdir = p->outdir,
	    .interval_ms = k->report_interval,
	    .readonly = readonly,
	    .partial = c->has_only || c->o.desired,
	    .status = model,
	    .busy = is_busy,
	    .on_restoring = controller_on_restoring,
	    .on_vm = controller_on_vm,
	    .on_used = controller_on_used,
	    .on_summary = controller_on_summary,
	    .on_instance = controller_on_instance,
	    .on_restored = on_restored,
	    .on_report = on_report,
	    .arg = c});
	c->env = (struct guest_env){.clock = c->clock,
	    .pve = c->pve,
	    .journal = c->journal,
	    .gate = c->gate,
	    .inventory = c->inventory,
	    .claims = c->claims,
	    .policy = &c->policy,
	    .pve_user = p->pve_user,
	    .rights = &c->rights,
	    .op = {.clock = c->clock,
		.pve = c->pve,
		.journal = c->journal,
		.inventory = c->inventory,
		.controller_id = k->controller_id,
		.vmid_min = c->policy.vmid_min,
		.vmid_max = c->policy.vmid_max,
		.is_reserved = controller_is_reserved,
		.may = controller_may,
		.arg = c},
	    .full_read_ms = k->reconcile_full_read,
	    .readonly = readonly || c->o.observe_only,
	    .not_ready = controller_not_ready,
	    .take_over = take_over,
	    .dependency_ready = dependency_ready,
	    .held = controller_held,
	    .rivalled = controller_rivalled,
	    .is_crowded = controller_is_crowded,
	    .lookalike = controller_lookalike,
	    .renamed = controller_renamed,
	    .peril = controller_peril,
	    .changed = on_changed,
	    .note = on_note,
	    .arg = c};
}

int controller_new(const struct controller_opts *o, struct controller **ret, struct err **err)
{
	struct controller *c = mem_alloc(sizeof(*c));
	struct store *store = o->ports.store ? o->ports.store : store_null();

	c->magic = CONTROLLER_MAGIC;
	c->o = *o;
	c->clock = o->ports.clock;
	if (!o->desired && !o->ports.git) {
		controller_free(&c);
		return err_set(err, ERR_USAGE, "neither a repository nor a PATH to read from");
	}
	if (journal_open(store, o->config->controller_id, o->mode == CONTROLLER_PLAN, &c->journal,
		err) < 0) {
		controller_free(&c);
		return -1;
	}
	journal_set_boot(c->journal, clock_boot(c->clock));
	c->wide = !journal_is_scanned(c->journal);
	controller_open_lease(c);
	c->blank = c->wide;
	c->has_only = o->only != NULL;
	if (o->only)
		strs_copy(&c->only, o->only);
	c->rev = mem_strdup(o->rev);
	if (o->desired)
		c->bundle = bundle_ref((struct bundle *)o->desired);
	controller_fill_policy(c);
	make_machines(c);
	if (!o->desired)
		adopt_records(c);
	controller_watch_left(c);
	inventory_start(c->inventory);
	reporter_start(c->reporter);
	if (o->mode != CONTROLLER_RUN)
		c->watch = clock_timer(c->clock, WATCH_MS, watch, c);
	*ret = c;
	return 0;
}

void controller_free(struct controller **cp)
{
	struct controller *c = *cp;

	if (!c)
		return;
	CHECK_OBJ(c, CONTROLLER_MAGIC);
	clock_cancel(c->clock, &c->watch);
	clock_cancel(c->clock, &c->stop_timer);
	clock_cancel(c->clock, &c->turn_timer);
	controller_free_left(c);
	for (size_t i = 0; i < c->n_guests; i++)
		guest_free(&c->guests[i]);
	free(c->guests);
	source_free(&c->source);
	claims_free(&c->claims);
	reporter_free(&c->reporter);
	inventory_free(&c->inventory);
	gate_free(&c->gate);
	pvereq_free(&c->pve);
	journal_free(&c->journal);
	bundle_unref(&c->bundle);
	guest_rights_fini(&c->rights);
	strs_fini(&c->only);
	controller_free_model(c);
	controller_free_peril(c);
	free(c->rev);
	free(c->known);
	free(c->ids);
	free(c->unclear);
	free(c->cluster_problem);
	free(c->state_problem);
	free(c->unclear_hint);
	free(c->rev_reported);
	lease_fini(&c->lease);
	free(c->seen_instance);
	free(c->lookalike);
	free(c->renamed);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

static void stopping(void *arg)
{
	struct controller *c = arg;
	bool busy = false;

	c->stop_timer = 0;
	for (size_t i = 0; i < c->n_guests; i++)
		busy |= guest_is_acting(c->guests[i]);
	if (!busy)
		reporter_flush(c->reporter);
	busy |= !reporter_is_quiet(c->reporter);
	if (busy && clock_now(c->clock) < c->stop_deadline)
		c->stop_timer = clock_timer(c->clock, STOP_POLL_MS, stopping, c);
	else
		c->stop_cb(c->stop_arg);
}

void controller_stop(struct controller *c, clock_cb done, void *arg)
{
	CHECK_OBJ(c, CONTROLLER_MAGIC);
	if (c->stop_cb)
		return;
	c->env.stopping = true;
	c->stop_cb = done;
	c->stop_arg = arg;
	c->stop_deadline = clock_now(c->clock) + STOP_MS;
	c->stop_timer = clock_timer(c->clock, 0, stopping, c);
}

bool controller_is_settled(const struct controller *c)
{
	return controller_settled_now(c);
}

void controller_on_settled(struct controller *c, clock_cb cb, void *arg)
{
	c->settled_cb = cb;
	c->settled_arg = arg;
}

void controller_poke(struct controller *c)
{
	CHECK_OBJ(c, CONTROLLER_MAGIC);
	if (c->source && c->source_started)
		source_poke(c->source);
	inventory_poke(c->inventory);
}

uint64_t controller_looks(const struct controller *c)
{
	CHECK_OBJ(c, CONTROLLER_MAGIC);
	return inventory_looks(c->inventory);
}

void controller_retry(struct controller *c)
{
	controller_poke(c);
	for (size_t i = 0; i < c->n_guests; i++)
		if (guest_state(c->guests[i]) == GUEST_STALLED)
			guest_wake(c->guests[i]);
}

const struct status *controller_status(struct controller *c)
{
	return controller_build_status(c);
}

const struct plan *controller_plan(struct controller *c, const char *name)
{
	const struct guest *g = controller_find_guest(c, name);

	return g ? guest_plan(g) : NULL;
}

const struct bundle *controller_bundle(const struct controller *c)
{
	return c->bundle;
}
