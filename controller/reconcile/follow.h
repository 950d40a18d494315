/*
 * follow: a PVE task from its UPID to its end.
 *
 * Not the meaning of its failure (ask.h classifies the text) and not the right to stop it: a task
 * is never ended by Ramet.
 *
 * Owns its calls and timers until follow_cancel or the callback, which comes once, never from
 * within follow_start. Text is borrowed for the callback.
 *
 * The controller process.
 */
#ifndef RAMET_FOLLOW_H
#define RAMET_FOLLOW_H

#include "ask.h"

enum follow_end {
	FOLLOW_OK,
	FOLLOW_WARNINGS, /* done, with leftovers */
	FOLLOW_FAILED,	 /* text = exit status */
	FOLLOW_LOST,	 /* the task is unknown, or ended without a word: read the guest */
	FOLLOW_STUCK,	 /* still running at the deadline, or not to be seen */
	FOLLOW_END__MAX
};

typedef void (*follow_cb)(void *arg, enum follow_end end, const char *text);
typedef void (*follow_progress_cb)(void *arg, int percent, const char *line);

struct follow;
/* NULL when the UPID has no valid form. progress may be NULL. */
struct follow *follow_start(struct asker *a, const char *upid, int64_t timeout_ms, follow_cb cb,
    follow_progress_cb progress, void *arg);
void follow_cancel(struct follow **f);

bool follow_upid_ok(const char *upid);

#endif
