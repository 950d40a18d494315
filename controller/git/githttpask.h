/*
 * githttpask: what every request to a Git server has in common: as whom it comes, how TLS is
 * checked, by which proxy it goes and how long it may take.
 *
 * Not the transfer (githttp.h).
 *
 * Borrows from the settings, which outlive every request.
 *
 * The git worker.
 */
#ifndef RAMET_GITHTTPASK_H
#define RAMET_GITHTTPASK_H

#include "githttpwords.h"
#include "gitproto.h"

struct githttpask_as {
	const char *user;     /* or NULL */
	const char *password; /* or NULL */
	const char *token;    /* or NULL */
	const char *section;  /* of the settings they are from */
};

/* Those for writing when the request is a push and the settings have any. url_user: of git.url, or
 * NULL. */
struct githttpask_as githttpask_as(const struct gitproto_setup *o, const char *url_user, bool push);
enum githttpwords_credentials githttpask_kind(const struct githttpask_as *as);
/* easy: a handle of libcurl, a CURL. */
void githttpask_set(void *easy, const struct gitproto_setup *o, const struct githttpask_as *as);

#endif
