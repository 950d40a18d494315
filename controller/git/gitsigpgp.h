/*
 * gitsigpgp: the signature of a commit with an OpenPGP key, judged by gpgv and the keyring in the
 * settings.
 *
 * Not a trust of its own: there is no web of trust and no key server, who is in the keyring may
 * sign. Not a policy either (gitsign.h).
 *
 * Leaves nothing behind; its files are in the worker's folder while it runs.
 *
 * The git worker.
 */
#ifndef RAMET_GITSIGPGP_H
#define RAMET_GITSIGPGP_H

#include "err.h"
#include "gitverdict.h"

/* -1 only when nothing can be said: ERR_CONFIG, ERR_IO, ERR_TIMEOUT. */
int gitsigpgp_judge(
    const struct gitverdict_case *c, enum gitverdict *ret, struct err **err) MUST_CHECK;

#endif
