/*
 * ops_int: what the files of the operations share (ops*.c).
 *
 * Not for anybody else.
 *
 * The operation owns everything inside.
 *
 * The controller process.
 */
#ifndef RAMET_OPS_INT_H
#define RAMET_OPS_INT_H

#include "look.h"
#include "ops.h"
#include "pvetask.h"

#define OP_MAGIC 0x4f504552u

/* Of destroying (ops_destroy.c). */
struct op_end_state {
	bool power;			   /* shut down or stopped first */
	char *uuid, *nonce, *renamed_from; /* who it has to be; of steps without digest too */
	char *digest;			   /* of its configuration that the plan was made from */
	char *refused;			   /* why nothing is sent, or NULL */
	struct strs stores;		   /* where clones of a template may lie */
	size_t at_store;
	void (*unlinked)(struct op *op); /* goes on when none does */
	struct strs left;		 /* volumes that PVE could not remove */
};

struct op {
	uint32_t magic;
	struct op_env env;
	op_cb cb;
	op_progress_cb progress;
	void *arg;
	char *name;
	/* The request to send. */
	enum endpoint_id endpoint;
	char *node, *pool;
	uint32_t vmid;
	struct kv params;
	bool check_quorum; /* ask that very node first */
	int64_t task_ms;
	/* Under way. */
	pvereq_id call;
	struct pvetask *task;
	struct look *look;
	timer_id timer;
	char *upid;
	bool want_log;
	bool stepped;			/* the journal has it as a step under way */
	int64_t boot;			/* of a restart: since when the guest runs; 0 = none */
	void (*quorate)(struct op *op); /* goes on when the node has quorum */
	struct op_end_state end;
	/* Creation. */
	bool create, resolve_only, has_want, met;
	uint32_t fixed_id; /* of the manifest, 0 = none */
	struct intent intent;
	char *text;	   /* description without marker; of other steps, for people */
	struct strs nodes; /* where the clone may be found */
	size_t at_node;
	uint32_t candidate; /* the number that is being asked for */
	unsigned candidates, polls;
	int64_t deadline;
	bool task_ok;
	char *task_text; /* of a task that failed, or of which nothing is heard */
	enum pve_reason task_why;
	bool task_silent; /* nothing is heard of it: it may be at work */
	/* Of a clone whose task failed, and that is there (ops_husk.c). */
	struct strs disks;
	size_t at_disk;
	bool disks_seen;
	void (*disks_there)(struct op *op); /* goes on when all are */
};

void op_finish(struct op *op, enum op_end end, enum pve_reason why, const char *text);
void op_finish_stuck(struct op *op, enum reason reason, const char *text, const char *hint);
/* True when it may not act any more: then it has ended. */
bool op_is_held(struct op *op);
/* The request itself, answered to cb; none when it is held. */
void op_send(struct op *op, pvereq_cb cb);
/* Something durable failed: without a journal nothing is sent. */
void op_unwritable(struct op *op, const struct err *e);
/* Follows the task; false when the UPID has no valid form. */
bool op_follow(struct op *op, const char *upid, pvetask_cb cb);
/* The quorum as op->node sees it: next when the node confirms it, else the operation ends. */
void op_ask_quorum(struct op *op, void (*next)(struct op *op));
/* No volume on the storages of op->end is linked to those of this VM: next; else it ends. */
void op_ask_linked(struct op *op, void (*next)(struct op *op));
/* What an answer, or the end of a task, comes to by itself. */
void op_sent(void *arg, const struct pvereq_result *a);
void op_task_ended(struct op *op, const struct pvetask_result *r);
void op_end_start(struct op *op, const struct op_job *job);
void op_end_resume(struct op *op);
void op_end_fini(struct op *op);
void op_create_start(struct op *op, const struct op_job *job);
/* ops_number.c: finds a number and notes it in the intent, with the quorum of the node asked for at
 * the end; goes on with op_clone_numbered or op_clone_taken, or ends the operation. */
void op_number(struct op *op);
void op_clone_numbered(struct op *op);
void op_clone_taken(struct op *op); /* the manifest's own is taken */
/* All volumes of the guest that were made for it are on their storages: next; else it ends. */
void op_ask_disks(struct op *op, const struct obs_guest *g, void (*next)(struct op *op));
/* Free (0), taken (1), or no answer. */
int op_existence(const struct pvereq_result *a);
void op_ask_existence(struct op *op, uint32_t vmid, pvereq_cb cb);

#endif
