/*
 * support_manifest: what a random world knows of one manifest, and its text.
 *
 * Not what the controller makes of it.
 *
 * Plain data.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_MANIFEST_H
#define RAMET_SUPPORT_MANIFEST_H

#include "mem.h"

struct manifest {
	char name[16];
	bool there, broken, lost; /* lost: its VM was deleted by hand */
	unsigned source, node, cores, memory, tag, size, edits;
	int64_t vmid; /* where a person saw its VM last */
	bool absent, protect;
	bool doubtful; /* the journal was lost while it was to be destroyed */
	bool full, started, no_net1, recreate;
};

/* Caller frees. */
char *manifest_text(const struct manifest *m);

#endif
