#include "ask.h"

#include "buf.h"
#include "log.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x41534b45u
#define READ_TRIES 3
#define PROBE_MS 60000
#define TEXT_CHARS 300

struct call {
	slot_id id;
	struct asker *owner;
	char *method, *path, *node;
	struct kv params;
	int64_t timeout_ms;
	unsigned tries;
	ask_cb cb;
	void *arg;
	cluster_id net;
	timer_id timer;
	bool refused; /* answered without asking */
	struct call *prev, *next;
};

struct asker {
	uint32_t magic;
	struct clock *clock;
	struct cluster_port *port;
	struct slots slots;
	struct call *calls;
	bool unauthenticated;
	int64_t probe_at;
};

static const struct {
	const char *needle;
	enum ask_why why;
} words[] = {
    {"VM is locked (", ASK_WHY_LOCKED},
    {"/pve-storage-", ASK_WHY_STORAGE_LOCK},
    {"cfs-lock 'storage-", ASK_WHY_STORAGE_LOCK},
    {"'storage-", ASK_WHY_STORAGE_LOCK},
    {"can't lock file", ASK_WHY_BUSY},
    {"got lock request timeout", ASK_WHY_BUSY},
    {"got no worker upid", ASK_WHY_BUSY},
    {"checksum mismatch", ASK_WHY_DIGEST},
    {"detected modified configuration", ASK_WHY_DIGEST},
    {"unable to find configuration file", ASK_WHY_NO_CONFIG},
    {"config file already exists", ASK_WHY_EXISTS},
    {"failed: File exists", ASK_WHY_EXISTS},
    {"already exists on node", ASK_WHY_EXISTS},
    {"no quorum", ASK_WHY_NO_QUORUM},
    {"Permission denied", ASK_WHY_NO_QUORUM},
    {"no such task", ASK_WHY_NO_TASK},
    {"unexpected status", ASK_WHY_NO_TASK},
    {"already running", ASK_WHY_RUNNING},
    {"not running", ASK_WHY_RUNNING},
    {"protection mode", ASK_WHY_PROTECTED},
    {"not enough free space", ASK_WHY_NO_SPACE},
    {"No space left", ASK_WHY_NO_SPACE},
    {"interrupted by signal", ASK_WHY_INTERRUPTED},
};

enum ask_why ask_why_of(const char *text)
{
	/* No quorum shows in the words of whatever lock was asked for: it goes first. */
	if (strstr(text, "no quorum"))
		return ASK_WHY_NO_QUORUM;
	if (strstr(text, "Configuration file '") && strstr(text, "does not exist"))
		return ASK_WHY_NO_CONFIG;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(text, words[i].needle))
			return words[i].why;
	return ASK_WHY_OTHER;
}

char *ask_lock_word(const char *text)
{
	const char *p = strstr(text, "VM is locked (");
	const char *end;

	if (!p)
		return NULL;
	p += strlen("VM is locked (");
	end = strchr(p, ')');
	return end && end - p < 40 ? mem_strndup(p, (size_t)(end - p)) : NULL;
}

bool ask_why_is_transient(enum ask_why w)
{
	switch (w) {
	case ASK_WHY_LOCKED:
	case ASK_WHY_BUSY:
	case ASK_WHY_STORAGE_LOCK:
	case ASK_WHY_DIGEST:
	case ASK_WHY_NO_CONFIG:
	case ASK_WHY_NO_QUORUM:
	case ASK_WHY_UNAUTHENTICATED:
	case ASK_WHY_NODE_DOWN:
	case ASK_WHY_NO_TASK:
	case ASK_WHY_RUNNING:
	case ASK_WHY_INTERRUPTED:
		return true;
	case ASK_WHY_NONE:
	case ASK_WHY_EXISTS:
	case ASK_WHY_FORBIDDEN:
	case ASK_WHY_INVALID:
	case ASK_WHY_PROTECTED:
	case ASK_WHY_NO_SPACE:
	case ASK_WHY_OTHER:
	case ASK_WHY__MAX:
		break;
	}
	return false;
}

char *ask_guest_path(const char *node, uint32_t vmid, const char *tail)
{
	_cleanup_str_ char *n = text_url_encode(node);

	return mem_printf("/nodes/%s/qemu/%u%s%s", n, vmid, tail[0] ? "/" : "", tail);
}

struct asker *asker_new(struct clock *clock, struct cluster_port *port)
{
	struct asker *a = mem_alloc(sizeof(*a));

	a->magic = MAGIC;
	a->clock = clock;
	a->port = port;
	return a;
}

static void call_free(struct call *c)
{
	struct asker *a = c->owner;

	clock_cancel(a->clock, &c->timer);
	cluster_cancel(a->port, &c->net);
	slots_del(&a->slots, c->id);
	if (c->prev)
		c->prev->next = c->next;
	else
		a->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	kv_fini(&c->params);
	free(c->method);
	free(c->path);
	free(c->node);
	free(c);
}

void asker_free(struct asker **ap)
{
	struct asker *a = *ap;

	if (!a)
		return;
	CHECK_OBJ(a, MAGIC);
	while (a->calls)
		call_free(a->calls);
	slots_fini(&a->slots);
	a->magic = 0;
	free(a);
	*ap = NULL;
}

struct clock *asker_clock(struct asker *a)
{
	return a->clock;
}

bool asker_is_unauthenticated(const struct asker *a)
{
	return a->unauthenticated;
}

void ask_cancel(struct asker *a, slot_id *id)
{
	struct call *c = slots_find(&a->slots, *id);

	if (c)
		call_free(c);
	*id = 0;
}

/* Frees the call before its callback runs: the callback may start the next one. */
static void answer(struct call *c, const struct ask_answer *a)
{
	ask_cb cb = c->cb;
	void *arg = c->arg;

	call_free(c);
	cb(arg, a);
}

static void send(struct call *c);

static void on_timer(void *arg)
{
	struct call *c = arg;

	c->timer = 0;
	if (c->refused) {
		struct ask_answer a = {.outcome = ASK_NOT_SENT,
		    .why = ASK_WHY_UNAUTHENTICATED,
		    .status = 401,
		    .text = "PVE does not accept the token"};

		answer(c, &a);
		return;
	}
	send(c);
}

static bool is_read(const struct call *c)
{
	return strcmp(c->method, "GET") == 0;
}

static void classify_http(const struct call *c, const struct cluster_reply *r, struct ask_answer *a)
{
	a->why = ask_why_of(a->text);
	a->outcome = ASK_REJECTED;
	if (r->status == 401) {
		a->why = ASK_WHY_UNAUTHENTICATED;
	} else if (r->status == 403) {
		a->why = ASK_WHY_FORBIDDEN;
	} else if (r->status == 595) {
		a->outcome = ASK_NOT_SENT;
		a->why = ASK_WHY_NODE_DOWN;
	} else if (r->status == 596 || r->status == 597 || r->status == 599 || r->status == 502 ||
		   r->status == 503 || r->status == 504) {
		a->outcome = ASK_AMBIGUOUS;
		a->why = ASK_WHY_NODE_DOWN;
	} else if (r->status == 400) {
		if (strstr(a->text, "hotplug problem") ||
		    strstr(a->text, "unable to apply pending"))
			a->outcome = ASK_PARTIAL;
		if (a->why == ASK_WHY_OTHER)
			a->why = ASK_WHY_INVALID;
	} else if (strstr(a->text, ".active.lock") ||
		   (!is_read(c) && a->why == ASK_WHY_OTHER && r->status >= 500)) {
		/* The worker may run all the same; unknown words of a write prove nothing. */
		a->outcome = ASK_AMBIGUOUS;
	}
}

/* One line out of reason, message and errors. Caller frees. */
static char *reply_text(const struct cluster_reply *r, const struct jsn *doc)
{
	const struct jsn *errors = jsn_get(doc, "errors");
	const char *message = jsn_get_text(doc, "message");
	_cleanup_buf_ struct buf b = {0};
	struct jsn_iter it;

	buf_adds(&b, r->reason[0] ? r->reason : message);
	if (jsn_is_object(errors))
		JSN_FOREACH (it, errors) {
			const char *t = jsn_text(it.val);

			buf_addf(&b, " %s: %s;", it.key, t ? t : "");
		}
	if (!b.len)
		buf_addf(&b, "HTTP status %d", r->status);
	return text_oneline(buf_str(&b), TEXT_CHARS);
}

static void note_auth(struct asker *a, const struct ask_answer *ans)
{
	bool refused = ans->why == ASK_WHY_UNAUTHENTICATED;

	if (refused)
		a->probe_at = clock_now(a->clock) + PROBE_MS;
	else if (ans->status == 0 || ans->why == ASK_WHY_NODE_DOWN)
		return; /* says nothing about the token */
	if (refused != a->unauthenticated)
		log_warn("pve", refused ? "the token is not accepted, probing once a minute"
					: "the token is accepted again");
	a->unauthenticated = refused;
}

static void on_reply(void *arg, const struct cluster_reply *r)
{
	struct call *c = arg;
	struct asker *a = c->owner;
	struct ask_answer ans = {.outcome = ASK_DONE, .status = r->status};
	_cleanup_jsn_ struct jsn *doc = NULL;
	_cleanup_str_ char *text = NULL;
	bool parsed;

	c->net = 0;
	if (r->transport != CLUSTER_REPLIED) {
		text = text_oneline(r->detail ? r->detail : "no answer", TEXT_CHARS);
		ans.status = 0;
		ans.outcome = r->transport == CLUSTER_NOT_SENT ? ASK_NOT_SENT : ASK_AMBIGUOUS;
		ans.why = ASK_WHY_NODE_DOWN;
		ans.tls_refused = r->tls_refused;
		ans.text = text;
	} else {
		parsed = jsn_parse(r->body, r->body_len, &doc, NULL) == 0;
		text = reply_text(r, doc);
		ans.text = text;
		if (r->status < 200 || r->status >= 300) {
			classify_http(c, r, &ans);
		} else if (!parsed || !jsn_is_object(doc)) {
			ans.outcome = ASK_AMBIGUOUS;
			ans.why = ASK_WHY_OTHER;
			ans.text = "the answer is no JSON object";
		}
		ans.data = jsn_get(doc, "data");
	}
	note_auth(a, &ans);
	if (is_read(c) && c->tries < READ_TRIES && !ans.tls_refused &&
	    (ans.outcome == ASK_NOT_SENT || ans.outcome == ASK_AMBIGUOUS)) {
		int64_t pause = (int64_t)c->tries * 700;

		pause += (int64_t)(clock_random(a->clock) % 500);
		c->timer = clock_timer(a->clock, pause, on_timer, c);
		return;
	}
	log_debug("pve", "%s %s: %d %s", c->method, c->path, ans.status,
	    ans.outcome == ASK_DONE ? "" : ans.text);
	answer(c, &ans);
}

static void send(struct call *c)
{
	struct cluster_request q = {.method = c->method,
	    .path = c->path,
	    .params = &c->params,
	    .node = c->node,
	    .timeout_ms = c->timeout_ms};

	c->tries++;
	c->net = cluster_submit(c->owner->port, &q, on_reply, c);
}

slot_id ask(struct asker *a, const struct ask_req *req, ask_cb cb, void *arg)
{
	struct call *c = mem_alloc(sizeof(*c));
	int64_t now = clock_now(a->clock);

	CHECK_OBJ(a, MAGIC);
	c->owner = a;
	c->method = mem_strdup(req->method);
	c->path = mem_strdup(req->path);
	c->node = mem_strdup(req->node);
	if (req->params)
		kv_copy(&c->params, req->params);
	c->timeout_ms = req->timeout_ms ? req->timeout_ms : ASK_TIMEOUT_MS;
	c->cb = cb;
	c->arg = arg;
	c->next = a->calls;
	if (a->calls)
		a->calls->prev = c;
	a->calls = c;
	c->id = slots_add(&a->slots, c);
	if (a->unauthenticated && now < a->probe_at) {
		c->refused = true;
		c->timer = clock_timer(a->clock, 0, on_timer, c);
	} else {
		if (a->unauthenticated)
			a->probe_at = now + PROBE_MS; /* this one is the probe */
		send(c);
	}
	return c->id;
}
