/*
 * sim_backup: the cluster's backup jobs, which name guests.
 *
 * Not backups: none is made of them.
 *
 * The simulation owns the jobs.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_BACKUP_H
#define RAMET_SIM_BACKUP_H

#include "sim_state.h"

/* A guest that was purged is in no job any more. */
void backups_forget(struct sim *s, int64_t vmid);
void backups_free(struct sim *s);

#endif
