/*
 * pveport: the cluster port on HTTPS: endpoints, token, connections.
 *
 * Not a meaning of answers (pvereq.h) and not the client (net/httpc.h).
 *
 * Owns its client and copies of its options; borrows the loop and what read_token needs.
 *
 * The controller process.
 *
 * A request that names a node goes to that node's endpoint if there is one, else to the endpoint
 * that answered last. An endpoint that cannot be reached is left alone for a while; a request that
 * was certainly not sent goes to the next one at once. What a refused token does not let go out
 * (pvetoken.h) is answered with 401 on the spot.
 */
#ifndef RAMET_PVEPORT_H
#define RAMET_PVEPORT_H

#include "clusterport.h"
#include "loop.h"

struct pveport_opts {
	const char *const *endpoints; /* https://host:8006 */
	size_t n_endpoints;
	const char *token; /* user@realm!name=uuid */
	/* Reads the token again; the text is taken over. May be NULL: it never changes. */
	int (*read_token)(void *arg, char **ret, struct err **err);
	void *token_arg;
	const char *ca_file; /* "" or NULL = the system's, unless there are fingerprints */
	const char *const *fingerprints;
	size_t n_fingerprints;
	unsigned connections;	    /* per endpoint; 0 = 4 */
	int64_t connect_timeout_ms; /* 0 = 10 s */
	int64_t probe_ms;	    /* between two tries with a refused token; 0 = 60 s */
};

struct pveport;
#define _cleanup_pveport_ _cleanup_(pveport_free)

/* ERR_CONFIG for what cannot be used. Connects to nothing yet. */
int pveport_new(struct loop *l, const struct pveport_opts *opts, struct pveport **ret,
    struct err **err) MUST_CHECK;
void pveport_free(struct pveport **p);
/* The interface; borrowed. */
struct cluster_port *pveport_port(struct pveport *p);

#endif
