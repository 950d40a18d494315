/*
 * accorddev: what PVE asks of devices only when it starts the guest.
 *
 * Part of accord.h; disks and network devices are there.
 *
 * Blocks a change and owns nothing.
 *
 * Pure.
 */
#ifndef RAMET_ACCORDDEV_H
#define RAMET_ACCORDDEV_H

#include "planner.h"

/* A device shown as PCI Express, of any slot. */
void accorddev_express(const struct planner *pl, struct change *c);
/* Guests that PVE takes not to understand it, and older machines, have five slots for USB. */
void accorddev_many_usb(const struct planner *pl, struct change *c);
/* A device is named by itself or by a mapping. */
void accorddev_named_twice(const struct planner *pl, struct change *c);
/* A mediated device is of one device. */
void accorddev_mediated(const struct planner *pl, struct change *c);
/* Intel graphics in the older way. */
void accorddev_legacy_graphics(const struct planner *pl, struct change *c);
/* Access control lists of a directory are not for Windows. */
void accorddev_directory(const struct planner *pl, struct change *c);
/* Entropy by the period needs a period. */
void accorddev_rng(const struct planner *pl, struct change *c);

#endif
