#include "pveport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "httpc.h"
#include "jsn.h"
#include "log.h"
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
#define COOL_MS_FIRST 5000
#define COOL_MS_MAX 60000
#define PROBE_MS_DEFAULT 60000
#define NAME_AGAIN_MS 600000
#define NAME_TIMEOUT_MS 10000
#define TOKEN_MAX_BYTES 1024

struct target {
	char *url;
	char *node;	    /* as it called itself, or as its host name suggests; "" = unknown */
	int64_t cool_until; /* not asked before, unless there is nothing else */
	int64_t cool_ms;    /* of the last cooling; 0 = well */
	struct pveport *p;  /* for the callback of `naming` */
	httpc_id naming;    /* a call under way that asks for the node's name */
	int64_t name_at;    /* not asked for the name before; INT64_MAX = it is known */
};

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
	bool is_probe;	/* the one call that tests whether the token is accepted again */
	bool tls_refused;
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
	char *token;
	int (*read_token)(void *arg, char **ret, struct err **err);
	void *token_arg;
	bool refused;	  /* the last answer was 401 */
	bool probing;	  /* the probe is under way */
	int64_t probe_at; /* the next one may go out */
	int64_t probe_ms;
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
	return t->cool_ms > 0 && clock_now(p->clock) < t->cool_until;
}

static void target_failed(struct pveport *p, size_t at)
{
	struct target *t = &p->targets[at];
	/* Calls that were under way together count once. */
	if (is_cool(p, t))
		return;
	t->cool_ms = t->cool_ms == 0 ? COOL_MS_FIRST : t->cool_ms * 2;
	if (t->cool_ms > COOL_MS_MAX)
		t->cool_ms = COOL_MS_MAX;
	t->cool_until = clock_now(p->clock) + t->cool_ms;
	if (p->n > 1)
		log_warn("pve", "%s does not answer, asking others for %lld s", t->url,
		    (long long)(t->cool_ms / 1000));
	if (p->current == at)
		p->current = (at + 1) % p->n;
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

/* The target for the next attempt of a call, or -1 when all were tried. */
static int choose(const struct pveport *p, const struct call *k)
{
	int best = -1;
	int best_rank = -1;
	for (size_t i = 0; i < p->n; i++) {
		const struct target *t = &p->targets[i];
		if (k->tried & (UINT32_C(1) << i))
			continue;
		/* Not cooling first, then the node's own, then the one that works. */
		int rank = (is_cool(p, t) ? 0 : 4) +
			   (k->node && text_eq_nocase(t->node, k->node) ? 2 : 0) +
			   (i == p->current ? 1 : 0);
		if (rank > best_rank) {
			best = (int)i;
			best_rank = rank;
		}
	}
	return best;
}

/* Which node it is that answers: the row of /cluster/status that says so. NULL if none does;
 * borrowed from the target. */
static const char *learn_node(struct pveport *p, size_t at, const struct httpc_reply *r)
{
	_cleanup_jsn_ struct jsn *body = NULL;
	if (jsn_parse(r->body, r->body_len, &body, NULL) < 0)
		return NULL;
	const struct jsn *rows = jsn_get(body, "data");
	for (size_t i = 0; i < jsn_len(rows); i++) {
		const struct jsn *row = jsn_at(rows, i);
		const char *name = jsn_get_text(row, "name");
		if (!text_eq(jsn_get_text(row, "type"), "node") ||
		    !jsn_get_bool(row, "local", false) || !name || !text_is_dns_name(name))
			continue;
		mem_replace(&p->targets[at].node, name);
		p->targets[at].name_at = INT64_MAX;
		return p->targets[at].node;
	}
	return NULL;
}

/* ---- calls ---- */

static void call_free(struct call *k)
{
	struct pveport *p = k->p;
	httpc_cancel(p->http, &k->http);
	clock_cancel(p->clock, &k->timer);
	slots_del(&p->calls, k->id);
	if (k->is_probe)
		p->probing = false;
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
	    .tls_refused = k->tls_refused,
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
	char *header = mem_printf("Authorization: PVEAPIToken=%s", p->token);
	req->url = url;
	req->secret_header = header;
	httpc_id id = httpc_submit(p->http, req, cb, arg);
	mem_free_secret(&header);
	return id;
}

static void on_http(void *arg, const struct httpc_reply *r);

static void send_to(struct call *k, size_t at)
{
	struct httpc_request req = {
	    .method = k->method,
	    .body = k->form,
	    .body_len = k->form_len,
	    .timeout_ms = k->timeout_ms,
	    .max_body = ANSWER_MAX_BYTES,
	};
	k->at = at;
	k->tried |= UINT32_C(1) << at;
	k->http = submit_http(k->p, at, k->path, &req, on_http, k);
}

static void on_name(void *arg, const struct httpc_reply *r)
{
	struct target *t = arg;
	struct pveport *p = t->p;
	size_t at = (size_t)(t - p->targets);
	t->naming = 0;
	t->name_at = clock_now(p->clock) + NAME_AGAIN_MS;
	if (r->outcome != HTTPC_REPLIED) {
		target_failed(p, at);
		return;
	}
	target_answered(p, at);
	if (r->status == 200)
		learn_node(p, at, r);
}

/* Where there is a choice, it helps to know which node is which; a token without Sys.Audit is not
 * told, and then host names have to do. */
static void ask_names(struct pveport *p)
{
	struct httpc_request req = {.method = "GET", .timeout_ms = NAME_TIMEOUT_MS};
	for (size_t i = 0; i < p->n && p->n > 1 && !p->refused; i++) {
		struct target *t = &p->targets[i];
		if (t->naming || clock_now(p->clock) < t->name_at)
			continue;
		t->naming = submit_http(p, i, STATUS_PATH, &req, on_name, t);
	}
}

static void not_sent(struct call *k, const struct httpc_reply *r)
{
	struct pveport *p = k->p;
	k->tls_refused |= r->tls_refused;
	add_detail(k, r->detail);
	target_failed(p, k->at);
	int next = choose(p, k);
	if (next >= 0) {
		send_to(k, (size_t)next);
		return;
	}
	struct cluster_reply reply = {
	    .transport = CLUSTER_NOT_SENT,
	    .reason = "",
	    .body = "",
	    .tls_refused = k->tls_refused,
	    .detail = k->detail,
	};
	tell(k, &reply);
}

/* ---- the token ---- */

static bool is_token(const char *s)
{
	size_t len = strlen(s);
	return len > 0 && len <= TOKEN_MAX_BYTES && text_is_printable(s, len) && strchr(s, '!') &&
	       strchr(s, '=');
}

/* True when there is another one now. While the token is refused this is asked before every call,
 * so that a new one is taken up at once; `quiet` then keeps the log short. */
static bool read_token_again(struct pveport *p, bool quiet)
{
	_cleanup_err_ struct err *err = NULL;
	char *fresh = NULL;
	if (!p->read_token)
		return false;
	if (p->read_token(p->token_arg, &fresh, &err) < 0) {
		if (!quiet)
			log_warn("pve", "%s, ignoring", err_msg(err));
		return false;
	}
	bool is_new = is_token(fresh) && !text_eq(fresh, p->token);
	if (!is_token(fresh) && !quiet)
		log_warn("pve", "the token file holds no API token, ignoring");
	if (is_new) {
		log_mask(fresh);
		mem_free_secret(&p->token);
		p->token = TAKE(fresh);
	}
	mem_free_secret(&fresh);
	return is_new;
}

static void judge_token(struct pveport *p, struct call *k, int status)
{
	bool refused = status == 401;
	/* A token that was exchanged in the meantime gets its chance at once. */
	if (refused && !p->refused && read_token_again(p, false))
		return;
	if (refused && !p->refused)
		log_debug("pve", "the cluster refuses the API token, retrying every %lld s",
		    (long long)(p->probe_ms / 1000));
	if (!refused && p->refused)
		log_info("pve", "the cluster accepts the API token again");
	/* An answer to a call that went out before says nothing new about a token that failed. */
	if (refused && (!p->refused || k->is_probe))
		p->probe_at = clock_now(p->clock) + p->probe_ms;
	p->refused = refused;
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
		target_failed(p, k->at);
	} else {
		target_answered(p, k->at);
		judge_token(p, k, r->status);
		if (r->status == 200 && text_eq(k->path, STATUS_PATH)) {
			const char *node = learn_node(p, k->at, r);
			snprintf(p->entry, sizeof(p->entry), "%s", node ? node : "");
		}
	}
	tell(k, &reply);
}

/* Whether a call may go out although the token was refused. */
static bool is_probe_due(struct pveport *p)
{
	if (p->probing)
		return false;
	bool due = clock_now(p->clock) >= p->probe_at;
	return read_token_again(p, !due) || due;
}

/* ---- the port ---- */

static char *encode(const struct kv *params, size_t max, size_t *ret_len)
{
	struct buf b;
	buf_init(&b, max);
	KV_FOREACH (item, params) {
		_cleanup_str_ char *key = text_url_encode(item->key);
		_cleanup_str_ char *value = text_url_encode(item->value);
		buf_addf(&b, "%s%s=%s", b.len ? "&" : "", key, value);
	}
	if (b.overflow) {
		buf_fini(&b);
		return NULL;
	}
	*ret_len = b.len;
	return buf_take(&b);
}

/* Puts the parameters where the method has them; -1 when they are too long to be sent. */
static int set_params(struct call *k, const struct cluster_request *req)
{
	static const struct kv none;
	const struct kv *params = req->params ? req->params : &none;
	bool in_body = text_eq(req->method, "POST") || text_eq(req->method, "PUT");
	size_t len = 0;
	if (in_body) {
		k->form = encode(params, FORM_MAX_BYTES, &k->form_len);
		return k->form ? 0 : -1;
	}
	/* PVE refuses a DELETE with a body. */
	_cleanup_str_ char *query = encode(params, URL_MAX_BYTES, &len);
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
	if (p->refused && !is_probe_due(p)) {
		k->status = 401;
		k->detail = mem_strdup("the cluster refuses the API token");
		k->timer = clock_timer(p->clock, 0, tell_later, k);
		return k->id;
	}
	k->is_probe = p->refused;
	p->probing |= k->is_probe;
	send_to(k, (size_t)choose(p, k));
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

/* "pve1" of https://pve1.example.org:8006: mostly the node's name; where it is not, nothing is lost
 * but a detour. "" for addresses. */
static char *guess_node(const char *url)
{
	const char *host = text_after(url, "https://");
	size_t len = host ? strcspn(host, ".:/") : 0;
	char *label = mem_strndup(host ? host : "", len);
	if (!text_is_dns_label(label) || strspn(label, "0123456789") == len)
		label[0] = '\0';
	return label;
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
	if (!o->token || !is_token(o->token))
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
	p->token = mem_strdup(o->token);
	p->read_token = o->read_token;
	p->token_arg = o->token_arg;
	p->probe_ms = o->probe_ms ? o->probe_ms : PROBE_MS_DEFAULT;
	for (size_t i = 0; i < o->n_endpoints; i++) {
		p->targets[p->n++] = (struct target){.p = p,
		    .url = mem_strdup(o->endpoints[i]),
		    .node = guess_node(o->endpoints[i])};
	}
	log_mask(p->token);
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
		free(p->targets[i].url);
		free(p->targets[i].node);
	}
	mem_free_secret(&p->token);
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
