#include "sim_http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim_form.h"
#include "sim_state.h"

#define REQUESTS_MAX 100 /* on one connection */
#define IDLE_S 5	 /* between requests */
#define READ_S 30	 /* for one request to arrive */
#define HEAD_MAX ((size_t)8 << 10)
#define HEAD_LINES 64
#define BODY_MAX ((size_t)512 << 10)

struct front {
	struct sim_http *h;
	struct evconnlistener *listener;
	const char *node;
	int port;
};

struct conn {
	struct front *front;
	struct bufferevent *bev;
	struct event *first; /* until its first byte tells TLS from plain HTTP; then bev is there */
	evutil_socket_t fd;
	struct conn *next, *prev;
	unsigned served;
	bool waiting; /* a request is with the simulation */
	uint64_t id;
	bool closing;
	/* the request at hand */
	bool have_head;
	size_t body_len;
	char *method, *target, *type, *authorization, *cookie, *csrf, *host;
	bool insecure; /* plain HTTP where TLS is spoken */
	bool keep_alive;
	int refuse; /* status to be answered instead */
	const char *refuse_reason;
};

struct sim_http {
	struct event_base *base, *own_base;
	struct sim *sim;
	struct sim_http_opts opts;
	struct front *fronts;
	size_t n;
	struct conn *conns;
	struct event *tick;
	int64_t start_us;
	bool running; /* replies come from inside */
};

static void conn_next(struct conn *c);

/* Runs what is due and sets the timer for what comes next. */
static void clock_sync(struct sim_http *h)
{
	int64_t now = (int64_t)((double)(h->opts.clock_us() - h->start_us) * h->opts.speed / 1000),
		next;
	struct timeval tv;

	if (h->running)
		return;
	h->running = true;
	sim_run_until(h->sim, now);
	h->running = false;
	next = sim_next_event(h->sim);
	if (next < 0)
		return;
	next = (int64_t)((double)(next - now) * 1000 / h->opts.speed) + 1;
	tv.tv_sec = next / 1000000;
	tv.tv_usec = next % 1000000;
	event_add(h->tick, &tv);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	clock_sync(arg);
}

/* --- connections --- */

static void request_fini(struct conn *c)
{
	mem_free_str(&c->method);
	mem_free_str(&c->target);
	mem_free_str(&c->type);
	mem_free_secret(&c->authorization);
	mem_free_secret(&c->cookie);
	mem_free_str(&c->csrf);
	mem_free_str(&c->host);
	c->have_head = false;
	c->body_len = 0;
	c->refuse = 0;
}

static void conn_free(struct conn *c)
{
	if (c->waiting)
		sim_cancel(c->front->h->sim, c->id);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->front->h->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	request_fini(c);
	if (c->first) {
		event_free(c->first);
		close(c->fd);
	}
	if (c->bev)
		bufferevent_free(c->bev);
	free(c);
}

/* Without a word, as when a machine loses its power. */
static void conn_reset(struct conn *c)
{
	const struct linger l = {1, 0};
	evutil_socket_t fd = bufferevent_getfd(c->bev);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	conn_free(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (c->closing && !evbuffer_get_length(bufferevent_get_output(bev)))
		conn_free(c);
}

static void send_answer(struct conn *c, const struct sim_reply *r)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	bool close =
	    r->close || !c->keep_alive || ++c->served >= REQUESTS_MAX || r->cut == SIM_CUT_SHORT;
	char date[64];
	time_t t = (time_t)(sim_wall(c->front->h->sim) / 1000);
	struct tm tm;
	size_t announced = r->cut == SIM_CUT_SHORT ? r->len * 2 : r->len;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
	evbuffer_add_printf(out,
	    "HTTP/1.1 %d %.*s\r\nCache-Control: max-age=0\r\nConnection: %s\r\nDate: %s\r\n"
	    "Pragma: no-cache\r\nServer: pve-api-daemon/3.0\r\n",
	    r->status, (int)strcspn(r->reason, "\n"), r->reason, close ? "close" : "Keep-Alive",
	    date);
	if (r->len)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n%s", announced,
		    r->plain ? "" : "Content-Type: application/json;charset=UTF-8\r\n");
	if (r->status == 301)
		evbuffer_add_printf(out, "Location: https://%s%s\r\n", c->host, c->target);
	evbuffer_add_printf(out, "Expires: %s\r\n\r\n", date);
	evbuffer_add(out, r->body, r->len);
	request_fini(c);
	if (close) {
		c->closing = true;
		bufferevent_disable(c->bev, EV_READ);
		return;
	}
	conn_next(c);
}

static void on_reply(void *arg, const struct sim_reply *r)
{
	struct conn *c = arg;

	c->waiting = false;
	if (r->cut == SIM_CUT_REFUSED || r->cut == SIM_CUT_RESET)
		conn_reset(c);
	else
		send_answer(c, r);
}

static void refuse(struct conn *c, int status, const char *reason)
{
	const struct sim_reply r = {.status = status,
	    .reason = reason,
	    .body = reason,
	    .len = strlen(reason),
	    .plain = true,
	    .close = true};

	send_answer(c, &r);
}

/* --- requests --- */

static const char *ticket_of(const char *cookie, char **ret)
{
	const char *p = cookie ? strstr(cookie, "PVEAuthCookie=") : NULL;

	*ret = NULL;
	if (!p)
		return NULL;
	p += strlen("PVEAuthCookie=");
	*ret = form_decode(p, strcspn(p, "; "), false);
	return *ret;
}

static void submit(struct conn *c, const char *body)
{
	struct sim_http *h = c->front->h;
	char *query = strchr(c->target, '?');
	_cleanup_kv_ struct kv params = {0};
	_cleanup_str_ char *ticket = NULL;
	_cleanup_str_ char *why = NULL;
	_cleanup_str_ char *format = NULL;
	const char *path;
	struct sim_req req = {.method = c->method,
	    .params = &params,
	    .authorization = c->authorization,
	    .csrf = c->csrf,
	    .node = c->front->node,
	    .body_len = c->body_len};
	int status;

	if (query)
		*query++ = '\0';
	path = text_after(c->target, "/api2/");
	if (!path) {
		refuse(c, 404, "no such file");
		return;
	}
	format = mem_strndup(path, strcspn(path, "/"));
	path += strlen(format);
	req.format = format;
	status = form_body(c->type, body, c->body_len, h->sim->v9, &params, &why);
	if (status) {
		refuse(c, status, why);
		return;
	}
	form_parse(query ? query : "", &params);
	ticket_of(c->cookie, &ticket);
	req.path = *path ? path : "/";
	req.ticket = ticket;
	clock_sync(h);
	c->waiting = true;
	c->id = sim_submit(h->sim, &req, on_reply, c);
	clock_sync(h);
}

static void header(struct conn *c, char *line)
{
	char *v = strchr(line, ':');

	if (!v)
		return;
	*v++ = '\0';
	v += strspn(v, " \t");
	if (text_eq_nocase(line, "content-length")) {
		int64_t n;

		if (text_to_int(v, 0, INT32_MAX, &n) < 0)
			c->refuse = 400, c->refuse_reason = "bad content length";
		else
			c->body_len = (size_t)n;
	} else if (text_eq_nocase(line, "host"))
		mem_replace(&c->host, v);
	else if (text_eq_nocase(line, "transfer-encoding"))
		c->refuse = 501, c->refuse_reason = "chunked transfer encoding not supported";
	else if (text_eq_nocase(line, "content-type"))
		mem_replace(&c->type, v);
	else if (text_eq_nocase(line, "authorization"))
		mem_replace(&c->authorization, v);
	else if (text_eq_nocase(line, "cookie"))
		mem_replace(&c->cookie, v);
	else if (text_eq_nocase(line, "csrfpreventiontoken"))
		mem_replace(&c->csrf, v);
	else if (text_eq_nocase(line, "connection"))
		c->keep_alive = !text_eq_nocase(v, "close");
	else if (text_eq_nocase(line, "expect"))
		evbuffer_add_printf(
		    bufferevent_get_output(c->bev), "HTTP/1.1 100 Continue\r\n\r\n");
}

static bool first_line(struct conn *c, char *line)
{
	char *sp = strchr(line, ' '), *sp2 = sp ? strchr(sp + 1, ' ') : NULL;

	if (!sp2 || !text_starts(sp2 + 1, "HTTP/1."))
		return false;
	*sp = *sp2 = '\0';
	c->method = mem_strdup(line);
	c->target = mem_strdup(sp + 1);
	c->keep_alive = sp2[8] == '1';
	return true;
}

/* Reads the head if it is all there; false: wait for more, or the connection is gone. */
static bool read_head(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	_cleanup_str_ char *head = NULL;
	char *rest, *line;
	unsigned n = 0;

	if (end.pos < 0 || (size_t)end.pos > HEAD_MAX) {
		if (evbuffer_get_length(in) > HEAD_MAX)
			conn_free(c);
		return false;
	}
	head = mem_alloc((size_t)end.pos + 5);
	evbuffer_remove(in, head, (size_t)end.pos + 4);
	rest = head;
	while ((line = strsep(&rest, "\n")) && *line && *line != '\r') {
		line[strcspn(line, "\r")] = '\0';
		if (n++ == 0) {
			if (!first_line(c, line)) {
				conn_free(c);
				return false;
			}
		} else if (n > HEAD_LINES) {
			c->refuse = 501;
			c->refuse_reason = "too many header lines";
		} else
			header(c, line);
	}
	if (!c->method) {
		conn_free(c);
		return false;
	}
	c->have_head = true;
	return true;
}

/* To the same place, with TLS. */
static void redirect(struct conn *c)
{
	static const char why[] = "Moved Permanently";
	const struct sim_reply r = {
	    .status = 301, .reason = why, .body = why, .len = strlen(why), .plain = true};

	if (!c->host)
		c->host = mem_strdup("localhost");
	c->have_head = false;
	send_answer(c, &r);
}

static void conn_next(struct conn *c)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
	struct evbuffer *in = bufferevent_get_input(c->bev);
	_cleanup_str_ char *body = NULL;
	const struct timeval idle = {IDLE_S, 0}, read_time = {READ_S, 0};
	bool known = false;

	if (c->waiting || c->closing)
		return;
	if (!c->have_head && !read_head(c)) {
		return;
	}
	if (c->insecure) {
		redirect(c);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		known = known || !strcmp(c->method, methods[i]);
	if (!known) {
		_cleanup_str_ char *why = mem_printf("method '%s' not available", c->method);
		const struct sim_reply r = {
		    .status = 501, .reason = why, .body = "", .close = true};

		send_answer(c, &r);
		return;
	}
	if (c->body_len > BODY_MAX)
		c->refuse = 501, c->refuse_reason = "for data too large";
	if (c->refuse) {
		refuse(c, c->refuse, c->refuse_reason);
		return;
	}
	if (evbuffer_get_length(in) < c->body_len) {
		bufferevent_set_timeouts(c->bev, &read_time, NULL);
		return;
	}
	body = mem_alloc(c->body_len + 1);
	evbuffer_remove(in, body, c->body_len);
	bufferevent_set_timeouts(c->bev, &idle, NULL);
	submit(c, body);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	if (evbuffer_get_length(bufferevent_get_input(bev)) > BODY_MAX + 2 * HEAD_MAX) {
		conn_free(c);
		return;
	}
	conn_next(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;
	const struct timeval idle = {IDLE_S, 0};

	if (what & BEV_EVENT_CONNECTED) {
		bufferevent_set_timeouts(bev, &idle, NULL);
		return;
	}
	if ((what & BEV_EVENT_TIMEOUT) && (c->waiting || c->closing)) {
		/* Not idle: the simulation is still at it. */
		bufferevent_enable(bev, EV_READ);
		return;
	}
	conn_free(c);
}

static void conn_start(struct conn *c, bool tls)
{
	struct sim_http *h = c->front->h;
	const struct timeval patience = {READ_S, 0};
	const int how = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;

	c->bev = tls ? bufferevent_openssl_socket_new(
			   h->base, c->fd, SSL_new(h->opts.tls), BUFFEREVENT_SSL_ACCEPTING, how)
		     : bufferevent_socket_new(h->base, c->fd, how);
	if (tls)
		bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_set_timeouts(c->bev, &patience, NULL);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* A TLS record of a handshake begins with 22, and no method of HTTP does. */
static void on_first(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	unsigned char byte = 0;

	if ((what & EV_TIMEOUT) || recv(fd, &byte, 1, MSG_PEEK) != 1) {
		conn_free(c);
		return;
	}
	event_free(c->first);
	c->first = NULL;
	c->insecure = byte != 22;
	conn_start(c, !c->insecure);
}

static void on_accept(
    struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	struct front *f = arg;
	struct sim_http *h = f->h;
	struct conn *c = mem_alloc(sizeof(*c));
	const struct timeval patience = {READ_S, 0};
	int one = 1;

	(void)l;
	(void)addr;
	(void)len;
	/* Without this an answer waits for the client's delayed acknowledgement. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->front = f;
	c->fd = fd;
	c->next = h->conns;
	if (h->conns)
		h->conns->prev = c;
	h->conns = c;
	if (!h->opts.tls) {
		conn_start(c, false);
		return;
	}
	c->first = event_new(h->base, fd, EV_READ, on_first, c);
	event_add(c->first, &patience);
}

/* --- start and end --- */

static int listen_on(struct sim_http *h, struct front *f, int port, struct err **err)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	socklen_t len = sizeof(*in);

	if (inet_pton(AF_INET, h->opts.address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
	} else if (inet_pton(AF_INET6, h->opts.address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		len = sizeof(*in6);
	} else
		return err_set(err, ERR_USAGE, "%s is no address to listen on", h->opts.address);
	f->listener = evconnlistener_new_bind(h->base, on_accept, f,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, 128,
	    (struct sockaddr *)&ss, (int)len);
	if (!f->listener)
		return err_set(err, ERR_IO, "cannot listen on %s port %d: %s", h->opts.address,
		    port, strerror(errno));
	len = sizeof(ss);
	if (getsockname(evconnlistener_get_fd(f->listener), (struct sockaddr *)&ss, &len) == 0)
		f->port = ntohs(ss.ss_family == AF_INET ? in->sin_port : in6->sin6_port);
	return 0;
}

int sim_http_start(struct event_base *base, struct sim *sim, const struct sim_http_opts *opts,
    struct sim_http **ret, struct err **err)
{
	struct sim_http *h = mem_alloc(sizeof(*h));

	if (!base)
		h->own_base = base = event_base_new();
	h->base = base;
	h->sim = sim;
	h->opts = *opts;
	if (h->opts.speed <= 0)
		h->opts.speed = 1;
	h->start_us = h->opts.clock_us() - (int64_t)((double)sim_now(sim) * 1000 / h->opts.speed);
	h->n = opts->all_nodes ? sim->nnodes : 1;
	h->fronts = mem_calloc(h->n, sizeof(*h->fronts));
	h->tick = evtimer_new(base, on_tick, h);
	for (size_t i = 0; i < h->n; i++) {
		h->fronts[i].h = h;
		h->fronts[i].node = sim->nodes[i]->name;
		if (listen_on(h, &h->fronts[i], opts->port ? opts->port + (int)i : 0, err) < 0) {
			sim_http_free(&h);
			return -1;
		}
	}
	clock_sync(h);
	*ret = h;
	return 0;
}

void sim_http_free(struct sim_http **p)
{
	struct sim_http *h = *p;

	*p = NULL;
	if (!h)
		return;
	while (h->conns)
		conn_free(h->conns);
	for (size_t i = 0; i < h->n; i++)
		if (h->fronts[i].listener)
			evconnlistener_free(h->fronts[i].listener);
	event_free(h->tick);
	if (h->own_base)
		event_base_free(h->own_base);
	free(h->fronts);
	free(h);
}

struct event_base *sim_http_base(struct sim_http *h)
{
	return h->base;
}

void sim_http_sync(struct sim_http *h)
{
	clock_sync(h);
}

void sim_http_poll(struct sim_http *h)
{
	event_base_loop(h->base, EVLOOP_NONBLOCK);
}

size_t sim_http_count(const struct sim_http *h)
{
	return h->n;
}

int sim_http_port(const struct sim_http *h, size_t i)
{
	return h->fronts[i].port;
}

const char *sim_http_node(const struct sim_http *h, size_t i)
{
	return h->fronts[i].node;
}
