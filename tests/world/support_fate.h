/*
 * support_fate: what happens to one touch of the controller with the outside: a request to the
 * cluster, a job of the Git worker, a write to the journal.
 *
 * Not the faults inside the cluster (sim.h): those are set before the touch goes on.
 *
 * Plain data.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_FATE_H
#define RAMET_SUPPORT_FATE_H

#include "mem.h"

enum touch { TOUCH_CLUSTER, TOUCH_GIT, TOUCH_JOURNAL, TOUCH__MAX };

enum fate {
	FATE_NORMAL,
	FATE_FAIL,	 /* an error, and no effect (Git, journal) */
	FATE_FAIL_AFTER, /* an error, and it had its effect all the same (Git, journal) */
	FATE_DIE,	 /* the process is killed before it */
	FATE_DIE_IN,	 /* the process is killed in the middle, before what it wrote is flushed
			    (journal) */
	FATE_DIE_AFTER,	 /* the process is killed when it has had its effect */
	FATE__MAX
};

struct fates {
	/* Asked before each touch; NULL = all is normal. what, where: "POST", "/nodes/…";
	 * "publish", ""; "append", the line. */
	enum fate (*ask)(void *arg, enum touch kind, const char *what, const char *where);
	void (*die)(void *world); /* the process is dead from here on */
	void *arg, *world;
};

static inline enum fate fates_ask(
    const struct fates *f, enum touch kind, const char *what, const char *where)
{
	return f->ask ? f->ask(f->arg, kind, what, where) : FATE_NORMAL;
}

#endif
