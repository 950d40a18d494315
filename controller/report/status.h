/*
 * status: what is known about each VM and about the controller, as a model to render.
 *
 * Not the rendering (tree.h) and not the deciding (plan/, reconcile/): whoever decides fills it in.
 *
 * Plain data that owns its strings; status_fini and vmstat_fini free them.
 *
 * Pure.
 */
#ifndef RAMET_STATUS_H
#define RAMET_STATUS_H

#include "plan.h"

/* One leaf that differs or differed. */
struct drift {
	char *path;		 /* "cpu.cores" */
	char *wanted, *found;	 /* for people */
	char *who;		 /* "ops@pam", or NULL = unknown */
	int64_t since_wall;	 /* when it was seen first, ms; moves only when found changes */
	int64_t corrected_wall;	 /* 0 = still there */
	bool fight;		 /* came back too often: left alone */
	enum change_state state; /* while still there: DO, BLOCKED, REPORT */
	char *why;		 /* when blocked, or NULL */
};

struct drifts {
	struct drift *v;
	size_t n, cap;
};

#define STATUS_FALLEN_KEEP 100
/* Corrections per VM: of older ones so many are kept for people; of those of the last day, by which
 * a fight is known, all, up to some bound. */
#define STATUS_CORRECTED_KEEP 20
#define STATUS_CORRECTED_MAX 500

/* One VM: what vms/NAME.yaml, its row in STATUS.md and `ramet status NAME` show. */
struct vmstat {
	char *name;
	char *file; /* manifest's path, NULL when it is gone */
	char *rev;  /* revision that its manifest in force is from */
	bool stale; /* newer versions have findings */
	enum plan_verdict verdict;
	enum reason reason;
	char *message, *hint; /* for people; hint NULL = reason_next */
	int64_t since_wall;   /* of verdict and reason */
	char *node;	      /* NULL = unknown */
	char *power;	      /* PVE's word, NULL = unknown */
	char *lock;
	struct record record;
	struct drifts drifts;	 /* now, by path */
	struct drifts corrected; /* lately, newest first, at most STATUS_CORRECTED_MAX */
	struct strs linked_to;	 /* VMIDs of templates without whose images it cannot run */
	struct strs pending_keys;
	struct strs blocked;   /* "disk.scsi0.size_gb: why": changes that a person must decide */
	char *last_op;	       /* "configure: set cores=4", NULL = none yet */
	char *last_upid;       /* NULL = none */
	char *last_result;     /* "OK", or PVE's words */
	struct diags findings; /* about its newest manifest */
};

void vmstat_fini(struct vmstat *v); /* v is an empty model afterwards */
void drifts_fini(struct drifts *l);
struct drift *drifts_add(struct drifts *l); /* zeroed; valid until the next add */

/* The conditions, derived. A VM whose newest manifest has findings is Stalled and not Ready,
 * however well the version in force fits. */
bool vmstat_is_ready(const struct vmstat *v);
bool vmstat_is_stalled(const struct vmstat *v);
bool vmstat_is_suspended(const struct vmstat *v);
bool vmstat_is_reconciling(const struct vmstat *v);
bool vmstat_is_drifted(const struct vmstat *v);
bool vmstat_is_pending(const struct vmstat *v); /* something waits for a restart of the guest */
/* What was last known of the VM need not be so any more: it cannot be read just now. */
bool vmstat_is_unknown(const struct vmstat *v);

/* The one word of tables, worst first. */
enum vmstat_state {
	VMSTAT_STALLED,
	VMSTAT_WAITING,
	VMSTAT_DRIFTED,
	VMSTAT_RECONCILING,
	VMSTAT_SUSPENDED,
	VMSTAT_PENDING,
	VMSTAT_READY,
	VMSTAT_STATE__MAX
};
enum vmstat_state vmstat_state(const struct vmstat *v);
const char *vmstat_state_word(enum vmstat_state s);
/* Behind a number of VMs: "3 stalled"; NULL for those of which nothing is to be said. */
const char *vmstat_state_count_word(enum vmstat_state s);
/* Order of tables: worst first. Smaller is worse. */
int vmstat_rank(const struct vmstat *v);
/* The reason that matters most to a person: of the newer manifest if that is what is wrong. */
enum reason vmstat_reason(const struct vmstat *v);
/* What a person can do next: the hint, else what the reason says; NULL = nothing. Borrowed. */
const char *vmstat_next(const struct vmstat *v);

struct status {
	char *controller_id, *instance;
	char *rev_wanted;   /* newest revision seen; NULL = none yet */
	char *rev_applied;  /* newest revision that every VM has settled on; NULL = none */
	char *rev_followed; /* newest that the branch reached without a break; NULL = none */
	char *subject;	    /* of rev_wanted */
	/* Each NULL = well, else one sentence for people, with the next step. */
	char *git_problem, *cluster_problem, *report_problem, *state_problem;
	bool observe_only;
	const struct vmstat **vms; /* borrowed, sorted by name */
	size_t n_vms;
	struct diags findings; /* of the whole bundle: those about no VM in particular as well */
	struct strs copies;    /* one line for each VM that carries a marker that is not its own */
	struct strs unclaimed; /* the same of ours that no manifest and no record names */
	struct status_fallens {
		struct status_fallen {
			char *name;
			uint32_t vmid;
			int64_t wall_ms; /* whole seconds */
		} * v;
		size_t n, cap;
	} fallen;		/* VMs that were destroyed lately, oldest first */
	struct strs leftovers;	/* one line each: volumes that nothing names, and the command */
	struct strs used_vmids; /* numbers once used, not used again: decimal, sorted as numbers */
};

/* The problems are "facts; next step": length of the facts, and the next step, "" if there is none.
 */
size_t status_problem_facts(const char *text, const char **ret_next);

/* How many VMs there are in each state; conditions beside them, where they overlap. */
struct status_counts {
	size_t total, ready, stalled, reconciling, drifted, pending, suspended;
	size_t by_state[VMSTAT_STATE__MAX];
};
struct status_counts status_count(const struct status *s);
/* The VMs, worst first, then by name. Caller frees the array. */
const struct vmstat **status_sorted(const struct status *s);

void status_fini(struct status *s);

#endif
