/*
 * sim_snapshot: what taking a snapshot, going back to it and removing it share.
 *
 * The calls themselves are handlers (sim_routes.def); disks that are kept by a snapshot are looked
 * for in sim_drive.
 *
 * Snapshots belong to their guest; a pointer is valid until the next step of any job.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_SNAPSHOT_H
#define RAMET_SIM_SNAPSHOT_H

#include "sim_job.h"

/* The guest, which has the snapshot that the request names. */
struct snap *snap_named(struct job *j, struct guest **ret, struct oops *o);
/* The task's first step: the cluster's log hears of it, then fn runs in the guest's file lock. */
void snap_begin(struct job *j, const char *doing, void (*fn)(struct job *j));

#endif
