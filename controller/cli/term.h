/*
 * term: what a terminal needs to know about texts: columns, colours, tables that line up.
 *
 * Not the live display (progress.h).
 *
 * Nothing is kept; tables own copies of their cells.
 *
 * The controller process; pure but for term_columns.
 */
#ifndef RAMET_TERM_H
#define RAMET_TERM_H

#include "buf.h"

enum term_color {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_RED,
	TERM_GREEN,
	TERM_YELLOW,
	TERM_CYAN,
	TERM_COLOR__MAX
};

/* Width of the terminal behind fd; 80 when it is none. */
size_t term_columns(int fd);
size_t term_rows(int fd); /* 24 when it is none */

/* Columns that the text takes; wide and combining characters are counted well enough. */
size_t term_width(const char *s);
/* s on one line of at most `columns`, with … where it was cut. Caller frees. */
char *term_fit(const char *s, size_t columns);
/* The text in its colour; without colours the text alone. */
void term_put(struct buf *out, enum term_color color, bool colors, const char *s);
/* Paragraph of words within `columns`, every line after `margin` blanks. */
void term_wrap(struct buf *out, const char *s, size_t margin, size_t columns);

#define TERM_TABLE_COLUMNS 8

struct term_cell {
	char *text;
	enum term_color color;
};

struct term_table {
	size_t columns;
	struct term_cell *v; /* row after row */
	size_t n, cap;
};

void term_table_fini(struct term_table *t);
/* The next cell, from left to right; what is not printable becomes a blank, NULL is empty. */
void term_cell(struct term_table *t, enum term_color color, const char *text);
/* Two blanks between columns; the last column is cut so that a row fits into `width` (0 = no
 * limit), and what is long in the first one gets a line of its own before all others make room for
 * it. Blanks at the ends of rows are left out. */
void term_table_print(const struct term_table *t, bool colors, size_t width, struct buf *out);

#endif
