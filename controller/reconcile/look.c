#include "look.h"

#include "observe.h"

#include <stdlib.h>

#define MAGIC 0x4c4f4f4bu
#define READ_TIMEOUT_MS 35000

struct look {
	uint32_t magic;
	struct asker *asker;
	struct obs_guest g;
	look_cb cb;
	void *arg;
	slot_id call;
};

void look_cancel(struct look **lp)
{
	struct look *l = *lp;

	if (!l)
		return;
	CHECK_OBJ(l, MAGIC);
	ask_cancel(l->asker, &l->call);
	obs_guest_fini(&l->g);
	l->magic = 0;
	free(l);
	*lp = NULL;
}

static bool failed(struct look *l, const struct ask_answer *a)
{
	enum look_end end = LOOK_FAILED;

	l->call = 0;
	if (a->outcome == ASK_DONE)
		return false;
	if (a->why == ASK_WHY_NO_CONFIG)
		end = LOOK_NO_CONFIG;
	else if (a->why == ASK_WHY_FORBIDDEN)
		end = LOOK_FORBIDDEN;
	l->cb(l->arg, end, &l->g, a);
	return true;
}

static void nonsense(struct look *l, const struct err *e)
{
	struct ask_answer a = {
	    .outcome = ASK_AMBIGUOUS, .why = ASK_WHY_OTHER, .status = 200, .text = err_msg(e)};

	l->cb(l->arg, LOOK_FAILED, &l->g, &a);
}

static void get(struct look *l, const char *tail, ask_cb cb)
{
	_cleanup_str_ char *path = ask_guest_path(l->g.node, l->g.vmid, tail);
	struct ask_req q = {
	    .method = "GET", .path = path, .node = l->g.node, .timeout_ms = READ_TIMEOUT_MS};

	l->call = ask(l->asker, &q, cb, l);
}

static void on_pending(void *arg, const struct ask_answer *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct look *l = arg;

	if (failed(l, a))
		return;
	if (observe_pending(a->data, &l->g, &e) < 0)
		nonsense(l, e);
	else
		l->cb(l->arg, LOOK_OK, &l->g, a);
}

static void on_snapshots(void *arg, const struct ask_answer *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct look *l = arg;

	if (failed(l, a))
		return;
	if (observe_snapshots(a->data, &l->g, &e) < 0)
		nonsense(l, e);
	else
		get(l, "pending", on_pending);
}

static void on_status(void *arg, const struct ask_answer *a)
{
	_cleanup_err_ struct err *e = NULL;
	struct look *l = arg;

	if (failed(l, a))
		return;
	if (observe_status(a->data, clock_wall(asker_clock(l->asker)), &l->g, &e) < 0)
		nonsense(l, e);
	else
		get(l, "snapshot", on_snapshots);
}

struct look *look_start(
    struct asker *a, uint32_t vmid, const char *node, bool brief, look_cb cb, void *arg)
{
	struct look *l = mem_alloc(sizeof(*l));

	l->magic = MAGIC;
	l->asker = a;
	l->g.vmid = vmid;
	l->g.node = mem_strdup(node);
	l->cb = cb;
	l->arg = arg;
	if (brief)
		get(l, "pending", on_pending);
	else
		get(l, "status/current", on_status);
	return l;
}
