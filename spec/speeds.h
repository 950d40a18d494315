/*
 * speeds: which limits of a disk's speed go together (speeds.def).
 *
 * Not the limits themselves (attrs.def), and not where their values come from: the manifest alone
 * (checkdev.h) or the VM besides (plan/accord.h).
 *
 * Owns nothing.
 *
 * Pure.
 */
#ifndef RAMET_SPEEDS_H
#define RAMET_SPEEDS_H

#include "schema.h"

/* The value of a row: *ret, and false when nothing is known of it. */
typedef bool speeds_get(const void *arg, enum attr_id id, double *ret);

/* What keeps this row from going with another, for people; NULL: nothing, as far as their values
 * are known. both: also rows that need this one. *ret_other is the other row. Caller frees. */
char *speeds_problem(
    enum attr_id row, bool both, speeds_get *get, const void *arg, const struct attr **ret_other);

#endif
