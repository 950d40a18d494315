#include "jsn.h"

#include "buf.h"
#include "jsnscan.h"
#include "text.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRINT_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* The opaque struct jsn is json-c's object; these two are the only border. */
static struct json_object *obj_of(const struct jsn *j)
{
	return (struct json_object *)(uintptr_t)j;
}

static struct jsn *jsn_of(struct json_object *o)
{
	return (struct jsn *)o;
}

/* ---- reading ---- */

/* json-c builds the tree; what it takes beyond JSON is refused before (jsnscan.h). The grammar
 * between tokens is json-c's task. */
static int check_tokens(const char *text, size_t len, struct err **err)
{
	struct jsnscan sc;
	if (jsnscan_begin(&sc, text, len, err) != 0)
		return -1;
	while (sc.at < len)
		if (jsnscan_token(&sc) != 0)
			return -1;
	return 0;
}

static void tokener_free(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

int jsn_parse(const char *text, size_t len, struct jsn **ret, struct err **err)
{
	if (check_tokens(text, len, err) != 0)
		return -1;
	/* json-c counts the value inside the innermost container as a level of its own. */
	_cleanup_(tokener_free) struct json_tokener *t = json_tokener_new_ex(JSN_DEPTH_MAX + 2);
	MUST(t);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	struct json_object *o = json_tokener_parse_ex(t, text, (int)len);
	/* A bare number or word ends only with the text; json-c wants to see a NUL for that. */
	if (json_tokener_get_error(t) == json_tokener_continue && len)
		o = json_tokener_parse_ex(t, "", 1);
	enum json_tokener_error e = json_tokener_get_error(t);
	if (e != json_tokener_success) {
		json_object_put(o);
		return err_set(err, ERR_INPUT, "not valid JSON at byte %zu: %s",
		    e == json_tokener_continue ? len : json_tokener_get_parse_end(t),
		    e == json_tokener_continue ? "unexpected end" : json_tokener_error_desc(e));
	}
	*ret = jsn_of(o);
	return 0;
}

void jsn_free(struct jsn **j)
{
	json_object_put(obj_of(*j));
	*j = NULL;
}

/* ---- looking ---- */

static bool is_type(const struct jsn *j, enum json_type type)
{
	return j && json_object_get_type(obj_of(j)) == type;
}

const struct jsn *jsn_get(const struct jsn *j, const char *key)
{
	struct json_object *o;
	if (!jsn_is_object(j) || !json_object_object_get_ex(obj_of(j), key, &o))
		return NULL;
	return jsn_of(o);
}

bool jsn_has(const struct jsn *j, const char *key)
{
	return jsn_is_object(j) && json_object_object_get_ex(obj_of(j), key, NULL);
}

bool jsn_is_object(const struct jsn *j)
{
	return is_type(j, json_type_object);
}

bool jsn_is_array(const struct jsn *j)
{
	return is_type(j, json_type_array);
}

bool jsn_is_string(const struct jsn *j)
{
	return is_type(j, json_type_string);
}

bool jsn_is_null(const struct jsn *j)
{
	return !j;
}

size_t jsn_len(const struct jsn *j)
{
	if (jsn_is_array(j))
		return json_object_array_length(obj_of(j));
	return jsn_is_object(j) ? (size_t)json_object_object_length(obj_of(j)) : 0;
}

const struct jsn *jsn_at(const struct jsn *j, size_t i)
{
	if (!jsn_is_array(j) || i >= jsn_len(j))
		return NULL;
	return jsn_of(json_object_array_get_idx(obj_of(j), i));
}

const char *jsn_text(const struct jsn *j)
{
	if (!j)
		return NULL;
	struct json_object *o = obj_of(j);
	enum json_type type = json_object_get_type(o);
	if (type == json_type_boolean)
		return json_object_get_boolean(o) ? "1" : "0";
	if (type == json_type_string || type == json_type_int || type == json_type_double)
		return json_object_get_string(o);
	return NULL;
}

const char *jsn_get_text(const struct jsn *j, const char *key)
{
	return jsn_text(jsn_get(j, key));
}

int64_t jsn_get_int(const struct jsn *j, const char *key, int64_t fallback)
{
	const struct jsn *v = jsn_get(j, key);
	int64_t n;
	if (is_type(v, json_type_double)) {
		/* Beyond 2^53 a double no longer says which integer is meant. */
		double d = json_object_get_double(obj_of(v));
		bool exact = d >= -9007199254740992.0 && d <= 9007199254740992.0;
		return exact && (double)(int64_t)d == d ? (int64_t)d : fallback;
	}
	if (!is_type(v, json_type_int) && !is_type(v, json_type_string))
		return fallback;
	return text_to_int(jsn_text(v), INT64_MIN, INT64_MAX, &n) == 0 ? n : fallback;
}

double jsn_get_num(const struct jsn *j, const char *key, double fallback)
{
	const struct jsn *v = jsn_get(j, key);
	double d;
	if (is_type(v, json_type_string))
		return text_to_num(jsn_text(v), &d) == 0 ? d : fallback;
	if (!is_type(v, json_type_double) && !is_type(v, json_type_int))
		return fallback;
	d = json_object_get_double(obj_of(v));
	return isfinite(d) ? d : fallback;
}

bool jsn_get_bool(const struct jsn *j, const char *key, bool fallback)
{
	const char *s = jsn_get_text(j, key);
	if (text_eq(s, "1") || text_eq(s, "true"))
		return true;
	if (text_eq(s, "0") || text_eq(s, "false"))
		return false;
	return fallback;
}

static bool iter_set(struct jsn_iter *it, struct lh_entry *entry)
{
	if (!entry) {
		*it = (struct jsn_iter){0};
		return false;
	}
	it->entry = entry;
	it->key = lh_entry_k(entry);
	it->val = jsn_of(lh_entry_v(entry));
	return true;
}

bool jsn_iter_first(const struct jsn *j, struct jsn_iter *it)
{
	return iter_set(
	    it, jsn_is_object(j) ? lh_table_head(json_object_get_object(obj_of(j))) : NULL);
}

bool jsn_iter_next(struct jsn_iter *it)
{
	return it->entry && iter_set(it, lh_entry_next((struct lh_entry *)it->entry));
}

/* ---- building ---- */

static struct jsn *made(struct json_object *o)
{
	MUST(o);
	return jsn_of(o);
}

struct jsn *jsn_new_object(void)
{
	return made(json_object_new_object());
}

struct jsn *jsn_new_array(void)
{
	return made(json_object_new_array());
}

struct jsn *jsn_new_str(const char *s)
{
	if (!s)
		return NULL;
	if (text_is_utf8(s, strlen(s)))
		return made(json_object_new_string(s));
	_cleanup_str_ char *fixed = text_to_utf8(s);
	return made(json_object_new_string(fixed));
}

struct jsn *jsn_new_int(int64_t v)
{
	return made(json_object_new_int64(v));
}

struct jsn *jsn_new_num(double v)
{
	if (!isfinite(v))
		return NULL;
	_cleanup_str_ char *s = text_from_num(v);
	return made(json_object_new_double_s(v, s));
}

struct jsn *jsn_new_bool(bool v)
{
	return made(json_object_new_boolean(v));
}

struct jsn *jsn_new_null(void)
{
	return NULL;
}

struct jsn *jsn_copy(const struct jsn *j)
{
	if (!j)
		return NULL;
	struct json_object *copy = NULL;
	MUST(json_object_deep_copy(obj_of(j), &copy, NULL) == 0);
	return jsn_of(copy);
}

void jsn_put(struct jsn *obj, const char *key, struct jsn *child)
{
	MUST(jsn_is_object(obj));
	_cleanup_str_ char *fixed = text_is_utf8(key, strlen(key)) ? NULL : text_to_utf8(key);
	MUST(json_object_object_add(obj_of(obj), fixed ? fixed : key, obj_of(child)) == 0);
}

void jsn_put_str(struct jsn *obj, const char *key, const char *s)
{
	if (s)
		jsn_put(obj, key, jsn_new_str(s));
}

void jsn_put_num(struct jsn *obj, const char *key, double v)
{
	jsn_put(obj, key, jsn_new_num(v));
}

void jsn_put_int(struct jsn *obj, const char *key, int64_t v)
{
	jsn_put(obj, key, jsn_new_int(v));
}

void jsn_put_bool(struct jsn *obj, const char *key, bool v)
{
	jsn_put(obj, key, jsn_new_bool(v));
}

bool jsn_del(struct jsn *obj, const char *key)
{
	if (!jsn_has(obj, key))
		return false;
	json_object_object_del(obj_of(obj), key);
	return true;
}

void jsn_push(struct jsn *arr, struct jsn *child)
{
	MUST(jsn_is_array(arr));
	MUST(json_object_array_add(obj_of(arr), obj_of(child)) == 0);
}

void jsn_push_str(struct jsn *arr, const char *s)
{
	jsn_push(arr, jsn_new_str(s));
}

bool jsn_eq(const struct jsn *a, const struct jsn *b)
{
	return json_object_equal(obj_of(a), obj_of(b));
}

/* json-c's own pretty form differs between its versions (empty containers), and files in Git must
 * not change with a library. */
static void print_pretty(struct buf *out, const struct jsn *j, unsigned level)
{
	bool object = jsn_is_object(j);
	if (!jsn_len(j)) {
		buf_adds(out, json_object_to_json_string_ext(obj_of(j), PRINT_FLAGS));
		return;
	}
	buf_addc(out, object ? '{' : '[');
	struct jsn_iter it = {0};
	if (object)
		jsn_iter_first(j, &it);
	for (size_t i = 0; i < jsn_len(j); i++) {
		buf_addf(out, "%s\n%*s", i ? "," : "", 2 * (int)(level + 1), "");
		if (object) {
			_cleanup_jsn_ struct jsn *key = jsn_new_str(it.key);
			print_pretty(out, key, 0);
			buf_adds(out, ": ");
		}
		print_pretty(out, object ? it.val : jsn_at(j, i), level + 1);
		if (object)
			jsn_iter_next(&it);
	}
	buf_addf(out, "\n%*s%c", 2 * (int)level, "", object ? '}' : ']');
}

/* Bytes at the start that need no escape, as nearly all do. */
static size_t plain_len(const char *s)
{
	size_t n = 0;
	while (s[n] && (unsigned char)s[n] < 0x7F)
		n++;
	return n;
}

/* json-c escapes what JSON demands. Other characters that a terminal would obey, or that turn the
 * direction of a text, are all below U+10000, and stand in no JSON but inside its strings. */
static char *escape_hidden(const char *json, size_t len)
{
	_cleanup_buf_ struct buf out;
	size_t step;
	buf_init(&out, SIZE_MAX / 2); /* what is printed is already in memory */
	for (size_t i = 0; i < len; i += step) {
		step = plain_len(json + i);
		int32_t cp = step ? ' ' : text_codepoint(json + i, len - i, &step);
		if (cp < 0 || text_codepoint_is_printable(cp))
			buf_add(&out, json + i, step);
		else
			buf_addf(&out, "\\u%04x", (unsigned)cp);
	}
	return buf_take(&out);
}

char *jsn_print(const struct jsn *j, bool pretty)
{
	if (!pretty) {
		const char *flat = json_object_to_json_string_ext(obj_of(j), PRINT_FLAGS);
		return escape_hidden(flat, strlen(flat));
	}
	_cleanup_buf_ struct buf out;
	buf_init(&out, SIZE_MAX / 2);
	print_pretty(&out, j, 0);
	buf_addc(&out, '\n');
	return escape_hidden(buf_str(&out), out.len);
}
