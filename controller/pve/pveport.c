#include "pveport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "httpc.h"
#include "jsn.h"
#include "log.h"
#include "pveanswer.h"
#include "pveform.h"
#include "pvetarget.h"
#include "pvetoken.h"
#include "slots.h"
#include "text.h"

#define PVEPORT_MAGIC 0x70767074u
#define CALL_MAGIC 0x7076706cu

#define ENDPOINTS_MAX 32
#define API_PREFIX "/api2/json"
#define STATUS_PATH "/cluster/status"
#define TIMEOUT_MS_DEFAULT 60000
#define URL_MAX_BYTES 16384
#define FORM_MAX_BYTES ((size_t)500 << 10) /* PVE takes 512 KiB */
#define ANSWER_MAX_BYTES ((size_t)64 << 20)
#define NAME_AGAIN_MS 60000 /* until it tells, or is of the right cluster */
#define NAME_TIMEOUT_MS 10000
#define STATUS_NOT_CONNECTED 595 /* of the node that was asked, to the one concerned */
#define STATUS_PROXY_FIRST 502	 /* of what stands in front of the API; PVE itself never says so */
#define STATUS_PROXY_LAST 504
#define NO_REQUEST "RPCEnvironment init request failed" /* nothing was begun: no /etc/pve there */

struct call {
	uint32_t magic;
	struct pveport *p;
	slot_id id;
	struct call *prev, *next;
	char *method, *path, *form, *node;
	size_t form_len;
	int64_t timeout_ms;
	size_t at;	/* the target that is asked */
	uint32_t tried; /* bit per target */
	struct pvetoken_pass pass;
	bool vetting; /* `http` asks the target whose it is; the call itself comes after that */
	enum tlstrust trust;
	char *detail; /* of the failures so far */
	int status;   /* to be told from the timer, with `detail` */
	httpc_id http;
	timer_id timer;
	cluster_cb cb;
	void *arg;
};

struct pveport {
	uint32_t magic;
	struct cluster_port port;
	struct clock *clock;
	struct httpc *http;
	struct target targets[ENDPOINTS_MAX];
	size_t n;
	size_t current; /* the target for calls that concern no node in particular */
	struct pvetoken token;
	char entry[64];
	struct slots calls;
	struct call *first;
};

static struct pveport *of_port(struct cluster_port *port)
{
	struct pveport *p = (struct pveport *)((char *)port - offsetof(struct pveport, port));
	CHECK_OBJ(p, PVEPORT_MAGIC);
	return p;
}

/* ---- targets ---- */

static bool is_cool(const struct pveport *p, const struct target *t)
{
	return target_is_cool(t, clock_now(p->clock));
}

static void move_on(struct pveport *p, size_t from)
{
	if (p->current == from)
		p->current = target_after(p->targets, p->n, from, clock_now(p->clock));
}

static void target_failed(struct pveport *p, size_t at, const char *why)
{
	struct target *t = &p->targets[at];
	/* Told once, not each time that it is tried again. */
	if (target_cool(t, clock_now(p->clock)) && p->n > 1)
		log_warn("pve", "%s is left alone, asking others: %s", t->url, why);
	t->name_at = 0;
	if (t->vet != VET_FOREIGN)
		t->vet = VET_UNKNOWN;
	move_on(p, at);
}

static void target_answered(struct pveport *p, size_t at)
{
	struct target *t = &p->targets[at];
	if (t->cool_ms > 0 && p->n > 1)
		log_info("pve", "%s answers again", t->url);
	t->cool_ms = 0;
	if (is_cool(p, &p->targets[p->current]))
		p->current = at;
}

/* What it says about itself. */
static void take_status(struct pveport *p, size_t at, const struct httpc_reply *r)
{
	struct target *t = &p->targets[at];
	bool had_quorum = !t->no_quorum;
	target_learn(t, r->status, r->body, r->body_len);
	const char *cluster = target_cluster(p->targets, p->n);
	for (size_t i = 0; i < p->n && p->n > 1; i++) {
		struct target *o = &p->targets[i];
		if (target_vet(o, cluster))
			log_error("pve",
			    "%s belongs to another cluster (%s) than the endpoints before it (%s): "
			    "nothing is asked of it; take it out of cluster.endpoints",
			    o->url, o->cluster, cluster);
		if (o->vet != VET_FOREIGN)
			continue;
		o->name_at = clock_now(p->clock) + NAME_AGAIN_MS;
		move_on(p, i);
	}
	if (p->n > 1 && t->no_quorum && had_quorum)
		log_warn("pve", "%s has no quorum, asking others first", t->url);
	if (p->n > 1 && t->no_quorum)
		move_on(p, at);
}

/* It may give that answer for ever, and it is none of the cluster's. A node that was asked on
 * behalf of another one passes on what is wrong with that one. */
static bool is_unwell(const char *node, const struct httpc_reply *r)
{
	bool page = pveanswer_is_page(r->status, r->body);
	bool proxy = r->status >= STATUS_PROXY_FIRST && r->status <= STATUS_PROXY_LAST;
	return page || proxy || (!node && strstr(r->reason, NO_REQUEST));
}

static char *unwell_words(const struct pveport *p, size_t at, const struct httpc_reply *r)
{
	_cleanup_str_ char *why =
	    mem_printf("%s answers %d %.200s", p->targets[at].url, r->status, r->reason);
	return text_oneline(why, 300);
}

/* The target for the next attempt of a call, or -1 when all were tried. */
static int choose(const struct pveport *p, const struct call *k)
{
	return target_choose(p->targets, p->n,
	    &(struct target_wish){.tried = k->tried,
		.node = k->node,
		.current = p->current,
		.now = clock_now(p->clock)});
}

/* ---- calls ---- */

static void call_free(struct call *k)
{
	struct pveport *p = k->p;
	httpc_cancel(p->http, &k->http);
	clock_cancel(p->clock, &k->timer);
	slots_del(&p->calls, k->id);
	pvetoken_over(&p->token, &k->pass);
	if (k->prev)
		k->prev->next = k->next;
	else
		p->first = k->next;
	if (k->next)
		k->next->prev = k->prev;
	free(k->method);
	free(k->path);
	free(k->form);
	free(k->node);
	free(k->detail);
	k->magic = 0;
	free(k);
}

static void tell(struct call *k, const struct cluster_reply *reply)
{
	/* From here on the id finds nothing: a cancel from within the callback is harmless. */
	slots_del(&k->p->calls, k->id);
	k->cb(k->arg, reply);
	call_free(k);
}

/* What needs no answer of a server, told from the loop. */
static void tell_later(void *arg)
{
	struct call *k = arg;
	CHECK_OBJ(k, CALL_MAGIC);
	k->timer = 0;
	bool replied = k->status != 0;
	struct cluster_reply reply = {
	    .transport = replied ? CLUSTER_REPLIED : CLUSTER_NOT_SENT,
	    .status = k->status,
	    .reason = replied ? k->detail : "",
	    .body = "",
	    .trust = k->trust,
	    .detail = k->detail,
	};
	tell(k, &reply);
}

static void add_detail(struct call *k, const char *detail)
{
	char *joined = k->detail ? mem_printf("%s; %s", k->detail, detail) : mem_strdup(detail);
	free(k->detail);
	k->detail = joined;
}

/* Adds what all requests have in common. */
static httpc_id submit_http(struct pveport *p, size_t at, const char *path,
    struct httpc_request *req, httpc_cb cb, void *arg)
{
	_cleanup_str_ char *url = mem_printf("%s" API_PREFIX "%s", p->targets[at].url, path);
	char *header = mem_printf("Authorization: PVEAPIToken=%s", p->token.text);
	req->url = url;
	req->secret_header = header;
	httpc_id id = httpc_submit(p->http, req, cb, arg);
	mem_free_secret(&header);
	return id;
}

static void on_http(void *arg, const struct httpc_reply *r);
static void on_vetted(void *arg, const struct httpc_reply *r);

static void send_call(struct call *k)
{
	struct httpc_request req = {
	    .method = k->method,
	    .body = k->form,
	    .body_len = k->form_len,
	    .timeout_ms = k->timeout_ms,
	    .max_body = ANSWER_MAX_BYTES,
	};
	k->http = submit_http(k->p, k->at, k->path, &req, on_http, k);
}

static void send_to(struct call *k, size_t at)
{
	struct httpc_request ask = {.method = "GET", .timeout_ms = NAME_TIMEOUT_MS};
	k->at = at;
	k->tried |= UINT32_C(1) << at;
	/* Nothing is changed through an endpoint that may be of another cluster. */
	k->vetting =
	    k->p->n > 1 && k->p->targets[at].vet == VET_UNKNOWN && !text_eq(k->method, "GET");
	if (k->vetting)
		k->http = submit_http(k->p, at, STATUS_PATH, &ask, on_vetted, k);
	else
		send_call(k);
}

static void on_name(void *arg, const struct httpc_reply *r)
{
	struct target *t = arg;
	struct pveport *p = t->p;
	size_t at = (size_t)(t - p->targets);
	t->naming = 0;
	t->name_at = clock_now(p->clock) + NAME_AGAIN_MS;
	if (r->outcome != HTTPC_REPLIED) {
		target_failed(p, at, r->detail);
		t->name_at = clock_now(p->clock) + NAME_AGAIN_MS;
		return;
	}
	if (is_unwell(NULL, r))
		return;
	target_answered(p, at);
	if (r->status != 401)
		take_status(p, at, r);
}

/* Where there is a choice, it helps to know which node is which; a token without Sys.Audit is not
 * told, and then host names have to do. */
static void ask_names(struct pveport *p)
{
	struct httpc_request req = {.method = "GET", .timeout_ms = NAME_TIMEOUT_MS};
	for (size_t i = 0; i < p->n && p->n > 1 && !p->token.refused; i++) {
		struct target *t = &p->targets[i];
		if (t->naming || clock_now(p->clock) < t->name_at)
			continue;
		t->naming = submit_http(p, i, STATUS_PATH, &req, on_name, t);
	}
}

/* True when the call goes on elsewhere. */
static bool try_next(struct call *k)
{
	int next = choose(k->p, k);
	if (next >= 0)
		send_to(k, (size_t)next);
	return next >= 0;
}

static void not_sent(struct call *k, const struct httpc_reply *r)
{
	struct pveport *p = k->p;
	k->trust = r->trust ? r->trust : k->trust;
	add_detail(k, r->detail);
	target_failed(p, k->at, r->detail);
	if (try_next(k))
		return;
	struct cluster_reply reply = {
	    .transport = CLUSTER_NOT_SENT,
	    .reason = "",
	    .body = "",
	    .trust = k->trust,
	    .detail = k->detail,
	};
	tell(k, &reply);
}

/* The call itself was not sent to the one that was to have it. */
static void turn_away(struct call *k, const char *why)
{
	struct httpc_reply none = {.outcome = HTTPC_NOT_SENT, .detail = why};
	not_sent(k, &none);
}

static void on_vetted(void *arg, const struct httpc_reply *r)
{
	struct call *k = arg;
	CHECK_OBJ(k, CALL_MAGIC);
	struct pveport *p = k->p;
	k->http = 0;
	k->vetting = false;
	if (r->outcome != HTTPC_REPLIED) {
		not_sent(k, r); /* the call itself was not */
		return;
	}
	if (is_unwell(NULL, r)) {
		_cleanup_str_ char *words = unwell_words(p, k->at, r);
		turn_away(k, words);
		return;
	}
	target_answered(p, k->at);
	if (r->status != 401)
		take_status(p, k->at, r);
	if (p->targets[k->at].vet != VET_FOREIGN) {
		send_call(k);
		return;
	}
	_cleanup_str_ char *why =
	    mem_printf("%s belongs to another cluster", p->targets[k->at].url);
	turn_away(k, why);
}

/* ---- the token ---- */

/* Both are certain not to have had an effect: a token that is refused, and a node that the one
 * asked could not connect to. The first is asked of all only until it is clear that all refuse it.
 */
static bool is_elsewhere_better(struct call *k, int status)
{
	bool refused = status == 401 && !k->p->token.refused;
	if (refused)
		k->p->targets[k->at].denied = true;
	return k->p->n > 1 && (refused || status == STATUS_NOT_CONNECTED);
}

/* Who refuses a token that another one accepts is of another cluster, or not well. */
static void judge_targets(struct call *k, int status)
{
	struct pveport *p = k->p;
	p->targets[k->at].denied = status == 401;
	for (size_t i = 0; i < p->n && status != 401; i++) {
		struct target *t = &p->targets[i];
		if (!t->denied || !(k->tried & (UINT32_C(1) << i)))
			continue;
		t->denied = false;
		target_failed(p, i, "it refuses the token that others accept");
	}
}

static void on_http(void *arg, const struct httpc_reply *r)
{
	struct call *k = arg;
	CHECK_OBJ(k, CALL_MAGIC);
	struct pveport *p = k->p;
	k->http = 0;
	if (r->outcome == HTTPC_NOT_SENT) {
		not_sent(k, r);
		return;
	}
	struct cluster_reply reply = {
	    .transport = r->outcome == HTTPC_CUT ? CLUSTER_CUT : CLUSTER_REPLIED,
	    .status = r->status,
	    .reason = r->reason,
	    .body = r->body,
	    .body_len = r->body_len,
	    .date_s = r->date_s,
	    .detail = r->detail,
	};
	if (r->outcome == HTTPC_CUT) {
		target_failed(p, k->at, r->detail);
		tell(k, &reply);
		return;
	}
	if (is_unwell(k->node, r)) {
		_cleanup_str_ char *words = unwell_words(p, k->at, r);
		bool nothing_done = text_eq(k->method, "GET") || strstr(r->reason, NO_REQUEST);
		target_failed(p, k->at, words);
		if (!nothing_done || !try_next(k))
			tell(k, &reply);
		return;
	}
	target_answered(p, k->at);
	if (is_elsewhere_better(k, r->status) && try_next(k))
		return;
	judge_targets(k, r->status);
	pvetoken_answered(&p->token, r->status, &k->pass);
	if (text_eq(k->path, STATUS_PATH) && r->status == 200) {
		take_status(p, k->at, r);
		snprintf(p->entry, sizeof(p->entry), "%s", p->targets[k->at].node);
	}
	tell(k, &reply);
}

/* ---- the port ---- */

/* Puts the parameters where the method has them; -1 when they are too long to be sent. */
static int set_params(struct call *k, const struct cluster_request *req)
{
	static const struct kv none;
	const struct kv *params = req->params ? req->params : &none;
	bool in_body = text_eq(req->method, "POST") || text_eq(req->method, "PUT");
	size_t len = 0;
	if (in_body) {
		k->form = pveform_encode(params, FORM_MAX_BYTES, &k->form_len);
		return k->form ? 0 : -1;
	}
	/* PVE refuses a DELETE with a body. */
	_cleanup_str_ char *query = pveform_encode(params, URL_MAX_BYTES, &len);
	if (!query)
		return -1;
	if (len > 0) {
		char *longer = mem_printf("%s?%s", k->path, query);
		free(k->path);
		k->path = longer;
	}
	return 0;
}

static cluster_id submit(
    struct cluster_port *port, const struct cluster_request *req, cluster_cb cb, void *arg)
{
	struct pveport *p = of_port(port);
	struct call *k = mem_alloc(sizeof(*k));
	k->magic = CALL_MAGIC;
	k->p = p;
	k->method = mem_strdup(req->method);
	k->path = mem_strdup(req->path);
	k->node = mem_strdup(req->node);
	k->timeout_ms = req->timeout_ms > 0 ? req->timeout_ms : TIMEOUT_MS_DEFAULT;
	k->cb = cb;
	k->arg = arg;
	k->next = p->first;
	if (k->next)
		k->next->prev = k;
	p->first = k;
	k->id = slots_add(&p->calls, k);
	if (set_params(k, req) < 0) {
		k->detail = mem_strdup("the parameters are too long to be sent");
		k->timer = clock_timer(p->clock, 0, tell_later, k);
		return k->id;
	}
	if (!pvetoken_ask(&p->token, &k->pass)) {
		k->status = 401;
		k->detail = mem_strdup("the cluster refuses the API token");
		k->timer = clock_timer(p->clock, 0, tell_later, k);
		return k->id;
	}
	if (!try_next(k)) {
		k->detail = mem_strdup("all endpoints belong to other clusters");
		k->timer = clock_timer(p->clock, 0, tell_later, k);
	}
	ask_names(p);
	return k->id;
}

static void cancel(struct cluster_port *port, cluster_id id)
{
	struct call *k = slots_find(&of_port(port)->calls, id);
	if (k)
		call_free(k);
}

static const char *entry(struct cluster_port *port)
{
	return of_port(port)->entry;
}

static int check_opts(const struct pveport_opts *o, struct err **err)
{
	if (o->n_endpoints == 0 || o->n_endpoints > ENDPOINTS_MAX)
		return err_set(err, ERR_CONFIG, "one to %d endpoints are needed", ENDPOINTS_MAX);
	for (size_t i = 0; i < o->n_endpoints; i++) {
		const char *rest = text_after(o->endpoints[i], "https://");
		if (!rest || !*rest || strpbrk(rest, "/?# "))
			return err_set(
			    err, ERR_CONFIG, "\"%.100s\" is no https://HOST:PORT", o->endpoints[i]);
	}
	if (!o->token || !pvetoken_is_valid(o->token))
		return err_set(
		    err, ERR_CONFIG, "the API token is not of the form user@realm!name=uuid");
	return 0;
}

int pveport_new(
    struct loop *l, const struct pveport_opts *o, struct pveport **ret, struct err **err)
{
	static const struct cluster_port_ops ops = {
	    .submit = submit, .cancel = cancel, .entry = entry};
	struct httpc *http = NULL;
	struct httpc_opts http_opts = {
	    .ca_file = o->ca_file,
	    .fingerprints = o->fingerprints,
	    .n_fingerprints = o->n_fingerprints,
	    .per_host = o->connections,
	    .connect_timeout_ms = o->connect_timeout_ms,
	};
	if (check_opts(o, err) < 0 || httpc_new(l, &http_opts, &http, err) < 0)
		return -1;
	struct pveport *p = mem_alloc(sizeof(*p));
	p->magic = PVEPORT_MAGIC;
	p->port.ops = &ops;
	p->clock = loop_clock(l);
	p->http = http;
	pvetoken_init(&p->token, &(struct pvetoken_opts){.clock = p->clock,
				     .token = o->token,
				     .read = o->read_token,
				     .arg = o->token_arg,
				     .probe_ms = o->probe_ms});
	for (size_t i = 0; i < o->n_endpoints; i++) {
		target_init(&p->targets[p->n], o->endpoints[i]);
		p->targets[p->n++].p = p;
	}
	*ret = p;
	return 0;
}

void pveport_free(struct pveport **pp)
{
	struct pveport *p = *pp;
	if (!p)
		return;
	CHECK_OBJ(p, PVEPORT_MAGIC);
	while (p->first)
		call_free(p->first);
	httpc_free(&p->http);
	for (size_t i = 0; i < p->n; i++) {
		target_fini(&p->targets[i]);
	}
	pvetoken_fini(&p->token);
	slots_fini(&p->calls);
	p->magic = 0;
	free(p);
	*pp = NULL;
}

struct cluster_port *pveport_port(struct pveport *p)
{
	CHECK_OBJ(p, PVEPORT_MAGIC);
	return &p->port;
}
