/* Cloning: early checks, the visible phases of the new configuration, disks, target, pool. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_volume.h"

struct clone {
	int64_t newid;
	bool full;
	char *target, *pool, *store, *format;
	struct kv conf;	     /* of the new guest, as it grows */
	struct strs drives;  /* slots to be copied, in order */
	struct kv values;    /* their values in the source */
	struct strs volumes; /* made so far */
	size_t next;
	int64_t bandwidth;
	char *fresh; /* the volume of the drive at hand */
};

static void clone_free(void *data)
{
	struct clone *c = data;

	free(c->target);
	free(c->pool);
	free(c->store);
	free(c->format);
	free(c->fresh);
	kv_fini(&c->conf);
	kv_fini(&c->values);
	strs_fini(&c->drives);
	strs_fini(&c->volumes);
	free(c);
}

/* --- early checks --- */

static bool shared_and_allowed(
    struct job *j, struct clone *c, const struct kv *conf, bool *shared, struct oops *o)
{
	struct sim *s = j->sim;

	*shared = true;
	KV_FOREACH (i, conf) {
		_cleanup_drive_ struct drive d = {0};
		_cleanup_str_ char *store = NULL;
		_cleanup_str_ char *name = NULL;
		_cleanup_str_ char *path = NULL;
		const struct store *st;

		if (!prop_is_drive(i->key) || !drive_parse(s, i->key, i->value, &d) ||
		    !strcmp(d.file, "none"))
			continue;
		if (!strcmp(d.file, "cdrom")) {
			if (!auth_check(s, &j->who, "/", PRIV_BIT(SYS_CONSOLE), false, o))
				return false;
			continue;
		}
		if (!volid_split(d.file, &store, &name))
			continue;
		st = store_find(s, store);
		if (!st)
			return oops_die(o, "storage '%s' does not exist", store);
		*shared = *shared && st->shared;
		if (drive_is_cdrom(&d) && !drive_is_cloudinit(&d))
			continue;
		path = mem_printf("/storage/%s", c->store ? c->store : store);
		if (!auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
			return false;
	}
	return true;
}

static bool copyable(struct job *j, struct clone *c, const struct guest *g, const char *key,
    const char *value, const char *snap, struct oops *o)
{
	_cleanup_drive_ struct drive d = {0};
	const struct volume *v;
	bool ok;

	if (!drive_parse(j->sim, key, value, &d))
		return oops_die(o, "unable to parse drive options for '%s'", key);
	if (drive_is_cdrom(&d) && !drive_is_cloudinit(&d)) {
		kv_set(&c->conf, key, value);
		return true;
	}
	v = volume_find(j->sim, j->node, d.file);
	if (!v && !drive_is_cloudinit(&d))
		return oops_die(o, "volume '%s' does not exist", d.file);
	if (!strcmp(key, "tpmstate0") && g->running && c->full && !snap)
		return oops_die(o, "cannot clone TPM state while VM is running");
	if (v && !c->full && !drive_is_cloudinit(&d)) {
		ok = store_can_link(v->store, snap != NULL) && (snap || volume_is_base(v));
		if (!ok)
			return oops_die(o, "Linked clone feature is not supported for %s'%s' (%s)",
			    snap ? "a snapshot of " : "", d.file, key);
	}
	strs_add(&c->drives, key);
	kv_set(&c->values, key, value);
	return true;
}

static bool skipped(const char *key)
{
	static const char words[] = "|snapshots|parent|snaptime|vmstate|snapstate|runningmachine"
				    "|runningcpu|lock|digest|";
	_cleanup_str_ char *w = mem_printf("|%s|", key);

	return prop_is_unused(key) || strstr(words, w);
}

static bool copy_conf(struct job *j, struct clone *c, const struct guest *g, const struct kv *conf,
    const char *snap, struct oops *o)
{
	kv_fini(&c->conf);
	kv_fini(&c->values);
	strs_fini(&c->drives);
	KV_FOREACH (i, conf) {
		if (skipped(i->key))
			continue;
		if (prop_is_net(i->key)) {
			_cleanup_kv_ struct kv parts = {0};
			_cleanup_str_ char *mac = sim_mac(j->sim);
			_cleanup_str_ char *text = NULL;

			if (!net_parse(j->sim, i->key, i->value, &parts))
				continue;
			kv_set(&parts, "macaddr", mac);
			text = net_print(&parts);
			kv_set(&c->conf, i->key, text);
		} else if (prop_is_drive(i->key)) {
			if (!copyable(j, c, g, i->key, i->value, snap, o))
				return false;
		} else
			kv_set(&c->conf, i->key, i->value);
	}
	return true;
}

static bool store_fits(struct job *j, struct clone *c, struct oops *o)
{
	struct store *st;

	if (!c->store)
		return true;
	st = store_check(j->sim, c->store, j->node, o);
	if (!st)
		return false;
	if (!c->target)
		return true;
	if (!store_check(j->sim, c->store, node_find(j->sim, c->target), o))
		return false;
	if (!st->shared)
		return oops_die(o, "can't clone to non-shared storage '%s'", c->store);
	return true;
}

const struct kv *source_conf(const struct guest *g, const char *snap)
{
	if (!snap)
		return &g->conf;
	for (size_t i = 0; i < g->nsnaps; i++)
		if (!strcmp(g->snaps[i].name, snap))
			return &g->snaps[i].conf;
	return NULL;
}

static bool nets_allowed(struct job *j, const struct kv *conf, struct oops *o)
{
	KV_FOREACH (i, conf)
		if (prop_is_net(i->key) && !conf_may_net(j, i->key, i->value, o))
			return false;
	return true;
}

/* All that is checked before the task and once more in it. */
static bool load_and_check(struct job *j, struct clone *c, struct oops *o)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid), *other = guest_find(s, c->newid);
	const char *snap = job_param(j, "snapname"), *full = job_param(j, "full");
	const struct kv *conf;
	bool shared;

	if (!g || g->node != j->node)
		return oops_die(o,
		    "unable to find configuration file for VM %" PRId64 " on node '%s'", j->vmid,
		    j->node->name);
	if (c->pool && !pool_find(s, c->pool))
		return oops_http(
		    o, 403, "Permission check failed (pool '%s' does not exist)", c->pool);
	if (c->target && !node_find(s, c->target))
		return oops_die(o, "no such cluster node '%s'", c->target);
	if (!store_fits(j, c, o) || !quorum_check(j, o) || !conf_unlocked(g, o))
		return false;
	conf = source_conf(g, snap);
	if (!conf)
		return oops_die(o, "snapshot '%s' does not exist", snap);
	c->full = full ? !strcmp(full, "1") : !text_eq(kv_get(&g->conf, "template"), "1");
	if (c->store && !c->full)
		return oops_die(o, "parameter 'storage' not allowed for linked clones");
	if (c->format && !c->full)
		return oops_die(o, "parameter 'format' not allowed for linked clones");
	if (!shared_and_allowed(j, c, conf, &shared, o) || !nets_allowed(j, conf, o))
		return false;
	if (c->target && !shared)
		return oops_die(
		    o, "can't clone VM to node '%s' (VM uses local storage)", c->target);
	if (other && other->node == j->node)
		return oops_die(
		    o, "unable to create VM %" PRId64 ": config file already exists", c->newid);
	return copy_conf(j, c, g, conf, snap, o);
}

/* --- the new identity --- */

static void new_identity(struct job *j, struct clone *c, const struct guest *src)
{
	const char *old = kv_get(&c->conf, "smbios1"), *name = job_param(j, "name"),
		   *descr = job_param(j, "description"), *from = kv_get(&src->conf, "name");
	_cleanup_kv_ struct kv parts = {0};
	_cleanup_str_ char *uuid = sim_uuid(j->sim);
	struct buf b;

	buf_init(&b, 0);
	if (old)
		schema_split(schema_table("smbios1"), 0, "smbios1", old, j->sim->v9, &parts, &b);
	buf_reset(&b);
	kv_set(&parts, "uuid", uuid);
	KV_FOREACH (i, &parts)
		buf_addf(&b, "%s%s=%s", b.len ? "," : "", i->key, i->value);
	kv_set(&c->conf, "smbios1", buf_str(&b));
	buf_fini(&b);
	if (kv_has(&c->conf, "vmgenid")) {
		_cleanup_str_ char *gen = sim_uuid(j->sim);

		kv_set(&c->conf, "vmgenid", gen);
	}
	kv_del(&c->conf, "template");
	if (name)
		kv_set(&c->conf, "name", name);
	else if (from)
		kv_setf(&c->conf, "name", "Copy-of-VM-%s", from);
	else
		kv_setf(&c->conf, "name", "Copy-of-VM-%" PRId64, j->vmid);
	if (descr) {
		_cleanup_str_ char *d = conf_normal(j->sim, "description", descr);

		if (d)
			kv_set(&c->conf, "description", d);
	}
}

/* The file as it stands: known keys set, all others gone. */
static void write_conf(struct sim *s, struct guest *g, const struct kv *conf)
{
	for (size_t i = 0; i < g->conf.n; i++)
		if (!kv_has(conf, g->conf.v[i].key)) {
			_cleanup_str_ char *key = mem_strdup(g->conf.v[i].key);

			guest_unset(s, g, key);
			i--;
		}
	KV_FOREACH (i, conf)
		guest_set(s, g, i->key, i->value);
}

/* --- failure --- */

static void cleanup_done(struct job *j)
{
	struct clone *c = j->data;
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, c->newid);
	_cleanup_str_ char *msg = TAKE(j->fault_text);

	for (size_t i = 0; i < c->volumes.n; i++) {
		struct volume *v = volume_find(s, j->node, c->volumes.v[i]);

		if (v)
			volume_free(s, v);
	}
	if (g && g->node == j->node && j->step)
		guest_del(s, g);
	job_die(j, "clone failed: %s", msg);
}

/* Block jobs are given a second, then everything made so far goes. */
static void clone_abort(struct job *j, const char *msg)
{
	if (!j->step) { /* nothing was made yet */
		job_die(j, "%s", msg);
		return;
	}
	mem_replace(&j->fault_text, msg);
	j->on_abort = NULL;
	job_next(j, 1000, cleanup_done);
}

/* --- the phases --- */

static void disk_begin(struct job *j);

static void clone_pool(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);

	if (g && c->pool && pool_find(j->sim, c->pool))
		guest_pool(j->sim, g, c->pool);
	job_done(j);
}

static void clone_move(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);
	struct node *to = c->target ? node_find(j->sim, c->target) : NULL;

	if (g && to)
		guest_move(j->sim, g, to);
	if (c->pool)
		job_next(j, j->sim->timing[TIMING_CLONE_MOVE], clone_pool);
	else
		clone_pool(j);
}

static void log_discarded(struct job *j)
{
	const struct guest *src = guest_find(j->sim, j->vmid);
	_cleanup_strs_ struct strs keys = {0};
	_cleanup_str_ char *list = NULL;

	if (!src || job_param(j, "snapname") || (!src->pend.n && !src->pend_del.n))
		return;
	KV_FOREACH (i, &src->pend)
		strs_add(&keys, i->key);
	if (src->pend_del.n)
		strs_add(&keys, "delete");
	list = strs_join(&keys, ",");
	job_log(j, "found pending changes for '%s', discarding for clone", list);
}

static void clone_finish(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);

	j->on_abort = NULL;
	kv_del(&c->conf, "lock");
	log_discarded(j);
	write_conf(j->sim, g, &c->conf);
	if (c->target || c->pool)
		job_next(j, j->sim->timing[TIMING_CLONE_MOVE], clone_move);
	else
		job_done(j);
}

static bool still_there(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);

	if (!j->node->quorate) {
		_cleanup_oops_ struct oops o = {0};

		/* The cluster's file system takes nothing any more: the debris stays. */
		pmxcfs_check(j, c->newid, &o);
		job_die(j, "clone failed: %s", o.msg);
		return false;
	}
	if (g && g->node == j->node)
		return true;
	clone_abort(j, "new configuration is gone");
	return false;
}

/* A running guest is mirrored; the last disk ends it for all. */
static void log_mirror(struct job *j, const char *key, int64_t size)
{
	const struct clone *c = j->data;
	const struct guest *g = guest_find(j->sim, j->vmid);
	_cleanup_str_ char *all = volume_amount(size);
	_cleanup_str_ char *part = volume_amount(size / 4 * 3);
	const char *agent = kv_get(&g->conf, "agent");
	bool frozen = agent && (*agent == '1' || strstr(agent, "enabled=1"));

	job_log(j, "drive mirror is starting for drive-%s", key);
	job_log(j, "drive-%s: transferred %s of %s (75.00%%) in 0s", key, part, all);
	job_log(j, "drive-%s: transferred %s of %s (100.00%%) in 1s, ready", key, all, all);
	job_log(j, "all 'mirror' jobs are ready");
	if (c->next + 1 < c->drives.n)
		return;
	if (frozen)
		job_log(j, j->sim->v9 ? "issuing guest agent 'guest-fsfreeze-freeze' command"
				      : "freeze filesystem");
	for (size_t i = 0; i < c->drives.n; i++) {
		job_log(j, "drive-%s: Cancelling block job", c->drives.v[i]);
		job_log(j, "drive-%s: Done.", c->drives.v[i]);
	}
	if (frozen)
		job_log(j, j->sim->v9 ? "issuing guest agent 'guest-fsfreeze-thaw' command"
				      : "unfreeze filesystem");
}

static void disk_done(struct job *j)
{
	struct clone *c = j->data;
	struct sim *s = j->sim;
	const char *key = c->drives.v[c->next];
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *text = NULL;
	_cleanup_str_ char *size = NULL;
	struct volume *v = volume_find(s, j->node, c->fresh);
	const struct volume *src;

	if (!still_there(j))
		return;
	if (!drive_parse(s, key, kv_get(&c->values, key), &d))
		return;
	src = volume_find(s, j->node, d.file);
	if (c->full && v && src && !drive_is_cloudinit(&d)) {
		if (guest_find(s, j->vmid) && guest_find(s, j->vmid)->running &&
		    !job_param(j, "snapname"))
			log_mirror(j, key, v->size);
		else
			volume_log_copy(j, src, v->size);
		v->written = src->written;
	}
	if (v) {
		free(d.file);
		d.file = TAKE(c->fresh);
		size = size_print(v->size);
		kv_set(&d.opts, "size", size);
		kv_del(&d.opts, "format");
		text = drive_print(&d);
		kv_set(&c->conf, key, text);
	}
	mem_free_str(&c->fresh);
	write_conf(s, guest_find(s, c->newid), &c->conf);
	c->next++;
	disk_begin(j);
}

static struct store *store_for(struct job *j, const struct clone *c, const char *volid)
{
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;

	if (c->store)
		return store_find(j->sim, c->store);
	return volid_split(volid, &store, &name) ? store_find(j->sim, store) : NULL;
}

static struct volume *make(
    struct job *j, struct clone *c, const struct drive *d, struct store *st, struct oops *o)
{
	struct sim *s = j->sim;
	const struct volume *src = volume_find(s, j->node, d->file);
	bool ci = drive_is_cloudinit(d), full = c->full || ci;
	const char *key = c->drives.v[c->next], *fmt;

	job_log(j, "create %s clone of drive %s (%s)", full ? "full" : "linked", key, d->file);
	if (!full)
		return volume_new(j, st, c->newid, NULL,
		    store_can_format(st, "qcow2") ? "qcow2" : "raw", src->size,
		    volume_is_base(src) ? src : NULL, o);
	fmt = c->format					 ? c->format
	      : src && store_can_format(st, src->format) ? src->format
							 : "raw";
	if (!strcmp(key, "tpmstate0") || !store_can_format(st, fmt))
		fmt = "raw";
	return volume_new(j, st, c->newid, ci ? "cloudinit" : NULL, fmt,
	    ci ? (int64_t)4 << 20 : src->size, NULL, o);
}

static void disk_make(struct job *j)
{
	struct clone *c = j->data;
	struct sim *s = j->sim;
	const char *key = c->drives.v[c->next];
	_cleanup_drive_ struct drive d = {0};
	_cleanup_oops_ struct oops o = {0};
	struct store *st;
	struct volume *v;
	int64_t wait = 0;

	if (!still_there(j) || !drive_parse(s, key, kv_get(&c->values, key), &d))
		return;
	st = store_for(j, c, d.file);
	if (!volume_find(s, j->node, d.file) && !drive_is_cloudinit(&d)) {
		clone_abort(j, "source volume is gone");
		return;
	}
	v = make(j, c, &d, st, &o);
	if (!v) {
		_cleanup_str_ char *msg = TAKE(o.msg);

		clone_abort(j, msg);
		return;
	}
	c->fresh = volume_id(v);
	strs_add(&c->volumes, c->fresh);
	if ((c->full || drive_is_cloudinit(&d)) && s->v9)
		job_log(j, "allocated target volume '%s'", c->fresh);
	job_unlock_store(j, st);
	if (c->full && !drive_is_cloudinit(&d) && c->bandwidth)
		wait = volume_data(volume_find(s, j->node, d.file)) * 1000 / c->bandwidth;
	job_next(j, wait, disk_done);
}

static void disk_wait(struct job *j)
{
	struct clone *c = j->data;

	job_next(j, j->sim->timing[c->full ? TIMING_ALLOC : TIMING_LINK], disk_make);
}

static void disk_begin(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_drive_ struct drive d = {0};
	struct store *st = NULL;

	if (c->next >= c->drives.n) {
		clone_finish(j);
		return;
	}
	if (drive_parse(j->sim, c->drives.v[c->next], kv_get(&c->values, c->drives.v[c->next]), &d))
		st = store_for(j, c, d.file);
	if (!st || !store_on(st, j->node) || !st->online) {
		clone_abort(j, "storage is not available");
		return;
	}
	job_lock_store(j, st, disk_wait);
}

static void clone_begin(struct job *j)
{
	struct clone *c = j->data;
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;

	if (!load_and_check(j, c, &o)) {
		job_oops(j, &o);
		return;
	}
	new_identity(j, c, guest_find(s, j->vmid));
	if (guest_find(s, c->newid)) {
		job_die(j,
		    "close (rename) atomic file '/etc/pve/nodes/%s/qemu-server/%" PRId64
		    ".conf' failed: File exists",
		    j->node->name, c->newid);
		return;
	}
	g = guest_new(s, c->newid, j->node);
	guest_set(s, g, "description", " qmclone temporary file");
	guest_set(s, g, "lock", "clone");
	kv_set(&c->conf, "lock", "clone");
	j->step = 1; /* from here on there is something to clean up */
	job_next(j, s->timing[TIMING_CLONE_START], disk_begin);
}

static void clone_source_locked(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_str_ char *name = job_guest_lock_name(j, c->newid);

	job_lock(j, name, true, j->sim->timing[TIMING_CLONE_LOCK], clone_begin);
}

static void clone_task(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_str_ char *name = job_guest_lock_name(j, j->vmid);
	const struct guest *g = guest_find(j->sim, j->vmid);

	j->on_abort = clone_abort;
	if (j->sim->v9)
		job_log(
		    j, "creating a clone of VM %" PRId64 " with ID %" PRId64, j->vmid, c->newid);
	job_lock(j, name, g && g->running, j->sim->timing[TIMING_CLONE_LOCK], clone_source_locked);
}

void api_clone(struct job *j)
{
	struct clone *c = mem_alloc(sizeof(*c));
	const char *target = job_param(j, "target");
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);
	int64_t kib = job_param_int(j, "bwlimit", 0);

	j->data = c;
	j->data_free = clone_free;
	c->newid = job_param_int(j, "newid", 0);
	if (target && strcmp(target, "localhost") != 0 && strcmp(target, j->node->name) != 0)
		c->target = mem_strdup(target);
	c->pool = mem_strdup(job_param(j, "pool"));
	c->store = mem_strdup(job_param(j, "storage"));
	c->format = mem_strdup(job_param(j, "format"));
	c->bandwidth = kib && kib << 10 < j->sim->bandwidth ? kib << 10 : j->sim->bandwidth;
	if (!load_and_check(j, c, &o)) {
		job_oops(j, &o);
		return;
	}
	job_fork(j, "qmclone", id, clone_task);
}
