#include "sim_ha.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_power.h"

struct ask {
	enum ha_ask what;
	int64_t timeout; /* of a shutdown, s */
	char *target;
};

static void ask_free(void *data)
{
	struct ask *a = data;

	free(a->target);
	free(a);
}

void ha_manage(struct guest *g, bool on)
{
	g->ha = on;
	g->ha_want = g->running ? "started" : "stopped";
}

/* The manager of the node where the guest is by now does what was asked, unless it is so already.
 */
static void lrm_act(struct job *j)
{
	struct ask *a = j->data;
	struct guest *g = guest_find(j->sim, j->vmid);
	_cleanup_str_ char *timeout = mem_printf("%" PRId64, a->timeout);

	if (!g || !g->ha || !g->node->quorate ||
	    (a->what == HA_MIGRATE ? !strcmp(g->node->name, a->target)
				   : g->running == (a->what == HA_START))) {
		job_done(j);
		return;
	}
	j->entry = j->node = g->node;
	j->by_ha = true;
	switch (a->what) {
	case HA_START:
		api_start(j);
		return;
	case HA_STOP:
		kv_set(&j->params, "timeout", timeout);
		kv_set(&j->params, "forceStop", "1");
		api_shutdown(j);
		return;
	case HA_STOP_NOW:
		api_stop(j);
		return;
	case HA_MIGRATE:
		kv_set(&j->params, "target", a->target);
		kv_set(&j->params, "online", "1");
		kv_set(&j->params, "with-local-disks", "1");
		api_migrate(j);
		return;
	case HA_ASK__MAX:
		break;
	}
	job_done(j);
}

static void asked(struct job *j)
{
	struct ask *a = j->data;
	struct guest *g = guest_find(j->sim, j->vmid);
	struct job *lrm;

	if (!g || !g->ha) {
		job_done(j);
		return;
	}
	if (a->what == HA_MIGRATE)
		job_log(
		    j, "Requesting HA migration for VM %" PRId64 " to node %s", j->vmid, a->target);
	else
		job_log(j, "Requesting HA %s for VM %" PRId64,
		    a->what == HA_START ? "start" : "stop", j->vmid);
	if (a->what != HA_MIGRATE)
		g->ha_want = a->what == HA_START ? "started" : "stopped";
	lrm = power_daemon(j->sim, j->node, j->vmid);
	lrm->data = TAKE(j->data);
	lrm->data_free = TAKE(j->data_free);
	job_next(lrm, j->sim->timing[TIMING_HA], lrm_act);
	job_done(j);
}

static void ask_task(struct job *j)
{
	job_next(j, j->sim->timing[TIMING_WORK], asked);
}

bool ha_instead(struct job *j, enum ha_ask what)
{
	static const char *const words[HA_ASK__MAX] = {"hastart", "hastop", "hastop", "hamigrate"};
	const struct guest *g = guest_find(j->sim, j->vmid);
	_cleanup_str_ char *id = power_id(j);
	_cleanup_oops_ struct oops o = {0};
	struct ask *a;

	if (!g || !g->ha || j->by_ha)
		return false;
	if (job_param_bool(j, "overrule-shutdown")) {
		oops_param(&o, "overrule-shutdown", "Not applicable for HA resources.");
		job_oops(j, &o);
		return true;
	}
	a = mem_alloc(sizeof(*a));
	*a =
	    (struct ask){what, job_param_int(j, "timeout", 60), mem_strdup(job_param(j, "target"))};
	j->data = a;
	j->data_free = ask_free;
	job_fork(j, words[what], id, ask_task);
	return true;
}
