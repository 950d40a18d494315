/*
 * accordmem: what PVE asks of the memory of a guest, plugged, in huge pages or in NUMA nodes, only
 * when it starts the guest.
 *
 * Part of accord.h; of the balloon, which PVE asks at once, see there.
 *
 * Blocks a change and owns nothing.
 *
 * Pure.
 */
#ifndef RAMET_ACCORDMEM_H
#define RAMET_ACCORDMEM_H

#include "planner.h"

#define ACCORDMEM_DEFAULT_MIB 512 /* of memory, by PVE */

/* Memory to plug, or huge pages, and what either needs. */
void accordmem_plugged(const struct planner *pl, struct change *c);
/* More memory than can be plugged into a guest with such a CPU model. */
void accordmem_most(const struct planner *pl, struct change *c);
/* All nodes together have the memory, when there are any. */
void accordmem_nodes(const struct planner *pl, struct change *c);
/* Which nodes of the host are meant says nothing without how strictly. */
void accordmem_policy(const struct planner *pl, struct change *c);
/* No node has a processor that the guest has not. */
void accordmem_cpus(const struct planner *pl, struct change *c);
/* Huge pages: the memory of each node is made of whole ones, on one node of the host. */
void accordmem_pages(const struct planner *pl, struct change *c);

#endif
