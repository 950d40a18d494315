/*
 * oprows: the rows of the table of attributes that operations write, each on a VM that has the leaf
 * and on one that has not.
 *
 * Not what is tried (test_oprows.c) and not the rows that are written by their value (rowcases.h).
 *
 * A constant table.
 *
 * Tests.
 */
#ifndef RAMET_OPROWS_H
#define RAMET_OPROWS_H

#include "reason.h"
#include "schema.h"

/* The columns are those of oprows.def. */
struct oprow {
	enum attr_id id;
	bool with;
	const char *source, *prepare, *spec, *path, *key, *holds;
	unsigned waits;
	const char *hand;
	enum reason stuck;
	const char *touch;
};

static const struct oprow oprows[] = {
#define OPROW(id, with, source, prepare, spec, path, key, holds, waits, hand, stuck, touch)     \
	{ATTR_##id, with, source, prepare, spec, path, key, holds, waits, hand, REASON_##stuck, \
	    touch},
#include "oprows.def"
#undef OPROW
};

#define OPROW_COUNT (sizeof(oprows) / sizeof(oprows[0]))

#endif
