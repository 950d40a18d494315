/*
 * rowlives: where the rows of the table are tried: the cluster, the lives on two versions of PVE
 * with stopped and with running guests, and how a leaf is written into a manifest.
 *
 * Not what is tried (test_rows.c, test_oprows.c).
 *
 * A world belongs to its caller.
 *
 * Tests.
 */
#ifndef RAMET_ROWLIVES_H
#define RAMET_ROWLIVES_H

#include "support_world.h"

#define ROWLIVES_ADMIN "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222"
#define ROWLIVES_INDENT 32

struct world *rowlives_world(uint64_t seed);

/* The four lives as tests of one group; an even seed is a cluster of 8.4, an odd one of 9.2. */
int rowlives_run(void (*live)(uint64_t seed, bool running));

/* "disk.scsi0.ssd" as nested blocks below spec. *indent: for what stands beside the leaf. */
void rowlives_add_leaf(
    struct buf *b, const char *path, const char *yaml, char indent[static ROWLIVES_INDENT]);

#endif
