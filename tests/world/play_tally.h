/*
 * play_tally: how often what happened in random worlds, so that it shows when they become poorer.
 *
 * Not a judgement: nothing here is right or wrong.
 *
 * Lines are counted without their numbers, so that "VM 1003" and "VM 1017" are the same. All
 * processes of a run count in one table; nothing is counted before tally_begin.
 *
 * Tests.
 */
#ifndef RAMET_PLAY_TALLY_H
#define RAMET_PLAY_TALLY_H

#include "support_world.h"

/* From here on it is counted. Before other processes are made. */
void tally_begin(void);
bool tally_is_on(void);
/* kind: "request", "virtual seconds"; of what: without its numbers; so often. */
void tally_add(const char *kind, const char *what, uint64_t n);
/* The story of a world that is over, and the cluster's journal. */
void tally_world(struct world *w);
/* To standard output, by kind; what, how often in all, in how many worlds. */
void tally_print(void);

#endif
