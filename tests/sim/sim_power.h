/*
 * sim_power: starting a guest, for those operations that do it on the way.
 *
 * The calls themselves are handlers (sim_routes.def).
 *
 * Nothing is kept.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_POWER_H
#define RAMET_SIM_POWER_H

#include "sim_job.h"

bool power_can_start(struct job *j, struct guest *g, struct oops *o);
/* It runs now, with all that was pending. */
void power_on(struct job *j, struct guest *g);

#endif
