/*
 * support_rival: another controller with the same controller.id beside that of the world, with a
 * state directory of its own, and who of the two asked the cluster for something.
 *
 * Not the rules of who may act (lease.h).
 *
 * Owns its controller, ports and state directory; the cluster, the repository and the clock are the
 * world's.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_RIVAL_H
#define RAMET_SUPPORT_RIVAL_H

#include "support_world.h"

struct rival {
	struct world *w;
	struct memstore *store;
	struct cluster_port *port;
	struct gitport *git;
	struct controller *controller;
	uint64_t since;	 /* the start of this life, among all starts of both */
	uint64_t newest; /* the start of the life that changed something last */
};

/* observes: it changes nothing. The state directory stays from one life to the next. */
void rival_start(struct rival *r, struct world *w, bool observes);
void rival_stop(struct rival *r);
void rival_free(struct rival *r);
/* Somebody's life that began then asks for a change. Once a newer one has, an older one must not.
 */
void rival_asks(
    struct rival *r, struct controller *asks, uint64_t since, const char *method, const char *path);

#endif
