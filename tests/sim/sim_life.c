/* Creating and destroying guests. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_backup.h"
#include "sim_conf.h"
#include "sim_ha.h"
#include "sim_harule.h"
#include "sim_mutant.h"
#include "sim_power.h"
#include "sim_repl.h"
#include "sim_restore.h"
#include "sim_volume.h"

#define FORGET_SPREAD_MS 11

/* --- create --- */

static const char *first_of(const struct sim *s, const struct kv *conf, bool cdrom)
{
	static const struct {
		const char *name;
		int n;
	} buses[] = {{"ide", 4}, {"scsi", 31}, {"virtio", 16}, {"sata", 6}};

	for (size_t b = 0; b < ARRAY_LEN(buses); b++)
		for (int i = 0; i < buses[b].n; i++) {
			_cleanup_str_ char *key = mem_printf("%s%d", buses[b].name, i);
			const char *v = kv_get(conf, key);

			if (v && value_is_cdrom(s, key, v) == cdrom)
				for (size_t k = 0; k < conf->n; k++)
					if (!strcmp(conf->v[k].key, key))
						return conf->v[k].key;
		}
	return NULL;
}

static void default_boot(struct sim *s, struct guest *g)
{
	const char *disk = first_of(s, &g->conf, false), *cd = first_of(s, &g->conf, true);
	struct strs order = {0};
	_cleanup_str_ char *text = NULL;

	if (disk)
		strs_add(&order, disk);
	if (cd)
		strs_add(&order, cd);
	if (kv_has(&g->conf, "net0"))
		strs_add(&order, "net0");
	text = boot_print(&order);
	strs_fini(&order);
	guest_set(s, g, "boot", *text ? text : " ");
}

static void fill_in(struct sim *s, struct guest *g)
{
	_cleanup_str_ char *uuid = sim_uuid(s), *gen = sim_uuid(s), *smbios = NULL, *meta = NULL;
	const char *old = kv_get(&g->conf, "smbios1");

	if (!old)
		smbios = mem_printf("uuid=%s", uuid);
	else if (!strstr(old, "uuid="))
		smbios = mem_printf("%s,uuid=%s", old, uuid);
	if (smbios)
		guest_set(s, g, "smbios1", smbios);
	if (!kv_has(&g->conf, "vmgenid"))
		guest_set(s, g, "vmgenid", gen);
	meta = mem_printf("creation-qemu=%s,ctime=%" PRId64, s->qemu, sim_secs(s));
	guest_set(s, g, "meta", meta);
	if (!kv_has(&g->conf, "boot"))
		default_boot(s, g);
}

static void create_undo(struct job *j, const struct oops *o)
{
	_cleanup_str_ char *why = oops_print(o);
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);

	for (size_t i = 0; i < s->nvolumes; i++)
		if (s->volumes[i]->vmid == j->vmid && s->volumes[i]->ctime >= j->task->start)
			volume_free(s, s->volumes[i--]);
	if (g)
		guest_del(s, g);
	job_die(j, "unable to create VM %" PRId64 " - %s", j->vmid, why);
}

/* Right after it was made, or restored over what may be one already. */
static void ask_ha(struct job *j, struct guest *g, const char *verb)
{
	const char *state = job_param_bool(j, "start") ? "started" : "stopped";
	_cleanup_str_ char *cmd =
	    mem_printf("ha-manager %s vm:%" PRId64 " --state %s", verb, j->vmid, state);

	if (!j->sim->no_ha) {
		note(j->sim, g, "ha", "", NULL, state);
		if (g->ha) {
			g->ha_want = ha_word(state);
			ha_kick(j->sim);
		} else
			ha_manage(j->sim, g, state);
		return;
	}
	job_log(j,
	    "command '%s' failed: open3: exec of %s failed: No such file or directory at "
	    "/usr/share/perl5/PVE/Cmd.pm line 174.",
	    cmd, cmd);
}

/* What is looked at when the disks are made: options that exclude each other, tags. Version 8 takes
 * any tags from who may create. */
static bool create_fits(struct job *j, struct guest *g, struct oops *o)
{
	_cleanup_str_ char *machine = NULL;
	const char *tags = kv_get(&g->conf, "tags"), *vga = kv_get(&g->conf, "vga");

	if (vga && !conf_fits(j->sim, "vga", vga, o))
		return false;
	machine = machine_pinned(j, kv_get(&g->conf, "machine"), kv_get(&g->conf, "ostype"));
	if (!machine_fits(j->sim, machine, o))
		return false;
	if (machine)
		guest_set(j->sim, g, "machine", machine);
	return !tags || !j->sim->v9 || conf_may_new_tags(j, tags, o);
}

static void settle(struct job *j, struct guest *g)
{
	const char *pool = job_param(j, "pool");

	guest_unset(j->sim, g, "lock");
	if (pool && pool_find(j->sim, pool))
		guest_pool(j->sim, g, pool);
	job_unlock_all(j);
}

static int64_t autostart(struct job *j)
{
	if (!job_param_bool(j, "start"))
		return 0;
	job_log(j, "Execute autostart");
	power_start_too(j);
	return j->sim->timing[TIMING_FORK];
}

void create_restored(struct job *j, struct guest *g)
{
	int64_t wait;

	settle(j, g);
	wait = autostart(j);
	if (job_param_bool(j, "ha-managed")) {
		job_log(j, "%s HA resource with request-state '%s'", g->ha ? "Set" : "Add",
		    job_param_bool(j, "start") ? "started" : "stopped");
		ask_ha(j, g, g->ha ? "set" : "add");
	}
	job_next(j, wait, job_done);
}

static void create_make(struct job *j)
{
	struct confop *op = j->data;
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	_cleanup_oops_ struct oops o = {0};

	KV_FOREACH (i, &op->set) {
		_cleanup_str_ char *v = NULL;

		if (prop_is_drive(i->key)) {
			if (!drive_make(j, g, i->key, i->value, &v, &o)) {
				create_undo(j, &o);
				return;
			}
		} else if (!strcmp(i->key, "tags") && s->v9) {
			_cleanup_str_ char *t = tags_canonical(s, i->value);

			v = conf_normal(s, i->key, t);
		} else
			v = conf_normal(s, i->key, i->value);
		if (v)
			guest_set(s, g, i->key, v);
	}
	if (!create_fits(j, g, &o)) {
		create_undo(j, &o);
		return;
	}
	fill_in(s, g);
	conf_old_names(s, g);
	cloudinit_write(j, g);
	settle(j, g);
	if (job_param_bool(j, "ha-managed")) {
		job_log(j, "Add as HA resource");
		ask_ha(j, g, "add");
	}
	job_next(j, autostart(j), job_done);
}

static void create_locked(struct job *j)
{
	struct confop *op = j->data;
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);

	if (g) {
		job_die(j,
		    "unable to create VM %" PRId64 " - VM %" PRId64 " already exists on node '%s'",
		    j->vmid, j->vmid, g->node->name);
		return;
	}
	g = guest_new(s, j->vmid, j->node);
	guest_set(s, g, "lock", "create");
	job_next(
	    j, (int64_t)op->news * s->timing[TIMING_ALLOC] + s->timing[TIMING_WORK], create_make);
}

static void create_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, create_locked);
}

/* What 9 asks before anything is made. */
static bool may_begin(struct job *j, const char *vm, const char *in, struct oops *o)
{
	struct sim *s = j->sim;

	if (job_param_bool(j, "ha-managed") &&
	    !auth_check(s, &j->who, "/", PRIV_BIT(SYS_CONSOLE), false, o))
		return false;
	return !job_param_bool(j, "start") || who_is_root(&j->who) ||
	       (in && auth_has(s, &j->who, in, PRIV_BIT(VM_POWERMGMT))) ||
	       auth_check(s, &j->who, vm, PRIV_BIT(VM_POWERMGMT), false, o);
}

bool create_may(struct job *j, struct oops *o)
{
	struct sim *s = j->sim;
	const char *pool = job_param(j, "pool");
	_cleanup_str_ char *vm = mem_printf("/vms/%" PRId64, j->vmid);
	_cleanup_str_ char *in = pool ? mem_printf("/pool/%s", pool) : NULL;

	if (pool && !pool_find(s, pool))
		return oops_http(
		    o, 403, "Permission check failed (pool '%s' does not exist)", pool);
	if (s->v9 && !may_begin(j, vm, in, o))
		return false;
	if (who_is_root(&j->who) || auth_has(s, &j->who, vm, PRIV_BIT(VM_ALLOCATE)) ||
	    (in && auth_has(s, &j->who, in, PRIV_BIT(VM_ALLOCATE))))
		return true;
	if (job_param_bool(j, "force") && guest_find(s, j->vmid) && /* a backup over one's own */
	    auth_has(s, &j->who, vm, PRIV_BIT(VM_BACKUP)))
		return true;
	return oops_http(o, 403, "Permission check failed");
}

void api_create(struct job *j)
{
	static const char *const own[] = {"archive", "bwlimit", "ha-managed", "live-restore",
	    "pool", "start", "storage", "unique"};
	struct confop *op = mem_alloc(sizeof(*op));
	struct sim *s = j->sim;
	const struct guest *g = guest_find(s, j->vmid);
	_cleanup_oops_ struct oops o = {0};
	_cleanup_kv_ struct kv all = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	j->data = op;
	j->data_free = confop_free;
	if (job_param(j, "archive")) {
		restore_begin(j);
		return;
	}
	if (!create_may(j, &o)) {
		job_oops(j, &o);
		return;
	}
	j->pool = mem_strdup(job_param(j, "pool"));
	op->fresh = true;
	kv_copy(&all, &j->params);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		kv_del(&j->params, own[i]);
	kv_set(&j->params, "vmid", id);
	if (!quorum_check(j, &o) || !conf_prepare(j, op, &o)) {
		job_oops(j, &o);
		return;
	}
	kv_fini(&j->params);
	kv_copy(&j->params, &all);
	if (g) {
		job_die(j,
		    "unable to create VM %" PRId64 " - VM %" PRId64 " already exists on node '%s'",
		    j->vmid, j->vmid, g->node->name);
		return;
	}
	job_fork(j, "qmcreate", id, create_task);
}

/* --- destroy --- */

static bool has_children(struct job *j, const struct guest *g, struct oops *o)
{
	for (size_t i = 0; i < j->sim->nvolumes; i++) {
		const struct volume *v = j->sim->volumes[i];

		if (v->vmid == g->vmid && volume_is_base(v) && volume_children(j->sim, v)) {
			_cleanup_str_ char *id = volume_id(v);

			oops_die(o, "base volume '%s' is still in use by linked cloned", id);
			return true;
		}
	}
	return false;
}

static void log_missing(struct job *j, const struct guest *g, const char *volid)
{
	_cleanup_str_ char *store = NULL, *name = NULL;
	_cleanup_str_ char *own = mem_printf("%" PRId64 "/", g->vmid);
	const struct store *st =
	    volid_split(volid, &store, &name) ? store_find(j->sim, store) : NULL;

	if (st && store_is_file(st) && text_starts(name, own))
		job_log(j, "disk image '%s/images/%s' does not exist", st->path, name);
}

static void free_value(struct job *j, struct guest *g, const char *key, const char *value)
{
	struct sim *s = j->sim;
	_cleanup_drive_ struct drive d = {0};
	struct volume *v;

	if ((!prop_is_drive(key) && !prop_is_unused(key) && strcmp(key, "vmstate") != 0) ||
	    !drive_parse(s, key, value, &d) || (drive_is_cdrom(&d) && !drive_is_cloudinit(&d)))
		return;
	v = volume_find(s, g->node, d.file);
	if (!v) {
		log_missing(j, g, d.file);
		return;
	}
	if (v->vmid != g->vmid)
		return;
	if (v->store->stuck_free) {
		_cleanup_str_ char *path = volume_path(v);

		job_warn(j,
		    "Could not remove disk '%s', check manually: unlink '%s' failed - Operation "
		    "not permitted",
		    d.file, path);
		return;
	}
	if (v->store->shared && !j->node->quorate) {
		job_log_no_lock(j, v->store);
		job_warn(j,
		    "Could not remove disk '%s', check manually: cfs-lock 'storage-%s' error: no "
		    "quorum!",
		    d.file, v->store->name);
		return;
	}
	volume_free(s, v);
}

static void destroy_volumes(struct job *j, struct guest *g)
{
	_cleanup_kv_ struct kv conf = {0}, pend = {0};

	kv_copy(&conf, &g->conf);
	kv_copy(&pend, &g->pend);
	KV_FOREACH (i, &conf)
		free_value(j, g, i->key, i->value);
	KV_FOREACH (i, &pend)
		free_value(j, g, i->key, i->value);
	for (size_t n = 0; n < g->nsnaps; n++)
		KV_FOREACH (i, &g->snaps[n].conf)
			free_value(j, g, i->key, i->value);
}

static void destroy_unreferenced(struct job *j, int64_t vmid)
{
	struct sim *s = j->sim;

	for (size_t i = 0; i < s->nvolumes; i++) {
		struct volume *v = s->volumes[i];

		if (v->vmid == vmid && !strcmp(v->content, "images") &&
		    (!v->node || v->node == j->node) && !v->store->stuck_free) {
			volume_free(s, v);
			i--;
		}
	}
}

static void guest_forget(struct sim *s, int64_t vmid)
{
	_cleanup_str_ char *path = mem_printf("/vms/%" PRId64, vmid);

	for (size_t i = 0; i < s->nacls; i++)
		if (!strcmp(s->acls[i].path, path)) {
			free(s->acls[i].path);
			free(s->acls[i].who);
			free(s->acls[i].role);
			s->acls[i--] = s->acls[--s->nacls];
		}
}

/* Its rights are gone, and the number is free only now. */
static void forgotten(struct job *j)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	bool ha = g && g->ha;

	if (!g) {
		job_done(j);
		return;
	}
	guest_forget(s, j->vmid);
	if (job_param_bool(j, "purge")) {
		job_log(j, "purging VM %" PRId64 " from related configurations..", j->vmid);
		repls_forget(s, j->vmid);
		backups_forget(s, j->vmid);
		if (ha) {
			_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, j->vmid);

			ha_rules_forget(s, sid);
			job_log(j, "NOTE: removed VM %" PRId64 " from HA resource configuration.",
			    j->vmid);
		}
	}
	guest_del(s, g);
	job_done(j);
}

static void forget(struct job *j)
{
	_cleanup_str_ char *what =
	    mem_printf("access permissions cleanup for VM %" PRId64 " failed: ", j->vmid);

	job_lock_cfs(j, "file-user_cfg", what, forgotten);
}

/* Nothing is left of its file but a lock, which root alone can clear. */
static void empty_file(struct sim *s, struct guest *g)
{
	guest_touch(s, g);
	while (g->nsnaps)
		snap_fini(&g->snaps[--g->nsnaps]);
	kv_fini(&g->pend);
	kv_fini(&g->pend_del);
	kv_fini(&g->conf);
	kv_set(&g->conf, "lock", "destroyed");
}

static void destroyed(struct job *j)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	_cleanup_oops_ struct oops o = {0};
	int64_t vmid = j->vmid;

	if (!g || g->node != j->node) {
		conf_load(j, vmid, &o);
		job_oops(j, &o);
		return;
	}
	if (has_children(j, g, &o)) {
		job_oops(j, &o);
		return;
	}
	destroy_volumes(j, g);
	if (!pmxcfs_check(j, vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (job_param_bool(j, "destroy-unreferenced-disks"))
		destroy_unreferenced(j, vmid);
	empty_file(s, g);
	/* No two removals are so alike that they meet at the lock each time. */
	job_next(j, s->timing[TIMING_FORGET] + j->task->pid % FORGET_SPREAD_MS, forget);
}

/* Without quorum each volume of the cluster's storages is asked for in vain. */
static int64_t destroy_waits(struct job *j, const struct guest *g)
{
	const int64_t *timing = j->sim->timing;
	int64_t ms = 0;

	for (size_t i = 0; i < j->sim->nvolumes; i++) {
		const struct volume *v = j->sim->volumes[i];

		if (v->vmid == g->vmid)
			ms += v->store->shared && !j->node->quorate ? timing[TIMING_CFS_LOCK]
								    : timing[TIMING_FREE];
	}
	return ms;
}

/* $early_checks: before the task, and again in it */
static struct guest *destroy_check(struct job *j, struct oops *o)
{
	struct guest *g = conf_load(j, j->vmid, o);
	const struct repl *r = repl_of(j->sim, j->vmid, NULL);
	bool purge = job_param_bool(j, "purge");

	if (!g)
		return NULL;
	if (text_eq(kv_get(&g->conf, "protection"), "1") && !MUTANT(UNPROTECTED))
		oops_die(o, "can't remove VM %" PRId64 " - protection mode enabled", j->vmid);
	else if (g->ha && !purge)
		oops_die(o,
		    "unable to remove VM %" PRId64 " - used in HA resources and purge parameter "
		    "not set.",
		    j->vmid);
	else if (r && !purge)
		oops_die(o,
		    "There is a replication job '%s' for guest '%" PRId64
		    "' - Please remove that first.",
		    r->id, j->vmid);
	else if (g->running)
		oops_die(o, "VM %" PRId64 " is running - destroy failed", j->vmid);
	return o->status ? NULL : g;
}

static void destroy_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = destroy_check(j, &o);
	int64_t wait;

	if (!g || (!job_param_bool(j, "skiplock") &&
		      !text_eq(kv_get(&g->conf, "lock"), "suspended") && !conf_unlocked(g, &o))) {
		job_oops(j, &o);
		return;
	}
	wait = j->sim->timing[TIMING_DESTROY] + destroy_waits(j, g) - j->sim->timing[TIMING_FORGET];
	job_next(j, wait > 0 ? wait : 0, destroyed);
}

static void destroy_lock(struct job *j)
{
	job_lock_guest(j, j->vmid, true, destroy_locked);
}

static void destroy_task(struct job *j)
{
	job_next(j, j->sim->timing[TIMING_LOOK], destroy_lock);
}

void api_destroy(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	if (job_param_bool(j, "skiplock") && !who_is_root(&j->who))
		oops_param(&o, "skiplock", "Only root may use this option.");
	if (!o.status && destroy_check(j, &o))
		job_fork(j, "qmdestroy", id, destroy_task);
	else
		job_oops(j, &o);
}
