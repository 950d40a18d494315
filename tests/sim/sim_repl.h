/*
 * sim_repl: replication jobs: which guest's disks are copied to which node now and then.
 *
 * Not copying: nothing is in the disks, so only what a job forbids and what becomes of it is here.
 *
 * The simulation owns the jobs.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_REPL_H
#define RAMET_SIM_REPL_H

#include "sim_job.h"
#include "sim_prop.h"

/* A job of this guest, to this node if one is named; or NULL. */
struct repl *repl_of(const struct sim *s, int64_t vmid, const char *target);
/* Adds one; false if there is one of that number or to that node. */
bool repl_add(struct sim *s, int64_t vmid, int64_t number, const struct kv *conf, struct oops *o);
/* No job is left of a guest that was purged. */
void repls_forget(struct sim *s, int64_t vmid);
/* A guest that moved to where its disks were copied has them copied back from now on. */
void repls_turn(struct sim *s, int64_t vmid, const struct node *from, const struct node *to);
/* Whether this drive may be added to a guest with jobs. */
bool repl_takes(struct job *j, const struct drive *d, struct oops *o);
void repls_free(struct sim *s);

#endif
