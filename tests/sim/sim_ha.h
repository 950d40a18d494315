/*
 * sim_ha: guests that the HA manager looks after: whoever switches or moves one only asks the
 * manager, which does it some seconds later.
 *
 * No fencing, no recovery, no rules, no restart of what failed: only what a request leads to.
 *
 * What is wanted of a guest is kept in it (guest->ha_want).
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_HA_H
#define RAMET_SIM_HA_H

#include "sim_job.h"

enum ha_ask { HA_START, HA_STOP, HA_STOP_NOW, HA_MIGRATE, HA_ASK__MAX };

/* If the guest is a resource of the manager: answers with a task that asks it, and true. */
bool ha_instead(struct job *j, enum ha_ask what);
void ha_manage(struct guest *g, bool on);

#endif
