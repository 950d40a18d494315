/*
 * githttpwords: what an HTTP status or a failure of libcurl means to a user.
 *
 * Not the transfer (githttp.h). What a server says is passed on, made printable and cut.
 *
 * Results are the caller's; an error that is set already stays.
 *
 * The git worker. Pure.
 */
#ifndef RAMET_GITHTTPWORDS_H
#define RAMET_GITHTTPWORDS_H

#include "err.h"

enum githttpwords_credentials {
	GITHTTPWORDS_NONE,
	GITHTTPWORDS_PASSWORD,
	GITHTTPWORDS_TOKEN,
	GITHTTPWORDS_CREDENTIALS__MAX
};

/* How a transfer can fail, as far as it matters to a user. */
enum githttpwords_failure {
	GITHTTPWORDS_BROKEN, /* any other way */
	GITHTTPWORDS_NO_HOST,
	GITHTTPWORDS_NO_PROXY,
	GITHTTPWORDS_NO_CONNECTION,
	GITHTTPWORDS_SILENT,
	GITHTTPWORDS_UNTRUSTED,
	GITHTTPWORDS_NO_TLS,
	GITHTTPWORDS_BAD_CA,
	GITHTTPWORDS_BAD_CLIENT_CERT,
	GITHTTPWORDS_FAILURE__MAX
};

struct githttpwords {
	const char *base;    /* URL of the repository */
	const char *origin;  /* of its server */
	const char *user;    /* or NULL */
	const char *section; /* of the settings it is from: "git", "git.write" */
	const char *proxy;   /* "" = none */
	enum githttpwords_credentials credentials;
	int64_t retry_s; /* the server asks to be left alone for so long; 0 = it does not say */
};

/* An answer that is no success; 200 stands for one that is not Git's. said: its text. */
int githttpwords_status(
    const struct githttpwords *w, long status, const char *said, struct err **err);
/* A transfer that failed; said: the library's words. */
int githttpwords_transfer(const struct githttpwords *w, enum githttpwords_failure failure,
    const char *said, struct err **err);

#endif
