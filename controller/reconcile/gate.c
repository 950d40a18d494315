#include "gate.h"

#include "text.h"

#include <stdlib.h>

#define MAGIC 0x47415445u
#define PAUSE_MS 20000
#define SLOW_READS 2 /* at once on a node that does not answer in time */

struct holder {
	gate_ticket id;
	enum gate_kind kind;
	char *node, *storage;
};

struct waiter {
	uint64_t id;
	gate_cb cb;
	void *arg;
	struct waiter *next;
};

/* Those who wait for the same: whether one of them may begin is asked once for all of them. */
struct line {
	enum gate_kind kind;
	char *node, *storage;
	struct waiter *first, *last; /* oldest first; never empty */
};

struct storage {
	char *id;
	unsigned limit;
	int64_t paused_until;
};

struct gate {
	uint32_t magic;
	struct clock *clock;
	struct gate_limits limits;
	struct holder *held;
	size_t n_held, cap_held;
	struct line *lines;
	size_t n_lines, cap_lines;
	struct storage *storages;
	size_t n_storages, cap_storages;
	struct strs slow; /* nodes */
	uint64_t last_id;
	timer_id timer;
	int64_t timer_at;
};

struct gate *gate_new(struct clock *clock, const struct gate_limits *limits)
{
	struct gate *g = mem_alloc(sizeof(*g));

	g->magic = MAGIC;
	g->clock = clock;
	g->limits = *limits;
	return g;
}

/* Who waits behind `before` (NULL: the first) leaves its line, and the line goes with the last. */
static void drop_waiter(struct gate *g, struct line *l, struct waiter *before)
{
	struct waiter *w = before ? before->next : l->first;

	if (before)
		before->next = w->next;
	else
		l->first = w->next;
	if (l->last == w)
		l->last = before;
	free(w);
	if (l->first)
		return;
	free(l->node);
	free(l->storage);
	*l = g->lines[--g->n_lines];
}

void gate_free(struct gate **gp)
{
	struct gate *g = *gp;

	if (!g)
		return;
	CHECK_OBJ(g, MAGIC);
	clock_cancel(g->clock, &g->timer);
	for (size_t i = 0; i < g->n_held; i++) {
		free(g->held[i].node);
		free(g->held[i].storage);
	}
	while (g->n_lines)
		drop_waiter(g, &g->lines[g->n_lines - 1], NULL);
	for (size_t i = 0; i < g->n_storages; i++)
		free(g->storages[i].id);
	free(g->held);
	free(g->lines);
	free(g->storages);
	strs_fini(&g->slow);
	g->magic = 0;
	free(g);
	*gp = NULL;
}

static struct storage *find_storage(const struct gate *g, const char *id)
{
	for (size_t i = 0; id && i < g->n_storages; i++)
		if (text_eq(g->storages[i].id, id))
			return &g->storages[i];
	return NULL;
}

unsigned gate_storage_limit(const struct gate *g, const char *storage)
{
	const struct storage *s = find_storage(g, storage);

	return s ? s->limit : g->limits.clones_per_storage;
}

bool gate_is_slow(const struct gate *g, const char *node)
{
	return node && strs_has(&g->slow, node);
}

static bool read_fits(const struct gate *g, const char *node)
{
	unsigned reads = 0, on_node = 0;

	for (size_t i = 0; i < g->n_held; i++) {
		const struct holder *h = &g->held[i];

		reads += h->kind == GATE_READ;
		on_node += h->kind == GATE_READ && text_eq(h->node, node);
	}
	return reads < g->limits.reads && (on_node < SLOW_READS || !gate_is_slow(g, node));
}

static bool fits(const struct gate *g, enum gate_kind kind, const char *node, const char *storage)
{
	const struct storage *s = find_storage(g, storage);
	unsigned ops = 0, on_node = 0, clones = 0;

	if (kind == GATE_READ)
		return read_fits(g, node);
	for (size_t i = 0; i < g->n_held; i++) {
		const struct holder *h = &g->held[i];

		if (h->kind == GATE_READ)
			continue;
		ops++;
		on_node += node && text_eq(h->node, node);
		clones += h->kind == GATE_CLONE && storage && text_eq(h->storage, storage);
	}
	if (ops >= g->limits.parallel || on_node >= g->limits.parallel_per_node)
		return false;
	if (kind != GATE_CLONE)
		return true;
	return clones < gate_storage_limit(g, storage) &&
	       (!s || s->paused_until <= clock_now(g->clock));
}

static gate_ticket hold(struct gate *g, enum gate_kind kind, const char *node, const char *storage)
{
	MEM_PUSH_ROOM(g->held, g->n_held, g->cap_held);
	g->held[g->n_held++] = (struct holder){.id = ++g->last_id,
	    .kind = kind,
	    .node = mem_strdup(node),
	    .storage = mem_strdup(storage)};
	return g->last_id;
}

/* Of those who read, only one that may at once. */
static bool goes_first(const struct gate *g, const struct line *l, enum gate_kind kind,
    const char *node, const char *storage)
{
	if (l->kind != kind)
		return false;
	if (kind == GATE_READ)
		return read_fits(g, l->node);
	return text_eq(l->node, node) && text_eq(l->storage, storage);
}

gate_ticket gate_try(struct gate *g, enum gate_kind kind, const char *node, const char *storage)
{
	CHECK_OBJ(g, MAGIC);
	if (!fits(g, kind, node, storage))
		return 0;
	for (size_t i = 0; i < g->n_lines; i++)
		if (goes_first(g, &g->lines[i], kind, node, storage))
			return 0;
	return hold(g, kind, node, storage);
}

static void on_timer(void *arg);

static void wake(struct gate *g, int64_t delay)
{
	int64_t at = clock_now(g->clock) + delay;

	if (!g->n_lines || (g->timer && g->timer_at <= at))
		return;
	clock_cancel(g->clock, &g->timer);
	g->timer_at = at;
	g->timer = clock_timer(g->clock, delay, on_timer, g);
}

static void on_timer(void *arg)
{
	struct gate *g = arg;
	struct line *l = NULL;

	g->timer = 0;
	for (size_t i = 0; i < g->n_lines; i++) {
		struct line *m = &g->lines[i];

		if ((!l || m->first->id < l->first->id) && fits(g, m->kind, m->node, m->storage))
			l = m;
	}
	if (!l) {
		wake(g, 5000); /* pauses of storages end without an event */
		return;
	}
	struct waiter w = *l->first;
	gate_ticket t = hold(g, l->kind, l->node, l->storage);

	drop_waiter(g, l, NULL);
	wake(g, 0); /* one at a time: the callback may change the queue */
	w.cb(w.arg, t);
}

static struct line *find_line(
    struct gate *g, enum gate_kind kind, const char *node, const char *storage)
{
	struct line *l;

	for (size_t i = 0; i < g->n_lines; i++) {
		l = &g->lines[i];
		if (l->kind == kind && text_eq(l->node, node) && text_eq(l->storage, storage))
			return l;
	}
	MEM_PUSH_ROOM(g->lines, g->n_lines, g->cap_lines);
	l = &g->lines[g->n_lines++];
	*l = (struct line){.kind = kind, .node = mem_strdup(node), .storage = mem_strdup(storage)};
	return l;
}

uint64_t gate_wait(struct gate *g, enum gate_kind kind, const char *node, const char *storage,
    gate_cb cb, void *arg)
{
	struct line *l = find_line(g, kind, node, storage);
	struct waiter *w = mem_alloc(sizeof(*w));

	*w = (struct waiter){.id = ++g->last_id, .cb = cb, .arg = arg};
	if (l->last)
		l->last->next = w;
	else
		l->first = w;
	l->last = w;
	wake(g, 0);
	return g->last_id;
}

void gate_leave(struct gate *g, uint64_t *waiter)
{
	for (size_t i = 0; *waiter && i < g->n_lines; i++) {
		struct waiter *before = NULL;

		for (struct waiter *w = g->lines[i].first; w && w->id <= *waiter; w = w->next) {
			if (w->id == *waiter) {
				drop_waiter(g, &g->lines[i], before);
				*waiter = 0;
				return;
			}
			before = w;
		}
	}
	*waiter = 0;
}

void gate_give(struct gate *g, gate_ticket *t)
{
	for (size_t i = 0; *t && i < g->n_held; i++) {
		if (g->held[i].id != *t)
			continue;
		free(g->held[i].node);
		free(g->held[i].storage);
		g->held[i] = g->held[--g->n_held];
		wake(g, 0);
		break;
	}
	*t = 0;
}

void gate_storage_result(struct gate *g, const char *storage, bool bad)
{
	struct storage *s = find_storage(g, storage);

	if (!storage || (!s && !bad))
		return;
	if (!s) {
		MEM_PUSH_ROOM(g->storages, g->n_storages, g->cap_storages);
		s = &g->storages[g->n_storages++];
		*s = (struct storage){
		    .id = mem_strdup(storage), .limit = g->limits.clones_per_storage};
	}
	if (!bad) {
		if (s->limit < g->limits.clones_per_storage)
			s->limit++;
		return;
	}
	s->limit = s->limit > 1 ? s->limit / 2 : 1;
	s->paused_until =
	    clock_now(g->clock) + PAUSE_MS + (int64_t)(clock_random(g->clock) % (PAUSE_MS / 2));
}

void gate_node_result(struct gate *g, const char *node, bool bad)
{
	struct strs left = {0};

	if (!node || bad == gate_is_slow(g, node))
		return;
	if (bad) {
		strs_add(&g->slow, node);
		return;
	}
	for (size_t i = 0; i < g->slow.n; i++)
		if (!text_eq(g->slow.v[i], node))
			strs_add(&left, g->slow.v[i]);
	strs_fini(&g->slow);
	g->slow = left;
	wake(g, 0);
}
