#include "support_store.h"

#include <stdlib.h>

struct memstore {
	struct store base;
	struct strs lines;
	unsigned trap;
	void (*on_line)(void *arg);
	void *arg;
	bool dead;
	struct fates fates;
};

/* Whether the change is made, and whether it is told to have failed. What is not on the disk when
 * the process dies is lost: a line counts only when the call has returned, or when the flush that
 * failed had got it there all the same. */
static int decide(
    struct memstore *m, const char *what, const char *line, bool *ret, struct err **err)
{
	enum fate fate = m->dead ? FATE_NORMAL : fates_ask(&m->fates, TOUCH_JOURNAL, what, line);

	*ret = !m->dead && fate != FATE_FAIL && fate != FATE_DIE;
	if (fate == FATE_DIE || fate == FATE_DIE_AFTER)
		m->fates.die(m->fates.world);
	if (fate == FATE_FAIL || fate == FATE_FAIL_AFTER)
		return err_set(err, ERR_IO, "cannot write the journal: No space left on device");
	return 0;
}

static int mem_append(struct store *s, const char *line, struct err **err)
{
	struct memstore *m = (struct memstore *)s;
	bool write;
	int rc = decide(m, "append", line, &write, err);

	if (write) {
		strs_add(&m->lines, line);
		if (m->trap && --m->trap == 0)
			m->on_line(m->arg);
	}
	return rc;
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
	bool write;
	int rc = decide(m, "rewrite", "", &write, err);

	if (write) {
		strs_fini(&m->lines);
		strs_copy(&m->lines, lines);
	}
	return rc;
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

void memstore_set_fates(struct memstore *m, const struct fates *f)
{
	m->fates = *f;
}

size_t memstore_lines(const struct memstore *m)
{
	return m->lines.n;
}
