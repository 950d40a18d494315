#include "support_wire.h"

#include "jsn.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)8 << 20)
#define NO_LIMIT -1e18

enum version { V8, V9, VERSIONS };

static struct {
	struct jsn *schema[VERSIONS];
	struct strs calls;
	size_t seen;
	const struct cluster_request *req; /* that is being looked at */
} watch;

static _Noreturn void wrong(const char *what, const char *key, const char *value)
{
	fprintf(stderr, "PVE would refuse %s %s: %s: %s: %s\n", watch.req->method, watch.req->path,
	    key, value ? value : "", what);
	abort();
}

static struct jsn *load(const char *folder, const char *name)
{
	_cleanup_str_ char *path = mem_printf("%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	struct jsn *j = NULL;

	if (!f)
		return NULL;
	char *text = mem_alloc(FILE_MAX);
	size_t len = fread(text, 1, FILE_MAX - 1, f);
	fclose(f);
	MUST(jsn_parse(text, len, &j, NULL) == 0);
	free(text);
	return j;
}

void wire_watch(const char *folder)
{
	watch.schema[V8] = load(folder, "schema-8.4.json");
	watch.schema[V9] = load(folder, "schema-9.2.json");
}

void wire_tell(void)
{
	if (!watch.schema[V9])
		return;
	printf("%zu requests were held against the API:\n", watch.seen);
	for (size_t i = 0; i < watch.calls.n; i++)
		printf("  %s\n", watch.calls.v[i]);
}

/* "/nodes/{node}/qemu" fits "/nodes/pve1/qemu". */
static bool fits(const char *template, const char *path)
{
	while (*template && *path) {
		if (*template == '{') {
			template += strcspn(template, "}") + 1;
			path += strcspn(path, "/");
		} else if (*template ++ != *path++) {
			return false;
		}
	}
	return !*template && !*path;
}

static bool has_word(const struct jsn *words, const char *word)
{
	for (size_t i = 0; i < jsn_len(words); i++)
		if (text_eq(jsn_text(jsn_at(words, i)), word))
			return true;
	return false;
}

static void check_number(const struct jsn *p, const char *key, const char *value)
{
	bool integer = text_eq(jsn_get_text(p, "type"), "integer");
	double v, min = jsn_get_num(p, "minimum", NO_LIMIT),
		  max = jsn_get_num(p, "maximum", NO_LIMIT);
	int64_t n;

	if (integer ? text_to_int(value, INT64_MIN, INT64_MAX, &n) < 0 : text_to_num(value, &v) < 0)
		wrong("it is no number", key, value);
	v = integer ? (double)n : v;
	if ((min != NO_LIMIT && v < min) || (max != NO_LIMIT && v > max))
		wrong("it is beyond the limits", key, value);
}

static void check_string(const struct jsn *p, const char *key, const char *value);

static void check_value(const struct jsn *p, const char *key, const char *value)
{
	const char *type = jsn_get_text(p, "type");

	if (text_eq(type, "integer") || text_eq(type, "number"))
		check_number(p, key, value);
	else if (text_eq(type, "boolean") && !text_eq(value, "0") && !text_eq(value, "1"))
		wrong("it is neither 0 nor 1", key, value);
	else if (!type || text_eq(type, "string"))
		check_string(p, key, value);
}

/* The part that a text without a name is. */
static const char *default_key(const struct jsn *format)
{
	struct jsn_iter it;

	JSN_FOREACH (it, format)
		if (jsn_get_int(it.val, "default_key", 0) == 1)
			return it.key;
	return NULL;
}

/* Some names stand for two parts at once: "virtio=MAC" is a model and a MAC. */
static const struct jsn *part_of(const struct jsn *format, const char *name, struct strs *there)
{
	const struct jsn *p = jsn_get(format, name);
	const char *alias = jsn_get_text(p, "alias"), *key_alias = jsn_get_text(p, "keyAlias");

	if (key_alias)
		strs_add(there, key_alias);
	strs_add(there, alias ? alias : name);
	return alias ? jsn_get(format, alias) : p;
}

static void check_parts(const struct jsn *format, const char *key, const char *value)
{
	_cleanup_strs_ struct strs parts = {0}, there = {0};
	struct jsn_iter it;

	MUST(text_split(value, ",", true, 1000, &parts) == 0);
	for (size_t i = 0; i < parts.n; i++) {
		char *eq = strchr(parts.v[i], '=');
		const char *name = eq ? parts.v[i] : default_key(format);
		const char *text = eq ? eq + 1 : parts.v[i];

		if (eq)
			*eq = '\0';
		const struct jsn *p = name ? part_of(format, name, &there) : NULL;
		if (!p)
			wrong("it has no such part", key, parts.v[i]);
		check_value(p, key, text);
	}
	JSN_FOREACH (it, format)
		if (jsn_get_int(it.val, "optional", 0) == 0 && !jsn_has(it.val, "alias") &&
		    !strs_has(&there, it.key))
			wrong("a part is missing", key, it.key);
}

static bool is_spelt(const char *s, const char *first, const char *more, size_t max)
{
	size_t n = strlen(s);

	return n > 0 && n <= max && strchr(first, *s) && strspn(s, more) == n;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Formats that have a name only, as far as they matter to what is sent. */
static void check_format(const char *format, const char *key, const char *value)
{
	static const struct {
		const char *format, *first, *more;
	} rows[] = {
	    {"pve-vmid", DIGITS, DIGITS},
	    {"pve-vmid-list", DIGITS, DIGITS ","},
	    {"pve-node", LETTERS DIGITS, LETTERS DIGITS "-"},
	    {"pve-storage-id", LETTERS, LETTERS DIGITS "-_."},
	    {"pve-poolid", LETTERS DIGITS "-_.", LETTERS DIGITS "-_./"},
	    {"pve-configid", LETTERS, LETTERS DIGITS "-_"},
	    {"pve-configid-list", LETTERS, LETTERS DIGITS "-_,"},
	    {"dns-name", LETTERS DIGITS, LETTERS DIGITS "-."},
	    {"pve-bridge-id", LETTERS DIGITS, LETTERS DIGITS "-_."},
	    {"mac-addr", DIGITS "abcdefABCDEF", DIGITS "abcdefABCDEF:"},
	    {"pve-tag-list", LETTERS DIGITS "_", LETTERS DIGITS "_-+.;"},
	    {"pve-startup-order", LETTERS DIGITS, LETTERS DIGITS "=,"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (text_eq(rows[i].format, format) &&
		    !is_spelt(value, rows[i].first, rows[i].more, 4000))
			wrong(format, key, value);
}

static size_t count_chars(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void check_string(const struct jsn *p, const char *key, const char *value)
{
	const struct jsn *format = jsn_get(p, "format"), *words = jsn_get(p, "enum");
	double most = jsn_get_num(p, "maxLength", NO_LIMIT);

	if (jsn_is_object(format))
		check_parts(format, key, value);
	else if (jsn_is_string(format))
		check_format(jsn_text(format), key, value);
	if (words && !has_word(words, value))
		wrong("it is none of the words", key, value);
	if (most != NO_LIMIT && (double)count_chars(value) > most)
		wrong("it is too long", key, value);
}

/* "net3" is one of "net[n]". */
static const struct jsn *property(const struct jsn *all, const char *key)
{
	const struct jsn *p = jsn_get(all, key), *index;
	size_t stem = strcspn(key, DIGITS);
	int64_t n, least, most;

	if (p || text_to_int(key + stem, 0, 100000, &n) < 0)
		return p;
	_cleanup_str_ char *folded = mem_printf("%.*s[n]", (int)stem, key);
	p = jsn_get(all, folded);
	index = jsn_get(p, "index");
	if (!p || text_to_int(jsn_text(jsn_at(index, 0)), 0, 100000, &least) < 0 ||
	    text_to_int(jsn_text(jsn_at(index, 1)), 0, 100000, &most) < 0)
		return NULL;
	return n >= least && n <= most ? p : NULL;
}

static void check_params(const struct jsn *method, const char *template)
{
	static const struct kv none;
	const struct kv *params = watch.req->params ? watch.req->params : &none;
	const struct jsn *all = jsn_get(jsn_get(method, "parameters"), "properties");
	struct jsn_iter it;

	KV_FOREACH (item, params) {
		const struct jsn *p = property(all, item->key);
		const char *other = jsn_get_text(p, "requires");

		if (!p)
			wrong("there is no such parameter", item->key, item->value);
		if (other && !kv_has(params, other))
			wrong("another one is required", item->key, other);
		check_value(p, item->key, item->value);
	}
	JSN_FOREACH (it, all) {
		_cleanup_str_ char *in_path = mem_printf("{%s}", it.key);

		if (jsn_get_int(it.val, "optional", 0) == 0 && !kv_has(params, it.key) &&
		    !strstr(template, in_path))
			wrong("it is missing", it.key, NULL);
	}
}

/* One call stands in the recorded exchanges only, one was never asked for. */
static bool is_left_out(const char *path)
{
	return text_ends(path, "/network") || text_ends(path, "/replication");
}

void wire_note(int major, const struct cluster_request *req)
{
	const struct jsn *schema = watch.schema[major == 8 ? V8 : V9];
	_cleanup_str_ char *call = mem_printf("%s %s", req->method, req->path);
	struct jsn_iter it;

	if (!schema || is_left_out(req->path))
		return;
	watch.req = req;
	watch.seen++;
	JSN_FOREACH (it, schema) {
		if (!fits(it.key, call))
			continue;
		if (!strs_has(&watch.calls, it.key))
			strs_add(&watch.calls, it.key);
		check_params(it.val, it.key);
		return;
	}
	wrong("there is no such call", "", NULL);
}
