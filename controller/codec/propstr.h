/*
 * propstr: PVE property strings ("virtio=BC:24:…,bridge=vmbr0,tag=5") as lists of parts.
 *
 * Not a meaning of parts (pvecodec.h). Parts keep their order and their bytes; what is not touched
 * comes out as it went in.
 *
 * The list owns copies.
 *
 * Pure. Source of the form: PVE::JSONSchema parse_property_string.
 */
#ifndef RAMET_PROPSTR_H
#define RAMET_PROPSTR_H

#include "err.h"

struct prop {
	char *key; /* NULL: the part without a name, as a rule the first */
	char *value;
};

struct propstr {
	struct prop *v;
	size_t n, cap;
};

#define PROPSTR_PARTS_MAX 128
#define _cleanup_propstr_ _cleanup_(propstr_fini)

/* ERR_INPUT or ERR_LIMIT; blank parts are dropped. */
int propstr_parse(const char *text, struct propstr *ret, struct err **err) MUST_CHECK;
void propstr_fini(struct propstr *p);
char *propstr_print(const struct propstr *p);

const char *propstr_get(const struct propstr *p, const char *key); /* NULL if absent */
void propstr_set(
    struct propstr *p, const char *key, const char *value); /* in place, else at the end */
bool propstr_del(struct propstr *p, const char *key);
/* The part without a name, NULL if there is none. PVE writes it first and reads it anywhere. */
const char *propstr_lead(const struct propstr *p);
void propstr_set_lead(struct propstr *p, const char *value);
void propstr_del_lead(struct propstr *p);
/* Makes of "virtio" the part "virtio=VALUE" in its place; false if there is none. */
bool propstr_name_lead(struct propstr *p, const char *value);
/* Gives the part another name in its place; nothing if it is not there. */
void propstr_rename(struct propstr *p, const char *key, const char *new_key);

#endif
