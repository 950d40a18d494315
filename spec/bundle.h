/*
 * bundle: all resources of one revision, sealed, with the findings about them.
 *
 * Not the reading of files (Git or disk do that) and not what is applied (reconcile/).
 *
 * A bundle is reference-counted and never changes. It holds a reference on each of its resources,
 * so that the good version of an older revision outlives the older bundle.
 *
 * Pure.
 */
#ifndef RAMET_BUNDLE_H
#define RAMET_BUNDLE_H

#include "sheet.h"

struct bundle_file {
	const char *path;
	const char *data;
	size_t len;
	const char *skipped; /* not NULL: the content could not be read, and why */
	bool passed_over;    /* only its name is of interest (bundle_is_near_path) */
};

/* One manifest that is in force. */
struct bundle_entry {
	const struct resource *res;
	char *rev;  /* revision in which this content was first seen */
	bool stale; /* an older version stays in force because the newer one has findings */
};

struct bundle {
	uint32_t magic;
	unsigned refs;
	char *rev;		/* of the tree */
	struct bundle_entry *v; /* sorted by name */
	size_t n;
	struct diags diags;
	/* Some watched file could not be read or understood to the end: what is absent may only be
	 * unreadable, so nothing may be released or pruned. */
	bool incomplete;
	struct strs lost;   /* their paths, sorted */
	struct strs broken; /* names of manifests with findings and no version in force, sorted */
	struct sheet **sheets; /* of all watched files, sorted by path */
	size_t n_files;
	size_t n_read; /* of them, those that were decoded for this revision */
	char hash[CRYPT_HEX_LEN];
};

struct bundle_limits {
	size_t files, bytes_total, resources;
};
extern const struct bundle_limits bundle_limits_default; /* 100,000 files, 256 MiB, 50,000 */

/* Decodes and checks all files, whatever their names; their order does not matter. -1 only when
 * there is more than the limits allow. `last` (may be NULL): manifests with findings stay at the
 * version that is in force there. A name given twice is a finding on both; the one in force stays.
 */
int bundle_build(const char *rev, const struct bundle_file *files, size_t n,
    const struct bundle *last, struct bundle **ret, struct err **err) MUST_CHECK;
/* How the watched files of a revision differ from those of an older one. */
struct bundle_change {
	const struct bundle_file *files; /* new ones and such as have another content */
	size_t n;
	const char *const *gone; /* paths */
	size_t n_gone;
	bool all; /* `files` are all there are */
};

/* The same as bundle_build with all files, by reading only what changed since `last`. */
int bundle_update(const char *rev, const struct bundle_change *c, const struct bundle *last,
    struct bundle **ret, struct err **err) MUST_CHECK;
/* A manifest of that name, last seen at `path` (NULL = not known), may be there and is not in
 * force: it or that file has findings, and no older version is known. */
bool bundle_is_missed(const struct bundle *b, const char *name, const char *path);
/* A bundle of single entries, names[i] as it stands in from[i], with its rev; what is not there is
 * left out. To be a `last`, when last good versions come from several old revisions. It keeps what
 * it needs of the others alive. */
struct bundle *bundle_gather(struct bundle *const *from, const char *const *names, size_t n);
/* The same files judged with another `last`. */
struct bundle *bundle_again(const struct bundle *b, const struct bundle *last);
struct bundle *bundle_ref(struct bundle *b);
void bundle_unref(struct bundle **b);
const struct bundle_entry *bundle_find(const struct bundle *b, const char *name);

/* Path is a manifest by its name: *.yaml, *.yml, not hidden. */
bool bundle_is_manifest_path(const char *path);
/* It would be one with the ending in small letters: people are told that it is passed over. */
bool bundle_is_near_path(const char *path);

#endif
