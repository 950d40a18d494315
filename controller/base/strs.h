/*
 * strs: a list of strings.
 *
 * Not a set and not a map: order and doubles stay unless strs_sort_unique is asked (kv.h maps).
 *
 * The list owns its strings. A zeroed struct is an empty list; strs_fini makes it one again.
 *
 * Any process.
 */
#ifndef RAMET_STRS_H
#define RAMET_STRS_H

#include "mem.h"

struct strs {
	char **v;
	size_t n, cap;
};

#define _cleanup_strs_ _cleanup_(strs_fini)
void strs_fini(struct strs *l);
void strs_add(struct strs *l, const char *s);
void strs_add_take(struct strs *l, char *s);
bool strs_has(const struct strs *l, const char *s);
bool strs_has_sorted(const struct strs *l, const char *s); /* of a list that is sorted by bytes */
void strs_sort_unique(struct strs *l);			   /* by bytes */
void strs_copy(struct strs *dst, const struct strs *src);  /* dst is overwritten as if empty */
bool strs_eq(const struct strs *a, const struct strs *b);  /* same order */
char *strs_join(const struct strs *l, const char *sep);	   /* the caller's */

#endif
