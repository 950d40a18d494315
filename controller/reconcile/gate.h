/*
 * gate: who may go ahead now: limits in all, per node and per storage, and pauses of storages whose
 * lock was not got in time.
 *
 * Not the freeze without quorum (inventory_settled) and not a verdict about a guest.
 *
 * A ticket is given back with gate_give. Those who wait stand in a queue; the callback comes from
 * the clock with a ticket in hand, never from within a call, and not after gate_leave.
 *
 * The controller process.
 */
#ifndef RAMET_GATE_H
#define RAMET_GATE_H

#include "clock.h"

struct gate_limits {
	unsigned parallel;	     /* operations in all */
	unsigned parallel_per_node;  /* operations */
	unsigned clones_per_storage; /* clones; halved for a while by lock timeouts */
	unsigned reads;		     /* guests read at once */
};

enum gate_kind { GATE_READ, GATE_OP, GATE_CLONE, GATE_KIND__MAX };

typedef uint64_t gate_ticket; /* 0 = none */
typedef void (*gate_cb)(void *arg, gate_ticket t);

struct gate;
struct gate *gate_new(struct clock *clock, const struct gate_limits *limits);
void gate_free(struct gate **g);

/* A ticket at once, or 0. node and storage may be NULL. Whoever waits already goes first. */
gate_ticket gate_try(struct gate *g, enum gate_kind kind, const char *node, const char *storage);
/* Stands in the queue; returns a number for gate_leave. */
uint64_t gate_wait(struct gate *g, enum gate_kind kind, const char *node, const char *storage,
    gate_cb cb, void *arg);
void gate_leave(struct gate *g, uint64_t *waiter);
void gate_give(struct gate *g, gate_ticket *t);

/* A clone on the storage ran into its lock (bad), or ended well. */
void gate_storage_result(struct gate *g, const char *storage, bool bad);
/* A read on the node had no answer in time (bad), or had one. As long as a node is slow, those who
 * read on it leave the places to others. */
void gate_node_result(struct gate *g, const char *node, bool bad);
bool gate_is_slow(const struct gate *g, const char *node);
/* Clones allowed at once on the storage now. */
unsigned gate_storage_limit(const struct gate *g, const char *storage);

#endif
