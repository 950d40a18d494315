#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "slots.h"

#define LOOP_MAGIC 0x6c6f6f70u
#define IO_MAGIC 0x6c6f696fu
#define SIGNAL_MAGIC 0x6c6f7367u

/* A delay that is longer waits this long: far beyond any deadline, far below an overflow. */
#define DELAY_MAX_MS ((int64_t)365 * 24 * 3600 * 1000)

struct deferred {
	clock_cb cb;
	void *arg;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *prev, *next; /* in the loop's list, for loop_free */
	struct event *ev;
	slot_id id;
	clock_cb cb;
	void *arg;
};

#define BOOT_ID_LEN 36

struct loop {
	uint32_t magic;
	struct clock clock;
	char boot[BOOT_ID_LEN + 1]; /* "" = unknown */
	struct event_base *base;
	struct slots timers;
	struct loop_timer *first_timer;
	struct deferred *deferred;
	size_t n_deferred, cap_deferred;
	bool stop;
};

struct loop_io {
	uint32_t magic;
	struct loop *loop;
	struct event *ev;
	int fd;
	loop_io_cb cb;
	void *arg;
};

struct loop_signal {
	uint32_t magic;
	struct event *ev;
	int signo;
	loop_signal_cb cb;
	void *arg;
};

static struct loop *of_clock(struct clock *c)
{
	struct loop *l = (struct loop *)((char *)c - offsetof(struct loop, clock));
	CHECK_OBJ(l, LOOP_MAGIC);
	return l;
}

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;
	MUST(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t loop_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t real_now(struct clock *c)
{
	of_clock(c);
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t real_wall(struct clock *c)
{
	of_clock(c);
	return loop_wall_ms();
}

static uint64_t real_random(struct clock *c)
{
	of_clock(c);
	uint64_t v = 0;
	/* At most 256 bytes never come short once the kernel's pool is seeded. */
	while (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		MUST(errno == EINTR);
	return v;
}

static void timer_free(struct loop_timer *t)
{
	slots_del(&t->loop->timers, t->id);
	if (t->prev)
		t->prev->next = t->next;
	else
		t->loop->first_timer = t->next;
	if (t->next)
		t->next->prev = t->prev;
	event_free(t->ev);
	free(t);
}

static void timer_fired(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct loop_timer *t = arg;
	clock_cb cb = t->cb;
	void *cb_arg = t->arg;
	timer_free(t);
	cb(cb_arg);
}

static timer_id real_timer_set(struct clock *c, int64_t delay_ms, clock_cb cb, void *arg)
{
	struct loop *l = of_clock(c);
	struct loop_timer *t = mem_alloc(sizeof(*t));
	if (delay_ms < 0)
		delay_ms = 0;
	if (delay_ms > DELAY_MAX_MS)
		delay_ms = DELAY_MAX_MS;
	*t = (struct loop_timer){.loop = l, .cb = cb, .arg = arg};
	t->ev = evtimer_new(l->base, timer_fired, t);
	MUST(t->ev);
	struct timeval tv = {
	    .tv_sec = (time_t)(delay_ms / 1000), .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
	MUST(event_add(t->ev, &tv) == 0);
	t->id = slots_add(&l->timers, t);
	t->next = l->first_timer;
	if (t->next)
		t->next->prev = t;
	l->first_timer = t;
	return t->id;
}

static void real_timer_cancel(struct clock *c, timer_id id)
{
	struct loop_timer *t = slots_find(&of_clock(c)->timers, id);
	if (t)
		timer_free(t);
}

static const char *real_boot(struct clock *c)
{
	const char *id = of_clock(c)->boot;

	return *id ? id : NULL;
}

static void read_boot(struct loop *l)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, l->boot, BOOT_ID_LEN);

	l->boot[n == BOOT_ID_LEN ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static const struct clock_ops real_ops = {
    .now = real_now,
    .wall = real_wall,
    .timer_set = real_timer_set,
    .timer_cancel = real_timer_cancel,
    .random = real_random,
    .boot = real_boot,
};

int loop_new(struct loop **ret, struct err **err)
{
	/* A peer that goes away shows as EPIPE on the write that meets it. */
	signal(SIGPIPE, SIG_IGN);
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;
	if (cfg) {
		/* The coarse clock of the default lags by a tick: timers would fire early by it. */
		event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
		base = event_base_new_with_config(cfg);
		event_config_free(cfg);
	}
	if (!base)
		return err_set(err, ERR_IO, "cannot set up an event queue");
	struct loop *l = mem_alloc(sizeof(*l));
	l->magic = LOOP_MAGIC;
	l->clock.ops = &real_ops;
	l->base = base;
	read_boot(l);
	*ret = l;
	return 0;
}

static void run_deferred(struct loop *l)
{
	/* What a deferred call defers waits for the next turn: a loop cannot hang here. */
	struct deferred *list = TAKE(l->deferred);
	size_t n = l->n_deferred;
	l->n_deferred = l->cap_deferred = 0;
	for (size_t i = 0; i < n; i++)
		list[i].cb(list[i].arg);
	free(list);
}

void loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	if (!l)
		return;
	CHECK_OBJ(l, LOOP_MAGIC);
	while (l->n_deferred > 0)
		run_deferred(l);
	while (l->first_timer)
		timer_free(l->first_timer);
	slots_fini(&l->timers);
	event_base_free(l->base);
	l->magic = 0;
	free(l);
	*lp = NULL;
}

struct clock *loop_clock(struct loop *l)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	return &l->clock;
}

struct event_base *loop_base(struct loop *l)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	return l->base;
}

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	CHECK_OBJ(io, IO_MAGIC);
	io->cb(
	    io->arg, fd, ((what & EV_READ) ? LOOP_READ : 0) | ((what & EV_WRITE) ? LOOP_WRITE : 0));
}

void loop_io_set(struct loop_io *io, unsigned what)
{
	CHECK_OBJ(io, IO_MAGIC);
	short events = (short)(EV_PERSIST | ((what & LOOP_READ) ? EV_READ : 0) |
			       ((what & LOOP_WRITE) ? EV_WRITE : 0));
	event_del(io->ev);
	MUST(event_assign(io->ev, io->loop->base, io->fd, events, io_ready, io) == 0);
	if (what)
		MUST(event_add(io->ev, NULL) == 0);
}

struct loop_io *loop_io_add(struct loop *l, int fd, unsigned what, loop_io_cb cb, void *arg)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	struct loop_io *io = mem_alloc(sizeof(*io));
	*io = (struct loop_io){.magic = IO_MAGIC, .loop = l, .fd = fd, .cb = cb, .arg = arg};
	io->ev = event_new(l->base, fd, EV_PERSIST, io_ready, io);
	MUST(io->ev);
	loop_io_set(io, what);
	return io;
}

void loop_io_del(struct loop_io **iop)
{
	struct loop_io *io = *iop;
	if (!io)
		return;
	CHECK_OBJ(io, IO_MAGIC);
	event_free(io->ev);
	io->magic = 0;
	free(io);
	*iop = NULL;
}

static void signal_came(evutil_socket_t signo, short what UNUSED, void *arg)
{
	struct loop_signal *s = arg;
	CHECK_OBJ(s, SIGNAL_MAGIC);
	s->cb(s->arg, signo);
}

struct loop_signal *loop_signal_add(struct loop *l, int signo, loop_signal_cb cb, void *arg)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	struct loop_signal *s = mem_alloc(sizeof(*s));
	*s = (struct loop_signal){.magic = SIGNAL_MAGIC, .signo = signo, .cb = cb, .arg = arg};
	s->ev = evsignal_new(l->base, signo, signal_came, s);
	MUST(s->ev && event_add(s->ev, NULL) == 0);
	return s;
}

void loop_signal_del(struct loop_signal **sp)
{
	struct loop_signal *s = *sp;
	if (!s)
		return;
	CHECK_OBJ(s, SIGNAL_MAGIC);
	event_free(s->ev);
	s->magic = 0;
	free(s);
	*sp = NULL;
}

void loop_defer(struct loop *l, clock_cb cb, void *arg)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	MEM_PUSH_ROOM(l->deferred, l->n_deferred, l->cap_deferred);
	l->deferred[l->n_deferred++] = (struct deferred){.cb = cb, .arg = arg};
}

/* *ret_idle: nothing is registered any more. */
static int turn(struct loop *l, bool *ret_idle, struct err **err)
{
	int flags = EVLOOP_ONCE | (l->n_deferred > 0 ? EVLOOP_NONBLOCK : 0);
	int rc = event_base_loop(l->base, flags);
	if (rc < 0)
		return err_set(err, ERR_IO, "waiting for events failed: %s", strerror(errno));
	run_deferred(l);
	*ret_idle = rc == 1 && l->n_deferred == 0;
	return 0;
}

int loop_turn(struct loop *l, struct err **err)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	bool idle;
	return turn(l, &idle, err);
}

int loop_run(struct loop *l, struct err **err)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	l->stop = false;
	for (bool idle = false; !l->stop && !idle;) {
		if (turn(l, &idle, err) < 0)
			return -1;
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	CHECK_OBJ(l, LOOP_MAGIC);
	l->stop = true;
}
