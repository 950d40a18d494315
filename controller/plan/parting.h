/*
 * parting: what a manifest says about the end of its VM, kept for when the manifest is gone.
 *
 * Not the destroying (destroy.h).
 *
 * Texts and resources that are made belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_PARTING_H
#define RAMET_PARTING_H

#include "kv.h"
#include "resource.h"

/* Leaf path → text, never empty. */
void parting_note(const struct resource *want, struct kv *ret);
/* A manifest of that name that orders the end, and says what was noted. One reference; NULL when
 * nothing was noted or it makes no sense. */
struct resource *parting_resource(const char *name, const struct kv *noted);

#endif
