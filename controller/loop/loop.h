/*
 * loop: the event loop of a process: timers, file descriptors, signals, deferred work. Owner of
 * libevent's base.
 *
 * Not an HTTP client or server (net/httpc.c, http/httpd.c) and not time in simulations (vclock.h).
 *
 * The loop owns what is registered with it until the matching del or free; callbacks' arguments are
 * borrowed. Nothing registered is ever called from within a call that registers it. Whoever may be
 * deep in the stack of a callback gives memory back through loop_defer.
 *
 * The controller process; one loop, one thread.
 */
#ifndef RAMET_LOOP_H
#define RAMET_LOOP_H

#include "clock.h"
#include "err.h"

struct loop;
struct loop_io;
struct loop_signal;
struct event_base;

#define _cleanup_loop_ _cleanup_(loop_free)

enum loop_what { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_io_cb)(void *arg, int fd, unsigned what);
typedef void (*loop_signal_cb)(void *arg, int signo);

/* ERR_IO when the system gives no event queue. SIGPIPE is ignored from now on. */
int loop_new(struct loop **ret, struct err **err) MUST_CHECK;
/* Descriptors and signals are deleted by their owners before; timers left are dropped. */
void loop_free(struct loop **l);

/* Time and timers of this loop; borrowed. */
struct clock *loop_clock(struct loop *l);
/* For http/httpd.c alone, whose library wants the base itself; borrowed. */
struct event_base *loop_base(struct loop *l);

/* Calls back as long as fd is ready for any of `what` (LOOP_READ | LOOP_WRITE, 0 = none yet). The
 * fd stays the caller's and must outlive the handle. */
struct loop_io *loop_io_add(struct loop *l, int fd, unsigned what, loop_io_cb cb, void *arg);
void loop_io_set(struct loop_io *io, unsigned what);
void loop_io_del(struct loop_io **io);

/* Calls back in the loop, not in the signal handler. */
struct loop_signal *loop_signal_add(struct loop *l, int signo, loop_signal_cb cb, void *arg);
void loop_signal_del(struct loop_signal **s);

/* Runs cb once at the end of this turn, in the order of the calls; from outside a turn, at the end
 * of the next one. What is still waiting when the loop is freed runs then. */
void loop_defer(struct loop *l, clock_cb cb, void *arg);

/* Turns until loop_stop, or until nothing is registered any more. ERR_IO when polling fails. */
int loop_run(struct loop *l, struct err **err) MUST_CHECK;
/* One turn: waits for something to happen when nothing is waiting, and handles it. */
int loop_turn(struct loop *l, struct err **err) MUST_CHECK;
/* loop_run returns after this turn. */
void loop_stop(struct loop *l);

/* The wall clock without a loop: for log_set_clock. */
int64_t loop_wall_ms(void);

#endif
