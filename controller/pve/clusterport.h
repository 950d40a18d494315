/*
 * clusterport: the cluster as an interface: one HTTP request, one reply.
 *
 * Not a meaning of requests (pvereq.h classifies outcomes and retries), not a choice of node: a
 * request names the node it concerns and the implementer picks the endpoint.
 *
 * The implementer copies the request before submit returns. The reply is borrowed for the length of
 * the callback. Each submitted request calls back exactly once, never from within submit; after
 * cancel not at all.
 *
 * The controller process. Implemented by pveport.c (libcurl) and, in tests, by the simulated
 * cluster called in the same process. Nothing above can tell which.
 */
#ifndef RAMET_CLUSTERPORT_H
#define RAMET_CLUSTERPORT_H

#include "kv.h"
#include "tlstrust.h"

struct cluster_request {
	const char *method; /* GET, POST, PUT, DELETE */
	const char *path;   /* after /api2/json, percent-encoded, with leading slash, no query */
	const struct kv
	    *params;	    /* query for GET and DELETE, form fields for the rest; may be NULL */
	const char *node;   /* node that it concerns, a hint for routing; may be NULL */
	int64_t timeout_ms; /* of the whole exchange */
	bool as_text;	    /* the body is taken as it is: the reply has no tree */
};

enum cluster_transport {
	CLUSTER_REPLIED,  /* status, reason and body are those of a complete answer */
	CLUSTER_NOT_SENT, /* no connection, no TLS: nothing reached the peer */
	CLUSTER_CUT,	  /* it may have reached the peer: reset, timeout, answer cut short */
	CLUSTER_TRANSPORT__MAX
};

struct jsn;

struct cluster_reply {
	enum cluster_transport transport;
	int status;	    /* HTTP, when CLUSTER_REPLIED */
	const char *reason; /* reason phrase: PVE's error text; never NULL, may be "" */
	const char *body;   /* NUL-terminated; never NULL */
	size_t body_len;
	struct jsn *
	    *tree;	/* what body says, for the taking, by a port that has no text; else NULL */
	int64_t date_s; /* when the answer was given by the node's clock, since 1970; 0 = unknown */
	enum tlstrust trust; /* not TLSTRUST_FINE: NOT_SENT because of the certificate */
	const char
	    *detail; /* for people: the transport's own words, and the endpoint; may be NULL */
};

typedef void (*cluster_cb)(void *arg, const struct cluster_reply *reply);
typedef uint64_t cluster_id; /* 0 = none */

struct cluster_port;
struct cluster_port_ops {
	cluster_id (*submit)(
	    struct cluster_port *p, const struct cluster_request *req, cluster_cb cb, void *arg);
	void (*cancel)(struct cluster_port *p, cluster_id id);
	/* The node that answered the last status call, where known ("" otherwise). */
	const char *(*entry)(struct cluster_port *p);
};

struct cluster_port {
	const struct cluster_port_ops *ops;
};

static inline cluster_id cluster_submit(
    struct cluster_port *p, const struct cluster_request *req, cluster_cb cb, void *arg)
{
	return p->ops->submit(p, req, cb, arg);
}

static inline void cluster_cancel(struct cluster_port *p, cluster_id *id)
{
	if (*id)
		p->ops->cancel(p, *id);
	*id = 0;
}

#endif
