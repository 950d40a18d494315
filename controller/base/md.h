/*
 * md: foreign strings inside Markdown, so that they stay text.
 *
 * Not a Markdown writer: whoever renders writes the structure itself and passes everything it did
 * not write through here.
 *
 * Nothing is kept. What is not printable becomes a blank, line ends too, so that the result fits a
 * table cell; texts longer than max_chars end in an ellipsis.
 *
 * Any process.
 */
#ifndef RAMET_MD_H
#define RAMET_MD_H

#include "buf.h"

/* Prose: no emphasis, link, image, HTML, cell border, mention or bare address comes out of it, in
 * CommonMark as well as in the dialects of the forges. NULL adds nothing. */
void md_text(struct buf *out, const char *s, size_t max_chars);
/* The same for a sentence of ours: what stands in it between two backticks is a code span, so that
 * a command can be copied as it is. */
void md_prose(struct buf *out, const char *s, size_t max_chars);
/* A value or a name as a code span. NULL and "" add nothing. */
void md_code(struct buf *out, const char *s, size_t max_chars);

#endif
