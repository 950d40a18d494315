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
#include "sim_head.h"
#include "sim_state.h"

#define REQUESTS_MAX 100 /* on one connection */
#define IDLE_S 5	 /* between requests */
#define READ_S 30	 /* for one request to arrive */
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
	bool last; /* closed after the answer under way */
	/* the request at hand */
	bool have_head;
	struct head head;
	bool insecure; /* plain HTTP where TLS is spoken */
	bool mute;     /* nothing is read or answered any more until it is idle for long enough */
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
	head_fini(&c->head);
	c->have_head = false;
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
	bool close = r->close || !c->head.keep_alive || ++c->served >= REQUESTS_MAX ||
		     r->cut == SIM_CUT_SHORT || c->last;

	head_answer(
	    bufferevent_get_output(c->bev), &c->head, r, close, sim_wall(c->front->h->sim) / 1000);
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
	char *query = strchr(c->head.target, '?');
	_cleanup_kv_ struct kv params = {0};
	_cleanup_str_ char *ticket = NULL;
	_cleanup_str_ char *why = NULL;
	_cleanup_str_ char *format = NULL;
	const char *path;
	struct sim_req req = {.method = c->head.method,
	    .params = &params,
	    .authorization = c->head.authorization,
	    .csrf = c->head.csrf,
	    .node = c->front->node,
	    .body_len = c->head.body_len};
	int status;

	if (query)
		*query++ = '\0';
	path = text_after(c->head.target, "/api2/");
	if (!path) {
		refuse(c, 404, "no such file");
		return;
	}
	format = mem_strndup(path, strcspn(path, "/"));
	path += strlen(format);
	req.format = format;
	status = form_body(c->head.type, body, c->head.body_len, h->sim->v9, &params, &why);
	if (status) {
		refuse(c, status, why);
		return;
	}
	form_parse(query ? query : "", &params);
	ticket_of(c->head.cookie, &ticket);
	req.path = *path ? path : "/";
	req.ticket = ticket;
	clock_sync(h);
	c->waiting = true;
	c->id = sim_submit(h->sim, &req, on_reply, c);
	clock_sync(h);
}

/* Whether the head is all there; if not, more is waited for, or the connection is gone. */
static bool read_head(struct conn *c)
{
	const struct timeval idle = {IDLE_S, 0};
	enum head_state st = head_read(bufferevent_get_input(c->bev), &c->head);

	if (st == HEAD_MUTE) {
		c->mute = true;
		bufferevent_set_timeouts(c->bev, &idle, NULL);
	}
	if (st == HEAD_BROKEN)
		conn_free(c);
	if (st != HEAD_WHOLE)
		return false;
	if (c->head.expects)
		evbuffer_add_printf(
		    bufferevent_get_output(c->bev), "HTTP/1.1 100 Continue\r\n\r\n");
	c->have_head = true;
	return true;
}

/* The head itself is wrong, or what it announces is too much. */
static void refuse_head(struct conn *c)
{
	if (c->head.refuse)
		refuse(c, c->head.refuse, c->head.refuse_reason ? c->head.refuse_reason : "");
	else
		refuse(c, 501, "for data too large");
}

/* To the same place, with TLS; who writes is to write there. */
static void redirect(struct conn *c)
{
	bool get = !strcmp(c->head.method, "GET");
	const char *why = get ? "Moved Permanently" : "Permanent Redirect";
	const struct sim_reply r = {.status = get ? 301 : 308,
	    .reason = why,
	    .body = why,
	    .len = strlen(why),
	    .plain = true};

	if (!c->head.host)
		c->head.host = mem_strdup("localhost");
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
	if (!c->have_head && !read_head(c))
		return;
	for (size_t i = 0; i < ARRAY_LEN(methods) && *c->head.method; i++)
		known = known || !strcmp(c->head.method, methods[i]);
	if (!known && *c->head.method) {
		_cleanup_str_ char *why = mem_printf("method '%s' not available", c->head.method);
		const struct sim_reply r = {
		    .status = 501, .reason = why, .body = "", .close = true};

		send_answer(c, &r);
		return;
	}
	if (c->insecure && !c->head.refuse) {
		redirect(c);
		return;
	}
	if (c->head.refuse || c->head.body_len > BODY_MAX) {
		refuse_head(c);
		return;
	}
	if (evbuffer_get_length(in) < c->head.body_len) {
		bufferevent_set_timeouts(c->bev, &read_time, NULL);
		return;
	}
	body = mem_alloc(c->head.body_len + 1);
	evbuffer_remove(in, body, c->head.body_len);
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
	if (c->mute)
		return;
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

void sim_http_set_tls(struct sim_http *h, SSL_CTX *tls)
{
	struct conn *next;

	h->opts.tls = tls;
	for (struct conn *c = h->conns; c; c = next) {
		next = c->next;
		c->last = true;
		if (!c->waiting && !c->closing)
			conn_free(c);
	}
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
