/*
 * actions: what is not written into the configuration: pool, node, template, power; and what is
 * history and cannot be changed.
 *
 * Not disks (drives.h).
 *
 * Adds changes and steps behind those of order_steps.
 *
 * Pure. Names the attributes that stand for these operations, because each is a call of its own.
 */
#ifndef RAMET_ACTIONS_H
#define RAMET_ACTIONS_H

#include "planner.h"

void actions_plan(struct planner *pl);

#endif
