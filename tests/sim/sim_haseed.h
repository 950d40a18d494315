/*
 * sim_haseed: the HA manager's part of a seed: groups, rules, and which guests it looks after.
 *
 * Not what they mean (sim_ha, sim_harule).
 *
 * Nothing is kept.
 *
 * Before the simulation starts.
 */
#ifndef RAMET_SIM_HASEED_H
#define RAMET_SIM_HASEED_H

#include "sim_field.h"

/* groups and rules of the cluster; NULL is none */
int haseed_load(const struct seed *c, const struct ynode *map) MUST_CHECK;
/* A guest's "ha": a state, or a map with more. It has been so for long. */
int haseed_guest(const struct seed *c, const struct ynode *n, struct guest *g) MUST_CHECK;

#endif
