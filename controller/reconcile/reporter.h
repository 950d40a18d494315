/*
 * reporter: machine: the status model as files in Git or in a directory; at start, records back
 * from them.
 *
 * Not the content of the files (report/tree.h). A failure to report stops nobody.
 *
 * Remembers digests of what is published, not the files. Callbacks come from the clock or the port.
 *
 * The controller process.
 */
#ifndef RAMET_REPORTER_H
#define RAMET_REPORTER_H

#include "ports.h"
#include "tree.h"

enum reporter_state {
#define REPORTER(code, name, doc) REPORTER_##code,
#include "reporter.def"
#undef REPORTER
	REPORTER__MAX
};

struct reporter_opts {
	struct clock *clock;
	struct gitport *git;   /* NULL without */
	struct outdir *outdir; /* NULL = commit through git */
	int64_t interval_ms;
	bool readonly; /* read the last report, write none */
	/* The model holds a part of the VMs: write their files and leave all others as they are. */
	bool partial;
	/* The model now. */
	const struct status *(*status)(void *arg);
	/* Something is about to settle: worth waiting for, up to the interval. */
	bool (*busy)(void *arg);
	/* The last report was read: on_restoring, then a call for each VM in it, then, once,
	 * on_restored. Without a report only the last. */
	void (*on_restoring)(void *arg);
	void (*on_vm)(void *arg, const struct vmstat *v);
	void (*on_used)(void *arg, uint32_t vmid);
	void (*on_summary)(void *arg, const struct status *s); /* borrowed for the call */
	/* The instance that the report is of, each time it is read; NULL = none. observes: it
	 * changes nothing. */
	void (*on_instance)(void *arg, const char *instance, bool observes);
	void (*on_restored)(void *arg);
	/* A report was published (text = the first line of its message), or a problem began or
	 * ended (NULL). */
	void (*on_report)(void *arg, const char *text);
	void *arg;
};

struct reporter;
struct reporter *reporter_new(const struct reporter_opts *o);
void reporter_free(struct reporter **r);
void reporter_start(struct reporter *r);
/* The model changed. event: a line for the commit message or NULL; it replaces an earlier line that
 * is a beginning of it. */
void reporter_dirty(struct reporter *r, const char *event);
/* A listing shows this head of the status branch ("" = none). When it is another than that of the
 * last report and nothing is waiting, the branch is read anew and what of the report is missing
 * there is published again. */
void reporter_seen(struct reporter *r, const char *head);
/* Publish now what is waiting. */
void reporter_flush(struct reporter *r);
/* Nothing is published any more: the report is another one's. */
void reporter_mute(struct reporter *r);
/* In a directory: reads whose report it is (on_instance). */
void reporter_look(struct reporter *r);
bool reporter_is_restored(const struct reporter *r);
/* Nothing waits and nothing is under way; or publishing fails and is tried again later. */
bool reporter_is_idle(const struct reporter *r);
/* Nothing is about to be published, but for what has just failed. */
bool reporter_is_quiet(const struct reporter *r);
/* NULL = well; else what fails, or that a part of the report is held back. */
const char *reporter_problem(const struct reporter *r);

#endif
