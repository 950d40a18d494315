/*
 * peekstore: the journal as it is now, to look at: for commands that change nothing.
 *
 * Not the journal's keeper (reconcile/store.h): no lock is taken, so it may be read while a
 * controller runs; lines that are added stay in memory and are forgotten.
 *
 * The store is the caller's until peekstore_close.
 *
 * The controller process.
 */
#ifndef RAMET_PEEKSTORE_H
#define RAMET_PEEKSTORE_H

#include "ports.h"

/* A directory without a journal, or none at all, gives an empty one. ERR_IO when there is one that
 * cannot be read. */
int peekstore_open(const char *dir, struct store **ret, struct err **err) MUST_CHECK;
void peekstore_close(struct store **s);

#endif
