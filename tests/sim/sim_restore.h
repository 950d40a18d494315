/*
 * sim_restore: what an archive of a guest holds, and the way back, over a guest or as a new one.
 *
 * Not how archives are made (sim_archive).
 *
 * What is saved belongs to its volume; restore_save gives an owned one.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_RESTORE_H
#define RAMET_SIM_RESTORE_H

#include "sim_job.h"

struct saved {
	struct kv conf;
	struct kv sizes, data; /* of the disks that are in it, in bytes */
};
void restore_saved_free(struct saved *v);
/* The guest as it is, with the disks in these slots. Owned. */
struct saved *restore_save(const struct sim *s, const struct guest *g, const struct strs *slots);

/* create_vm with an archive: answers, or arranges the task. job->data is a confop. */
void restore_begin(struct job *j);
/* The guest becomes what was saved: its disks are made anew, what hung on it otherwise is gone.
 * set may be NULL. */
bool restore_over(
    struct job *j, struct guest *g, const struct saved *v, const struct kv *set, struct oops *o);
/* Who may make or overwrite the guest (sim_life.c). */
bool create_may(struct job *j, struct oops *o);
/* The last steps of a restore that went well: lock, pool, start, HA (sim_life.c). */
void create_restored(struct job *j, struct guest *g);

#endif
