/*
 * kv: a map of strings to strings, sorted by key.
 *
 * Used for request parameters and for the configuration of a guest as PVE stores it. Not for more
 * than some thousand keys (insertion moves the tail).
 *
 * The map owns copies. kv_get borrows until the next change of the map.
 *
 * Any process.
 */
#ifndef RAMET_KV_H
#define RAMET_KV_H

#include "mem.h"

struct kv_item {
	char *key;
	char *value;
};

struct kv {
	struct kv_item *v; /* sorted by key, bytewise, unique */
	size_t n, cap;
};

#define _cleanup_kv_ _cleanup_(kv_fini)
/* An empty map has no array to point behind of. */
#define KV_FOREACH(item, map)                                                              \
	for (const struct kv_item *item = (map)->v,                                        \
				  *item##_end = (map)->n ? (map)->v + (map)->n : (map)->v; \
	     item != item##_end; item++)

void kv_fini(struct kv *m);				       /* m is an empty map afterwards */
void kv_set(struct kv *m, const char *key, const char *value); /* replaces */
void kv_setf(struct kv *m, const char *key, const char *fmt, ...) PRINTF(3, 4);
bool kv_del(struct kv *m, const char *key);		 /* true if it was there */
const char *kv_get(const struct kv *m, const char *key); /* NULL if absent */
bool kv_has(const struct kv *m, const char *key);
void kv_copy(struct kv *dst, const struct kv *src); /* dst is overwritten as if empty */
bool kv_eq(const struct kv *a, const struct kv *b);

#endif
