#include "support_pve.h"

#include "jsn.h"
#include "pvetoken.h"
#include "slots.h"
#include "support_wire.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000

struct call {
	struct port *port;
	slot_id id;
	uint64_t sim;
	timer_id timer;
	cluster_cb cb;
	void *arg;
	char *node; /* that it went to */
	char *path;
	char *token;
	struct pvetoken_pass pass;
	struct call *prev, *next;
};

struct port {
	struct cluster_port base;
	struct sim *sim;
	struct clock *clock;
	struct pvetoken token;
	char *const *token_file;
	struct {
		bool refused;
		int64_t at;	/* when that became known, or was tried again */
		char *tried;	/* the token then */
		size_t *beyond; /* requests that should not have gone out */
	} told; /* what the answers say of the token: counted beside what is tested */
	char *entry;
	struct slots slots;
	struct call *calls;
	size_t count, *answers;
	bool dead, trees;
	int major; /* of the version, as it said */
	struct {
		const char *v[3];
		size_t n;
	} others; /* asked in turn when one does not answer; n 0: always the one */
	void (*hook)(void *arg, const char *method, const char *path);
	void *hook_arg;
	char *(*say)(void *arg, const char *path, const char *body);
	void *say_arg;
	struct fates fates;
};

static void call_free(struct call *c)
{
	struct port *p = c->port;

	clock_cancel(p->clock, &c->timer);
	pvetoken_over(&p->token, &c->pass);
	slots_del(&p->slots, c->id);
	if (c->prev)
		c->prev->next = c->next;
	else
		p->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c->node);
	free(c->path);
	free(c->token);
	free(c);
}

/* As the real port does when an endpoint fails; what was asked of it at the same time fails with it
 * and moves nothing on. */
static void next_entry(struct port *p, const char *failed)
{
	size_t i = 0;

	if (!p->others.n || strcmp(p->entry, failed) != 0)
		return;
	while (i < p->others.n && strcmp(p->others.v[i], p->entry) != 0)
		i++;
	mem_replace(&p->entry, p->others.v[(i + 1) % p->others.n]);
}

/* With a refused token one request a minute may go out, or the first with another one. */
static void note_request(struct port *p)
{
	int64_t now = clock_now(p->clock);

	if (!p->told.refused)
		return;
	if (p->told.beyond && now - p->told.at < MINUTE_MS && text_eq(p->told.tried, p->token.text))
		++*p->told.beyond;
	p->told.at = now;
	mem_replace(&p->told.tried, p->token.text);
}

static void note_status(struct port *p, int status, const char *token)
{
	if (status == 401 && !text_eq(token, p->token.text))
		return; /* the one before */
	if (status == 401 && !p->told.refused) {
		p->told.at = clock_now(p->clock);
		mem_replace(&p->told.tried, token);
	}
	p->told.refused = status == 401;
}

static void tell(struct call *c, const struct cluster_reply *r)
{
	cluster_cb cb = c->cb;
	void *arg = c->arg;
	bool dead = c->port->dead;

	call_free(c);
	if (!dead)
		cb(arg, r);
}

static void answer(struct call *c, const struct cluster_reply *r)
{
	struct port *p = c->port;

	if (p->answers)
		++*p->answers;
	if (r->transport == CLUSTER_REPLIED) {
		pvetoken_answered(&p->token, r->status, &c->pass);
		note_status(p, r->status, c->token);
	}
	if (r->transport != CLUSTER_REPLIED && !p->dead)
		next_entry(p, c->node);
	tell(c, r);
}

static void note_version(struct port *p, const struct cluster_reply *r)
{
	struct jsn *own = NULL;
	const struct jsn *body = r->tree ? *r->tree : NULL;

	if (!body && jsn_parse(r->body, r->body_len, &own, NULL) == 0)
		body = own;
	const char *release = jsn_get_text(jsn_get(body, "data"), "release");
	p->major = release ? (int)strtol(release, NULL, 10) : p->major;
	jsn_free(&own);
}

static void on_sim(void *arg, const struct sim_reply *reply)
{
	struct call *c = arg;
	struct cluster_reply r = {.transport = CLUSTER_REPLIED, .reason = "", .body = ""};
	struct port *p = c->port;
	_cleanup_str_ char *said = NULL;

	switch (reply->cut) {
	case SIM_CUT_NONE:
		r.status = reply->status;
		r.reason = reply->reason ? reply->reason : "";
		r.body = reply->body ? reply->body : "";
		r.body_len = reply->body ? reply->len : 0;
		r.tree = reply->tree;
		break;
	case SIM_CUT_REFUSED:
		r.transport = CLUSTER_NOT_SENT;
		r.detail = "connection refused";
		break;
	case SIM_CUT_RESET:
	case SIM_CUT_SHORT:
		r.transport = CLUSTER_CUT;
		r.detail = "connection reset";
		break;
	case SIM_CUT__MAX:
		break;
	}
	if (strcmp(c->path, "/version") == 0)
		note_version(p, &r);
	if (p->say && r.transport == CLUSTER_REPLIED)
		said = p->say(p->say_arg, c->path, r.body);
	if (said) {
		r.body = said;
		r.body_len = strlen(said);
	}
	answer(c, &r);
}

static void on_timeout(void *arg)
{
	struct call *c = arg;
	struct cluster_reply r = {
	    .transport = CLUSTER_CUT, .reason = "", .body = "", .detail = "timed out"};

	c->timer = 0;
	sim_cancel(c->port->sim, c->sim);
	answer(c, &r);
}

/* Nothing is asked with a token that is refused. */
static void not_asked(void *arg)
{
	struct call *c = arg;
	struct cluster_reply r = {.transport = CLUSTER_REPLIED,
	    .status = 401,
	    .reason = "the cluster refuses the API token",
	    .body = ""};

	c->timer = 0;
	tell(c, &r);
}

static cluster_id port_submit(
    struct cluster_port *cp, const struct cluster_request *req, cluster_cb cb, void *arg)
{
	struct port *p = (struct port *)cp;
	_cleanup_str_ char *authorization = NULL;
	struct sim_req q = {.method = req->method,
	    .path = req->path,
	    .params = req->params,
	    /* Who makes up answers may make up nodes. */
	    .node = req->node && req->node[0] && !p->say ? req->node : p->entry,
	    .tree = p->trees && !req->as_text};
	struct call *c = mem_alloc(sizeof(*c));
	enum fate fate;

	p->count++;
	c->port = p;
	c->node = mem_strdup(q.node);
	c->path = mem_strdup(req->path);
	c->cb = cb;
	c->arg = arg;
	c->id = slots_add(&p->slots, c);
	c->next = p->calls;
	if (c->next)
		c->next->prev = c;
	p->calls = c;
	if (p->dead)
		return c->id;
	if (!pvetoken_ask(&p->token, &c->pass)) {
		c->timer = clock_timer(p->clock, 0, not_asked, c);
		return c->id;
	}
	note_request(p);
	wire_note(p->major, req);
	if (p->hook)
		p->hook(p->hook_arg, req->method, req->path);
	fate = fates_ask(&p->fates, TOUCH_CLUSTER, req->method, req->path);
	if (fate == FATE_DIE) {
		p->fates.die(p->fates.world);
		return c->id;
	}
	c->token = mem_strdup(p->token.text);
	authorization = mem_printf("PVEAPIToken=%s", p->token.text);
	q.authorization = authorization;
	c->timer = clock_timer(p->clock, req->timeout_ms, on_timeout, c);
	c->sim = sim_submit(p->sim, &q, on_sim, c);
	if (fate == FATE_DIE_AFTER) /* it is on its way and will be carried out */
		p->fates.die(p->fates.world);
	return c->id;
}

static void port_cancel(struct cluster_port *cp, cluster_id id)
{
	struct port *p = (struct port *)cp;
	struct call *c = slots_find(&p->slots, id);

	if (!c)
		return;
	if (c->sim)
		sim_cancel(p->sim, c->sim);
	call_free(c);
}

static const char *port_entry(struct cluster_port *cp)
{
	return ((struct port *)cp)->entry;
}

static const struct cluster_port_ops port_ops = {
    .submit = port_submit, .cancel = port_cancel, .entry = port_entry};

static int read_token(void *arg, char **ret, struct err **err)
{
	struct port *p = arg;

	if (!*p->token_file)
		return err_set(err, ERR_IO, "the file of the token is gone");
	*ret = mem_strdup(*p->token_file);
	return 0;
}

struct cluster_port *simport_new(
    struct sim *sim, struct clock *clock, char *const *token_file, const char *entry)
{
	struct port *p = mem_alloc(sizeof(*p));

	p->base.ops = &port_ops;
	p->sim = sim;
	p->clock = clock;
	p->token_file = token_file;
	pvetoken_init(
	    &p->token, &(struct pvetoken_opts){
			   .clock = clock, .token = *token_file, .read = read_token, .arg = p});
	p->entry = mem_strdup(entry);
	return &p->base;
}

void simport_kill(struct cluster_port *p)
{
	((struct port *)p)->dead = true;
}

void simport_free(struct cluster_port **pp)
{
	struct port *p = (struct port *)*pp;

	if (!p)
		return;
	while (p->calls) {
		if (p->calls->sim)
			sim_cancel(p->sim, p->calls->sim);
		call_free(p->calls);
	}
	slots_fini(&p->slots);
	pvetoken_fini(&p->token);
	free(p->told.tried);
	free(p->entry);
	free(p);
	*pp = NULL;
}

void simport_set_hook(struct cluster_port *p,
    void (*hook)(void *arg, const char *method, const char *path), void *arg)
{
	((struct port *)p)->hook = hook;
	((struct port *)p)->hook_arg = arg;
}

void simport_set_mouth(
    struct cluster_port *p, char *(*say)(void *arg, const char *path, const char *body), void *arg)
{
	((struct port *)p)->say = say;
	((struct port *)p)->say_arg = arg;
}

void simport_set_fates(struct cluster_port *p, const struct fates *f)
{
	((struct port *)p)->fates = *f;
}

void simport_set_answers(struct cluster_port *p, size_t *counter)
{
	((struct port *)p)->answers = counter;
}

void simport_set_entries(struct cluster_port *cp, const char *const *nodes, size_t n)
{
	struct port *p = (struct port *)cp;

	MUST(n <= ARRAY_LEN(p->others.v));
	for (size_t i = 0; i < n; i++)
		p->others.v[i] = nodes[i];
	p->others.n = n;
}

void simport_set_trees(struct cluster_port *p, bool on)
{
	((struct port *)p)->trees = on;
}

void simport_set_beyond(struct cluster_port *p, size_t *counter)
{
	((struct port *)p)->told.beyond = counter;
}

size_t simport_count(const struct cluster_port *p)
{
	return ((const struct port *)p)->count;
}
