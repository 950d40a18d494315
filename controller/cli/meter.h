/*
 * meter: ports that count and time what passes through them, around the real ones.
 *
 * Not the figures themselves (base/metrics.h): it only feeds them.
 *
 * Borrows the inner ports, which must live longer. What is asked of a meter and has not come back
 * when it is freed never calls back.
 *
 * The controller process.
 */
#ifndef RAMET_METER_H
#define RAMET_METER_H

#include "ports.h"

struct meter;
#define _cleanup_meter_ _cleanup_(meter_free)

/* git may be NULL. */
struct meter *meter_new(struct clock *clock, struct cluster_port *cluster, struct gitport *git);
void meter_free(struct meter **m);

struct cluster_port *meter_cluster(struct meter *m);
struct gitport *meter_git(struct meter *m); /* NULL if there is none */

#endif
