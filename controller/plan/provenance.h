/*
 * provenance: what a manifest said of its clone when the VM was made.
 *
 * Not the source itself (record.h) and not what may still be changed, as the pool.
 *
 * Nothing is kept here; the record owns the words.
 *
 * Pure.
 */
#ifndef RAMET_PROVENANCE_H
#define RAMET_PROVENANCE_H

#include "kv.h"
#include "resource.h"

/* Of clone.*: shapes the clone, and means nothing any more once that is made. */
bool provenance_has(const struct attr *a);
/* Leaf path → text of all that are listed; clone.full always, so that what is known is not empty.
 */
void provenance_note(const struct resource *want, struct kv *ret);

#endif
