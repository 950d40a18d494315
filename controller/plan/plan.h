/*
 * plan: what to do to one VM, as a pure function of what is wanted, remembered and seen.
 *
 * Not the doing (reconcile/ops.h carries out one step, reads again and plans again; a plan is never
 * carried out blindly to its end) and no I/O, clock or global.
 *
 * The plan owns everything inside; it borrows rows of the attribute table.
 *
 * Pure. The passes: match (whose is it), diff (which leaves differ), policy (what is allowed),
 * order (steps in the order that loses nothing); "destructive?" is asked last and in one place.
 */
#ifndef RAMET_PLAN_H
#define RAMET_PLAN_H

#include "observed.h"
#include "pvecodec.h"
#include "reason.h"
#include "record.h"
#include "resource.h"

enum plan_disruption { PLAN_NONE, PLAN_HOTPLUG, PLAN_REBOOT, PLAN_DISRUPTION__MAX };
enum plan_drift { PLAN_DRIFT_CORRECT, PLAN_DRIFT_REPORT, PLAN_DRIFT_IGNORE, PLAN_DRIFT__MAX };

/* From the configuration: defaults for manifests, and ceilings. Borrowed. */
struct plan_policy {
	const char *controller_id;
	struct codec_env env;
	uint32_t vmid_min, vmid_max; /* 0 = the datacenter's */
	const char *secrets_dir;     /* files for manifests are read below it; NULL = none */
	const struct strs *nodes, *pools, *templates, *datastores,
	    *bridges;			     /* NULL or empty = all */
	enum plan_drift drift;		     /* default for manifests */
	enum plan_disruption max_disruption; /* default for manifests */
	bool recreate_missing;		     /* default for on_missing */
	bool prune;			     /* a manifest that disappears is an order to destroy */
	bool observe_only;
	bool token_is_root; /* root@pam with a password: may set root-only options */
};

/* What speaks against destroying the VM beyond the VM itself: each NULL, or a sentence. Asked by
 * the caller for each plan of a VM that is to go or is a template; borrowed for the call. */
struct plan_peril {
	const char *unread;	   /* the manifest may only be unread */
	const char *named;	   /* another manifest names the VM */
	const char *history;	   /* the branch was rewritten */
	const char *stale;	   /* Git does not answer: the order may be withdrawn */
	const char *replicated;	   /* a replication job */
	const char *dependent;	   /* a VM that depends on it is still there */
	const char *budget;	   /* too many are to be destroyed */
	const struct strs *linked; /* VMs whose disks are linked to its own; NULL = none */
};

struct plan_input {
	const struct resource *want;
	const struct record *record;   /* NULL = never heard of */
	const struct obs_guest *guest; /* NULL = not read */
	bool guest_gone; /* proven not to exist: quorate, complete, VMID free, repeatedly */
	const struct obs_guest *source; /* the template; NULL = not read */
	bool source_gone;
	const struct strs *bridges; /* of the node, that the token may use; NULL = not known */
	const struct obs_cluster *cluster;
	const struct plan_policy *policy;
	bool fights;		  /* a leaf in `fight` is left alone */
	const struct strs *fight; /* paths of leaves that came back too often */
	int64_t wall_ms;	  /* for suspend.until */
	struct plan_peril peril;
	bool going; /* destroying it was begun by us */
	/* PVE was told twice to grow this disk to that size, said OK, and its configuration still
	 * says less: the image has the size already (PVE::API2::Qemu, resize_vm). NULL = no such.
	 */
	const char *sized_slot;
	uint64_t sized_gb;
	bool tagless; /* PVE does not let the token put Ramet's tag on it */
	/* Nor put on or take off these, in small letters; NULL = none that is known. */
	const struct strs *tags_refused;
	bool restarting; /* it went down for a restart of ours, and nobody starts it */
	/* Of leaves whose value is in a file: path → "salt:digest" of what is in it now, or why it
	 * cannot be read. NULL: nobody looked. */
	const struct kv *secrets, *secret_errors;
	const char *nonce; /* drawn by the caller, for the marker of an adoption; NULL = none
			    */
};

enum change_state {
	CHANGE_DO,	/* part of a step */
	CHANGE_PENDING, /* written; waits for a restart of the guest */
	CHANGE_BLOCKED, /* not done: reason */
	CHANGE_REPORT,	/* drift that is only reported */
	CHANGE_STATE__MAX
};

/* One leaf, delete-list entry or action that is not in sync. */
struct change {
	char *path; /* "cpu.cores", "delete.network.net1", "started", "network.net0.tag" */
	const struct attr *attr; /* NULL for whole devices and clone */
	char *slot;
	char *from, *to; /* for people: "2", "4", "absent" */
	enum attr_class class;
	enum plan_disruption disruption; /* what doing it now does to the running guest */
	bool takes_restart;		 /* effective only after stop and start of the guest */
	enum change_state state;
	enum reason reason; /* when blocked */
	char *why, *hint;   /* when blocked; hint may be NULL */
	char *place;	    /* "vms/web.yaml:12:5" of the leaf or device; NULL = none */
	bool drift;	    /* the manifest did not change since it was last in sync */
	int step;	    /* index of the step that does it, -1 = none */
};

enum step_kind {
	STEP_CLONE,   /* the whole creation up to the marker */
	STEP_MOVE,    /* slot, storage, format */
	STEP_RESIZE,  /* slot, size_gb */
	STEP_CONFIG,  /* set, del */
	STEP_POOL,    /* pool */
	STEP_MIGRATE, /* node */
	STEP_TEMPLATE,
	STEP_START,
	STEP_SHUTDOWN,
	STEP_REBOOT,
	STEP_STOP,
	STEP_DESTROY,
	STEP_KIND__MAX
};

struct step {
	enum step_kind kind;
	struct kv set;	   /* CONFIG: whole new texts of keys */
	struct strs del;   /* CONFIG: keys to delete */
	struct strs makes; /* CONFIG: slots that get a new volume */
	bool task;	   /* CONFIG: allocates or hot-plugs: POST and follow its task */
	bool allocates;	   /* frees, grows or allocates: needs a settled quorum */
	char *slot, *storage, *format, *pool, *node; /* slot of TEMPLATE: that one only */
	uint64_t size_gb;
	enum plan_disruption disruption;
	bool parting;		  /* part of destroying the VM */
	bool purge, unreferenced; /* DESTROY: also from jobs; also volumes that nothing names */
	char *text;		  /* "set cores=4, memory=8192", for people */
};

enum plan_verdict {
	PLAN_IN_SYNC, /* nothing to do; changes may still be pending or reported */
	PLAN_ACT,     /* carry out steps[0], read, plan again */
	PLAN_WAIT,    /* nothing can be done now: reason */
	PLAN_STALLED, /* nothing more can be done without a person: reason */
	PLAN_OFF,     /* suspended, released, orphaned: leave alone */
	PLAN_VERDICT__MAX
};

struct plan {
	enum plan_verdict verdict;
	enum reason reason;   /* of the verdict; the worst of the blocked changes when stalled */
	char *message, *hint; /* for people; may be NULL */
	struct step *steps;
	size_t n_steps, cap_steps;
	struct change *changes; /* sorted by path */
	size_t n_changes, cap_changes;
	bool create;		  /* the VM does not exist yet */
	bool destroy;		  /* the VM is to be destroyed */
	struct strs pending_keys; /* PVE keys that wait for a restart */
	struct record
	    learned; /* the record with what this look taught (MACs, volumes, UUID, stored) */
};

/* Never fails: what cannot be decided is a verdict. */
void plan_make(const struct plan_input *in, struct plan *ret);
void change_fini(struct change *c);
void plan_fini(struct plan *p);

/* To be called when the first step of p is about to be asked for, and the record to be written
 * down: whatever becomes of the request, nothing is made twice unseen, and nothing is left unseen.
 * in is what p was made from. */
void plan_note_step(const struct plan *p, const struct plan_input *in, struct record *rec);

/* To be called after step i of p was carried out and the guest was read again (`after`): notes in
 * rec what the step taught: sizes reached, values that PVE stores differently, silent changes that
 * wait for a restart. in is what p was made from. */
void plan_learn_step(const struct plan *p, size_t i, const struct plan_input *in,
    const struct obs_guest *after, struct record *rec);

/* NULL when no step names a key, a part or a slot that is not managed, and nothing that differs is
 * called in sync; else what is wrong (caller frees). plan_make asks it last: a plan that fails it
 * is Stalled, never sent. */
char *plan_check_steps(const struct plan *p, const struct plan_input *in);

const char *step_kind_word(enum step_kind k);
const char *plan_disruption_word(enum plan_disruption d);

#endif
