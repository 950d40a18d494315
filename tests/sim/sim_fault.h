/*
 * sim_fault: which request something goes wrong with.
 *
 * Not what then happens (sim_api, sim_job).
 *
 * The rules belong to the simulation.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_FAULT_H
#define RAMET_SIM_FAULT_H

#include "sim_job.h"

/* Counts the request against all rules; the first that strikes is noted in the job. */
void fault_pick(struct job *j);
/* The request is held, or its answer. */
void fault_held(struct job *j);
void faults_free(struct sim *s);

#endif
