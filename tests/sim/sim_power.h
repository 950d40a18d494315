/*
 * sim_power: starting a guest, and what else the power switch shares with others.
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

/* The guest's number as the "id" of its tasks. Owned. */
char *power_id(const struct job *j);
/* Options that are for root@pam alone. */
bool power_root_only(const struct job *j, struct oops *o);
/* What a daemon of this node does about a guest, as root@pam: nobody waits for its answer. */
struct job *power_daemon(struct sim *s, struct node *n, int64_t vmid);
bool power_can_start(struct job *j, struct guest *g, struct oops *o);
/* How long starting it takes. */
int64_t power_start_ms(const struct sim *s, const struct guest *g);
/* It runs now, with all that was pending. */
void power_on(struct job *j, struct guest *g);

/* A task starts the guest when it is made: that is a task of its own, of the same user. */
void power_start_too(struct job *j);

#endif
