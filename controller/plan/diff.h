/*
 * diff: which leaves differ, and what the configuration becomes when they are written.
 *
 * Not disks (drives.h), not actions (actions.h), not the order of steps (order.h).
 *
 * Works on pl->goal, which starts as a copy of the pending configuration.
 *
 * Pure.
 */
#ifndef RAMET_DIFF_H
#define RAMET_DIFF_H

#include "planner.h"

/* Ramet's own marker and tag, where they are to be written. */
void diff_own(struct planner *pl);
/* Entries of delete lists that are there. */
void diff_deletes(struct planner *pl);
/* Network devices and CD-ROM drives that are listed and not there, or taken by something else. */
void diff_devices(struct planner *pl);
/* Every leaf that is written by its value. Last: it looks at the devices that the others made. */
void diff_leaves(struct planner *pl);

/* The leaf is one that diff_leaves writes. */
bool diff_is_walked(const struct attr *a);
/* What PVE made of this very value when it was written last, and that is what is there. */
bool diff_is_normalised(
    const struct record *r, const char *path, const struct value *want, const struct value *have);

/* A slot that somebody marked for removal and that is to stay: puts the current text back. Returns
 * false when that may not be. */
bool diff_keep_slot(struct planner *pl, const char *device, const char *slot);

#endif
