/*
 * gitrepo: the bare repository that caches the remote one, and the talk with the remote.
 *
 * Not the reading of files (gitread.h) nor the writing of commits (gitwrite.h). Nothing is ever
 * checked out: there is no work tree.
 *
 * The struct is embedded in the worker and borrows the settings for its life. The repository is a
 * cache: it may be deleted at any time and is made anew.
 *
 * The git worker. What includes this header works with libgit2 itself.
 */
#ifndef RAMET_GITREPO_H
#define RAMET_GITREPO_H

#include <git2.h>

#include "gitaddr.h"
#include "githttp.h"
#include "gitproto.h"
#include "gitssh.h"

enum gitrepo_branch { GITREPO_WATCHED, GITREPO_STATUS, GITREPO_BRANCH__MAX };

struct gitrepo {
	const struct gitproto_setup *setup;
	git_repository *repo;
	struct gitaddr addr;  /* of the remote */
	struct githttp *http; /* one of the two, or none for file */
	struct gitssh *ssh;
	char *dir;	   /* of the cache */
	int lock;	   /* file in it, held while this worker lives */
	const char *local; /* path of a file:// remote, else NULL */
	char *ref[GITREPO_BRANCH__MAX];
	struct err *cause;  /* the real reason behind a failure of libgit2 */
	struct buf remarks; /* what the server said beside the protocol in this job */
	bool suspect;	    /* the last failure may be the cache's own */
	int64_t renewed_ms; /* when the cache was last made anew; 0 = never */
	void *verdict;	    /* of gitwrite, while it pushes */
};

/* Prepares libgit2, opens or makes the cache and sweeps what a killed worker left in it. */
int gitrepo_open(
    struct gitrepo *g, const struct gitproto_setup *setup, struct err **err) MUST_CHECK;
void gitrepo_close(struct gitrepo *g);
/* Throws the cache away and makes a new one, when the last failure may be its fault and that was
 * not tried in the last hour; false when not. */
bool gitrepo_renew(struct gitrepo *g);
/* Forgets reasons and remarks of the job before. */
void gitrepo_begin(struct gitrepo *g);

struct gitrepo_heads {
	char head[GITREPO_BRANCH__MAX][GIT_OID_HEXSZ + 1]; /* "" = no such branch */
	bool empty;					   /* no branch at all */
	char *note;					   /* or NULL; the caller's */
};
/* One listing of the remote's refs. */
int gitrepo_list(struct gitrepo *g, struct gitrepo_heads *ret, struct err **err) MUST_CHECK;

/* Brings the branch into the cache unless its head is there already; false in *ret_exists when the
 * remote has no such branch. */
int gitrepo_fetch(struct gitrepo *g, enum gitrepo_branch branch, git_oid *ret_head,
    bool *ret_exists, struct err **err) MUST_CHECK;
bool gitrepo_has_commit(struct gitrepo *g, const git_oid *oid);

/* A connection for pushing; the caller frees the remote. The options go to gitrepo_push_opts. */
int gitrepo_connect_push(struct gitrepo *g, git_remote **ret, struct err **err) MUST_CHECK;
/* Head of the branch as the connected remote told; false when it has none. */
bool gitrepo_advertised(git_remote *remote, const char *ref, git_oid *ret);
void gitrepo_callbacks(struct gitrepo *g, git_remote_callbacks *ret);

/* The error of a libgit2 call that returned rc: the cause if one is known, else libgit2's words.
 * "what: …". Returns -1. */
int gitrepo_fail(struct gitrepo *g, int rc, struct err **err, const char *what);

#endif
