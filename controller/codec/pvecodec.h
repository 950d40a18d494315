/*
 * pvecodec: leaves of manifests to and from the raw configuration of a guest.
 *
 * Not a decision about what to write (plan/). It walks by the columns codec, key, part and sep of
 * the table; it names no attribute.
 *
 * Configurations are struct kv: PVE key to PVE's text, unknown keys included. Results belong to the
 * caller.
 *
 * Pure.
 */
#ifndef RAMET_PVECODEC_H
#define RAMET_PVECODEC_H

#include "drive.h"
#include "kv.h"
#include "marker.h"
#include "propstr.h"
#include "schema.h"

/* Stands for what only the sender of a request puts in its place. */
#define PVECODEC_SECRET "(secret)"

/* What belongs to Ramet itself inside attributes of the user. */
struct codec_env {
	const char *tag;	 /* Ramet's tag, "" = none */
	const char *suspend_tag; /* "ramet-suspend" */
};

/* The wanted value as it is compared and written: Ramet's own tags and marker lines taken out, tags
 * folded, a description trimmed. */
void pvecodec_want(
    const struct attr *a, const struct value *want, const struct codec_env *env, struct value *ret);

/* The leaf in conf: VALUE_ABSENT when key or part is not there. -1: PVE's text makes no sense; then
 * *ret is VALUE_ABSENT and the error says what was found. */
int pvecodec_get(const struct attr *a, const char *slot, const struct kv *conf,
    const struct codec_env *env, struct value *ret, struct err **err) MUST_CHECK;

/* Puts a wanted leaf into conf, merging: other parts stay byte for byte, an absent key is made.
 * VALUE_NULL removes the part or the key. Only for codecs that are written by the walk
 * (no ATTR_SPECIAL). */
int pvecodec_put(const struct attr *a, const char *slot, const struct value *want, struct kv *conf,
    const struct codec_env *env, struct err **err) MUST_CHECK;

/* The wanted value (as pvecodec_want gives it) is what is there: canonically compared, absent =
 * PVE's default. */
bool pvecodec_same(const struct attr *a, const struct value *want, const struct value *have);

/* Key in the PVE configuration: the attribute's, or the slot. Borrowed. */
const char *pvecodec_key(const struct attr *a, const char *slot);

#endif
