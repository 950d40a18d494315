/* Moving guests to other nodes. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_ha.h"
#include "sim_harule.h"
#include "sim_nic.h"
#include "sim_repl.h"
#include "sim_volume.h"

/* --- migrate --- */

/* The drive, if it names a volume that only this node has. */
static bool is_local(
    struct job *j, const struct guest *g, const struct kv_item *item, struct drive *ret)
{
	const struct volume *v;

	if ((!prop_is_drive(item->key) && !prop_is_unused(item->key)) ||
	    !drive_parse(j->sim, item->key, item->value, ret))
		return false;
	v = strchr(ret->file, ':') ? volume_find(j->sim, g->node, ret->file) : NULL;
	return v && !v->store->shared;
}

static bool local_parts(struct job *j, const struct guest *g, bool *disk, bool *iso)
{
	*disk = *iso = false;
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};

		if (!is_local(j, g, i, &d))
			continue;
		if (drive_is_cdrom(&d) && !drive_is_cloudinit(&d))
			*iso = true;
		else
			*disk = true;
	}
	return *disk || *iso;
}

/* A line with the time of the node's clock, as a migration writes them. */
__attribute__((format(printf, 2, 3))) static void said(struct job *j, const char *fmt, ...)
{
	time_t t = (time_t)sim_secs(j->sim);
	_cleanup_str_ char *text = NULL;
	char when[32];
	struct tm tm;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	job_log(j, "%s %s", when, text ? text : "?");
}

static void aborted(struct job *j, const char *why)
{
	said(j, "ERROR: migration aborted (duration 00:00:00): %s", why);
	job_die(j, "migration aborted");
}

/* What lies on storages of this node only: said, and refused where it cannot be copied. */
static bool found_local(struct job *j, const struct guest *g)
{
	bool bad = false;

	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};

		if (!is_local(j, g, i, &d))
			continue;
		said(j, "found local disk '%s' (%s)", d.file,
		    prop_is_unused(i->key) ? "in current VM config" : "attached");
		if (drive_is_cdrom(&d) && !drive_is_cloudinit(&d)) {
			said(j, "can't migrate local disk '%s': local cdrom image", d.file);
			bad = true;
		}
	}
	if (!bad)
		return true;
	said(j, "ERROR: Problem found while scanning volumes - can't migrate VM - check log");
	said(j, "aborting phase 1 - cleanup resources");
	aborted(j, "Problem found while scanning volumes - can't migrate VM - check log");
	return false;
}

/* Volumes that lie on this node alone go with the guest, to its new storage if one is named. */
static void move_volumes(struct job *j, struct guest *g, struct node *to)
{
	struct sim *s = j->sim;
	struct store *st = store_find(s, job_param(j, "targetstorage"));
	_cleanup_kv_ struct kv conf = {0};

	kv_copy(&conf, &g->conf);
	KV_FOREACH (i, &conf) {
		_cleanup_drive_ struct drive d = {0};
		_cleanup_str_ char *text = NULL;
		struct volume *v;

		if ((!prop_is_drive(i->key) && !prop_is_unused(i->key)) ||
		    !drive_parse(s, i->key, i->value, &d))
			continue;
		v = strchr(d.file, ':') ? volume_find(s, g->node, d.file) : NULL;
		if (!v || v->store->shared || v->vmid != g->vmid)
			continue;
		if (st && st != v->store && store_is_file(st) && store_is_file(v->store)) {
			_cleanup_str_ char *old = mem_strdup(d.file);

			volume_restore(s, v, st, to);
			free(d.file);
			d.file = volume_id(v);
			text = drive_print(&d);
			guest_set(s, g, i->key, text);
			said(j, "volume '%s' is '%s' on the target", old, d.file);
		} else {
			volume_move(s, v, to);
			said(j, "volume '%s' is '%s' on the target", d.file, d.file);
		}
	}
	for (size_t i = 0; i < s->nvolumes; i++) /* what the configuration does not name */
		if (s->volumes[i]->vmid == g->vmid && s->volumes[i]->node == g->node)
			volume_move(s, s->volumes[i], to);
}

static void migrate_unlock(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && text_eq(kv_get(&g->conf, "lock"), "migrate"))
		guest_unset(j->sim, g, "lock");
	said(j, "migration finished successfully (duration 00:00:01)");
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
	move_volumes(j, g, to);
	repls_turn(s, j->vmid, g->node, to);
	guest_move(s, g, to);
	if (g->running)
		nic_moved(s, g);
	job_next(j, s->timing[TIMING_MIGRATE_END], migrate_unlock);
}

static void migrate_locked(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	const struct node *to = node_find(s, job_param(j, "target"));
	const struct repl *marked;
	bool disk, iso;

	if (!g) {
		said(j, "attempt to clean up left-over fleecing images failed - %s", o.msg);
		aborted(j, o.msg);
		return;
	}
	marked = repl_of(s, j->vmid, to->name);
	if (marked && kv_has(&marked->conf, "remove_job")) {
		aborted(j, "refusing to migrate replicated VM whose replication job is marked for "
			   "removal");
		return;
	}
	if (!conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	said(
	    j, "starting migration of VM %" PRId64 " to node '%s' (%s)", j->vmid, to->name, to->ip);
	if (!found_local(j, g))
		return;
	local_parts(j, g, &disk, &iso);
	if (disk && g->running && !job_param_bool(j, "with-local-disks")) {
		aborted(j, "can't live migrate attached local disks without with-local-disks "
			   "option");
		return;
	}
	if (disk)
		said(j, "copying local disk images");
	guest_set(s, g, "lock", "migrate");
	job_next(j, s->timing[g->running ? TIMING_MIGRATE_ONLINE : TIMING_MIGRATE], migrate_move);
}

static void migrate_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, migrate_locked);
}

static bool root_only(const struct job *j, struct oops *o)
{
	static const char *const keys[] = {"force", "migration_type", "migration_network"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (job_param(j, keys[i]) && strcmp(job_param(j, keys[i]), "0") != 0 &&
		    !who_is_root(&j->who))
			return oops_param(o, keys[i], "Only root may use this option.");
	return true;
}

/* check_storage_access_migrate: the storage that local disks are to go to */
static bool target_storage(struct job *j, const char *name, const struct node *to, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_str_ char *path = mem_printf("/storage/%s", name);
	const struct store *st;

	if (!auth_vm(s, &j->who, j->vmid, PRIV_BIT(VM_CONFIG_DISK), o))
		return false;
	st = store_check(s, name, to, o);
	if (!st || !auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
		return false;
	return store_has(st, "images") ||
	       oops_die(o, "storage '%s' does not support vm images", name);
}

/* check_storage_availability: each storage that the guest uses is on both nodes. */
static bool storages_there(
    struct job *j, const struct guest *g, const struct node *to, struct oops *o)
{
	const char *where = job_param(j, "targetstorage");

	if (where && strcmp(where, "1") != 0)
		return target_storage(j, where, to, o);
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		_cleanup_str_ char *store = NULL;
		_cleanup_str_ char *name = NULL;

		if (!prop_is_drive(i->key) || !drive_parse(j->sim, i->key, i->value, &d) ||
		    !volid_split(d.file, &store, &name))
			continue;
		if (!store_check(j->sim, store, g->node, o) || !store_check(j->sim, store, to, o))
			return false;
	}
	return true;
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
	g = root_only(j, &o) ? conf_load(j, j->vmid, &o) : NULL;
	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	if (g->running && !job_param_bool(j, "online"))
		oops_die(&o, "can't migrate running VM without --online");
	else if (g->running && repl_of(s, j->vmid, NULL) && !repl_of(s, j->vmid, target) &&
		 !job_param_bool(j, "force"))
		oops_die(&o,
		    "Cannot live-migrate replicated VM to node '%s' - not a replication target. "
		    "Use 'force' to override.",
		    target);
	else
		storages_there(j, g, node_find(s, target), &o);
	if (o.status)
		job_oops(j, &o);
	else if (!ha_instead(j, HA_MIGRATE))
		job_fork(j, "qmigrate", id, migrate_task);
}

static struct jsn *local_disks(struct job *j, const struct guest *g)
{
	static const char *const no[] = {
	    "cdrom", "is_cloudinit", "is_tpmstate", "is_unused", "is_vmstate"};
	struct jsn *a = jsn_new_array();

	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		const struct volume *v;
		struct jsn *o;

		if (!prop_is_drive(i->key) || !drive_parse(j->sim, i->key, i->value, &d))
			continue;
		v = strchr(d.file, ':') ? volume_find(j->sim, g->node, d.file) : NULL;
		if (!v || v->store->shared)
			continue;
		o = jsn_new_object();
		for (size_t k = 0; k < ARRAY_LEN(no); k++)
			jsn_put_int(o, no[k],
			    (k == 0 && drive_is_cdrom(&d)) || (k == 1 && drive_is_cloudinit(&d)) ||
				(k == 2 && !strcmp(i->key, "tpmstate0")));
		jsn_put_str(o, "drivename", i->key);
		jsn_put_int(o, "is_attached", 1);
		jsn_put_int(o, "replicate", 1);
		jsn_put_int(o, "shared", 0);
		jsn_put_int(o, "size", v->size);
		jsn_put_str(o, "volid", d.file);
		jsn_push(a, o);
	}
	return a;
}

/* What of the HA manager's keeps it away from there, as the node's entry; false if nothing. */
static bool kept_away(
    struct sim *s, const struct guest *g, const struct node *n, struct jsn *others)
{
	_cleanup_strs_ struct strs why = {0};
	struct jsn *o = jsn_new_object(), *a = jsn_new_array();

	ha_blocked(s, g, n, &why);
	for (size_t i = 0; i + 1 < why.n; i += 2) {
		struct jsn *b = jsn_new_object();

		jsn_put_str(b, "sid", why.v[i]);
		jsn_put_str(b, "cause", why.v[i + 1]);
		jsn_push(a, b);
	}
	if (why.n)
		jsn_put(o, "blocking-ha-resources", a);
	else
		jsn_free(&a);
	jsn_put(others, n->name, o);
	return why.n > 0;
}

static void put_with(struct sim *s, const struct guest *g, struct jsn *d)
{
	_cleanup_strs_ struct strs with = {0};
	struct jsn *a;

	ha_together(s, g, &with);
	if (!with.n)
		return;
	a = jsn_new_array();
	for (size_t i = 0; i < with.n; i++)
		jsn_push(a, jsn_new_str(with.v[i]));
	jsn_put(d, "dependent-ha-resources", a);
}

void api_migrate_get(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	struct jsn *d, *nodes, *others;

	if (!quorum_check(j, &o) || !(g = conf_load(j, j->vmid, &o))) {
		job_oops(j, &o);
		return;
	}
	d = jsn_new_object();
	jsn_put_int(d, "running", g->running);
	jsn_put(d, "local_disks", local_disks(j, g));
	jsn_put(d, "local_resources", jsn_new_array());
	if (s->v9)
		jsn_put_int(d, "has-dbus-vmstate", 1);
	jsn_put(d, "mapped-resources", jsn_new_array());
	if (s->v9)
		jsn_put(d, "mapped-resource-info", jsn_new_object());
	nodes = jsn_new_array();
	others = jsn_new_object();
	for (size_t i = s->nnodes; i--;)
		if (s->nodes[i] != g->node && s->nodes[i]->up &&
		    !kept_away(s, g, s->nodes[i], others))
			jsn_push(nodes, jsn_new_str(s->nodes[i]->name));
	put_with(s, g, d);
	jsn_put(d, "allowed_nodes", nodes);
	jsn_put(d, "not_allowed_nodes", others);
	job_ok(j, d);
}
