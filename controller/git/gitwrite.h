/*
 * gitwrite: one commit on the status branch, and its way to the remote.
 *
 * Not a renderer (controller/report makes the files) and not a policy of retries: a branch that
 * moved is reported as `rejected`, nothing is ever forced.
 *
 * Files are written as objects when they are added; until the push they are garbage that nothing
 * refers to. A remote on this machine is written to directly, with a comparison of the branch under
 * its lock; hooks do not run there.
 *
 * The git worker.
 */
#ifndef RAMET_GITWRITE_H
#define RAMET_GITWRITE_H

#include "gitrepo.h"

struct gitwrite_item {
	char *path;  /* in the status tree */
	git_oid oid; /* zero = remove */
};

struct gitwrite {
	struct gitrepo *g;
	git_repository *target; /* the cache, or the remote itself when it is local */
	struct gitwrite_item *items;
	size_t n, cap;
	struct err *err; /* the first thing that went wrong */
};

void gitwrite_init(struct gitwrite *w, struct gitrepo *g);
void gitwrite_fini(struct gitwrite *w);

/* Paths are relative to the report folder. A failure shows in gitwrite_publish. */
void gitwrite_put(struct gitwrite *w, const char *path, const char *data, size_t len);
void gitwrite_del(struct gitwrite *w, const char *path);

/* parent: hex, "" = the branch must not exist. Sets *ret_rejected, with an error, when the branch
 * is not at the parent. ERR_DECLINED: the server refused it. The name of the new head is hex. */
int gitwrite_publish(struct gitwrite *w, const char *parent, const char *message,
    char ret_head[GIT_OID_HEXSZ + 1], bool *ret_rejected, struct err **err) MUST_CHECK;

/* Pushes the status branch to where the connected remote has it already: nothing changes, but
 * whoever protects the branch has to say whether he would let a report pass. ERR_DECLINED. Sets
 * *ret_rejected, with an error, when the branch moved meanwhile. */
int gitwrite_rehearse(struct gitwrite *w, git_remote *remote, const git_oid *at, bool *ret_rejected,
    struct err **err) MUST_CHECK;

#endif
