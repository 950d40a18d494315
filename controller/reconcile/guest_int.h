/*
 * guest_int: what the files of the guest machine share (guest*.c).
 *
 * Not for anybody else.
 *
 * The guest owns everything inside but the environment.
 *
 * The controller process.
 */
#ifndef RAMET_GUEST_INT_H
#define RAMET_GUEST_INT_H

#include "guest.h"
#include "look.h"

#define GUEST_MAGIC 0x47554553u
#define GUEST_VOLUME_CHARS 1000	 /* of a name, whole: whoever looks for it reads it there */
#define GUEST_LOCK_WAIT_MS 15000 /* until a lock is looked at again */

/* One look and the plan made from it, kept until the next: what a step taught is learnt by
 * comparing with it. */
struct turn {
	struct bundle *bundle;
	const struct resource *want;
	struct obs_guest guest, source;
	bool has_guest, has_source, gone, source_gone;
	struct record record;
	bool has_record;
	struct strs fight;
	struct strs bridges; /* of the node to clone to; empty = not known */
	struct kv secrets, secret_errors;
	struct plan_input in;
	struct plan plan;
	bool planned;
};

/* The lock that was seen last, and who holds it. */
struct guest_lock {
	uint32_t vmid;
	char *word, *holder; /* holder: NULL = not known */
	int64_t asked_at, lone_since;
	void (*next)(struct guest *g);
};

struct guest {
	uint32_t magic;
	const struct guest_env *env;
	char *name;
	enum guest_state state;
	timer_id timer;
	struct bundle *bundle;
	const struct bundle_entry *entry;
	const struct resource *want;
	char hash[CRYPT_HEX_LEN]; /* of the manifest in force */
	struct record rec;
	struct record told; /* by the last report, of another VM under the number on record */
	struct vmstat st;
	struct turn *turn; /* the one under way or the last one */
	struct turn *last; /* the one whose step was carried out, to learn from */
	/* Under way. */
	struct look *look;
	pvereq_id call;
	uint64_t waiter;
	gate_ticket ticket, read_ticket;
	struct op *op;
	char *storage; /* whose clone limit the operation counts for */
	/* Memory between turns. */
	bool due;		  /* again, right after what is under way */
	bool wait_view;		  /* the next view ends the wait */
	bool current;		  /* planned since the manifest came */
	bool tagless;		  /* PVE refused it Ramet's tag since the manifest came */
	struct strs tags_refused; /* and these others */
	char *tag_rules;	  /* PVE's, when it did; NULL = unknown */
	bool intent_free;	  /* the open intent was resolved: its number is free */
	bool acted;		  /* an operation was carried out since the last time in sync */
	bool author_asked;
	bool unsaved;	    /* the record in memory is newer than the journal's, which could not be
			       written */
	unsigned fails;	    /* in a row */
	unsigned gone_seen; /* looks at the cluster in which its VMID was free */
	uint64_t gone_look;
	unsigned hidden_seen;
	int64_t pool_at;    /* when its pool was written last; 0 = never */
	bool end_seen;	    /* the task of the open departure has ended */
	bool resuming;	    /* following that task */
	int64_t stay_after; /* no late answer to its DELETE comes after this; 0 = none is out */
	struct resource *parting; /* in place of a manifest that is gone, when that is an order */
	struct strs bases;	  /* VMIDs of templates that its disks are linked to */
	char *last_step;	  /* text of the step that was carried out last */
	bool restart_down;	  /* PVE says that it went down for it */
	int64_t restart_boot;	  /* wall seconds: when the guest began to run that was told to
				     restart; 0 = none was */
	int64_t
	    restart_recalled; /* when it was learnt of a call of an earlier life; -1 = it was not */
	int64_t restart_at, down_since; /* when it was told; when it was first seen to be down, or
					   -1 */
	unsigned vain;			/* how often in a row it was, without an effect */
	char *vain_digest;		/* of the VM when it was left alone for that */
	char *full_step, *full_text;	/* what a full storage did not let be done, and its words */
	int64_t full_at;		/* when */
	uint64_t full_avail; /* what the storages of the step had left after that; 0 = unknown */
	bool met;	     /* a number that was wanted for a clone was taken */
	int64_t met_at;	     /* and it is not known yet by whom; 0 = it is */
	char *sized_slot;    /* of the plan's input */
	uint64_t sized_gb;
	char *size_told; /* step whose size was written in its place: once */
	char *nonce;	 /* for an adoption */
	bool waiting;	 /* for this reason since then, turns that end so again included */
	enum reason wait_reason;
	int64_t wait_since;
	struct strs loose_seen; /* volumes that nothing named when it was looked last */
	size_t loose_at;	/* the storage that is being looked at */
	int64_t fight_since;	/* wall: corrections before do not count */
	struct guest_lock lock;
};

/* guest_hint.c: what a person can do about a refusal, beyond what its reason says; NULL: no more */
const char *guest_hint(enum pve_reason why, const char *text);
/* The same about the step that failed last; caller frees. */
char *guest_step_hint(const struct guest *g);

/* guest_grant.c: what is refused for lack of a right */
/* What is lacking, for people, and the command that gives it; *ret_hint may be NULL. Caller frees
 * both. */
char *guest_lack(
    const struct guest *g, const struct grant_call *call, const char *text, char **ret_hint);
/* A step was refused: a person is needed, unless it can be done without a tag. */
void guest_forbidden(struct guest *g, const struct op_result *r);
/* Tags that were refused may be tried again. */
void guest_retry_tags(struct guest *g);
/* The same when PVE has other rules for tags now. */
void guest_look_at_tags(struct guest *g);

/* guest_restart.c: a restart ends with a guest that runs */
void guest_note_restart(struct guest *g); /* it is told to */
/* After a step. True: it was a restart, and the guest is on its way up. */
bool guest_went_down(struct guest *g, const struct step *s);
/* The guest that was read went down for a restart of ours, and nobody starts it. */
bool guest_is_restarting(struct guest *g);
/* A restart of which the journal knows, and of which it is not known what came of it. */
void guest_recall_restart(struct guest *g, const struct doing *d);
/* Before a step. True: one was asked for, nobody answered, and it may still come. */
bool guest_awaits_restart(struct guest *g, const struct plan *p);
/* When to look again at a guest that went down; 0 = it did not. */
int64_t guest_restart_pause(const struct guest *g);

/* guest_vain.c: steps that PVE carries out and that change nothing */
/* After a step: a disk that PVE does not grow because its image has the size already. */
void guest_note_size(struct guest *g, const struct step *s, bool same);
/* After a step. True: it is enough, the guest is stalled. */
bool guest_note_vain(struct guest *g, bool same);
/* Before a step. True: it is not done again, the guest is stalled. */
bool guest_is_vain(struct guest *g, const struct step *s);
/* After a step: one that found its storage full. */
void guest_note_full(struct guest *g, const struct op_result *r);

/* guest.c */
/* Ends whatever is under way: calls, waiting, timers. */
void guest_drop_action(struct guest *g);
/* The journal was not lost, and knows that its end was carried out, by this instance or the one
 * before: a record of it is older. */
bool guest_was_destroyed(const struct guest *g, uint32_t vmid);
void guest_enter(struct guest *g, enum guest_state next);
void guest_set_status(
    struct guest *g, enum plan_verdict v, enum reason r, const char *message, const char *hint);
/* An operation begins; takes the text. */
void guest_note_op(struct guest *g, char *what);
/* Waits with a reason; wakes by time, by a touch, and with view also by the next view. */
void guest_wait(struct guest *g, enum reason r, const char *message, int64_t ms, bool view);
void guest_stall(struct guest *g, enum reason r, const char *message, const char *hint);
void guest_settle(struct guest *g);
/* After a failure: growing pauses with jitter. */
int64_t guest_backoff(const struct guest *g);
void guest_save_record(struct guest *g);
void turn_free(struct turn **t);

/* guest_hold.c: waits, or stalls, and says so when nothing may be changed now. */
bool guest_is_held(struct guest *g);
/* A number that was wanted for a clone is somebody's: nothing is cloned before it was seen whose.
 */
void guest_meet(struct guest *g, const char *text);
bool guest_awaits_met(struct guest *g);
bool guest_has_lookalike(struct guest *g);
/* Two carry the marker, and no record says which is meant. True: that is told. */
bool guest_is_torn(struct guest *g, const struct claim *one);
void guest_wait_state(struct guest *g, const char *why);
/* A task that an earlier life asked for may still be under way. */
bool guest_has_step_task(struct guest *g);
void guest_resume_step(struct guest *g);

/* guest_read.c: a new turn: find the VM, read it, or its template. */
void guest_begin(struct guest *g);

/* guest_turn.c: the turn has all it needs: plan, and go on. */
void guest_plan_turn(struct guest *g);

/* guest_op.c */
/* Carries out the first step of the plan, when its turn has come. */
void guest_act(struct guest *g);
/* A clone was under way in an earlier life, or its answer was lost: what came of it? */
void guest_resolve(struct guest *g);
void guest_start_op(struct guest *g, const struct op_job *job);

/* guest_lock.c: the guest, or its template, was read; looks who holds its lock, then goes on. */
void guest_look_lock(struct guest *g, void (*next)(struct guest *g));
void guest_forget_lock(struct guest *g);

/* guest_loose.c: the guest was read; looks for what steps left at storages, then plans. */
void guest_look_loose(struct guest *g);

/* guest_end.c */
/* The manifest in force, or what stands for one that is gone. */
const struct resource *guest_wanted(const struct guest *g);
bool guest_is_pruned(struct guest *g);
bool guest_note_parting(struct guest *g);
bool guest_is_departing(const struct guest *g);
bool guest_has_end_task(const struct guest *g);
void guest_stay(struct guest *g);
void guest_note_left(struct guest *g, const struct op_result *r);
void guest_forget(struct guest *g);
void guest_resume_end(struct guest *g);
void guest_end_resumed(struct guest *g, const struct op_result *r);
void guest_learn_bases(struct guest *g);

/* guest_drift.c */
/* Takes the drift out of the plan into the status. True when a new one has no known author yet. */
bool guest_drift_update(struct guest *g);
/* Leaves that came back too often. */
void guest_drift_fights(struct guest *g, struct strs *ret);
/* How long to wait before the next correction: 0 = none. */
int64_t guest_drift_delay(const struct guest *g);

#endif
