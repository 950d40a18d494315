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
/* Rules between all. bad[i] is set for each resource with an error. `others` (may be NULL): names
 * that exist although their manifests cannot be used. */
size_t check_bundle(const struct resource *const *v, size_t n, const struct strs *others,
    struct diags *diags, bool *bad);

#endif
