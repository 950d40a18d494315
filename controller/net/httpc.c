#include "httpc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "httpeasy.h"
#include "log.h"
#include "slots.h"
#include "text.h"

#define HTTPC_MAGIC 0x68747463u
#define TRANSFER_MAGIC 0x68747472u

#define PER_HOST_DEFAULT 4
#define QUEUE_MAX_DEFAULT 4096
#define QUEUE_TIMEOUT_MS_DEFAULT 60000
#define CONNECT_TIMEOUT_MS_DEFAULT 10000
#define IDLE_S_DEFAULT 3
#define CONNS_MAX 256 /* kept open, all servers */

enum transfer_state { TRANSFER_QUEUED, TRANSFER_ACTIVE, TRANSFER_DONE, TRANSFER_STATE__MAX };

struct host;

struct transfer {
	uint32_t magic;
	enum transfer_state state;
	slot_id id;
	struct httpc *c;
	struct host *host;
	TAILQ_ENTRY(transfer) link; /* in the host's queue or in the client's done list */
	struct httpeasy *x;	    /* NULL when there was nothing to send */
	char *label;		    /* "GET https://host:8006/path", for logs and details */
	timer_id deadline;
	int64_t started;
	struct httpeasy_end end; /* once TRANSFER_DONE */
	httpc_cb cb;
	void *arg;
};

TAILQ_HEAD(transfers, transfer);

struct host {
	TAILQ_ENTRY(host) link;
	char *key; /* scheme://name:port */
	struct transfers queue;
	unsigned active;
	unsigned waiting;
};

struct httpc {
	uint32_t magic;
	struct loop *loop;
	struct clock *clock;
	CURLM *multi;
	struct tlspin pins;
	char *ca_file;
	struct httpc_opts opts;
	struct slots transfers;
	TAILQ_HEAD(, host) hosts;
	struct transfers done;
	struct transfers active;
	timer_id curl_timer;
	timer_id done_timer;
	size_t n_active, n_waiting, n_done;
	bool dispatching;
	bool distrusts; /* the last certificate was not accepted */
};

/* ---- libcurl calls us ---- */

static void advance(struct httpc *c);

static void curl_timer_fired(void *arg)
{
	struct httpc *c = arg;
	CHECK_OBJ(c, HTTPC_MAGIC);
	c->curl_timer = 0;
	int running;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	advance(c);
}

static int on_timer(CURLM *multi UNUSED, long timeout_ms, void *arg)
{
	struct httpc *c = arg;
	clock_cancel(c->clock, &c->curl_timer);
	if (timeout_ms >= 0)
		c->curl_timer = clock_timer(c->clock, timeout_ms, curl_timer_fired, c);
	return 0;
}

static void socket_ready(void *arg, int fd, unsigned what)
{
	struct httpc *c = arg;
	CHECK_OBJ(c, HTTPC_MAGIC);
	int running;
	int flags = ((what & LOOP_READ) ? CURL_CSELECT_IN : 0) |
		    ((what & LOOP_WRITE) ? CURL_CSELECT_OUT : 0);
	curl_multi_socket_action(c->multi, fd, flags, &running);
	advance(c);
}

static int on_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *sock_arg)
{
	struct httpc *c = arg;
	struct loop_io *io = sock_arg;
	if (what == CURL_POLL_REMOVE) {
		loop_io_del(&io);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	unsigned want =
	    ((what & CURL_POLL_IN) ? LOOP_READ : 0) | ((what & CURL_POLL_OUT) ? LOOP_WRITE : 0);
	if (io) {
		loop_io_set(io, want);
	} else {
		io = loop_io_add(c->loop, fd, want, socket_ready, c);
		curl_multi_assign(c->multi, fd, io);
	}
	return 0;
}

/* ---- life of a transfer ---- */

static void transfer_free(struct transfer *t)
{
	slots_del(&t->c->transfers, t->id);
	clock_cancel(t->c->clock, &t->deadline);
	httpeasy_free(&t->x);
	free(t->label);
	free(t->end.detail);
	t->magic = 0;
	free(t);
}

static void host_drop_if_idle(struct httpc *c, struct host *h)
{
	if (h->active > 0 || h->waiting > 0)
		return;
	TAILQ_REMOVE(&c->hosts, h, link);
	free(h->key);
	free(h);
}

/* Takes the transfer off the queue or off libcurl. */
static void detach(struct transfer *t)
{
	struct httpc *c = t->c;
	struct host *h = t->host;
	switch (t->state) {
	case TRANSFER_QUEUED:
		TAILQ_REMOVE(&h->queue, t, link);
		h->waiting--;
		c->n_waiting--;
		break;
	case TRANSFER_ACTIVE:
		TAILQ_REMOVE(&c->active, t, link);
		curl_multi_remove_handle(c->multi, httpeasy_get_handle(t->x));
		h->active--;
		c->n_active--;
		break;
	case TRANSFER_DONE:
		TAILQ_REMOVE(&c->done, t, link);
		c->n_done--;
		break;
	case TRANSFER_STATE__MAX:
		MUST(false);
	}
	clock_cancel(c->clock, &t->deadline);
}

static void done_timer_fired(void *arg)
{
	struct httpc *c = arg;
	CHECK_OBJ(c, HTTPC_MAGIC);
	c->done_timer = 0;
	advance(c);
}

/* Queues the outcome; the callback comes from the loop. */
static void finish(struct transfer *t, struct httpeasy_end end)
{
	struct httpc *c = t->c;
	t->state = TRANSFER_DONE;
	t->end = end;
	c->n_done++;
	TAILQ_INSERT_TAIL(&c->done, t, link);
	if (!c->done_timer)
		c->done_timer = clock_timer(c->clock, 0, done_timer_fired, c);
}

static void queue_timeout(void *arg)
{
	struct transfer *t = arg;
	CHECK_OBJ(t, TRANSFER_MAGIC);
	t->deadline = 0;
	struct httpc *c = t->c;
	struct host *h = t->host;
	detach(t);
	t->host = NULL;
	host_drop_if_idle(c, h);
	_cleanup_str_ char *waited = text_duration(c->opts.queue_timeout_ms);
	char *detail = mem_printf("%s: no free connection for %s", t->label, waited);
	finish(t,
	    (struct httpeasy_end){.outcome = HTTPC_NOT_SENT, .timed_out = true, .detail = detail});
}

static void start(struct transfer *t)
{
	struct httpc *c = t->c;
	t->state = TRANSFER_ACTIVE;
	t->started = clock_now(c->clock);
	t->host->active++;
	c->n_active++;
	clock_cancel(c->clock, &t->deadline);
	TAILQ_INSERT_TAIL(&c->active, t, link);
	MUST(curl_multi_add_handle(c->multi, httpeasy_get_handle(t->x)) == CURLM_OK);
}

static void start_next(struct httpc *c, struct host *h)
{
	while (h->waiting > 0 && h->active < c->opts.per_host) {
		struct transfer *t = TAILQ_FIRST(&h->queue);
		detach(t);
		start(t);
	}
	host_drop_if_idle(c, h);
}

static void complete(struct transfer *t, CURLcode code)
{
	struct httpc *c = t->c;
	struct host *h = t->host;
	struct httpeasy_end end;
	httpeasy_end(t->x, (int)code, t->label, &end);
	c->distrusts = end.trust != TLSTRUST_FINE;
	detach(t);
	t->host = NULL;
	log_debug("http", "%s: %d in %lld ms%s%s", t->label, end.status,
	    (long long)(clock_now(c->clock) - t->started), end.detail ? ": " : "",
	    end.detail ? end.detail : "");
	finish(t, end);
	start_next(c, h);
}

static void call_back(struct transfer *t)
{
	bool replied = t->end.outcome == HTTPC_REPLIED;
	const struct buf *body = replied ? httpeasy_get_body(t->x) : NULL;
	struct httpc_reply reply = {
	    .outcome = t->end.outcome,
	    .status = replied ? t->end.status : 0,
	    .reason = replied ? httpeasy_get_reason(t->x) : "",
	    .body = body ? buf_str(body) : "",
	    .body_len = body ? body->len : 0,
	    .date_s = replied ? t->end.date_s : 0,
	    .trust = t->end.trust,
	    .timed_out = t->end.timed_out,
	    .detail = t->end.detail,
	};
	/* From here on the id finds nothing: a cancel from within the callback is harmless. */
	slots_del(&t->c->transfers, t->id);
	t->cb(t->arg, &reply);
	transfer_free(t);
}

/* Collects what libcurl has finished, then tells. Only ever called from the loop. */
static void advance(struct httpc *c)
{
	CURLMsg *msg;
	int left;
	while ((msg = curl_multi_info_read(c->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		struct transfer *t = NULL;
		CURLcode code = msg->data.result; /* gone once the handle is removed */
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
		CHECK_OBJ(t, TRANSFER_MAGIC);
		complete(t, code);
	}
	/* Only what is there now: a callback that submits what fails at once gets its answer in the
	 * next turn. */
	c->dispatching = true;
	for (size_t n = c->n_done; n > 0 && c->n_done > 0; n--) {
		struct transfer *t = TAILQ_FIRST(&c->done);
		detach(t);
		call_back(t);
	}
	c->dispatching = false;
	if (c->n_done == 0)
		clock_cancel(c->clock, &c->done_timer);
}

/* ---- requests ---- */

/* Takes the key over. */
static struct host *host_get(struct httpc *c, char *key)
{
	struct host *h;
	TAILQ_FOREACH(h, &c->hosts, link)
	{
		if (text_eq(h->key, key)) {
			free(key);
			return h;
		}
	}
	h = mem_alloc(sizeof(*h));
	h->key = key;
	TAILQ_INIT(&h->queue);
	TAILQ_INSERT_TAIL(&c->hosts, h, link);
	return h;
}

static void fail(struct transfer *t, char *detail)
{
	finish(t, (struct httpeasy_end){.outcome = HTTPC_NOT_SENT, .detail = detail});
}

httpc_id httpc_submit(struct httpc *c, const struct httpc_request *req, httpc_cb cb, void *arg)
{
	CHECK_OBJ(c, HTTPC_MAGIC);
	struct transfer *t = mem_alloc(sizeof(*t));
	t->magic = TRANSFER_MAGIC;
	t->c = c;
	t->cb = cb;
	t->arg = arg;
	t->id = slots_add(&c->transfers, t);
	char *key = NULL;
	if (httpeasy_parse_url(req, &key, &t->label) < 0) {
		fail(t, mem_printf("\"%.100s\" is not a URL", req->url));
		return t->id;
	}
	struct host *h = host_get(c, key);
	if (h->waiting >= c->opts.queue_max) {
		fail(t, mem_printf(
			    "%s: %u requests wait for this server already", t->label, h->waiting));
		return t->id;
	}
	t->host = h;
	t->x = httpeasy_new(req, &c->opts, c->ca_file, &c->pins);
	if (c->distrusts)
		httpeasy_doubt(t->x);
	curl_easy_setopt(httpeasy_get_handle(t->x), CURLOPT_PRIVATE, t);
	if (h->active < c->opts.per_host && h->waiting == 0) {
		start(t);
		return t->id;
	}
	t->state = TRANSFER_QUEUED;
	TAILQ_INSERT_TAIL(&h->queue, t, link);
	h->waiting++;
	c->n_waiting++;
	t->deadline = clock_timer(c->clock, c->opts.queue_timeout_ms, queue_timeout, t);
	return t->id;
}

void httpc_cancel(struct httpc *c, httpc_id *id)
{
	CHECK_OBJ(c, HTTPC_MAGIC);
	struct transfer *t = slots_find(&c->transfers, *id);
	*id = 0;
	if (!t)
		return;
	struct host *h = t->state == TRANSFER_DONE ? NULL : t->host;
	detach(t);
	transfer_free(t);
	if (h)
		start_next(c, h);
}

/* ---- the client ---- */

static void set_defaults(struct httpc_opts *o)
{
	if (!o->per_host)
		o->per_host = PER_HOST_DEFAULT;
	if (!o->queue_max)
		o->queue_max = QUEUE_MAX_DEFAULT;
	if (!o->queue_timeout_ms)
		o->queue_timeout_ms = QUEUE_TIMEOUT_MS_DEFAULT;
	if (!o->connect_timeout_ms)
		o->connect_timeout_ms = CONNECT_TIMEOUT_MS_DEFAULT;
	if (!o->idle_s)
		o->idle_s = IDLE_S_DEFAULT;
	/* Borrowed from the caller for the length of httpc_new only. */
	o->ca_file = NULL;
	o->fingerprints = NULL;
}

int httpc_new(struct loop *l, const struct httpc_opts *opts, struct httpc **ret, struct err **err)
{
	static bool started;
	if (opts->n_fingerprints > HTTPC_FINGERPRINTS_MAX)
		return err_set(
		    err, ERR_CONFIG, "more than %d fingerprints", HTTPC_FINGERPRINTS_MAX);
	struct tlspin pins;
	if (tlspin_init(&pins, opts->fingerprints, opts->n_fingerprints, err) < 0)
		return -1;
	if (!started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		tlspin_fini(&pins);
		return err_set(err, ERR_INTERNAL, "libcurl does not start");
	}
	started = true;
	struct httpc *c = mem_alloc(sizeof(*c));
	c->magic = HTTPC_MAGIC;
	c->loop = l;
	c->clock = loop_clock(l);
	c->pins = pins;
	c->ca_file = opts->ca_file && *opts->ca_file ? mem_strdup(opts->ca_file) : NULL;
	c->opts = *opts;
	set_defaults(&c->opts);
	TAILQ_INIT(&c->hosts);
	TAILQ_INIT(&c->done);
	TAILQ_INIT(&c->active);
	c->multi = curl_multi_init();
	MUST(c->multi);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	/* Fewer than are in use would end the reuse of connections altogether. */
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNS_MAX);
	*ret = c;
	return 0;
}

static void free_all(struct transfers *list)
{
	struct transfer *t;
	while ((t = TAILQ_FIRST(list))) {
		detach(t);
		transfer_free(t);
	}
}

void httpc_free(struct httpc **cp)
{
	struct httpc *c = *cp;
	if (!c)
		return;
	CHECK_OBJ(c, HTTPC_MAGIC);
	MUST(!c->dispatching);
	struct host *h;
	free_all(&c->active);
	free_all(&c->done);
	while ((h = TAILQ_FIRST(&c->hosts))) {
		free_all(&h->queue);
		host_drop_if_idle(c, h);
	}
	curl_multi_cleanup(c->multi);
	clock_cancel(c->clock, &c->curl_timer);
	clock_cancel(c->clock, &c->done_timer);
	slots_fini(&c->transfers);
	tlspin_fini(&c->pins);
	free(c->ca_file);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

size_t httpc_active(const struct httpc *c)
{
	CHECK_OBJ(c, HTTPC_MAGIC);
	return c->n_active;
}

size_t httpc_waiting(const struct httpc *c)
{
	CHECK_OBJ(c, HTTPC_MAGIC);
	return c->n_waiting;
}
