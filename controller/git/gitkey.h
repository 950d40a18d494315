/*
 * gitkey: what kind of private key a file holds, as far as its first look tells.
 *
 * Not its use: ssh, ssh-keygen and gpg read it themselves.
 *
 * Nothing is kept; no secret part is looked at.
 *
 * The git worker.
 */
#ifndef RAMET_GITKEY_H
#define RAMET_GITKEY_H

#include "err.h"

enum gitkey_kind {
	GITKEY_OTHER,	 /* for OpenSSH to judge */
	GITKEY_HARDWARE, /* the handle of a key in a security key (-sk) */
	GITKEY_PGP,
	GITKEY_PGP_PUBLIC,
	GITKEY_KIND__MAX
};

/* OTHER for what cannot be read. */
enum gitkey_kind gitkey_kind(const char *path);
/* ERR_CONFIG: that file cannot be used by a program without a person. */
int gitkey_blame_hardware(const char *setting, struct err **err);

#endif
