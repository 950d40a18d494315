/*
 * planmodel: as much of a cluster as a plan can touch, in memory: one guest, its volumes, and what
 * each step does to them.
 *
 * Not the simulated cluster: no requests, no tasks, no time. It knows the traps that plans must not
 * fall into: pending texts keep old volumes, moves free them, addresses are drawn anew when a text
 * has none, values are stored differently.
 *
 * The guest belongs to the model.
 */
#ifndef RAMET_TEST_PLANMODEL_H
#define RAMET_TEST_PLANMODEL_H

#include "plan.h"

struct planmodel {
	struct obs_guest guest;
	struct kv volumes; /* volume → bytes */
	bool exists;
	unsigned next_disk, next_mac, next_boot;
};

void planmodel_fini(struct planmodel *m);
/* The guest's configuration is what it is; its volumes exist. */
void planmodel_adopt_volumes(struct planmodel *m);
/* Does what PVE does. NULL, or why PVE would refuse or lose data (caller frees). */
char *planmodel_apply(struct planmodel *m, const struct step *s, const struct plan_input *in);
/* What waits becomes what is. NULL, or which slot then hangs on a volume that is no more. */
char *planmodel_restart(struct planmodel *m);
/* pending_keys as an observer would give them. */
void planmodel_observe(struct planmodel *m);

#endif
