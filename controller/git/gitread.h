/*
 * gitread: the files of a folder at a commit, straight from the objects, within limits; all of
 * them, or what is different from an older commit.
 *
 * Not a checkout: nothing is written, no filter runs, no link is followed, no submodule entered.
 *
 * Files are handed to a callback one by one, in the order of their paths, borrowed for the call.
 *
 * The git worker.
 */
#ifndef RAMET_GITREAD_H
#define RAMET_GITREAD_H

#include "gitlist.h"

struct gitread_job {
	struct gitlist_job what;
	/* Read only what is new or different since this commit, and name what is gone; NULL, and
	 * where nothing can be built on it: read everything. */
	const git_oid *base;
	/* Gets the fields of a FILE or GONE message; a failure ends the reading. */
	int (*emit)(void *arg, const struct gitproto_msg *file, struct err **err);
	void *arg;
};

struct gitread_result {
	char *author, *subject;
	int64_t commit_wall_ms;
	bool truncated, path_missing;
	bool gaps;    /* something of it was not there: nothing can be built on this reading */
	bool on_base; /* what was handed over is the difference to the base */
};

int gitread_run(struct gitrepo *g, const struct gitread_job *job, struct gitread_result *ret,
    struct err **err) MUST_CHECK;
void gitread_result_fini(struct gitread_result *r);

#endif
