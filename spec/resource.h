/*
 * resource: one manifest, decoded: a name and the list of its managed leaves.
 *
 * Not the observed VM (plan/observed.h). Only what is listed is here: a leaf that was not written
 * in the manifest does not exist.
 *
 * Sealed after decoding: nobody changes it. Reference-counted, because a version may outlive the
 * bundle that it was read for.
 *
 * Pure.
 */
#ifndef RAMET_RESOURCE_H
#define RAMET_RESOURCE_H

#include "crypt.h"
#include "diag.h"
#include "schema.h"

struct leaf {
	const struct attr *attr;
	char *slot;	    /* "net0", or NULL */
	struct value value; /* never VALUE_ABSENT */
	struct mark mark;
	struct mark *item_marks; /* of a set: one for each entry of value.set; else NULL */
};

struct resource {
	unsigned refs;
	char *name; /* metadata.name */
	char *file;
	unsigned doc;	  /* number of the document in its file, from 0 */
	struct mark mark; /* of the document */
	struct mark name_mark;
	char *renamed_from; /* annotations, or NULL */
	char *adopt;
	struct strs leave_unused; /* volumes that belong to none of the listed slots */
	struct leaf *leaves;	  /* sorted by table order, then by slot (bus, number) */
	size_t n_leaves;
	struct strs slots; /* every device block listed, even without leaves: "network.net0" */
	struct mark *slot_marks; /* one for each of them */
	char
	    hash[CRYPT_HEX_LEN]; /* of name, annotations and leaves; not of file, order or layout */
};

struct resource *resource_new(void); /* one reference */
struct resource *resource_ref(const struct resource *r);
void resource_unref(struct resource **r);
void resource_free(struct resource **r); /* the same, for one that nobody shares */
/* Called once by the decoder: sorts and hashes. */
void resource_seal(struct resource *r);

/* Order of slots: by bus, then by number; NULL first. */
int resource_compare_slots(const char *a, const char *b);

/* slot NULL for attributes without one. NULL if not listed. */
const struct leaf *resource_find(const struct resource *r, enum attr_id id, const char *slot);
/* The listed value, else the table's default, else the zero value. For Ramet's own settings. */
bool resource_bool(const struct resource *r, enum attr_id id);
int64_t resource_int(const struct resource *r, enum attr_id id);     /* INT and DUR (ms) */
const char *resource_str(const struct resource *r, enum attr_id id); /* NULL if neither */
bool resource_is_listed(const struct resource *r, enum attr_id id);
/* A device block is listed ("network", "net0"). */
bool resource_has_slot(const struct resource *r, const char *block, const char *slot);
/* Where that block is listed, or NULL. */
const struct mark *resource_slot_mark(
    const struct resource *r, const char *block, const char *slot);
const struct strs *resource_set(const struct resource *r, enum attr_id id); /* NULL if absent */

#endif
