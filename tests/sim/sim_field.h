/*
 * sim_field: members of the maps in a seed, read with their usual values.
 *
 * Not what they mean (sim_seed, sim_past).
 *
 * Texts that are given out belong to the document.
 *
 * Before the simulation starts.
 */
#ifndef RAMET_SIM_FIELD_H
#define RAMET_SIM_FIELD_H

#include "sim_job.h"
#include "ydoc.h"

struct seed {
	struct sim *s;
	const char *file;
	struct err **err;
};

/* An error with the place in the file; always -1. */
int field_bad(const struct seed *c, const struct ynode *n, const char *fmt, ...) PRINTF(3, 4);
/* A map with no other keys than these, "|a|b|". */
int field_known(const struct seed *c, const struct ynode *map, const char *keys) MUST_CHECK;
const char *field_str(const struct ynode *map, const char *key, const char *fallback);
bool field_flag(const struct ynode *map, const char *key, bool fallback);
int64_t field_number(const struct ynode *map, const char *key, int64_t fallback);
int64_t field_bytes(const struct ynode *map, const char *key, int64_t fallback);
/* A sequence, or a text with commas. */
void field_list(const struct ynode *n, struct strs *ret);
/* "250", "250ms", "5s", "2m" in milliseconds; -1 = none of these. */
int64_t field_duration(const char *text);

#endif
