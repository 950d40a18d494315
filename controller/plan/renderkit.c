#include "renderkit.h"

#include <stdlib.h>
#include <string.h>

static size_t count(const struct plan *p, enum change_state state)
{
	size_t n = 0;
	for (size_t i = 0; i < p->n_changes; i++)
		n += p->changes[i].state == state;
	return n;
}

/* Smaller is worse. */
static int rank(const struct plan *p)
{
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

void renderkit_count(const struct render_item *v, size_t n, struct renderkit_counts *ret)
{
	*ret = (struct renderkit_counts){0};
	for (size_t i = 0; i < n; i++) {
		const struct plan *p = v[i].plan;
		bool acts = p->verdict == PLAN_ACT;
		if (acts && p->create)
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
	}
}

char *renderkit_summary(const struct renderkit_counts *c)
{
	const struct {
		size_t n;
		const char *what;
	} parts[] = {
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
		return p->create ? '+' : '~';
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
		return mem_strdup(c->step >= 0 ? "now, restart" : "waits for restart");
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

char *renderkit_where(const struct render_item *i)
{
	const char *on = i->node ? " on " : "";
	const char *node = i->node ? i->node : "";
	if (i->vmid && !i->plan->create)
		return mem_printf("%u%s%s", i->vmid, on, node);
	return i->vmid ? mem_printf("new, %u%s%s", i->vmid, on, node)
		       : mem_printf("new%s%s", on, node);
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
