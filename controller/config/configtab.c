#include "configtab.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

const struct configtab_row configtab_rows[CONFIGTAB__MAX] = {
#define SECTION(name, doc)
#define SETTING(type, field, key, def, min, max, choices, example, doc)                          \
	{key, def, choices, example, doc, CONFIGTAB_##type, offsetof(struct config, field), min, \
	    max},
#include "config.def"
#undef SETTING
#undef SECTION
};

const struct configtab_section configtab_sections[] = {
#define SECTION(name, doc) {name, doc},
#define SETTING(...)
#include "config.def"
#undef SETTING
#undef SECTION
};
const size_t configtab_n_sections = ARRAY_LEN(configtab_sections);

#define FIELD(c, row, type) ((type *)(void *)((char *)(c) + (row)->offset))

const struct configtab_row *configtab_find(const char *key)
{
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		if (text_eq(configtab_rows[i].key, key))
			return &configtab_rows[i];
	}
	return NULL;
}

char *configtab_env_name(const struct configtab_row *row)
{
	char *name = mem_printf("RAMET_%s", row->key);
	for (char *s = name; *s; s++)
		*s = *s == '.' ? '_' : (char)toupper((unsigned char)*s);
	return name;
}

/* What a value may be, as it stands in a message. */
static char *range_of(const struct configtab_row *row)
{
	if (row->type == CONFIGTAB_DUR) {
		_cleanup_str_ char *min = value_print_duration(row->min);
		_cleanup_str_ char *max = value_print_duration(row->max);
		return mem_printf("%s to %s", min, max);
	}
	return mem_printf("%lld to %lld", (long long)row->min, (long long)row->max);
}

static int out_of_range(const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	_cleanup_str_ char *range = range_of(row);
	diag_hint(diags_add(diags, DIAG_OUT_OF_RANGE, at->file, at->mark, "%s cannot be %s",
		      row->key, text),
	    "allowed: %s", range);
	return -1;
}

static int set_int(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	int64_t v;
	if (text_to_int(text, INT64_MIN, INT64_MAX, &v) < 0) {
		diag_hint(diags_add(diags, DIAG_WRONG_TYPE, at->file, at->mark,
			      "%s wants a whole number, not \"%s\"", row->key, text),
		    "for example: %s", row->def);
		return -1;
	}
	if (v < row->min || v > row->max)
		return out_of_range(row, text, at, diags);
	*FIELD(c, row, int64_t) = v;
	return 0;
}

static int set_duration(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	int64_t v;
	if (value_parse_duration(text, &v) < 0) {
		diag_hint(diags_add(diags, DIAG_BAD_VALUE, at->file, at->mark,
			      "%s wants a duration, not \"%s\"", row->key, text),
		    "write it with its unit, for example %s", row->def);
		return -1;
	}
	if (v < row->min || v > row->max)
		return out_of_range(row, text, at, diags);
	*FIELD(c, row, int64_t) = v;
	return 0;
}

static int set_bool(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	if (!text_eq(text, "true") && !text_eq(text, "false")) {
		diag_hint(diags_add(diags, DIAG_WRONG_TYPE, at->file, at->mark,
			      "%s wants true or false, not \"%s\"", row->key, text),
		    "write true or false, without quotes");
		return -1;
	}
	*FIELD(c, row, bool) = text_eq(text, "true");
	return 0;
}

static int set_choice(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	_cleanup_strs_ struct strs choices = {0};
	MUST(text_split(row->choices, "|", true, 16, &choices) == 0);
	if (strs_has(&choices, text)) {
		mem_replace(FIELD(c, row, char *), text);
		return 0;
	}
	struct diag *d = diags_add(
	    diags, DIAG_UNKNOWN_CHOICE, at->file, at->mark, "%s cannot be \"%s\"", row->key, text);
	const char *near = text_nearest(text, (const char *const *)choices.v, choices.n);
	_cleanup_str_ char *all = strs_join(&choices, ", ");
	if (near)
		diag_hint(d, "did you mean \"%s\"? (allowed: %s)", near, all);
	else
		diag_hint(d, "allowed: %s", all);
	return -1;
}

static int check_text(const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	size_t len = strlen(text);
	if (!text_is_printable(text, len)) {
		diags_add(diags, DIAG_BAD_VALUE, at->file, at->mark,
		    "%s has control characters or is not UTF-8", row->key);
		return -1;
	}
	if ((int64_t)len < row->min) {
		diags_add(
		    diags, DIAG_EMPTY_VALUE, at->file, at->mark, "%s cannot be empty", row->key);
		return -1;
	}
	if ((int64_t)len > row->max) {
		diags_add(diags, DIAG_OUT_OF_RANGE, at->file, at->mark,
		    "%s is longer than %lld bytes", row->key, (long long)row->max);
		return -1;
	}
	return 0;
}

static int set_scalar(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	switch (row->type) {
	case CONFIGTAB_STR:
	case CONFIGTAB_FILE:
		if (check_text(row, text, at, diags) < 0)
			return -1;
		mem_replace(FIELD(c, row, char *), text);
		return 0;
	case CONFIGTAB_SECRET:
		if (check_text(row, text, at, diags) < 0)
			return -1;
		mem_replace(&FIELD(c, row, struct config_secret)->file, text);
		return 0;
	case CONFIGTAB_INT:
		return set_int(c, row, text, at, diags);
	case CONFIGTAB_DUR:
		return set_duration(c, row, text, at, diags);
	case CONFIGTAB_BOOL:
		return set_bool(c, row, text, at, diags);
	case CONFIGTAB_CHOICE:
		return set_choice(c, row, text, at, diags);
	case CONFIGTAB_LIST:
	case CONFIGTAB_TYPE__MAX:
		break;
	}
	MUST(false);
	return -1;
}

static int add_item(struct strs *list, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	if (check_text(row, text, at, diags) < 0)
		return -1;
	if (list->n >= CONFIGTAB_LIST_MAX) {
		diags_add(diags, DIAG_OUT_OF_RANGE, at->file, at->mark,
		    "%s has more than %d entries", row->key, CONFIGTAB_LIST_MAX);
		return -1;
	}
	if (strs_has(list, text)) {
		diags_add(diags, DIAG_DUPLICATE_ITEM, at->file, at->mark, "%s has \"%s\" twice",
		    row->key, text);
		return -1;
	}
	strs_add(list, text);
	return 0;
}

/* Whole or not at all. */
static void replace_list(struct config *c, const struct configtab_row *row, struct strs *list)
{
	struct strs *field = FIELD(c, row, struct strs);
	strs_fini(field);
	*field = *list;
	*list = (struct strs){0};
}

int configtab_set_text(struct config *c, const struct configtab_row *row, const char *text,
    const struct configtab_origin *at, struct diags *diags)
{
	if (row->type != CONFIGTAB_LIST)
		return set_scalar(c, row, text, at, diags);
	_cleanup_strs_ struct strs parts = {0}, list = {0};
	if (text_split(text, ", ", true, CONFIGTAB_LIST_MAX + 1, &parts) < 0) {
		diags_add(diags, DIAG_OUT_OF_RANGE, at->file, at->mark,
		    "%s has more than %d entries", row->key, CONFIGTAB_LIST_MAX);
		return -1;
	}
	for (size_t i = 0; i < parts.n; i++) {
		if (add_item(&list, row, parts.v[i], at, diags) < 0)
			return -1;
	}
	replace_list(c, row, &list);
	return 0;
}

static int set_list_node(struct config *c, const struct configtab_row *row,
    const struct ynode *node, const struct configtab_origin *at, struct diags *diags)
{
	int rc = 0;
	_cleanup_strs_ struct strs list = {0};
	if (node->kind != YNODE_SEQ) {
		diag_hint(diags_add(diags, DIAG_WRONG_TYPE, at->file, at->mark, "%s wants a list",
			      row->key),
		    "write [a, b], or [] for none");
		return -1;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct ynode *item = node->items[i];
		struct configtab_origin here = {.file = at->file, .mark = item->mark};
		if (item->kind != YNODE_SCALAR || ynode_is_null(item)) {
			diags_add(diags, DIAG_WRONG_TYPE, at->file, item->mark,
			    "the entries of %s are texts", row->key);
			rc = -1;
		} else if (add_item(&list, row, item->text, &here, diags) < 0) {
			rc = -1;
		}
	}
	if (rc == 0)
		replace_list(c, row, &list);
	return rc;
}

int configtab_set_node(struct config *c, const struct configtab_row *row, const struct ynode *node,
    const struct configtab_origin *at, struct diags *diags)
{
	if (ynode_is_null(node)) {
		diag_hint(diags_add(diags, DIAG_EMPTY_VALUE, at->file, at->mark, "%s has no value",
			      row->key),
		    "leave the key out for its default");
		return -1;
	}
	if (row->type == CONFIGTAB_LIST)
		return set_list_node(c, row, node, at, diags);
	if (node->kind != YNODE_SCALAR) {
		diag_hint(diags_add(diags, DIAG_WRONG_TYPE, at->file, at->mark,
			      "%s wants one value, not a %s", row->key,
			      node->kind == YNODE_SEQ ? "list" : "block"),
		    "write one value behind the colon%s%s",
		    row->example && *row->example ? ", as in " : "",
		    row->example ? row->example : "");
		return -1;
	}
	bool unquoted = row->type == CONFIGTAB_INT || row->type == CONFIGTAB_BOOL;
	if (unquoted && !node->plain) {
		diag_hint(diags_add(diags, DIAG_WRONG_TYPE, at->file, at->mark,
			      "%s wants a %s, not a text", row->key,
			      row->type == CONFIGTAB_INT ? "whole number" : "true or false"),
		    "leave out the quotes");
		return -1;
	}
	return set_scalar(c, row, node->text, at, diags);
}

void configtab_set_default(struct config *c, const struct configtab_row *row)
{
	struct diags diags = {0};
	struct configtab_origin at = {.file = "default"};
	/* "" means not set, also where a value that is given cannot be empty. */
	if (!*row->def && row->type != CONFIGTAB_LIST) {
		char **field = row->type == CONFIGTAB_SECRET
				   ? &FIELD(c, row, struct config_secret)->file
				   : FIELD(c, row, char *);
		mem_replace(field, "");
		return;
	}
	MUST(configtab_set_text(c, row, row->def, &at, &diags) == 0 && diags.n == 0);
}

char *configtab_print(const struct config *c, const struct configtab_row *row)
{
	switch (row->type) {
	case CONFIGTAB_STR:
	case CONFIGTAB_FILE:
	case CONFIGTAB_CHOICE:
		return mem_strdup(*FIELD(c, row, char *const));
	case CONFIGTAB_SECRET:
		return mem_strdup(FIELD(c, row, const struct config_secret)->file);
	case CONFIGTAB_INT:
		return mem_printf("%lld", (long long)*FIELD(c, row, const int64_t));
	case CONFIGTAB_DUR:
		return value_print_duration(*FIELD(c, row, const int64_t));
	case CONFIGTAB_BOOL:
		return mem_strdup(*FIELD(c, row, const bool) ? "true" : "false");
	case CONFIGTAB_LIST:
		return strs_join(FIELD(c, row, const struct strs), ",");
	case CONFIGTAB_TYPE__MAX:
		break;
	}
	MUST(false);
	return NULL;
}

void configtab_fini(struct config *c, const struct configtab_row *row)
{
	switch (row->type) {
	case CONFIGTAB_STR:
	case CONFIGTAB_FILE:
	case CONFIGTAB_CHOICE:
		mem_free_str(FIELD(c, row, char *));
		break;
	case CONFIGTAB_SECRET:
		mem_free_str(&FIELD(c, row, struct config_secret)->file);
		mem_free_secret(&FIELD(c, row, struct config_secret)->value);
		break;
	case CONFIGTAB_LIST:
		strs_fini(FIELD(c, row, struct strs));
		break;
	case CONFIGTAB_INT:
	case CONFIGTAB_DUR:
	case CONFIGTAB_BOOL:
	case CONFIGTAB_TYPE__MAX:
		break;
	}
}
