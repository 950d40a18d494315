/*
 * pvekeys: the parameters that PVE takes for the configuration of a guest (pvekeys.def), held
 * against the table of attributes.
 *
 * Not the table (schema.h) and not what PVE makes of a parameter (controller/codec).
 *
 * Everything is constant and lives for ever.
 *
 * Pure.
 */
#ifndef RAMET_PVEKEYS_H
#define RAMET_PVEKEYS_H

#include "schema.h"

enum pvekeys_kind {
	PVEKEYS_SETTING,   /* a person may set it */
	PVEKEYS_REQUEST,   /* a parameter of the request, no configuration */
	PVEKEYS_UNMANAGED, /* PVE's own */
	PVEKEYS_KIND__MAX
};

struct pvekey {
	const char *name; /* as in PVE's schema: "cores", "net[n]" */
	enum pvekeys_kind kind;
	const char *why; /* why it is no setting; of a setting: the key that it is another name of
			  */
};

size_t pvekeys_all(const struct pvekey **ret);
/* The row writes this key of PVE's schema. */
bool pvekeys_is_of(const struct attr *a, const char *name);
/* Some row writes it, or the key that it is another name of. */
bool pvekeys_is_managed(const struct pvekey *k);
/* The first version of PVE that knows the row's key and part. false: all that Ramet works with. */
bool pvekeys_since(const struct attr *a, int *ret_major, int *ret_minor);
/* The first major version that knows this word of a format, 0: all, or the words are not told
 * apart.
 */
int pvekeys_word_since(enum attr_format f, const char *word);
/* The first version in which a token may set it. false: that does not hang on the version. */
bool pvekeys_root_until(const struct attr *a, int *ret_major, int *ret_minor);

#endif
