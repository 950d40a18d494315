/*
 * pvetask: a task of PVE, followed by its UPID until it ends.
 *
 * Not the call that began it (pvereq.h), and not the decision what its failure means for a VM.
 *
 * The follower is the caller's until it called back or was cancelled; the result is borrowed for
 * the length of the callback. Each follower calls back exactly once, never from within
 * pvetask_follow; after cancel not at all. Cancelling stops the following, not the task.
 *
 * The controller process, on any clusterport and any clock.
 */
#ifndef RAMET_PVETASK_H
#define RAMET_PVETASK_H

#include "pvereq.h"
#include "text.h"

#define UPID_MAX_BYTES 512

/* UPID:node:pid:pstart:starttime:type:id:user: */
struct upid {
	char text[UPID_MAX_BYTES];
	char node[64];
	uint32_t pid;
	uint64_t pstart;
	int64_t start_s; /* Unix time by the node's clock */
	char type[64];	 /* qmclone, qmstart, … */
	char id[128];	 /* mostly a VMID: of the source for a clone; may be "" */
	char user[128];	 /* user@realm or user@realm!token */
};

/* ERR_INPUT for anything that is not exactly one UPID. */
int pvetask_parse_upid(const char *text, struct upid *ret, struct err **err) MUST_CHECK;

enum pvetask_end {
	PVETASK_OK,
	PVETASK_WARNINGS, /* done, with leftovers: see the log */
	PVETASK_FAILED, /* see reason and outcome: a failed task may have done a part of its work */
	PVETASK_LOST,	/* nobody knows: the task or its node is gone. Read again. */
	PVETASK_LATE,	/* it still runs at the deadline */
	PVETASK_END__MAX
};

struct pvetask_result {
	enum pvetask_end end;
	enum pve_outcome outcome; /* DONE for OK and WARNINGS; else REJECTED, PARTIAL, AMBIGUOUS */
	enum pve_reason reason;
	const char *subject;	/* of the reason */
	const char *text;	/* one line for people; "" when OK */
	unsigned warnings;	/* when WARNINGS */
	const struct strs *log; /* last lines; empty unless failed, warned or asked for */
};

typedef void (*pvetask_cb)(void *arg, const struct pvetask_result *res);
/* percent 0…100 from the task's log. */
typedef void (*pvetask_progress_cb)(void *arg, int percent);

struct pvetask_opts {
	int64_t deadline_ms;	      /* from now; 0 = 30 min */
	bool want_log;		      /* the last lines also of a task that ended well */
	pvetask_progress_cb progress; /* may be NULL; costs one more call per look */
};

struct pvetask;

struct pvetask *pvetask_follow(struct pvereq *r, const struct upid *upid,
    const struct pvetask_opts *opts, pvetask_cb cb, void *arg);
/* NULL is fine. Clears *t. Not to be called for a follower that has called back. */
void pvetask_cancel(struct pvetask **t);

const char *pvetask_end_word(enum pvetask_end e);

#endif
