/*
 * gitignore: what an ignore file leaves out, in the syntax of gitignore.
 *
 * Not a reading of files and no configuration of the user's: only the text that is handed in
 * counts. Not libgit2's either, whose matching takes exponential time for some rules.
 *
 * The object holds the rules, the caller the text. What matching may cost in all is limited, as
 * rules and paths may have been written by somebody who means harm.
 *
 * Any process. Pure.
 */
#ifndef RAMET_GITIGNORE_H
#define RAMET_GITIGNORE_H

#include "err.h"

/* In the watched folder: what of it is to be left out. */
#define GITIGNORE_FILE ".rametignore"
#define GITIGNORE_BYTES ((size_t)64 << 10)

struct gitignore;
#define _cleanup_gitignore_ _cleanup_(gitignore_free)

/* ERR_LIMIT when the text is no list of reasonable rules: without them files would be taken that
 * nobody meant to be taken. */
int gitignore_new(
    struct gitignore **ret, const char *text, size_t len, struct err **err) MUST_CHECK;
void gitignore_free(struct gitignore **g);
/* path: relative to the folder with the ignore file, '/' between parts; none of the folders above
 * it is left out. Of NULL nothing is left out. ERR_LIMIT when all questions together cost too much.
 */
int gitignore_covers(
    struct gitignore *g, const char *path, bool folder, bool *ret, struct err **err) MUST_CHECK;

#endif
