/*
 * claims: guests that carry a marker of ours without being on record: found again after a loss, or
 * copies.
 *
 * Not a verdict about a VM on record (plan/match). Nothing is adopted here: the owner of the record
 * decides.
 *
 * Reads foreign guests one by one, a few at once: with our tag, with the name of one that is not on
 * record, locked by a clone, or (wide) every one. Owns what it found.
 *
 * The controller process.
 */
#ifndef RAMET_CLAIMS_H
#define RAMET_CLAIMS_H

#include "inventory.h"

#define CLAIMS_MAX 20000 /* guests looked at */

struct claim {
	uint32_t vmid;
	char *name, *nonce, *uuid, *node;
	bool copy;   /* the marker names another VMID */
	uint32_t of; /* that one */
	bool locked; /* still being cloned */
};

struct claims_opts {
	struct clock *clock;
	struct pvereq *pve;
	struct inventory *inventory;
	const char *controller_id, *tag; /* borrowed */
	/* The VMID is on record: nothing to find out. */
	bool (*is_known)(void *arg, uint32_t vmid);
	/* A VM is wanted that would be cloned under this name, and none is on record: a call of an
	 * earlier life that was forgotten may have come late. */
	bool (*is_sought)(void *arg, const char *name);
	/* Something was found or went. */
	void (*on_change)(void *arg);
	void *arg;
};

struct claims;
struct claims *claims_new(const struct claims_opts *o);
void claims_free(struct claims **c);
/* A new view of the cluster: look at what is new in it. wide = at every guest, not only at those
 * that look like ours: after a loss of records. */
void claims_update(struct claims *c, bool wide);
/* Everything to be looked at was looked at, and nothing is in the middle of being cloned. */
bool claims_is_complete(const struct claims *c);
/* A guest in the middle of being cloned, or unreadable, that keeps it from being complete: VMID,
 * and for how long. 0 = none. */
uint32_t claims_unclear(const struct claims *c, const char **ret_node, int64_t *ret_ms);
/* A guest that carries our marker for this name with its own VMID; NULL if there is none. */
const struct claim *claims_find(struct claims *c, const char *name);
/* Another one that does as well, of whose two nobody knows which is meant; NULL if there is none.
 */
const struct claim *claims_rival(struct claims *c, const struct claim *of);
/* Somebody changed these: what they carry may be another thing now. */
void claims_touch(struct claims *c, const uint32_t *vmids, size_t n);
/* All of them by number: begin with *at = 0. NULL at the end. */
const struct claim *claims_next(const struct claims *c, size_t *at);

#endif
