/*
 * secretfile: leaves of manifests whose value is in a file on this host: passwords for guests.
 *
 * Not the reading of one file (base/secret.h) and not a decision (plan/diff.c): plans and records
 * know digests, and only the request that is sent knows the secret.
 *
 * Results belong to the caller.
 *
 * The controller process. Manifests are hostile: only files below one directory are read for them.
 */
#ifndef RAMET_SECRETFILE_H
#define RAMET_SECRETFILE_H

#include "record.h"
#include "resource.h"

#define SECRETFILE_MAX_BYTES 1024

/* For each such leaf: path → "salt:digest" of what is in its file, with the salt of the record
 * where that has one; or path → why the file is not read. Both are overwritten as if empty. want
 * NULL: nothing. */
void secretfile_look(const char *dir, const struct resource *want, const struct record *rec,
    struct kv *ret_digests, struct kv *ret_errors);
/* Puts the secrets into the parameters of a request, in place of what stands for them. */
int secretfile_fill(
    const char *dir, const struct resource *want, struct kv *params, struct err **err) MUST_CHECK;

#endif
