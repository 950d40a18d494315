/*
 * match: whose is the VM that was found, and may it be looked at as ours at all.
 *
 * Not a look at its leaves (diff).
 *
 * Nothing is kept.
 *
 * Pure. A VM is known by VMID, SMBIOS UUID and marker together, never by node, name or tag.
 */
#ifndef RAMET_MATCH_H
#define RAMET_MATCH_H

#include "planner.h"

enum match {
	MATCH_OURS,   /* compare; with pl->hands_off the verdict stands already */
	MATCH_CREATE, /* there is none yet */
	MATCH_END,    /* ours, and to be destroyed */
	MATCH_DONE,   /* the verdict stands, there is nothing to compare */
	MATCH__MAX
};

enum match match_guest(struct planner *pl);

#endif
