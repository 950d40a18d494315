#include "vclock.h"

#include <stdlib.h>

#include "slots.h"

#define VCLOCK_MAGIC 0x76636c6bu

/* Timers that fire at one instant without end are a bug of whoever sets them. */
#define SAME_INSTANT_MAX 1000000u

struct vtimer {
	int64_t due;
	uint64_t seq; /* grows: the order among timers of one instant */
	slot_id id;
	size_t at; /* in the heap */
	clock_cb cb;
	void *arg;
};

struct vclock {
	uint32_t magic;
	struct clock clock;
	int64_t now;
	int64_t wall_offset;
	uint64_t last_seq;
	uint64_t rng;
	struct slots timers;
	struct vtimer **heap; /* binary heap by (due, seq) */
	size_t n, cap;
	unsigned same_instant;
};

static struct vclock *of_clock(struct clock *c)
{
	struct vclock *v = (struct vclock *)((char *)c - offsetof(struct vclock, clock));
	CHECK_OBJ(v, VCLOCK_MAGIC);
	return v;
}

static bool before(const struct vtimer *a, const struct vtimer *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void place(struct vclock *v, size_t i, struct vtimer *t)
{
	v->heap[i] = t;
	t->at = i;
}

static void swap(struct vclock *v, size_t i, size_t k)
{
	struct vtimer *t = v->heap[i];
	place(v, i, v->heap[k]);
	place(v, k, t);
}

static void sift_up(struct vclock *v, size_t i)
{
	while (i > 0 && before(v->heap[i], v->heap[(i - 1) / 2])) {
		swap(v, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void sift_down(struct vclock *v, size_t i)
{
	for (;;) {
		size_t least = i;
		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < v->n; k++) {
			if (before(v->heap[k], v->heap[least]))
				least = k;
		}
		if (least == i)
			return;
		swap(v, i, least);
		i = least;
	}
}

static void drop(struct vclock *v, struct vtimer *t)
{
	size_t i = t->at;
	struct vtimer *last = v->heap[--v->n];
	if (last != t) {
		place(v, i, last);
		sift_up(v, i);
		sift_down(v, last->at);
	}
	slots_del(&v->timers, t->id);
	free(t);
}

static int64_t virt_now(struct clock *c)
{
	return of_clock(c)->now;
}

static int64_t virt_wall(struct clock *c)
{
	struct vclock *v = of_clock(c);
	return v->now + v->wall_offset;
}

static timer_id virt_timer_set(struct clock *c, int64_t delay_ms, clock_cb cb, void *arg)
{
	struct vclock *v = of_clock(c);
	if (delay_ms < 0)
		delay_ms = 0;
	MUST(delay_ms <= INT64_MAX - v->now);
	struct vtimer *t = mem_alloc(sizeof(*t));
	*t = (struct vtimer){.due = v->now + delay_ms, .seq = ++v->last_seq, .cb = cb, .arg = arg};
	t->id = slots_add(&v->timers, t);
	MEM_PUSH_ROOM(v->heap, v->n, v->cap);
	place(v, v->n++, t);
	sift_up(v, t->at);
	return t->id;
}

static void virt_timer_cancel(struct clock *c, timer_id id)
{
	struct vclock *v = of_clock(c);
	struct vtimer *t = slots_find(&v->timers, id);
	if (t)
		drop(v, t);
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, also 0. */
static uint64_t virt_random(struct clock *c)
{
	struct vclock *v = of_clock(c);
	uint64_t z = v->rng += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static const char *virt_boot(struct clock *c)
{
	of_clock(c);
	return "virtual";
}

static const struct clock_ops virtual_ops = {
    .now = virt_now,
    .wall = virt_wall,
    .timer_set = virt_timer_set,
    .timer_cancel = virt_timer_cancel,
    .random = virt_random,
    .boot = virt_boot,
};

struct vclock *vclock_new(uint64_t seed, int64_t wall_ms)
{
	struct vclock *v = mem_alloc(sizeof(*v));
	v->magic = VCLOCK_MAGIC;
	v->clock.ops = &virtual_ops;
	v->wall_offset = wall_ms;
	v->rng = seed;
	return v;
}

void vclock_free(struct vclock **vp)
{
	struct vclock *v = *vp;
	if (!v)
		return;
	CHECK_OBJ(v, VCLOCK_MAGIC);
	for (size_t i = 0; i < v->n; i++)
		free(v->heap[i]);
	free(v->heap);
	slots_fini(&v->timers);
	v->magic = 0;
	free(v);
	*vp = NULL;
}

struct clock *vclock_clock(struct vclock *v)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	return &v->clock;
}

int64_t vclock_next_at(const struct vclock *v)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	return v->n > 0 ? v->heap[0]->due : -1;
}

size_t vclock_pending(const struct vclock *v)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	return v->n;
}

bool vclock_next(struct vclock *v)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	if (v->n == 0)
		return false;
	struct vtimer *t = v->heap[0];
	clock_cb cb = t->cb;
	void *arg = t->arg;
	v->same_instant = t->due > v->now ? 0 : v->same_instant + 1;
	MUST(v->same_instant < SAME_INSTANT_MAX);
	v->now = t->due;
	drop(v, t);
	cb(arg);
	return true;
}

void vclock_run_until(struct vclock *v, int64_t now_ms)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	MUST(now_ms >= v->now);
	while (v->n > 0 && v->heap[0]->due <= now_ms)
		vclock_next(v);
	v->now = now_ms;
}

bool vclock_run_to(
    struct vclock *v, int64_t until_ms, bool (*done)(const void *arg), const void *arg)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	while (!done(arg)) {
		if (v->n == 0 || v->heap[0]->due > until_ms)
			return false;
		vclock_next(v);
	}
	return true;
}

void vclock_jump_wall(struct vclock *v, int64_t by_ms)
{
	CHECK_OBJ(v, VCLOCK_MAGIC);
	v->wall_offset += by_ms;
}
