/*
 * gitseal: our own signature on a commit of the report: with an SSH key by ssh-keygen, with an
 * OpenPGP key by gpg. Which of the two the key file says itself.
 *
 * Not the check of others' signatures (gitsign.h).
 *
 * Leaves nothing behind; key and passphrase stay in their files and are read by those programs.
 *
 * The git worker.
 */
#ifndef RAMET_GITSEAL_H
#define RAMET_GITSEAL_H

#include "err.h"
#include "gitproto.h"

bool gitseal_is_on(const struct gitproto_setup *s);
/* By gpg, which has a helper that listens on a socket (gitjail.h). */
bool gitseal_is_pgp(const struct gitproto_setup *s);
/* Before the jail: ERR_CONFIG when key or passphrase cannot be read, the key is none that can sign
 * by itself, or the program is not there. */
int gitseal_check_settings(const struct gitproto_setup *s, struct err **err) MUST_CHECK;
/* The signature of data in ASCII armour, the caller's. ERR_CONFIG when the key is not usable. */
int gitseal_sign(const struct gitproto_setup *s, const char *data, size_t len, char **ret,
    struct err **err) MUST_CHECK;

#endif
