/*
 * drives: the slots that hold disks: made once, re-attached, re-pointed, moved, grown.
 *
 * Not the options of a disk (diff walks over them) and not CD-ROM drives.
 *
 * Puts new texts of slots into pl->goal and moves and resizes into pl->early and pl->late.
 *
 * Pure. The one place that names the attributes of disks: what PVE does with them are operations
 * of their own (allocate, move_disk, resize), not texts to be merged.
 */
#ifndef RAMET_DRIVES_H
#define RAMET_DRIVES_H

#include "planner.h"

void drives_plan(struct planner *pl);

#endif
