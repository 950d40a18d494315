#include "statusview.h"

#include <stdlib.h>
#include <string.h>

#include "term.h"

#define REV_CHARS 10
#define CORRECTED_SHOWN 3
#define NAMES_SHOWN 8 /* of VMs with the same next step */
#define MARGIN 14     /* of values below their names */

static enum term_color state_color(enum vmstat_state s)
{
	switch (s) {
	case VMSTAT_STALLED:
		return TERM_RED;
	case VMSTAT_WAITING:
	case VMSTAT_DRIFTED:
	case VMSTAT_PENDING:
		return TERM_YELLOW;
	case VMSTAT_RECONCILING:
		return TERM_CYAN;
	case VMSTAT_SUSPENDED:
		return TERM_DIM;
	case VMSTAT_READY:
		return TERM_GREEN;
	case VMSTAT_STATE__MAX:
		break;
	}
	return TERM_PLAIN;
}

static bool is_behind(const struct vmstat *v)
{
	return vmstat_reason(v) != v->reason;
}

static char *short_rev(const char *rev)
{
	/* What is no commit has a name of its own. */
	return mem_strndup(rev, strlen(rev) < 40 ? strlen(rev) : REV_CHARS);
}

/* "2026-12-01 08:00:05Z" or NULL. */
static char *short_time(int64_t wall_ms)
{
	if (wall_ms == 0)
		return NULL;
	char *t = text_time(wall_ms);
	t[10] = ' ';
	return t;
}

static char *drift_text(const struct drift *d)
{
	return mem_printf("%s is %s, wanted %s%s%s", d->path, d->found ? d->found : "absent",
	    d->wanted ? d->wanted : "absent", d->who ? ", by " : "", d->who ? d->who : "");
}

/* What the table says beside the reason. */
static char *what(const struct vmstat *v)
{
	if (v->verdict == PLAN_IN_SYNC && vmstat_is_drifted(v)) {
		_cleanup_str_ char *first = drift_text(&v->drifts.v[0]);
		if (v->drifts.n == 1)
			return TAKE(first);
		return mem_printf("%s (+%zu more)", first, v->drifts.n - 1);
	}
	if (is_behind(v))
		return mem_strdup("the newest version has findings; an older one stays in force");
	if (v->reason == REASON_IN_SYNC)
		return mem_strdup("");
	return mem_strdup(v->message ? v->message : reason_doc(v->reason));
}

bool statusview_is_ready(const struct status *s)
{
	if (s->cluster_problem)
		return false; /* what was so need not be so any more */
	if (diags_errors(&s->findings) > 0)
		return false; /* some manifest, or some version of it, is in force nowhere */
	for (size_t i = 0; i < s->n_vms; i++) {
		bool gone = s->vms[i]->verdict == PLAN_OFF && s->vms[i]->reason == REASON_ORPHANED;
		if (!gone && !vmstat_is_ready(s->vms[i]))
			return false;
	}
	return true;
}

/* ---- all ---- */

static void put_head(const struct statusview *o, const struct status *s, struct buf *out)
{
	struct status_counts c = status_count(s);
	_cleanup_str_ char *count = c.total == 0 ? mem_strdup("no VM is managed yet")
						 : mem_printf("%zu of %zu ready", c.ready, c.total);
	size_t errors = diags_errors(&s->findings);
	if (s->controller_id)
		buf_addf(out, "%s: ", s->controller_id);
	bool well = c.ready == c.total && !s->cluster_problem && !errors;
	buf_adds(out, s->cluster_problem ? "when last seen " : "");
	term_put(out, well ? TERM_GREEN : TERM_YELLOW, o->colors, count);
	for (int i = 0; i < VMSTAT_STATE__MAX; i++) {
		const char *word = vmstat_state_count_word((enum vmstat_state)i);
		if (c.by_state[i] && word)
			buf_addf(out, ", %zu %s", c.by_state[i], word);
	}
	if (errors > 0)
		buf_addf(out, ", %zu error%s in manifests", errors, errors == 1 ? "" : "s");
	buf_addc(out, '\n');
	if (s->rev_wanted) {
		_cleanup_str_ char *rev = short_rev(s->rev_wanted);
		_cleanup_str_ char *subject = text_oneline(s->subject ? s->subject : "", 80);
		bool done = text_eq(s->rev_wanted, s->rev_applied);
		buf_addf(out, "revision %s%s%s%s: %s\n", rev, *subject ? " (" : "", subject,
		    *subject ? ")" : "", done ? "applied" : "not applied everywhere yet");
	}
	if (s->observe_only)
		buf_adds(out, "the controller only observes\n");
}

static void put_problem(
    const struct statusview *o, const char *name, const char *text, struct buf *out)
{
	if (!text)
		return;
	const char *next;
	_cleanup_str_ char *facts = mem_strndup(text, status_problem_facts(text, &next));
	_cleanup_str_ char *line = text_oneline(facts, 1000), *hint = text_oneline(next, 1000);
	term_put(out, TERM_RED, o->colors, name);
	buf_addf(out, ": %s\n", line);
	if (*hint)
		buf_addf(out, "  next: %s\n", hint);
}

void statusview_problems(const struct statusview *o, const struct status *s, struct buf *out)
{
	put_problem(o, "git", s->git_problem, out);
	put_problem(o, "cluster", s->cluster_problem, out);
	put_problem(o, "report", s->report_problem, out);
	put_problem(o, "state", s->state_problem, out);
}

static void put_table(
    const struct statusview *o, const struct vmstat **v, size_t n, bool unseen, struct buf *out)
{
	static const char *const head[] = {"NAME", "STATE", "VMID", "NODE", "REASON", "WHAT"};
	struct term_table t = {.columns = ARRAY_LEN(head)};
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		term_cell(&t, TERM_BOLD, head[i]);
	for (size_t i = 0; i < n; i++) {
		enum vmstat_state state = vmstat_state(v[i]);
		_cleanup_str_ char *vmid =
		    v[i]->record.vmid ? mem_printf("%u", v[i]->record.vmid) : NULL;
		_cleanup_str_ char *text = what(v[i]);
		term_cell(&t, TERM_PLAIN, v[i]->name);
		_cleanup_str_ char *word = mem_printf("%s%s", vmstat_state_word(state),
		    unseen || vmstat_is_unknown(v[i]) ? " (unknown)" : "");
		term_cell(&t, state_color(state), word);
		term_cell(&t, TERM_PLAIN, vmid);
		term_cell(&t, TERM_PLAIN, v[i]->node);
		term_cell(&t, TERM_PLAIN, reason_word(vmstat_reason(v[i])));
		term_cell(&t, TERM_PLAIN, text);
	}
	term_table_print(&t, o->colors, o->columns, out);
	term_table_fini(&t);
}

/* ---- next steps ---- */

struct advice {
	const char *next;
	size_t at;    /* of the VM in the table */
	size_t first; /* of the first VM with the same step */
};

static int by_text(const void *a, const void *b)
{
	const struct advice *x = a, *y = b;
	int c = strcmp(x->next, y->next);
	return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
	const struct advice *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* Those with the same step stand behind each other, in the order of the table. */
static size_t gather_steps(const struct vmstat **v, size_t n, struct advice *ret)
{
	size_t n_steps = 0;
	for (size_t i = 0; i < n; i++) {
		const char *next = vmstat_is_stalled(v[i]) ? vmstat_next(v[i]) : NULL;
		if (next)
			ret[n_steps++] = (struct advice){.next = next, .at = i, .first = i};
	}
	if (n_steps == 0)
		return 0;
	qsort(ret, n_steps, sizeof(*ret), by_text);
	for (size_t i = 1; i < n_steps; i++)
		if (strcmp(ret[i].next, ret[i - 1].next) == 0)
			ret[i].first = ret[i - 1].first;
	qsort(ret, n_steps, sizeof(*ret), by_place);
	return n_steps;
}

/* One line for all VMs that take the same. */
static void put_next_steps(
    const struct statusview *o, const struct vmstat **v, const struct status *s, struct buf *out)
{
	struct advice *steps = mem_calloc(s->n_vms + 1, sizeof(*steps));
	size_t n = gather_steps(v, s->n_vms, steps);
	bool errors = diags_errors(&s->findings) > 0;
	if (n > 0 || errors)
		buf_adds(out, "\nNext steps:\n");
	for (size_t i = 0, end; i < n; i = end) {
		struct buf line;
		buf_init(&line, 0);
		for (end = i; end < n && steps[end].first == steps[i].first; end++)
			if (end - i < NAMES_SHOWN)
				buf_addf(
				    &line, "%s%s", end > i ? ", " : "", v[steps[end].at]->name);
		if (end - i > NAMES_SHOWN)
			buf_addf(&line, " and %zu more", end - i - NAMES_SHOWN);
		buf_addf(&line, ": %s", steps[i].next);
		term_wrap(out, buf_str(&line), 2, o->columns ? o->columns : SIZE_MAX);
		buf_fini(&line);
	}
	if (errors)
		term_wrap(out,
		    "manifests: mend the errors; STATUS.md lists them, and \"ramet validate\" in a "
		    "working tree",
		    2, o->columns ? o->columns : SIZE_MAX);
	free(steps);
}

void statusview_all(const struct statusview *o, const struct status *s, struct buf *out)
{
	const struct vmstat **v = status_sorted(s);
	statusview_problems(o, s, out);
	put_head(o, s, out);
	if (s->n_vms > 0) {
		buf_addc(out, '\n');
		put_table(o, v, s->n_vms, s->cluster_problem != NULL, out);
	}
	put_next_steps(o, v, s, out);
	free(v);
}

/* ---- one ---- */

static void put_pair(
    const struct statusview *o, struct buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	_cleanup_str_ char *line = text_oneline(value, 2000);
	_cleanup_str_ char *label = mem_printf("%-*s", MARGIN, name);
	term_put(out, TERM_DIM, o->colors, label);
	buf_addf(out, "%s\n", line);
}

static void put_condition(
    const struct statusview *o, struct buf *out, const char *name, bool is, enum term_color color)
{
	if (!is)
		return;
	buf_addc(out, ' ');
	term_put(out, color, o->colors, name);
}

static void put_conditions(const struct statusview *o, const struct vmstat *v, struct buf *out)
{
	_cleanup_str_ char *label = mem_printf("%-*s", MARGIN - 1, "conditions");
	term_put(out, TERM_DIM, o->colors, label);
	put_condition(o, out, "Ready", vmstat_is_ready(v), TERM_GREEN);
	put_condition(o, out, "Reconciling", vmstat_is_reconciling(v), TERM_CYAN);
	put_condition(o, out, "Stalled", vmstat_is_stalled(v), TERM_RED);
	put_condition(o, out, "Drifted", vmstat_is_drifted(v), TERM_YELLOW);
	put_condition(o, out, "PendingReboot", vmstat_is_pending(v), TERM_YELLOW);
	put_condition(o, out, "Suspended", vmstat_is_suspended(v), TERM_DIM);
	put_condition(o, out, "(unknown at present)", vmstat_is_unknown(v), TERM_YELLOW);
	buf_addc(out, '\n');
}

static void put_drifts(
    const struct statusview *o, const char *title, const struct drifts *l, struct buf *out)
{
	if (l->n == 0)
		return;
	buf_addf(out, "\n%s:\n", title);
	struct term_table t = {.columns = 6};
	static const char *const head[] = {"  LEAF", "WANTED", "FOUND", "BY", "SINCE", ""};
	for (size_t i = 0; i < t.columns; i++)
		term_cell(&t, TERM_BOLD, head[i]);
	for (size_t i = 0; i < l->n; i++) {
		const struct drift *d = &l->v[i];
		_cleanup_str_ char *path = mem_printf("  %s", d->path);
		_cleanup_str_ char *since = short_time(d->since_wall);
		_cleanup_str_ char *done = short_time(d->corrected_wall);
		_cleanup_str_ char *note = done	      ? mem_printf("corrected %s", done)
					   : d->fight ? mem_strdup("left alone: a fight")
					   : d->why   ? mem_strdup(d->why)
						      : NULL;
		term_cell(&t, TERM_PLAIN, path);
		term_cell(&t, TERM_PLAIN, d->wanted);
		term_cell(&t, TERM_PLAIN, d->found);
		term_cell(&t, TERM_PLAIN, d->who ? d->who : "unknown");
		term_cell(&t, TERM_PLAIN, since);
		term_cell(&t, TERM_PLAIN, note);
	}
	term_table_print(&t, o->colors, o->columns, out);
	term_table_fini(&t);
}

static void put_list(const char *title, const struct strs *l, struct buf *out)
{
	if (l->n == 0)
		return;
	buf_addf(out, "\n%s:\n", title);
	for (size_t i = 0; i < l->n; i++) {
		_cleanup_str_ char *line = text_oneline(l->v[i], 1000);
		buf_addf(out, "  %s\n", line);
	}
}

static void put_identity(const struct statusview *o, const struct vmstat *v, struct buf *out)
{
	const struct record *r = &v->record;
	_cleanup_str_ char *vmid = r->vmid ? mem_printf("%u", r->vmid) : NULL;
	_cleanup_str_ char *source = r->source_vmid ? mem_printf("%u", r->source_vmid) : NULL;
	_cleanup_str_ char *linked = strs_join(&v->linked_to, ", ");
	_cleanup_str_ char *rev = v->rev ? short_rev(v->rev) : NULL;
	_cleanup_str_ char *manifest = v->file && rev ? mem_printf("%s at %s", v->file, rev) : NULL;
	put_pair(o, out, "manifest", manifest ? manifest : v->file);
	put_pair(o, out, "vmid", vmid);
	put_pair(o, out, "uuid", r->uuid);
	put_pair(o, out, "cloned from", source);
	put_pair(o, out, "linked to", v->linked_to.n ? linked : NULL);
	put_pair(o, out, "node", v->node);
	put_pair(o, out, "power", v->power);
	put_pair(o, out, "lock", v->lock);
	if (r->vmid && !r->proven)
		put_pair(o, out, "ownership", "rebuilt from the marker alone: never destroyed");
}

void statusview_one(const struct statusview *o, const struct vmstat *v, struct buf *out)
{
	enum vmstat_state state = vmstat_state(v);
	_cleanup_str_ char *since = short_time(v->since_wall);
	_cleanup_str_ char *why = mem_printf(
	    "%s%s%s", reason_word(vmstat_reason(v)), since ? " since " : "", since ? since : "");
	term_put(out, TERM_BOLD, o->colors, v->name);
	buf_adds(out, ": ");
	term_put(out, state_color(state), o->colors, vmstat_state_word(state));
	buf_addc(out, '\n');
	put_pair(o, out, "reason", why);
	const char *message = is_behind(v) ? reason_doc(REASON_MANIFEST_INVALID) : v->message;
	put_pair(o, out, "message", vmstat_reason(v) == REASON_IN_SYNC ? NULL : message);
	put_pair(o, out, "next step", vmstat_next(v));
	put_conditions(o, v, out);
	put_identity(o, v, out);
	put_pair(o, out, "last did", v->last_op);
	put_pair(o, out, "result", v->last_result);
	put_pair(o, out, "task", v->last_upid);
	put_drifts(o, "Drift", &v->drifts, out);
	put_list("Waits for a restart of the guest", &v->pending_keys, out);
	put_list("Not done", &v->blocked, out);
	put_drifts(o, "Corrected lately", &v->corrected, out);
	if (v->findings.n > 0) {
		buf_adds(out, "\nFindings:\n");
		diags_print_text(&v->findings, o->colors, out);
	}
}

/* ---- in sentences ---- */

static void put_sentence(const struct statusview *o, struct buf *out, const char *s)
{
	term_wrap(out, s, 2, o->columns ? o->columns : SIZE_MAX);
}

static void explain_drifts(const struct statusview *o, const struct drifts *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct drift *d = &l->v[i];
		_cleanup_str_ char *text = drift_text(d), *since = short_time(d->since_wall);
		_cleanup_str_ char *line = mem_printf("%s%s%s%s%s.", text, since ? ", since " : "",
		    since ? since : "", d->why || d->fight ? "; " : "",
		    d->fight ? "left alone because it keeps coming back"
		    : d->why ? d->why
			     : "");
		put_sentence(o, out, line);
	}
}

static void explain_corrected(const struct statusview *o, const struct drifts *l, struct buf *out)
{
	for (size_t i = 0; i < l->n && i < CORRECTED_SHOWN; i++) {
		const struct drift *d = &l->v[i];
		_cleanup_str_ char *when = short_time(d->corrected_wall);
		_cleanup_str_ char *line = mem_printf("Corrected%s%s: %s was %s, wanted %s, by %s.",
		    when ? " " : "", when ? when : "", d->path, d->found ? d->found : "absent",
		    d->wanted ? d->wanted : "absent", d->who ? d->who : "unknown");
		put_sentence(o, out, line);
	}
}

static void explain_operation(const struct statusview *o, const struct vmstat *v, struct buf *out)
{
	if (!v->last_op)
		return;
	_cleanup_str_ char *line = mem_printf("The last operation was \"%s\"%s%s%s%s.", v->last_op,
	    v->last_result ? "; it ended with " : "", v->last_result ? v->last_result : "",
	    v->last_upid ? "; its task was " : "", v->last_upid ? v->last_upid : "");
	put_sentence(o, out, line);
}

static void explain_rest(const struct statusview *o, const struct vmstat *v, struct buf *out)
{
	explain_drifts(o, &v->drifts, out);
	for (size_t i = 0; i < v->blocked.n; i++) {
		if (text_eq(v->blocked.v[i], v->message))
			continue;
		_cleanup_str_ char *line = mem_printf("Not done: %s.", v->blocked.v[i]);
		put_sentence(o, out, line);
	}
	if (v->pending_keys.n > 0) {
		_cleanup_str_ char *keys = strs_join(&v->pending_keys, ", ");
		_cleanup_str_ char *line = mem_printf(
		    "Written, and in force after the next stop and start of the guest: %s.", keys);
		put_sentence(o, out, line);
	}
	explain_corrected(o, &v->corrected, out);
	explain_operation(o, v, out);
	if (v->record.vmid && v->record.uuid && !v->record.proven)
		put_sentence(o, out,
		    "Its record was rebuilt from the marker alone: it is updated, but "
		    "never destroyed before a person confirms it.");
}

const char *statusview_waits_for(const struct vmstat *v)
{
	static const struct {
		enum reason reason;
		const char *what;
	} waits[] = {
	    {REASON_LOCKED, "PVE's lock to go"},
	    {REASON_SOURCE_LOCKED, "the template's lock to go"},
	    {REASON_HA_BUSY, "the HA manager to be done with it"},
	    {REASON_NO_SLOT, "its turn: other operations come first"},
	    {REASON_DEPENDENCY, "a VM that it depends on"},
	    {REASON_NO_QUORUM, "the cluster's quorum"},
	    {REASON_QUORUM_YOUNG, "quorum to have lasted"},
	    {REASON_NODE_OFFLINE, "the node"},
	    {REASON_CLUSTER_UNREACHABLE, "the cluster"},
	    {REASON_UNAUTHENTICATED, "a valid token"},
	    {REASON_STATE_UNWRITABLE, "the state directory to be writable"},
	    {REASON_OBSERVE_ONLY, "a controller that may change something"},
	    {REASON_UNCONFIRMED, "the outcome of a request"},
	    {REASON_TASK_STUCK, "a task of PVE"},
	    {REASON_DEPENDENTS, "a VM that depends on it to go first"},
	    {REASON_ORDER_STALE, "Git to say that it is still to be destroyed"},
	};
	if (v->verdict == PLAN_STALLED || v->stale)
		return "a person";
	if (v->verdict == PLAN_OFF)
		return v->reason == REASON_ORPHANED ? NULL : "a person who gives it back";
	for (size_t i = 0; v->verdict == PLAN_WAIT && i < ARRAY_LEN(waits); i++)
		if (waits[i].reason == v->reason)
			return waits[i].what;
	if (v->verdict == PLAN_WAIT)
		return "the next attempt";
	return v->verdict == PLAN_IN_SYNC && vmstat_is_pending(v) ? "a stop and start of the guest"
								  : NULL;
}

static void explain_manifest(const struct statusview *o, const struct vmstat *v,
    const struct statusview_now *now, struct buf *out)
{
	const char *at = now->place ? now->place : v->file;
	_cleanup_str_ char *rev = v->rev ? short_rev(v->rev) : NULL;
	if (!at)
		return;
	_cleanup_str_ char *line = mem_printf(
	    "Its manifest is %s%s%s.", at, rev ? ", in force as of revision " : "", rev ? rev : "");
	put_sentence(o, out, line);
}

void statusview_explain(const struct statusview *o, const struct vmstat *v,
    const struct statusview_now *now, struct buf *out)
{
	enum vmstat_state state = vmstat_state(v);
	enum reason why = vmstat_reason(v);
	_cleanup_str_ char *since = short_time(v->since_wall);
	term_put(out, TERM_BOLD, o->colors, v->name);
	buf_adds(out, " is ");
	term_put(out, state_color(state), o->colors, vmstat_state_word(state));
	buf_addf(out, "%s%s (%s), as last reported.\n", since ? " since " : "", since ? since : "",
	    reason_word(why));
	put_sentence(o, out, reason_doc(why));
	if (v->message && !is_behind(v) && v->reason != REASON_IN_SYNC)
		put_sentence(o, out, v->message);
	if (is_behind(v) && v->rev) {
		_cleanup_str_ char *rev = short_rev(v->rev);
		_cleanup_str_ char *line =
		    mem_printf("In force is the version of %s: %s", rev, reason_doc(v->reason));
		put_sentence(o, out, line);
	}
	if (statusview_waits_for(v)) {
		_cleanup_str_ char *line = mem_printf("It waits for %s.", statusview_waits_for(v));
		put_sentence(o, out, line);
	}
	explain_rest(o, v, out);
	explain_manifest(o, v, now, out);
	if (v->findings.n > 0) {
		buf_addc(out, '\n');
		diags_print_text(&v->findings, o->colors, out);
	}
	const char *next = vmstat_next(v);
	if (!next)
		next = now->todo
			   ? "nothing was reported that takes a person. What is to be done now, "
			     "below, is newer; if it stays, look whether the controller runs."
			   : "nothing to be done by a person.";
	_cleanup_str_ char *line = mem_printf("Next: %s", next);
	buf_addc(out, '\n');
	term_wrap(out, line, 0, o->columns ? o->columns : SIZE_MAX);
	if (now->plan)
		buf_addf(out, "\nLooked at now:\n\n%s", now->plan);
	if (now->problem) {
		_cleanup_str_ char *problem = text_oneline(now->problem, 1000);
		_cleanup_str_ char *more = mem_printf("This is what was reported; how it is now "
						      "cannot be said: %s.",
		    problem);
		buf_addc(out, '\n');
		term_wrap(out, more, 0, o->columns ? o->columns : SIZE_MAX);
	}
}
