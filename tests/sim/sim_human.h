/*
 * sim_human: guests made and changed without a request.
 *
 * The functions for tests are in sim.h; this is what the seed needs of it.
 *
 * Nothing is kept.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_HUMAN_H
#define RAMET_SIM_HUMAN_H

#include "sim_job.h"

/* A guest with this configuration, as if created long ago. */
int human_make(struct sim *s, int64_t vmid, struct node *n, const struct kv *conf, bool template,
    struct err **err) MUST_CHECK;

#endif
