/*
 * gitjob: what was asked of the port: a job as messages to the worker, and those that wait.
 *
 * Not the worker's process and not what comes back (gitwork.h).
 *
 * A job belongs to its queue until it is taken out. The messages are whole when it is put in: the
 * arguments are not looked at again.
 *
 * The controller process.
 */
#ifndef RAMET_GITJOB_H
#define RAMET_GITJOB_H

#include "child.h"
#include "gitproto.h"
#include "gitwork.h"

struct gitjob {
	struct gitjob *next;
	gitport_job id;
	enum gitwork_kind kind;
	gitport_cb cb; /* NULL = cancelled while it runs */
	void *arg;
	struct buf *frames; /* to be sent, in order */
	size_t n_frames, cap_frames;
	struct err *refused; /* it is not sent at all: this is its result */
	bool again;	     /* it was sent to a second worker already */
};

/* Embedded; zeroed is empty. */
struct gitjobs {
	struct gitjob *first, *last;
	size_t n;
	gitport_job last_id;
};

/* A new last one; one too many is refused. */
struct gitjob *gitjobs_add(struct gitjobs *q, enum gitwork_kind kind, gitport_cb cb, void *arg);
struct gitjob *gitjobs_find(const struct gitjobs *q, gitport_job id);
/* Out of the queue: it is the caller's. */
void gitjobs_take(struct gitjobs *q, struct gitjob *j);

/* One more message; what cannot be said is why the job is refused. */
void gitjob_say(struct gitjob *j, struct gitproto_msg *msg);
/* The messages of a publish. */
void gitjob_say_publish(struct gitjob *j, const struct gitport_publish *pub);
int gitjob_send(const struct gitjob *j, struct child *c, struct err **err) MUST_CHECK;
void gitjob_free(struct gitjob **j);

#endif
