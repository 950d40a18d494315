#include "githttp.h"
#include "githttpask.h"
#include "gitname.h"
#include "gitsub.h"
#include "text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HTTP_MAGIC 0x67687470u
/* Above this a request is sent in pieces while the library still makes it. */
#define BODY_WHOLE ((size_t)1 << 20)
/* What may wait in memory for the library before the server is asked to pause. */
#define ANSWER_AHEAD ((size_t)1 << 20)
#define LISTING_MAX ((int64_t)64 << 20)
#define DETAIL_MAX 400
#define REDIRECTS_MAX 3
#define POLL_MS 1000
/* The longest that a server may send us away for. */
#define RETRY_MAX_S 3600

struct githttp {
	uint32_t magic;
	const struct gitproto_setup *setup;
	struct err **cause;
	CURLM *multi;
	char *base;   /* URL of the repository, without user, as redirects left it */
	char *user;   /* of that URL, or NULL */
	char *origin; /* scheme://host:port of base */
	struct gitsub_kind kind;
};

struct stream {
	git_smart_subtransport_stream parent; /* first */
	struct githttp *h;
	git_smart_service_t service;
	CURL *easy;
	struct curl_slist *headers;
	char words[CURL_ERROR_SIZE]; /* of libcurl */
	struct buf out;		     /* body of the request, not yet sent from out_at on */
	size_t out_at;
	bool out_end;  /* nothing will be added */
	struct buf in; /* answer, not yet read from in_at on */
	size_t in_at;
	int64_t received;
	struct buf detail; /* text of an answer that is no success */
	bool started, done, send_paused, recv_paused, judged, refused;
	unsigned redirects;
	CURLcode result;
};

static const struct {
	const char *path, *ask, *reply;
} services[] = {
    [GIT_SERVICE_UPLOADPACK_LS] = {"/info/refs?service=git-upload-pack", NULL,
	"application/x-git-upload-pack-advertisement"},
    [GIT_SERVICE_UPLOADPACK] = {"/git-upload-pack",
	"Content-Type: application/x-git-upload-pack-request",
	"application/x-git-upload-pack-result"},
    [GIT_SERVICE_RECEIVEPACK_LS] = {"/info/refs?service=git-receive-pack", NULL,
	"application/x-git-receive-pack-advertisement"},
    [GIT_SERVICE_RECEIVEPACK] = {"/git-receive-pack",
	"Content-Type: application/x-git-receive-pack-request",
	"application/x-git-receive-pack-result"},
};

/* Error of a stream operation: the reason is in *cause, libgit2 gets a bare failure. */
static int refuse(struct stream *s)
{
	s->refused = true;
	git_error_set_str(GIT_ERROR_HTTP, err_msg(*s->h->cause));
	return -1;
}

static PRINTF(3, 4) int blame(struct stream *s, enum err_code code, const char *fmt, ...)
{
	if (*s->h->cause)
		return refuse(s);
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *text = mem_vprintf(fmt, ap);
	va_end(ap);
	err_set(s->h->cause, code, "%s", text);
	return refuse(s);
}

static int hint(struct stream *s, const char *text)
{
	if (*s->h->cause && !(*s->h->cause)->hint)
		err_hint(s->h->cause, "%s", text);
	return -1;
}

/* --- URLs --- */

static char *url_part(CURLU *u, CURLUPart part, unsigned flags)
{
	char *got = NULL;
	if (curl_url_get(u, part, &got, flags) != CURLUE_OK)
		return NULL;
	char *copy = mem_strdup(got);
	curl_free(got);
	return copy;
}

static char *origin_of(const char *url)
{
	char *origin = NULL;
	CURLU *u = curl_url();
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		_cleanup_str_ char *scheme = url_part(u, CURLUPART_SCHEME, 0);
		_cleanup_str_ char *host = url_part(u, CURLUPART_HOST, 0);
		_cleanup_str_ char *port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
		_cleanup_str_ char *lower = text_lower(host ? host : "");
		origin = mem_printf("%s://%s:%s", scheme ? scheme : "", lower, port ? port : "");
	}
	curl_url_cleanup(u);
	return origin;
}

/* Takes user and password out of the URL: libcurl would prefer them to ours. */
static int set_base(struct githttp *h, struct err **err)
{
	CURLU *u = curl_url();
	if (!u || curl_url_set(u, CURLUPART_URL, h->setup->url, 0) != CURLUE_OK) {
		curl_url_cleanup(u);
		err_set(err, ERR_CONFIG, "git.url \"%s\" is not a URL", h->setup->url);
		return err_hint(err, "write it as https://git.example.org/group/name.git");
	}
	h->user = url_part(u, CURLUPART_USER, CURLU_URLDECODE);
	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(u, CURLUPART_QUERY, NULL, 0);
	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	h->base = url_part(u, CURLUPART_URL, 0);
	curl_url_cleanup(u);
	if (!h->base)
		return err_set(err, ERR_CONFIG, "git.url \"%s\" is not a URL", h->setup->url);
	size_t len = strlen(h->base);
	while (len && h->base[len - 1] == '/')
		h->base[--len] = '\0';
	h->origin = origin_of(h->base);
	return 0;
}

/* --- what libcurl calls --- */

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
	struct stream *s = arg;
	size_t room = size * n, left = s->out.len - s->out_at;
	if (!left) {
		s->send_paused = !s->out_end;
		return s->out_end ? 0 : CURL_READFUNC_PAUSE;
	}
	size_t part = left < room ? left : room;
	memcpy(to, s->out.data + s->out_at, part);
	s->out_at += part;
	return part;
}

/* Looks at status and type once, before the first byte of the answer goes to libgit2. */
static void judge(struct stream *s)
{
	long status = 0;
	const char *type = NULL;

	s->judged = true;
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(s->easy, CURLINFO_CONTENT_TYPE, &type);
	const char *want = services[s->service].reply;
	size_t len = strlen(want);
	if (status != 200 || !type || strncasecmp(type, want, len) != 0 ||
	    (type[len] && type[len] != ';' && type[len] != ' '))
		s->refused = true;
}

static size_t on_receive(char *data, size_t size, size_t n, void *arg)
{
	struct stream *s = arg;
	size_t len = size * n;
	bool listing =
	    s->service == GIT_SERVICE_UPLOADPACK_LS || s->service == GIT_SERVICE_RECEIVEPACK_LS;
	int64_t max = listing ? LISTING_MAX : s->h->setup->max_pack_bytes;

	if (!s->judged)
		judge(s);
	if (s->refused) {
		/* An explanation in plain text, as forges give it; what is longer is a web page. */
		size_t room = DETAIL_MAX - s->detail.len;
		buf_add(&s->detail, data, len < room ? len : room);
		return s->detail.len < DETAIL_MAX ? len : 0;
	}
	if (s->in.len - s->in_at > ANSWER_AHEAD) {
		s->recv_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (s->received + (int64_t)len > max) {
		_cleanup_str_ char *text = text_bytes((uint64_t)max);
		blame(s, ERR_LIMIT, "the server sends more than %s", text);
		hint(s, "keep manifests in a repository of their own, without large files");
		return 0;
	}
	if (s->in_at == s->in.len) {
		buf_reset(&s->in);
		s->in_at = 0;
	}
	buf_add(&s->in, data, len);
	s->received += (int64_t)len;
	return s->in.overflow ? 0 : len;
}

/* --- one request --- */

static struct githttpask_as as_of(const struct stream *s)
{
	bool push =
	    s->service == GIT_SERVICE_RECEIVEPACK_LS || s->service == GIT_SERVICE_RECEIVEPACK;
	return githttpask_as(s->h->setup, s->h->user, push);
}

static struct githttpwords words_of(const struct stream *s)
{
	struct githttpask_as as = as_of(s);
	return (struct githttpwords){
	    .base = s->h->base,
	    .origin = s->h->origin,
	    .user = as.user,
	    .section = as.section,
	    .credentials = githttpask_kind(&as),
	    .proxy = s->h->setup->proxy,
	};
}

static void set_options(struct stream *s)
{
	struct githttpask_as as = as_of(s);

	githttpask_set(s->easy, s->h->setup, &as);
	curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->words);
	curl_easy_setopt(s->easy, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(s->easy, CURLOPT_READDATA, s);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_receive);
	curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
}

static int start(struct stream *s, bool whole)
{
	const char *ask = services[s->service].ask, *reply = services[s->service].reply;
	_cleanup_str_ char *url = mem_printf("%s%s", s->h->base, services[s->service].path);
	_cleanup_str_ char *accept = mem_printf("Accept: %s", reply);

	s->easy = curl_easy_init();
	if (!s->easy)
		return blame(s, ERR_INTERNAL, "libcurl gives no handle");
	set_options(s);
	curl_easy_setopt(s->easy, CURLOPT_URL, url);
	s->headers = curl_slist_append(s->headers, accept);
	/* A pause for "100 Continue" would cost a second with servers that know none. */
	s->headers = curl_slist_append(s->headers, "Expect:");
	if (ask) {
		s->headers = curl_slist_append(s->headers, ask);
		curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
		if (whole)
			curl_easy_setopt(
			    s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->out.len);
		else
			s->headers = curl_slist_append(s->headers, "Transfer-Encoding: chunked");
	}
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
	s->started = true;
	s->out_end = whole;
	if (curl_multi_add_handle(s->h->multi, s->easy) != CURLM_OK)
		return blame(s, ERR_INTERNAL, "libcurl takes no request");
	return 0;
}

static void stop(struct stream *s)
{
	if (s->easy) {
		curl_multi_remove_handle(s->h->multi, s->easy);
		curl_easy_cleanup(s->easy);
	}
	s->easy = NULL;
	curl_slist_free_all(s->headers);
	s->headers = NULL;
	s->started = s->done = s->judged = s->refused = false;
	s->send_paused = s->recv_paused = false;
	buf_reset(&s->detail);
}

/* Moves the transfer on; waits a little when nothing can be done. */
static int pump(struct stream *s)
{
	int running, left;

	if (s->send_paused && (s->out.len > s->out_at || s->out_end)) {
		s->send_paused = false;
		curl_easy_pause(s->easy, CURLPAUSE_CONT);
	}
	if (s->recv_paused && s->in.len - s->in_at <= ANSWER_AHEAD) {
		s->recv_paused = false;
		curl_easy_pause(s->easy, CURLPAUSE_CONT);
	}
	if (curl_multi_perform(s->h->multi, &running) != CURLM_OK)
		return blame(s, ERR_INTERNAL, "libcurl cannot go on");
	for (CURLMsg *m; (m = curl_multi_info_read(s->h->multi, &left));) {
		if (m->msg == CURLMSG_DONE && m->easy_handle == s->easy) {
			s->done = true;
			s->result = m->data.result;
		}
	}
	if (!s->done && s->in.len == s->in_at)
		curl_multi_poll(s->h->multi, NULL, 0, POLL_MS, NULL);
	return 0;
}

/* --- how it went --- */

static int blame_answer(struct stream *s, long status)
{
	const char *type = NULL;
	struct githttpwords w = words_of(s);
	curl_off_t after = 0;
	curl_easy_getinfo(s->easy, CURLINFO_CONTENT_TYPE, &type);
	bool plain = type && strncasecmp(type, "text/plain", 10) == 0;
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &after);
	w.retry_s = after < 0 ? 0 : after > RETRY_MAX_S ? RETRY_MAX_S : after;
	githttpwords_status(&w, status, plain ? buf_str(&s->detail) : "", s->h->cause);
	return refuse(s);
}

/* Of some hundred codes these say something to a user. */
static enum githttpwords_failure failure_of(CURLcode code)
{
	static const struct {
		CURLcode code;
		enum githttpwords_failure failure;
	} table[] = {
	    {CURLE_COULDNT_RESOLVE_HOST, GITHTTPWORDS_NO_HOST},
	    {CURLE_COULDNT_RESOLVE_PROXY, GITHTTPWORDS_NO_PROXY},
	    {CURLE_COULDNT_CONNECT, GITHTTPWORDS_NO_CONNECTION},
	    {CURLE_OPERATION_TIMEDOUT, GITHTTPWORDS_SILENT},
	    {CURLE_PEER_FAILED_VERIFICATION, GITHTTPWORDS_UNTRUSTED},
	    {CURLE_SSL_ISSUER_ERROR, GITHTTPWORDS_UNTRUSTED},
	    {CURLE_SSL_CONNECT_ERROR, GITHTTPWORDS_NO_TLS},
	    {CURLE_SSL_CACERT_BADFILE, GITHTTPWORDS_BAD_CA},
	    {CURLE_SSL_CERTPROBLEM, GITHTTPWORDS_BAD_CLIENT_CERT},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].code == code)
			return table[i].failure;
	}
	return GITHTTPWORDS_BROKEN;
}

static int blame_transfer(struct stream *s)
{
	struct githttpwords w = words_of(s);
	githttpwords_transfer(&w, failure_of(s->result),
	    s->words[0] ? s->words : curl_easy_strerror(s->result), s->h->cause);
	return refuse(s);
}

/* A redirect of the listing within the same server moves the base; 1 = ask again. */
static int follow(struct stream *s)
{
	const char *path = services[s->service].path;
	char *to = NULL;

	curl_easy_getinfo(s->easy, CURLINFO_REDIRECT_URL, &to);
	if (!to || services[s->service].ask || s->redirects++ >= REDIRECTS_MAX ||
	    !text_ends(to, path))
		return 0;
	_cleanup_str_ char *base = mem_strndup(to, strlen(to) - strlen(path));
	_cleanup_str_ char *origin = origin_of(base);
	if (!text_eq(origin, s->h->origin))
		return 0;
	mem_replace(&s->h->base, base);
	stop(s);
	return 1;
}

/* The transfer is over: 0 when it was a success, 1 to start again, -1 with the reason. */
static int conclude(struct stream *s)
{
	long status = 0;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (*s->h->cause)
		return refuse(s);
	if (!s->judged && status)
		judge(s);
	if (status >= 300 && status < 400 && follow(s))
		return 1;
	/* A refused answer may have been cut off by us: its status is what counts. */
	if (s->refused && status)
		return blame_answer(s, status);
	if (s->result != CURLE_OK)
		return blame_transfer(s);
	return 0;
}

static int stream_read(git_smart_subtransport_stream *stream, char *to, size_t size, size_t *ret_n)
{
	struct stream *s = (struct stream *)stream;

	*ret_n = 0;
	for (;;) {
		if (!s->started && start(s, true) != 0)
			return -1;
		s->out_end = true;
		while (!s->done && s->in.len == s->in_at) {
			if (pump(s) != 0)
				return -1;
		}
		if (s->in.len > s->in_at)
			break;
		int r = conclude(s);
		if (r <= 0)
			return r;
	}
	size_t left = s->in.len - s->in_at;
	bool listing =
	    s->service == GIT_SERVICE_UPLOADPACK_LS || s->service == GIT_SERVICE_RECEIVEPACK_LS;
	if (listing && !*s->h->cause && gitname_is_sha256(s->in.data + s->in_at, left))
		(void)gitname_blame_sha256(s->h->cause);
	size_t n = left < size ? left : size;
	memcpy(to, s->in.data + s->in_at, n);
	s->in_at += n;
	*ret_n = n;
	return 0;
}

static int stream_write(git_smart_subtransport_stream *stream, const char *data, size_t len)
{
	struct stream *s = (struct stream *)stream;

	if (s->out_at == s->out.len) {
		buf_reset(&s->out);
		s->out_at = 0;
	}
	buf_add(&s->out, data, len);
	if (s->out.overflow)
		return blame(s, ERR_LIMIT, "a request to the Git server is too long");
	if (s->out.len - s->out_at <= BODY_WHOLE)
		return 0;
	if (!s->started && start(s, false) != 0)
		return -1;
	while (s->out.len > s->out_at && !s->done) {
		if (pump(s) != 0)
			return -1;
	}
	/* An early answer is a refusal; what it says comes with the reading. */
	return 0;
}

static void stream_free(git_smart_subtransport_stream *stream)
{
	struct stream *s = (struct stream *)stream;
	stop(s);
	buf_fini(&s->out);
	buf_fini(&s->in);
	buf_fini(&s->detail);
	free(s);
}

/* --- what libgit2 calls --- */

static int sub_action(git_smart_subtransport_stream **ret, git_smart_subtransport *sub,
    const char *url UNUSED, git_smart_service_t service)
{
	struct stream *s = mem_alloc(sizeof(*s));
	s->parent.subtransport = sub;
	s->parent.read = stream_read;
	s->parent.write = stream_write;
	s->parent.free = stream_free;
	s->h = ((struct gitsub *)sub)->transport;
	s->service = service;
	buf_init(&s->detail, DETAIL_MAX);
	*ret = &s->parent;
	return 0;
}

static int sub_close(git_smart_subtransport *sub UNUSED)
{
	return 0;
}

int githttp_new(
    struct githttp **ret, const struct gitproto_setup *setup, struct err **cause, struct err **err)
{
	struct githttp *h = mem_alloc(sizeof(*h));
	h->magic = HTTP_MAGIC;
	h->setup = setup;
	h->cause = cause;
	h->kind = (struct gitsub_kind){
	    .transport = h, .rpc = true, .action = sub_action, .close = sub_close};
	*ret = h;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(h->multi = curl_multi_init()) ||
	    gitsub_register(&h->kind, "http") != 0 || gitsub_register(&h->kind, "https") != 0) {
		githttp_free(ret);
		return err_set(err, ERR_INTERNAL, "libcurl cannot be set up");
	}
	if (set_base(h, err) != 0) {
		githttp_free(ret);
		return -1;
	}
	return 0;
}

void githttp_free(struct githttp **hp)
{
	struct githttp *h = *hp;
	if (!h)
		return;
	CHECK_OBJ(h, HTTP_MAGIC);
	git_transport_unregister("http");
	git_transport_unregister("https");
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	mem_free_str(&h->base);
	mem_free_str(&h->user);
	mem_free_str(&h->origin);
	h->magic = 0;
	free(h);
	*hp = NULL;
}
