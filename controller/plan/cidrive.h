/*
 * cidrive: the drive on which PVE puts what cloud-init tells the guest: which slot, which storage.
 *
 * Not what is on it (leaves of initialization, written by diff.h) and not its making anew: PVE does
 * that at each start.
 *
 * Works on pl->goal.
 *
 * Pure.
 */
#ifndef RAMET_CIDRIVE_H
#define RAMET_CIDRIVE_H

#include "planner.h"

/* A drive that is somewhere else than listed goes with this plan and comes back with the next one:
 * PVE attaches no second one. Nothing is lost, since all of it is made from the configuration. */
void cidrive_plan(struct planner *pl);
/* What waits for a restart in this key is that drive, and it is listed. */
bool cidrive_is_managed(const struct planner *pl, const char *key);

#endif
