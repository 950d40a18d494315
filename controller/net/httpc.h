/*
 * httpc: an HTTP/1.1 client on the loop. Owner of libcurl in the controller process.
 *
 * Not a meaning of answers (pve/pvereq.h), not a choice of servers (pve/pveport.c), and not Git's
 * transport (git/githttp.c, in the worker process).
 *
 * The client copies the request. The reply is borrowed for the length of the callback. Each request
 * calls back exactly once, from the loop, never from within submit; after cancel not at all. The
 * client must not be freed from within a callback (loop_defer).
 *
 * The controller process.
 *
 * TLS is always verified: by fingerprints if there are any, else by the CA file, else by the CAs of
 * the system. Redirects are not followed; proxies in the environment are not used.
 *
 * Requests to one server wait in a queue of their own, in order, until one of its connections is
 * free. The time in the queue does not count as time of the exchange; it has a limit of its own.
 *
 * Only a GET goes out on a connection that was used before: libcurl repeats by itself what it sent
 * on a reused connection that turns out to be closed, and nothing but a GET may be sent twice.
 */
#ifndef RAMET_HTTPC_H
#define RAMET_HTTPC_H

#include "loop.h"
#include "tlstrust.h"

#define HTTPC_FINGERPRINTS_MAX 32

struct httpc_opts {
	const char *ca_file; /* PEM; NULL or "" = the system's */
	const char *const
	    *fingerprints; /* SHA-256 of server certificates, hex, with or without ':' */
	size_t n_fingerprints;
	bool allow_plain;	    /* http:// too: for servers on loopback */
	unsigned per_host;	    /* connections to one server at once; 0 = 4 */
	unsigned queue_max;	    /* requests that wait for one server; 0 = 4096 */
	int64_t queue_timeout_ms;   /* 0 = 60 s */
	int64_t connect_timeout_ms; /* TCP and TLS; 0 = 10 s */
	unsigned idle_s;	    /* a connection idle for longer is not used again; 0 = 3 */
};

struct httpc_request {
	const char *method; /* GET, POST, PUT, DELETE */
	const char *url;
	const char *const *headers; /* "Name: value" */
	size_t n_headers;
	const char
	    *secret_header; /* as the others, but never logged and wiped after use; or NULL */
	const void *body;   /* NULL = none; POST and PUT then send an empty one */
	size_t body_len;
	int64_t timeout_ms; /* of the exchange, from its start; > 0 */
	size_t max_body;    /* of the answer; 0 = 32 MiB */
};

enum httpc_outcome {
	HTTPC_REPLIED,	/* a whole answer */
	HTTPC_NOT_SENT, /* no byte of the request left this process */
	HTTPC_CUT,	/* some of the request went out, no whole answer came back */
	HTTPC_OUTCOME__MAX
};

struct httpc_reply {
	enum httpc_outcome outcome;
	int status;	    /* when HTTPC_REPLIED */
	const char *reason; /* reason phrase, bounded; never NULL; bytes as the peer sent them */
	const char *body;   /* NUL-terminated; never NULL; "" unless HTTPC_REPLIED */
	size_t body_len;
	int64_t date_s;	     /* its Date, in seconds since 1970; 0 = none */
	enum tlstrust trust; /* not TLSTRUST_FINE: not sent because of the certificate */
	bool timed_out;
	const char *detail; /* what went wrong and where, for people; NULL when HTTPC_REPLIED */
};

typedef void (*httpc_cb)(void *arg, const struct httpc_reply *reply);
typedef uint64_t httpc_id; /* 0 = none */

struct httpc;
#define _cleanup_httpc_ _cleanup_(httpc_free)

/* ERR_CONFIG for a fingerprint that is none; ERR_INTERNAL when libcurl cannot start. */
int httpc_new(
    struct loop *l, const struct httpc_opts *opts, struct httpc **ret, struct err **err) MUST_CHECK;
/* Drops what is queued or under way without calling back. */
void httpc_free(struct httpc **c);

httpc_id httpc_submit(struct httpc *c, const struct httpc_request *req, httpc_cb cb, void *arg);
/* Cuts the connection if the request is under way; 0 and finished ids are fine. Clears *id. */
void httpc_cancel(struct httpc *c, httpc_id *id);

/* Requests under way and waiting, for limits and tests. */
size_t httpc_active(const struct httpc *c);
size_t httpc_waiting(const struct httpc *c);

#endif
