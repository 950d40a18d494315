/*
 * pvereq: one call of the API: sent, waited for, and its outcome understood.
 *
 * Not the transport (clusterport.h), not the task that a call may begin (pvetask.h), and not a plan
 * what to do next: reconcile decides that from outcome and reason.
 *
 * The caller owns the client and cancels what it no longer wants; the spec is copied. The result is
 * borrowed for the length of the callback. Each call calls back exactly once, from the loop, never
 * from within pvereq_send; after cancel not at all.
 *
 * The controller process, on any clusterport and any clock.
 *
 * Only what was certainly not sent is sent again by this module, with growing pauses and a limit.
 * A call that changes something and ends AMBIGUOUS or PARTIAL is followed by reading, see the
 * endpoint's `check`.
 */
#ifndef RAMET_PVEREQ_H
#define RAMET_PVEREQ_H

#include "clock.h"
#include "clusterport.h"
#include "endpoints.h"
#include "jsn.h"
#include "pveerr.h"

struct pvereq_spec {
	enum endpoint_id endpoint;
	struct endpoint_args args;
	const struct kv *params; /* may be NULL */
	int64_t timeout_ms;	 /* of one exchange; 0 = the client's */
	bool unread;		 /* a long list: no tree is made of the answer, see `list` */
	int64_t patience_ms; /* how long to go on sending what was not sent; 0 = 15 s; -1 = once */
};

struct pvereq_result {
	enum pve_outcome outcome;
	enum pve_reason reason;
	const char *subject; /* of the reason: lock, storage, privilege …; "" if none */
	const char *text;    /* what went wrong, one line for people; "" when done */
	int status;	     /* HTTP, 0 without an answer */
	int64_t date_s;	     /* by the clock of the node that answered, since 1970; 0 = unknown */

	/* When PVE_DONE */
	const struct jsn *data; /* NULL for JSON null */
	const struct jsn *body; /* the whole answer, for what stands beside data */
	const char *upid;	/* of the task that was begun; NULL if none was */
	/* The answer as it came, for jsnrows.h, in place of data and body: when it was to be left
	 * unread. */
	const char *list;
	size_t list_len;

	/* When the parameters were refused: parameter → text. May be empty. */
	const struct kv *errors;
};

typedef void (*pvereq_cb)(void *arg, const struct pvereq_result *res);
typedef uint64_t pvereq_id; /* 0 = none */

struct pvereq;
#define _cleanup_pvereq_ _cleanup_(pvereq_free)

/* Borrows port and clock. timeout_ms: default of one exchange. */
struct pvereq *pvereq_new(struct cluster_port *port, struct clock *clock, int64_t timeout_ms);
/* Drops what is under way without calling back. */
void pvereq_free(struct pvereq **r);

pvereq_id pvereq_send(struct pvereq *r, const struct pvereq_spec *spec, pvereq_cb cb, void *arg);
/* 0 and finished ids are fine. Clears *id. What is cancelled may still take effect. */
void pvereq_cancel(struct pvereq *r, pvereq_id *id);

struct clock *pvereq_clock(struct pvereq *r);
/* Unix time, ms, as if the clock had not been set since the client began. */
int64_t pvereq_steady_wall(const struct pvereq *r);
size_t pvereq_active(const struct pvereq *r);

#endif
