/*
 * gitsigners: the list of allowed signers as text.
 *
 * Not its meaning: ssh-keygen reads it. Here only its times are taken out, to tell a key that is
 * not valid at a time from one that is nobody's.
 *
 * Changes the caller's buffer.
 *
 * The git worker. Pure.
 */
#ifndef RAMET_GITSIGNERS_H
#define RAMET_GITSIGNERS_H

#include "buf.h"

/* Takes valid-after="…" and valid-before="…" out; the length stays. */
void gitsigners_strip_times(struct buf *list);

#endif
