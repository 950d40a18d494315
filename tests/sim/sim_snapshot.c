/*
 * Snapshots of guests: taken, read, removed. A snapshot's work is done without the guest's
 * file lock; meanwhile `lock` in its configuration keeps others out.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_power.h"
#include "sim_snapshot.h"
#include "sim_volume.h"

void snap_fini(struct snap *n)
{
	free(n->name);
	kv_fini(&n->conf);
	kv_fini(&n->sizes);
}

struct snap *snap_named(struct job *j, struct guest **ret, struct oops *o)
{
	const char *name = job_param(j, "snapname");
	struct guest *g = conf_load(j, j->vmid, o);
	struct snap *n = g ? snap_find(g, name) : NULL;

	if (g && !n)
		oops_die(o, "snapshot '%s' does not exist", name);
	*ret = g;
	return n;
}

/* --- reading --- */

void api_snapshots(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct jsn *a, *cur;

	if (!g) {
		job_oops(j, &o);
		return;
	}
	a = jsn_new_array();
	for (size_t i = 0; i < g->nsnaps; i++) {
		const struct snap *n = &g->snaps[i];
		const char *d = kv_get(&n->conf, "description");
		struct jsn *r = jsn_new_object();

		jsn_put_str(r, "name", n->name);
		jsn_put_str(r, "description", d ? d : "");
		jsn_put_int(r, "snaptime", n->time);
		jsn_put_int(r, "vmstate", kv_has(&n->conf, "vmstate"));
		jsn_put_str(r, "parent", kv_get(&n->conf, "parent"));
		jsn_put_str(r, "snapstate", n->state);
		jsn_push(a, r);
	}
	cur = jsn_new_object();
	jsn_put_str(cur, "name", "current");
	jsn_put_str(cur, "description", "You are here!");
	jsn_put_int(cur, "running", g->running);
	jsn_put_str(cur, "digest", guest_digest(g));
	jsn_put_str(cur, "parent", kv_get(&g->conf, "parent"));
	jsn_push(a, cur);
	job_ok(j, a);
}

void api_snapshot_index(struct job *j)
{
	static const char *const v[] = {"rollback", "config"};

	job_ok(j, index_of("cmd", v, ARRAY_LEN(v)));
}

void api_snapshot_config(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	const struct snap *n = snap_named(j, &g, &o);
	struct jsn *d;

	if (!n) {
		job_oops(j, &o);
		return;
	}
	d = jsn_new_object();
	KV_FOREACH (i, &n->conf)
		put_conf(j->sim, d, i->key, i->value);
	jsn_put_int(d, "snaptime", n->time);
	jsn_put_str(d, "snapstate", n->state);
	job_ok(j, d);
}

static void describe(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct snap *n = g && conf_unlocked(g, &o) ? snap_named(j, &g, &o) : NULL;

	if (!n || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	kv_set(&n->conf, "description", job_param(j, "description"));
	note(j->sim, g, "snapshot-set", n->name, NULL, NULL);
	*g->digest = '\0';
	job_ok(j, NULL);
}

void api_snapshot_put(struct job *j)
{
	if (job_param(j, "description"))
		job_lock_guest(j, j->vmid, true, describe);
	else
		job_ok(j, NULL);
}

/* --- taking one --- */

struct taking {
	struct job *j;
	struct guest *g;
	struct snap *n;
	struct store *store; /* for its memory */
};

static bool image_can(void *arg, const char *key, const struct drive *d)
{
	const struct taking *t = arg;
	const struct volume *v = volume_find(t->j->sim, t->g->node, d->file);

	(void)key;
	return !v || volume_can_snapshot(v);
}

static bool image_taken(void *arg, const char *key, const struct drive *d)
{
	const struct taking *t = arg;
	const struct volume *v = volume_find(t->j->sim, t->g->node, d->file);

	job_log(t->j, "snapshotting 'drive-%s' (%s)", key, d->file);
	if (v)
		kv_setf(&t->n->sizes, d->file, "%" PRId64, v->size);
	return true;
}

/* QemuConfig::find_vmstate_storage: where the guest has its disks, best in files. */
static bool state_store(void *arg, const char *key, const struct drive *d)
{
	struct taking *t = arg;
	const struct volume *v = volume_find(t->j->sim, t->g->node, d->file);
	const struct store *now = t->store;

	(void)key;
	if (v && (!now || (v->store->shared && !now->shared) ||
		     (v->store->shared == now->shared && store_is_file(v->store))))
		t->store = v->store;
	return true;
}

/* Its memory, twice in case it changes meanwhile, and 500 MiB for the devices. */
static bool take_memory(struct taking *t, struct oops *o)
{
	struct job *j = t->j;
	struct guest *g = t->g;
	const char *own = kv_get(&g->conf, "vmstatestorage"),
		   *machine = kv_get(&g->conf, "machine");
	_cleanup_str_ char *suffix = mem_printf("state-%s", t->n->name);
	_cleanup_str_ char *cpu = cpu_type(j->sim, kv_get(&g->conf, "cpu"));
	_cleanup_str_ char *volid = NULL;
	struct volume_ask ask = {.vmid = g->vmid,
	    .size = 2 * guest_memory(g) + ((int64_t)500 << 20),
	    .format = "raw",
	    .suffix = suffix};
	_cleanup_str_ char *version = qemu_release(j->sim);
	struct volume *v;

	drives_each(j->sim, &g->conf, false, state_store, t);
	if (own || !t->store)
		t->store = store_find(j->sim, own ? own : "local");
	if (!t->store)
		return oops_die(o, "storage '%s' does not exist", own ? own : "local");
	v = volume_new(j, t->store, &ask, o);
	if (!v)
		return false;
	volid = volume_id(v);
	kv_set(&t->n->conf, "vmstate", volid);
	kv_setf(&t->n->conf, "runningmachine", "pc-%s-%s+pve0",
	    machine && strstr(machine, "q35") ? "q35" : "i440fx", version);
	kv_setf(&t->n->conf, "runningcpu", "%s,enforce,+kvm_pv_eoi,+kvm_pv_unhalt",
	    cpu ? cpu : "kvm64");
	return true;
}

/* __snapshot_copy_config */
static void copy_conf(struct snap *n, const struct guest *g)
{
	static const char *const not_its[] = {"lock", "description"};

	kv_copy(&n->conf, &g->conf);
	for (size_t i = 0; i < ARRAY_LEN(not_its); i++)
		kv_del(&n->conf, not_its[i]);
	for (int i = 0; i < SIM_UNUSED_MAX; i++) {
		_cleanup_str_ char *key = mem_printf("unused%d", i);

		kv_del(&n->conf, key);
	}
}

static void commit(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	struct snap *n = snap_named(j, &g, &o);

	if (n && !text_eq(kv_get(&g->conf, "lock"), "snapshot"))
		oops_die(&o, "missing snapshot lock");
	else if (n && !text_eq(n->state, "prepare"))
		oops_die(&o, "wrong snapshot state");
	if (o.status || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	n->state = NULL;
	guest_unset(j->sim, g, "lock");
	guest_set(j->sim, g, "parent", n->name);
	job_done(j);
}

static void commit_lock(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct taking t = {.j = j};

	t.n = snap_named(j, &t.g, &o);
	if (!t.n) {
		job_oops(j, &o);
		return;
	}
	drives_each(j->sim, &t.n->conf, false, image_taken, &t);
	job_lock_guest(j, j->vmid, true, commit);
}

/* __snapshot_prepare: what keeps it from being taken, and its place in the configuration. */
static bool may_take(struct taking *t, const char *name, struct oops *o)
{
	if (text_eq(kv_get(&t->g->conf, "template"), "1"))
		return oops_die(o, "you can't take a snapshot if it's a template");
	if (!conf_unlocked(t->g, o))
		return false;
	if (snap_find(t->g, name))
		return oops_die(o, "snapshot name '%s' already used", name);
	if (!drives_each(t->j->sim, &t->g->conf, false, image_can, t))
		return oops_die(o, "snapshot feature is not available");
	return pmxcfs_check(t->j, t->j->vmid, o);
}

static void prepare(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	const char *name = job_param(j, "snapname"), *why = job_param(j, "description");
	struct taking t = {.j = j, .g = conf_load(j, j->vmid, &o)};
	struct snap n = {.time = sim_secs(j->sim), .state = "prepare"};

	t.n = &n;
	if (!t.g || !may_take(&t, name, &o)) {
		job_oops(j, &o);
		return;
	}
	n.name = mem_strdup(name);
	copy_conf(&n, t.g);
	if (job_param_bool(j, "vmstate") && t.g->running && !take_memory(&t, &o)) {
		snap_fini(&n);
		job_oops(j, &o);
		return;
	}
	if (why && *why)
		kv_set(&n.conf, "description", why);
	MEM_PUSH_ROOM(t.g->snaps, t.g->nsnaps, t.g->snapcap);
	t.g->snaps[t.g->nsnaps++] = n;
	note(j->sim, t.g, "snapshot", n.name, NULL, NULL);
	guest_set(j->sim, t.g, "lock", "snapshot");
	job_unlock_all(j);
	job_next(j, j->sim->timing[TIMING_SNAPSHOT], commit_lock);
}

void snap_begin(struct job *j, const char *doing, void (*fn)(struct job *j))
{
	clog_add(j->sim, j->node, j->who.full, 6, "%s VM %" PRId64 ": %s", doing, j->vmid,
	    job_param(j, "snapname"));
	job_lock_guest(j, j->vmid, true, fn);
}

static void take_task(struct job *j)
{
	snap_begin(j, "snapshot", prepare);
}

void api_snapshot_post(struct job *j)
{
	static const char *const reserved[] = {"current", "pending"};
	_cleanup_str_ char *id = power_id(j);
	const char *name = job_param(j, "snapname");

	if (!strcmp(name, reserved[0]) || text_eq_nocase(name, reserved[1]))
		job_die(j, "unable to use snapshot name '%s' (reserved name)",
		    reserved[strcmp(name, reserved[0]) != 0]);
	else
		job_fork(j, "qmsnapshot", id, take_task);
}

/* --- removing one --- */

static bool set_aside(void *arg, const char *key, const struct drive *d)
{
	struct taking *t = arg;
	_cleanup_oops_ struct oops o = {0};

	(void)key;
	drive_set_aside(t->j, t->g, d->file, &o);
	return true;
}

/* Whoever came from this one comes from the one before it. */
static void unlink_parent(struct sim *s, struct guest *g, const struct snap *n)
{
	const char *before = kv_get(&n->conf, "parent");

	for (size_t i = 0; i < g->nsnaps; i++) {
		struct kv *conf = &g->snaps[i].conf;

		if (!text_eq(kv_get(conf, "parent"), n->name))
			continue;
		if (before)
			kv_set(conf, "parent", before);
		else
			kv_del(conf, "parent");
	}
	if (!text_eq(kv_get(&g->conf, "parent"), n->name))
		return;
	if (before)
		guest_set(s, g, "parent", before);
	else
		guest_unset(s, g, "parent");
}

static void drop_memory(struct job *j, struct guest *g, struct snap *n)
{
	struct volume *v = volume_find(j->sim, g->node, kv_get(&n->conf, "vmstate"));

	if (v)
		volume_free(j->sim, v);
	kv_del(&n->conf, "vmstate");
}

static void dropped(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct taking t = {.j = j};

	t.n = snap_named(j, &t.g, &o);
	if (t.n && !text_eq(kv_get(&t.g->conf, "lock"), "snapshot-delete"))
		oops_die(&o, "encountered invalid lock, expected 'snapshot-delete'");
	if (o.status || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (kv_has(&t.n->conf, "vmstate"))
		drop_memory(j, t.g, t.n);
	unlink_parent(s, t.g, t.n);
	drives_each(s, &t.n->conf, false, set_aside, &t);
	drive_drop_unused(s, t.g);
	note(s, t.g, "snapshot-delete", t.n->name, NULL, NULL);
	snap_fini(t.n);
	t.g->nsnaps--;
	memmove(t.n, t.n + 1, (size_t)(t.g->snaps + t.g->nsnaps - t.n) * sizeof(*t.n));
	guest_unset(s, t.g, "lock");
	job_done(j);
}

static void drop_lock(struct job *j)
{
	job_lock_guest(j, j->vmid, true, dropped);
}

static void drop_begin(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;
	struct snap *n = snap_named(j, &g, &o);

	if (!n || !conf_unlocked(g, &o) || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	n->state = "delete";
	guest_set(j->sim, g, "lock", "snapshot-delete");
	job_unlock_all(j);
	job_next(j, j->sim->timing[TIMING_SNAPSHOT], drop_lock);
}

static void drop_task(struct job *j)
{
	snap_begin(j, "delete snapshot", drop_begin);
}

void api_snapshot_delete(struct job *j)
{
	_cleanup_str_ char *id = power_id(j);

	job_fork(j, "qmdelsnapshot", id, drop_task);
}
