/*
 * sim_ha: guests that the HA manager looks after: whoever switches or moves one only asks the
 * manager, which does it in its next round; it starts again what went down by itself, takes over
 * what a lost node had, and moves what groups and rules want elsewhere (sim_harule).
 *
 * No balancing by load, no disarming.
 *
 * What is wanted of a guest and what the manager makes of it is kept in the guest (guest->ha_*).
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_HA_H
#define RAMET_SIM_HA_H

#include "sim_job.h"

/* If the guest is a resource of the manager: answers with a task that asks it, and true. */
bool ha_instead(struct job *j, enum ha_ask what);
/* A resource from now on; want as the API has it ("started", "disabled" …). NULL = no longer. */
void ha_manage(struct sim *s, struct guest *g, const char *want);
/* One of these words as a constant, or NULL. */
const char *ha_word(const char *want);
bool ha_managed(const struct guest *g); /* and not to be ignored */
/* What lists show: the manager's state, or what is wanted before its first round. */
const char *ha_shown(const struct guest *g);
/* It is to be moved there, and what is kept with it; cold = shut down for that. */
void ha_move(struct sim *s, struct guest *g, const char *target, bool cold);
/* What of a resource is set beside its state. */
void ha_resource_members(struct jsn *o, const struct guest *g);
/* Something happened that the manager's next round may care for. */
void ha_kick(struct sim *s);

#endif
