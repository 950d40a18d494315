#include "look.h"

#include "observe.h"

#include <stdlib.h>

#define MAGIC 0x4c4f4f4bu
#define READ_TIMEOUT_MS 35000

struct look {
	uint32_t magic;
	struct pvereq *pve;
	struct obs_guest g;
	look_cb cb;
	void *arg;
	pvereq_id call;
	char *snapshot; /* NULL: as it is now */
	struct kv then; /* the configuration that it has */
};

void look_cancel(struct look **lp)
{
	struct look *l = *lp;

	if (!l)
		return;
	CHECK_OBJ(l, MAGIC);
	pvereq_cancel(l->pve, &l->call);
	obs_guest_fini(&l->g);
	free(l->snapshot);
	kv_fini(&l->then);
	l->magic = 0;
	free(l);
	*lp = NULL;
}

static bool failed(struct look *l, const struct pvereq_result *a)
{
	enum look_end end = LOOK_FAILED;

	l->call = 0;
	if (a->outcome == PVE_DONE)
		return false;
	if (a->reason == PVE_NOT_HERE)
		end = LOOK_NO_CONFIG;
	else if (a->reason == PVE_FORBIDDEN)
		end = LOOK_FORBIDDEN;
	l->cb(l->arg, end, &l->g, a);
	return true;
}

static void nonsense(struct look *l, const struct err *e)
{
	struct pvereq_result a = {.outcome = PVE_AMBIGUOUS,
	    .reason = PVE_PROTOCOL,
	    .subject = "",
	    .status = 200,
	    .text = err_msg(e)};

	l->cb(l->arg, LOOK_FAILED, &l->g, &a);
}

static void get(struct look *l, enum endpoint_id endpoint, pvereq_cb cb)
{
	_cleanup_kv_ struct kv params = {0};
	struct pvereq_spec q = {.endpoint = endpoint,
	    .args = {.node = l->g.node, .vmid = l->g.vmid},
	    .params = &params,
	    .unread = endpoint == ENDPOINT_GUEST_PENDING,
	    .timeout_ms = READ_TIMEOUT_MS};

	if (endpoint == ENDPOINT_GUEST_CONFIG)
		kv_set(&params, "snapshot", l->snapshot);
	l->call = pvereq_send(l->pve, &q, cb, l);
}

/* What PVE clones; its notes are those of the guest, and not of the snapshot. */
static void go_back(struct look *l)
{
	const char *notes = kv_get(&l->g.current, "description");

	if (notes)
		kv_set(&l->then, "description", notes);
	kv_fini(&l->g.current);
	kv_fini(&l->g.pending);
	kv_copy(&l->g.current, &l->then);
	kv_copy(&l->g.pending, &l->then);
	strs_fini(&l->g.pending_keys);
}

static void on_pending(void *arg, const struct pvereq_result *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct look *l = arg;

	if (failed(l, a))
		return;
	if (observe_pending(a->list, a->list_len, &l->g, &e) < 0) {
		nonsense(l, e);
		return;
	}
	if (l->then.n)
		go_back(l);
	l->cb(l->arg, LOOK_OK, &l->g, a);
}

static void on_config(void *arg, const struct pvereq_result *a)
{
	struct look *l = arg;

	l->call = 0;
	if (a->outcome != PVE_DONE || observe_snapshot_config(a->data, &l->then, NULL) < 0)
		kv_fini(&l->then);
	get(l, ENDPOINT_GUEST_PENDING, on_pending);
}

static void on_snapshots(void *arg, const struct pvereq_result *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct look *l = arg;

	if (failed(l, a))
		return;
	if (observe_snapshots(a->data, &l->g, &e) < 0)
		nonsense(l, e);
	else if (l->snapshot && strs_has(&l->g.snapshot_names, l->snapshot))
		get(l, ENDPOINT_GUEST_CONFIG, on_config);
	else
		get(l, ENDPOINT_GUEST_PENDING, on_pending);
}

static void on_status(void *arg, const struct pvereq_result *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct look *l = arg;

	if (failed(l, a))
		return;
	if (observe_status(a->data, pvereq_steady_wall(l->pve), &l->g, &e) < 0)
		nonsense(l, e);
	else
		get(l, ENDPOINT_GUEST_SNAPSHOTS, on_snapshots);
}

struct look *look_start(
    struct pvereq *pve, uint32_t vmid, const char *node, bool brief, look_cb cb, void *arg)
{
	struct look *l = mem_alloc(sizeof(*l));

	l->magic = MAGIC;
	l->pve = pve;
	l->g.vmid = vmid;
	l->g.node = mem_strdup(node);
	l->cb = cb;
	l->arg = arg;
	if (brief)
		get(l, ENDPOINT_GUEST_PENDING, on_pending);
	else
		get(l, ENDPOINT_GUEST_STATUS, on_status);
	return l;
}

void look_at_snapshot(struct look *l, const char *name)
{
	CHECK_OBJ(l, MAGIC);
	mem_replace(&l->snapshot, name);
}
