/*
 * ops: one step of a plan as calls of the API: create, configure, move, resize, power, migrate,
 * destroy.
 *
 * Not the choice of steps (plan/) and not the order of turns (guest.h): after every operation the
 * guest is read and planned again. What destroys stands in one file, ops_destroy.c.
 *
 * An operation owns copies of all it needs. It calls back exactly once, never from within op_start,
 * and is freed by its owner with op_cancel, also from within the callback. What is under way in PVE
 * goes on when the operation is cancelled; a clone is found again through the journal.
 *
 * The controller process.
 */
#ifndef RAMET_OPS_H
#define RAMET_OPS_H

#include "grant.h"
#include "inventory.h"
#include "journal.h"
#include "plan.h"
#include "pvereq.h"

/* So long may a call still be on its way whose answer was lost: longer than anybody waits for one
 * (cluster.timeout). */
#define OPS_LATE_MS (11 * 60 * 1000)

enum op_end {
	OP_DONE,      /* carried out; read again */
	OP_AGAIN,     /* nobody knows, or only a part: read and plan again */
	OP_FAILED,    /* without effect: why, text */
	OP_CREATED,   /* the clone is there and ours: record */
	OP_FREE,      /* resolve: the number is free, the clone may be asked for */
	OP_HELD,      /* nothing was sent: it may not act any more; read and plan again */
	OP_ABANDONED, /* the number belongs to a stranger: the intent is closed */
	OP_STUCK,     /* a person is needed: reason, text, hint */
	OP_END__MAX
};

struct op_result {
	enum op_end end;
	enum pve_reason why;
	enum reason reason;	     /* of STUCK */
	const char *text;	     /* for people; never NULL */
	const char *hint;	     /* may be NULL */
	const char *upid;	     /* of the last task; may be NULL */
	const struct record *record; /* of CREATED */
	struct grant_call call;	     /* that was sent, for what is refused; borrowed */
	const struct strs *left;     /* of DONE: volumes that could not be removed; may be NULL */
};

struct op_env {
	struct clock *clock;
	struct pvereq *pve;
	struct journal *journal;
	struct inventory *inventory;
	const char *controller_id;
	uint32_t vmid_min, vmid_max; /* 0 = no range configured */
	/* The number belongs to a manifest (another one than this). */
	bool (*is_reserved)(void *arg, uint32_t vmid, const char *name);
	/* Asked right before each call that changes something, for what is read before it may take
	 * minutes: nothing has come up that forbids it. creates: it is a clone. NULL = nothing can.
	 */
	bool (*may)(void *arg, const char *name, bool creates);
	void *arg;
};

struct op_job {
	const char *name;		/* of the manifest */
	const struct step *step;	/* NULL: resolve the open intent of this name */
	bool departs;			/* without step: follow the task of its open departure */
	bool resumes;			/* without step: follow the task of its open step */
	const struct resource *want;	/* NULL only when resolving for a manifest that is gone */
	const struct record *record;	/* NULL when creating */
	const struct obs_guest *guest;	/* as read in this turn; NULL when creating */
	const struct obs_guest *source; /* when creating */
	const char *secrets_dir;	/* see secretfile.h */
	bool met; /* when creating: a number was taken before, and it is known by whom */
};

typedef void (*op_cb)(void *arg, const struct op_result *r);
typedef void (*op_progress_cb)(void *arg, int percent);

struct op;
struct op *op_start(const struct op_env *env, const struct op_job *job, op_cb cb,
    op_progress_cb progress, void *arg);
void op_cancel(struct op **op);

/* The guest that was read is the one on record: marker of this controller and name with its own
 * VMID, nonce and UUID as recorded; or it is being adopted with its UUID. NULL, or why not (caller
 * frees). */
char *op_identity(const char *controller_id, const struct op_job *job);

#endif
