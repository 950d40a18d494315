#include "githttpwords.h"
#include "gitname.h"
#include "text.h"

#include <string.h>

#define SAID_STATUS 200
#define SAID_TRANSFER 300

static PRINTF(4, 5) int blame(
    struct err **err, enum err_code code, const char *hint, const char *fmt, ...)
{
	if (err && *err)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *text = mem_vprintf(fmt, ap);
	va_end(ap);
	err_set(err, code, "%s", text);
	return err_hint(err, "%s", hint);
}

static int unauthorised(const struct githttpwords *w, const char *said, struct err **err)
{
	_cleanup_str_ char *hint = NULL;

	switch (w->credentials) {
	case GITHTTPWORDS_PASSWORD:
		hint = mem_printf("check %s.username and the content of %s.password_file",
		    w->section, w->section);
		return blame(err, ERR_AUTH, hint,
		    "the server at %s does not accept the password of user \"%s\"%s", w->origin,
		    w->user ? w->user : "", said);
	case GITHTTPWORDS_TOKEN:
		hint = mem_printf("check the content of %s.token_file", w->section);
		return blame(err, ERR_AUTH, hint, "the server at %s does not accept the token%s",
		    w->origin, said);
	case GITHTTPWORDS_NONE:
	case GITHTTPWORDS_CREDENTIALS__MAX:
		break;
	}
	return blame(err, ERR_AUTH, "set git.username and git.password_file",
	    "the server at %s wants a password%s", w->origin, said);
}

/* It has too much to do, for so long as it says. */
static int busy(const struct githttpwords *w, long status, const char *said, struct err **err)
{
	_cleanup_str_ char *wait = text_duration(w->retry_s * 1000);
	_cleanup_str_ char *hint = w->retry_s
				       ? mem_printf("it asks to be left alone for %s; it will be "
						    "tried again after that",
					     wait)
				       : mem_strdup("look into the log of the Git server; it will "
						    "be tried again");
	blame(err, ERR_REMOTE, hint, "%s answers with status %ld%s", w->base, status, said);
	return err_retry(err, w->retry_s * 1000);
}

int githttpwords_status(
    const struct githttpwords *w, long status, const char *said, struct err **err)
{
	_cleanup_str_ char *clean = gitname_clean(said, SAID_STATUS, false);
	_cleanup_str_ char *tail = mem_printf("%s%s", *clean ? ": " : "", clean);

	if (status == 401)
		return unauthorised(w, tail, err);
	if (status == 403)
		return blame(err, ERR_FORBIDDEN,
		    "give the user of git.username the right to read, and to push unless "
		    "git.write names another",
		    "user \"%s\" may not do this at %s%s", w->user ? w->user : "", w->base, tail);
	if (status == 404 || status == 410)
		return blame(err, ERR_NOTFOUND,
		    "check git.url; some servers also say so to a user without rights",
		    "there is no repository at %s%s", w->base, tail);
	if (status == 200)
		return blame(err, ERR_PROTOCOL,
		    "check git.url: it must be the address for git clone, not a web page",
		    "%s answers, but not as a Git server", w->base);
	if (status >= 300 && status < 400)
		return blame(err, ERR_PROTOCOL,
		    "set git.url to the new address; only the same server is followed",
		    "%s answers with a redirect (%ld) to another place", w->base, status);
	if (status >= 500 || status == 429)
		return busy(w, status, tail, err);
	return blame(err, ERR_PROTOCOL,
	    "look into the log of the Git server; it will be tried again",
	    "%s answers with status %ld%s", w->base, status, tail);
}

static int untrusted(const struct githttpwords *w, const char *said, struct err **err)
{
	const char *hint = "set git.ca_file to the certificate of the authority that signed it";
	if (strstr(said, "expired"))
		hint = "renew the certificate of the Git server";
	else if (strstr(said, "subject name") || strstr(said, "host name"))
		hint = "use a name in git.url for which the certificate was made";
	return blame(
	    err, ERR_TLS, hint, "the certificate of %s cannot be trusted: %s", w->origin, said);
}

int githttpwords_transfer(const struct githttpwords *w, enum githttpwords_failure failure,
    const char *said, struct err **err)
{
	_cleanup_str_ char *clean = gitname_clean(said, SAID_TRANSFER, false);

	text_drop_elapsed(clean);
	switch (failure) {
	case GITHTTPWORDS_NO_HOST:
		return blame(err, ERR_UNREACHABLE, "check the host in git.url and the name service",
		    "the Git server is unknown: %s", clean);
	case GITHTTPWORDS_NO_PROXY:
		return blame(
		    err, ERR_UNREACHABLE, "check git.proxy", "the proxy is unknown: %s", clean);
	case GITHTTPWORDS_NO_CONNECTION:
		if (w->proxy[0])
			return blame(err, ERR_UNREACHABLE,
			    "check git.proxy, and that the proxy runs",
			    "no connection to the proxy: %s", clean);
		return blame(err, ERR_UNREACHABLE,
		    "check host and port in git.url, and that the server runs",
		    "no connection to the Git server: %s", clean);
	case GITHTTPWORDS_SILENT:
		return blame(err, ERR_TIMEOUT,
		    "check the server and the network; it will be tried again",
		    "the Git server at %s does not answer: %s", w->origin, clean);
	case GITHTTPWORDS_UNTRUSTED:
		return untrusted(w, clean, err);
	case GITHTTPWORDS_NO_TLS:
		return blame(err, ERR_TLS, "check that git.url names the TLS port of the server",
		    "no TLS with %s: %s", w->origin, clean);
	case GITHTTPWORDS_BAD_CA:
		return blame(err, ERR_CONFIG,
		    "git.ca_file must be a readable file of certificates in PEM form",
		    "git.ca_file cannot be used: %s", clean);
	case GITHTTPWORDS_BAD_CLIENT_CERT:
		return blame(err, ERR_CONFIG,
		    "check git.client_cert_file and git.client_key_file: both in PEM form, "
		    "readable, and "
		    "of one pair",
		    "the client certificate cannot be used: %s", clean);
	case GITHTTPWORDS_BROKEN:
	case GITHTTPWORDS_FAILURE__MAX:
		break;
	}
	/* A proxy that refuses shows as a broken transfer. */
	if (w->proxy[0] && strstr(clean, "CONNECT"))
		return blame(err, ERR_UNREACHABLE,
		    "ask who runs the proxy to let this host through",
		    "the proxy does not let through to %s: %s", w->origin, clean);
	return blame(err, ERR_UNREACHABLE,
	    "check the server and the network; it will be tried again",
	    "the connection to %s broke: %s", w->origin, clean);
}
