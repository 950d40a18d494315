/*
 * Every recorded answer to a call of which the view of the cluster is made, put in the place of one
 * of a small cluster, and the whole look gone through: nothing in it is refused, lost or misread,
 * and what is forbidden leaves the rest whole. Exit 77 where the recordings are absent.
 */
#include "../pve/exchange.h"
#include "inventory.h"
#include "log.h"
#include "vclock.h"

/* ---- a port that answers by the path ---- */

struct slot {
	struct vport *p;
	struct slot *next;
	timer_id timer;
	cluster_cb cb;
	void *arg;
	const struct cluster_reply *reply;
	struct cluster_reply own;
};

struct vport {
	struct cluster_port port;
	struct clock *clock;
	const struct exchange *x; /* instead of its own */
	const char *type;
	struct slot *slots;
	size_t used; /* how often x was the answer */
};

static const struct {
	enum endpoint_id id;
	const char *type, *body;
} small[] = {
    {ENDPOINT_VERSION, NULL, "{\"data\":{\"release\":\"9.2\",\"version\":\"9.2.1\"}}"},
    {ENDPOINT_RESOURCES, "vm", "{\"data\":[]}"},
    {ENDPOINT_RESOURCES, "node",
	"{\"data\":[{\"type\":\"node\",\"node\":\"pve1\",\"status\":\"online\"}]}"},
    {ENDPOINT_CLUSTER_STATUS, NULL,
	"{\"data\":[{\"type\":\"cluster\",\"name\":\"c\",\"quorate\":1},"
	"{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1}]}"},
    {ENDPOINT_RESOURCES, "storage", "{\"data\":[]}"},
    {ENDPOINT_POOLS, NULL, "{\"data\":[]}"},
    {ENDPOINT_REPLICATION, NULL, "{\"data\":[]}"},
    {ENDPOINT_CLUSTER_OPTIONS, NULL, "{\"data\":{}}"},
    {ENDPOINT_CLUSTER_LOG, NULL, "{\"data\":[]}"},
};

static void deliver(void *arg)
{
	struct slot *s = arg;

	s->timer = 0;
	s->cb(s->arg, s->reply);
}

static cluster_id submit(
    struct cluster_port *port, const struct cluster_request *req, cluster_cb cb, void *arg)
{
	struct vport *p = (struct vport *)port;
	struct slot *s = mem_alloc(sizeof(*s));
	const char *type = req->params ? kv_get(req->params, "type") : NULL;
	enum endpoint_id id;

	MUST(find_endpoint(req->method, req->path, &id));
	*s = (struct slot){.p = p, .next = p->slots, .cb = cb, .arg = arg};
	p->slots = s;
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		const char *body = small[i].body;
		if (small[i].id == id && text_eq(small[i].type, type))
			s->own = (struct cluster_reply){.transport = CLUSTER_REPLIED,
			    .status = 200,
			    .reason = "OK",
			    .body = body,
			    .body_len = strlen(body)};
	}
	MUST(s->own.body);
	bool mine = p->x && p->x->id == id && text_eq(p->type, type);
	p->used += mine;
	s->reply = mine ? &p->x->reply : &s->own;
	s->timer = clock_timer(p->clock, 1, deliver, s);
	return 1;
}

static void cancel(struct cluster_port *port, cluster_id id)
{
	struct vport *p = (struct vport *)port;

	(void)id;
	for (struct slot *s = p->slots; s; s = s->next)
		clock_cancel(p->clock, &s->timer);
}

static const char *entry(struct cluster_port *port)
{
	(void)port;
	return "";
}

static void on_view(void *arg)
{
	(void)arg;
}

static void on_touched(void *arg, const uint32_t *vmids, size_t n)
{
	(void)arg;
	(void)vmids;
	(void)n;
}

/* ---- what the answer says, read once more ---- */

struct tally {
	size_t seen[ENDPOINT__MAX], wrong;
};

static void complain(struct tally *t, const struct exchange *x, const char *what)
{
	t->wrong++;
	print_message(
	    "%s: %s: %s: %s\n", x->file, x->step ? x->step : "", x->e->word, what ? what : "");
}

static const char *text_of(const struct jsn *row, const char *key)
{
	const char *s = jsn_get_text(row, key);

	return s && *s ? s : NULL;
}

static bool same_guest(const struct obs_row *r, const struct jsn *row)
{
	return r && text_eq(r->node, text_of(row, "node")) &&
	       r->qemu == text_eq(text_of(row, "type"), "qemu") &&
	       r->template == (jsn_get_int(row, "template", 0) == 1) &&
	       text_eq(r->name, text_of(row, "name")) && text_eq(r->lock, text_of(row, "lock")) &&
	       text_eq(r->tags, text_of(row, "tags")) && text_eq(r->pool, text_of(row, "pool")) &&
	       text_eq(r->status, text_of(row, "status"));
}

static bool same_storage(const struct obs_storage *s, const struct jsn *row)
{
	int64_t left = jsn_get_int(row, "maxdisk", 0) - jsn_get_int(row, "disk", 0);

	return s && s->shared == (jsn_get_int(row, "shared", 0) == 1) &&
	       s->active == text_eq(text_of(row, "status"), "available") &&
	       (s->silent_since != 0) == text_eq(text_of(row, "status"), "unknown") &&
	       (int64_t)s->avail == (left > 0 ? left : 0);
}

static bool same_rows(const struct obs_cluster *c, const struct jsn *data, const char *type)
{
	size_t n = 0;

	for (size_t i = 0; i < jsn_len(data); i++) {
		const struct jsn *row = jsn_at(data, i);
		const char *kind = text_of(row, "type"), *node = text_of(row, "node");
		bool guest = text_eq(kind, "qemu") || text_eq(kind, "lxc");
		const struct obs_node *o = obs_cluster_node(c, node ? node : "");

		n += text_eq(type, "vm") ? guest : text_eq(kind, type);
		if (text_eq(type, "vm") && guest &&
		    !same_guest(obs_cluster_row(c, (uint32_t)jsn_get_int(row, "vmid", 0)), row))
			return false;
		if (text_eq(type, "node") && text_eq(kind, "node") &&
		    (!o || o->online == text_eq(text_of(row, "status"), "offline")))
			return false;
		if (text_eq(type, "storage") && text_eq(kind, "storage") &&
		    !same_storage(obs_cluster_storage(c, text_of(row, "storage"), node), row))
			return false;
	}
	return n == (text_eq(type, "vm")	? c->n_rows
			: text_eq(type, "node") ? c->n_nodes
						: c->n_storages);
}

static bool same_quorum(const struct obs_cluster *c, const struct jsn *data)
{
	bool quorate = true; /* a node of its own */

	for (size_t i = 0; i < jsn_len(data); i++)
		if (text_eq(text_of(jsn_at(data, i), "type"), "cluster"))
			quorate = jsn_get_int(jsn_at(data, i), "quorate", 0) == 1;
	return c->quorum_visible && c->quorate == quorate;
}

static bool same_pools(const struct obs_cluster *c, const struct jsn *data)
{
	for (size_t i = 0; i < jsn_len(data); i++)
		if (!strs_has(&c->pools, text_of(jsn_at(data, i), "poolid")))
			return false;
	return c->pools_known && c->pools.n == jsn_len(data);
}

/* The newest line that sets a key of a guest names who did it last. */
static bool same_authors(const struct attrib *a, const struct jsn *data)
{
	_cleanup_strs_ struct strs done = {0};

	for (size_t i = 0; i < jsn_len(data); i++) {
		const struct jsn *line = jsn_at(data, i);
		const char *msg = text_of(line, "msg");
		unsigned vmid;
		char key[32];

		if (sscanf(msg ? msg : "", "update VM %u: -%31[a-z0-9]", &vmid, key) != 2 ||
		    strcmp(key, "delete") == 0 || strcmp(key, "digest") == 0)
			continue;
		_cleanup_str_ char *what = mem_printf("%u %s", vmid, key);
		bool newest = !strs_has(&done, what);
		strs_add(&done, what);
		if (newest && !text_eq(attrib_who(a, vmid, key), text_of(line, "user")))
			return false;
	}
	return true;
}

static bool is_right(
    const struct exchange *x, const char *type, struct inventory *i, const struct jsn *data)
{
	const struct obs_cluster *c = inventory_view(i);

	switch ((int)x->id) {
	case ENDPOINT_VERSION:
		return c->version_major == (strstr(x->file, "-8.4") ? 8 : 9) &&
		       c->version_minor == (strstr(x->file, "-8.4") ? 4 : 2);
	case ENDPOINT_RESOURCES:
		return same_rows(c, data, type);
	case ENDPOINT_CLUSTER_STATUS:
		return same_quorum(c, data);
	case ENDPOINT_POOLS:
		return same_pools(c, data);
	case ENDPOINT_CLUSTER_OPTIONS: /* none was recorded with a range */
		return c->vmid_lower == 0 && c->vmid_upper == 0;
	case ENDPOINT_CLUSTER_LOG:
		return inventory_log_known(i) && same_authors(inventory_attrib(i), data);
	default:
		return true;
	}
}

/* ---- one look ---- */

static bool is_of_a_view(const struct exchange *x)
{
	for (size_t i = 0; i < ARRAY_LEN(small); i++)
		if (small[i].id == x->id)
			return true;
	return false;
}

static void judge(const struct exchange *x, const char *type, struct inventory *i, struct tally *t)
{
	const struct obs_cluster *c = inventory_view(i);
	const struct jsn *data = jsn_get(jsn_get(x->response, "body"), "data");
	const char *problem = inventory_problem(i);

	if (x->reply.status == 200) {
		if (problem || !c->complete || !is_right(x, type, i, data))
			complain(t, x, problem ? problem : "misread");
	} else if (x->reply.status == 401) {
		if (!inventory_is_unauthenticated(i) || !strstr(problem, "cluster.token_file"))
			complain(t, x, problem);
	} else if (x->reply.status == 403 && x->id == ENDPOINT_CLUSTER_STATUS) {
		/* Not to see quorum is not to have it, and nothing is declared missing. */
		if (problem || !c->complete || c->quorum_visible || inventory_settled(i))
			complain(t, x, problem);
	} else {
		complain(t, x, "an answer that nothing is known of");
	}
}

static void look_with(const struct exchange *x, const char *type, struct tally *t)
{
	struct vclock *v = vclock_new(5, 0);
	static const struct cluster_port_ops ops = {
	    .submit = submit, .cancel = cancel, .entry = entry};
	struct vport p = {.port.ops = &ops, .clock = vclock_clock(v), .x = x, .type = type};
	struct pvereq *pve = pvereq_new(&p.port, p.clock, 60000);
	struct inventory *i = inventory_new(&(struct inventory_opts){.clock = p.clock,
	    .pve = pve,
	    .tick_ms = 15000,
	    .on_view = on_view,
	    .on_touched = on_touched});

	inventory_start(i);
	for (int64_t at = 1; inventory_looks(i) == 0 && at < 60000; at++)
		vclock_run_until(v, at);
	t->seen[x->id]++;
	if (p.used == 0)
		complain(t, x, "it was never asked for");
	else
		judge(x, type, i, t);
	inventory_free(&i);
	pvereq_free(&pve);
	for (struct slot *s = p.slots, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	vclock_free(&v);
}

static void one(const struct exchange *x, void *arg)
{
	const char *type = jsn_get_text(x->params, "type");
	const struct jsn *body = jsn_get(x->response, "body");
	bool wanted = text_eq(type, "vm") || text_eq(type, "node") || text_eq(type, "storage");

	/* A page for people, or only its beginning, in place of an answer of the API. */
	if (!is_of_a_view(x) || (x->reply.status == 200 && !jsn_has(body, "data")))
		return;
	if (x->id != ENDPOINT_RESOURCES) {
		/* With parameters of their own they are other questions. */
		if (x->id != ENDPOINT_POOLS || !jsn_get_text(x->params, "poolid"))
			look_with(x, NULL, arg);
	} else if (wanted) {
		look_with(x, type, arg);
	} else if (!type) { /* guests are found among others, too */
		look_with(x, "vm", arg);
	}
}

static void recorded_answers_make_a_view(void **state)
{
	struct tally t = {0};

	(void)state;
	exchange_walk(one, &t);
	for (int i = 0; i < ENDPOINT__MAX; i++)
		if (t.seen[i])
			print_message(
			    "%s: %zu\n", endpoint_get((enum endpoint_id)i)->word, t.seen[i]);
	assert_int_equal(t.wrong, 0);
	assert_true(t.seen[ENDPOINT_RESOURCES] > 100);
	assert_true(t.seen[ENDPOINT_CLUSTER_STATUS] > 25);
	assert_true(t.seen[ENDPOINT_VERSION] > 20);
	assert_true(t.seen[ENDPOINT_CLUSTER_LOG] >= 3);
	assert_true(t.seen[ENDPOINT_POOLS] > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(recorded_answers_make_a_view),
	};

	log_setup(LOG_ERROR, false);
	if (!recordings_exist()) {
		print_message("no recordings\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
