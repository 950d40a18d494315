/*
 * gitsign: whether the commits that lead to a revision were signed by those who may.
 *
 * Not a trust of its own: the list of allowed signers and the keyring in the settings decide, read
 * by ssh-keygen (gitsigssh.h) and gpgv (gitsigpgp.h).
 *
 * Keeps one ref in the cache: the last revision that passed. In mode `range` the commits since then
 * are looked at, one by one; without it (a new cache) the revision alone.
 *
 * The git worker.
 */
#ifndef RAMET_GITSIGN_H
#define RAMET_GITSIGN_H

#include "gitrepo.h"

/* ERR_CONFIG when the settings name files that cannot be read, or a mode that is unknown. */
int gitsign_check_settings(const struct gitproto_setup *setup, struct err **err) MUST_CHECK;
/* Whether rev may be used. ERR_SIGNATURE with the commit, the reason and the next step. An `old`
 * revision (of a last good version) must be signed itself, whatever leads to it. */
int gitsign_check(struct gitrepo *g, const git_oid *rev, bool old, struct err **err) MUST_CHECK;

#endif
