/*
 * Bytes as the files of one revision, and a second revision that breaks off in the middle: the way
 * from text to bundle, with what must hold whatever the bytes are.
 *
 * "%%" in a line of its own begins another file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILES_MAX 4
#define SEPARATOR "\n%%\n"

static const char *const paths[FILES_MAX] = {"a.yaml", "b.yaml", "c.yaml", "d.yaml"};

static size_t split(const char *data, size_t len, struct bundle_file *v)
{
	size_t n = 0;
	while (n < FILES_MAX) {
		const char *end = memmem(data, len, SEPARATOR, strlen(SEPARATOR));
		size_t here = end && n + 1 < FILES_MAX ? (size_t)(end - data) : len;
		v[n] = (struct bundle_file){.path = paths[n], .data = data, .len = here};
		n++;
		if (here == len)
			break;
		data += here + strlen(SEPARATOR);
		len -= here + strlen(SEPARATOR);
	}
	return n;
}

static size_t count_lines(const struct bundle_file *v, size_t n, const char *path)
{
	size_t lines = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; strcmp(v[i].path, path) == 0 && k < v[i].len; k++)
			lines += v[i].data[k] == '\n' || v[i].data[k] == '\r';
	return lines;
}

static void check_findings(const struct bundle *b, const struct bundle_file *v, size_t n)
{
	for (size_t i = 0; i < b->diags.n; i++) {
		const struct diag *d = &b->diags.v[i];
		MUST(text_is_printable(d->msg, strlen(d->msg)));
		MUST(d->hint && text_is_printable(d->hint, strlen(d->hint)));
		MUST(!d->line || text_is_printable(d->line, strlen(d->line)));
		MUST(d->mark.line <= count_lines(v, n, d->file) + 1);
		MUST((d->mark.line == 0) == (d->mark.col == 0));
	}
	struct buf text;
	buf_init(&text, 0);
	diags_print_text(&b->diags, true, &text);
	MUST(!text.overflow);
	buf_fini(&text);
	_cleanup_str_ char *json = diags_print_json(&b->diags);
	struct jsn *j = NULL;
	MUST(jsn_parse(json, strlen(json), &j, NULL) == 0);
	jsn_free(&j);
}

static void check_resource_of(const struct resource *r)
{
	MUST(form_check(FMT_DNS_LABEL, r->name, NULL, NULL));
	MUST(resource_is_listed(r, ATTR_node_name));
	MUST(resource_is_listed(r, ATTR_clone_source_vm_id));
	for (size_t i = 0; i < r->n_leaves; i++) {
		const struct leaf *l = &r->leaves[i];
		MUST(schema_accepts(l->attr, &l->value));
		MUST((l->slot != NULL) == (strchr(l->attr->path, '*') != NULL));
		MUST(resource_find(r, l->attr->id, l->slot) == l);
		_cleanup_str_ char *path = schema_path(l->attr, l->slot), *slot = NULL;
		MUST(schema_find_path(path, &slot) == l->attr);
		MUST(text_eq(slot, l->slot));
	}
}

static struct bundle *build(
    const struct bundle_file *v, size_t n, const char *rev, const struct bundle *last)
{
	struct bundle *b = NULL;
	MUST(bundle_build(rev, v, n, last, &b, NULL) == 0);
	check_findings(b, v, n);
	for (size_t i = 0; i < b->n; i++) {
		check_resource_of(b->v[i].res);
		MUST(i == 0 || strcmp(b->v[i - 1].res->name, b->v[i].res->name) < 0);
		MUST(bundle_find(b, b->v[i].res->name) == &b->v[i]);
		MUST(last || !b->v[i].stale);
	}
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle_file v[FILES_MAX], reversed[FILES_MAX];
	size_t n = split((const char *)data, size, v);
	struct bundle *one = build(v, n, "r1", NULL);

	/* The order of files does not matter. */
	for (size_t i = 0; i < n; i++)
		reversed[i] = v[n - 1 - i];
	struct bundle *again = build(reversed, n, "r1", NULL);
	MUST(strcmp(one->hash, again->hash) == 0);
	MUST(one->diags.n == again->diags.n);
	bundle_unref(&again);

	/* The same files once more: what was in force stays in force, at its old revision. */
	struct bundle *same = build(v, n, "r2", one);
	MUST(strcmp(one->hash, same->hash) == 0);
	for (size_t i = 0; i < same->n; i++)
		MUST(!same->v[i].stale && strcmp(same->v[i].rev, "r1") == 0);
	bundle_unref(&same);

	/* A file that cannot be read takes nothing with it. */
	for (size_t i = 0; i < n; i++)
		v[i] = (struct bundle_file){.path = v[i].path, .skipped = "too large"};
	struct bundle *blind = build(v, n, "r3", one);
	MUST(blind->incomplete && strcmp(blind->hash, one->hash) == 0);
	for (size_t i = 0; i < blind->n; i++)
		MUST(blind->v[i].stale);
	bundle_unref(&blind);

	/* Half of it: whatever is missing then was not there to be read, or the end is known. */
	n = split((const char *)data, size / 2, v);
	struct bundle *half = build(v, n, "r4", one);
	bundle_unref(&one);
	bundle_unref(&half);
	return 0;
}
