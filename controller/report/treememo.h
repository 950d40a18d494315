/*
 * treememo: which file each VM has, without making it again while nothing of the VM changed.
 *
 * Not the files: it keeps a digest of each, and what it needs to know that it still holds
 * (tree_fold_vm). Not a memory of what is published (reconcile/reporter.h).
 *
 * Zeroed but for the seed it is empty; treememo_fini frees. Files belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_TREEMEMO_H
#define RAMET_TREEMEMO_H

#include "crypt.h"
#include "status.h"

struct treememo_entry {
	char *name;
	uint64_t fold;
	char digest[CRYPT_HEX_LEN];
	bool asked; /* since the last sweep */
};

struct treememo {
	uint64_t seed;		  /* of tree_fold_vm */
	struct treememo_entry *v; /* sorted by name */
	size_t n, cap;
};

void treememo_fini(struct treememo *m);
/* The bytes of a VM's file, or NULL when their SHA-256 is `known` (may be NULL): then they are only
 * made when the VM changed. ret_digest: theirs, in any case. */
char *treememo_render(
    struct treememo *m, const struct vmstat *v, const char *known, char ret_digest[CRYPT_HEX_LEN]);
/* Forgets whom nobody asked for since the last time. */
void treememo_sweep(struct treememo *m);

#endif
