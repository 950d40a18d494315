/* Moving guests to other nodes, and snapshots. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_volume.h"

/* --- migrate --- */

static bool local_parts(struct job *j, const struct guest *g, bool *disk, bool *iso)
{
	*disk = *iso = false;
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		const struct volume *v;

		if ((!prop_is_drive(i->key) && !prop_is_unused(i->key)) ||
		    !drive_parse(j->sim, i->key, i->value, &d))
			continue;
		v = strchr(d.file, ':') ? volume_find(j->sim, g->node, d.file) : NULL;
		if (!v || v->store->shared)
			continue;
		if (drive_is_cdrom(&d) && !drive_is_cloudinit(&d))
			*iso = true;
		else
			*disk = true;
	}
	return *disk || *iso;
}

static void migrate_unlock(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && text_eq(kv_get(&g->conf, "lock"), "migrate"))
		guest_unset(j->sim, g, "lock");
	job_log(j, "migration finished successfully (duration 00:00:01)");
	job_done(j);
}

static void migrate_move(struct job *j)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	struct node *to = node_find(s, job_param(j, "target"));

	if (!g || g->node != j->node || !to->up) {
		job_die(j, "migration aborted");
		return;
	}
	for (size_t i = 0; i < s->nvolumes; i++)
		if (s->volumes[i]->vmid == g->vmid && s->volumes[i]->node == g->node)
			volume_move(s, s->volumes[i], to);
	guest_move(s, g, to);
	job_next(j, s->timing[TIMING_MIGRATE_END], migrate_unlock);
}

static void migrate_locked(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	bool disk, iso;

	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	job_log(j, "starting migration of VM %" PRId64 " to node '%s'", j->vmid,
	    job_param(j, "target"));
	local_parts(j, g, &disk, &iso);
	if (iso || (disk && g->running && !job_param_bool(j, "with-local-disks"))) {
		job_die(j, "migration aborted");
		return;
	}
	guest_set(s, g, "lock", "migrate");
	job_next(j, s->timing[g->running ? TIMING_MIGRATE_ONLINE : TIMING_MIGRATE], migrate_move);
}

static void migrate_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, migrate_locked);
}

void api_migrate(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);
	const char *target = job_param(j, "target");
	struct guest *g;

	if (!quorum_check(j, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!strcmp(target, j->node->name) || !strcmp(target, "localhost")) {
		oops_param(&o, "target", "target is local node.");
		job_oops(j, &o);
		return;
	}
	if (!node_find(s, target)) {
		job_die(j, "no such cluster node '%s'", target);
		return;
	}
	g = conf_load(j, j->vmid, &o);
	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (g->running && !job_param_bool(j, "online")) {
		job_die(j, "can't migrate running VM without --online");
		return;
	}
	job_fork(j, "qmigrate", id, migrate_task);
}

void api_migrate_get(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	struct jsn *d, *nodes;
	bool disk, iso;

	if (!quorum_check(j, &o) || !(g = conf_load(j, j->vmid, &o))) {
		job_oops(j, &o);
		return;
	}
	local_parts(j, g, &disk, &iso);
	d = jsn_new_object();
	jsn_put_int(d, "running", g->running);
	jsn_put(d, "local_disks", jsn_new_array());
	jsn_put(d, "local_resources", jsn_new_array());
	nodes = jsn_new_array();
	for (size_t i = 0; i < s->nnodes; i++)
		if (s->nodes[i] != g->node && s->nodes[i]->up)
			jsn_push(nodes, jsn_new_str(s->nodes[i]->name));
	jsn_put(d, "allowed_nodes", nodes);
	jsn_put(d, "not_allowed_nodes", jsn_new_object());
	job_ok(j, d);
}

/* --- snapshots --- */

static struct snap *snap_find(struct guest *g, const char *name)
{
	for (size_t i = 0; i < g->nsnaps; i++)
		if (!strcmp(g->snaps[i].name, name))
			return &g->snaps[i];
	return NULL;
}

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

static void snap_drop(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct snap *n = g ? snap_find(g, job_param(j, "snapname")) : NULL;

	if (!n) {
		job_die(j, "snapshot '%s' does not exist", job_param(j, "snapname"));
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

	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!snap_find(g, job_param(j, "snapname"))) {
		job_die(j, "snapshot '%s' does not exist", job_param(j, "snapname"));
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
	struct guest *g = conf_load(j, j->vmid, &o);
	struct snap *n = g ? snap_find(g, job_param(j, "snapname")) : NULL;

	if (!n) {
		job_die(j, "snapshot '%s' does not exist", job_param(j, "snapname"));
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
