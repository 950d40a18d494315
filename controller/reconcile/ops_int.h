/*
 * ops_int: what the files of the operations share (ops.c, ops_create.c).
 *
 * Not for anybody else.
 *
 * The operation owns everything inside.
 *
 * The controller process.
 */
#ifndef RAMET_OPS_INT_H
#define RAMET_OPS_INT_H

#include "follow.h"
#include "look.h"
#include "ops.h"

#define OP_MAGIC 0x4f504552u

struct op {
	uint32_t magic;
	struct op_env env;
	op_cb cb;
	op_progress_cb progress;
	void *arg;
	char *name;
	/* The request to send. */
	const char *method;
	char *path, *node;
	struct kv params;
	bool check_quorum; /* ask that very node first */
	int64_t task_ms;
	ask_cb on_sent;
	/* Under way. */
	slot_id call;
	struct follow *follow;
	struct look *look;
	timer_id timer;
	char *upid;
	/* Creation. */
	bool create, resolve_only, has_want;
	uint32_t fixed_id; /* of the manifest, 0 = none */
	struct intent intent;
	char *text;	   /* description without marker */
	struct strs nodes; /* where the clone may be found */
	size_t at_node;
	unsigned candidates, polls;
	int64_t deadline;
	bool task_ok;
	char *task_text; /* of a task that failed */
};

void op_finish(struct op *op, enum op_end end, enum ask_why why, const char *text);
void op_finish_stuck(struct op *op, enum reason reason, const char *text, const char *hint);
/* The quorum as op->node sees it, if asked for, then the request itself, answered to cb. */
void op_send(struct op *op, ask_cb cb);
void op_create_start(struct op *op, const struct op_job *job);

#endif
