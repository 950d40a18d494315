/*
 * gitport: Git as an interface: list, read, publish.
 *
 * Not a Git library and not a policy: which revision is wanted and what a report says is decided by
 * reconcile/source and reconcile/reporter.
 *
 * The implementer copies its arguments before a call returns. Results are borrowed for the length
 * of the callback. Each job calls back exactly once, never from within the call; after cancel not
 * at all. Jobs of one port run one after the other, in order; each has a deadline of its own, after
 * which it fails with ERR_TIMEOUT and everything the implementer holds for it is gone.
 *
 * The controller process. Implemented by gitwork.c (a worker process with libgit2) and, in tests,
 * by a repository in memory.
 */
#ifndef RAMET_GITPORT_H
#define RAMET_GITPORT_H

#include "err.h"

#define GITPORT_OID_HEX 41 /* SHA-1 in hex with NUL */

struct gitport_file {
	const char *path; /* relative to the folder asked for; printable UTF-8, '/' between parts */
	const char *data; /* not terminated; NULL when `skipped` says why */
	size_t len;
	const char *oid; /* of the blob, hex */
	const char *
	    skipped; /* NULL, or why the content is not there ("larger than 1 MiB", "symlink", …) */
};

/* How a revision lies to an older one. */
enum gitport_relation {
	GITPORT_UNKNOWN, /* the older one is nowhere: not in the branch any more */
	GITPORT_SAME,
	GITPORT_AHEAD,	  /* the older one is in its history: the normal case */
	GITPORT_BEHIND,	  /* the branch was set back: rev is in the history of the older one */
	GITPORT_DIVERGED, /* the branch was rewritten */
	GITPORT_RELATION__MAX
};

struct gitport_result {
	const struct err *err; /* NULL = success; then what belongs to the job below is set */

	/* list: heads; "" when the branch does not exist */
	const char *head;	 /* of the watched branch */
	const char *status_head; /* of the status branch */
	bool empty;		 /* the repository has no branch at all */
	const char *note;	 /* head is "": what is there instead, and the next step; else "" */

	/* read, read_old, read_status */
	const char *rev;  /* the commit the files are from; "" = no status branch */
	const char *base; /* the files are those that differ from this commit; "" = they are all */
	const struct gitport_file *files; /* sorted by path */
	size_t n_files;
	const char *const *gone; /* with a base: what was there and is no more; sorted */
	size_t n_gone;
	const char *author, *subject; /* of rev: for reports */
	int64_t commit_wall_ms;
	bool truncated;	   /* a limit on number or total size was reached: the list is not whole */
	bool gaps;	   /* something of it is lost: not to be named as a base */
	bool path_missing; /* the folder or file asked for does not exist at rev; no files then */

	/* compare */
	enum gitport_relation relation;

	/* publish */
	const char *new_head;
	bool rejected; /* with err: the branch moved; rebuild on the new head and try again */
};

typedef void (*gitport_cb)(void *arg, const struct gitport_result *res);
typedef uint64_t gitport_job; /* 0 = none */

struct gitport_put {
	const char *path; /* in the status tree */
	const char *data;
	size_t len;
};

struct gitport_publish {
	const char *parent; /* head the tree was rebuilt on, "" = the branch must not exist */
	const struct gitport_put *put; /* sorted by path, files to write; others of the tree stay */
	size_t n_put;
	const char *const *del; /* paths to remove; a missing one is fine */
	size_t n_del;
	const char *message; /* of the commit, UTF-8 */
};

struct gitport;
struct gitport_ops {
	/* One ref listing; nothing is transferred. */
	gitport_job (*list)(struct gitport *p, gitport_cb cb, void *arg);
	/* Fetches the watched branch and gives the files under the watched folder at rev (hex; must
	 * be reachable from the branch or known already): all of them, or, where it can be told,
	 * those that are new or different since `base` (hex, "" = none), and the paths that are
	 * gone. */
	gitport_job (*read)(
	    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg);
	/* One file of the watched folder at an older rev: for the last good version of a manifest.
	 */
	gitport_job (*read_old)(
	    struct gitport *p, const char *rev, const char *path, gitport_cb cb, void *arg);
	/* Fetches the status branch and gives its files under the report folder. When the branch
	 * does not exist, rev is "". */
	gitport_job (*read_status)(struct gitport *p, gitport_cb cb, void *arg);
	/* How rev, of the watched branch, lies to base. Fetches when rev is not known yet. */
	gitport_job (*compare)(
	    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg);
	/* Whether the server would let us push: connects as a push does, and pushes the status
	 * branch, if there is one, to where it is. new_head is its head. May be NULL. */
	gitport_job (*can_push)(struct gitport *p, gitport_cb cb, void *arg);
	/* One commit on the status branch and its push, never forced. When nothing differs from the
	 * parent there is no commit, and new_head is the parent. */
	gitport_job (*publish)(
	    struct gitport *p, const struct gitport_publish *pub, gitport_cb cb, void *arg);
	void (*cancel)(struct gitport *p, gitport_job job);
};

struct gitport {
	const struct gitport_ops *ops;
};

static inline gitport_job gitport_list(struct gitport *p, gitport_cb cb, void *arg)
{
	return p->ops->list(p, cb, arg);
}

static inline gitport_job gitport_read(struct gitport *p, const char *rev, gitport_cb cb, void *arg)
{
	return p->ops->read(p, rev, "", cb, arg);
}

static inline gitport_job gitport_read_since(
    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	return p->ops->read(p, rev, base, cb, arg);
}

static inline gitport_job gitport_read_old(
    struct gitport *p, const char *rev, const char *path, gitport_cb cb, void *arg)
{
	return p->ops->read_old(p, rev, path, cb, arg);
}

static inline gitport_job gitport_read_status(struct gitport *p, gitport_cb cb, void *arg)
{
	return p->ops->read_status(p, cb, arg);
}

/* 0 when the implementer has no history to look at. */
static inline gitport_job gitport_compare(
    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	return p->ops->compare ? p->ops->compare(p, rev, base, cb, arg) : 0;
}

/* 0 when the implementer cannot tell. */
static inline gitport_job gitport_can_push(struct gitport *p, gitport_cb cb, void *arg)
{
	return p->ops->can_push ? p->ops->can_push(p, cb, arg) : 0;
}

static inline gitport_job gitport_publish(
    struct gitport *p, const struct gitport_publish *pub, gitport_cb cb, void *arg)
{
	return p->ops->publish(p, pub, cb, arg);
}

/* Cancels and clears; 0 and finished jobs are fine. */
static inline void gitport_cancel(struct gitport *p, gitport_job *job)
{
	if (*job)
		p->ops->cancel(p, *job);
	*job = 0;
}

#endif
