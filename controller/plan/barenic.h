/*
 * barenic: network devices without a bridge.
 *
 * Not how a network device is made or changed (diff.c).
 *
 * Borrows all that it is given.
 *
 * Pure.
 */
#ifndef RAMET_BARENIC_H
#define RAMET_BARENIC_H

#include "planner.h"

/* The slot is a network device, and has no bridge in this configuration. */
bool barenic_is(const struct kv *conf, const char *slot);
/* The first such device that PVE does not let the token touch, NULL: none. */
const char *barenic_forbidden(const struct planner *pl, const struct kv *conf);
/* Blocks a change of the slot, or its removal, that PVE would refuse. */
void barenic_ask(const struct planner *pl, const char *slot, struct change *c);

#endif
