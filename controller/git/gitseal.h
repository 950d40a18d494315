/*
 * gitseal: our own signature on a commit of the report, with an SSH key, made by ssh-keygen.
 *
 * Not the check of others' signatures (gitsign.h).
 *
 * Leaves nothing behind; the key stays in its file.
 *
 * The git worker.
 */
#ifndef RAMET_GITSEAL_H
#define RAMET_GITSEAL_H

#include "err.h"
#include "gitproto.h"

bool gitseal_is_on(const struct gitproto_setup *s);
/* ERR_CONFIG when the key cannot be read. */
int gitseal_check_settings(const struct gitproto_setup *s, struct err **err) MUST_CHECK;
/* The signature of data in ASCII armour, the caller's. ERR_CONFIG when the key is not usable. */
int gitseal_sign(const struct gitproto_setup *s, const char *data, size_t len, char **ret,
    struct err **err) MUST_CHECK;

#endif
