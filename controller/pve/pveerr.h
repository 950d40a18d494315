/*
 * pveerr: PVE's error texts to reasons that code can act upon.
 *
 * Not the outcome of a whole request (pvereq.h) or task (pvetask.h), which also know the status.
 *
 * Nothing is kept.
 *
 * Pure.
 */
#ifndef RAMET_PVEERR_H
#define RAMET_PVEERR_H

#include "mem.h"

enum pve_reason {
#define PVE_REASON(id, word, next, doc) PVE_##id,
#define PVE_TEXT(reason, outcome, pattern)
#include "pveerr.def"
#undef PVE_REASON
#undef PVE_TEXT
	PVE_REASON__MAX
};

/* What came of something that was asked of PVE. */
enum pve_outcome {
	PVE_DONE,
	PVE_NOT_SENT,  /* certainly not begun: may be sent again as it is */
	PVE_REJECTED,  /* refused before it had an effect */
	PVE_PARTIAL,   /* some of it took effect: read again */
	PVE_AMBIGUOUS, /* it may have taken effect: read again */
	PVE_OUTCOME__MAX
};

/* Who can help. */
enum pve_next { PVE_NEXT_RETRY, PVE_NEXT_REPLAN, PVE_NEXT_PERSON, PVE_NEXT__MAX };

#define PVEERR_SUBJECT_MAX 128

struct pveerr {
	enum pve_reason reason;
	enum pve_outcome outcome;
	char subject[PVEERR_SUBJECT_MAX]; /* lock, storage, volume, privilege …; "" if none */
};

/* The text's row in the table; false (and nothing set) when none fits. */
bool pveerr_find(const char *text, struct pveerr *ret);

const char *pve_reason_word(enum pve_reason r); /* "NoQuorum" */
const char *pve_reason_doc(enum pve_reason r);
enum pve_next pve_reason_next(enum pve_reason r);
const char *pve_outcome_word(enum pve_outcome o); /* "done", "not sent", … */

#endif
