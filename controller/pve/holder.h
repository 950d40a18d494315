/*
 * holder: which task holds the configuration lock of a guest.
 *
 * Not a proof: PVE notes no task beside a lock. What fits by its kind and its guest is told, and
 * nothing when nothing fits.
 *
 * The caller frees what it gets.
 *
 * The controller process.
 */
#ifndef RAMET_HOLDER_H
#define RAMET_HOLDER_H

#include "jsn.h"

/* "vzdump by root@pam since 2026-12-01T08:00:00Z", of the running tasks of the guest's node; NULL
 * = none of them takes this lock. */
char *holder_find(const struct jsn *tasks, const char *lock, uint32_t vmid);

#endif
