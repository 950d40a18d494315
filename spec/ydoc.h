/*
 * ydoc: YAML text to trees of nodes with places. Owner of libyaml.
 *
 * Not a decoder: it knows no attribute and no type; every scalar is text plus the note whether it
 * was quoted. Duplicate keys, anchors, aliases, tags, merge keys and too much of anything are
 * findings.
 *
 * The stream owns all nodes; nodes borrow from it.
 *
 * Pure (memory only).
 */
#ifndef RAMET_YDOC_H
#define RAMET_YDOC_H

#include "diag.h"

enum ynode_kind { YNODE_SCALAR, YNODE_SEQ, YNODE_MAP, YNODE_KIND__MAX };

struct ynode {
	enum ynode_kind kind;
	struct mark mark; /* of the value */
	/* scalar */
	const char *text; /* UTF-8 without NUL, line ends as \n */
	bool plain;	  /* unquoted: null, true, 12 mean what they look like */
	/* sequence: items; map: values, with keys[] and key_marks[] beside them, in order of the
	 * file */
	struct ynode **items;
	const char **keys;
	struct mark *key_marks;
	size_t n;
};

struct ydoc_limits {
	size_t bytes; /* of the text */
	size_t depth;
	size_t nodes;
	size_t docs;
};
extern const struct ydoc_limits ydoc_limits_default; /* 1 MiB, 32, 100,000, 10,000 */

struct ydoc; /* one stream: several documents */

/* Parses the text of one file. Findings go to `diags` with `file` as their file. Always gives a
 * stream: the documents before the place where the syntax broke. -1 when there was any finding. */
int ydoc_parse(const char *file, const char *text, size_t len, const struct ydoc_limits *limits,
    struct diags *diags, struct ydoc **ret);
void ydoc_free(struct ydoc **y);
#define _cleanup_ydoc_ _cleanup_(ydoc_free)

size_t ydoc_count(const struct ydoc *y);
/* Root of document i, NULL for an empty document. Of a document that broke off: what was read. */
const struct ynode *ydoc_root(const struct ydoc *y, size_t i);
/* The stream broke off: documents after the last one are unknown. */
bool ydoc_is_broken(const struct ydoc *y);
/* Document i has findings: it must not be used. */
bool ydoc_is_bad(const struct ydoc *y, size_t i);
/* Where document i begins: its first node, or its `---`. */
struct mark ydoc_mark(const struct ydoc *y, size_t i);

/* Value of a key, or NULL. */
const struct ynode *ynode_get(const struct ynode *map, const char *key);
bool ynode_is_null(const struct ynode *n); /* plain null, ~, or empty */

#endif
