/*
 * check: rules between attributes and between manifests, from rules.def.
 *
 * Not the limits of single values (schema.h) and not what needs the cluster (plan/policy.h).
 *
 * Findings are added to the list; nothing is kept.
 *
 * Pure.
 */
#ifndef RAMET_CHECK_H
#define RAMET_CHECK_H

#include "resource.h"

/* Rules within one manifest. Returns the number of errors found. */
size_t check_resource(const struct resource *r, struct diags *diags);
/* Rules between all: VMIDs given twice, unknown and cyclic depends_on, renamed-from clashes.
 * bad[i] is set for each resource with an error. */
size_t check_bundle(const struct resource *const *v, size_t n, struct diags *diags, bool *bad);

#endif
