/*
 * sim_row: the members of one object of an answer, as a tree or as text at once.
 *
 * Lists of ten thousand rows are written as text: a tree of them costs ten times as much. No
 * arrays, no nesting: one object of words and numbers.
 *
 * A row borrows where it writes to. row_begin and row_end stand around its members.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_ROW_H
#define RAMET_SIM_ROW_H

#include "buf.h"
#include "jsn.h"

struct row {
	struct jsn *tree; /* one of the two */
	struct buf *text;
	bool more;
};

void row_begin(struct row *r);
void row_end(struct row *r);
void row_str(struct row *r, const char *key, const char *value); /* NULL is left out */
void row_int(struct row *r, const char *key, int64_t value);
/* A JSON string with its quotes. */
void row_quote(struct buf *b, const char *text);

#endif
