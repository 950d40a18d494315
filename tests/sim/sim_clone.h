/*
 * sim_clone: a clone under way: what the checks settle and the phases carry out.
 *
 * Not the phases themselves nor any change to the cluster: only sim_clone.c writes.
 *
 * struct clone belongs to its job as the job's data and is freed with it.
 *
 * Inside the simulated cluster only. The real server checks twice, before the task and in it.
 */
#ifndef RAMET_SIM_CLONE_H
#define RAMET_SIM_CLONE_H

#include "sim_job.h"

struct clone {
	int64_t newid;
	bool full;
	bool running; /* the source, when it was asked for */
	char *target, *pool, *store, *format;
	struct kv conf;	     /* of the new guest, as it grows */
	struct strs drives;  /* slots to be copied, in order */
	struct kv values;    /* their values in the source */
	struct strs volumes; /* made so far */
	size_t next;
	int64_t bandwidth;
	char *fresh;	 /* the volume of the drive at hand */
	int64_t copying; /* how long its copy takes; 0 = none is under way */
	int64_t since;	 /* when that began */
	int copied;	 /* percent that the task's log tells of; -1 = none */
};

bool clone_check(struct job *j, struct clone *c, struct oops *o);
void clone_identity(struct job *j, struct clone *c, const struct guest *src);

#endif
