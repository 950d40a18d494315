/*
 * gitname: names and texts out of a repository or from its server, made harmless.
 *
 * Not a path resolver: nothing of a repository is ever written to a file system.
 *
 * Results are constant strings or the caller's.
 *
 * The git worker. Pure.
 */
#ifndef RAMET_GITNAME_H
#define RAMET_GITNAME_H

#include "buf.h"
#include "err.h"

/* NULL, or why an entry of that name in a folder is refused: control or invisible characters, not
 * UTF-8, marks that some systems store otherwise, a disguise of ".git", "..". */
const char *gitname_fault(const char *name);
/* Whether the name ends in one of the suffixes, which stand between blanks, in letters of any size:
 * whoever reads them tells of those that are not quite right. "" = any name. */
bool gitname_has_suffix(const char *name, const char *suffixes);
/* Appends the name with every byte that is not printable UTF-8 as \xNN. */
void gitname_add_printable(struct buf *b, const char *name);
/* Printable UTF-8 of at most max bytes; line ends and tabs stay when `lines`, else become blanks;
 * other control characters and broken bytes become '?'. */
char *gitname_clean(const char *text, size_t max, bool lines);
/* Whether a blob's content is a pointer of Git LFS instead of the file itself. */
bool gitname_is_lfs(const char *data, size_t len);
/* Whether the beginning of what a server says tells of objects that are named by SHA-256. */
bool gitname_is_sha256(const char *data, size_t len);
/* ERR_CONFIG: such a repository is not read. */
int gitname_blame_sha256(struct err **err);

#endif
