/*
 * vclock: virtual time: a clock that stands still until it is told to go on.
 *
 * Not a simulation of anything (tests/sim, tests/world): it only fires timers in order.
 *
 * Timers fire by due time, those of one instant in the order they were set. Time moves only within
 * vclock_next and vclock_run_until, to the due time of each timer before it fires. Random numbers
 * come from the seed: the same calls give the same run.
 *
 * Tests and simulations.
 */
#ifndef RAMET_VCLOCK_H
#define RAMET_VCLOCK_H

#include "clock.h"

struct vclock;

#define _cleanup_vclock_ _cleanup_(vclock_free)

/* Monotonic time starts at 0 ms, wall time at wall_ms. */
struct vclock *vclock_new(uint64_t seed, int64_t wall_ms);
/* Timers left are dropped, not fired. */
void vclock_free(struct vclock **v);

/* The interface; borrowed. */
struct clock *vclock_clock(struct vclock *v);

/* Due time of the earliest timer, or -1 without any. */
int64_t vclock_next_at(const struct vclock *v);
size_t vclock_pending(const struct vclock *v);

/* Moves to the earliest timer and fires that one; false when there is none. */
bool vclock_next(struct vclock *v);
/* Fires everything due until now_ms, then stands at now_ms. */
void vclock_run_until(struct vclock *v, int64_t now_ms);
/* Until `done` says so or nothing is left or now_ms is passed; true when done. */
bool vclock_run_to(
    struct vclock *v, int64_t until_ms, bool (*done)(const void *arg), const void *arg);

/* The wall clock jumps; monotonic time does not notice. */
void vclock_jump_wall(struct vclock *v, int64_t by_ms);

#endif
