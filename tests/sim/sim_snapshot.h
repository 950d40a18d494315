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
#include "sim_prop.h"

/* The guest, which has the snapshot that the request names. */
struct snap *snap_named(struct job *j, struct guest **ret, struct oops *o);
/* AbstractConfig::foreach_volume over images: in the order of buses and numbers. False from fn ends
 * it. */
bool snap_each_image(struct sim *s, const struct kv *conf, bool cloudinit_too,
    bool (*fn)(void *arg, const char *key, const struct drive *d), void *arg);

#endif
