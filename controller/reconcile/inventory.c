#include "inventory.h"

#include "log.h"
#include "observe.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x494e5645u
#define SLOW_MS 60000
#define VERSION_MS 3600000
#define HURRY_MS 5000 /* between looks until quorum has settled */
#define LOG_LINES "500"
#define POOLS_MAX 10000
#define JOBS_MAX 10000

struct inventory {
	uint32_t magic;
	struct inventory_opts o;
	char *own_user;
	enum inventory_state state;
	pvereq_id call;
	timer_id timer;
	struct obs_cluster view;
	struct attrib *attrib;
	struct kv jobs;	   /* VMID → replication job */
	uint32_t *touched; /* by the answer that is being taken in */
	size_t n_touched, cap_touched;
	bool log_known;
	bool ready, failed, again;
	bool single; /* a node without a cluster: no partition can hide */
	int64_t version_at, slow_at;
	int64_t asked_at, rows_at; /* for the guests that are coming, that are there */
	int64_t quorate_since;	   /* -1 = not quorate when last seen */
	uint64_t looks;
	char *problem;
	bool down, unauthenticated, refused;
};

static const char *const state_names[] = {
#define INVENTORY(code, name, doc) name,
#include "inventory.def"
#undef INVENTORY
};

struct inventory *inventory_new(const struct inventory_opts *o)
{
	struct inventory *i = mem_alloc(sizeof(*i));

	i->magic = MAGIC;
	i->o = *o;
	i->own_user = mem_strdup(o->own_user);
	i->attrib = attrib_new(i->own_user);
	i->quorate_since = -1;
	i->version_at = i->slow_at = i->rows_at = INT64_MIN / 2;
	return i;
}

void inventory_free(struct inventory **ip)
{
	struct inventory *i = *ip;

	if (!i)
		return;
	CHECK_OBJ(i, MAGIC);
	clock_cancel(i->o.clock, &i->timer);
	pvereq_cancel(i->o.pve, &i->call);
	obs_cluster_fini(&i->view);
	attrib_free(&i->attrib);
	kv_fini(&i->jobs);
	free(i->touched);
	free(i->own_user);
	free(i->problem);
	i->magic = 0;
	free(i);
	*ip = NULL;
}

static void enter(struct inventory *i, enum inventory_state next);

static void fail(struct inventory *i, const struct pvereq_result *a)
{
	_cleanup_str_ char *text = NULL;

	i->failed = true;
	i->view.complete = false;
	i->quorate_since = -1;
	i->unauthenticated = a->reason == PVE_UNAUTHENTICATED;
	i->down = i->unauthenticated || a->outcome == PVE_NOT_SENT || a->reason == PVE_CUT ||
		  a->reason == PVE_NODE_AWAY;
	if (i->unauthenticated)
		text = mem_strdup("PVE does not accept the token; put a valid token into "
				  "cluster.token_file, it is read again by itself");
	else if (a->reason == PVE_TLS)
		text = mem_printf("the cluster's certificate is not accepted: %s", a->text);
	else if (a->reason == PVE_CLUSTER_FS)
		text = mem_printf("the cluster's file system does not answer on the node that was "
				  "asked: %s; look at its service pve-cluster",
		    a->text);
	else if (a->reason == PVE_PROTOCOL)
		text = mem_printf("the answer to %s makes no sense: %s; check that "
				  "cluster.endpoints lead to the API of PVE itself, and not to a "
				  "page for people",
		    state_names[i->state], a->text);
	else if (i->down)
		text = mem_printf("the cluster cannot be reached: %s; check cluster.endpoints, as "
				  "https://HOST:8006, and the network",
		    a->text);
	else
		text = mem_printf(
		    "the cluster answers, but not to %s: %s", state_names[i->state], a->text);
	/* A certificate that changes in the middle of a look is refused to two calls. */
	if (!text_eq(text, i->problem) && !(a->reason == PVE_TLS && i->refused))
		log_warn("pve", "%s", text);
	i->refused = a->reason == PVE_TLS;
	free(i->problem);
	i->problem = TAKE(text);
}

static void finish(struct inventory *i)
{
	if (!i->failed) {
		i->view.complete = true;
		i->ready = true;
		i->down = i->unauthenticated = i->refused = false;
		if (i->problem)
			log_info("pve", "the cluster can be reached again");
		mem_free_str(&i->problem);
	}
	i->looks++;
	enter(i, INVENTORY_IDLE);
	if (i->again)
		inventory_poke(i);
	i->o.on_view(i->o.arg);
}

static void touch(void *arg, uint32_t vmid)
{
	struct inventory *i = arg;

	MEM_PUSH_ROOM(i->touched, i->n_touched, i->cap_touched);
	i->touched[i->n_touched++] = vmid;
}

static void tell_touched(struct inventory *i)
{
	size_t n = 0;

	if (!i->n_touched)
		return;
	qsort(i->touched, i->n_touched, sizeof(*i->touched), mem_compare_u32);
	for (size_t k = 0; k < i->n_touched; k++)
		if (!n || i->touched[n - 1] != i->touched[k])
			i->touched[n++] = i->touched[k];
	i->n_touched = 0;
	i->o.on_touched(i->o.arg, i->touched, n);
}

/* A guest that goes down by itself shows nowhere else, though nodes tell of it only every ten
 * seconds. Of one whose node is away nothing is known, and that is no change. */
static bool turned(const struct obs_row *a, const struct obs_row *b)
{
	bool known = text_eq(b->status, "running") || text_eq(b->status, "stopped");

	return known && !text_eq(a->status, b->status);
}

static bool same_row(const struct obs_row *a, const struct obs_row *b)
{
	return !turned(a, b) && text_eq(a->node, b->node) && text_eq(a->lock, b->lock) &&
	       text_eq(a->tags, b->tags) && text_eq(a->pool, b->pool) &&
	       text_eq(a->ha_state, b->ha_state) && a->qemu == b->qemu;
}

/* A VM that has left its pool, or a pool that may no longer be seen? The list of pools tells, so it
 * is asked in this very look, and until then nobody knows. */
static void doubt_pools(struct inventory *i)
{
	i->view.pools_known = false;
	i->slow_at = clock_now(i->o.clock) - SLOW_MS;
}

/* Both are sorted by VMID: one walk finds what came, went or changed. */
static void compare(struct inventory *i, const struct obs_cluster *old)
{
	size_t a = 0, b = 0;

	while (a < old->n_rows || b < i->view.n_rows) {
		const struct obs_row *x = a < old->n_rows ? &old->rows[a] : NULL;
		const struct obs_row *y = b < i->view.n_rows ? &i->view.rows[b] : NULL;

		if (!y || (x && x->vmid < y->vmid)) {
			touch(i, x->vmid);
			a++;
		} else if (!x || y->vmid < x->vmid) {
			touch(i, y->vmid);
			b++;
		} else {
			if (x->pool && !y->pool)
				doubt_pools(i);
			if (!same_row(x, y))
				touch(i, y->vmid);
			a++;
			b++;
		}
	}
}

static int take_rows(struct inventory *i, const struct pvereq_result *a, struct err **err)
{
	struct obs_cluster old = {.rows = i->view.rows, .n_rows = i->view.n_rows};
	int rc;

	i->view.rows = NULL;
	i->view.n_rows = 0;
	rc = observe_rows(a->list, a->list_len, &i->view, err);
	if (rc < 0) {
		i->view.rows = old.rows;
		i->view.n_rows = old.n_rows;
		return -1;
	}
	i->rows_at = i->asked_at;
	if (i->looks)
		compare(i, &old);
	obs_cluster_fini(&old);
	return 0;
}

/* Of another cluster nothing is believed. */
static bool is_alien(struct inventory *i, const char *name)
{
	char *why = i->o.alien ? i->o.alien(i->o.arg, name, &i->view) : NULL;

	if (!why)
		return false;
	if (!text_eq(why, i->problem))
		log_error("pve", "%s", why);
	free(i->problem);
	i->problem = why;
	i->failed = i->down = true;
	i->unauthenticated = false;
	i->view.complete = false;
	i->quorate_since = -1;
	return true;
}

static int take_quorum(struct inventory *i, const struct jsn *data, struct err **err)
{
	const char *name = "";
	bool quorate = false, cluster = false;
	int64_t now = clock_now(i->o.clock);

	if (observe_quorum(data, &quorate, err) < 0)
		return -1;
	for (size_t k = 0; k < jsn_len(data); k++) {
		const struct jsn *row = jsn_at(data, k);

		if (!text_eq(jsn_get_text(row, "type"), "cluster"))
			continue;
		cluster = true;
		name = jsn_get_text(row, "name") ? jsn_get_text(row, "name") : "";
	}
	if (is_alien(i, name))
		return 0;
	i->single = !cluster && i->view.n_nodes <= 1;
	i->view.quorum_visible = true;
	i->view.quorate = quorate;
	if (!quorate)
		i->quorate_since = -1;
	else if (i->quorate_since < 0)
		i->quorate_since = now;
	i->view.quorate_for_ms = quorate ? now - i->quorate_since : 0;
	if (quorate && (i->single || i->o.nothing_sent))
		i->view.quorate_for_ms += INVENTORY_QUORUM_SETTLED_MS;
	return 0;
}

static int take_pools(struct inventory *i, const struct jsn *data)
{
	strs_fini(&i->view.pools);
	for (size_t k = 0; k < jsn_len(data) && k < POOLS_MAX; k++) {
		const char *id = jsn_get_text(jsn_at(data, k), "poolid");

		if (id)
			strs_add(&i->view.pools, id);
	}
	i->view.pools_known = true;
	return 0;
}

static int take_jobs(struct inventory *i, const struct jsn *data)
{
	kv_fini(&i->jobs);
	for (size_t k = 0; k < jsn_len(data) && k < JOBS_MAX; k++) {
		const char *guest = jsn_get_text(jsn_at(data, k), "guest");
		const char *id = jsn_get_text(jsn_at(data, k), "id");

		if (guest && id)
			kv_set(&i->jobs, guest, id);
	}
	return 0;
}

const char *inventory_replication(const struct inventory *i, uint32_t vmid)
{
	_cleanup_str_ char *key = mem_printf("%u", vmid);

	return kv_get(&i->jobs, key);
}

/* Calls that may be forbidden without harm: the view is whole without them. */
static bool excused(struct inventory *i, const struct pvereq_result *a)
{
	switch (i->state) {
	case INVENTORY_QUORUM:
		if (a->reason != PVE_FORBIDDEN)
			return false;
		i->view.quorum_visible = false;
		i->view.quorate = false;
		i->view.quorate_for_ms = 0;
		i->quorate_since = -1;
		return true;
	case INVENTORY_LOG:
		i->log_known = false;
		return true;
	case INVENTORY_POOLS:
		i->view.pools_known = false;
		return true;
	case INVENTORY_REPLICATION: /* asked again right before it matters */
	case INVENTORY_OPTIONS:	    /* then as if none were set */
		return true;
	case INVENTORY_IDLE:
	case INVENTORY_VERSION:
	case INVENTORY_ROWS:
	case INVENTORY_NODES:
	case INVENTORY_STORAGES:
	case INVENTORY__MAX:
		break;
	}
	return false;
}

static int take(struct inventory *i, const struct pvereq_result *a, struct err **err)
{
	const struct jsn *data = a->data;

	switch (i->state) {
	case INVENTORY_VERSION:
		i->version_at = clock_now(i->o.clock);
		return observe_version(data, &i->view, err);
	case INVENTORY_ROWS:
		return take_rows(i, a, err);
	case INVENTORY_NODES:
		return observe_nodes(data, &i->view, err);
	case INVENTORY_QUORUM:
		return take_quorum(i, data, err);
	case INVENTORY_STORAGES:
		i->slow_at = clock_now(i->o.clock);
		return observe_storages(data, clock_wall(i->o.clock), &i->view, err);
	case INVENTORY_POOLS:
		return take_pools(i, data);
	case INVENTORY_REPLICATION:
		return take_jobs(i, data);
	case INVENTORY_OPTIONS:
		return observe_options(data, &i->view, err);
	case INVENTORY_LOG:
		i->log_known = attrib_feed(i->attrib, a->list, a->list_len, touch, i) == 0;
		return 0;
	case INVENTORY_IDLE:
	case INVENTORY__MAX:
		break;
	}
	return 0;
}

static enum inventory_state next_state(struct inventory *i)
{
	int64_t now = clock_now(i->o.clock);

	switch (i->state) {
	case INVENTORY_IDLE:
		if (now - i->version_at >= VERSION_MS)
			return INVENTORY_VERSION;
		return INVENTORY_ROWS;
	case INVENTORY_VERSION:
		return INVENTORY_ROWS;
	case INVENTORY_ROWS:
		return INVENTORY_NODES;
	case INVENTORY_NODES:
		return INVENTORY_QUORUM;
	case INVENTORY_QUORUM:
		return now - i->slow_at >= SLOW_MS ? INVENTORY_STORAGES : INVENTORY_LOG;
	case INVENTORY_STORAGES:
		return INVENTORY_POOLS;
	case INVENTORY_POOLS:
		return INVENTORY_REPLICATION;
	case INVENTORY_REPLICATION:
		return INVENTORY_OPTIONS;
	case INVENTORY_OPTIONS:
		return INVENTORY_LOG;
	case INVENTORY_LOG:
	case INVENTORY__MAX:
		break;
	}
	return INVENTORY_IDLE;
}

static void on_answer(void *arg, const struct pvereq_result *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct inventory *i = arg;
	enum inventory_state next;

	CHECK_OBJ(i, MAGIC);
	i->call = 0;
	if (a->outcome == PVE_DONE && take(i, a, &e) < 0) {
		struct pvereq_result bad = {
		    .outcome = PVE_AMBIGUOUS, .reason = PVE_PROTOCOL, .text = err_msg(e)};

		fail(i, &bad);
	} else if (a->outcome != PVE_DONE && !excused(i, a)) {
		fail(i, a);
	}
	tell_touched(i);
	next = i->failed ? INVENTORY_IDLE : next_state(i);
	if (next == INVENTORY_IDLE)
		finish(i);
	else
		enter(i, next);
}

static void get(struct inventory *i, enum endpoint_id endpoint, const char *key, const char *value)
{
	_cleanup_kv_ struct kv params = {0};
	struct pvereq_spec q = {.endpoint = endpoint,
	    .params = &params,
	    .timeout_ms = 35000,
	    .patience_ms = 5000,
	    .unread = i->state == INVENTORY_ROWS || i->state == INVENTORY_LOG};

	if (key)
		kv_set(&params, key, value);
	i->call = pvereq_send(i->o.pve, &q, on_answer, i);
}

static void on_tick(void *arg)
{
	struct inventory *i = arg;

	i->timer = 0;
	i->failed = false;
	i->again = false;
	enter(i, next_state(i));
}

static int64_t pause(const struct inventory *i)
{
	int64_t ms = i->o.tick_ms;

	if (!inventory_settled(i) && ms > HURRY_MS)
		ms = HURRY_MS;
	return ms + (int64_t)(clock_random(i->o.clock) % (uint64_t)(ms / 20 + 1));
}

static void enter(struct inventory *i, enum inventory_state next)
{
	log_debug("inventory", "%s -> %s", state_names[i->state], state_names[next]);
	i->state = next;
	switch (next) {
	case INVENTORY_IDLE:
		i->timer = clock_timer(i->o.clock, pause(i), on_tick, i);
		return;
	case INVENTORY_VERSION:
		get(i, ENDPOINT_VERSION, NULL, NULL);
		return;
	case INVENTORY_ROWS:
		i->asked_at = clock_now(i->o.clock);
		get(i, ENDPOINT_RESOURCES, "type", "vm");
		return;
	case INVENTORY_NODES:
		get(i, ENDPOINT_RESOURCES, "type", "node");
		return;
	case INVENTORY_QUORUM:
		get(i, ENDPOINT_CLUSTER_STATUS, NULL, NULL);
		return;
	case INVENTORY_STORAGES:
		get(i, ENDPOINT_RESOURCES, "type", "storage");
		return;
	case INVENTORY_POOLS:
		get(i, ENDPOINT_POOLS, NULL, NULL);
		return;
	case INVENTORY_REPLICATION:
		get(i, ENDPOINT_REPLICATION, NULL, NULL);
		return;
	case INVENTORY_OPTIONS:
		get(i, ENDPOINT_CLUSTER_OPTIONS, NULL, NULL);
		return;
	case INVENTORY_LOG:
		get(i, ENDPOINT_CLUSTER_LOG, "max", LOG_LINES);
		return;
	case INVENTORY__MAX:
		break;
	}
}

void inventory_start(struct inventory *i)
{
	CHECK_OBJ(i, MAGIC);
	i->timer = clock_timer(i->o.clock, 0, on_tick, i);
}

void inventory_poke(struct inventory *i)
{
	CHECK_OBJ(i, MAGIC);
	if (i->state != INVENTORY_IDLE) {
		i->again = true;
		return;
	}
	clock_cancel(i->o.clock, &i->timer);
	i->timer = clock_timer(i->o.clock, 0, on_tick, i);
}

bool inventory_is_ready(const struct inventory *i)
{
	return i->ready;
}

uint64_t inventory_looks(const struct inventory *i)
{
	return i->looks;
}

bool inventory_is_newer(const struct inventory *i, int64_t at)
{
	return i->rows_at > at;
}

const struct obs_cluster *inventory_view(const struct inventory *i)
{
	return &i->view;
}

bool inventory_settled(const struct inventory *i)
{
	return i->view.complete && i->view.quorum_visible && i->view.quorate &&
	       i->view.quorate_for_ms >= INVENTORY_QUORUM_SETTLED_MS;
}

enum reason inventory_unsettled(const struct inventory *i)
{
	bool seen = i->view.complete && i->view.quorum_visible && i->view.quorate;

	return seen ? REASON_QUORUM_YOUNG : REASON_NO_QUORUM;
}

const char *inventory_problem(const struct inventory *i)
{
	return i->problem;
}

bool inventory_is_down(const struct inventory *i)
{
	return i->down;
}

bool inventory_is_unauthenticated(const struct inventory *i)
{
	return i->unauthenticated;
}

bool inventory_pools_known(const struct inventory *i)
{
	return i->view.pools_known;
}

bool inventory_log_known(const struct inventory *i)
{
	return i->log_known;
}

struct attrib *inventory_attrib(struct inventory *i)
{
	return i->attrib;
}
