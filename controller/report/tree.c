#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "tree_part.h"

#define SUBJECT_CHARS 72
#define MESSAGE_LINES 50
#define EVENT_CHARS 300

/* ---- shared by the files ---- */

void tree_put_count(struct buf *out, size_t n, const char *one, const char *many)
{
	buf_addf(out, "%zu %s", n, n == 1 ? one : many);
}

void tree_put_vm(struct buf *out, const char *name)
{
	/* A name that is no label could not be a file of this tree. */
	bool link = text_is_dns_label(name);
	if (link)
		buf_adds(out, "[");
	md_code(out, name, TREE_WORD_CHARS);
	if (link)
		buf_addf(out, "](vms/%s.yaml)", name);
}

static void put_time(struct buf *out, int64_t wall_ms, const char *digits)
{
	if (wall_ms == 0)
		return;
	_cleanup_str_ char *t = text_time(wall_ms);
	buf_addf(out, "%.10s %.*s", t, (int)strlen(digits), t + strlen("2026-12-01T"));
}

void tree_put_time(struct buf *out, int64_t wall_ms)
{
	put_time(out, wall_ms, "08:00");
}

void tree_put_seconds(struct buf *out, int64_t wall_ms)
{
	put_time(out, wall_ms, "08:00:00");
}

void tree_put_sentence(struct buf *out, const char *text)
{
	_cleanup_str_ char *s = text_oneline(text, TREE_PROSE_CHARS);
	text_trim_right(s);
	size_t len = strlen(s);
	md_prose(out, s, TREE_PROSE_CHARS + 1);
	/* What ends in a command is copied to its end. */
	if (len > 0 && !strchr(".!?`", s[len - 1]))
		buf_addc(out, '.');
}

/* ---- the set of files ---- */

void tree_add(struct tree *t, char *path, char *data)
{
	MEM_PUSH_ROOM(t->v, t->n, t->cap);
	t->v[t->n++] = (struct tree_file){.path = path, .data = data, .len = strlen(data)};
}

static int compare(const void *pa, const void *pb)
{
	const struct tree_file *a = pa, *b = pb;
	return strcmp(a->path, b->path);
}

char *tree_vm_path(const char *name)
{
	return mem_printf("vms/%s.yaml", name);
}

void tree_render_tables(const struct status *s, struct tree *ret)
{
	*ret = (struct tree){0};
	tree_add(ret, mem_strdup("DRIFT.md"), tree_drift_md(s));
	tree_add(ret, mem_strdup("STATUS.md"), tree_status_md(s));
	tree_add(ret, mem_strdup("summary.json"), tree_summary_json(s));
}

void tree_render(const struct status *s, struct tree *ret)
{
	tree_render_tables(s, ret);
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vmstat *v = s->vms[i];
		if (text_is_dns_label(v->name))
			tree_add(ret, tree_vm_path(v->name), tree_render_vm(v));
	}
	qsort(ret->v, ret->n, sizeof(*ret->v), compare);
}

void tree_fini(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].path);
		free(t->v[i].data);
	}
	free(t->v);
	*t = (struct tree){0};
}

const struct tree_file *tree_find(const struct tree *t, const char *path)
{
	size_t i = MEM_PLACE(at, t->n, strcmp(t->v[at].path, path) < 0);
	return i < t->n && strcmp(t->v[i].path, path) == 0 ? &t->v[i] : NULL;
}

/* ---- the commit message ---- */

/* What a person should see first in a list of commits. Events that begin with none of these words
 * come last. */
static const char *const event_order[] = {"trouble: ", "stalled: ", "refused: ", "drift: "};

static size_t event_rank(const char *event)
{
	size_t i = 0;
	while (i < ARRAY_LEN(event_order) && !text_starts(event, event_order[i]))
		i++;
	return i;
}

static size_t chars(const char *s)
{
	size_t n = 0, len = strlen(s), step;
	for (size_t i = 0; i < len; i += step, n++)
		(void)text_codepoint(s + i, len - i, &step);
	return n;
}

static void put_subject(struct buf *out, const char *event, size_t more)
{
	_cleanup_str_ char *tail = more ? mem_printf(" (+%zu more)", more) : mem_strdup("");
	_cleanup_str_ char *line = text_oneline(event, EVENT_CHARS);
	if (chars(line) + chars(tail) > SUBJECT_CHARS)
		mem_replace(&tail, "");
	_cleanup_str_ char *fit = text_oneline(line, SUBJECT_CHARS);
	buf_addf(out, "%s%s\n", fit, tail);
}

char *tree_message(const struct strs *events, const struct status *now)
{
	struct buf out = {0};
	if (events->n == 0) {
		struct status_counts c = status_count(now);
		buf_addf(&out, "status: %zu of %zu ready\n", c.ready, c.total);
		return buf_take(&out);
	}
	struct strs sorted = {0};
	for (size_t rank = 0; rank <= ARRAY_LEN(event_order); rank++)
		for (size_t i = 0; i < events->n; i++)
			if (event_rank(events->v[i]) == rank)
				strs_add(&sorted, events->v[i]);
	put_subject(&out, sorted.v[0], sorted.n - 1);
	if (sorted.n > 1 || chars(sorted.v[0]) > SUBJECT_CHARS) {
		buf_addc(&out, '\n');
		for (size_t i = 0; i < sorted.n && i < MESSAGE_LINES; i++) {
			_cleanup_str_ char *line = text_oneline(sorted.v[i], EVENT_CHARS);
			buf_addf(&out, "%s\n", line);
		}
		if (sorted.n > MESSAGE_LINES)
			buf_addf(&out, "and %zu more\n", sorted.n - MESSAGE_LINES);
	}
	strs_fini(&sorted);
	return buf_take(&out);
}
