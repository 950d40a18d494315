/*
 * ask: one call of the PVE API: what its outcome means, and when a read is asked again.
 *
 * Not the transport (pve/clusterport.h) and not a sequence of calls (ops.h). Only what surely was
 * not sent, and reads, are repeated here; after an ambiguous outcome the caller reads back.
 *
 * The asker borrows clock and port and owns the calls under way. Each call answers exactly once,
 * never from within ask; after ask_cancel not at all. The answer is borrowed for the callback.
 * While the cluster does not accept the token, one call a minute goes out as a probe and all others
 * fail at once.
 *
 * The controller process.
 */
#ifndef RAMET_ASK_H
#define RAMET_ASK_H

#include "clock.h"
#include "clusterport.h"
#include "jsn.h"
#include "slots.h"

enum ask_outcome {
	ASK_DONE,
	ASK_NOT_SENT,  /* nothing reached the peer: may be repeated */
	ASK_REJECTED,  /* refused before any effect */
	ASK_PARTIAL,   /* some of it was done: read again */
	ASK_AMBIGUOUS, /* nobody knows: read back */
	ASK_OUTCOME__MAX
};

/* What is behind a failure, from status and PVE's words; also of failed tasks. */
enum ask_why {
	ASK_WHY_NONE,
	ASK_WHY_LOCKED,	      /* a configuration lock: backup, snapshot, migrate, clone … */
	ASK_WHY_BUSY,	      /* a file lock was not got in time; a worker did not start */
	ASK_WHY_STORAGE_LOCK, /* the storage's lock was not got in time */
	ASK_WHY_DIGEST,	      /* somebody changed the configuration meanwhile */
	ASK_WHY_NO_CONFIG,    /* no such guest on that node */
	ASK_WHY_EXISTS,	      /* the VMID is taken */
	ASK_WHY_NO_QUORUM,
	ASK_WHY_FORBIDDEN,
	ASK_WHY_UNAUTHENTICATED,
	ASK_WHY_INVALID,   /* 400: PVE does not accept the parameters */
	ASK_WHY_NODE_DOWN, /* no connection to the node */
	ASK_WHY_NO_TASK,   /* the task is unknown, or ended without a word */
	ASK_WHY_RUNNING,   /* already running, or not running */
	ASK_WHY_PROTECTED,
	ASK_WHY_NO_SPACE,
	ASK_WHY_INTERRUPTED, /* the worker was ended by a signal */
	ASK_WHY_OTHER,
	ASK_WHY__MAX
};

struct ask_answer {
	enum ask_outcome outcome;
	enum ask_why why;
	int status;		/* HTTP, 0 = none */
	const char *text;	/* PVE's or the transport's words, one line; never NULL */
	const struct jsn *data; /* member `data`, when DONE; may be NULL */
	bool tls_refused;
};

struct ask_req {
	const char *method, *path;
	const struct kv *params; /* may be NULL */
	const char *node;	 /* may be NULL */
	int64_t timeout_ms;	 /* 0 = ASK_TIMEOUT_MS */
};

#define ASK_TIMEOUT_MS 45000 /* longer than pveproxy's 30 s, so that its word is heard */

typedef void (*ask_cb)(void *arg, const struct ask_answer *a);

struct asker;
struct asker *asker_new(struct clock *clock, struct cluster_port *port);
void asker_free(struct asker **a); /* calls under way are cancelled */
slot_id ask(struct asker *a, const struct ask_req *req, ask_cb cb, void *arg);
void ask_cancel(struct asker *a, slot_id *id);
struct clock *asker_clock(struct asker *a);
/* No call was accepted lately because of the token; false again with the first that is. */
bool asker_is_unauthenticated(const struct asker *a);

/* The class of a text: of an error answer or of a task's exit status. */
enum ask_why ask_why_of(const char *text);
/* "backup" of "VM is locked (backup)"; NULL when there is none. Caller frees. */
char *ask_lock_word(const char *text);
/* Worth trying again by itself, without a person. */
bool ask_why_is_transient(enum ask_why w);
/* Path of a call about a guest: "/nodes/N/qemu/100/tail". Caller frees. */
char *ask_guest_path(const char *node, uint32_t vmid, const char *tail);

#endif
