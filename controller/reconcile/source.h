/*
 * source: machine: which revision is wanted. Poll, fetch, decode, publish; what was good stays.
 *
 * Not Git (git/gitport.h) and not the judging of manifests (spec/bundle.h).
 *
 * Owns the bundle in force and lends it; callbacks come from the clock or the git port.
 *
 * The controller process.
 */
#ifndef RAMET_SOURCE_H
#define RAMET_SOURCE_H

#include "bundle.h"
#include "clock.h"
#include "gitport.h"
#include "history.h"

enum source_state {
#define SOURCE(code, name, doc) SOURCE_##code,
#include "source.def"
#undef SOURCE
	SOURCE__MAX
};

struct source_opts {
	struct clock *clock;
	struct gitport *git;
	int64_t interval_ms;
	const char *branch; /* for messages; borrowed */
	const char *folder; /* the watched one, for paths; NULL or "" = the whole tree; borrowed */
	const char *rev;    /* this revision instead of the head; NULL; borrowed */
	bool once;	    /* no more polls after the first good revision */
	/* Each listing: the head of the status branch, "" = there is none. May be NULL. */
	void (*on_listed)(void *arg, const char *status_head);
	/* The revision that was followed last without a break, or NULL; and the next one. Both may
	 * be NULL. */
	const char *(*followed)(void *arg);
	void (*on_followed)(void *arg, const char *rev);
	/* A new bundle is in force: bundle_ref what is kept. */
	void (*on_bundle)(void *arg);
	/* source_problem began, changed or ended. */
	void (*on_problem)(void *arg);
	history_records on_record; /* for last good versions */
	void *arg;
};

struct source;
struct source *source_new(const struct source_opts *o);
void source_free(struct source **s);
void source_start(struct source *s);
/* Look now: a webhook, a signal. */
void source_poke(struct source *s);

struct bundle *source_bundle(const struct source *s); /* NULL = none yet */
const char *source_subject(const struct source *s);   /* of its revision; NULL = none */
/* NULL, or one sentence with the next step. */
const char *source_problem(const struct source *s);
/* NULL, or why nobody may be destroyed for what the branch says: it was set back or rewritten. */
const char *source_doubt(const struct source *s);
unsigned source_failures(const struct source *s); /* in a row */

#endif
