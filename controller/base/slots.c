#include "slots.h"

#include <stdlib.h>

struct slot_entry {
	void *obj; /* NULL = free */
	uint32_t generation;
	uint32_t next_free; /* index + 1, 0 = none */
};

static slot_id id_of(uint32_t index, uint32_t generation)
{
	return ((slot_id)generation << 32) | (index + 1);
}

static struct slot_entry *entry_of(const struct slots *s, slot_id id)
{
	uint32_t low = (uint32_t)id;
	if (low == 0 || low > s->n)
		return NULL;
	struct slot_entry *e = &s->v[low - 1];
	return e->obj && e->generation == (uint32_t)(id >> 32) ? e : NULL;
}

void slots_fini(struct slots *s)
{
	free(s->v);
	*s = (struct slots){0};
}

slot_id slots_add(struct slots *s, void *obj)
{
	MUST(obj);
	uint32_t index;
	if (s->first_free) {
		index = s->first_free - 1;
		s->first_free = s->v[index].next_free;
	} else {
		MUST(s->n < SLOTS_MAX);
		MEM_PUSH_ROOM(s->v, s->n, s->cap);
		index = (uint32_t)s->n++;
		s->v[index] = (struct slot_entry){.generation = 1};
	}
	s->v[index].obj = obj;
	s->used++;
	return id_of(index, s->v[index].generation);
}

void *slots_find(const struct slots *s, slot_id id)
{
	const struct slot_entry *e = entry_of(s, id);
	return e ? e->obj : NULL;
}

void slots_del(struct slots *s, slot_id id)
{
	struct slot_entry *e = entry_of(s, id);
	if (!e)
		return;
	e->obj = NULL;
	s->used--;
	/* A slot whose generations are used up is retired: no id is ever given twice. */
	if (++e->generation == 0)
		return;
	e->next_free = s->first_free;
	s->first_free = (uint32_t)(e - s->v) + 1;
}
