/*
 * child: a worker process under supervision: the same program, run again with a hidden first
 * argument, and frames of bytes over a socket in both directions.
 *
 * Not a protocol (git/gitproto.h is one) and not a pool: one process, replaced when it is lost.
 *
 * The child owns process, socket and buffers. Frames are borrowed for the length of the callback.
 * After child_kill, a deadline or a loss the process and all its descendants are gone before
 * on_end is called; child_start then makes a new one, after a pause when the old one was lost.
 *
 * Controller process; the functions named child_worker_ run in the worker.
 */
#ifndef RAMET_CHILD_H
#define RAMET_CHILD_H

#include "buf.h"
#include "loop.h"

struct child;

enum child_end {
	CHILD_EXITED,  /* by itself, or lost; status as of waitpid */
	CHILD_OVERDUE, /* killed at the deadline */
	CHILD_BROKEN,  /* killed: it sent what is no frame, or did not read */
	CHILD_END__MAX
};

struct child_opts {
	const char *name; /* log object; outlives the child */
	const char *word; /* argv[1]; outlives the child */
	const char *exe;  /* NULL = this very program */
	/* "NAME=value" strings, ended by NULL; NULL = a PATH only. Borrowed until child_free. */
	const char *const *env;
	size_t frame_max; /* bytes, both ways */
	void (*on_frame)(void *arg, const void *data, size_t len);
	/* Once per process that was started and not killed by child_kill. */
	void (*on_end)(void *arg, enum child_end why, int status);
	void *arg;
};

#define _cleanup_child_ _cleanup_(child_free)

struct child *child_new(struct loop *loop, const struct child_opts *opts);
/* Kills the process and waits until it is gone. Not from within a callback of this child. */
void child_free(struct child **c);

/* Makes sure that a process runs; does nothing when one does. ERR_BUSY during the pause after a
 * loss (child_pause says how long), ERR_IO when the system refuses. */
int child_start(struct child *c, struct err **err) MUST_CHECK;
bool child_is_running(const struct child *c);
/* Milliseconds until child_start may try again; 0 = now. */
int64_t child_pause(const struct child *c);
/* The process has proved itself: the next pause is a short one again. */
void child_trust(struct child *c);

/* Queues a frame to a running process. ERR_LIMIT above frame_max, ERR_IO when none runs. */
int child_send(struct child *c, const void *data, size_t len, struct err **err) MUST_CHECK;
/* From now on the process has ms until CHILD_OVERDUE; replaces what was set; 0 = no deadline. */
void child_deadline(struct child *c, int64_t ms);
/* Ends the process at once, without on_end. */
void child_kill(struct child *c);
/* Closes the way to the process, so that it ends by itself; on_end tells how. */
void child_finish(struct child *c);
/* For tests that harm it; 0 = none. */
long child_pid(const struct child *c);

/* In main, before anything else: the worker's end of the socket when this process was started as
 * the worker `word`, else -1. */
int child_worker_fd(int argc, char **argv, const char *word);
/* First call of a worker: no core dumps, no new privileges, no debugger of another user. */
void child_worker_init(void);
/* Blocks for one frame. 1 and the frame in b (emptied first), 0 at the end of the stream; -1 with
 * ERR_PROTOCOL or ERR_IO. */
int child_worker_read(int fd, size_t frame_max, struct buf *b, struct err **err) MUST_CHECK;
/* Blocks until all is written. */
int child_worker_write(int fd, const void *data, size_t len, struct err **err) MUST_CHECK;

#endif
