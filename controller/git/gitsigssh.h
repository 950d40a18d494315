/*
 * gitsigssh: the signature of a commit with an SSH key, judged by ssh-keygen and the list of
 * allowed signers in the settings.
 *
 * Not a trust of its own and not a policy (gitsign.h).
 *
 * Leaves nothing behind; its files are in the worker's folder while it runs.
 *
 * The git worker.
 */
#ifndef RAMET_GITSIGSSH_H
#define RAMET_GITSIGSSH_H

#include "err.h"
#include "gitverdict.h"

/* -1 only when nothing can be said: ERR_CONFIG, ERR_IO, ERR_TIMEOUT. */
int gitsigssh_judge(
    const struct gitverdict_case *c, enum gitverdict *ret, struct err **err) MUST_CHECK;

#endif
