/*
 * sheet: one watched file as it was understood: its text, its documents, the findings about it.
 *
 * Not the rules between files and not which version is in force (bundle.h).
 *
 * What it says depends on path and content alone: the next revision takes over the sheets of files
 * that did not change. Sealed and reference-counted.
 *
 * Pure.
 */
#ifndef RAMET_SHEET_H
#define RAMET_SHEET_H

#include "resource.h"

struct sheet_doc {
	struct resource *res; /* NULL: it cannot be used */
	char *name;
};

struct sheet {
	unsigned refs;
	char *path;
	char *data; /* NULL when it was skipped */
	size_t len;
	char *skipped; /* why, then */
	struct sheet_doc *v;
	size_t n, cap;
	struct diags found;
	bool lost; /* there may be manifests in it that could not be seen */
};

struct bundle_file;
/* Decodes and checks it; whatever is wrong is in `found`. */
struct sheet *sheet_new(const struct bundle_file *f);
struct sheet *sheet_ref(struct sheet *s);
void sheet_unref(struct sheet **s);
/* Made of these very bytes, or left out for this very reason. */
bool sheet_is_of(const struct sheet *s, const struct bundle_file *f);
/* Among sheets that are sorted by path; NULL = none. */
struct sheet *sheet_find(struct sheet *const *v, size_t n, const char *path);

#endif
