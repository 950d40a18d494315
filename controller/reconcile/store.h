/*
 * store: the journal's lines in a file of the state directory.
 *
 * Not their meaning (journal.h).
 *
 * The store holds an exclusive lock on the state directory from store_open to store_close; the
 * journal borrows it.
 *
 * The controller process.
 */
#ifndef RAMET_STORE_H
#define RAMET_STORE_H

#include "ports.h"

#define STORE_BYTES_MAX ((size_t)64 << 20)
#define STORE_LINE_MAX ((size_t)256 << 10)

/* Makes the directory (mode 0700) when it is missing. ERR_BUSY when another process runs with it,
 * ERR_IO otherwise. */
int store_open(const char *dir, struct store **ret, struct err **err) MUST_CHECK;
void store_close(struct store **s);
/* Forgets everything: for plans without a state directory. Lives for ever. */
struct store *store_null(void);

/* Leaves a person's word about a VM for the process that holds the lock (store_ops.word): a line in
 * the file adopt.NAME. The name is a DNS label. */
int store_leave_word(
    const char *dir, const char *name, const char *line, struct err **err) MUST_CHECK;
char *store_word_path(const char *dir, const char *name);

/* Writes a file so that either the old or the new content is there after a power loss: a temporary
 * file beside it, fsync, rename, fsync of the directory. dirfd may be AT_FDCWD. */
int store_write_atomic(
    int dirfd, const char *name, const void *data, size_t len, struct err **err) MUST_CHECK;
/* The whole file, NUL-terminated; ERR_NOTFOUND, ERR_LIMIT above max, ERR_IO. */
int store_read_file(int dirfd, const char *name, size_t max, char **ret, size_t *ret_len,
    struct err **err) MUST_CHECK;

#endif
