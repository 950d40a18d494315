/*
 * planner: what the passes of one planning share: the inputs at hand, the configuration that is
 * being aimed at, and the list of changes.
 *
 * Not a pass itself and not an interface for others (plan.h is).
 *
 * Lives for one call of plan_make; borrows the input, writes into the plan.
 *
 * Pure.
 */
#ifndef RAMET_PLANNER_H
#define RAMET_PLANNER_H

#include "plan.h"

#define PLANNER_TAG "cluster.tag" /* among what a record says is unmet */

struct planner {
	const struct plan_input *in;
	struct plan *out;
	const struct resource *want;
	const struct plan_policy *policy;
	/* The guest as seen, or as it will come out of the clone. Never NULL after plan.c set it
	 * up.
	 */
	const struct obs_guest *g;
	struct obs_guest foretold_guest; /* owned */
	bool foretold;
	bool running;	/* there is somebody to disturb */
	bool unchanged; /* the manifest has not changed since it was last in sync */
	bool adopting;	/* the marker is still to be written */
	bool renaming;	/* the marker holds the manifest's former name */
	bool tagless;	/* Ramet's tag is to be on, and PVE does not let the token put it there */
	bool hands_off; /* everything that differs is only reported (suspended) */
	enum plan_drift drift;
	enum plan_disruption ceiling;

	struct kv goal;	       /* pending configuration with what is to be written put in */
	struct strs del;       /* keys to delete */
	struct strs skip;      /* devices whose leaves are not looked at: "network.net1" */
	struct strs made;      /* devices that are made now */
	struct strs allocated; /* slots that get a new volume now */
	bool restarted; /* a restart was made for this very set of changes, and it still waits */
	bool allocates; /* the configuration step makes or frees a volume */
	struct step *early; /* moves and resizes, in order */
	size_t n_early, cap_early;
	struct step *late; /* resizes of disks that are just being imported */
	size_t n_late, cap_late;
};

void planner_fini(struct planner *pl);

/* A new change at the end of the list; path is copied. Valid until the next one. */
struct change *planner_change(
    struct planner *pl, const char *path, const struct attr *a, const char *slot);
/* The same for a leaf, with its path. */
struct change *planner_leaf_change(struct planner *pl, const struct leaf *l);
/* Both texts are taken over. */
void change_texts(struct change *c, char *from, char *to);
/* Blocks a change; the text says why. */
void change_block(struct change *c, enum reason r, const char *fmt, ...) PRINTF(3, 4);
void change_hint(struct change *c, const char *fmt, ...) PRINTF(2, 3);

/* Blocks a change that the cluster's version of PVE would refuse, with the whole request: it does
 * not know the setting, or not this value of it. */
bool planner_is_too_new(const struct planner *pl, struct change *c);
/* Decides about the change that was added last: by drift mode, fights, root-only options, ceilings
 * of policy and disruption. True: it is to be done. A change that is to be ignored is taken off the
 * list again. c is not to be used after false. */
bool planner_may(struct planner *pl, struct change *c);

/* The cluster's version is known, and older than this one. */
bool planner_is_before(const struct planner *pl, int major, int minor);
/* Whoever asks PVE is root@pam with a password, and no token. */
bool planner_is_root(const struct planner *pl);
/* Where the manifest says it, for all changes. */
void planner_place(struct planner *pl);
/* A device that cannot be made after all because one of its leaves is blocked. */
void planner_unmake(struct planner *pl, const char *device, const char *slot);
/* PVE's flag forbids removing drives, and nothing that comes first takes it off. */
bool planner_is_protected(const struct planner *pl);
/* The first blocked change, those that need a person first; NULL when there is none. */
const struct change *planner_worst(const struct planner *pl);
/* Those of one row left out; NULL = none is. */
const struct change *planner_worst_but(const struct planner *pl, const struct attr *out);

/* For people. */
char *planner_show(const struct attr *a, const struct value *v);
char *planner_shorten(const char *text);
/* "network.net0" of "network.*.tag"; NULL for attributes without a slot. Caller frees. */
char *planner_device(const struct attr *a, const char *slot);
const struct value *planner_value(
    const struct planner *pl, enum attr_id id, const char *slot); /* NULL: not listed, or null */
const char *planner_text(const struct planner *pl, enum attr_id id, const char *slot);
/* Calls each for every listed device whose slots are of this form, in the manifest's sealed order:
 * device "disk.scsi0", slot "scsi0". */
void planner_devices(struct planner *pl, enum attr_format slots,
    void (*each)(struct planner *pl, const char *device, const char *slot));
/* The key is that of a disk or a medium. */
bool planner_is_drive(const char *key);
/* The key holds a disk, and no medium: *ret is to be finished then. */
bool planner_disk(const struct kv_item *item, struct drive *ret);
/* The row of a block ("network.") with this codec, NULL if there is none. */
const struct attr *planner_row(const char *block, enum attr_codec codec);

struct step *step_push(struct step **v, size_t *n, size_t *cap, enum step_kind kind);
void step_fini(struct step *s);

#endif
