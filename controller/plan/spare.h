/*
 * spare: volumes that hang unused at the VM and may be the disk of a slot that is empty.
 *
 * Not the making of disks (drives.h). Nothing is ever done to a volume from here.
 *
 * The caller owns the list.
 *
 * Pure. With a record that goes back to the clone nothing needs to be guessed; without one, a disk
 * that was made once and taken off by hand must not be made a second time.
 */
#ifndef RAMET_SPARE_H
#define RAMET_SPARE_H

#include "planner.h"

/* Whether a disk may have been made for the slot already, of which the record tells nothing. */
bool spare_is_unsure(const struct planner *pl, const char *slot);
/* "local-lvm:vm-1204-disk-1" of "unused0", in the order of these keys: what could be that disk. */
void spare_find(const struct planner *pl, const char *slot, struct kv *ret);
/* A disk in a slot that the manifest does not list, on this storage and of this size (0 = of any),
 * which somebody may have moved there: the change is blocked. */
bool spare_is_elsewhere(
    const struct planner *pl, struct change *c, const char *slot, const char *store, uint64_t gib);

#endif
