/*
 * support_store: a journal's lines in memory, with the death of the process at a chosen line.
 *
 * Not a file.
 *
 * The lines outlive the process that wrote them.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_STORE_H
#define RAMET_SUPPORT_STORE_H

#include "ports.h"
#include "support_fate.h"

struct memstore;

struct memstore *memstore_new(void);
void memstore_free(struct memstore **m);
struct store *memstore_port(struct memstore *m);
/* The state directory is lost. */
void memstore_drop(struct memstore *m);
/* After n more lines (0 = never) on_line is called right after the line is durable. From `dead` on
 * nothing is written any more. */
void memstore_trap(struct memstore *m, unsigned n, void (*on_line)(void *arg), void *arg);
void memstore_set_dead(struct memstore *m, bool dead);
void memstore_set_fates(struct memstore *m, const struct fates *f);
size_t memstore_lines(const struct memstore *m);

#endif
