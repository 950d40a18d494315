#include "githttpask.h"

#include <curl/curl.h>

static const char *or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

struct githttpask_as githttpask_as(const struct gitproto_setup *o, const char *url_user, bool push)
{
	struct githttpask_as read = {
	    .user = or_null(o->username) ? o->username : url_user,
	    .password = or_null(o->password),
	    .token = or_null(o->token),
	    .section = "git",
	};
	struct githttpask_as write = {
	    .user = or_null(o->write_username) ? o->write_username : read.user,
	    .password = or_null(o->write_password),
	    .token = or_null(o->write_token),
	    .section = "git.write",
	};
	return push && (write.password || write.token) ? write : read;
}

enum githttpwords_credentials githttpask_kind(const struct githttpask_as *as)
{
	return as->password ? GITHTTPWORDS_PASSWORD
	       : as->token  ? GITHTTPWORDS_TOKEN
			    : GITHTTPWORDS_NONE;
}

static void set_proxy(CURL *e, const struct gitproto_setup *o)
{
	/* "" also keeps libcurl from looking into the environment. */
	curl_easy_setopt(e, CURLOPT_PROXY, o->proxy);
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	if (!o->proxy[0])
		return;
	curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (o->ca_file[0])
		curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, o->ca_file);
}

static void set_credentials(CURL *e, const struct gitproto_setup *o, const struct githttpask_as *as)
{
	if (o->client_cert_file[0]) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, o->client_cert_file);
		curl_easy_setopt(e, CURLOPT_SSLKEY,
		    o->client_key_file[0] ? o->client_key_file : o->client_cert_file);
	}
	/* At once, not after a 401: a body that is streamed cannot be sent again. */
	if (as->password) {
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(e, CURLOPT_USERNAME, as->user ? as->user : "");
		curl_easy_setopt(e, CURLOPT_PASSWORD, as->password);
	} else if (as->token) {
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, as->token);
	}
}

void githttpask_set(void *easy, const struct gitproto_setup *o, const struct githttpask_as *as)
{
	CURL *e = easy;
	long stall = (long)((o->stall_ms + 999) / 1000);

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (o->ca_file[0]) {
		curl_easy_setopt(e, CURLOPT_CAINFO, o->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	set_proxy(e, o);
	set_credentials(e, o, as);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, stall);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "git/ramet-" RAMET_VERSION);
	curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
}
