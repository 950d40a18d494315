#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "configtab.h"
#include "log.h"

static const char *const search[] = {"ramet.yaml", "/etc/ramet/ramet.yaml"};

struct reading {
	struct config *c;
	struct diags *diags;
	const char *file;
	struct configtab_origin origins[CONFIGTAB__MAX];
};

/* ---- the file ---- */

/* Names that may stand below a prefix such as "git.verify."; the list borrows nothing. */
static void names_below(const char *prefix, struct strs *ret)
{
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		const char *rest = text_after(configtab_rows[i].key, prefix);
		if (!rest)
			continue;
		char *name = mem_strndup(rest, strcspn(rest, "."));
		if (strs_has(ret, name))
			free(name);
		else
			strs_add_take(ret, name);
	}
}

static void unknown_key(struct reading *r, const char *prefix, const char *key, struct mark mark)
{
	_cleanup_strs_ struct strs names = {0};
	names_below(prefix, &names);
	struct diag *d = diags_add(
	    r->diags, DIAG_UNKNOWN_KEY, r->file, mark, "there is no setting %s%s", prefix, key);
	_cleanup_str_ char *as_file = mem_printf("%s_file", key);
	const char *near = text_nearest(key, (const char *const *)names.v, names.n);
	if (strs_has(&names, as_file)) {
		diag_hint(d, "secrets stand in files of their own: use %s", as_file);
	} else if (near) {
		diag_hint(d, "did you mean \"%s\"?", near);
	} else {
		_cleanup_str_ char *all = strs_join(&names, ", ");
		diag_hint(d, "known here: %s", all);
	}
}

static void read_block(struct reading *r, const struct ynode *map, const char *prefix)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct ynode *node = map->items[i];
		_cleanup_str_ char *full = mem_printf("%s%s", prefix, map->keys[i]);
		_cleanup_str_ char *below = mem_printf("%s.", full);
		const struct configtab_row *row = configtab_find(full);
		if (row) {
			struct configtab_origin at = {.file = r->file, .mark = node->mark};
			if (configtab_set_node(r->c, row, node, &at, r->diags) == 0)
				r->origins[row - configtab_rows] = at;
			continue;
		}
		_cleanup_strs_ struct strs names = {0};
		names_below(below, &names);
		if (names.n == 0)
			unknown_key(r, prefix, map->keys[i], map->key_marks[i]);
		else if (node->kind == YNODE_MAP)
			read_block(r, node, below);
		else if (ynode_is_null(node))
			diag_hint(diags_add(r->diags, DIAG_EMPTY_VALUE, r->file, node->mark,
				      "%s has no value", full),
			    "leave the key out for the defaults");
		else
			diag_hint(diags_add(r->diags, DIAG_WRONG_TYPE, r->file, node->mark,
				      "%s is a block of settings", full),
			    "write %s: { SETTING: VALUE }, or one setting per line below it", full);
	}
}

static void read_text(struct reading *r, const char *text, size_t len)
{
	size_t from = r->diags->n;
	_cleanup_ydoc_ struct ydoc *y = NULL;
	if (ydoc_parse(r->file, text, len, &ydoc_limits_default, r->diags, &y) == 0) {
		const struct ynode *root = ydoc_count(y) > 0 ? ydoc_root(y, 0) : NULL;
		if (ydoc_count(y) > 1) {
			const struct ynode *second = ydoc_root(y, 1);
			diags_add(r->diags, DIAG_SYNTAX, r->file,
			    second ? second->mark : (struct mark){0},
			    "a configuration is one document");
		} else if (root && root->kind != YNODE_MAP && !ynode_is_null(root)) {
			diag_hint(diags_add(r->diags, DIAG_WRONG_TYPE, r->file, root->mark,
				      "a configuration is a block of settings"),
			    "begin with a section, such as controller: { id: homelab }");
		} else if (root && root->kind == YNODE_MAP) {
			read_block(r, root, "");
		}
	}
	diags_excerpt(r->diags, from, r->file, text, len);
}

/* ---- the environment ---- */

/* The value of a variable, or NULL. */
static const char *env_value(const char *entry, const char *name)
{
	const char *rest = text_after(entry, name);
	return rest && *rest == '=' ? rest + 1 : NULL;
}

static void read_secret_variable(
    struct reading *r, const struct configtab_row *row, const char *name, const char *value)
{
	struct config_secret *s = (struct config_secret *)(void *)((char *)r->c + row->offset);
	log_mask(value);
	if (strlen(value) > 65536 || !text_is_printable(value, strlen(value))) {
		diags_add(r->diags, DIAG_BAD_VALUE, name, (struct mark){0},
		    "the secret has control characters or is too long");
		return;
	}
	mem_free_secret(&s->value);
	s->value = mem_strdup(value);
	mem_replace(&s->file, "");
}

/* True if the variable is this setting. */
static bool read_variable(struct reading *r, const struct configtab_row *row, const char *entry)
{
	char *name = configtab_env_name(row);
	const char *value = env_value(entry, name);
	bool is_secret = false;
	if (!value && row->type == CONFIGTAB_SECRET) {
		name[strlen(name) - strlen("_FILE")] = '\0';
		value = env_value(entry, name);
		is_secret = true;
	}
	/* An empty variable is an unset one, but where the empty text is a value. */
	bool is_text = row->type == CONFIGTAB_STR && row->min == 0;
	if (value && is_secret && *value) {
		read_secret_variable(r, row, name, value);
	} else if (value && !is_secret && (*value || is_text)) {
		struct configtab_origin at = {.file = name};
		if (configtab_set_text(r->c, row, value, &at, r->diags) == 0)
			r->origins[row - configtab_rows] =
			    (struct configtab_origin){.file = "environment"};
	}
	free(name);
	return value != NULL;
}

/* A name that looks like a setting and is none. Others with our prefix are not ours to judge:
 * Kubernetes puts RAMET_SERVICE_HOST and the like into every container. */
static void unknown_variable(struct reading *r, const char *entry)
{
	_cleanup_str_ char *name = mem_strndup(entry, strcspn(entry, "="));
	bool in_section = false;
	for (size_t i = 0; i < configtab_n_sections; i++) {
		size_t len = strlen(configtab_sections[i].name);
		const char *rest = name + strlen("RAMET_");
		in_section |=
		    strncasecmp(rest, configtab_sections[i].name, len) == 0 && rest[len] == '_';
	}
	if (!in_section)
		return;
	_cleanup_strs_ struct strs names = {0};
	for (size_t i = 0; i < CONFIGTAB__MAX; i++)
		strs_add_take(&names, configtab_env_name(&configtab_rows[i]));
	const char *near = text_nearest(name, (const char *const *)names.v, names.n);
	struct diag *d = diags_add(r->diags, DIAG_UNKNOWN_VARIABLE, name, (struct mark){0},
	    "the environment variable is no setting");
	if (near)
		diag_hint(d, "did you mean %s?", near);
}

static void read_env(struct reading *r, char *const *env)
{
	for (; env && *env; env++) {
		if (!text_starts(*env, "RAMET_") || !strchr(*env, '='))
			continue;
		bool known = false;
		for (size_t i = 0; i < CONFIGTAB__MAX && !known; i++)
			known = read_variable(r, &configtab_rows[i], *env);
		if (!known)
			unknown_variable(r, *env);
	}
}

/* ---- loading ---- */

static struct config *config_new(void)
{
	struct config *c = mem_alloc(sizeof(*c));
	c->magic = CONFIG_MAGIC;
	for (size_t i = 0; i < CONFIGTAB__MAX; i++)
		configtab_set_default(c, &configtab_rows[i]);
	return c;
}

void config_free(struct config **cp)
{
	struct config *c = *cp;
	if (!c)
		return;
	MUST(c->magic == CONFIG_MAGIC);
	for (size_t i = 0; i < CONFIGTAB__MAX; i++)
		configtab_fini(c, &configtab_rows[i]);
	free(c->path);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

/* text NULL = there is no file. */
static int load(const char *file, const char *text, size_t len, char *const *env,
    struct diags *diags, struct config **ret)
{
	size_t errors = diags_errors(diags);
	_cleanup_config_ struct config *c = config_new();
	struct reading r = {.c = c, .diags = diags, .file = file};
	if (text) {
		c->path = mem_strdup(file);
		read_text(&r, text, len);
	}
	read_env(&r, env);
	/* Values that could not be read would be judged by their defaults. */
	if (diags_errors(diags) == errors) {
		size_t from = diags->n;
		configcheck_values(c, r.origins, diags);
		if (text)
			diags_excerpt(diags, from, file, text, len);
	}
	if (diags_errors(diags) > errors)
		return -1;
	*ret = TAKE(c);
	return 0;
}

int config_parse(const char *file, const char *text, size_t len, char *const *env,
    struct diags *diags, struct config **ret)
{
	return load(file, text, len, env, diags, ret);
}

static int read_file(const char *path, struct buf *out, struct diags *diags)
{
	char chunk[4096];
	FILE *f = fopen(path, "rbe");
	size_t n = 0;
	while (f && !out->overflow && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	bool bad = !f || ferror(f);
	int why = errno;
	if (f)
		fclose(f);
	if (bad) {
		diag_hint(diags_add(diags, DIAG_UNREADABLE, path, (struct mark){0},
			      "the configuration cannot be read: %s", strerror(why)),
		    "check the path and that this user may read the file");
		return -1;
	}
	if (out->overflow) {
		diags_add(diags, DIAG_TOO_LARGE, path, (struct mark){0},
		    "the configuration is larger than %zu bytes", out->max);
		return -1;
	}
	return 0;
}

int config_load(const char *path, char *const *env, struct diags *diags, struct config **ret)
{
	for (size_t i = 0; !path && i < ARRAY_LEN(search); i++) {
		if (access(search[i], F_OK) == 0)
			path = search[i];
	}
	if (!path)
		return load(search[0], NULL, 0, env, diags, ret);
	struct buf text;
	buf_init(&text, ydoc_limits_default.bytes);
	int rc = read_file(path, &text, diags);
	if (rc == 0)
		rc = load(path, buf_str(&text), text.len, env, diags, ret);
	buf_fini(&text);
	return rc;
}

static const char *secret_of(const struct config *c, const struct configtab_row *row)
{
	return ((const struct config_secret *)(const void *)((const char *)c + row->offset))->value;
}

void config_diff(const struct config *a, const struct config *b, struct strs *ret)
{
	*ret = (struct strs){0};
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		const struct configtab_row *row = &configtab_rows[i];
		_cleanup_str_ char *va = configtab_print(a, row);
		_cleanup_str_ char *vb = configtab_print(b, row);
		bool same = text_eq(va, vb);
		if (row->type == CONFIGTAB_SECRET)
			same = same && text_eq(secret_of(a, row), secret_of(b, row));
		if (!same)
			strs_add(ret, row->key);
	}
}
