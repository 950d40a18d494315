#include "sheet.h"

#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "check.h"
#include "decode.h"

#define FINDINGS_PER_FILE 200 /* so that one file cannot hide those of all others */

static void add_doc(struct sheet *s, struct resource *res, char *name)
{
	MEM_PUSH_ROOM(s->v, s->n, s->cap);
	s->v[s->n++] = (struct sheet_doc){res, name};
}

static void read_doc(struct sheet *s, const struct ydoc *y, size_t i)
{
	struct resource *res = NULL;
	char *name = NULL;
	switch (decode_doc(s->path, y, i, &s->found, &res, &name)) {
	case DECODE_FOREIGN:
	case DECODE_OUTCOME__MAX:
		free(name);
		return;
	case DECODE_BAD:
		if (!name)
			s->lost = true;
		else
			add_doc(s, NULL, name);
		return;
	case DECODE_OK:
		if (check_resource(res, &s->found) > 0)
			resource_unref(&res);
		add_doc(s, res, name);
		return;
	}
}

static void read_text(struct sheet *s)
{
	struct ydoc *y = NULL;
	if (ydoc_parse(s->path, s->data, s->len, NULL, &s->found, &y) != 0 && ydoc_is_broken(y))
		s->lost = true;
	for (size_t i = 0; i < ydoc_count(y); i++)
		read_doc(s, y, i);
	ydoc_free(&y);
	diags_excerpt(&s->found, 0, s->path, s->data, s->len);
}

struct sheet *sheet_new(const struct bundle_file *f)
{
	struct sheet *s = mem_alloc(sizeof(*s));
	s->refs = 1;
	s->path = mem_strdup(f->path);
	s->found.max = FINDINGS_PER_FILE;
	if (f->passed_over) {
		struct diag *d = diags_add(&s->found, DIAG_PASSED_OVER, f->path, (struct mark){0},
		    "the file is passed over: its name ends neither in .yaml nor in .yml");
		diag_hint(d, "write the ending in small letters if it is a manifest");
		s->skipped = mem_strdup("");
		return s;
	}
	if (f->skipped) {
		struct diag *d = diags_add(&s->found, DIAG_UNREADABLE, f->path, (struct mark){0},
		    "the file could not be read: %s", f->skipped);
		diag_hint(d, "mend it, or move it out of the watched folder; until then nothing is "
			     "released or destroyed");
		s->lost = true;
		s->skipped = mem_strdup(f->skipped);
		return s;
	}
	s->data = mem_strndup(f->len ? f->data : "", f->len);
	s->len = f->len;
	read_text(s);
	return s;
}

struct sheet *sheet_ref(struct sheet *s)
{
	s->refs++;
	return s;
}

void sheet_unref(struct sheet **ps)
{
	struct sheet *s = *ps;
	*ps = NULL;
	if (!s || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		resource_unref(&s->v[i].res);
		free(s->v[i].name);
	}
	free(s->v);
	free(s->path);
	free(s->data);
	free(s->skipped);
	diags_fini(&s->found);
	free(s);
}

bool sheet_is_of(const struct sheet *s, const struct bundle_file *f)
{
	if (f->passed_over)
		return text_eq(s->skipped, "");
	if (f->skipped || s->skipped)
		return text_eq(f->skipped, s->skipped);
	return f->len == s->len && memcmp(s->data, f->len ? f->data : "", f->len) == 0;
}

struct sheet *sheet_find(struct sheet *const *v, size_t n, const char *path)
{
	size_t i = MEM_PLACE(at, n, strcmp(v[at]->path, path) < 0);
	return i < n && strcmp(v[i]->path, path) == 0 ? v[i] : NULL;
}
