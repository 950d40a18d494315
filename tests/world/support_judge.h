/*
 * support_judge: what must never happen in a world, held against the cluster's own journal.
 *
 * Not the controller's word: it is not asked.
 *
 * Looks at what is new since the last call.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_JUDGE_H
#define RAMET_SUPPORT_JUDGE_H

#include "support_world.h"

#define JUDGE_VMS 256
#define JUDGE_NAME 32

/* A key that may be changed; parts: of a property string only these, "tag=,size=" ("@" = the
 * volume or whatever else has no name); NULL = all of it. */
struct judge_key {
	const char *key, *parts;
};

struct judge {
	const struct judge_key *keys; /* ended by an empty one; NULL = those of the random worlds */
	struct strs names;	      /* of manifests that ever were */
	size_t seen;		      /* entries of the cluster's journal */
	struct {
		int64_t vmid;
		char name[JUDGE_NAME]; /* in our marker that it carries now; "" = none */
		bool foreign; /* somebody else made it: a marker that it carries is a copy */
		int64_t made_at;
	} v[JUDGE_VMS];
	size_t n;
	/* Manifests that ever asked for it, and so allow it. */
	struct strs may_stop, may_destroy;
	struct kv may_change; /* "name key" → parts, as in struct judge_key; "" = all of it */
	/* So many within that time, of all that we destroy; 0 = not looked at. */
	unsigned budget;
	int64_t budget_ms;
	int64_t fallen[8]; /* when, the last ones, in a ring */
	unsigned n_fallen;
	bool forgot;	   /* all that was on record */
	int64_t forgot_at; /* for the last time */
	int64_t asked;	   /* when the controller's own words were looked at last, virtual s */
	size_t answers;	   /* that it had had then */
	bool unheard;	   /* another instance acts, and what this one says reaches nobody */
};

void judge_fini(struct judge *j);
void judge_name(struct judge *j, const char *name);
/* A VM that a manifest takes over: ours before it carries the marker. */
void judge_allow_adopt(struct judge *j, int64_t vmid, const char *name);
void judge_allow_stop(struct judge *j, const char *name);
void judge_allow_destroy(struct judge *j, const char *name);
/* The manifest lists (a part of) this key beside the usual; parts NULL = all of it. */
void judge_allow_key(struct judge *j, const char *name, const char *key, const char *parts);
/* Of the manifest in our marker that the VM carries; "" = none. */
const char *judge_name_of(struct judge *j, int64_t vmid);
/* Records are lost, and from here on a marker with the VM's own number is all that tells. */
void judge_forget(struct judge *j, struct world *w);
/* Before a request is handed in, whatever becomes of it. */
void judge_request(struct judge *j, struct world *w, const char *method, const char *path);
/* After every event. Violations go to the world. */
void judge_look(struct judge *j, struct world *w);

#endif
