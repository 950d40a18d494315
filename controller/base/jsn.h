/*
 * jsn: JSON read with limits and written deterministically. Owner of json-c.
 *
 * Not a schema check. Reading is lenient about types: an accessor that finds another type says so
 * by its fallback, because PVE sends numbers as strings in some versions and as numbers in others.
 *
 * jsn_parse and jsn_new_* give an owned document, freed by jsn_free. Accessors borrow from it.
 * jsn_put and jsn_push take the child over.
 *
 * Any process.
 */
#ifndef RAMET_JSN_H
#define RAMET_JSN_H

#include "err.h"

struct jsn; /* a JSON value; json-c's object behind an opaque name */

/* Limits of what is parsed. An empty container of two bytes costs some hundred bytes of memory, so
 * the length of the text alone does not bound it. */
#define JSN_DEPTH_MAX 32
#define JSN_CONTAINERS_MAX 250000
#define JSN_VALUES_MAX 4000000
#define _cleanup_jsn_ _cleanup_(jsn_free)

/* Strict JSON (RFC 8259) in UTF-8. Refuses what C strings or 64 bits cannot hold: NUL characters
 * and integers outside [-2^63, 2^64). Of members with the same key the last one counts. Sets
 * ERR_INPUT with the offset in bytes, or ERR_LIMIT for more depth, containers or values than the
 * limits above. `null` gives NULL. */
int jsn_parse(const char *text, size_t len, struct jsn **ret, struct err **err) MUST_CHECK;
void jsn_free(struct jsn **j);

/* Member of an object, or NULL (also when it is null, when j is no object, or NULL). */
const struct jsn *jsn_get(const struct jsn *j, const char *key);
/* True for a member that is there, even if it is null. */
bool jsn_has(const struct jsn *j, const char *key);
bool jsn_is_object(const struct jsn *j);
bool jsn_is_array(const struct jsn *j);
bool jsn_is_string(const struct jsn *j);
bool jsn_is_null(const struct jsn *j); /* JSON null or absent */
size_t jsn_len(const struct jsn *j);   /* elements or members, else 0 */
const struct jsn *jsn_at(const struct jsn *j, size_t i);

/* Scalars: text of a string; a fraction as it was written; an integer in canonical form; true is
 * "1", false "0". NULL for the rest. Borrowed until the document is freed. */
const char *jsn_text(const struct jsn *j);
const char *jsn_get_text(const struct jsn *j, const char *key);		     /* NULL if absent */
int64_t jsn_get_int(const struct jsn *j, const char *key, int64_t fallback); /* 12, 12.0, "12" */
double jsn_get_num(const struct jsn *j, const char *key, double fallback);
bool jsn_get_bool(const struct jsn *j, const char *key, bool fallback); /* true, 1, "1" */

/* Members in the document's order: `struct jsn_iter it; JSN_FOREACH(it, object) { … it.key … }`. */
struct jsn_iter {
	void *entry;
	const char *key;
	const struct jsn *val;
};
bool jsn_iter_first(const struct jsn *j, struct jsn_iter *it);
bool jsn_iter_next(struct jsn_iter *it);
#define JSN_FOREACH(it, j)                                           \
	for (bool more_##it = jsn_iter_first((j), &(it)); more_##it; \
	     more_##it = jsn_iter_next(&(it)))

struct jsn *jsn_new_object(void);
struct jsn *jsn_new_array(void);
/* NULL = JSON null; bytes that are not UTF-8 become U+FFFD, so that the output is always JSON. */
struct jsn *jsn_new_str(const char *s);
struct jsn *jsn_new_int(int64_t v);
struct jsn *jsn_new_num(double v); /* infinite or NaN = JSON null */
struct jsn *jsn_new_bool(bool v);
struct jsn *jsn_new_null(void); /* is NULL */
struct jsn *jsn_copy(const struct jsn *j);
void jsn_put(struct jsn *obj, const char *key, struct jsn *child); /* replaces */
void jsn_put_str(struct jsn *obj, const char *key, const char *s); /* NULL = left out */
void jsn_put_num(struct jsn *obj, const char *key, double v);
void jsn_put_int(struct jsn *obj, const char *key, int64_t v);
void jsn_put_bool(struct jsn *obj, const char *key, bool v);
bool jsn_del(struct jsn *obj, const char *key); /* true if it was there */
void jsn_push(struct jsn *arr, struct jsn *child);
void jsn_push_str(struct jsn *arr, const char *s);

/* Same values; the order of members does not count. */
bool jsn_eq(const struct jsn *a, const struct jsn *b);

/* Members in the order they were put. pretty = two blanks a level and a final line end. Fit for a
 * terminal: control characters and marks of direction are escaped. */
char *jsn_print(const struct jsn *j, bool pretty);

#endif
