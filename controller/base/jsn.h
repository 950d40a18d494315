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

#define JSN_DEPTH_MAX 32
#define _cleanup_jsn_ _cleanup_(jsn_free)

/* Strict JSON in UTF-8, at most JSN_DEPTH_MAX deep. ERR_INPUT with the offset. */
int jsn_parse(const char *text, size_t len, struct jsn **ret, struct err **err) MUST_CHECK;
void jsn_free(struct jsn **j);

/* Member of an object, or NULL (also when j is no object, or NULL). */
const struct jsn *jsn_get(const struct jsn *j, const char *key);
bool jsn_is_object(const struct jsn *j);
bool jsn_is_array(const struct jsn *j);
bool jsn_is_null(const struct jsn *j); /* JSON null or absent */
size_t jsn_len(const struct jsn *j);   /* elements or members, else 0 */
const struct jsn *jsn_at(const struct jsn *j, size_t i);

/* Scalars: text of a string; a number or boolean is printed (true = "1"). NULL for the rest.
 * Borrowed until the document is freed. */
const char *jsn_text(const struct jsn *j);
const char *jsn_get_text(const struct jsn *j, const char *key);		     /* NULL if absent */
int64_t jsn_get_int(const struct jsn *j, const char *key, int64_t fallback); /* numbers, "12" */
double jsn_get_num(const struct jsn *j, const char *key, double fallback);
bool jsn_get_bool(const struct jsn *j, const char *key, bool fallback); /* true, 1, "1" */

/* Members in the document's order: `JSN_FOREACH(key, val, object) { … }`. */
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
struct jsn *jsn_new_str(const char *s); /* NULL = JSON null */
struct jsn *jsn_new_int(int64_t v);
struct jsn *jsn_new_num(double v);
struct jsn *jsn_new_bool(bool v);
struct jsn *jsn_new_null(void);
struct jsn *jsn_copy(const struct jsn *j);
void jsn_put(struct jsn *obj, const char *key, struct jsn *child); /* replaces */
void jsn_put_str(struct jsn *obj, const char *key, const char *s); /* NULL = left out */
void jsn_put_int(struct jsn *obj, const char *key, int64_t v);
void jsn_put_bool(struct jsn *obj, const char *key, bool v);
void jsn_push(struct jsn *arr, struct jsn *child);

/* Members in the order they were put. pretty = two blanks a level and a final line end. */
char *jsn_print(const struct jsn *j, bool pretty);

#endif
