/* Starting and stopping guests. */
#include "sim_power.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_ha.h"
#include "sim_nic.h"
#include "sim_volume.h"

#define DOWN_LOOK_MS 1000 /* between two looks whether a guest is down */

char *power_id(const struct job *j)
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

bool power_root_only(const struct job *j, struct oops *o)
{
	static const char *const keys[] = {"skiplock", "keepActive"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (job_param_bool(j, keys[i]) && !who_is_root(&j->who))
			return oops_param(o, keys[i], "Only root may use this option.");
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

/* config_to_command: what is refused before QEMU is asked. */
static bool hardware_fits(const struct sim *s, const struct guest *g, struct oops *o)
{
	const char *cores = kv_get(&g->conf, "cores"), *sockets = kv_get(&g->conf, "sockets");
	int64_t most;

	if (!sockets) /* as it was called once */
		sockets = kv_get(&g->conf, "smp");
	most = (cores ? strtoll(cores, NULL, 10) : 1) * (sockets ? strtoll(sockets, NULL, 10) : 1);
	if (most > g->node->maxcpu)
		return oops_die(o, "MAX %d vcpus allowed per VM on this node", g->node->maxcpu);
	return memory_starts(s, g, o);
}

bool power_can_start(struct job *j, struct guest *g, struct oops *o)
{
	return volumes_there(j, g, o) && hardware_fits(j->sim, g, o) && bridges_there(g, j->sim, o);
}

/* Is there anything to boot from? A guest that booted nothing does not hear the power button. */
static bool boots(struct sim *s, const struct guest *g)
{
	_cleanup_strs_ struct strs order = {0};

	boot_order(kv_get(&g->conf, "boot"), &order);
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		const struct volume *v;

		if (!prop_kind(i->key) || !drive_parse(s, i->key, i->value, &d) ||
		    (kv_has(&g->conf, "boot") && !strs_has(&order, i->key)))
			continue;
		v = strchr(d.file, ':') ? volume_find(s, g->node, d.file) : NULL;
		if (v && !drive_is_cloudinit(&d) && (drive_is_cdrom(&d) || v->written))
			return true;
	}
	return false;
}

int64_t power_start_ms(const struct sim *s, const struct guest *g)
{
	int64_t ms = s->timing[TIMING_START];

	KV_FOREACH (i, &g->conf)
		if (prop_is_net(i->key))
			ms += s->timing[TIMING_NIC];
	return ms;
}

void power_on(struct job *j, struct guest *g)
{
	_cleanup_oops_ struct oops o = {0};

	if (g->pend.n || g->pend_del.n)
		pending_apply_stopped(j, g, &o);
	cloudinit_write(j, g);
	if (g->has_ci)
		job_log(j, "generating cloud-init ISO");
	if (j->sim->v9 && j->sim->bridge_warning)
		KV_FOREACH (i, &g->conf)
			if (prop_is_net(i->key))
				job_log(j, "%s", j->sim->bridge_warning);
	guest_run(j->sim, g, true);
	nic_plug_all(j->sim, g);
	g->deaf = !boots(j->sim, g);
}

/* The script that QEMU calls for each NIC: a VLAN needs a bridge with a port. */
static bool vlans_go_out(struct job *j, const struct guest *g)
{
	KV_FOREACH (i, &g->conf) {
		_cleanup_kv_ struct kv p = {0};

		if (!g->node->portless || !prop_is_net(i->key) ||
		    !net_parse(j->sim, i->key, i->value, &p) || !kv_has(&p, "tag"))
			continue;
		job_log(j, "no physical interface on bridge '%s'", kv_get(&p, "bridge"));
		job_log(j,
		    "kvm: -netdev type=tap,id=%s,ifname=tap%" PRId64 "i%s,"
		    "script=/usr/libexec/qemu-server/pve-bridge,"
		    "downscript=/usr/libexec/qemu-server/pve-bridgedown: network script "
		    "/usr/libexec/qemu-server/pve-bridge failed with status 65280",
		    i->key, g->vmid, i->key + strlen("net"));
		return false;
	}
	return true;
}

static void started(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !power_can_start(j, g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!vlans_go_out(j, g)) {
		job_die(j, "start failed: QEMU exited with code 1");
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
	/* What runs for its backup only goes on from there. */
	if (g->running && text_eq(kv_get(&g->conf, "lock"), "backup")) {
		g->qmp = "running";
		job_done(j);
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
	job_next(j, power_start_ms(j->sim, g), started);
}

static void start_lock(struct job *j)
{
	job_lock_guest(j, j->vmid, true, start_locked);
}

static void start_task(struct job *j)
{
	job_next(j, j->sim->timing[TIMING_LOOK], start_lock);
}

void api_start(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = power_id(j);
	static const char *const root_only[] = {"stateuri", "migratedfrom", "migration_type",
	    "migration_network", "targetstorage", "force-cpu", "nets-host-mtu",
	    "with-conntrack-state"};

	for (size_t i = 0; i < ARRAY_LEN(root_only); i++)
		if (job_param(j, root_only[i]) && !who_is_root(&j->who)) {
			oops_param(&o, root_only[i], "Only root may use this option.");
			job_oops(j, &o);
			return;
		}
	if (!power_root_only(j, &o) || !quorum_check(j, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!ha_instead(j, HA_START))
		job_fork(j, "qmstart", id, start_task);
}

/* Nothing runs any more: what was pending applies now. */
static void power_off(struct job *j, struct guest *g)
{
	_cleanup_oops_ struct oops o = {0};

	guest_run(j->sim, g, false);
	if (g->pend.n || g->pend_del.n)
		pending_apply_stopped(j, g, &o);
}

static void stop_end(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node)
		power_off(j, g);
	job_done(j);
}

/* The process is gone at once; clearing up after it takes longer. */
static void stopped(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node)
		guest_run(j->sim, g, false);
	job_next(j, j->sim->timing[TIMING_STOP], stop_end);
}

static void stop_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);

	if (g && !g->running) {
		job_done(j);
		return;
	}
	if (!g || (!job_param_bool(j, "skiplock") &&
		      !text_eq(kv_get(&g->conf, "lock"), "suspended") && !conf_unlocked(g, &o))) {
		job_oops(j, &o);
		return;
	}
	job_next(j, 1, stopped);
}

/* Shutdowns that wait for the guest give way. */
static void overrule(struct job *j)
{
	struct job *next;
	struct strs upids = {0};
	char *list;

	for (struct job *k = j->sim->jobs; k; k = next) {
		next = k->next;
		if (k != j && k->task && k->vmid == j->vmid &&
		    !strcmp(k->task->type, "qmshutdown")) {
			strs_add(&upids, k->task->upid);
			task_stop(k->task);
		}
	}
	list = strs_join(&upids, ", ");
	if (upids.n)
		job_log(j, "overruled qmshutdown tasks: %s", list);
	free(list);
	strs_fini(&upids);
}

static void stop_task(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	if (!find_process(j, &o)) {
		job_oops(j, &o);
		return;
	}
	if (job_param_bool(j, "overrule-shutdown"))
		overrule(j);
	job_lock_guest(j, j->vmid, true, stop_locked);
}

void api_stop(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = power_id(j);

	if (!power_root_only(j, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!ha_instead(j, HA_STOP_NOW))
		job_fork(j, "qmstop", id, stop_task);
}

/* qmeventd looks after a guest that has gone. In 9 it keeps the file lock for half a minute when
 * the guest is running again by the time it looks. */
static void cleanup_end(struct job *j)
{
	job_done(j);
}

static void cleanup_locked(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->running && j->sim->v9)
		job_next(j, j->sim->timing[TIMING_CLEANUP_HOLD], cleanup_end);
	else
		job_done(j);
}

static void cleanup_begin(struct job *j)
{
	char *name = job_guest_lock_name(j, j->vmid);

	job_lock(j, name, true, 60000, cleanup_locked);
	free(name);
}

struct job *power_daemon(struct sim *s, struct node *n, int64_t vmid)
{
	struct job *c = job_new(s);

	c->entry = c->node = n;
	c->vmid = vmid;
	c->method = mem_strdup("");
	c->path = mem_strdup("");
	c->who = (struct who){mem_strdup("root@pam"), mem_strdup("root@pam"), true};
	c->answered = true;
	return c;
}

void power_start_too(struct job *j)
{
	struct job *c = power_daemon(j->sim, j->node, j->vmid);

	mem_replace(&c->who.full, j->who.full);
	mem_replace(&c->who.user, j->who.user);
	c->who.ticket = j->who.ticket;
	c->trusted = j->trusted;
	job_next(c, 0, api_start);
}

static void cleanup_after(struct job *j)
{
	struct job *c = power_daemon(j->sim, j->node, j->vmid);

	job_next(c, j->sim->timing[TIMING_CLEANUP], cleanup_begin);
}

static void went_down(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node) {
		power_off(j, g);
		cleanup_after(j);
	}
	job_done(j);
}

static bool has_agent(const struct guest *g)
{
	const char *v = kv_get(&g->live, "agent");

	return v && (*v == '1' || strstr(v, "enabled=1"));
}

static void shutdown_late(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!job_param_bool(j, "forceStop")) {
		job_die(j, "VM quit/powerdown failed - got timeout");
		return;
	}
	job_log(j, "VM still running - terminating now with SIGTERM");
	if (g && g->node == j->node)
		job_next(j, 1, stopped);
	else
		job_done(j);
}

/* _do_vm_stop: asked for, else what the guest's own startup says, else a minute. */
static int64_t down_ms(const struct job *j, const struct guest *g)
{
	const char *startup = g ? kv_get(&g->conf, "startup") : NULL,
		   *down = startup ? strstr(startup, "down=") : NULL;

	return job_param_int(j, "timeout", down ? strtoll(down + 5, NULL, 10) : 60) * 1000;
}

/* A guest that does not hear the button may still go down of itself, so it is looked after. */
struct down {
	int64_t left; /* ms */
	void (*fn)(struct job *j);
};

static void down_look(struct job *j)
{
	struct down *d = j->data;
	const struct guest *g = guest_find(j->sim, j->vmid);
	int64_t ms = d->left < DOWN_LOOK_MS ? d->left : DOWN_LOOK_MS;

	if (g && g->node == j->node && !g->running) {
		d->fn(j);
		return;
	}
	d->left -= ms;
	job_next(j, ms, ms ? down_look : shutdown_late);
}

static void shutdown_wait(struct job *j)
{
	job_log(j,
	    "QEMU Guest Agent is not running - VM %" PRId64 " %s command 'guest-ping' failed - got "
	    "timeout",
	    j->vmid, j->sim->v9 ? "qga" : "qmp");
	down_look(j);
}

/* The button is pressed; fn runs when the guest is down, by it or by itself. */
static void power_down(struct job *j, struct guest *g, void (*fn)(struct job *j))
{
	int64_t timeout = down_ms(j, g), wait = j->sim->timing[TIMING_SHUTDOWN];
	struct down *d;

	if (!g->deaf && wait <= timeout) {
		job_next(j, wait, fn);
		return;
	}
	d = mem_alloc(sizeof(*d));
	*d = (struct down){timeout, fn};
	j->data = d;
	j->data_free = free;
	if (has_agent(g))
		job_next(j, j->sim->timing[TIMING_AGENT], shutdown_wait);
	else
		down_look(j);
}

static void shutdown_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);

	if (g && !g->running) {
		job_done(j);
		return;
	}
	if (!g || (!job_param_bool(j, "skiplock") && !conf_unlocked(g, &o))) {
		job_oops(j, &o);
		return;
	}
	power_down(j, g, went_down);
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
	_cleanup_str_ char *id = power_id(j);
	struct guest *g = guest_find(j->sim, j->vmid);
	bool paused;

	if (!power_root_only(j, &o)) {
		job_oops(j, &o);
		return;
	}
	paused = g && g->node == j->node && g->running && text_eq(g->qmp, "paused");
	if (paused && !job_param_bool(j, "forceStop")) {
		job_die(j, "VM is paused - cannot shutdown");
		return;
	}
	if (!ha_instead(j, HA_STOP)) /* a paused guest does not hear the button */
		job_fork(j, "qmshutdown", id, paused ? stop_task : shutdown_task);
}

/* The task ends when the guest is down; qmeventd then looks after it, finds the request for a
 * reboot and starts it: a task of root's. A shutdown that failed takes the request back, so that
 * whoever shuts the guest down later does not start it. */
static void reboot_down(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node) {
		power_off(j, g);
		job_next(power_daemon(j->sim, j->node, j->vmid), j->sim->timing[TIMING_CLEANUP],
		    api_start);
	}
	job_done(j);
}

static void reboot_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = find_process(j, &o);

	if (g && !g->running)
		job_done(j);
	else if (!g || !conf_unlocked(g, &o))
		job_oops(j, &o);
	else
		power_down(j, g, reboot_down);
}

static void reboot_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, reboot_locked);
}

void api_reboot(struct job *j)
{
	_cleanup_str_ char *id = power_id(j);
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
