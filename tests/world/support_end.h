/*
 * support_end: worlds in which VMs come to their end: which of them may, who asked for what, and a
 * stranger that takes a number at a chosen request.
 *
 * Not the cases (test_destroy.c, test_destroy_waits.c).
 *
 * One world at a time: the rules are for the one that was opened last.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_END_H
#define RAMET_SUPPORT_END_H

#include "support_world.h"

#define HOUR_MS 3600000

/* What the manifest of one VM says beside the usual; NULL = there is none. */
struct vm {
	const char *name, *more;
};

extern struct end_rules {
	struct strs may;  /* VMIDs that may be destroyed, and asked for */
	size_t seen;	  /* entries of the cluster's journal */
	unsigned deletes; /* DELETE calls on guests */
	/* At the n-th request from now on the VM gives way to a stranger. */
	unsigned countdown;
	int64_t victim;
	enum end_look_of { END_PLAIN, END_TAGGED, END_COPY, END_LOOK_OF__MAX } stranger;
	bool replaced;
	size_t replaced_at; /* in the cluster's journal */
} end_rules;

extern int64_t end_target; /* of end_gone */

/* The VM may be destroyed and asked to be. */
void end_allow(int64_t vmid);
/* After every event: nobody else was destroyed. */
void end_look(struct world *w);
void end_merge(struct world *w, const struct vm *v, size_t n, const char *subject);
void end_start_life(struct world *w);
/* policy: more of the configuration's policy, or "". All VMs are Ready when it returns. */
struct world *end_open(uint64_t seed, const char *policy, const struct vm *v, size_t n);
/* Fails with its story when something is wrong (text, or NULL) or a rule was broken. */
void end_close(struct world *w, const char *wrong);
bool end_gone(struct world *w);
/* Within an hour it says so, or is gone and forgotten. */
void end_must_say(struct world *w, const char *name, enum reason r);
void end_must_go(struct world *w, const char *name, int64_t vmid);

#endif
