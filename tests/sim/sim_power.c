/* Starting and stopping guests. */
#include "sim_power.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_volume.h"

static char *vmid_text(const struct job *j)
{
	return mem_printf("%" PRId64, j->vmid);
}

/* The other complaint about a guest that is not here: of those calls that ask for its process. */
static struct guest *find_process(struct job *j, struct oops *o)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node)
		return g;
	oops_die(o, "unable to find configuration file for VM %" PRId64 " on node '%s'", j->vmid,
	    j->node->name);
	return NULL;
}

static bool skiplock(const struct job *j, struct oops *o)
{
	if (job_param_bool(j, "skiplock") && !who_is_root(&j->who))
		return oops_param(o, "skiplock", "Only root may use this option.");
	return true;
}

static bool volumes_there(struct job *j, struct guest *g, struct oops *o)
{
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};

		if (!prop_is_drive(i->key) || !drive_parse(j->sim, i->key, i->value, &d) ||
		    !strchr(d.file, ':') || drive_is_cloudinit(&d))
			continue;
		if (!volume_find(j->sim, g->node, d.file))
			return oops_die(o, "volume '%s' does not exist", d.file);
	}
	return true;
}

static bool bridges_there(struct guest *g, struct sim *s, struct oops *o)
{
	KV_FOREACH (i, &g->conf) {
		_cleanup_kv_ struct kv p = {0};
		const char *b;

		if (!prop_is_net(i->key) || !net_parse(s, i->key, i->value, &p))
			continue;
		b = kv_get(&p, "bridge");
		if (b && !strs_has(&g->node->bridges, b))
			return oops_die(o, "bridge '%s' does not exist", b);
	}
	return true;
}

bool power_can_start(struct job *j, struct guest *g, struct oops *o)
{
	return volumes_there(j, g, o) && bridges_there(g, j->sim, o);
}

void power_on(struct job *j, struct guest *g)
{
	_cleanup_oops_ struct oops o = {0};

	if (g->pend.n || g->pend_del.n)
		pending_apply_stopped(j, g, &o);
	cloudinit_write(j, g);
	if (g->has_ci)
		job_log(j, "generating cloud-init ISO");
	guest_run(j->sim, g, true);
}

static void started(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !power_can_start(j, g, &o)) {
		job_oops(j, &o);
		return;
	}
	power_on(j, g);
	job_done(j);
}

static void start_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g) {
		job_oops(j, &o);
		return;
	}
	if (text_eq(kv_get(&g->conf, "template"), "1")) {
		job_die(j, "you can't start a vm if it's a template");
		return;
	}
	if (!job_param_bool(j, "skiplock") && !text_eq(kv_get(&g->conf, "lock"), "suspended") &&
	    !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (g->running) {
		job_die(j, "VM %" PRId64 " already running", j->vmid);
		return;
	}
	if (text_eq(kv_get(&g->conf, "lock"), "suspended"))
		guest_unset(j->sim, g, "lock");
	job_next(j, j->sim->timing[TIMING_START], started);
}

static void start_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, start_locked);
}

void api_start(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = vmid_text(j);
	static const char *const root_only[] = {"stateuri", "migratedfrom", "migration_type",
	    "migration_network", "targetstorage", "force-cpu", "nets-host-mtu",
	    "with-conntrack-state"};

	for (size_t i = 0; i < ARRAY_LEN(root_only); i++)
		if (job_param(j, root_only[i]) && !who_is_root(&j->who)) {
			oops_param(&o, root_only[i], "Only root may use this option.");
			job_oops(j, &o);
			return;
		}
	if (!skiplock(j, &o) || !quorum_check(j, &o)) {
		job_oops(j, &o);
		return;
	}
	job_fork(j, "qmstart", id, start_task);
}

static void stopped(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node)
		guest_run(j->sim, g, false);
	job_done(j);
}

static void stop_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);

	if (!g || (!job_param_bool(j, "skiplock") &&
		      !text_eq(kv_get(&g->conf, "lock"), "suspended") && !conf_unlocked(g, &o))) {
		job_oops(j, &o);
		return;
	}
	job_next(j, g->running ? j->sim->timing[TIMING_STOP] : 0, stopped);
}

static void stop_task(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);

	if (!g) {
		job_oops(j, &o);
		return;
	}
	if (!g->running && !kv_has(&g->conf, "lock")) {
		job_done(j);
		return;
	}
	job_lock_guest(j, j->vmid, true, stop_locked);
}

static void overrule(struct job *j)
{
	struct job *next;

	for (struct job *k = j->sim->jobs; k; k = next) {
		next = k->next;
		if (k != j && k->task && k->vmid == j->vmid && !strcmp(k->task->type, "qmshutdown"))
			task_stop(k->task);
	}
}

void api_stop(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = vmid_text(j);

	if (!skiplock(j, &o)) {
		job_oops(j, &o);
		return;
	}
	if (job_param_bool(j, "overrule-shutdown"))
		overrule(j);
	job_fork(j, "qmstop", id, stop_task);
}

static bool listens(const struct guest *g)
{
	const char *args = kv_get(&g->conf, "description");

	/* A guest whose description says so does not react, for tests. */
	return !(args && strstr(args, "sim:deaf"));
}

static void shutdown_late(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!job_param_bool(j, "forceStop")) {
		job_die(j, "VM quit/powerdown failed - got timeout");
		return;
	}
	job_log(j, "VM quit/powerdown failed - terminating now with SIGTERM");
	if (g && g->node == j->node)
		guest_run(j->sim, g, false);
	job_done(j);
}

static void shutdown_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);
	int64_t timeout = job_param_int(j, "timeout", 60) * 1000,
		wait = j->sim->timing[TIMING_SHUTDOWN];

	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!g->running) {
		job_done(j);
		return;
	}
	if (listens(g) && wait <= timeout)
		job_next(j, wait, stopped);
	else
		job_next(j, timeout, shutdown_late);
}

static void shutdown_task(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);

	if (!g) {
		job_oops(j, &o);
		return;
	}
	job_lock_guest(j, j->vmid, true, shutdown_locked);
}

void api_shutdown(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = vmid_text(j);
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!skiplock(j, &o)) {
		job_oops(j, &o);
		return;
	}
	if (g && g->node == j->node && g->running && text_eq(g->qmp, "paused") &&
	    !job_param_bool(j, "forceStop")) {
		job_die(j, "VM is paused - cannot shutdown");
		return;
	}
	job_fork(j, "qmshutdown", id, shutdown_task);
}

static void reboot_up(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node && !g->running)
		power_on(j, g);
	job_done(j);
}

static void reboot_down(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node)
		guest_run(j->sim, g, false);
	job_next(j, j->sim->timing[TIMING_START], reboot_up);
}

static void reboot_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);
	int64_t timeout = job_param_int(j, "timeout", 60) * 1000,
		wait = j->sim->timing[TIMING_SHUTDOWN];

	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (listens(g) && wait <= timeout)
		job_next(j, wait, reboot_down);
	else
		job_next(j, timeout, shutdown_late);
}

static void reboot_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, reboot_locked);
}

void api_reboot(struct job *j)
{
	_cleanup_str_ char *id = vmid_text(j);
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!g || g->node != j->node || !g->running) {
		job_die(j, "VM %" PRId64 " not running", j->vmid);
		return;
	}
	if (text_eq(g->qmp, "paused")) {
		job_die(j, "VM is paused - cannot shutdown");
		return;
	}
	job_fork(j, "qmreboot", id, reboot_task);
}

static void done_task(struct job *j)
{
	job_done(j);
}

static struct guest *need_running(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!skiplock(j, &o)) {
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
	_cleanup_str_ char *id = vmid_text(j);

	if (need_running(j))
		job_fork(j, "qmreset", id, done_task);
}

static void paused(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->running) {
		guest_touch(j->sim, g);
		if (job_param_bool(j, "todisk")) {
			guest_set(j->sim, g, "lock", "suspended");
			guest_run(j->sim, g, false);
		} else
			g->qmp = "paused";
	}
	job_done(j);
}

void api_suspend(struct job *j)
{
	_cleanup_str_ char *id = vmid_text(j);

	if (need_running(j))
		job_fork(j, "qmpause", id, paused);
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
	_cleanup_str_ char *id = vmid_text(j);
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!g || g->node != j->node ||
	    (!g->running && !text_eq(kv_get(&g->conf, "lock"), "suspended"))) {
		job_die(j, "VM %" PRId64 " not running", j->vmid);
		return;
	}
	job_fork(j, "qmresume", id, resumed);
}
