/*
 * reason: the stable words for why a VM is in its state (reasons.def).
 *
 * Not a message: that is made where the facts are known.
 *
 * Constant.
 *
 * Pure.
 */
#ifndef RAMET_REASON_H
#define RAMET_REASON_H

enum reason {
#define REASON(code, word, cond, doc, next) REASON_##code,
#include "reasons.def"
#undef REASON
	REASON__MAX
};

enum reason_cond {
	REASON_COND_READY,
	REASON_COND_RECONCILING,
	REASON_COND_WAITING,
	REASON_COND_STALLED,
	REASON_COND_SUSPENDED,
	REASON_COND__MAX
};

const char *reason_word(enum reason r);
enum reason_cond reason_cond(enum reason r);
const char *reason_doc(enum reason r);
const char *reason_next(enum reason r); /* "" = nothing to do */
/* REASON__MAX if the word is unknown. */
enum reason reason_parse(const char *word);

#endif
