/*
 * nodeval: one YAML node to the value of one attribute, strictly.
 *
 * Not blocks and keys (decode.h) and not limits (schema.h, which it asks).
 *
 * The value is the caller's. Findings are added to the list.
 *
 * Pure.
 */
#ifndef RAMET_NODEVAL_H
#define RAMET_NODEVAL_H

#include "diag.h"
#include "schema.h"
#include "ydoc.h"

struct nodeval_place {
	const char *file;
	const char *path;	  /* "cpu.cores", for messages */
	struct mark key;	  /* of the key */
	const struct ynode *node; /* the value */
	struct diags *diags;
};

/* -1: a finding was added. *ret_item_marks is set for sets only, one for each entry. */
int nodeval_decode(const struct attr *a, const struct nodeval_place *at, struct value *ret,
    struct mark **ret_item_marks) MUST_CHECK;
/* A text without an attribute, for the frame of a document; borrowed from the node. NULL: a finding
 * was added. */
const char *nodeval_text(const struct nodeval_place *at);

#endif
