/*
 * accord: values that PVE takes only together with others: what the manifest lists against what the
 * VM has of the rest.
 *
 * Not rules between two listed values (spec/rules.def: those need no cluster) and not the lists of
 * the configuration (policy.h).
 *
 * Blocks a change and owns nothing.
 *
 * Pure.
 */
#ifndef RAMET_ACCORD_H
#define RAMET_ACCORD_H

#include "planner.h"

/* Before the leaf is written: blocks its change when PVE would refuse the value beside another one
 * that is not listed. */
void accord_leaf(const struct planner *pl, const struct leaf *l, struct change *c);

/* The guest would have more processors than its node, where PVE does not start it: blocks c, which
 * may be NULL. */
bool accord_is_beyond_node(const struct planner *pl, struct change *c);

/* After all leaves are: PVE refuses a whole request for a boot order with a device that is not
 * there. */
void accord_boot_order(struct planner *pl);
/* What stands there is what is listed, and CD-ROM drives behind it: PVE itself puts a drive there
 * when it is written. */
bool accord_is_order_by_pve(
    const struct planner *pl, const struct leaf *l, const struct value *have);

#endif
