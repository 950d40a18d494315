/*
 * configtab: the table of settings (config.def) as data, and one setting from one text.
 *
 * Not the file or the environment (config.c), not checks between settings (configcheck.c).
 *
 * Rows are constant. Values belong to the configuration.
 *
 * As config.h.
 */
#ifndef RAMET_CONFIGTAB_H
#define RAMET_CONFIGTAB_H

#include "config.h"
#include "ydoc.h"

#define CONFIG_MAGIC 0x636f6e66u
#define CONFIGTAB_LIST_MAX 1000

enum configtab_type {
	CONFIGTAB_STR,
	CONFIGTAB_FILE,
	CONFIGTAB_SECRET,
	CONFIGTAB_INT,
	CONFIGTAB_DUR,
	CONFIGTAB_BOOL,
	CONFIGTAB_CHOICE,
	CONFIGTAB_LIST,
	CONFIGTAB_TYPE__MAX
};

enum configtab_id {
#define SECTION(name, doc)
#define SETTING(type, field, key, def, min, max, choices, example, doc) CONFIGTAB_##field,
#include "config.def"
#undef SETTING
#undef SECTION
	CONFIGTAB__MAX
};

struct configtab_row {
	const char *key, *def, *choices, *example, *doc;
	enum configtab_type type;
	size_t offset; /* of the field */
	int64_t min, max;
};

struct configtab_section {
	const char *name, *doc;
};

extern const struct configtab_row configtab_rows[CONFIGTAB__MAX];
extern const struct configtab_section configtab_sections[];
extern const size_t configtab_n_sections;

/* Where the value of each setting came from, for findings about it. */
struct configtab_origin {
	const char *file; /* borrowed; NULL = the default */
	struct mark mark;
};

/* RAMET_GIT_URL for git.url. Caller frees. */
char *configtab_env_name(const struct configtab_row *row);
const struct configtab_row *configtab_find(const char *key);

void configtab_set_default(struct config *c, const struct configtab_row *row);
/* From the text of a variable. */
int configtab_set_text(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags) MUST_CHECK;
int configtab_set_node(struct config *c, const struct configtab_row *row, const struct ynode *node,
    const struct configtab_origin *at, struct diags *diags) MUST_CHECK;
/* As it would stand in the environment; secrets are their file names. Caller frees. */
char *configtab_print(const struct config *c, const struct configtab_row *row);
void configtab_fini(struct config *c, const struct configtab_row *row);

/* Checks of form and between settings. */
void configcheck_values(
    struct config *c, const struct configtab_origin origins[CONFIGTAB__MAX], struct diags *diags);

#endif
