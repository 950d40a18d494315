/*
 * tlspin: trust in server certificates by their SHA-256 fingerprints. Owner of libssl.
 *
 * Not the verification by certificate authorities (libcurl does it).
 *
 * The list owns copies of the fingerprints and must outlive the contexts it was put into.
 *
 * The controller process.
 */
#ifndef RAMET_TLSPIN_H
#define RAMET_TLSPIN_H

#include "err.h"
#include "tlstrust.h"

#define TLSPIN_BYTES 32

struct tlspin {
	unsigned char (*v)[TLSPIN_BYTES];
	size_t n;
	char refused[TLSPIN_BYTES * 3]; /* the fingerprint refused last, AA:BB:…; "" if none was */
};

/* 64 hex digits of any case, with or without a colon between bytes. ERR_CONFIG. */
int tlspin_parse(const char *text, unsigned char ret[TLSPIN_BYTES], struct err **err) MUST_CHECK;
int tlspin_init(struct tlspin *p, const char *const *texts, size_t n, struct err **err) MUST_CHECK;
void tlspin_fini(struct tlspin *p);
/* "AA:BB:…" */
void tlspin_print(const unsigned char md[TLSPIN_BYTES], char ret[3 * TLSPIN_BYTES]);

/* Makes handshakes of this SSL_CTX succeed only with a leaf certificate of the list, whoever signed
 * it and whatever names it bears. */
void tlspin_apply(struct tlspin *p, void *ssl_ctx);
/* What libssl said of a chain that was not accepted in the end (X509_V_…). */
enum tlstrust tlspin_judge(long verdict);

#endif
