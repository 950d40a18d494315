/*
 * form: the forms that texts in a manifest can have: names, addresses, slots, volumes.
 *
 * Not limits of length or number (schema.h has those).
 *
 * One pattern per form serves the check, the JSON Schema and the reference; it is written in what
 * POSIX extended and ECMA expressions have in common. Some forms have a further check in code.
 *
 * Pure, but for patterns compiled on first use.
 */
#ifndef RAMET_FORM_H
#define RAMET_FORM_H

#include "text.h"

#define FORM_VLAN_MIN 1
#define FORM_VLAN_MAX 4094

enum attr_format {
	FMT_ANY,  /* one line, printable */
	FMT_TEXT, /* several lines allowed */
	FMT_DNS_LABEL,
	FMT_DNS_NAME,
	FMT_NODE,
	FMT_STORAGE,
	FMT_POOL,
	FMT_SNAPSHOT,
	FMT_TAG,
	FMT_BRIDGE,
	FMT_MAC,
	FMT_VLAN_RANGE,
	FMT_CPU_LIST,
	FMT_CPU_MODEL,
	FMT_CPU_FLAG,
	FMT_VOLUME,
	FMT_CDROM, /* none, cdrom or a volume */
	FMT_SERIAL,
	FMT_NET_SLOT,
	FMT_DISK_SLOT,
	FMT_CDROM_SLOT,
	FMT_UUID,
	FMT_TIME, /* RFC 3339 */
	FMT__MAX
};

/* The text has the form. If not, *ret_why and *ret_hint (may be NULL; the caller frees) say what is
 * wrong and what to do; the hint may stay NULL. */
bool form_check(enum attr_format f, const char *s, char **ret_why, char **ret_hint);
const char *form_pattern(enum attr_format f); /* NULL when there is none */
const char *form_word(enum attr_format f);    /* "a MAC address" */
/* Words of a form that is a list (CPU models and flags, without + and -), else NULL. */
const char *const *form_words(enum attr_format f, size_t *ret_n);

/* Slots: "net3" is index 3 of "net"; false if it is none. The bus lives for ever. */
bool form_slot_parse(const char *slot, const char **ret_bus, unsigned *ret_index);

#endif
