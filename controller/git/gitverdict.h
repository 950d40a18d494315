/*
 * gitverdict: what the check of one commit's signature says.
 *
 * Not a check (gitsigssh.h, gitsigpgp.h) and not a policy of which commits are looked at
 * (gitsign.h).
 *
 * Texts are constant.
 *
 * The git worker. Pure.
 */
#ifndef RAMET_GITVERDICT_H
#define RAMET_GITVERDICT_H

#include "gitproto.h"

enum gitverdict {
#define GITVERDICT(code, why, hint) GITVERDICT_##code,
#include "gitverdict.def"
#undef GITVERDICT
	GITVERDICT__MAX
};

/* A signature, what it was made for, and when the commit says it was. Borrowed. */
struct gitverdict_case {
	const struct gitproto_setup *setup;
	struct gitproto_bytes sig, data;
	int64_t at; /* seconds since 1970 */
};

const char *gitverdict_why(enum gitverdict v);
const char *gitverdict_hint(enum gitverdict v);

#endif
