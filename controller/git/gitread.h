/*
 * gitread: the files of a folder at a commit, straight from the objects, within limits.
 *
 * Not a checkout: nothing is written, no filter runs, no link is followed, no submodule entered.
 *
 * Files are handed to a callback one by one, in the order of their paths, borrowed for the call.
 *
 * The git worker.
 */
#ifndef RAMET_GITREAD_H
#define RAMET_GITREAD_H

#include "gitrepo.h"

struct gitread_job {
	git_oid rev;	      /* of a commit in the cache */
	const char *folder;   /* "" = whole tree */
	const char *only;     /* one file within the folder, "" = all */
	const char *suffixes; /* of names worth reading, "" = all */
	bool ignores;	      /* heed the ignore file of the folder (gitignore.h) */
	/* An object that is not there fails the reading (and makes the cache suspect) instead of
	 * being skipped. */
	bool strict;
	/* Gets the fields of a FILE message; a failure ends the reading. */
	int (*emit)(void *arg, const struct gitproto_msg *file, struct err **err);
	void *arg;
};

struct gitread_result {
	char *author, *subject;
	int64_t commit_wall_ms;
	bool truncated, path_missing;
};

int gitread_run(struct gitrepo *g, const struct gitread_job *job, struct gitread_result *ret,
    struct err **err) MUST_CHECK;
void gitread_result_fini(struct gitread_result *r);

#endif
