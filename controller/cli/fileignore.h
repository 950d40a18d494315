/*
 * fileignore: the ignore file that counts for a path of a working tree.
 *
 * Not its rules (git/gitignore.h) and not the walk (files.h). As the watched folder is not known
 * here, the nearest folder with such a file counts, from the path upwards to the root of its
 * working tree.
 *
 * The struct owns the rules.
 *
 * The controller process, before the loop runs: it blocks.
 */
#ifndef RAMET_FILEIGNORE_H
#define RAMET_FILEIGNORE_H

#include "gitignore.h"

struct fileignore {
	struct gitignore *rules; /* NULL = none */
	char *inner;	  /* the path, relative to the folder with the rules; "" = it itself */
	size_t typed_len; /* of the path as it was given */
};

#define _cleanup_fileignore_ _cleanup_(fileignore_fini)

/* For the folder at path. ERR_LIMIT for a file that is no list of rules, ERR_IO for one that cannot
 * be read. */
int fileignore_open(struct fileignore *ret, const char *path, struct err **err) MUST_CHECK;
void fileignore_fini(struct fileignore *i);
/* entry: the path as given, then what lies below it. ERR_LIMIT. */
int fileignore_covers(const struct fileignore *i, const char *entry, bool folder, bool *ret,
    struct err **err) MUST_CHECK;

#endif
