/*
 * httpeasy: one HTTP exchange as an easy handle of libcurl: its options, and what came back.
 *
 * Not a queue and not a loop (httpc.c, its only user).
 *
 * httpeasy_init copies the request but borrows the CA file's name and the list of fingerprints,
 * which outlive the exchange. The struct must not move between init and fini: libcurl points to it.
 *
 * The controller process.
 */
#ifndef RAMET_HTTPEASY_H
#define RAMET_HTTPEASY_H

#include <curl/curl.h>

#include "buf.h"
#include "httpc.h"
#include "tlspin.h"

#define HTTPEASY_REASON_MAX 2048

struct httpeasy {
	CURL *easy;
	struct curl_slist *headers;
	bool secret_last; /* the last header is one to wipe */
	struct tlspin *pins;
	struct buf body;
	size_t header_bytes;
	bool body_too_large, headers_too_large;
	char reason[HTTPEASY_REASON_MAX];
	char error[CURL_ERROR_SIZE];
};

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

void httpeasy_init(struct httpeasy *x, const struct httpc_request *req,
    const struct httpc_opts *opts, const char *ca_file, struct tlspin *pins);
/* The CA file may be another one by now: it is read again, if it was not just now. */
void httpeasy_doubt(struct httpeasy *x);
void httpeasy_fini(struct httpeasy *x);

/* label begins the detail. */
void httpeasy_end(
    const struct httpeasy *x, CURLcode rc, const char *label, struct httpeasy_end *ret);

#endif
