/*
 * keyhint: what somebody meant who wrote a key that a block does not have: a near name, PVE's own
 * name, another block, a slot in the wrong place, a blank or a colon that is missing.
 *
 * Not the finding itself (decode.h makes it) and not a check.
 *
 * Hints belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_KEYHINT_H
#define RAMET_KEYHINT_H

#include "schema.h"

/* Of a key in a block of the table ("" = spec, "network.*"). Caller frees. */
char *keyhint_of(const char *block, const char *key);
/* Of a key in the frame around spec, which has these keys. Caller frees. */
char *keyhint_of_frame(const char *key, const char *const *known, size_t n);
/* How a block is written, with one of its keys: "{ cores: 4 }". Caller frees. */
char *keyhint_example(const struct attr_block *b);
/* The same with a slot around it, of the block that holds slots: { net0: { bridge: vmbr0 } }. */
char *keyhint_example_slot(const struct attr_block *b);

struct keyhint_word {
	const char *word, *path;
};
/* Words that people use for an attribute, for tests. */
size_t keyhint_words(const struct keyhint_word **ret);

#endif
