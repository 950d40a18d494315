/* Bulk actions of 9: one task that goes through many guests, wherever they are. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_power.h"

#define BULK_MAX 10000

struct bulk {
	int64_t *vmids;
	size_t n, cap, next;
	bool start;
};

static void bulk_free(void *data)
{
	struct bulk *b = data;

	free(b->vmids);
	free(b);
}

static bool named(const struct strs *list, int64_t vmid)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64, vmid);

	return !list->n || strs_has(list, id);
}

/* Those that are not as wanted yet, that are no templates, and that the caller may switch. */
static void bulk_choose(struct job *j, struct bulk *b, const struct strs *list)
{
	struct sim *s = j->sim;

	for (size_t i = 0; i < s->nguests; i++) {
		const struct guest *g = s->guests[i];
		_cleanup_str_ char *path = mem_printf("/vms/%" PRId64, g->vmid);

		if (!named(list, g->vmid) || g->running == b->start ||
		    text_eq(kv_get(&g->conf, "template"), "1") ||
		    !auth_has(s, &j->who, path, PRIV_BIT(VM_POWERMGMT)))
			continue;
		MEM_PUSH_ROOM(b->vmids, b->n, b->cap);
		b->vmids[b->n++] = g->vmid;
	}
}

static void bulk_next(struct job *j);

static void bulk_one(struct job *j)
{
	struct bulk *b = j->data;
	struct guest *g = guest_find(j->sim, b->vmids[b->next++]);
	_cleanup_oops_ struct oops o = {0};

	if (g && g->running != b->start && conf_unlocked(g, &o)) {
		if (!b->start)
			guest_run(j->sim, g, false);
		else if (power_can_start(j, g, &o))
			power_on(j, g);
	}
	bulk_next(j);
}

static void bulk_next(struct job *j)
{
	struct bulk *b = j->data;
	const struct guest *g = b->next < b->n ? guest_find(j->sim, b->vmids[b->next]) : NULL;

	if (b->next >= b->n)
		job_done(j);
	else
		job_next(j,
		    b->start && g ? power_start_ms(j->sim, g) : j->sim->timing[TIMING_SHUTDOWN],
		    bulk_one);
}

static void bulk(struct job *j, bool start)
{
	_cleanup_strs_ struct strs list = {0};
	struct bulk *b;

	if (job_param(j, "vms") &&
	    text_split(job_param(j, "vms"), ",; ", true, BULK_MAX, &list) < 0)
		list = (struct strs){0};
	b = mem_alloc(sizeof(*b));
	b->start = start;
	j->data = b;
	j->data_free = bulk_free;
	bulk_choose(j, b, &list);
	job_fork(j, start ? "bulk-start" : "bulk-shutdown", "", bulk_next);
}

void api_bulk_start(struct job *j)
{
	if (api_since_9(j))
		bulk(j, true);
}

void api_bulk_shutdown(struct job *j)
{
	if (api_since_9(j))
		bulk(j, false);
}

void api_bulk_index(struct job *j)
{
	static const char *const names[] = {"start", "shutdown", "migrate", "suspend"};
	struct jsn *a;

	if (!api_since_9(j))
		return;
	a = jsn_new_array();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct jsn *o = jsn_new_object();

		jsn_put_str(o, "name", names[i]);
		jsn_push(a, o);
	}
	job_ok(j, a);
}
