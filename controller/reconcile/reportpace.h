/*
 * reportpace: which files of the report change all the time, so that a leaf that flaps does not
 * become a commit for each turn.
 *
 * Not the interval between reports (reporter.c) and not a judgement of who changes the VM.
 *
 * Embedded in the reporter; counts per file for about an hour, nothing is kept across lives.
 *
 * The controller process. Pure.
 */
#ifndef RAMET_REPORTPACE_H
#define RAMET_REPORTPACE_H

#include "kv.h"
#include "text.h"

/* A file that was published so often within about an hour waits for the slow interval. */
#define REPORTPACE_OFTEN 20
#define REPORTPACE_SLOW_MS ((int64_t)5 * 60 * 1000)

struct reportpace {
	struct kv counts; /* path → how often lately */
	int64_t since;	  /* begin of the current hour; 0 = none yet */
};

void reportpace_fini(struct reportpace *p);
/* A report with this file was published. */
void reportpace_count(struct reportpace *p, const char *path, int64_t now);
bool reportpace_is_often(const struct reportpace *p, const char *path);
/* What a person should know, or NULL; the caller's. Forgets what is long over. */
char *reportpace_note(struct reportpace *p, int64_t now);

#endif
