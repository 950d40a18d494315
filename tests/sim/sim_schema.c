#include "sim_schema.h"
#include "sim_mutant.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stable *tables;
static size_t ntables, tablecap;

static struct stable *table_open(const char *name)
{
	for (size_t i = 0; i < ntables; i++)
		if (!strcmp(tables[i].name, name))
			return &tables[i];
	MEM_PUSH_ROOM(tables, ntables, tablecap);
	tables[ntables] = (struct stable){.name = mem_strdup(name)};
	return &tables[ntables++];
}

static const struct {
	const char *table, *row;
} rows[] = {
#define S(table, row) {table, row},
#include "sim_schema.def"
#undef S
};

/* The keys that can be drives, in the order in which the API lists them. */
static char *drive_names(bool unused)
{
	static const struct {
		const char *name;
		int n;
	} kinds[] = {{"ide", 4}, {"scsi", 31}, {"virtio", 16}, {"sata", 6}};
	struct buf b;

	buf_init(&b, 0);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (int i = 0; i < kinds[k].n; i++)
			buf_addf(&b, "%s%d|", kinds[k].name, i);
	buf_adds(&b, "efidisk0|tpmstate0");
	for (int i = 0; unused && i < SIM_UNUSED_MAX; i++)
		buf_addf(&b, "|unused%d", i);
	return buf_take(&b);
}

static void limits_parse(struct sprop *p, const char *s)
{
	const char *comma = strchr(s, ',');

	p->has_min = s[1] != ',';
	p->has_max = comma && comma[1] != '}';
	if (p->has_min)
		p->min = strtod(s + 1, NULL);
	if (p->has_max)
		p->max = strtod(comma + 1, NULL);
}

static void token_parse(struct sprop *p, const char *s)
{
	size_t len = strlen(s);
	char *end;

	switch (*s) {
	case '*':
		p->defkey = true;
		break;
	case '[':
		p->indexed = true;
		p->lo = (int)strtol(s + 1, &end, 10);
		MUST(*end == '-');
		p->hi = (int)strtol(end + 1, &end, 10);
		MUST(*end == ']');
		break;
	case '{':
		limits_parse(p, s);
		break;
	case '<':
		p->format = mem_strndup(s + 1, len - 2);
		break;
	case '%': {
		const char *colon = strchr(s, ':');

		p->table = colon ? mem_strndup(s + 1, (size_t)(colon - s) - 1) : mem_strdup(s + 1);
		p->kind = colon ? colon[1] : 0;
		break;
	}
	case '#':
		p->maxlen = (size_t)strtoul(s + 1, NULL, 10);
		break;
	case '^':
		p->needs = mem_strdup(s + 1);
		break;
	case '!':
		p->only = s[1] - '0';
		break;
	case '&':
		p->kinds = mem_strdup(s + 1);
		break;
	case '@':
		if (s[1] == '@')
			p->keyalias = mem_strdup(s + 2);
		else
			p->alias = mem_strdup(s + 1);
		break;
	case '=':
		p->values = s[1] == '@' ? drive_names(strchr(s, '+')) : mem_strdup(s + 1);
		break;
	default:
		mem_broken(__FILE__, __LINE__, s);
	}
}

static enum stype type_parse(const char *word)
{
	static const char *const words[] = {
	    [STYPE_STR] = "str", [STYPE_INT] = "int", [STYPE_NUM] = "num", [STYPE_BOOL] = "bool"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i], word))
			return (enum stype)i;
	mem_broken(__FILE__, __LINE__, word);
}

/* The first word of a row is the name, the second the type, a word after "~" the rest. */
static void word_parse(struct sprop *p, const char *word)
{
	size_t len = strlen(word);

	if (!p->name) {
		p->optional = word[len - 1] == '?';
		p->name = mem_strndup(word, len - p->optional);
		p->type = STYPE__MAX;
	} else if (p->type == STYPE__MAX)
		p->type = type_parse(word);
	else
		token_parse(p, word);
}

static void row_parse(struct stable *t, const char *row, size_t len)
{
	_cleanup_str_ char *text = mem_strndup(row, len);
	struct sprop p = {0};
	char *rest = text + strspn(text, " \n\t");

	if (!*rest)
		return;
	while (rest && *rest && *rest != '~') {
		const char *word = strsep(&rest, " ");

		if (*word)
			word_parse(&p, word);
	}
	if (rest && *rest == '~') {
		_cleanup_str_ char *re = mem_printf("^(%s)$", rest + 1);

		p.has_re = !regcomp(&p.re, re, REG_EXTENDED | REG_NOSUB);
		MUST(p.has_re);
	}
	MEM_PUSH_ROOM(t->v, t->n, t->cap);
	t->v[t->n++] = p;
}

void schema_parse(struct stable *t, const char *text)
{
	for (;;) {
		const char *end = strchr(text, ';');

		row_parse(t, text, end ? (size_t)(end - text) : strlen(text));
		if (!end)
			return;
		text = end + 1;
	}
}

void schema_fini(struct stable *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct sprop *p = &t->v[i];
		char *own[] = {p->name, p->format, p->table, p->needs, p->alias, p->keyalias,
		    p->kinds, p->values};

		for (size_t k = 0; k < ARRAY_LEN(own); k++)
			free(own[k]);
		if (p->has_re)
			regfree(&p->re);
	}
	free(t->v);
	free(t->name);
	*t = (struct stable){0};
}

void schema_free_all(void)
{
	for (size_t i = 0; i < ntables; i++)
		schema_fini(&tables[i]);
	free(tables);
	tables = NULL;
	ntables = tablecap = 0;
}

const struct stable *schema_table(const char *name)
{
	if (!ntables) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			row_parse(table_open(rows[i].table), rows[i].row, strlen(rows[i].row));
		atexit(schema_free_all);
	}
	for (size_t i = 0; i < ntables; i++)
		if (!strcmp(tables[i].name, name))
			return &tables[i];
	return NULL;
}

static bool index_matches(const struct sprop *p, const char *key)
{
	size_t len = strlen(p->name);
	const char *num = key + len;
	char *end;
	long v;

	if (strncmp(key, p->name, len) != 0 || !isdigit((unsigned char)*num))
		return false;
	if (*num == '0' && num[1])
		return false;
	v = strtol(num, &end, 10);
	return !*end && v >= p->lo && v <= p->hi;
}

/* In this version, for this kind of disk? */
static bool counts(const struct sprop *p, char kind, bool v9)
{
	return (!p->only || p->only == (v9 ? 9 : 8)) &&
	       !(kind && p->kinds && !strchr(p->kinds, kind));
}

const struct sprop *schema_find(const struct stable *t, const char *key, bool v9, char kind)
{
	for (size_t i = 0; t && i < t->n; i++) {
		const struct sprop *p = &t->v[i];

		if (*p->name != *key || !counts(p, kind, v9))
			continue;
		if (p->indexed ? index_matches(p, key) : !strcmp(p->name, key))
			return p;
	}
	return NULL;
}

const struct sprop *schema_conf(const char *key, bool v9)
{
	static const struct stable *conf; /* the tables stay until the process ends */

	if (!conf)
		conf = schema_table("conf");
	return schema_find(conf, key, v9, 0);
}

bool schema_conf_key(const char *key, bool v9)
{
	return schema_conf(key, v9) != NULL;
}

static void add_error(struct kv *errors, const char *path, const char *fmt, ...) PRINTF(3, 4);

static void add_error(struct kv *errors, const char *path, const char *fmt, ...)
{
	va_list ap;
	char *msg = NULL;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	va_end(ap);
	if (!kv_has(errors, path))
		kv_set(errors, path, msg ? msg : "");
	free(msg);
}

static bool all_digits(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isdigit((unsigned char)*s))
			return false;
	return true;
}

static bool is_integer(const char *s)
{
	return all_digits(*s == '+' || *s == '-' ? s + 1 : s);
}

static bool is_number(const char *s)
{
	char *end;

	if (!*s || strspn(s, "0123456789.+-eE") != strlen(s) || *s == 'e' || *s == 'E')
		return false;
	strtod(s, &end);
	return !*end;
}

static bool in_list(const char *values, const char *v)
{
	size_t len = strlen(v);

	for (const char *p = values; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
		size_t l = strcspn(p, "|");

		if (l == len && !strncmp(p, v, len))
			return true;
	}
	return false;
}

static char *list_shown(const char *values)
{
	struct buf b;

	buf_init(&b, 0);
	for (; *values; values++)
		if (*values == '|')
			buf_adds(&b, ", ");
		else
			buf_addc(&b, *values);
	return buf_take(&b);
}

static size_t utf8_len(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static bool type_ok(const struct sprop *p, const char *path, const char *v, struct kv *errors)
{
	static const char *const names[] = {"string", "integer", "number", "boolean"};
	bool ok = true;

	if (*v == *SIM_MANY) {
		add_error(errors, path, "type check ('%s') failed - got ARRAY", names[p->type]);
		return false;
	}
	switch (p->type) {
	case STYPE_INT:
		ok = is_integer(v);
		break;
	case STYPE_NUM:
		ok = is_number(v);
		break;
	case STYPE_BOOL:
		ok = !strcmp(v, "0") || !strcmp(v, "1");
		break;
	case STYPE_STR:
	case STYPE__MAX:
		break;
	}
	if (!ok)
		add_error(errors, path, "type check ('%s') failed - got '%s'", names[p->type], v);
	return ok;
}

static bool format_ok(
    const struct sprop *p, const char *path, const char *v, bool v9, struct buf *why)
{
	_cleanup_kv_ struct kv parts = {0};
	const struct sby by = {.path = path, .kind = p->kind, .v9 = v9};
	struct sby of = by;

	if (p->format)
		return format_check(p->format, v, v9, why);
	if (!p->table)
		return true;
	of.table = schema_table(p->table);
	if (!schema_split(&of, v, &parts, why))
		return false;
	return strcmp(p->table, "cpu") != 0 || format_check("cpu-parts", v, v9, why);
}

void schema_check_value(
    const struct sprop *p, const char *path, const char *v, bool v9, struct kv *errors)
{
	struct buf why;

	if (!type_ok(p, path, v, errors))
		return;
	buf_init(&why, 0);
	if (!format_ok(p, path, v, v9, &why))
		add_error(errors, path, "invalid format - %s", buf_str(&why));
	buf_fini(&why);
	if (kv_has(errors, path))
		return;
	if (p->has_re && regexec(&p->re, v, 0, NULL, 0) != 0)
		add_error(errors, path, "value does not match the regex pattern");
	else if (p->maxlen && utf8_len(v) > p->maxlen)
		add_error(errors, path, "value may only be %zu characters long", p->maxlen);
	else if (p->has_max && is_number(v) && strtod(v, NULL) > p->max)
		add_error(errors, path, "value must have a maximum value of %.10g", p->max);
	else if (p->has_min && is_number(v) && strtod(v, NULL) < p->min)
		add_error(errors, path, "value must have a minimum value of %.10g", p->min);
	else if (p->values && !in_list(p->values, v)) {
		_cleanup_str_ char *list = list_shown(p->values);

		add_error(errors, path, "value '%s' does not have a value in the enumeration '%s'",
		    v, list);
	}
}

static char *path_of(const char *path, const char *key)
{
	size_t a = path ? strlen(path) + 1 : 0, b = strlen(key);
	char *s = mem_grow(NULL, a + b + 1, 1);

	if (a) {
		memcpy(s, path, a - 1);
		s[a - 1] = '.';
	}
	memcpy(s + a, key, b + 1);
	return s;
}

static void check_missing(
    const struct sby *by, const struct stable *t, const struct kv *values, struct kv *errors)
{
	for (size_t i = 0; t && i < t->n; i++) {
		const struct sprop *p = &t->v[i];
		_cleanup_str_ char *at = NULL;

		if (p->optional || p->indexed || kv_has(values, p->name) ||
		    !counts(p, by->kind, by->v9))
			continue;
		at = path_of(by->path, p->name);
		add_error(errors, at, "property is missing and it is not optional");
	}
}

static void check_object(const struct sby *by, const struct kv *values, struct kv *errors)
{
	check_missing(by, by->table, values, errors);
	check_missing(by, by->more, values, errors);
	KV_FOREACH (i, values) {
		const struct sprop *p = schema_find(by->table, i->key, by->v9, by->kind);
		_cleanup_str_ char *below = by->path ? path_of(by->path, i->key) : NULL;
		const char *at = below ? below : i->key;

		if (!p)
			p = schema_find(by->more, i->key, by->v9, by->kind);
		if (!p && MUTANT(UNKNOWN_TAKEN))
			continue;
		if (!p) {
			add_error(errors, at,
			    "property is not defined in schema and the schema does not allow "
			    "additional properties");
			continue;
		}
		schema_check_value(p, at, i->value, by->v9, errors);
		if (p->needs && !kv_has(values, p->needs)) {
			_cleanup_str_ char *need = path_of(by->path, p->needs);

			add_error(errors, need,
			    by->v9 ? "missing property required by '%s'"
				   : "missing property - '%s' requires this property",
			    at);
		}
	}
}

void schema_check(const struct stable *t, const struct stable *more, const struct kv *values,
    bool v9, struct kv *errors)
{
	check_object(&(struct sby){.table = t, .more = more, .v9 = v9}, values, errors);
}

/* 1 and 0 for what a boolean may be called in a property string, else NULL. */
static const char *bool_word(const char *v)
{
	static const char *const yes[] = {"1", "on", "yes", "true"}, *const no[] = {
									 "0", "off", "no", "false"};

	for (size_t i = 0; i < 4; i++) {
		if (text_eq_nocase(v, yes[i]))
			return "1";
		if (text_eq_nocase(v, no[i]))
			return "0";
	}
	return NULL;
}

static bool twice(const struct kv *have, const char *key, struct buf *why)
{
	if (!kv_has(have, key))
		return false;
	buf_addf(why, "duplicate key in comma-separated list property: %s\n", key);
	return true;
}

/* A part without "=" belongs to the default key. */
static bool part_bare(const struct sby *by, const char *part, struct kv *ret, struct buf *why)
{
	for (size_t i = 0; i < by->table->n; i++) {
		const struct sprop *p = &by->table->v[i];
		const char *v = part;

		if (!p->defkey || !counts(p, by->kind, by->v9))
			continue;
		if (twice(ret, p->name, why))
			return false;
		if (p->type == STYPE_BOOL && by->v9 && bool_word(part))
			v = bool_word(part);
		kv_set(ret, p->name, v);
		return true;
	}
	buf_adds(why, "value without key, but schema does not define a default key\n");
	return false;
}

static bool part_keyed(
    const struct sby *by, const char *k, const char *v, struct kv *ret, struct buf *why)
{
	const struct sprop *p = schema_find(by->table, k, by->v9, by->kind);

	if (twice(ret, k, why))
		return false;
	if (p && p->alias) {
		if (p->keyalias) {
			if (kv_has(ret, p->keyalias)) {
				buf_addf(why, "key alias '%s' is already defined\n", p->keyalias);
				return false;
			}
			kv_set(ret, p->keyalias, k);
		}
		k = p->alias;
		p = schema_find(by->table, k, by->v9, by->kind);
		if (twice(ret, k, why))
			return false;
	}
	if (p && p->type == STYPE_BOOL && bool_word(v))
		v = bool_word(v);
	kv_set(ret, k, v);
	return true;
}

bool schema_split(const struct sby *by, const char *text, struct kv *ret, struct buf *why)
{
	_cleanup_str_ char *copy = mem_strdup(text);
	_cleanup_kv_ struct kv errors = {0};
	char *rest = copy, *part;

	while ((part = strsep(&rest, ","))) {
		char *eq = strchr(part, '=');

		if (strspn(part, " \t\r\n") == strlen(part))
			continue;
		if (eq && (eq == part || !eq[1])) {
			buf_adds(why, "missing key in comma-separated list property\n");
			return false;
		}
		if (eq) {
			*eq = '\0';
			if (!part_keyed(by, part, eq + 1, ret, why))
				return false;
		} else if (!part_bare(by, part, ret, why))
			return false;
	}
	check_object(by, ret, &errors);
	if (!errors.n)
		return true;
	buf_adds(why, "format error\n");
	KV_FOREACH (i, &errors)
		buf_addf(why, "%s: %s\n", i->key, i->value);
	return false;
}
