/*
 * gitsshwords: what the OpenSSH client's words on its standard error mean to a user.
 *
 * Not a run of it (gitsshproc.h). The words are those of OpenSSH in the C locale; what is not
 * recognised is passed on as it is, made printable.
 *
 * Results are the caller's.
 *
 * The git worker. Pure.
 */
#ifndef RAMET_GITSSHWORDS_H
#define RAMET_GITSSHWORDS_H

#include "err.h"

/* Builds the error for a run of ssh that ended with `status` (exit code, 127 = there is no such
 * program) after saying `words`. Returns -1. */
int gitsshwords_blame(const char *host, const char *words, int status, struct err **err);

/* Whether the run failed because no host key could be verified. */
bool gitsshwords_is_hostkey(const char *words);
/* When the server's host key is another than the known one of that type: the type, as a pattern
 * for HostKeyAlgorithms ("*ed25519*"), else NULL. A constant string. */
const char *gitsshwords_changed(const char *words);

#endif
