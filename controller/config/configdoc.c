#include <stdio.h>
#include <string.h>

#include "configtab.h"
#include "value.h"

#define WRAP 92 /* columns of comments in the sample */

static const char *type_word(enum configtab_type type)
{
	switch (type) {
	case CONFIGTAB_STR:
		return "text";
	case CONFIGTAB_FILE:
		return "path";
	case CONFIGTAB_SECRET:
		return "path of a secret";
	case CONFIGTAB_INT:
		return "whole number";
	case CONFIGTAB_DUR:
		return "duration";
	case CONFIGTAB_BOOL:
		return "true, false";
	case CONFIGTAB_CHOICE:
		return "choice";
	case CONFIGTAB_LIST:
		return "list";
	case CONFIGTAB_TYPE__MAX:
		break;
	}
	MUST(false);
	return "";
}

static bool in_section(const struct configtab_row *row, const char *section)
{
	const char *rest = text_after(row->key, section);
	return rest && *rest == '.';
}

/* "text", "one of `a`, `b`", "duration, 1s to 1h". */
static void print_type(struct buf *out, const struct configtab_row *row)
{
	if (row->type == CONFIGTAB_CHOICE) {
		for (const char *s = row->choices; *s; s += strcspn(s, "|"), s += *s == '|')
			buf_addf(out, "%s`%.*s`", s == row->choices ? "" : ", ",
			    (int)strcspn(s, "|"), s);
		return;
	}
	buf_adds(out, type_word(row->type));
	if (row->type == CONFIGTAB_INT)
		buf_addf(out, ", %lld to %lld", (long long)row->min, (long long)row->max);
	if (row->type == CONFIGTAB_DUR) {
		_cleanup_str_ char *min = value_print_duration(row->min);
		_cleanup_str_ char *max = value_print_duration(row->max);
		buf_addf(out, ", %s to %s", min, max);
	}
}

static void print_row(struct buf *out, const struct configtab_row *row)
{
	_cleanup_str_ char *env = configtab_env_name(row);
	buf_addf(out, "### `%s`\n\n%s\n\n", row->key, row->doc);
	buf_adds(out, "- Type: ");
	print_type(out, row);
	if (*row->def)
		buf_addf(out, "\n- Default: `%s`", row->def);
	else
		buf_addf(out, "\n- Default: %s", row->type == CONFIGTAB_LIST ? "none" : "not set");
	buf_addf(out, "\n- Environment: `%s`", env);
	if (row->type == CONFIGTAB_SECRET)
		buf_addf(
		    out, "; the secret itself: `%.*s`", (int)(strlen(env) - strlen("_FILE")), env);
	buf_adds(out, "\n\n");
}

void config_print_reference(struct buf *out)
{
	buf_adds(out,
	    "# Configuration\n\n"
	    "<!-- Generated from controller/config/config.def. -->\n\n"
	    "`ramet` reads `ramet.yaml` in the current folder or else `/etc/ramet/ramet.yaml`; "
	    "`--config FILE` names another.\n"
	    "Every setting can also come from the environment, which wins over the file; lists are "
	    "separated by commas there.\n"
	    "Durations are written with their units: `90s`, `1h30m`, `250ms`.\n"
	    "Unknown keys and values of a wrong type are refused, with file, line and column.\n"
	    "Secrets stand in files of their own, or in the environment; never in the "
	    "configuration "
	    "and never on the command line.\n"
	    "A line end at the end of such a file does not count.\n\n"
	    "On SIGHUP `ramet run` reads all of it again. When something changed, it ends what is "
	    "under "
	    "way, as on SIGTERM, and goes on with the new settings; a configuration with findings "
	    "is "
	    "not taken over.\n\n"
	    "A sample with every setting: `deploy/ramet.yaml`.\n\n");
	for (size_t s = 0; s < configtab_n_sections; s++) {
		const struct configtab_section *section = &configtab_sections[s];
		buf_addf(out, "## %s\n\n%s\n\n", section->name, section->doc);
		for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
			if (in_section(&configtab_rows[i], section->name))
				print_row(out, &configtab_rows[i]);
		}
	}
	if (out->len > 0 && !out->overflow)
		buf_cut(out, out->len - 1);
}

/* Words of a text as comment lines. */
static void print_comment(struct buf *out, const char *text, int indent)
{
	size_t col = 0;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (col == 0 || col + 1 + len > WRAP) {
			buf_addf(out, "%s%*s#", col ? "\n" : "", indent, "");
			col = (size_t)indent + 1;
		}
		buf_addc(out, ' ');
		buf_add(out, text, len);
		col += 1 + len;
		text += len;
		text += strspn(text, " ");
	}
	buf_addc(out, '\n');
}

static void print_value(struct buf *out, const struct configtab_row *row, const char *text)
{
	bool bare = row->type == CONFIGTAB_INT || row->type == CONFIGTAB_BOOL ||
		    row->type == CONFIGTAB_DUR || row->type == CONFIGTAB_CHOICE;
	if (row->type == CONFIGTAB_LIST) {
		_cleanup_strs_ struct strs items = {0};
		MUST(text_split(text, ",", true, CONFIGTAB_LIST_MAX, &items) == 0);
		_cleanup_str_ char *joined = strs_join(&items, ", ");
		buf_addf(out, "[%s]", joined);
	} else if (bare || (*text && !strpbrk(text, "#\"'[]{}") && !strstr(text, ": "))) {
		buf_adds(out, text);
	} else {
		buf_addf(out, "\"%s\"", text);
	}
}

/* A block whose settings are all comments would have no value: the table gives each an example. */
static void print_sample_row(struct buf *out, const struct configtab_row *row, struct strs *open)
{
	_cleanup_strs_ struct strs parts = {0};
	MUST(text_split(row->key, ".", false, 3, &parts) == 0);
	int indent = (int)(parts.n - 1) * 2;
	if (parts.n == 3 && (open->n < 3 || !text_eq(open->v[1], parts.v[1])))
		buf_addf(out, "  %s:\n", parts.v[1]);
	print_comment(out, row->doc, indent);
	/* A default is shown but not set: it may become a better one. */
	buf_addf(out, "%*s%s%s: ", indent, "", row->example ? "" : "# ", parts.v[parts.n - 1]);
	print_value(out, row, row->example ? row->example : row->def);
	buf_addc(out, '\n');
	strs_fini(open);
	*open = parts;
	parts = (struct strs){0};
}

void config_print_sample(struct buf *out)
{
	buf_adds(out, "# A configuration with every setting of Ramet. What begins with # is a "
		      "default, or explains.\n"
		      "# Generated from controller/config/config.def; docs/config.md says more.\n");
	for (size_t s = 0; s < configtab_n_sections; s++) {
		const struct configtab_section *section = &configtab_sections[s];
		_cleanup_strs_ struct strs open = {0};
		buf_addc(out, '\n');
		print_comment(out, section->doc, 0);
		buf_addf(out, "%s:\n", section->name);
		for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
			if (in_section(&configtab_rows[i], section->name))
				print_sample_row(out, &configtab_rows[i], &open);
		}
	}
}
