/*
 * gitaddr: the address of a repository, taken apart.
 *
 * Not a check of settings (gitsettings.h) and not libcurl's view of a URL (githttp.c): ssh and file
 * are no business of libcurl.
 *
 * The struct owns its strings.
 *
 * Controller and git worker. Pure.
 */
#ifndef RAMET_GITADDR_H
#define RAMET_GITADDR_H

#include "mem.h"

enum gitaddr_scheme { GITADDR_FILE, GITADDR_HTTP, GITADDR_HTTPS, GITADDR_SSH, GITADDR_SCHEME__MAX };

struct gitaddr {
	enum gitaddr_scheme scheme;
	char *user; /* or NULL */
	char *host; /* "" for file; without brackets */
	int port;   /* 0 = the scheme's own */
	char *path; /* with leading slash, percent signs resolved */
	bool has_password;
};

#define _cleanup_gitaddr_ _cleanup_(gitaddr_fini)

/* NULL, or what is wrong with it. The result is to be freed with gitaddr_fini in any case. */
const char *gitaddr_parse(const char *url, struct gitaddr *ret) MUST_CHECK;
void gitaddr_fini(struct gitaddr *a);
/* Whether the host is this machine: nobody listens in between. */
bool gitaddr_is_loopback(const struct gitaddr *a);

#endif
