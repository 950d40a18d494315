/*
 * destroy: the end of a VM: what would go with it, what speaks against it, and the steps.
 *
 * Not the last look right before it (reconcile/ops_destroy.c) and not the budget itself.
 *
 * Adds changes and steps to the plan.
 *
 * Pure. Everything that can keep a VM from being destroyed is asked here, and nowhere else.
 */
#ifndef RAMET_DESTROY_H
#define RAMET_DESTROY_H

#include "planner.h"

/* The manifest orders the end of the VM, which is there and ours. */
void destroy_plan(struct planner *pl);
/* Other VMs need its disks as they are and where they are. */
void destroy_ask_linked(struct planner *pl, struct change *c);
/* Notes in the record which volumes came with the VM, so that what people add later is known. */
void destroy_learn_volumes(struct record *rec, const struct obs_guest *g);

#endif
