#include "httpeasy.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "text.h"

#define BODY_MAX_DEFAULT ((size_t)32 << 20)
#define HEADERS_MAX ((size_t)64 << 10) /* of one answer, all together */
#define CA_CACHE_S 60L		       /* a renewed CA file counts after this */
#define CA_DOUBT_S 1L		       /* or after this once a certificate was refused */
#define REASON_MAX 2048

struct httpeasy {
	CURL *easy;
	struct curl_slist *headers;
	bool secret_last; /* the last header is one to wipe */
	struct tlspin *pins;
	struct buf body;
	size_t header_bytes;
	bool body_too_large, headers_too_large;
	char reason[REASON_MAX];
	char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct httpeasy *x = arg;
	buf_add(&x->body, data, size * n);
	if (x->body.overflow) {
		x->body_too_large = true;
		return 0;
	}
	return size * n;
}

/* "HTTP/1.1 500 VM is locked (clone)" gives "VM is locked (clone)". */
static void keep_reason(struct httpeasy *x, const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	const char *end = line + len;
	for (int word = 0; word < 2; word++) {
		while (line < end && *line != ' ')
			line++;
		while (line < end && *line == ' ')
			line++;
	}
	len = (size_t)(end - line);
	if (len >= sizeof(x->reason))
		len = sizeof(x->reason) - 1;
	/* A NUL byte in the line ends the text early; nothing behind it is read. */
	memcpy(x->reason, line, len);
	x->reason[len] = '\0';
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct httpeasy *x = arg;
	size_t len = size * n;
	x->header_bytes += len;
	if (x->header_bytes > HEADERS_MAX) {
		x->headers_too_large = true;
		return 0;
	}
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		keep_reason(x, data, len);
	return len;
}

static CURLcode on_ssl_ctx(CURL *easy UNUSED, void *ssl_ctx, void *arg)
{
	struct tlspin *pins = arg;
	tlspin_apply(pins, ssl_ctx);
	return CURLE_OK;
}

static enum tlstrust trust_of(CURL *easy, CURLcode rc)
{
	long verdict = 0;
	if (rc == CURLE_SSL_ISSUER_ERROR || rc == CURLE_SSL_INVALIDCERTSTATUS ||
	    rc == CURLE_SSL_PINNEDPUBKEYNOTMATCH || rc == CURLE_SSL_CACERT_BADFILE)
		return TLSTRUST_UNKNOWN;
	if (rc != CURLE_PEER_FAILED_VERIFICATION)
		return TLSTRUST_FINE;
	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	return tlspin_judge(verdict);
}

static char *detail_of(const struct httpeasy *x, CURLcode rc, const char *label)
{
	if (x->body_too_large) {
		_cleanup_str_ char *max = text_bytes(x->body.max);
		return mem_printf("%s: the answer is larger than %s", label, max);
	}
	if (x->headers_too_large)
		return mem_printf(
		    "%s: the headers of the answer are larger than %zu bytes", label, HEADERS_MAX);
	const char *words = x->error[0] ? x->error : curl_easy_strerror(rc);
	if (rc == CURLE_PEER_FAILED_VERIFICATION && x->pins->n > 0) {
		char trusted[3 * TLSPIN_BYTES];
		tlspin_print(x->pins->v[0], trusted);
		/* Its own first: that is what to compare and to list, and reports are short. */
		return mem_printf("%s: the server's certificate has the fingerprint %s, which is "
				  "none of the trusted ones (%s%s)",
		    label, x->pins->refused, trusted, x->pins->n > 1 ? " and more" : "");
	}
	_cleanup_str_ char *line = text_oneline(words, 300);
	text_drop_elapsed(line);
	return mem_printf("%s: %s", label, line);
}

static int64_t date_of(CURL *easy)
{
	struct curl_header *h;
	if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return 0;
	time_t t = curl_getdate(h->value, NULL);
	return t > 0 ? (int64_t)t : 0;
}

void httpeasy_end(const struct httpeasy *x, int code, const char *label, struct httpeasy_end *ret)
{
	CURLcode rc = (CURLcode)code;
	long sent = 0, status = 0;
	curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	*ret = (struct httpeasy_end){.outcome = HTTPC_REPLIED, .status = (int)status};
	ret->date_s = date_of(x->easy);
	if (rc == CURLE_OK && status >= 100 && status <= 999)
		return;
	ret->outcome = sent > 0 ? HTTPC_CUT : HTTPC_NOT_SENT;
	ret->trust = sent <= 0 ? trust_of(x->easy, rc) : TLSTRUST_FINE;
	ret->timed_out = rc == CURLE_OPERATION_TIMEDOUT;
	ret->detail = detail_of(x, rc, label);
}

static void set_tls(CURL *e, const char *ca_file, struct tlspin *pins)
{
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	if (pins->n > 0) {
		/* The names in a pinned certificate say nothing more. A resumed session would skip
		 * the look at the certificate. */
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
		curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
		curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, pins);
		return;
	}
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	if (ca_file) {
		curl_easy_setopt(e, CURLOPT_CAINFO, ca_file);
		/* Debian's libcurl has a folder of the system's CAs by default: they would be
		 * trusted besides. */
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
}

static void set_method(CURL *e, const struct httpc_request *req)
{
	bool has_body = text_eq(req->method, "POST") || text_eq(req->method, "PUT");
	bool is_get = text_eq(req->method, "GET");
	if (has_body) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
		curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, req->body ? req->body : "");
	} else {
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	if (!text_eq(req->method, "POST") && !is_get)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
	if (!is_get)
		curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
}

static void add_header(struct httpeasy *x, const char *line)
{
	MUST(!strpbrk(line, "\r\n"));
	struct curl_slist *l = curl_slist_append(x->headers, line);
	MUST(l);
	x->headers = l;
}

static void set_headers(struct httpeasy *x, const struct httpc_request *req)
{
	/* No wait for "100 Continue": half of the servers never send it. */
	add_header(x, "Expect:");
	for (size_t i = 0; i < req->n_headers; i++)
		add_header(x, req->headers[i]);
	if (req->secret_header) {
		add_header(x, req->secret_header);
		x->secret_last = true;
	}
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

struct httpeasy *httpeasy_new(const struct httpc_request *req, const struct httpc_opts *opts,
    const char *ca_file, struct tlspin *pins)
{
	struct httpeasy *x = mem_alloc(sizeof(*x));
	CURL *e = curl_easy_init();
	MUST(e && req->timeout_ms > 0);
	x->easy = e;
	x->pins = pins;
	buf_init(&x->body, req->max_body ? req->max_body : BODY_MAX_DEFAULT);
	int64_t connect_ms = opts->connect_timeout_ms;
	if (connect_ms > req->timeout_ms)
		connect_ms = req->timeout_ms;
	curl_easy_setopt(e, CURLOPT_URL, req->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, opts->allow_plain ? "https,http" : "https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)opts->idle_s);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
	set_tls(e, ca_file, pins);
	set_method(e, req);
	set_headers(x, req);
	return x;
}

void httpeasy_doubt(struct httpeasy *x)
{
	/* 0 would leave the cache as it is, for the next one to find. */
	curl_easy_setopt(x->easy, CURLOPT_CA_CACHE_TIMEOUT, CA_DOUBT_S);
}

static void wipe_headers(struct httpeasy *x)
{
	for (struct curl_slist *h = x->headers; h && x->secret_last; h = h->next) {
		if (!h->next)
			explicit_bzero(h->data, strlen(h->data));
	}
	curl_slist_free_all(x->headers);
}

void httpeasy_free(struct httpeasy **xp)
{
	struct httpeasy *x = *xp;
	if (!x)
		return;
	curl_easy_cleanup(x->easy);
	wipe_headers(x);
	buf_fini(&x->body);
	free(x);
	*xp = NULL;
}

void *httpeasy_get_handle(struct httpeasy *x)
{
	return x->easy;
}

const char *httpeasy_get_reason(const struct httpeasy *x)
{
	return x->reason;
}

const struct buf *httpeasy_get_body(const struct httpeasy *x)
{
	return &x->body;
}

int httpeasy_parse_url(const struct httpc_request *req, char **ret_key, char **ret_label)
{
	int rc = -1;
	char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;
	CURLU *u = curl_url();
	MUST(u);
	if (!curl_url_set(u, CURLUPART_URL, req->url, 0) &&
	    !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
	    !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
	    !curl_url_get(u, CURLUPART_PATH, &path, 0)) {
		*ret_key = mem_printf("%s://%s:%s", scheme, host, port);
		*ret_label =
		    mem_printf("%s %s://%s:%s%.300s", req->method, scheme, host, port, path);
		rc = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	curl_url_cleanup(u);
	return rc;
}
