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

#include "schema.h"

#define MANIFEST_EXTRAS 3

enum manifest_ceiling {
	CEILING_NONE,
	CEILING_HOTPLUG, /* not listed: the default */
	CEILING_REBOOT,
};

/* A further row of the table of attributes, and its value as a number to draw it by. */
struct manifest_extra {
	const struct attr *attr; /* NULL = none */
	unsigned value;
};

struct manifest {
	char name[16];
	bool there, broken, lost; /* lost: its VM was deleted by hand */
	unsigned source, node, cores, memory, tag, size, edits;
	int64_t vmid; /* where a person saw its VM last */
	bool absent, protect;
	bool doubtful; /* whoever was to destroy it could not tell whether it did */
	bool full, started, no_net1, recreate;
	bool suspended, pin;
	enum manifest_ceiling ceiling;
	const char *store;   /* of scsi0; NULL = not listed */
	unsigned depends_on; /* 1 + the number of the one named vm-N; 0 = none */
	struct manifest_extra extra[MANIFEST_EXTRAS];
};

/* Caller frees. */
char *manifest_text(const struct manifest *m);

/* One of the rows that a world may list beside the usual; any number will do. */
const struct attr *manifest_extra_attr(unsigned number);
/* Its slot, or NULL. */
const char *manifest_extra_slot(const struct attr *a);
void manifest_extra_value(const struct manifest_extra *x, struct value *ret);

#endif
