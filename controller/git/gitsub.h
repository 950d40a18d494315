/*
 * gitsub: a transport of ours as libgit2 wants it: registered for a scheme, one object for each
 * connection to a remote.
 *
 * Not the transfer: what is asked and answered is done by those who register (githttp.h, gitssh.h).
 *
 * libgit2 owns the objects and frees them; they borrow the kind, which outlives its registration.
 *
 * The git worker.
 */
#ifndef RAMET_GITSUB_H
#define RAMET_GITSUB_H

#include "mem.h"

#include <git2.h>
#include <git2/sys/transport.h>

struct gitsub_kind {
	void *transport; /* the githttp or the gitssh */
	bool rpc;	 /* each request is answered by itself, as HTTP does */
	int (*action)(git_smart_subtransport_stream **ret, git_smart_subtransport *sub,
	    const char *url, git_smart_service_t service);
	int (*close)(git_smart_subtransport *sub);
	git_smart_subtransport_definition def; /* for gitsub_register */
};

struct gitsub {
	git_smart_subtransport parent; /* first: what libgit2 hands around */
	void *transport;
	void *stream; /* to go on with, for those that have one connection; NULL at first */
};

/* For URLs that begin with "scheme://"; the caller unregisters it. */
int gitsub_register(struct gitsub_kind *k, const char *scheme) MUST_CHECK;

#endif
