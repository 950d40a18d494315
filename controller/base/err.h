/*
 * err: what went wrong, for code (a code) and for a person (fact and hint).
 *
 * Not a log and not a finding about a manifest (spec/diag.h).
 *
 * A fallible function takes `struct err **ret_err` last. The caller owns what it gets and frees it
 * with err_free or `_cleanup_err_`. ret_err may be NULL: then nothing is built. An error that is
 * already set is never overwritten without being freed.
 *
 * Any process.
 */
#ifndef RAMET_ERR_H
#define RAMET_ERR_H

#include "mem.h"

enum err_code {
#define ERR(code, word, doc) ERR_##code,
#include "errors.def"
#undef ERR
	ERR__MAX
};

struct err {
	enum err_code code;
	char *msg;	  /* one sentence, lower case, no full stop; free of secrets */
	char *hint;	  /* what the person can do next, or NULL */
	int64_t retry_ms; /* so long the other side wants to be left alone; 0 = it does not say */
};

#define _cleanup_err_ _cleanup_(err_free)

/* Both return -1, so that `return err_set(…)` reads well. */
int err_set(struct err **ret, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
/* "prefix: old message"; the code and the hint stay. */
int err_wrap(struct err **err, const char *fmt, ...) PRINTF(2, 3);
/* Sets the hint of an error that is set; without one does nothing. Returns -1. */
int err_hint(struct err **err, const char *fmt, ...) PRINTF(2, 3);
/* Sets retry_ms of an error that is set; without one does nothing. Returns -1. */
int err_retry(struct err **err, int64_t ms);
/* Moves an error outwards (frees it when ret is NULL). Returns -1. */
int err_pass(struct err **ret, struct err **from);
void err_free(struct err **err);

const char *err_word(enum err_code code);
/* "message" or, for NULL, "unknown error". Borrowed. */
const char *err_msg(const struct err *err);

#endif
