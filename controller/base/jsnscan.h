/*
 * jsnscan: the tokens of JSON, one after the other, with the limits of jsn.h.
 *
 * Not the grammar between them (json-c for jsn.c, jsnrows.c for lists) and no values. json-c takes
 * more than JSON: single quotes, NaN, comments, words in capitals, control characters in strings;
 * and it changes what it cannot hold, integers beyond 64 bits and NUL characters, without a word.
 * It allocates hundreds of bytes for an empty container, so those are counted.
 *
 * Borrows text and err of the caller until the last call.
 *
 * Pure; any process.
 */
#ifndef RAMET_JSNSCAN_H
#define RAMET_JSNSCAN_H

#include "err.h"

struct jsnscan {
	const char *s;
	size_t len, at; /* the next token, or blanks before it */
	size_t depth, containers, values;
	struct err **err;
};

/* ERR_INPUT when it is not UTF-8. */
int jsnscan_begin(struct jsnscan *ret, const char *text, size_t len, struct err **err) MUST_CHECK;
/* One blank, bracket, comma, colon, string, number or word at `at`, which must be below len. */
int jsnscan_token(struct jsnscan *sc) MUST_CHECK;
/* ERR_INPUT with the offset; returns -1. */
int jsnscan_refuse(struct jsnscan *sc, const char *what);

#endif
