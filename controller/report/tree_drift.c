/* DRIFT.md: what differs now, and what was put right lately. */
#include <stdlib.h>
#include <string.h>

#include "tree_part.h"

struct entry {
	const struct vmstat *vm;
	const struct drift *d;
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

static void add(struct entries *l, const struct vmstat *vm, const struct drift *d)
{
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	l->v[l->n++] = (struct entry){vm, d};
}

static int compare_names(const struct entry *a, const struct entry *b)
{
	int c = strcmp(a->vm->name, b->vm->name);
	return c ? c : strcmp(a->d->path, b->d->path);
}

/* Longest standing first. */
static int compare_now(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	if (a->d->since_wall != b->d->since_wall)
		return a->d->since_wall < b->d->since_wall ? -1 : 1;
	return compare_names(a, b);
}

/* Newest first. */
static int compare_corrected(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	if (a->d->corrected_wall != b->d->corrected_wall)
		return a->d->corrected_wall > b->d->corrected_wall ? -1 : 1;
	return compare_names(a, b);
}

static void put_cells(struct buf *out, const struct entry *e)
{
	buf_adds(out, "| ");
	tree_put_vm(out, e->vm->name);
	buf_adds(out, " | ");
	md_code(out, e->d->path, TREE_WORD_CHARS);
	buf_adds(out, " | ");
	md_code(out, e->d->wanted, TREE_WORD_CHARS);
	buf_adds(out, " | ");
	md_code(out, e->d->found, TREE_WORD_CHARS);
	buf_adds(out, " | ");
	if (e->d->who)
		md_code(out, e->d->who, TREE_WORD_CHARS);
	else
		buf_adds(out, "unknown");
	buf_adds(out, " | ");
	tree_put_seconds(out, e->d->since_wall);
	buf_adds(out, " | ");
}

static void put_outlook(struct buf *out, const struct drift *d)
{
	if (d->fight) {
		buf_adds(out, "**left alone**: it was changed back too often");
		return;
	}
	switch (d->state) {
	case CHANGE_DO:
		buf_adds(out, "is being corrected");
		break;
	case CHANGE_PENDING:
		buf_adds(out, "written, waits for a restart");
		break;
	case CHANGE_BLOCKED:
		buf_adds(out, "**blocked**");
		break;
	case CHANGE_REPORT:
		buf_adds(out, "reported only");
		break;
	case CHANGE_STATE__MAX:
		break;
	}
	if (d->why) {
		buf_adds(out, ": ");
		md_text(out, d->why, TREE_TEXT_CHARS);
	}
}

static void put_now(struct buf *out, struct entries *l)
{
	buf_adds(out, "## Now\n\n");
	if (l->n == 0) {
		buf_adds(out, "Nothing differs from its manifest.\n");
		return;
	}
	qsort(l->v, l->n, sizeof(*l->v), compare_now);
	buf_adds(out, "| VM | Leaf | Wanted | Found | By | Since (UTC) | What happens |\n"
		      "| :-- | :-- | :-- | :-- | :-- | :-- | :-- |\n");
	for (size_t i = 0; i < l->n && i < TREE_STATUS_ROWS; i++) {
		put_cells(out, &l->v[i]);
		put_outlook(out, l->v[i].d);
		buf_adds(out, " |\n");
	}
	if (l->n > TREE_STATUS_ROWS)
		buf_addf(out, "\nNot in the table: %zu more.\n", l->n - TREE_STATUS_ROWS);
}

static void put_corrected(struct buf *out, struct entries *l)
{
	if (l->n == 0)
		return;
	qsort(l->v, l->n, sizeof(*l->v), compare_corrected);
	buf_adds(out, "\n## Corrected lately\n\n"
		      "| VM | Leaf | Wanted | Found | By | Seen (UTC) | Corrected (UTC) |\n"
		      "| :-- | :-- | :-- | :-- | :-- | :-- | :-- |\n");
	for (size_t i = 0; i < l->n && i < TREE_STATUS_ROWS; i++) {
		put_cells(out, &l->v[i]);
		tree_put_seconds(out, l->v[i].d->corrected_wall);
		buf_adds(out, " |\n");
	}
	if (l->n > TREE_STATUS_ROWS)
		buf_addf(out, "\nNot in the table: %zu older ones.\n", l->n - TREE_STATUS_ROWS);
}

char *tree_drift_md(const struct status *s)
{
	struct buf out = {0};
	struct entries now = {0}, corrected = {0};
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vmstat *v = s->vms[i];
		for (size_t k = 0; k < v->drifts.n; k++)
			add(&now, v, &v->drifts.v[k]);
		for (size_t k = 0; k < v->corrected.n; k++)
			add(&corrected, v, &v->corrected.v[k]);
	}
	buf_adds(&out, "# Drift of ");
	md_code(&out, s->controller_id, TREE_WORD_CHARS);
	buf_adds(&out,
	    "\n\nWhat a manifest lists and the cluster has otherwise, although the manifest "
	    "did not change. Back to the [status](STATUS.md).\n\n");
	put_now(&out, &now);
	put_corrected(&out, &corrected);
	free(now.v);
	free(corrected.v);
	return buf_take(&out);
}
