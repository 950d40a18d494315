/*
 * play: one random world from a seed: merges, people, faults, deaths of the controller; then all is
 * healed, and there must be one right VM per manifest.
 *
 * Not the judging of single steps (support_judge.h).
 *
 * The play owns its world.
 *
 * Tests.
 */
#ifndef RAMET_PLAY_H
#define RAMET_PLAY_H

#include "support_judge.h"
#include "support_manifest.h"

#define PLAY_VMS 8

struct play {
	struct world *w;
	struct judge judge;
	struct manifest m[PLAY_VMS];
	struct manifest before[PLAY_VMS]; /* as of the last merge but one, for reverts */
	bool faulty, no_quorum;
	const char *node_off; /* NULL = all are on */
	bool busy;	      /* people are at work */
	int64_t reborn_at;    /* when the next life begins; 0 = alive */
	int64_t locked;	      /* VMID with a backup's lock */
	int64_t suspended;    /* VMID with the tag */
	unsigned merges;
};

/* The whole play; how many violations there were. Its story goes to standard error as it happens
 * (tell), or when something was wrong. */
unsigned play_seed(uint64_t seed, bool tell);

unsigned play_pick(struct play *p, unsigned n);

/* play_repo.c */
void play_invent(struct play *p, size_t i);
void play_merge(struct play *p);
void play_change_manifest(struct play *p);

/* play_people.c */
void play_human(struct play *p);
void play_stranger(struct play *p);
void play_unlock(struct play *p);
/* Somebody is quicker: a hook of the port. */
void play_meanwhile(void *arg, const char *method, const char *path);

/* play_faults.c */
void play_add_fault(struct play *p);
void play_break_something(struct play *p);
void play_heal(struct play *p);

/* play_end.c */
void play_must_converge(struct play *p, void (*each)(struct world *w));

#endif
