/*
 * controller_int: what the two files of the controller share (controller.c, controller_model.c).
 *
 * Not for anybody else.
 *
 * The controller owns everything inside but the ports and the configuration.
 *
 * The controller process.
 */
#ifndef RAMET_CONTROLLER_INT_H
#define RAMET_CONTROLLER_INT_H

#include "claims.h"
#include "controller.h"
#include "guest.h"
#include "lease.h"
#include "reporter.h"
#include "source.h"

enum controller_peril { PERIL_BUDGET, PERIL_NAMED, PERIL_DEPENDENT, PERIL_REPLICATED, PERIL__MAX };

struct controller_id {
	uint32_t vmid;
	const char *name; /* borrowed from the bundle */
};

#define CONTROLLER_MAGIC 0x43544c52u

struct controller {
	uint32_t magic;
	struct controller_opts o;
	struct clock *clock;
	struct pvereq *pve;
	struct journal *journal;
	struct gate *gate;
	struct inventory *inventory;
	struct claims *claims;
	struct source *source; /* NULL when the desired state was given by hand */
	struct reporter *reporter;
	struct plan_policy policy;
	struct guest_env env;
	struct guest_rights rights;
	struct guest **guests; /* sorted by name */
	size_t n_guests, cap_guests;
	struct bundle *bundle;
	struct strs only;
	char *rev;
	bool has_only, source_started;
	bool blank;	 /* began without any memory: no journal, no report */
	char *lookalike; /* text of controller_lookalike */
	char *renamed;	 /* of controller_renamed */
	bool wide;	 /* records may have been lost: every guest is looked at once */
	uint32_t *known; /* VMIDs on record, ascending; made anew for each view */
	size_t n_known;
	/* Numbers that the manifests want, ascending; NULL when the bundle is another one since. */
	struct controller_id *ids;
	size_t n_ids;
	struct strs sought; /* names of VMs that are not on record; sorted */
	/* The model. */
	struct status status;
	const struct vmstat **vms;
	char *rev_applied;
	char *rev_reported;	      /* by the last report of an earlier life */
	char *cluster_problem;	      /* as told last */
	char *state_problem;	      /* the same */
	char *unclear, *unclear_hint; /* texts of not_ready */
	char *peril[PERIL__MAX];      /* texts of controller_peril */
	struct strs linked;
	struct lease lease;
	/* What destroyed VMs left: the one that is being looked for. */
	timer_id left_timer;
	pvereq_id left_call;
	char *left_text;
	size_t left_at;
	char *seen_instance; /* in the report, as it was read last */
	bool seen_observes;  /* that one changes nothing */
	/* Records that were written since the loop turned last. */
	timer_id turn_timer;
	unsigned turn_records;
	/* Settled and stopping. */
	timer_id watch;
	bool was_settled;
	clock_cb settled_cb, stop_cb;
	void *settled_arg, *stop_arg;
	timer_id stop_timer;
	int64_t stop_deadline;
};

/* controller.c */
struct guest *controller_find_guest(const struct controller *c, const char *name);
struct guest *controller_make_guest(struct controller *c, const char *name);
bool controller_in_scope(const struct controller *c, const char *name);

/* controller_past.c */
void controller_on_restoring(void *arg);
void controller_settle_journal(struct controller *c);
const char *controller_lookalike(void *arg, const struct guest *g);
const char *controller_not_ready(void *arg, const char **ret_hint);
bool controller_is_unseen(const struct controller *c);
/* A guest that may be ours stays unreadable, and what a person can do; NULL = none does. */
const char *controller_unclear(struct controller *c, const char **ret_hint);
void controller_on_vm(void *arg, const struct vmstat *v);
void controller_on_used(void *arg, uint32_t vmid);
void controller_on_summary(void *arg, const struct status *s);
const char *controller_followed(void *arg);
/* Why the cluster is not the one whose VMs are on record; NULL = it is. */
char *controller_alien(void *arg, const char *name, const struct obs_cluster *view);
void controller_on_followed(void *arg, const char *rev);

/* controller_rename.c */
/* A new revision is about to be in force: which of its old names nobody knows. */
void controller_note_renames(struct controller *c);
bool controller_is_renamed_unclear(struct controller *c, const struct resource *r);
const char *controller_renamed(void *arg, const struct guest *g);

/* controller_left.c */
void controller_watch_left(struct controller *c);
void controller_free_left(struct controller *c);

/* controller_lease.c */
void controller_open_lease(struct controller *c);
void controller_begin_lease(struct controller *c);
void controller_on_instance(void *arg, const char *instance, bool observes);
/* A directory of reports tells nobody that it has another holder; whoever has nothing to do learns
 * it so. */
void controller_watch_lease(struct controller *c);
void controller_lease_reported(struct controller *c, bool well);
enum reason controller_held(void *arg);
bool controller_rivalled(void *arg);
bool controller_may(void *arg, const char *name, bool creates);

/* controller_pace.c */
bool controller_is_crowded(void *arg);

/* controller_end.c */
void controller_peril(void *arg, const struct guest *g, struct plan_peril *ret);
void controller_free_peril(struct controller *c);

/* controller_model.c */
const struct status *controller_build_status(struct controller *c); /* but for used_vmids */
const struct status *controller_build_report(struct controller *c); /* all of it */
void controller_fill_policy(struct controller *c);
bool controller_settled_now(const struct controller *c);
bool controller_guests_settled(const struct controller *c); /* but for the report */
void controller_free_model(struct controller *c);
/* Of the source: the status branch may have been touched by others. */
void controller_on_listed(void *arg, const char *status_head);

/* controller_numbers.c */
/* VMIDs on record: noted anew, and asked for. */
void controller_note_known(struct controller *c);
bool controller_is_known(void *arg, uint32_t vmid);
bool controller_is_sought(void *arg, const char *name);
/* Of the inventory: what is due is read. */
void controller_on_touched(void *arg, const uint32_t *vmids, size_t n);
/* Another than this name has the number, or wants it. */
bool controller_is_reserved(void *arg, uint32_t vmid, const char *name);

/* controller_words.c */
/* Confirmations that people left for records that were rebuilt. */
void controller_take_words(struct controller *c);

#endif
