#include "support_store.h"

#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "support_disk.h"

/* A line that was asked for. Who was told that it is there must find it again, whatever happens;
 * of the others it may be there, or a beginning of it. */
struct promised {
	char *line;
	bool sure;
};

struct memstore {
	struct store base;
	struct disk *disk;
	char *dir;
	struct store *file; /* of this life; NULL = not opened yet */
	struct promised *v;
	size_t n, cap;
	struct strs anew; /* all lines as they are being written anew */
	bool writing_anew;
	unsigned trap;
	void (*on_line)(void *arg);
	void *arg;
	bool dead, opened; /* the journal's file is */
	struct fates fates;
};

static struct store *file_of(struct memstore *m)
{
	struct err *e = NULL;

	if (!m->file && store_open(m->dir, &m->file, &e) < 0)
		mem_broken(__FILE__, __LINE__, err_msg(e));
	return m->file;
}

static void promise(struct memstore *m, const char *line, bool sure)
{
	MEM_PUSH_ROOM(m->v, m->n, m->cap);
	m->v[m->n++] = (struct promised){mem_strdup(line), sure};
}

static void forget(struct memstore *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].line);
	m->n = 0;
	strs_fini(&m->anew);
	m->writing_anew = false;
}

/* What becomes of a change whose last flush is that step of it. */
static void prepare(struct memstore *m, enum fate fate, unsigned last)
{
	switch (fate) {
	case FATE_DIE:
		disk_cut_at(m->disk, 1);
		break;
	case FATE_DIE_IN:
		disk_cut_at(m->disk, last);
		break;
	case FATE_FAIL:
		disk_fail_at(m->disk, last - 1);
		break;
	case FATE_FAIL_AFTER:
		disk_fail_at(m->disk, last);
		break;
	case FATE_NORMAL:
	case FATE_DIE_AFTER:
	case FATE__MAX:
		break;
	}
}

static void finish(struct memstore *m, enum fate fate)
{
	disk_fail_at(m->disk, 0);
	if (fate == FATE_DIE || fate == FATE_DIE_IN || fate == FATE_DIE_AFTER)
		m->fates.die(m->fates.world);
}

static int mem_append(struct store *s, const char *line, struct err **err)
{
	struct memstore *m = (struct memstore *)s;
	struct store *file = file_of(m);
	enum fate fate;
	int rc;

	if (m->dead)
		return 0;
	fate = fates_ask(&m->fates, TOUCH_JOURNAL, "append", line);
	prepare(m, fate, m->opened ? 2 : 3);
	rc = file->ops->append(file, line, err);
	m->opened = rc == 0;
	promise(m, line, rc == 0);
	finish(m, fate);
	if (rc == 0 && m->trap && --m->trap == 0)
		m->on_line(m->arg);
	return rc;
}

static int mem_load(struct store *s, struct strs *ret, struct err **err)
{
	struct store *file = file_of((struct memstore *)s);

	return file->ops->load(file, ret, err);
}

static int mem_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	struct memstore *m = (struct memstore *)s;
	struct store *file = file_of(m);
	enum fate fate;
	int rc;

	if (m->dead)
		return 0;
	fate = fates_ask(&m->fates, TOUCH_JOURNAL, "rewrite", "");
	prepare(m, fate, 5);
	rc = file->ops->rewrite(file, lines, err);
	m->opened = false;
	if (rc == 0) {
		forget(m);
		for (size_t i = 0; i < lines->n; i++)
			promise(m, lines->v[i], true);
	} else {
		strs_fini(&m->anew);
		strs_copy(&m->anew, lines);
		m->writing_anew = true;
	}
	finish(m, fate);
	return rc;
}

static const struct store_ops mem_ops = {
    .append = mem_append, .load = mem_load, .rewrite = mem_rewrite};

struct memstore *memstore_new(void)
{
	struct memstore *m = mem_alloc(sizeof(*m));

	m->base.ops = &mem_ops;
	m->disk = disk_new();
	m->dir = mem_printf("%s/lib/ramet", disk_root(m->disk));
	return m;
}

void memstore_free(struct memstore **mp)
{
	struct memstore *m = *mp;

	if (!m)
		return;
	store_close(&m->file);
	forget(m);
	free(m->v);
	disk_free(&m->disk);
	free(m->dir);
	free(m);
	*mp = NULL;
}

struct store *memstore_port(struct memstore *m)
{
	return &m->base;
}

struct disk *memstore_disk(struct memstore *m)
{
	return m->disk;
}

void memstore_drop(struct memstore *m)
{
	store_close(&m->file);
	disk_wipe(m->disk);
	forget(m);
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
	if (dead)
		return;
	store_close(&m->file); /* of the life before: its lock goes with it */
	disk_on(m->disk);
	m->opened = false;
}

void memstore_power(struct memstore *m, enum disk_keeps keeps, uint64_t number)
{
	store_close(&m->file);
	disk_power(m->disk, keeps, number);
}

void memstore_set_fates(struct memstore *m, const struct fates *f)
{
	m->fates = *f;
}

size_t memstore_lines(struct memstore *m)
{
	struct strs l = {0};
	size_t n;

	MUST(mem_load(&m->base, &l, NULL) == 0);
	n = l.n;
	strs_fini(&l);
	return n;
}

/* --- what was promised --- */

/* Bytes that never came to the disk. */
static bool is_torn(const struct promised *p, const char *line)
{
	return !p->sure && text_starts(p->line, line);
}

/* Whether the lines from i on are those promised from k on. *far gets the first one that stands
 * against it. An unsure one may be there or not, and the next one may be the same. */
static bool matches(const struct memstore *m, size_t k, const struct strs *l, size_t i, size_t *far)
{
	for (; k < m->n; k++, i++) {
		if (!m->v[k].sure && matches(m, k + 1, l, i, far))
			return true;
		if (i < l->n && strcmp(l->v[i], m->v[k].line) != 0 && is_torn(&m->v[k], l->v[i]))
			continue;
		if (i >= l->n || strcmp(l->v[i], m->v[k].line) != 0) {
			*far = k > *far ? k : *far;
			return false;
		}
	}
	return i == l->n;
}

/* The same when they were to be written anew: from now on these count. */
static bool is_anew(struct memstore *m, const struct strs *l)
{
	if (!m->writing_anew || !strs_eq(&m->anew, l))
		return false;
	forget(m);
	for (size_t i = 0; i < l->n; i++)
		promise(m, l->v[i], false);
	return true;
}

char *memstore_wrong(struct memstore *m)
{
	struct strs l = {0};
	size_t far = 0;
	char *why = NULL;

	MUST(mem_load(&m->base, &l, NULL) == 0);
	if (!matches(m, 0, &l, 0, &far) && !is_anew(m, &l))
		why = mem_printf("of %zu lines it has %zu, and not: %.200s", m->n, l.n,
		    far < m->n ? m->v[far].line : "");
	strs_fini(&l);
	return why;
}
