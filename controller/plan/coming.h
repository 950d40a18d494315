/*
 * coming: what the VM will have of an attribute when the plan is carried out: as listed, else as it
 * is.
 *
 * Not what differs (diff.h) and no rule about it (accord.h).
 *
 * Borrows all that it is given.
 *
 * Pure.
 */
#ifndef RAMET_COMING_H
#define RAMET_COMING_H

#include "planner.h"

/* False: PVE's default, *ret untouched or empty. */
bool coming_at(const struct planner *pl, enum attr_id id, const char *slot, struct value *ret);
bool coming(const struct planner *pl, enum attr_id id, struct value *ret);
bool coming_bool(const struct planner *pl, enum attr_id id);
bool coming_bool_at(const struct planner *pl, enum attr_id id, const char *slot);
int64_t coming_int(const struct planner *pl, enum attr_id id, int64_t deflt);
bool coming_is_listed(const struct planner *pl, enum attr_id id);
/* Whether somebody lists a device of such slots, or the VM keeps one. */
bool coming_has_slots(const struct planner *pl, enum attr_id core);
/* The machine is, or is to be, of type q35. */
bool coming_q35(const struct planner *pl);

#endif
