/* Pausing guests, to memory and to disk, and the reset button. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_nic.h"
#include "sim_power.h"

static void done_task(struct job *j)
{
	job_done(j);
}

static struct guest *need_running(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!power_root_only(j, &o)) {
		job_oops(j, &o);
		return NULL;
	}
	if (!g || g->node != j->node || !g->running) {
		job_die(j, "VM %" PRId64 " not running", j->vmid);
		return NULL;
	}
	return g;
}

void api_reset(struct job *j)
{
	_cleanup_str_ char *id = power_id(j);

	if (need_running(j))
		job_fork(j, "qmreset", id, done_task);
}

static void paused(struct job *j);
static void resumed(struct job *j);

static void pause_task(struct job *j)
{
	job_next(j, j->sim->timing[TIMING_WORK], paused);
}

static void resume_task(struct job *j)
{
	job_next(j, j->sim->timing[TIMING_WORK], resumed);
}

static void paused(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->running) {
		guest_touch(j->sim, g);
		if (job_param_bool(j, "todisk")) {
			guest_set(j->sim, g, "lock", "suspended");
			guest_run(j->sim, g, false);
		} else {
			g->qmp = "paused";
			nic_pause(g);
		}
	}
	job_done(j);
}

void api_suspend(struct job *j)
{
	_cleanup_str_ char *id = power_id(j);

	if (need_running(j))
		job_fork(j, job_param_bool(j, "todisk") ? "qmsuspend" : "qmpause", id, pause_task);
}

static void resumed(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && text_eq(kv_get(&g->conf, "lock"), "suspended")) {
		guest_unset(j->sim, g, "lock");
		power_on(j, g);
	} else if (g && g->running) {
		guest_touch(j->sim, g);
		g->qmp = "running";
	}
	job_done(j);
}

void api_resume(struct job *j)
{
	_cleanup_str_ char *id = power_id(j);
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!g || g->node != j->node ||
	    (!g->running && !text_eq(kv_get(&g->conf, "lock"), "suspended"))) {
		job_die(j, "VM %" PRId64 " not running", j->vmid);
		return;
	}
	job_fork(j, "qmresume", id, resume_task);
}
