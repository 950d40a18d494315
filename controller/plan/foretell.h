/*
 * foretell: the VM as it will come out of the clone, so that it can be planned before it exists.
 *
 * Not a promise: MAC addresses, volume names and the VMID are PVE's to choose.
 *
 * The caller frees with obs_guest_fini.
 *
 * Pure. Facts: PVE::API2::Qemu clone_vm.
 */
#ifndef RAMET_FORETELL_H
#define RAMET_FORETELL_H

#include "planner.h"

/* -1: the description leaves no room for the marker. */
int foretell_clone(const struct planner *pl, struct obs_guest *ret, struct err **err) MUST_CHECK;

/* name and description as they go with the clone call; nonce and vmid are those of the marker. The
 * description is the manifest's, else the source's. Caller frees. */
char *foretell_name(const struct resource *want);
/* The attribute goes with the clone call. */
bool foretell_sends(const struct attr *a);

#endif
