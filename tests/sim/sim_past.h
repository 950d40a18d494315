/*
 * sim_past: what happened before the simulation began: tasks, lines of the log, volumes left
 * behind, what was heard of guests that are gone.
 *
 * Not the guests that are there (sim_seed).
 *
 * All belongs to the simulation.
 *
 * Before the simulation starts.
 */
#ifndef RAMET_SIM_PAST_H
#define RAMET_SIM_PAST_H

#include "sim_field.h"

/* A task that is over, or a line of the cluster's log. */
int past_event(const struct seed *c, const struct ynode *map) MUST_CHECK;
/* What was heard of a guest that is gone: its number may be in use again. */
int past_heard(const struct seed *c, const struct ynode *map) MUST_CHECK;
/* A volume that no guest has. */
int past_volume(const struct seed *c, const struct ynode *map) MUST_CHECK;

#endif
