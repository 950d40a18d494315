/*
 * support_case: what most cases begin with: one file with all manifests merged, every VM Ready.
 *
 * Not the cases, and not the world itself (support_world.h).
 *
 * Nothing is kept.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_CASE_H
#define RAMET_SUPPORT_CASE_H

#include "support_world.h"

#define HOUR_MS 3600000

/* The watched folder holds this file and nothing else. */
void case_merge(struct world *w, const char *yaml, const char *subject);
/* Every VM is Ready within an hour, or the test fails with the story. */
void case_must_be_ready(struct world *w);

#endif
