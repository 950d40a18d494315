/*
 * support_store: the controller's own store on a disk of a test, with the death of the process at a
 * chosen line, and with the loss of what was not flushed.
 *
 * Not the disk (support_disk.h).
 *
 * The lines outlive the process that wrote them. Owns the disk.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_STORE_H
#define RAMET_SUPPORT_STORE_H

#include "ports.h"
#include "support_disk.h"
#include "support_fate.h"

struct memstore;

struct memstore *memstore_new(void);
void memstore_free(struct memstore **m);
struct store *memstore_port(struct memstore *m);
struct disk *memstore_disk(struct memstore *m);
/* The state directory is lost. */
void memstore_drop(struct memstore *m);
/* After n more lines (0 = never) on_line is called right after the line is durable. From `dead` on
 * nothing is written any more; with false a new life begins. */
void memstore_trap(struct memstore *m, unsigned n, void (*on_line)(void *arg), void *arg);
void memstore_set_dead(struct memstore *m, bool dead);
/* Between two lives: the power was gone, and what was not flushed is lost but for this. */
void memstore_power(struct memstore *m, enum disk_keeps keeps, uint64_t number);
void memstore_set_fates(struct memstore *m, const struct fates *f);
size_t memstore_lines(struct memstore *m);
/* NULL, or what became of a line that the process was told to be durable, or which one is there
 * without having been written. Caller frees. */
char *memstore_wrong(struct memstore *m);

#endif
