/*
 * ytext: whether bytes are a text at all: UTF-8 without characters that no manifest needs, and
 * without the one line that libyaml cannot read many of.
 *
 * Not YAML (ydoc.h).
 *
 * Findings are added to the list; nothing is kept.
 *
 * Pure.
 */
#ifndef RAMET_YTEXT_H
#define RAMET_YTEXT_H

#include "diag.h"

/* -1 with one finding at the first byte, character or line that does not belong there. */
int ytext_check(const char *file, const char *text, size_t len, struct diags *diags) MUST_CHECK;
/* The line in which git began a conflict that nobody resolved, 0: none. */
unsigned ytext_conflict(const char *text, size_t len);

#endif
