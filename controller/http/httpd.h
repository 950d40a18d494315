/*
 * httpd: a small HTTP listener on the loop: a table of routes, each answered at once. Owner of
 * evhttp.
 *
 * Not TLS and not users: it listens on loopback unless told otherwise, shows no secret, and changes
 * nothing but that Git and the cluster are looked at sooner (webhook.h). A reverse proxy does the
 * rest.
 *
 * Borrows loop and routes for its whole life; a request is borrowed by its handler for the call.
 * Everything that a client sends is bounded: head, body, time and number of connections.
 *
 * The controller process.
 */
#ifndef RAMET_HTTPD_H
#define RAMET_HTTPD_H

#include "buf.h"
#include "loop.h"

#define HTTPD_HEAD_MAX (8 << 10) /* bytes: request line and headers */
#define HTTPD_BODY_MAX (1 << 20) /* bytes: the push event of a forge fits well */
#define HTTPD_IDLE_S 10		 /* a client that says nothing for so long is cut off */
#define HTTPD_CONNECTIONS_MAX 64 /* one more waits until one goes */
#define HTTPD_PATH_MAX 256	 /* bytes */

struct httpd_request {
	const char *method, *path; /* as sent, without the query */
	const char *body;	   /* NUL-terminated; never NULL */
	size_t body_len;
	void *headers; /* for httpd_header */
};
/* NULL if the client did not send it. Borrowed. */
const char *httpd_header(const struct httpd_request *req, const char *name);

struct httpd_reply {
	int status;	  /* 200 if left alone */
	const char *type; /* "text/plain; charset=utf-8" if left alone */
	struct buf body;
};

struct httpd_route {
	const char *method; /* GET answers HEAD as well */
	const char *path;
	void (*handle)(void *arg, const struct httpd_request *req, struct httpd_reply *ret);
};

struct httpd_opts {
	const char *listen; /* "127.0.0.1:8080", "[::1]:8080"; port 0 = any that is free */
	const struct httpd_route *routes;
	size_t n_routes;
	/* Each answer, refused requests too; may be NULL. */
	void (*on_answer)(void *arg, int status);
	void *arg; /* of the handlers and on_answer */
};

struct httpd;
#define _cleanup_httpd_ _cleanup_(httpd_free)

/* ERR_CONFIG with a hint: an address in use, not of this machine, or not allowed. */
int httpd_new(
    struct loop *l, const struct httpd_opts *o, struct httpd **ret, struct err **err) MUST_CHECK;
void httpd_free(struct httpd **h); /* not from a handler */
/* "127.0.0.1:8080", with the port it really has. Borrowed. */
const char *httpd_address(const struct httpd *h);

#endif
