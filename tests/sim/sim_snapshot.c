/* Snapshots of guests. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_power.h"
#include "sim_volume.h"

void api_snapshots(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct jsn *a, *cur;
	const char *parent;

	if (!g) {
		job_oops(j, &o);
		return;
	}
	a = jsn_new_array();
	for (size_t i = 0; i < g->nsnaps; i++) {
		struct jsn *r = jsn_new_object();

		jsn_put_str(r, "name", g->snaps[i].name);
		jsn_put_str(r, "description", g->snaps[i].description);
		jsn_put_int(r, "snaptime", g->snaps[i].time);
		jsn_put_int(r, "vmstate", 0);
		jsn_put_str(r, "parent", g->snaps[i].parent);
		jsn_push(a, r);
	}
	cur = jsn_new_object();
	parent = kv_get(&g->conf, "parent");
	jsn_put_str(cur, "name", "current");
	jsn_put_str(cur, "description", "You are here!");
	jsn_put_int(cur, "running", g->running);
	jsn_put_str(cur, "digest", guest_digest(g));
	jsn_put_str(cur, "parent", parent);
	jsn_push(a, cur);
	job_ok(j, a);
}

static bool can_snapshot(const struct sim *s, const struct guest *g)
{
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		const struct volume *v;

		if (!prop_is_drive(i->key) || !drive_parse(s, i->key, i->value, &d) ||
		    drive_is_cdrom(&d))
			continue;
		v = volume_find(s, g->node, d.file);
		if (v && strcmp(v->format, "qcow2") != 0 && v->store->type != STORE_LVMTHIN &&
		    v->store->type != STORE_ZFS && v->store->type != STORE_RBD &&
		    v->store->type != STORE_BTRFS)
			return false;
	}
	return true;
}

static void snap_log(struct job *j, const struct guest *g)
{
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};

		if (prop_kind(i->key) && drive_parse(j->sim, i->key, i->value, &d) &&
		    !drive_is_cdrom(&d))
			job_log(j, "snapshotting 'drive-%s' (%s)", i->key, d.file);
	}
}

static void snap_add(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct snap n = {0};

	if (!g) {
		job_oops(j, &o);
		return;
	}
	n.name = mem_strdup(job_param(j, "snapname"));
	n.description = mem_strdup(job_param(j, "description"));
	n.parent = mem_strdup(kv_get(&g->conf, "parent"));
	n.time = sim_secs(s);
	kv_copy(&n.conf, &g->conf);
	kv_del(&n.conf, "lock");
	kv_del(&n.conf, "description");
	if (n.description)
		kv_set(&n.conf, "description", n.description);
	snap_log(j, g);
	for (int i = 0; i < SIM_UNUSED_MAX; i++) {
		_cleanup_str_ char *key = mem_printf("unused%d", i);

		kv_del(&n.conf, key);
	}
	MEM_PUSH_ROOM(g->snaps, g->nsnaps, g->snapcap);
	g->snaps[g->nsnaps++] = n;
	guest_unset(s, g, "lock");
	guest_set(s, g, "parent", n.name);
	note(s, g, "snapshot", n.name, NULL, NULL);
	job_done(j);
}

static void snap_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	const char *name = job_param(j, "snapname");

	if (!g || !conf_unlocked(g, &o) || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (snap_find(g, name))
		job_die(j, "snapshot name '%s' already used", name);
	else if (text_eq(kv_get(&g->conf, "template"), "1"))
		job_die(j, "you can't take a snapshot if it's a template");
	else if (!can_snapshot(j->sim, g))
		job_die(j, "snapshot feature is not available");
	else {
		guest_set(j->sim, g, "lock", "snapshot");
		job_next(j, j->sim->timing[TIMING_SNAPSHOT], snap_add);
	}
}

static void snap_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, snap_locked);
}

void api_snapshot_post(struct job *j)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	if (!strcmp(job_param(j, "snapname"), "current"))
		job_die(j, "unable to use snapshot name 'current' (reserved name)");
	else
		job_fork(j, "qmsnapshot", id, snap_task);
}

/* The guest, which has the snapshot that the request names. */
static struct snap *named(struct job *j, struct guest **ret, struct oops *o)
{
	const char *name = job_param(j, "snapname");
	struct guest *g = conf_load(j, j->vmid, o);
	struct snap *n = g ? snap_find(g, name) : NULL;

	if (g && !n)
		oops_die(o, "snapshot '%s' does not exist", name);
	*ret = g;
	return n;
}

static void snap_drop(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	struct snap *n = named(j, &g, &o);

	if (!n) {
		job_oops(j, &o);
		return;
	}
	if (text_eq(kv_get(&g->conf, "parent"), n->name)) {
		if (n->parent)
			guest_set(s, g, "parent", n->parent);
		else
			guest_unset(s, g, "parent");
	}
	guest_touch(s, g);
	note(s, g, "snapshot-delete", n->name, NULL, NULL);
	free(n->name);
	free(n->description);
	free(n->parent);
	kv_fini(&n->conf);
	*n = g->snaps[--g->nsnaps];
	guest_unset(s, g, "lock");
	job_done(j);
}

static void snap_drop_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !conf_unlocked(g, &o) || !named(j, &g, &o)) {
		job_oops(j, &o);
		return;
	}
	guest_set(j->sim, g, "lock", "snapshot-delete");
	job_next(j, j->sim->timing[TIMING_SNAPSHOT], snap_drop);
}

static void snap_drop_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, snap_drop_locked);
}

void api_snapshot_delete(struct job *j)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	job_fork(j, "qmdelsnapshot", id, snap_drop_task);
}

static void rollback_do(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	const struct snap *n = named(j, &g, &o);

	if (!n) {
		job_oops(j, &o);
		return;
	}
	for (size_t i = 0; i < g->conf.n; i++)
		if (!kv_has(&n->conf, g->conf.v[i].key) && !prop_is_unused(g->conf.v[i].key)) {
			_cleanup_str_ char *key = mem_strdup(g->conf.v[i].key);

			guest_unset(s, g, key);
			i--;
		}
	KV_FOREACH (i, &n->conf)
		guest_set(s, g, i->key, i->value);
	guest_set(s, g, "parent", n->name);
	guest_run(s, g, false);
	if (job_param_bool(j, "start")) {
		job_unlock_all(j);
		power_start_too(j);
		job_next(j, s->timing[TIMING_FORK], job_done);
	} else
		job_done(j);
}

static void rollback_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	job_next(j, j->sim->timing[TIMING_SNAPSHOT], rollback_do);
}

static void rollback_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, rollback_locked);
}

void api_snapshot_rollback(struct job *j)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	job_fork(j, "qmrollback", id, rollback_task);
}
