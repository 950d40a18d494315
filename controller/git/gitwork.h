/*
 * gitwork: gitport by a worker process: a queue of jobs, each with its deadline.
 *
 * Not Git itself (gitworker.h runs in the worker) and not a policy of polling or retrying.
 *
 * The port copies what it is given. It owns the worker, which starts with the first job, is killed
 * at a job's deadline or when a reading is cancelled, and is replaced by the next job.
 *
 * The controller process.
 */
#ifndef RAMET_GITWORK_H
#define RAMET_GITWORK_H

#include "gitport.h"
#include "gitproto.h"
#include "loop.h"

enum gitwork_kind {
	GITWORK_LIST,
	GITWORK_READ,
	GITWORK_READ_OLD,
	GITWORK_READ_STATUS,
	GITWORK_COMPARE,
	GITWORK_CAN_PUSH,
	GITWORK_PUBLISH,
	GITWORK__MAX
};

struct gitwork_opts {
	struct gitproto_setup setup;
	int64_t deadline_ms[GITWORK__MAX];
	const char *exe;	/* NULL = this program; it calls gitworker_main (see main.c) */
	const char *const *env; /* of the worker, NULL = a PATH only; outlives the port */
};

#define _cleanup_gitwork_ _cleanup_(gitwork_free)

struct gitwork;

/* Limits and deadlines that suit most; texts are empty, branches "main" and "ramet/status". */
void gitwork_defaults(struct gitwork_opts *opts);
/* ERR_CONFIG with a hint for a URL, branch or path that can never work. */
int gitwork_new(struct gitwork **ret, struct loop *loop, const struct gitwork_opts *opts,
    struct err **err) MUST_CHECK;
/* Kills the worker; jobs under way are forgotten without a callback. Not from within a callback. */
void gitwork_free(struct gitwork **w);

/* Borrowed; lives as long as w. */
struct gitport *gitwork_port(struct gitwork *w);
/* For tests that harm it: the worker's process, 0 = none. */
long gitwork_pid(const struct gitwork *w);
/* For tests: lets the worker end by itself; its exit status is in *status then, -1 before. */
void gitwork_finish(struct gitwork *w, int *status);

#endif
