/*
 * support_bundles: two bundles that must say the same, and texts of manifests to make them from.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_BUNDLES_H
#define RAMET_SUPPORT_BUNDLES_H

#include "bundle.h"

/* Fails the test unless they agree in everything but in how much was read. */
void bundles_same(const struct bundle *a, const struct bundle *b);

/* The same in force, with nothing to be taken over from: what is built on it is decoded anew. NULL
 * of NULL. */
struct bundle *bundles_bare(struct bundle *b);

/* A text for a watched file, drawn by r: one manifest or several, good, broken or nobody's, of few
 * names and few VMIDs, so that they clash. */
char *bundles_text(uint64_t r);

#endif
