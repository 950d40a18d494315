/*
 * secret: a password or token from a file.
 *
 * Not a store of secrets and not a decision where they come from (config/config.h).
 *
 * The text is the caller's, to be freed with mem_free_secret; logs mask it from now on.
 *
 * The controller process. Blocks on the file; a pipe or a device is refused.
 */
#ifndef RAMET_SECRET_H
#define RAMET_SECRET_H

#include "err.h"

#define SECRET_MAX_BYTES 65536

/* The content without the line end at its end. ERR_IO, or ERR_INPUT when it is empty, too large,
 * has a NUL in it or is no plain file. *ret_loose (may be NULL): everybody on the machine may read
 * it. The hint of an error names the next step. */
int secret_read(const char *path, char **ret, bool *ret_loose, struct err **err) MUST_CHECK;

/* Whether a file that somebody else will read is there, plain and readable, and with `filled` not
 * empty. The errors of secret_read. */
int secret_look(const char *path, bool filled, bool *ret_loose, struct err **err) MUST_CHECK;

#endif
