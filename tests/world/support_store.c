#include "support_store.h"

#include <stdlib.h>

struct memstore {
	struct store base;
	struct strs lines;
	unsigned trap;
	void (*on_line)(void *arg);
	void *arg;
	bool dead;
};

static int mem_append(struct store *s, const char *line, struct err **err)
{
	struct memstore *m = (struct memstore *)s;

	(void)err;
	if (m->dead)
		return 0;
	strs_add(&m->lines, line);
	if (m->trap && --m->trap == 0)
		m->on_line(m->arg);
	return 0;
}

static int mem_load(struct store *s, struct strs *ret, struct err **err)
{
	(void)err;
	strs_copy(ret, &((struct memstore *)s)->lines);
	return 0;
}

static int mem_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	struct memstore *m = (struct memstore *)s;

	(void)err;
	if (m->dead)
		return 0;
	strs_fini(&m->lines);
	strs_copy(&m->lines, lines);
	return 0;
}

static const struct store_ops mem_ops = {
    .append = mem_append, .load = mem_load, .rewrite = mem_rewrite};

struct memstore *memstore_new(void)
{
	struct memstore *m = mem_alloc(sizeof(*m));

	m->base.ops = &mem_ops;
	return m;
}

void memstore_free(struct memstore **m)
{
	if (!*m)
		return;
	strs_fini(&(*m)->lines);
	free(*m);
	*m = NULL;
}

struct store *memstore_port(struct memstore *m)
{
	return &m->base;
}

void memstore_drop(struct memstore *m)
{
	strs_fini(&m->lines);
}

void memstore_trap(struct memstore *m, unsigned n, void (*on_line)(void *arg), void *arg)
{
	m->trap = n;
	m->on_line = on_line;
	m->arg = arg;
}

void memstore_set_dead(struct memstore *m, bool dead)
{
	m->dead = dead;
}

size_t memstore_lines(const struct memstore *m)
{
	return m->lines.n;
}
