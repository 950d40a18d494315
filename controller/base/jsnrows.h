/*
 * jsnrows: a long list in JSON, row by row: some members of each, without a tree.
 *
 * Not for answers in general (jsn.h): a tree costs a microsecond for each of the members that
 * nobody asks for, and a cluster's list has a quarter of a million.
 *
 * What is told belongs to the reader, for the length of the callback.
 *
 * Pure; any process.
 */
#ifndef RAMET_JSNROWS_H
#define RAMET_JSNROWS_H

#include "err.h"

#define JSNROWS_KEYS_MAX 32

/* Text of each key's value, as jsn_get_text has it; NULL for what is absent, null or no scalar. */
typedef void (*jsnrows_cb)(void *arg, const char *const *values);

struct jsnrows {
	const char *list;	 /* name of the member that is the list */
	const char *const *keys; /* what is read of a row; NULL ends them */
	jsnrows_cb cb;
	void *arg;
};

/* {"list": [{…}, …], …}: calls back for each object in the list, in order. What jsn_parse refuses
 * is refused (ERR_INPUT, ERR_LIMIT), perhaps after some rows were told; a second list as well.
 * ERR_PROTOCOL when it is JSON, but `list` is no list. */
int jsnrows_read(
    const char *text, size_t len, const struct jsnrows *rows, struct err **err) MUST_CHECK;

#endif
