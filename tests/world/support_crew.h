/*
 * support_crew: many runs of the same thing, by several processes.
 *
 * It knows nothing of what is run: a number in, a count of violations out.
 *
 * Workers take the next number from shared memory; a worker that dies is counted as a violation
 * and told with the number it was at. With one job all runs in the calling process.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_CREW_H
#define RAMET_SUPPORT_CREW_H

#include "mem.h"

#define CREW_JOBS_MAX 64

struct crew {
	uint64_t first, n;
	unsigned jobs;	  /* 0 = one for each processor */
	unsigned max_bad; /* stops early after so many bad runs; 0 = never */
	uint64_t step;	  /* a line of progress after so many runs; 0 = none */
	const char *what; /* the word for one run, for messages */
	/* Keeps the first number that is not done, after each step: a later call goes on there. */
	const char *resume;
	unsigned (*run)(void *arg, uint64_t number);
	void *arg;
};

struct crew_sum {
	uint64_t runs, bad, violations;
};

void crew_run(const struct crew *c, struct crew_sum *ret);

#endif
