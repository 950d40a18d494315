#include "pvereq.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pveanswer.h"
#include "slots.h"

#define PVEREQ_MAGIC 0x70766572u
#define CALL_MAGIC 0x7076636cu

#define PATIENCE_MS_DEFAULT 15000
#define PAUSE_MS_FIRST 250
#define PAUSE_MS_MAX 8000

struct call {
	uint32_t magic;
	struct pvereq *r;
	slot_id id;
	struct call *prev, *next; /* all of the client */
	enum endpoint_id endpoint;
	char *path, *node;
	struct kv params;
	bool unread;
	int64_t timeout_ms;
	int64_t give_up_at; /* no new attempt begins after this */
	int64_t pause_ms;   /* before the next attempt */
	bool reread;	    /* a read that was cut was asked once more */
	char *broken;	    /* why the path cannot be built, or NULL */
	cluster_id sent;
	timer_id timer;
	pvereq_cb cb;
	void *arg;
};

struct pvereq {
	uint32_t magic;
	struct cluster_port *port;
	struct clock *clock;
	int64_t timeout_ms;
	int64_t wall_0, now_0; /* both clocks, when it began */
	struct slots calls;
	struct call *first;
};

struct pvereq *pvereq_new(struct cluster_port *port, struct clock *clock, int64_t timeout_ms)
{
	struct pvereq *r = mem_alloc(sizeof(*r));
	MUST(timeout_ms > 0);
	*r = (struct pvereq){
	    .magic = PVEREQ_MAGIC, .port = port, .clock = clock, .timeout_ms = timeout_ms};
	r->wall_0 = clock_wall(clock);
	r->now_0 = clock_now(clock);
	return r;
}

static void call_free(struct call *k)
{
	struct pvereq *r = k->r;
	cluster_cancel(r->port, &k->sent);
	clock_cancel(r->clock, &k->timer);
	slots_del(&r->calls, k->id);
	if (k->prev)
		k->prev->next = k->next;
	else
		r->first = k->next;
	if (k->next)
		k->next->prev = k->prev;
	kv_fini(&k->params);
	free(k->path);
	free(k->node);
	free(k->broken);
	k->magic = 0;
	free(k);
}

void pvereq_free(struct pvereq **rp)
{
	struct pvereq *r = *rp;
	if (!r)
		return;
	CHECK_OBJ(r, PVEREQ_MAGIC);
	while (r->first)
		call_free(r->first);
	slots_fini(&r->calls);
	r->magic = 0;
	free(r);
	*rp = NULL;
}

/* A list that its reader takes row by row. */
static bool is_unread(const struct call *k, const struct cluster_reply *reply)
{
	return k->unread && reply->transport == CLUSTER_REPLIED && reply->status >= 200 &&
	       reply->status <= 299;
}

static void finish(struct call *k, const struct pveanswer *a, const struct cluster_reply *reply)
{
	bool done = a->err.outcome == PVE_DONE;
	bool replied = reply->transport == CLUSTER_REPLIED;
	const struct jsn *data = done ? jsn_get(a->body, "data") : NULL;
	bool unread = is_unread(k, reply);
	struct pvereq_result res = {
	    .outcome = a->err.outcome,
	    .reason = a->err.reason,
	    .subject = a->err.subject,
	    .text = a->text,
	    .status = replied ? reply->status : 0,
	    .date_s = replied ? reply->date_s : 0,
	    .data = jsn_is_null(data) ? NULL : data,
	    .body = done ? a->body : NULL,
	    .upid = done ? a->upid : NULL,
	    .list = unread ? reply->body : NULL,
	    .list_len = unread ? reply->body_len : 0,
	    .errors = &a->errors,
	};
	/* From here on the id finds nothing: a cancel from within the callback is harmless. */
	slots_del(&k->r->calls, k->id);
	k->cb(k->arg, &res);
	call_free(k);
}

static void send_call(struct call *k);

static void pause_over(void *arg)
{
	struct call *k = arg;
	CHECK_OBJ(k, CALL_MAGIC);
	k->timer = 0;
	send_call(k);
}

/* Reading again is no risk, and one that reads a lot need not begin anew because of a connection
 * that broke; but whoever breaks it each time is not asked for ever. */
static bool may_reread(struct call *k, const struct cluster_reply *reply)
{
	bool first = !k->reread;
	if (reply->transport != CLUSTER_CUT ||
	    endpoint_get(k->endpoint)->kind != ENDPOINT_KIND_READ)
		return false;
	k->reread = true;
	return first;
}

/* True when another attempt has been put off until later. */
static bool try_again(struct call *k, const struct pveanswer *a, const struct cluster_reply *reply)
{
	struct clock *clock = k->r->clock;
	/* A certificate does not change within seconds; a person has to look. */
	bool unsent = a->err.outcome == PVE_NOT_SENT && a->err.reason != PVE_TLS;
	if (!unsent && !may_reread(k, reply))
		return false;
	int64_t pause = k->pause_ms / 2 + (int64_t)(clock_random(clock) % (uint64_t)k->pause_ms);
	if (clock_now(clock) + pause > k->give_up_at)
		return false;
	log_debug("pve", "%s: %s, retrying in %lld ms", endpoint_get(k->endpoint)->word, a->text,
	    (long long)pause);
	k->pause_ms = k->pause_ms * 2 > PAUSE_MS_MAX ? PAUSE_MS_MAX : k->pause_ms * 2;
	k->timer = clock_timer(clock, pause, pause_over, k);
	return true;
}

static void on_reply(void *arg, const struct cluster_reply *reply)
{
	struct call *k = arg;
	CHECK_OBJ(k, CALL_MAGIC);
	k->sent = 0;
	struct pveanswer a = {.err = {.outcome = PVE_DONE}};
	if (is_unread(k, reply))
		a.text = mem_strdup("");
	else
		pveanswer_read(k->endpoint, reply, &a);
	if (!try_again(k, &a, reply))
		finish(k, &a, reply);
	pveanswer_fini(&a);
}

static void send_call(struct call *k)
{
	struct cluster_request req = {
	    .method = endpoint_get(k->endpoint)->method,
	    .path = k->path,
	    .params = k->params.n > 0 ? &k->params : NULL,
	    .node = k->node,
	    .timeout_ms = k->timeout_ms,
	    .as_text = k->unread,
	};
	k->sent = cluster_submit(k->r->port, &req, on_reply, k);
}

static void broken_call(void *arg)
{
	struct call *k = arg;
	CHECK_OBJ(k, CALL_MAGIC);
	k->timer = 0;
	struct pveanswer a = {
	    .err = {.reason = PVE_OTHER, .outcome = PVE_NOT_SENT},
	    .text = mem_strdup(k->broken),
	};
	finish(k, &a, &(struct cluster_reply){.transport = CLUSTER_NOT_SENT});
	pveanswer_fini(&a);
}

pvereq_id pvereq_send(struct pvereq *r, const struct pvereq_spec *spec, pvereq_cb cb, void *arg)
{
	CHECK_OBJ(r, PVEREQ_MAGIC);
	_cleanup_err_ struct err *err = NULL;
	struct call *k = mem_alloc(sizeof(*k));
	int64_t patience = spec->patience_ms ? spec->patience_ms : PATIENCE_MS_DEFAULT;
	k->magic = CALL_MAGIC;
	k->r = r;
	k->endpoint = spec->endpoint;
	k->unread = spec->unread;
	k->node = mem_strdup(spec->args.node);
	if (spec->params)
		kv_copy(&k->params, spec->params);
	k->timeout_ms = spec->timeout_ms ? spec->timeout_ms : r->timeout_ms;
	k->give_up_at = clock_now(r->clock) + (patience < 0 ? -1 : patience);
	k->pause_ms = PAUSE_MS_FIRST;
	k->cb = cb;
	k->arg = arg;
	k->next = r->first;
	if (k->next)
		k->next->prev = k;
	r->first = k;
	k->id = slots_add(&r->calls, k);
	if (endpoint_path(spec->endpoint, &spec->args, &k->path, &err) < 0) {
		k->broken = mem_strdup(err_msg(err));
		k->timer = clock_timer(r->clock, 0, broken_call, k);
	} else {
		send_call(k);
	}
	return k->id;
}

void pvereq_cancel(struct pvereq *r, pvereq_id *id)
{
	CHECK_OBJ(r, PVEREQ_MAGIC);
	struct call *k = slots_find(&r->calls, *id);
	*id = 0;
	if (k)
		call_free(k);
}

struct clock *pvereq_clock(struct pvereq *r)
{
	CHECK_OBJ(r, PVEREQ_MAGIC);
	return r->clock;
}

int64_t pvereq_steady_wall(const struct pvereq *r)
{
	CHECK_OBJ(r, PVEREQ_MAGIC);
	return r->wall_0 + clock_now(r->clock) - r->now_0;
}

size_t pvereq_active(const struct pvereq *r)
{
	CHECK_OBJ(r, PVEREQ_MAGIC);
	return r->calls.used;
}
