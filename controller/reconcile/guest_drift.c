#include "guest_int.h"
#include "pvecodec.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_VALUE_CHARS 24
#define FIGHT_COUNT 3
#define FIGHT_WINDOW_MS (24 * 3600 * 1000LL)

static const int64_t delays_ms[] = {0, 60000, 300000};

static void drift_fini(struct drift *d)
{
	free(d->path);
	free(d->wanted);
	free(d->found);
	free(d->who);
	free(d->why);
	*d = (struct drift){0};
}

static struct drift *drift_find(const struct drifts *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].path, path) == 0)
			return &l->v[i];
	return NULL;
}

/* The clock was set back: what seems to lie in the future lies no further than now. */
static void forget_future(struct guest *g)
{
	int64_t now = clock_wall(g->env->clock);
	struct drifts *lists[] = {&g->st.corrected, &g->st.drifts};

	if (g->fight_since > now)
		g->fight_since = now;
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		for (size_t i = 0; i < lists[k]->n; i++) {
			struct drift *d = &lists[k]->v[i];

			if (d->corrected_wall > now)
				d->corrected_wall = now;
			if (d->since_wall > now)
				d->since_wall = now;
		}
	}
}

static unsigned corrections(const struct guest *g, const char *path)
{
	int64_t since = clock_wall(g->env->clock) - FIGHT_WINDOW_MS;
	unsigned n = 0;

	if (since < g->fight_since)
		since = g->fight_since;
	for (size_t i = 0; i < g->st.corrected.n; i++)
		n += strcmp(g->st.corrected.v[i].path, path) == 0 &&
		     g->st.corrected.v[i].corrected_wall > since;
	return n;
}

void guest_drift_fights(struct guest *g, struct strs *ret)
{
	forget_future(g);
	for (size_t i = 0; i < g->st.corrected.n; i++) {
		const char *path = g->st.corrected.v[i].path;

		if (!strs_has(ret, path) && corrections(g, path) >= FIGHT_COUNT)
			strs_add(ret, path);
	}
}

/* The key of PVE's log for a change. */
static const char *log_key(const struct change *c)
{
	if (c->attr && c->attr->codec != CODEC_NONE)
		return pvecodec_key(c->attr, c->slot);
	if (c->slot)
		return c->slot;
	if (strcmp(c->path, "started") == 0)
		return "power";
	return strcmp(c->path, "node_name") == 0 ? "node" : c->path;
}

/* Becomes the subject of a commit: the name at its end must not be cut off by a long value. */
static char *event_text(const struct guest *g, const struct drift *d)
{
	const char *by = d->who ? " by " : "", *who = d->who ? d->who : "";

	if (text_starts(d->path, "delete."))
		return mem_printf("drift: %s %s is back%s%s", g->name, d->path, by, who);
	_cleanup_str_ char *wanted = text_oneline(d->wanted, EVENT_VALUE_CHARS);
	_cleanup_str_ char *found = text_oneline(d->found, EVENT_VALUE_CHARS);
	return mem_printf("drift: %s %s %s→%s%s%s", g->name, d->path, wanted, found, by, who);
}

static void take_change(
    struct guest *g, const struct change *c, const struct drift *old, struct drifts *to)
{
	const char *who = attrib_who(inventory_attrib(g->env->inventory), g->rec.vmid, log_key(c));
	bool same = old && text_eq(old->found, c->from) && text_eq(old->wanted, c->to);
	struct drift *d;

	MEM_PUSH_ROOM(to->v, to->n, to->cap);
	d = &to->v[to->n++];
	*d = (struct drift){.path = mem_strdup(c->path),
	    .wanted = mem_strdup(c->to ? c->to : ""),
	    .found = mem_strdup(c->from ? c->from : ""),
	    .who = mem_strdup(who    ? who
			      : same ? old->who
				     : NULL),
	    .since_wall = same ? old->since_wall : clock_wall(g->env->clock),
	    .fight = corrections(g, c->path) >= FIGHT_COUNT,
	    .state = c->state,
	    .why = mem_strdup(c->why)};
	if (!same || (!old->who && d->who)) {
		_cleanup_str_ char *event = event_text(g, d);

		g->env->changed(g->env->arg, g, event);
		if (!same)
			g->env->note(g->env->arg, NOTE_DRIFT, g->name, event, -1);
	}
}

/* The oldest go, but nothing by which a fight may still be known: two who want different things of
 * many leaves fill the list fast. */
static void make_room(struct drifts *l, int64_t now)
{
	while (l->n >= STATUS_CORRECTED_MAX ||
	       (l->n >= STATUS_CORRECTED_KEEP &&
		   l->v[l->n - 1].corrected_wall <= now - FIGHT_WINDOW_MS))
		drift_fini(&l->v[--l->n]);
}

static void keep_corrected(struct guest *g, const struct drift *d)
{
	struct drifts *l = &g->st.corrected;
	_cleanup_str_ char *event = event_text(g, d), *done = mem_printf("%s; corrected", event);

	make_room(l, clock_wall(g->env->clock));
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	memmove(&l->v[1], &l->v[0], l->n * sizeof(*l->v));
	l->n++;
	l->v[0] = (struct drift){.path = mem_strdup(d->path),
	    .wanted = mem_strdup(d->wanted),
	    .found = mem_strdup(d->found),
	    .who = mem_strdup(d->who),
	    .since_wall = d->since_wall,
	    .corrected_wall = clock_wall(g->env->clock)};
	g->env->changed(g->env->arg, g, done);
	g->env->note(g->env->arg, NOTE_DRIFT, g->name, done, -1);
}

bool guest_drift_update(struct guest *g)
{
	const struct plan *p = &g->turn->plan;
	struct drifts old = g->st.drifts, now = {0};
	bool unknown = false;

	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];

		if (c->drift && c->state != CHANGE_PENDING)
			take_change(g, c, drift_find(&old, c->path), &now);
	}
	g->st.drifts = now;
	for (size_t i = 0; i < now.n; i++)
		unknown |= !now.v[i].who && !drift_find(&old, now.v[i].path);
	for (size_t i = 0; i < old.n; i++) {
		if (g->acted && !drift_find(&now, old.v[i].path))
			keep_corrected(g, &old.v[i]);
		drift_fini(&old.v[i]);
	}
	free(old.v);
	return unknown;
}

int64_t guest_drift_delay(const struct guest *g)
{
	const struct plan *p = &g->turn->plan;
	int64_t now = clock_wall(g->env->clock), wait = 0;

	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];
		const struct drift *d;
		int64_t left;
		unsigned n;

		if (c->state != CHANGE_DO)
			continue;
		if (!c->drift)
			return 0; /* the manifest asks for something: at once */
		d = drift_find(&g->st.drifts, c->path);
		n = corrections(g, c->path);
		if (!d || n == 0)
			continue;
		if (n >= ARRAY_LEN(delays_ms))
			n = ARRAY_LEN(delays_ms) - 1;
		left = d->since_wall + delays_ms[n] - now;
		if (left > delays_ms[n]) /* the clock was set back */
			left = delays_ms[n];
		if (left > wait)
			wait = left;
	}
	return wait;
}
