/*
 * gitprog: one run of a small helper program (ssh-keygen, gpgv, gpg) with input and a short answer.
 *
 * Not a conversation (gitsshproc.h underneath can have one). The program gets no environment but a
 * PATH, the C locale, UTC and what the caller adds.
 *
 * The caller frees the answer. Files that a program wants are written into the worker's own folder.
 *
 * The git worker.
 */
#ifndef RAMET_GITPROG_H
#define RAMET_GITPROG_H

#include "buf.h"
#include "err.h"
#include "gitproto.h"

struct gitprog {
	struct buf out; /* its standard output, bounded */
	int status;	/* exit code; 255 when it was killed */
	char *words;	/* its standard error, printable, cut */
};

#define _cleanup_gitprog_ _cleanup_(gitprog_fini)

/* Runs it; whatever it answers is in *ret. ERR_CONFIG when there is no such program, ERR_TIMEOUT,
 * ERR_IO. */
int gitprog_run(const char *const *argv, const char *const *more_env,
    const struct gitproto_bytes *input, struct gitprog *ret, struct err **err) MUST_CHECK;
void gitprog_fini(struct gitprog *p);
/* ERR_CONFIG when there is no such program, with the package that has it. */
int gitprog_need(const char *program, struct err **err) MUST_CHECK;

/* Names of such files, in the folder of the cache. */
#define GITPROG_SIGNATURE "signature"
#define GITPROG_SIGNERS "signers"
#define GITPROG_KEYRING "keyring"
#define GITPROG_HOME "gnupg" /* a folder */
/* Removes those that a killed worker left there. */
void gitprog_sweep(const char *dir);
/* Programs of OpenSSH ask a program for a passphrase. This makes one at path that prints the file;
 * the secret itself stays where it is. ERR_CONFIG, ERR_IO. */
int gitprog_askpass(const char *path, const char *file, struct err **err) MUST_CHECK;
/* Writes a file for it, readable by this user only, in place of one that is there. ERR_IO. */
int gitprog_write(const char *path, const char *data, size_t len, struct err **err) MUST_CHECK;
/* Reads a file of the settings. ERR_CONFIG; ret is overwritten as if empty. */
int gitprog_read(const char *path, size_t max, struct buf *ret, struct err **err) MUST_CHECK;

#endif
