/*
 * sim_vzdump: a backup task and the guest it is at.
 *
 * Not the backup jobs of the cluster (sim_backup.h), not the way back (sim_restore.h).
 *
 * The task's job owns all of it.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_VZDUMP_H
#define RAMET_SIM_VZDUMP_H

#include "sim_job.h"

struct vz {
	int64_t *ids; /* of this node, ascending */
	size_t n, next;
	struct strs others; /* guests on other nodes, as text */
	unsigned failed;
	bool holds; /* the node's one place for backups */
	int64_t since;
	/* the guest at work */
	int64_t began;
	bool locked, was_running, prelaunch, paused;
	const char *mode;
	struct strs disks;  /* keys */
	struct strs fleece; /* volumes */
};

/* Where the archive goes, or NULL for a folder. */
const char *vz_storage(const struct job *j);
/* Whether images beside the disks take what is overwritten; the parts of the parameter. */
bool vz_fleecing(const struct job *j, struct kv *ret);
/* What comes after a guest: the next, or the end. */
void vz_next(struct job *j);

/* The backup of the guest that is next (sim_archive.c). */
void vz_guest(struct job *j);
/* It ends without an archive, and the others go on. */
void vz_guest_fails(struct job *j, const char *why);

#endif
