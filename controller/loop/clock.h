/*
 * clock: time and timers as an interface, so that a whole controller can run on virtual time.
 *
 * Not the event loop (loop.h implements it for real time; tests/world implements it virtually).
 *
 * The implementer owns the timers; a timer fires once. Ids are never reused while pending.
 *
 * The controller process.
 */
#ifndef RAMET_CLOCK_H
#define RAMET_CLOCK_H

#include "mem.h"

struct clock;
typedef uint64_t timer_id; /* 0 = none */
typedef void (*clock_cb)(void *arg);

struct clock_ops {
	int64_t (*now)(struct clock *c);  /* monotonic, ms */
	int64_t (*wall)(struct clock *c); /* Unix time, ms; may jump */
	timer_id (*timer_set)(struct clock *c, int64_t delay_ms, clock_cb cb, void *arg);
	void (*timer_cancel)(struct clock *c, timer_id id);
	uint64_t (*random)(struct clock *c); /* for jitter and nonces; seeded in simulations */
	/* Names the start of the machine from which `now` counts, the same for every process on it;
	 * NULL = unknown. May be absent. */
	const char *(*boot)(struct clock *c);
};

struct clock {
	const struct clock_ops *ops;
};

static inline int64_t clock_now(struct clock *c)
{
	return c->ops->now(c);
}

static inline int64_t clock_wall(struct clock *c)
{
	return c->ops->wall(c);
}

/* delay ≤ 0 fires in the next turn, never from within this call. */
static inline timer_id clock_timer(struct clock *c, int64_t delay_ms, clock_cb cb, void *arg)
{
	return c->ops->timer_set(c, delay_ms, cb, arg);
}

/* Cancels and clears; 0 and fired timers are fine. */
static inline void clock_cancel(struct clock *c, timer_id *id)
{
	if (*id)
		c->ops->timer_cancel(c, *id);
	*id = 0;
}

static inline const char *clock_boot(struct clock *c)
{
	return c->ops->boot ? c->ops->boot(c) : NULL;
}

static inline uint64_t clock_random(struct clock *c)
{
	return c->ops->random(c);
}

#endif
