/*
 * githttp: how libgit2 talks HTTP and HTTPS in the worker: libcurl instead of its own client, which
 * knows neither TLS 1.3 nor addresses in certificates nor any timeout.
 *
 * Not the Git protocol (libgit2 speaks it) and not the controller's client (net/httpc.h).
 *
 * One object per worker, registered with libgit2 for its life. Connections are kept between
 * requests. Packs are streamed both ways. What goes wrong is left, with a hint, in the place named
 * at the start, as libgit2 has no room for it.
 *
 * The git worker. Owner of libcurl there.
 */
#ifndef RAMET_GITHTTP_H
#define RAMET_GITHTTP_H

#include "err.h"
#include "gitproto.h"

struct githttp;

/* Borrows setup; *cause receives the reason of each failure. ERR_INTERNAL when a library refuses.
 */
int githttp_new(struct githttp **ret, const struct gitproto_setup *setup, struct err **cause,
    struct err **err) MUST_CHECK;
void githttp_free(struct githttp **h);

#endif
