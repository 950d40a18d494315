/*
 * rowcases: for each row of the table of attributes that is written by its value, VMs to try it on:
 * which values, which slot, which VM to clone.
 *
 * Not what is tried (test_rows.c).
 *
 * One stage at a time; the cases belong to it.
 *
 * Tests.
 */
#ifndef RAMET_ROWCASES_H
#define RAMET_ROWCASES_H

#include "support_world.h"

#include "pvecodec.h"

#define CASES_MAX 512

struct rowcase {
	const struct attr *a;
	char slot[16], name[16];
	char *path;
	bool uneditable;
	bool has, blocked, one; /* blocked: the token may not, or PVE cannot; one: a single value */
	struct value first, wanted, hand;
	int64_t source, vmid;
	size_t journal; /* entries before the phase */
};

struct stage {
	struct world *w;
	bool running;
	struct rowcase v[CASES_MAX];
	size_t n;
	unsigned wrong;
};

extern struct stage *stage; /* for call-backs without an argument */

/* Something is wrong with this case; the others go on. */
void rowcase_complain(const struct rowcase *c, const char *fmt, ...) PRINTF(2, 3);
/* For all rows, from a VM without the leaf and from one with it; the VMs to clone are made. */
void rowcase_add_all(void);
const char *rowcase_slot(const struct rowcase *c);
/* The cluster's version does not know the row. */
bool rowcase_is_too_new(const struct attr *a);
/* Everything of the stage but its world. */
void rowcase_free_all(void);

#endif
