/*
 * gitsettings: whether the settings of Git can ever work, and their first message to a worker.
 *
 * Not the reading of the configuration file (config) and not a test of the server: only a worker
 * learns whether anybody answers.
 *
 * Nothing is kept.
 *
 * The controller process. Pure.
 */
#ifndef RAMET_GITSETTINGS_H
#define RAMET_GITSETTINGS_H

#include "gitproto.h"

/* Limits that suit most, branches "main" and "ramet/status"; no URL, folder or secret. */
void gitsettings_defaults(struct gitproto_setup *setup);
/* Appends the SETUP message to b. ERR_CONFIG with a hint for a URL, a branch, a folder or a secret
 * that cannot be used; secrets are never in the message. */
int gitsettings_encode(
    const struct gitproto_setup *setup, struct buf *b, struct err **err) MUST_CHECK;

#endif
