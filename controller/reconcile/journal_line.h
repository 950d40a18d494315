/*
 * journal_line: one line of the journal: JSON to and from records and intents.
 *
 * Not the file and not the replay (journal.h).
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_JOURNAL_LINE_H
#define RAMET_JOURNAL_LINE_H

#include "journal.h"
#include "jsn.h"

char *journal_line_head(const char *controller_id, const char *instance);
char *journal_line_intent(const char *name, const struct intent *in);
char *journal_line_upid(const char *name, const char *upid);
char *journal_line_end(const char *name);
char *journal_line_record(const char *name, const struct record *rec);
char *journal_line_forget(const char *name);
char *journal_line_used(uint32_t vmid);
char *journal_line_scanned(bool scanned);
/* boot: from which d->now_ms counts; NULL = not known. */
char *journal_line_depart(const char *name, const struct departure *d, const char *boot);
char *journal_line_depart_upid(const char *name, const char *upid);
char *journal_line_stay(const char *name);
char *journal_line_step(const char *name, const struct doing *d);
char *journal_line_step_upid(const char *name, const char *upid);
char *journal_line_step_end(const char *name);
char *journal_line_fallen(const struct fallen *f);
char *journal_line_left(const char *key, const char *text); /* text NULL: it is gone */
char *journal_line_doubt(const char *name, bool doubted);
char *journal_line_history(const char *rev);
char *journal_line_cluster(const char *name);

/* The object's members as a record or intent; hostile input is bounded, not trusted. -1 when the
 * VMID is out of range. */
int journal_line_get_record(const struct jsn *j, struct record *ret) MUST_CHECK;
int journal_line_get_intent(const struct jsn *j, struct intent *ret) MUST_CHECK;

#endif
