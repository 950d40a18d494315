/*
 * httpeasy: one HTTP exchange as an easy handle of libcurl: its options, and what came back.
 *
 * Not a queue and not a loop (httpc.c, its only user).
 *
 * httpeasy_new copies the request but borrows the CA file's name and the list of fingerprints,
 * which outlive the exchange. What it lends out lives as long as the exchange.
 *
 * The controller process.
 */
#ifndef RAMET_HTTPEASY_H
#define RAMET_HTTPEASY_H

#include "buf.h"
#include "httpc.h"
#include "tlspin.h"

struct httpeasy;

/* What became of an exchange. */
struct httpeasy_end {
	enum httpc_outcome outcome;
	int status;
	int64_t date_s; /* of the answer, by the server's clock since 1970; 0 = it does not say */
	enum tlstrust trust;
	bool timed_out;
	char *detail; /* the taker's; NULL when HTTPC_REPLIED */
};

/* scheme://name:port, and for logs the method and the URL without query; -1 if it is no URL. */
int httpeasy_parse_url(
    const struct httpc_request *req, char **ret_key, char **ret_label) MUST_CHECK;

struct httpeasy *httpeasy_new(const struct httpc_request *req, const struct httpc_opts *opts,
    const char *ca_file, struct tlspin *pins);
void httpeasy_free(struct httpeasy **xp);
/* The CA file may be another one by now: it is read again, if it was not just now. */
void httpeasy_doubt(struct httpeasy *x);
/* The handle of libcurl, for whoever adds it to a multi handle: a CURL. */
void *httpeasy_get_handle(struct httpeasy *x);

/* What the exchange that libcurl ended with code (a CURLcode) came to. label begins the detail. */
void httpeasy_end(const struct httpeasy *x, int code, const char *label, struct httpeasy_end *ret);
/* Of the answer, "" without one. */
const char *httpeasy_get_reason(const struct httpeasy *x);
const struct buf *httpeasy_get_body(const struct httpeasy *x);

#endif
