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
/* A task that is told to stand still does not take its next step. */
bool fault_stands(struct job *j, int64_t ms);
/* The request is held, or its answer. */
void fault_held(struct job *j);
void faults_free(struct sim *s);

#endif
