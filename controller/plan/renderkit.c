#include "renderkit.h"

#include <stdlib.h>
#include <string.h>

#include "foretell.h"

static size_t count(const struct plan *p, enum change_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_changes; i++)
		n += p->changes[i].state == state;
	return n;
}

/* Smaller is worse. What is to be destroyed comes before everything. */
static int rank(const struct plan *p)
{
	if (p->destroy && p->verdict == PLAN_ACT)
		return -1;
	switch (p->verdict) {
	case PLAN_STALLED:
		return 0;
	case PLAN_WAIT:
		return 2;
	case PLAN_ACT:
		return count(p, CHANGE_BLOCKED) ? 1 : 3;
	case PLAN_IN_SYNC:
		return p->n_changes ? 4 : 6;
	case PLAN_OFF:
		return 5;
	case PLAN_VERDICT__MAX:
		break;
	}
	return 7;
}

static int compare(const void *pa, const void *pb)
{
	const struct render_item *a = *(const struct render_item *const *)pa;
	const struct render_item *b = *(const struct render_item *const *)pb;
	int d = rank(a->plan) - rank(b->plan);
	return d ? d : strcmp(a->name, b->name);
}

const struct render_item **renderkit_sort(const struct render_item *v, size_t n)
{
	const struct render_item **sorted = mem_calloc(n + 1, sizeof(const struct render_item *));
	for (size_t i = 0; i < n; i++)
		sorted[i] = &v[i];
	if (n > 1)
		qsort(sorted, n, sizeof(*sorted), compare);
	return sorted;
}

static bool has_step(const struct plan *p, enum step_kind kind)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == kind)
			return true;
	return false;
}

/* Changes that are carried out and do this to the running guest. */
static size_t count_felt(const struct plan *p, enum attr_class class)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_changes; i++)
		n += p->changes[i].state == CHANGE_DO && p->changes[i].disruption &&
		     !p->changes[i].takes_restart && p->changes[i].class == class;
	return n;
}

/* Changes that the running guest sees after its next stop and start. */
static size_t count_later(const struct plan *p)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_changes; i++)
		n += (p->changes[i].state == CHANGE_DO && p->changes[i].takes_restart) ||
		     p->changes[i].state == CHANGE_PENDING;
	return n;
}

static void count_guest(const struct plan *p, struct renderkit_counts *ret)
{
	bool restarted = has_step(p, STEP_REBOOT) || has_step(p, STEP_SHUTDOWN);
	bool felt = count_felt(p, CLASS_LIVE_FLAP) || count_felt(p, CLASS_HOTPLUG);

	ret->restarted += restarted;
	ret->felt += felt && !restarted;
	ret->later += count_later(p) && !restarted;
}

void renderkit_count(const struct render_item *v, size_t n, struct renderkit_counts *ret)
{
	*ret = (struct renderkit_counts){0};
	for (size_t i = 0; i < n; i++) {
		const struct plan *p = v[i].plan;
		bool acts = p->verdict == PLAN_ACT;
		if (acts && p->destroy)
			ret->destroy++;
		else if (acts && p->create)
			ret->create++;
		else if (acts)
			ret->change++;
		else if (p->verdict == PLAN_WAIT)
			ret->waiting++;
		else if (p->verdict == PLAN_OFF)
			ret->off++;
		else if (p->verdict == PLAN_IN_SYNC && count(p, CHANGE_PENDING))
			ret->pending++;
		else if (p->verdict == PLAN_IN_SYNC && count(p, CHANGE_REPORT))
			ret->reported++;
		else if (p->verdict == PLAN_IN_SYNC)
			ret->in_sync++;
		/* A VM may be worked on and have blocked changes as well. */
		if (p->verdict == PLAN_STALLED || (acts && count(p, CHANGE_BLOCKED)))
			ret->blocked++;
		if (!p->create)
			count_guest(p, ret);
	}
}

char *renderkit_summary(const struct renderkit_counts *c)
{
	const struct {
		size_t n;
		const char *what;
	} parts[] = {
	    {c->destroy, "to destroy"},
	    {c->create, "to create"},
	    {c->change, "to change"},
	    {c->blocked, "blocked"},
	    {c->waiting, "waiting"},
	    {c->pending, "waiting for a restart"},
	    {c->reported, "reported only"},
	    {c->off, "left alone"},
	    {c->in_sync, "in sync"},
	};
	struct buf out;
	buf_init(&out, 0);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].n)
			buf_addf(&out, "%s%zu %s", out.len ? ", " : "", parts[i].n, parts[i].what);
	if (!out.len)
		buf_adds(&out, "no VMs");
	return buf_take(&out);
}

static void add_part(struct buf *out, const char *sep, size_t n, const char *one, const char *more)
{
	if (n)
		buf_addf(out, "%s%zu %s", out->len ? sep : "", n, n == 1 ? one : more);
}

char *renderkit_disturbed(const struct renderkit_counts *c)
{
	struct buf out;
	buf_init(&out, 0);
	add_part(&out, "; ", c->restarted, "running guest is shut down or restarted",
	    "running guests are shut down or restarted");
	add_part(&out, "; ", c->felt, "running guest notices it at once",
	    "running guests notice it at once");
	add_part(&out, "; ", c->later, "guest sees some of it only after a restart",
	    "guests see some of it only after a restart");
	if (out.len)
		return buf_take(&out);
	buf_fini(&out);
	return NULL;
}

const char *renderkit_deed(const struct plan *p)
{
	switch (p->verdict) {
	case PLAN_ACT:
		return p->destroy ? "destroy" : p->create ? "create" : "change";
	case PLAN_STALLED:
		return p->destroy ? "not destroyed" : p->create ? "not created" : "blocked";
	case PLAN_WAIT:
		return "waits";
	case PLAN_OFF:
		return "left alone";
	case PLAN_IN_SYNC:
		return count(p, CHANGE_PENDING)	 ? "waits for a restart"
		       : count(p, CHANGE_REPORT) ? "reported only"
						 : "in sync";
	case PLAN_VERDICT__MAX:
		break;
	}
	return "";
}

char *renderkit_extent(const struct plan *p)
{
	struct buf out;
	size_t n = p->n_changes, blocked = count(p, CHANGE_BLOCKED);
	buf_init(&out, 0);
	add_part(&out, ", ", n, "change", "changes");
	if (blocked)
		buf_addf(&out, ", %zu blocked", blocked);
	return out.len ? buf_take(&out) : mem_strdup("");
}

char *renderkit_felt(const struct plan *p)
{
	const struct {
		bool is;
		const char *what;
	} parts[] = {
	    {has_step(p, STEP_SHUTDOWN), "shut down"},
	    {has_step(p, STEP_REBOOT), "restarted"},
	    {has_step(p, STEP_START), "started"},
	    {has_step(p, STEP_MIGRATE), "migrated"},
	    {count_felt(p, CLASS_LIVE_FLAP) > 0, "link flaps"},
	    {count_felt(p, CLASS_HOTPLUG) > 0, "hot-plug"},
	};
	struct buf out;
	buf_init(&out, 0);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].is && !p->create)
			buf_addf(&out, "%s%s", out.len ? ", " : "", parts[i].what);
	if (!p->create && !has_step(p, STEP_REBOOT))
		add_part(&out, ", ", count_later(p), "change after a restart",
		    "changes after a restart");
	return out.len ? buf_take(&out) : mem_strdup("");
}

char renderkit_change_symbol(const struct change *c)
{
	switch (c->state) {
	case CHANGE_BLOCKED:
		return '!';
	case CHANGE_PENDING:
		return '.';
	case CHANGE_REPORT:
		return '?';
	case CHANGE_DO:
		if (text_eq(c->to, "absent"))
			return '-';
		return text_eq(c->from, "absent") ? '+' : '~';
	case CHANGE_STATE__MAX:
		break;
	}
	return ' ';
}

char renderkit_item_symbol(const struct plan *p)
{
	switch (p->verdict) {
	case PLAN_ACT:
		return p->destroy ? '-' : p->create ? '+' : '~';
	case PLAN_STALLED:
		return '!';
	case PLAN_WAIT:
		return '.';
	case PLAN_OFF:
		return '?';
	case PLAN_IN_SYNC:
		return p->n_changes ? '.' : '=';
	case PLAN_VERDICT__MAX:
		break;
	}
	return ' ';
}

static const char *doing(const struct plan *p, const struct change *c)
{
	enum step_kind kind =
	    c->step >= 0 && (size_t)c->step < p->n_steps ? p->steps[c->step].kind : STEP_KIND__MAX;

	if (c->takes_restart)
		return "after restart";
	if (kind == STEP_MOVE)
		return p->create || !c->disruption ? "move" : "now, move";
	if (p->create)
		return "when made";
	if (c->class == CLASS_LIVE_FLAP && c->disruption)
		return "now, link flaps";
	if (c->class == CLASS_HOTPLUG && c->disruption)
		return "now, hotplug";
	return "now";
}

char *renderkit_effect(const struct plan *p, const struct change *c)
{
	switch (c->state) {
	case CHANGE_DO:
		return mem_printf("%s%s", doing(p, c), c->drift ? " (drift)" : "");
	case CHANGE_PENDING:
		return mem_strdup(c->step >= 0	     ? "now, restart"
				  : c->takes_restart ? "waits for restart"
						     : "comes with the next start");
	case CHANGE_BLOCKED:
		return mem_printf("blocked: %s", reason_word(c->reason));
	case CHANGE_REPORT:
		return mem_strdup(c->reason == REASON_CLONE_SOURCE_CHANGED ? "history, not changed"
									   : "reported only");
	case CHANGE_STATE__MAX:
		break;
	}
	return mem_strdup("");
}

bool renderkit_has_effect(const struct plan *p, const struct change *c)
{
	return !p->create || c->state != CHANGE_DO;
}

char *renderkit_where(const struct render_item *i)
{
	uint32_t vmid = i->vmid;
	const char *node = i->node;
	if (i->plan->create && i->want) {
		vmid = vmid ? vmid : (uint32_t)resource_int(i->want, ATTR_id);
		node = node ? node : resource_str(i->want, ATTR_node_name);
	}
	const char *on = node ? " on " : "";
	node = node ? node : "";
	if (vmid && !i->plan->create)
		return mem_printf("%u%s%s", vmid, on, node);
	return vmid ? mem_printf("new, %u%s%s", vmid, on, node) : mem_printf("new%s%s", on, node);
}

const char *renderkit_verdict(enum plan_verdict v)
{
	static const char *const words[] = {
	    [PLAN_IN_SYNC] = "inSync",
	    [PLAN_ACT] = "act",
	    [PLAN_WAIT] = "wait",
	    [PLAN_STALLED] = "stalled",
	    [PLAN_OFF] = "off",
	};
	MUST(v < PLAN_VERDICT__MAX);
	return words[v];
}

bool renderkit_is_worth(const struct plan *p)
{
	return p->verdict != PLAN_IN_SYNC || p->n_changes;
}

const char *renderkit_next(const struct plan *p)
{
	if (p->verdict == PLAN_ACT || p->verdict == PLAN_IN_SYNC)
		return NULL;
	const char *next = p->hint ? p->hint : reason_next(p->reason);
	return *next ? next : NULL;
}

/* ---- what a new VM is given beside its changes ---- */

static bool has_change(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];
		const char *below = text_after(c->path, path), *above = text_after(path, c->path);
		/* The entries of a delete list have a change each; a new device is one for its
		 * leaves. */
		bool same = below && (!*below || (*below == '.' && c->slot));
		if (same || (above && *above == '.' && !c->attr))
			return true;
	}
	return false;
}

bool renderkit_is_rest(
    const struct render_item *i, const struct leaf *l, enum renderkit_rest *ret_kind)
{
	_cleanup_str_ char *path = schema_path(l->attr, l->slot);
	if (!i->plan->create || has_change(i->plan, path))
		return false;
	*ret_kind = foretell_sends(l->attr) ? RENDERKIT_SENT
		    : l->attr->class == CLASS_NONE && l->attr->codec == CODEC_NONE
			? RENDERKIT_SETTING
			: RENDERKIT_SAME;
	return true;
}

const char *renderkit_rest_word(enum renderkit_rest kind)
{
	static const char *const words[] = {
	    [RENDERKIT_SENT] = "sent", [RENDERKIT_SAME] = "same", [RENDERKIT_SETTING] = "setting"};
	MUST(kind < RENDERKIT_REST__MAX);
	return words[kind];
}

const char *renderkit_rest_title(enum renderkit_rest kind)
{
	static const char *const titles[] = {[RENDERKIT_SENT] = "with the clone",
	    [RENDERKIT_SAME] = "as the template has it",
	    [RENDERKIT_SETTING] = "settings"};
	MUST(kind < RENDERKIT_REST__MAX);
	return titles[kind];
}
