/*
 * cachedir: the folder for a clone of the repository: one process at a time in each.
 *
 * Not what stands in it (git/gitrepo.h): it may be deleted at any time.
 *
 * The folder is the caller's until cachedir_release, which removes a temporary one.
 *
 * The controller process.
 */
#ifndef RAMET_CACHEDIR_H
#define RAMET_CACHEDIR_H

#include "err.h"

struct cachedir {
	char *path;
	int lock;	/* -1 = none */
	bool temporary; /* removed in the end */
};

#define CACHEDIR_NONE ((struct cachedir){.lock = -1})
#define CACHEDIR_READERS 8 /* commands that look at the repository at once, each with its own */

/* The controller's own folder, which the lock on the state directory guards; for others the first
 * free of some beside it, or a temporary one (in TMPDIR) when the state directory cannot be written
 * to. ERR_IO. */
int cachedir_take(const char *state_dir, bool controller, char *const *env, struct cachedir *ret,
    struct err **err) MUST_CHECK;
void cachedir_release(struct cachedir *c);

#endif
