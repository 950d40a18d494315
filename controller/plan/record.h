/*
 * record: what Ramet remembers of one VM: who it is, and what was done to it.
 *
 * Not the wanted and not the observed state. It lives in three places that may each be lost: the
 * marker on the VM, the journal, the status tree in Git (report/tree writes it as part of
 * vms/NAME.yaml and reads it back).
 *
 * Plain data, record_fini frees what is inside.
 *
 * Pure.
 */
#ifndef RAMET_RECORD_H
#define RAMET_RECORD_H

#include "crypt.h"
#include "kv.h"

#define RECORD_IN_MAKING "?" /* asked for: there may be a disk */

struct record {
	uint32_t vmid; /* 0 = no VM yet */
	char *uuid;    /* SMBIOS, lower case; NULL = not known yet */
	char *nonce;   /* of the marker */
	char *node;    /* where it was seen last */
	uint32_t source_vmid;
	char *source_uuid;
	struct kv cloned; /* leaf path → text of clone.* when it was cloned; empty = not known */
	bool
	    proven; /* the clone or the adoption was ours to see; false = rebuilt from the marker */
	/* resource hash of the manifest when everything of it was done that could be; "" = never */
	char synced_hash[CRYPT_HEX_LEN];
	char *synced_rev;
	char *good_rev, *good_path; /* version of the manifest that is in force */
	/* Nothing was lost since the clone: a slot that is not in volumes never had a disk. */
	bool whole;
	/* slot → volume that was allocated for it, once ever; RECORD_IN_MAKING before it is seen */
	struct kv volumes;
	/* storage → slot: a step that takes or frees space there may have left a volume */
	struct kv loose;
	struct kv macs;	  /* slot → MAC address, so that a NIC comes back as it was */
	struct kv sizes;  /* slot → size_gb that was last asked for and reached */
	struct kv stored; /* leaf path → "wrote\tread": values PVE stores differently */
	struct kv silent; /* leaf path → time word: class S changes that wait for a restart */
	/* slot → volume that came with the clone, or was there when a person handed the VM over:
	 * not added by hand. Nothing is known of them while owns is false. */
	struct kv owned;
	bool owns;
	/* What the last manifest in force said about the VM's end: leaf path → text. */
	struct kv parting;
	struct kv unmet; /* leaf or device path → reason: what could not be done of that manifest */
	/* leaf path → "salt:digest" of the secret that was written last; in the journal only */
	struct kv secrets;
	int64_t boot_mark; /* uptime-derived start time in wall seconds when `silent` was written */
};

void record_fini(struct record *r);
void record_copy(struct record *dst, const struct record *src);
/* The path, or the device that it is a leaf of, could not be had of this manifest yet: that it
 * differs is no drift. */
bool record_is_unmet(const struct record *r, const char *path);
bool record_eq(const struct record *a, const struct record *b);

#endif
