/*
 * policy: what this controller may do at all, and what PVE would refuse, asked before anything is
 * cloned or written.
 *
 * Not the limits of single values (schema) and not what a change does to the guest (effect).
 *
 * Nothing is kept; findings become blocked changes.
 *
 * Pure.
 */
#ifndef RAMET_POLICY_H
#define RAMET_POLICY_H

#include "planner.h"

#define POLICY_QUORUM_MS 15000 /* longer than a partition takes to be noticed */

/* The value of the change's leaf is within the lists of the configuration. Else it is blocked. */
bool policy_allows_change(struct planner *pl, struct change *c);
/* What speaks against cloning now, as blocked changes. */
void policy_create(struct planner *pl);
/* REASON_IN_SYNC when the step may be done now; else why not, with a message. */
enum reason policy_step(const struct planner *pl, const struct step *s, char **ret_message);
/* The storage can take disk images on the guest's node. Else the change is blocked. */
bool policy_storage_fits(
    struct planner *pl, struct change *c, const char *storage, const char *format);

#endif
