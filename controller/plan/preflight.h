/*
 * preflight: what PVE would refuse, or fail at in the middle, asked before anything is cloned.
 *
 * Not the limits of single values (schema) and not what may be done to a VM that exists (policy).
 *
 * Nothing is kept; findings become blocked changes, each with a reason of its own.
 *
 * Pure.
 */
#ifndef RAMET_PREFLIGHT_H
#define RAMET_PREFLIGHT_H

#include "planner.h"

/* After the passes that compare: the goal is what the clone is to become. Without a source only
 * what needs none is asked. */
void preflight_clone(struct planner *pl);

#endif
