/*
 * sim_schema: what the API accepts: parameters and property strings with types, limits, formats.
 *
 * Not what a configuration key means (sim_conf); this is the check that a request goes through
 * before any handler sees it, with the API's own words for what is wrong.
 *
 * Tables are made once from sim_schema.def and never freed by users; schema_parse gives an own one.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_SCHEMA_H
#define RAMET_SIM_SCHEMA_H

#include "sim_state.h"

#include <regex.h>

enum stype { STYPE_STR, STYPE_INT, STYPE_NUM, STYPE_BOOL, STYPE__MAX };

struct sprop {
	char *name;
	enum stype type;
	bool optional, defkey, has_min, has_max, has_re, indexed;
	int only;   /* 8, 9, or 0 for both */
	int lo, hi; /* numbers of an indexed key */
	double min, max;
	size_t maxlen; /* characters; 0 = any */
	char *format, *table, *needs, *alias, *keyalias, *kinds, *values;
	char kind; /* which disks of table "disk" */
	regex_t re;
};

struct stable {
	char *name;
	struct sprop *v;
	size_t n, cap;
};

/* A table of sim_schema.def, or NULL. */
const struct stable *schema_table(const char *name);
void schema_free_all(void);
/* Adds rows "name type …; name type …" to a table. */
void schema_parse(struct stable *t, const char *rows);
void schema_fini(struct stable *t);

/* The row for a key ("net0" for the indexed row "net"), or NULL. */
const struct sprop *schema_find(const struct stable *t, const char *key, bool v9, char kind);
/* Checks values against up to two tables; errors get "key" or "path.key". */
void schema_check(const struct stable *t, const struct stable *more, const struct kv *values,
    bool v9, struct kv *errors);
/* Checks one value of one key. */
void schema_check_value(
    const struct sprop *p, const char *path, const char *value, bool v9, struct kv *errors);

/* By what something is checked. */
struct sby {
	const struct stable *table;
	const struct stable *more; /* a second table; may be NULL */
	const char *path;	   /* what errors begin with; may be NULL */
	char kind;		   /* which disks of table "disk"; 0 = any */
	bool v9;
};
#define SCHEMA_OF(name, is_v9)                                             \
	(const struct sby)                                                 \
	{                                                                  \
		.table = schema_table(name), .path = (name), .v9 = (is_v9) \
	}

/* Splits a property string into its parts, aliases resolved; the text of what is wrong otherwise.
 */
bool schema_split(const struct sby *by, const char *text, struct kv *ret, struct buf *why);

/* A named format: true if the value has it, else the reason in why. */
bool format_check(const char *format, const char *value, bool v9, struct buf *why);

/* Is it a key of a guest's configuration? */
bool schema_conf_key(const char *key, bool v9);
const struct sprop *schema_conf(const char *key, bool v9);

#endif
