#include "httpd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text.h"

#define HTTPD_MAGIC 0x68747064u
#define BACKLOG 64
#define RECOUNT_MS 250
#define PLAIN "text/plain; charset=utf-8"

struct httpd {
	uint32_t magic;
	struct httpd_opts o;
	struct evhttp *http;
	struct clock *clock;
	struct evconnlistener *listener; /* evhttp's */
	unsigned connections;		 /* at most so many */
	int port;
	timer_id timer;
	char *address;
};

const char *httpd_header(const struct httpd_request *req, const char *name)
{
	return evhttp_find_header(req->headers, name);
}

/* ---- answers ---- */

static const char *method_word(enum evhttp_cmd_type cmd)
{
	/* Others never get here: see httpd_new. */
	return cmd == EVHTTP_REQ_POST ? "POST" : cmd == EVHTTP_REQ_HEAD ? "HEAD" : "GET";
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 202:
		return "Accepted";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 414:
		return "URI Too Long";
	case 503:
		return "Service Unavailable";
	default:
		return status < 400 ? "OK" : "Error";
	}
}

static void answer(struct httpd *h, struct evhttp_request *req, const struct httpd_reply *r)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();
	MUST(body);
	evhttp_add_header(out, "Content-Type", r->type ? r->type : PLAIN);
	evhttp_add_header(out, "Cache-Control", "no-store");
	evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
	/* One request each: who keeps connections open keeps others out. */
	evhttp_add_header(out, "Connection", "close");
	/* evhttp would send it even so. */
	if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
		evbuffer_add(body, buf_str(&r->body), r->body.len);
	evhttp_send_reply(req, r->status, reason(r->status), body);
	evbuffer_free(body);
	if (h->o.on_answer)
		h->o.on_answer(h->o.arg, r->status);
}

static void refuse(struct httpd *h, struct evhttp_request *req, int status, const char *text)
{
	struct httpd_reply r = {.status = status};
	buf_adds(&r.body, text);
	if (status == 405)
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
		    strstr(text, "POST") ? "POST" : "GET, HEAD");
	answer(h, req, &r);
	buf_fini(&r.body);
}

/* The route of this path, and whether it takes the method. */
static const struct httpd_route *route(
    const struct httpd *h, const char *method, const char *path, bool *ret_other)
{
	const char *wanted = text_eq(method, "HEAD") ? "GET" : method;
	*ret_other = false;
	for (size_t i = 0; i < h->o.n_routes; i++) {
		const struct httpd_route *r = &h->o.routes[i];
		if (!text_eq(r->path, path))
			continue;
		if (text_eq(r->method, wanted))
			return r;
		*ret_other = true;
	}
	return NULL;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct httpd *h = arg;
	CHECK_OBJ(h, HTTPD_MAGIC);
	const char *uri = evhttp_request_get_uri(req);
	size_t len = uri ? strcspn(uri, "?#") : 0;
	if (len == 0 || len > HTTPD_PATH_MAX) {
		refuse(h, req, 414, "this path is too long\n");
		return;
	}
	_cleanup_str_ char *path = mem_strndup(uri, len);
	const char *method = method_word(evhttp_request_get_command(req));
	bool other;
	const struct httpd_route *r = route(h, method, path, &other);
	if (!r) {
		refuse(h, req, other ? 405 : 404,
		    !other ? "there is nothing here: /healthz, /readyz and /metrics are\n"
		    : text_eq(method, "POST") ? "only GET is answered here\n"
					      : "only POST is answered here\n");
		return;
	}
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t body_len = evbuffer_get_length(in);
	_cleanup_str_ char *body = mem_alloc(body_len + 1);
	if (evbuffer_copyout(in, body, body_len) != (ev_ssize_t)body_len)
		body_len = 0;
	struct httpd_request q = {.method = method,
	    .path = path,
	    .body = body,
	    .body_len = body_len,
	    .headers = evhttp_request_get_input_headers(req)};
	struct httpd_reply reply = {.status = 200};
	r->handle(h->o.arg, &q, &reply);
	answer(h, req, &reply);
	buf_fini(&reply.body);
}

/* The port that a socket of this machine is bound to; -1 if it is none of IP. */
static int local_port(int fd)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return -1;
	if (ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&ss)->sin6_port);
	return ss.ss_family == AF_INET
		   ? ntohs(((const struct sockaddr_in *)(const void *)&ss)->sin_port)
		   : -1;
}

/* ---- connections ---- */

/* How many of this process' sockets are connections to the port. */
static unsigned count_connections(const struct httpd *h)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return 0;
	for (const struct dirent *d; (d = readdir(dir));) {
		int64_t fd;
		int listens = 0;
		socklen_t len = sizeof(listens);
		if (text_to_int(d->d_name, 0, INT32_MAX, &fd) == 0 &&
		    local_port((int)fd) == h->port &&
		    getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && !listens)
			n++;
	}
	closedir(dir);
	return n;
}

/* Whoever comes while there are too many waits in the kernel's queue. */
static void recount(void *arg)
{
	struct httpd *h = arg;
	h->timer = 0;
	h->connections = count_connections(h);
	if (h->connections < HTTPD_CONNECTIONS_MAX) {
		evconnlistener_enable(h->listener);
		return;
	}
	evconnlistener_disable(h->listener);
	h->timer = clock_timer(h->clock, RECOUNT_MS, recount, h);
}

/* evhttp of this version tells when a connection comes, but not when it goes: so those that came
 * are counted, and those that are there only when these would be too many. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct httpd *h = arg;
	if (++h->connections >= HTTPD_CONNECTIONS_MAX)
		recount(h);
	return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

/* ---- the socket ---- */

static int fail(struct err **err, const char *address, int error)
{
	err_set(err, ERR_CONFIG, "http.listen: %s: %s", address, strerror(error));
	switch (error) {
	case EADDRINUSE:
		return err_hint(err, "another program listens there, perhaps another ramet: take "
				     "another port, or \"\" for none");
	case EACCES:
		return err_hint(err, "ports below 1024 are for root: take a higher one");
	case EADDRNOTAVAIL:
		return err_hint(err, "this machine has no such address: take 127.0.0.1, or 0.0.0.0 "
				     "for all");
	default:
		return err_hint(err, "write ADDRESS:PORT, as in 127.0.0.1:8080, or \"\" for none");
	}
}

/* libevent's own reader takes no port 0. */
static int parse_address(const char *s, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(s, ':');
	int64_t port;
	if (!colon || text_to_int(colon + 1, 0, 65535, &port) != 0)
		return -1;
	size_t len = (size_t)(colon - s);
	bool six = len > 2 && s[0] == '[' && s[len - 1] == ']';
	_cleanup_str_ char *host = mem_strndup(s + six, len - 2 * (size_t)six);
	*ret = (struct sockaddr_storage){0};
	if (six) {
		struct sockaddr_in6 *in = (void *)ret;
		in->sin6_family = AF_INET6;
		in->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*in);
		return inet_pton(AF_INET6, host, &in->sin6_addr) == 1 ? 0 : -1;
	}
	struct sockaddr_in *in = (void *)ret;
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	*ret_len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

/* The descriptor, or -1. */
static int listen_on(const char *address, struct err **err)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1;
	if (parse_address(address, &ss, &len) != 0)
		return fail(err, address, EINVAL);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, address, errno);
	/* After a restart the port may still be waiting for the last packets of old connections. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, BACKLOG) != 0) {
		int error = errno;
		close(fd);
		return fail(err, address, error);
	}
	return fd;
}

int httpd_new(struct loop *l, const struct httpd_opts *o, struct httpd **ret, struct err **err)
{
	int fd = listen_on(o->listen, err);
	if (fd < 0)
		return -1;
	struct httpd *h = mem_alloc(sizeof(*h));
	h->magic = HTTPD_MAGIC;
	h->o = *o;
	h->clock = loop_clock(l);
	h->http = evhttp_new(loop_base(l));
	MUST(h->http);
	evhttp_set_allowed_methods(h->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(h->http, HTTPD_HEAD_MAX);
	evhttp_set_max_body_size(h->http, HTTPD_BODY_MAX);
	evhttp_set_timeout(h->http, HTTPD_IDLE_S);
	evhttp_set_bevcb(h->http, on_connection, h);
	evhttp_set_gencb(h->http, on_request, h);
	h->port = local_port(fd);
	/* As it was asked for, but for a port that was left to the kernel. */
	h->address = mem_printf(
	    "%.*s%d", (int)(strrchr(o->listen, ':') + 1 - o->listen), o->listen, h->port);
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(h->http, fd);
	MUST(bound);
	h->listener = evhttp_bound_socket_get_listener(bound);
	*ret = h;
	return 0;
}

void httpd_free(struct httpd **hp)
{
	struct httpd *h = *hp;
	if (!h)
		return;
	CHECK_OBJ(h, HTTPD_MAGIC);
	clock_cancel(h->clock, &h->timer);
	evhttp_free(h->http);
	free(h->address);
	h->magic = 0;
	free(h);
	*hp = NULL;
}

const char *httpd_address(const struct httpd *h)
{
	return h->address;
}
