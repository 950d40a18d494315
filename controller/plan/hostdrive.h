/*
 * hostdrive: drives that are files or devices of the host and lie on no storage.
 *
 * Not drives on storages (drives.h), and not who may write their options: root only (planner.c).
 *
 * Blocks changes and owns nothing.
 *
 * Pure.
 */
#ifndef RAMET_HOSTDRIVE_H
#define RAMET_HOSTDRIVE_H

#include "planner.h"

bool hostdrive_is(const struct drive *d);
/* PVE neither moves nor grows them: what is listed of these rows is blocked. in: the slot in the
 * manifest, NULL where there is one of it. */
void hostdrive_stay(struct planner *pl, const char *slot, const char *in, const struct drive *d,
    const enum attr_id *rows, size_t n);

#endif
