/* Who holds the lock of the guest that was read, or of its template: PVE tells its kind only, and
 * the running tasks of the node tell the rest, as far as the token may see them. */
#include "guest_int.h"
#include "holder.h"

#include <stdlib.h>

#define TASKS_MS 10000
#define TASKS_LIMIT "500"
#define AGAIN_MS 60000
#define LONE_MS 300000 /* a task ends a moment before, or after, its lock */

static struct obs_guest *locked_one(struct guest *g)
{
	return g->turn->has_source ? &g->turn->source : &g->turn->guest;
}

static void go_on(struct guest *g)
{
	struct guest_lock *l = &g->lock;

	mem_replace(&locked_one(g)->lock_holder, l->holder);
	l->next(g);
}

static void on_tasks(void *arg, const struct pvereq_result *a)
{
	struct guest *g = arg;
	struct guest_lock *l = &g->lock;
	int64_t now = clock_now(g->env->clock);

	CHECK_OBJ(g, GUEST_MAGIC);
	g->call = 0;
	l->asked_at = now;
	if (a->outcome == PVE_DONE && jsn_is_array(a->data)) {
		free(l->holder);
		l->holder = holder_find(a->data, l->word, l->vmid);
		if (l->holder)
			l->lone_since = now;
		else if (now - l->lone_since >= LONE_MS)
			l->holder = mem_printf(
			    "no task that would hold it is shown on %s", locked_one(g)->node);
	}
	go_on(g);
}

void guest_look_lock(struct guest *g, void (*next)(struct guest *g))
{
	const struct obs_guest *o = locked_one(g);
	struct guest_lock *l = &g->lock;
	_cleanup_kv_ struct kv params = {0};
	int64_t now = clock_now(g->env->clock);

	l->next = next;
	if (!o->lock || text_eq(o->lock, "suspended")) {
		next(g);
		return;
	}
	if (l->vmid != o->vmid || !text_eq(l->word, o->lock)) {
		guest_forget_lock(g);
		l->vmid = o->vmid;
		l->word = mem_strdup(o->lock);
		l->lone_since = now;
		l->asked_at = now - AGAIN_MS;
	}
	if (now - l->asked_at < AGAIN_MS) {
		go_on(g);
		return;
	}
	struct pvereq_spec q = {.endpoint = ENDPOINT_NODE_TASKS,
	    .args.node = o->node,
	    .params = &params,
	    .timeout_ms = TASKS_MS,
	    .patience_ms = -1};

	kv_set(&params, "source", "active");
	kv_set(&params, "limit", TASKS_LIMIT);
	g->call = pvereq_send(g->env->pve, &q, on_tasks, g);
}

void guest_forget_lock(struct guest *g)
{
	mem_free_str(&g->lock.word);
	mem_free_str(&g->lock.holder);
	g->lock.vmid = 0;
}
