/*
 * gitlist: what a folder holds at a commit: which entries are to be handed over, without their
 * content.
 *
 * Not the reading of files (gitread.h). No blob is opened but the ignore file.
 *
 * The caller owns the list.
 *
 * The git worker.
 */
#ifndef RAMET_GITLIST_H
#define RAMET_GITLIST_H

#include "gitrepo.h"

struct gitlist_job {
	git_oid rev;	      /* of a commit in the cache */
	const char *folder;   /* "" = whole tree */
	const char *only;     /* one file within the folder, "" = all */
	const char *suffixes; /* of names worth reading, "" = all */
	bool ignores;	      /* heed the ignore file of the folder (gitignore.h) */
	/* An object that is not there fails the job (and makes the cache suspect) instead of being
	 * skipped. */
	bool strict;
};

struct gitlist_item {
	char *path; /* printable, relative to the folder */
	git_oid oid;
	git_filemode_t mode;
	char *why; /* it is not to be read, and why; or NULL */
};

struct gitlist {
	struct gitlist_item *v; /* sorted by path once the list is whole */
	size_t n, cap;
	bool full;    /* a limit on the number was reached: the list is not whole */
	bool gaps;    /* folders of it could not be read */
	bool missing; /* what was asked for is not there at all */
};

int gitlist_make(struct gitrepo *g, const struct gitlist_job *job, struct gitlist *ret,
    struct err **err) MUST_CHECK;
void gitlist_fini(struct gitlist *l);
/* A path stands in it more than once, as only in a forged tree. */
bool gitlist_has_doubles(const struct gitlist *l);
/* Of the same path, or NULL. */
const struct gitlist_item *gitlist_find(const struct gitlist *l, const char *path);

#endif
