/*
 * lease: of several instances with one controller.id the newest acts: what was seen of others, and
 * whether this one may.
 *
 * Not the publishing: the instance stands in the report's summary (reconcile/reporter.h), which is
 * replaced by compare-and-swap only.
 *
 * Owns copies of words.
 *
 * Pure; the time is passed in.
 */
#ifndef RAMET_LEASE_H
#define RAMET_LEASE_H

#include "mem.h"

/* For so long a successor that cannot report does not act: the one before cannot know of it. */
#define LEASE_PATIENCE_MS 600000

struct lease {
	char *own;
	char *before; /* the other instance in the report when this one began; NULL = none */
	bool unsure;  /* another one may act, and which one is not to be seen */
	bool began, claimed, failed, lost;
	int64_t claimed_at, failed_at; /* for the first time */
	int64_t hold_ms; /* for which the other one may not have seen that it was replaced */
};

void lease_init(struct lease *l, const char *own, int64_t hold_ms);
void lease_fini(struct lease *l);
/* The report was read for the first time. unfinished: an earlier life of this one was taking over
 * when it ended, so that the other one may not have seen it yet. */
void lease_begin(struct lease *l, const char *seen, bool unfinished, int64_t now);
/* There is no report, though there was one: another instance may act that was announced in it. Ours
 * has to stand in a new one first, for as long as it takes until that one has looked. */
void lease_doubt(struct lease *l);
/* It was read again. True when this one has just been replaced. */
bool lease_look(struct lease *l, const char *seen);
/* Another one acts, whoever was here first. */
void lease_yield(struct lease *l);
/* Our instance stands in the report. */
void lease_claim(struct lease *l, int64_t now);
/* It could not be written: whoever cannot report goes on all the same, after hold_ms, in which
 * another one that began at the same time would be seen; a successor after LEASE_PATIENCE_MS. */
void lease_fail(struct lease *l, int64_t now);
/* Another instance acted until now, or may have. */
bool lease_is_rivalled(const struct lease *l);
/* It may still. */
bool lease_is_taking_over(const struct lease *l, int64_t now);
/* From when on no other one acts: what was seen earlier may lack what it did last. 0 = there was
 * none, or it is not to be said. */
int64_t lease_alone_since(const struct lease *l);
/* What the other one asked for before it saw us may take effect as late as so long after that. */
bool lease_is_late_possible(const struct lease *l, int64_t now, int64_t late_ms);
/* Nothing stands against acting. */
bool lease_may(const struct lease *l, int64_t now);

#endif
