/*
 * effect: what a change does to this very guest, now.
 *
 * Not the class of an attribute (the table has it) and not what is allowed (planner_may).
 *
 * Nothing is kept.
 *
 * Pure. Facts: hotplug rules of PVE::QemuServer::vmconfig_hotplug_pending.
 */
#ifndef RAMET_EFFECT_H
#define RAMET_EFFECT_H

#include "planner.h"

/* Fills class, disruption and takes_restart of a change from its attribute and both values. */
void effect_of_leaf(
    const struct planner *pl, struct change *c, const struct value *have, const struct value *want);
/* The same for plugging or unplugging what stands in a slot. */
void effect_of_slot(const struct planner *pl, struct change *c, const char *slot);
/* For what is done at once, and is felt by a running guest. */
void effect_of_action(const struct planner *pl, struct change *c);
/* PVE takes a guest of this kind to understand any number of USB devices. */
bool effect_knows_usb(const char *system);
/* The machine is kept at a version older than this one: "pc-q35-6.2+pve0". */
bool effect_machine_before(const char *type, long major, long minor);
#define EFFECT_USB_MACHINE 7, 1 /* from this version on they have any number of USB devices */
/* The guest's hotplug option contains the word. */
bool effect_hotplugs(const struct kv *current, const char *word);

#endif
