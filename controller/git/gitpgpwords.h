/*
 * gitpgpwords: what gpgv's status lines say of a signature, and keys in ASCII armour.
 *
 * Not a run of it (gitsigpgp.h). The lines are those of GnuPG's --status-fd; a line that is not
 * known says nothing.
 *
 * Results are the caller's.
 *
 * The git worker. Pure.
 */
#ifndef RAMET_GITPGPWORDS_H
#define RAMET_GITPGPWORDS_H

#include "buf.h"
#include "gitverdict.h"

/* status: the exit code. Never GITVERDICT_GOOD unless exactly one signature is there, good and
 * valid, with a key that had not expired when it was made. */
enum gitverdict gitpgpwords_verdict(const char *lines, int status);

bool gitpgpwords_is_armoured(const char *data, size_t len);
/* Appends the binary content of all public key blocks; false when one of them is broken or none is
 * there. */
bool gitpgpwords_unarmour(const char *text, struct buf *ret);

#endif
