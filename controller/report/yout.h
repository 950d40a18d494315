/*
 * yout: YAML written in block style, so that every reader gets back what was put in.
 *
 * Not a serialiser of trees (the order of calls is the document) and not a reader (spec/ydoc.h).
 *
 * Writes into the caller's buffer; keeps nothing of its arguments. Without a buffer nothing is
 * written: what would be is folded into one number, which costs a fraction.
 *
 * Pure.
 */
#ifndef RAMET_YOUT_H
#define RAMET_YOUT_H

#include "buf.h"
#include "kv.h"
#include "text.h"

struct yout {
	struct buf *out; /* NULL: fold */
	uint64_t fold;	 /* whoever wants to compare two begins with the same */
	unsigned depth;	 /* levels of two blanks */
	bool dash;	 /* the next key begins an item of a list */
};

/* The calls so far, as a number: other keys, values or levels give another one, but for a chance of
 * one in 2^64. Who does not know where it began cannot aim at one. */
bool yout_is_folding(const struct yout *y);

/* NULL is left out; everything else is text, quoted wherever another type could be read. */
void yout_str(struct yout *y, const char *key, const char *value);
void yout_int(struct yout *y, const char *key, int64_t value);
void yout_bool(struct yout *y, const char *key, bool value);
/* RFC 3339 in UTC, whole seconds; 0 is left out. */
void yout_time(struct yout *y, const char *key, int64_t wall_ms);
/* Empty maps and lists are left out. */
void yout_kv(struct yout *y, const char *key, const struct kv *map);
void yout_strs(struct yout *y, const char *key, const struct strs *list);

/* A block under a key; a list of blocks: yout_open, then yout_item before each, then yout_close. */
void yout_open(struct yout *y, const char *key);
void yout_item(struct yout *y);
void yout_item_end(struct yout *y);
void yout_close(struct yout *y);

#endif
