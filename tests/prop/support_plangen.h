/*
 * plangen: random manifests and configurations of guests, drawn from the table.
 *
 * Not the properties (test_plan_prop.c) and not what steps do (planmodel).
 *
 * One stream of numbers for the process, set by a seed; results belong to the caller.
 */
#ifndef RAMET_TEST_PLANGEN_H
#define RAMET_TEST_PLANGEN_H

#include "kv.h"
#include "resource.h"

void plangen_seed(uint64_t seed);
unsigned plangen_below(unsigned n);
bool plangen_chance(unsigned percent);
/* A value that the row accepts. */
void plangen_value(const struct attr *a, struct value *v);
/* The row is a leaf of the guest that is written by its value. */
bool plangen_is_leaf_of_guest(const struct attr *a);
/* The parts of a drive that this limit of its speed is nothing without; NULL: none. */
const char *plangen_limits_beside(enum attr_id id);
/* A guest with unknown keys and parts and volumes of its own. */
void plangen_conf(struct kv *conf, unsigned vmid);
struct resource *plangen_manifest(void);

#endif
