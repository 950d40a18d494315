/*
 * seevm: one VM as the cluster shows it now, for a command that waits for it.
 *
 * Not the controller (reconcile/controller.h): nothing is planned, and nothing is written.
 *
 * Owns what was seen until seevm_fini; borrows the set-up.
 *
 * The controller process; runs the loop.
 */
#ifndef RAMET_SEEVM_H
#define RAMET_SEEVM_H

#include "inventory.h"
#include "look.h"
#include "setup.h"

struct seevm {
	struct loop *loop;
	struct clock *clock;
	struct pvereq *pve;
	struct inventory *inventory; /* its view is good as long as this lives */
	struct look *look;
	timer_id again;
	uint32_t vmid;
	struct obs_guest guest;
	struct err *err;
	bool done;
};

#define _cleanup_seevm_ _cleanup_(seevm_fini)

/* Blocks until the VM was read or cannot be. s is zeroed; seevm_fini is fine after a failure. */
int seevm_read(struct seevm *s, struct setup *setup, uint32_t vmid, struct err **err) MUST_CHECK;
const struct obs_cluster *seevm_cluster(const struct seevm *s);
void seevm_fini(struct seevm *s);

#endif
