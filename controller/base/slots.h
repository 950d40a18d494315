/*
 * slots: numbers for objects, handed across asynchronous borders instead of pointers.
 *
 * Not a map of user data. An id holds a generation, so that the id of a freed object finds nothing
 * instead of its successor.
 *
 * The table borrows the objects. 0 is never a valid id.
 *
 * Any process.
 */
#ifndef RAMET_SLOTS_H
#define RAMET_SLOTS_H

#include "mem.h"

typedef uint64_t slot_id;

#define SLOTS_MAX (1u << 24)

struct slot_entry;
struct slots {
	struct slot_entry *v;
	size_t n, cap;
	size_t used;
	uint32_t first_free; /* index + 1, 0 = none */
};

void slots_fini(struct slots *s);
slot_id slots_add(struct slots *s, void *obj);	     /* obj is not NULL; at most SLOTS_MAX */
void *slots_find(const struct slots *s, slot_id id); /* NULL if gone */
void slots_del(struct slots *s, slot_id id);	     /* unknown ids are ignored */

#endif
