/*
 * observed: what the planner may know of a guest and of the cluster.
 *
 * Not how it was found out (pve/observe.h fills it) and not what is wanted (spec/resource.h).
 *
 * Plain data. obs_guest_fini and obs_cluster_fini free what is inside. Filled once, then not
 * changed.
 *
 * Pure.
 */
#ifndef RAMET_OBSERVED_H
#define RAMET_OBSERVED_H

#include "kv.h"
#include "text.h"

enum obs_power {
	OBS_POWER_UNKNOWN,
	OBS_POWER_STOPPED, /* also while it is backed up, for which its process runs */
	OBS_POWER_RUNNING,
	OBS_POWER_PAUSED,     /* also prelaunch, io-error, …: up, but not for us to change */
	OBS_POWER_HIBERNATED, /* lock "suspended" */
	OBS_POWER__MAX
};

struct obs_guest {
	uint32_t vmid;
	char *node;
	struct kv current; /* C: in force now, as PVE's text */
	struct kv pending; /* Q: what will be in force after a stop and start */
	struct strs
	    pending_keys; /* keys in which Q differs from C, and those marked for deletion; sorted
			   */
	char *digest;	  /* of the configuration that was read */
	enum obs_power power;
	char *power_word; /* PVE's own: "running", "io-error" */
	int64_t
	    started_s; /* wall seconds of the start of the running guest (now - uptime), 0 = unknown
			*/
	char *lock;    /* NULL = none */
	char *lock_holder; /* for people, as far as it can be seen; NULL = not known */
	bool template;
	bool ha_managed;
	char *ha_state; /* NULL when not managed */
	char *pool;	/* NULL = none, or not visible */
	bool pool_known;
	bool snapshots;		    /* has at least one */
	struct strs snapshot_names; /* that can be cloned */
	bool snapshots_known;
	char *uuid; /* of smbios1, lower case; "" when absent */
};

void obs_guest_fini(struct obs_guest *g);
void obs_guest_copy(struct obs_guest *dst, const struct obs_guest *src);
/* "VM 1204 is locked (backup): vzdump by root@pam since …", for `what` "VM". Caller frees. */
char *obs_guest_lock_text(const struct obs_guest *g, const char *what);

struct obs_node {
	char *name;
	bool online;
	int64_t cpus; /* 0 = unknown */
};

struct obs_storage {
	char *id;
	char *node;   /* PVE reports each storage per node */
	char *plugin; /* dir, lvmthin, lvm, zfspool, rbd, nfs, iscsi, … */
	bool shared, active;
	/* Its node has told nothing of it lately: it just came back, or the storage cannot be
	 * reached. Since then, ms of wall time; 0 = it tells. */
	int64_t silent_since;
	char *content;	/* "images,rootdir" */
	uint64_t avail; /* bytes, 0 = unknown or none */
	bool full;	/* it is known that nothing is left */
};

/* One row of the cluster's guest list. */
struct obs_row {
	uint32_t vmid;
	char *node;
	bool qemu; /* false: a container */
	bool template;
	char *name; /* may be stale, may be NULL */
	char *lock; /* fresh; NULL = none */
	char *tags, *pool, *ha_state;
	char *status; /* stale */
};

struct obs_cluster {
	bool complete;	     /* every call of this view succeeded */
	bool quorum_visible; /* /cluster/status could be read */
	bool quorate;
	int64_t quorate_for_ms; /* how long quorum has been seen without a gap, up to now */
	int version_major, version_minor; /* 9, 2 */
	bool token_is_root;		  /* never true for API tokens */
	struct obs_node *nodes;
	size_t n_nodes;
	struct obs_storage *storages;
	size_t n_storages;
	struct obs_row *rows; /* sorted by vmid */
	size_t n_rows;
	struct strs pools; /* that the token may see */
	bool pools_known;
	char *tag_rules; /* who may put on which tags, as PVE has it: to see it change; may be NULL
			  */
	uint32_t vmid_lower, vmid_upper; /* of the datacenter's next-id, both included; 0 = not set
					  */
};

void obs_row_fini(struct obs_row *r);
void obs_cluster_fini(struct obs_cluster *c);
bool obs_row_has_tag(const struct obs_row *row, const char *tag); /* false for "" */
const struct obs_row *obs_cluster_row(const struct obs_cluster *c, uint32_t vmid);
const struct obs_node *obs_cluster_node(const struct obs_cluster *c, const char *name);
const struct obs_storage *obs_cluster_storage(
    const struct obs_cluster *c, const char *id, const char *node);

#endif
