/*
 * gitssh: how libgit2 talks SSH in the worker: the OpenSSH client program instead of libssh2, which
 * cannot use RSA keys with today's servers and cannot be interrupted.
 *
 * Not the Git protocol (libgit2 speaks it). No configuration of the user's, no agent, no prompt:
 * only the key and the known hosts that the settings name; an unknown host is never trusted.
 *
 * One object per worker, registered with libgit2 for its life. What goes wrong is left, with a
 * hint, in the place named at the start.
 *
 * The git worker.
 */
#ifndef RAMET_GITSSH_H
#define RAMET_GITSSH_H

#include "err.h"
#include "gitaddr.h"
#include "gitproto.h"

struct gitssh;

/* Borrows setup and addr; *cause receives the reason of each failure. ERR_CONFIG, ERR_IO. */
int gitssh_new(struct gitssh **ret, const struct gitproto_setup *setup, const struct gitaddr *addr,
    struct err **cause, struct err **err) MUST_CHECK;
void gitssh_free(struct gitssh **s);

#endif
