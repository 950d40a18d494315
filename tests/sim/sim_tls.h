/*
 * sim_tls: a server certificate for the simulated cluster, given or made with a CA of its own.
 *
 * Not the connections themselves (sim_http).
 *
 * tls_context gives an SSL_CTX that is the caller's. What is made is written to a directory: ca.pem
 * (for clients), server.pem, server.key; files that are there already are used again.
 *
 * The program ramet-sim and tests that go over HTTPS.
 */
#ifndef RAMET_SIM_TLS_H
#define RAMET_SIM_TLS_H

#include <openssl/ssl.h>

#include "err.h"
#include "text.h"

/* Makes ca.pem, server.pem and server.key in dir for these host names and addresses, unless they
 * are there. */
int tls_make(const char *dir, const struct strs *hosts, struct err **err) MUST_CHECK;
/* A context with this certificate chain and key (PEM files). */
int tls_context(const char *cert, const char *key, SSL_CTX **ret, struct err **err) MUST_CHECK;
/* SHA-256 fingerprint of the certificate in a PEM file, as AA:BB:…; owned. NULL if unreadable. */
char *tls_fingerprint(const char *cert);

#endif
