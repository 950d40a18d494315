/*
 * sim_http: the simulated cluster over HTTP(S), as pveproxy speaks it.
 *
 * Not evhttp: pveproxy's limits (100 requests a connection, closed after each error, 501s) and the
 * broken answers of the fault plan need the bytes in our own hands.
 *
 * Owns its listeners and connections, borrows the event base and the simulation. The clock of the
 * simulation follows the real one, `speed` times as fast.
 *
 * The program ramet-sim and tests that go over the wire.
 */
#ifndef RAMET_SIM_HTTP_H
#define RAMET_SIM_HTTP_H

#include <openssl/ssl.h>

#include "sim.h"

struct event_base;
struct sim_http;

struct sim_http_opts {
	const char *address;	   /* to listen on */
	int port;		   /* of the first node; 0 = any free one for each */
	bool all_nodes;		   /* a port for each node: port, port + 1, … */
	SSL_CTX *tls;		   /* NULL = plain HTTP */
	double speed;		   /* 1 = as real time */
	int64_t (*clock_us)(void); /* microseconds that never go back */
};

/* Without a base it has one of its own, and moves with sim_http_poll only. */
int sim_http_start(struct event_base *base, struct sim *sim, const struct sim_http_opts *opts,
    struct sim_http **ret, struct err **err) MUST_CHECK;
void sim_http_free(struct sim_http **h);
size_t sim_http_count(const struct sim_http *h);
/* What has arrived is taken and what is to be sent is sent, without waiting. */
void sim_http_poll(struct sim_http *h);
/* Brings the simulation's clock up to date; again after something was done to it beside requests.
 */
void sim_http_sync(struct sim_http *h);
/* As pveproxy begins anew with another certificate: answers under way are given, and every
 * connection ends. Borrowed like the one that it began with, which is not needed any more. */
void sim_http_set_tls(struct sim_http *h, SSL_CTX *tls);
/* The loop that it runs in. */
struct event_base *sim_http_base(struct sim_http *h);
/* Port of the nth listener and the node it stands for. */
int sim_http_port(const struct sim_http *h, size_t i);
const char *sim_http_node(const struct sim_http *h, size_t i);

#endif
