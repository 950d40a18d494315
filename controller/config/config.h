/*
 * config: the settings of the controller, from a YAML file and the environment.
 *
 * Not manifests (spec/) and not the command line (cli/), whose options override single fields.
 *
 * The configuration owns its strings and secrets (wiped when freed); everybody else borrows it. It
 * is not changed after loading: a reload makes a new one.
 *
 * The controller process, before the loop runs and on SIGHUP: loading reads files and blocks.
 *
 * Precedence: default, file, environment. RAMET_GIT_URL is git.url, RAMET_GIT_VERIFY_MODE is
 * git.verify.mode; lists are separated by commas. A secret comes from the file that the setting
 * names (RAMET_CLUSTER_TOKEN_FILE) or stands in the environment itself (RAMET_CLUSTER_TOKEN).
 */
#ifndef RAMET_CONFIG_H
#define RAMET_CONFIG_H

#include "diag.h"
#include "text.h"

struct config_secret {
	char *file;  /* "" when it came from the environment, or is not set */
	char *value; /* NULL until config_require asked for it and found it */
};

#define CONFIG_CTYPE_STR char *
#define CONFIG_CTYPE_FILE char *
#define CONFIG_CTYPE_SECRET struct config_secret
#define CONFIG_CTYPE_INT int64_t
#define CONFIG_CTYPE_DUR int64_t /* ms */
#define CONFIG_CTYPE_BOOL bool
#define CONFIG_CTYPE_CHOICE char * /* one of the choices, as written */
#define CONFIG_CTYPE_LIST struct strs

/* One field for each row of config.def. Texts are never NULL, "" = not set. */
struct config {
	uint32_t magic;
	char *path; /* the file it came from, or NULL */
#define SECTION(name, doc)
#define SETTING(type, field, key, def, min, max, choices, example, doc) CONFIG_CTYPE_##type field;
#include "config.def"
#undef SETTING
#undef SECTION
	int64_t vmid_first, vmid_last; /* of policy.vmid_range; 0 = the range of the datacenter */
};

#define _cleanup_config_ _cleanup_(config_free)

/* Reads `path`, or with NULL ./ramet.yaml, or else /etc/ramet/ramet.yaml if it is there, then the
 * variables of `env` ("NAME=value", NULL at the end; may be NULL). Findings go to `diags`, with the
 * variable's name as file for the environment; -1 when one of them is an error. Reads no secret. */
int config_load(
    const char *path, char *const *env, struct diags *diags, struct config **ret) MUST_CHECK;
/* The same from a text. */
int config_parse(const char *file, const char *text, size_t len, char *const *env,
    struct diags *diags, struct config **ret) MUST_CHECK;
void config_free(struct config **c);

enum config_need {
	CONFIG_NEED_CONTROLLER = 1, /* id, state directory */
	CONFIG_NEED_GIT = 2,
	CONFIG_NEED_CLUSTER = 4,
	CONFIG_NEED_HTTP = 8,
};
/* Finds what is missing for a command that needs these parts, and reads their secrets (masked in
 * logs from then on). -1 when something is missing or unreadable. */
int config_require(struct config *c, unsigned needs, struct diags *diags) MUST_CHECK;

/* The token without what stands before it in a header, which people copy along with it. */
void config_bare_token(char *token);

/* Keys whose values differ, secrets too where both were read; overwritten as if empty. */
void config_diff(const struct config *a, const struct config *b, struct strs *ret);

/* docs/config.md and deploy/ramet.yaml: both are generated. */
void config_print_reference(struct buf *out);
void config_print_sample(struct buf *out);

#endif
