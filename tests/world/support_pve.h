/*
 * support_pve: the simulated cluster, called in the same process, behind struct cluster_port.
 *
 * Not the simulation (tests/sim) and not its faults.
 *
 * A port belongs to one life of a controller. After simport_kill it swallows everything.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_PVE_H
#define RAMET_SUPPORT_PVE_H

#include "clock.h"
#include "clusterport.h"
#include "sim.h"
#include "support_fate.h"

/* *token_file: what the file of the token says, now and later; NULL = it is gone. */
struct cluster_port *simport_new(
    struct sim *sim, struct clock *clock, char *const *token_file, const char *entry);
void simport_kill(struct cluster_port *p);
void simport_free(struct cluster_port **p);
/* Called with each request just before it is handed in: what happens in between. */
void simport_set_hook(struct cluster_port *p,
    void (*hook)(void *arg, const char *method, const char *path), void *arg);
void simport_set_fates(struct cluster_port *p, const struct fates *f);
/* What the simulated cluster cannot be made to say: is given each answer, and gives another one, or
 * NULL to leave it as it is. Caller frees. */
void simport_set_mouth(
    struct cluster_port *p, char *(*say)(void *arg, const char *path, const char *body), void *arg);
/* Several endpoints: after a failed call the next node is asked. The names are not copied. */
void simport_set_entries(struct cluster_port *p, const char *const *nodes, size_t n);
/* Counts the answers that arrive. */
void simport_set_answers(struct cluster_port *p, size_t *counter);
/* Answers come as trees, not as text that is printed and parsed again. */
void simport_set_trees(struct cluster_port *p, bool on);
/* Counts requests with a refused token beyond one a minute. */
void simport_set_beyond(struct cluster_port *p, size_t *counter);
/* Requests handed in so far. */
size_t simport_count(const struct cluster_port *p);

#endif
