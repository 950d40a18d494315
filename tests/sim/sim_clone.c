/* Cloning: the visible phases of the new configuration, disks, target, pool. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_clone.h"
#include "sim_conf.h"
#include "sim_volume.h"

#define MIRROR_LEAST_MS 1000 /* a mirror is looked after once a second */
#define COPY_STEPS 50	     /* how often a slow copy tells how far it is */
#define CHUNK (2 << 20)
#define COPY_AHEAD (8 * CHUNK) /* what qemu-img has begun when it counts */

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

/* --- copying --- */

/* A guest that runs is mirrored by its own process, all others are copied by qemu-img. */
static bool mirrored(const struct job *j)
{
	const struct guest *g = guest_find(j->sim, j->vmid);

	return g && g->running && !job_param(j, "snapname");
}

/* A linked clone has the state of the TPM and the cloud-init drive for itself. */
static bool whole(const struct clone *c, const char *key, const struct drive *d)
{
	return c->full || drive_is_cloudinit(d) || !strcmp(key, "tpmstate0");
}

static const struct volume *copied_from(struct job *j, struct drive *d)
{
	struct clone *c = j->data;
	const char *key = c->next < c->drives.n ? c->drives.v[c->next] : NULL;

	return key && drive_parse(j->sim, key, kv_get(&c->values, key), d)
		   ? volume_find(j->sim, j->node, d->file)
		   : NULL;
}

/* A copy that takes its time tells in the task's log how far it is. */
static void log_progress(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_drive_ struct drive d = {0};
	const struct volume *src = copied_from(j, &d);
	struct volume *dst = c->fresh ? volume_find(j->sim, j->node, c->fresh) : NULL;
	int64_t all = src ? volume_data(src) : 0, past = j->sim->now - c->since, written, to;

	if (!all || !c->copying || mirrored(j))
		return;
	written = all * (past < c->copying ? past : c->copying) / c->copying / CHUNK * CHUNK;
	to = ((written + COPY_AHEAD) * 10000 + all / 2) / all / 100; /* it prints two digits */
	if (to > 98)
		to = 98;
	if (dst)
		dst->data = written;
	if (to <= c->copied)
		return;
	volume_log_copy(j, src, src->size, c->copied, (int)to);
	c->copied = (int)to;
}

/* What the copy that was cut off is called in the complaint. */
static char *copy_failed(struct job *j, const char *why)
{
	struct clone *c = j->data;
	_cleanup_drive_ struct drive d = {0};

	return volume_copy_failed(j, copied_from(j, &d),
	    c->fresh ? volume_find(j->sim, j->node, c->fresh) : NULL, mirrored(j), why);
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

		/* Nothing that takes a lock or a write of the cluster is cleaned up without quorum.
		 */
		if (v && (j->node->quorate || !v->store->shared))
			volume_free(s, v);
	}
	/* The old path is removed: what stands under its new node already stays, without disks. */
	if (j->node->quorate && g && g->node == j->node)
		guest_del(s, g);
	job_die(j, "clone failed: %s", msg);
}

/* Block jobs are given a second, then everything made so far goes. */
static void clone_abort(struct job *j, const char *msg)
{
	struct clone *c = j->data;

	if (c->copying) {
		_cleanup_str_ char *why = copy_failed(j, msg);

		log_progress(j);
		mem_replace(&j->fault_text, why);
	} else
		mem_replace(&j->fault_text, msg);
	j->on_abort = NULL;
	job_next(j, 1000 + (int64_t)(c->volumes.n + 1) * j->sim->timing[TIMING_FREE], cleanup_done);
}

/* --- the phases --- */

static void disk_begin(struct job *j);
static void debris_stays(struct job *j, const char *msg);

/* A pool that is gone by now is left out without a word. */
static void clone_enter_pool(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);

	if (g && pool_find(j->sim, c->pool))
		guest_pool(j->sim, g, c->pool);
	job_done(j);
}

/* Pools stand in the list of users, which has a lock of the cluster. */
static void clone_pool(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_str_ char *what =
	    mem_printf("can't add VM %" PRId64 " to pool '%s': ", c->newid, c->pool);

	job_lock_cfs(j, "file-user_cfg", what, clone_enter_pool);
}

static void clone_move(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);
	struct node *to = c->target ? node_find(j->sim, c->target) : NULL;

	if (to && !j->node->quorate) {
		_cleanup_str_ char *why = mem_printf("Failed to move config to node '%s' - rename "
						     "failed: Permission denied",
		    to->name);

		debris_stays(j, why);
		return;
	}
	if (g && to)
		guest_move(j->sim, g, to);
	if (c->pool)
		job_next(j, j->sim->timing[TIMING_CLONE_MOVE], clone_pool);
	else
		job_done(j);
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

	kv_del(&c->conf, "lock");
	log_discarded(j);
	write_conf(j->sim, g, &c->conf);
	if (c->target || c->pool)
		job_next(j, j->sim->timing[TIMING_CLONE_MOVE], clone_move);
	else
		job_done(j);
}

/* The rest of the copy goes on whatever the cluster's file system does. */
static bool copy_goes_on(struct job *j)
{
	const struct clone *c = j->data;
	const struct guest *g = guest_find(j->sim, c->newid);

	if (g && g->node == j->node)
		return true;
	clone_abort(j, "new configuration is gone");
	return false;
}

static void debris_end(struct job *j)
{
	_cleanup_str_ char *msg = TAKE(j->fault_text);

	job_die(j, "clone failed: %s", msg);
}

/* The cluster's file system takes nothing any more, and gives no lock to free what was made. */
static void debris_stays(struct job *j, const char *msg)
{
	const struct clone *c = j->data;
	int64_t wait = 0;

	for (size_t i = 0; i < c->volumes.n; i++) {
		struct volume *v = volume_find(j->sim, j->node, c->volumes.v[i]);

		if (v && v->store->shared) {
			job_log_no_lock(j, v->store);
			job_log(j, "cfs-lock 'storage-%s' error: no quorum!", v->store->name);
			wait += j->sim->timing[TIMING_CFS_LOCK];
		} else if (v)
			volume_free(j->sim, v);
	}
	mem_replace(&j->fault_text, msg);
	j->on_abort = NULL;
	job_next(j, wait, debris_end);
}

static bool still_there(struct job *j)
{
	struct clone *c = j->data;
	struct guest *g = guest_find(j->sim, c->newid);

	if (!j->node->quorate) {
		_cleanup_oops_ struct oops o = {0};

		pmxcfs_check(j, c->newid, &o);
		debris_stays(j, o.msg);
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

static void disk_write(struct job *j)
{
	struct clone *c = j->data;
	struct sim *s = j->sim;
	const char *key = c->drives.v[c->next];
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *text = NULL;
	_cleanup_str_ char *size = NULL;
	struct volume *v = volume_find(s, j->node, c->fresh);
	const struct volume *src;

	if (!copy_goes_on(j) || !drive_parse(s, key, kv_get(&c->values, key), &d))
		return;
	src = volume_find(s, j->node, d.file);
	if (whole(c, key, &d) && v && src && !drive_is_cloudinit(&d)) {
		if (mirrored(j))
			log_mirror(j, key, v->size);
		else
			volume_log_copy(j, src, v->size, c->copied, 100);
		v->written = src->written;
		v->data = src->data;
	}
	if (!still_there(j))
		return;
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
	c->copying = 0;
	write_conf(s, guest_find(s, c->newid), &c->conf);
	c->next++;
	if (c->next < c->drives.n)
		job_next(j, s->timing[TIMING_CLONE_GAP], disk_begin);
	else
		disk_begin(j);
}

static void disk_done(struct job *j)
{
	job_when_fs(j, disk_write);
}

static void disk_copy(struct job *j)
{
	struct clone *c = j->data;
	int64_t past = j->sim->now - c->since, step = past * COPY_STEPS / c->copying + 1,
		next = (step * c->copying + COPY_STEPS - 1) / COPY_STEPS;

	if (!copy_goes_on(j))
		return;
	log_progress(j);
	if (next < c->copying)
		job_next(j, next - past, disk_copy);
	else
		job_next(j, past < c->copying ? c->copying - past : 0, disk_done);
}

static void disk_full(struct job *j)
{
	struct clone *c = j->data;
	struct volume *v = volume_find(j->sim, j->node, c->fresh);

	if (!v || !copy_goes_on(j))
		return;
	volume_log_full(j, v);
	c->copying = c->copying ? c->copying : 1;
	clone_abort(j, "exit code 1");
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
	const char *key = c->drives.v[c->next], *fmt;
	bool ci = drive_is_cloudinit(d);

	if (!whole(c, key, d))
		return volume_new(j, st,
		    &(struct volume_ask){.vmid = c->newid,
			.format = store_can_format(st, "qcow2") ? "qcow2" : "raw",
			.size = src->size,
			.base = volume_is_base(src) ? src : NULL},
		    o);
	fmt = c->format					 ? c->format
	      : src && store_can_format(st, src->format) ? src->format
							 : "raw";
	if (!strcmp(key, "tpmstate0") || !store_can_format(st, fmt))
		fmt = "raw";
	return volume_new(j, st,
	    &(struct volume_ask){.vmid = c->newid,
		.suffix = ci ? "cloudinit" : NULL,
		.format = fmt,
		.size = ci ? (int64_t)4 << 20 : src->size},
	    o);
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
	if (whole(c, key, &d) && s->v9)
		job_log(j, "allocated target volume '%s'", c->fresh);
	job_unlock_store(j, st);
	if (whole(c, key, &d) && !drive_is_cloudinit(&d) && c->bandwidth)
		wait = volume_data(volume_find(s, j->node, d.file)) * 1000 / c->bandwidth;
	if (wait && mirrored(j) && wait < MIRROR_LEAST_MS)
		wait = MIRROR_LEAST_MS;
	c->copied = -1;
	c->copying = wait;
	c->since = s->now;
	if (whole(c, key, &d) && !drive_is_cloudinit(&d) && !mirrored(j) &&
	    volume_overflows(s, volume_find(s, j->node, d.file), v))
		job_next(j, wait, disk_full);
	else if (wait >= 1000)
		disk_copy(j);
	else
		job_next(j, wait, disk_done);
}

static void disk_wait(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_drive_ struct drive d = {0};
	const char *key = c->drives.v[c->next];
	bool parsed = drive_parse(j->sim, key, kv_get(&c->values, key), &d);
	enum timing what = parsed && drive_is_cloudinit(&d) ? TIMING_CLONE_DRIVE
			   : parsed && whole(c, key, &d)    ? TIMING_CLONE_IMAGE
							    : TIMING_LINK;

	job_next(j, j->sim->timing[what], disk_make);
}

static void disk_begin(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_drive_ struct drive d = {0};
	_cleanup_oops_ struct oops o = {0};
	struct store *st = NULL;

	if (c->next >= c->drives.n) {
		clone_finish(j);
		return;
	}
	if (drive_parse(j->sim, c->drives.v[c->next], kv_get(&c->values, c->drives.v[c->next]), &d))
		st = store_for(j, c, d.file);
	if (!st || !store_active(j->sim, st->name, j->node, &o)) {
		clone_abort(j, st ? o.msg : "storage is not available");
		return;
	}
	job_log(j, "create %s clone of drive %s (%s)",
	    whole(c, c->drives.v[c->next], &d) ? "full" : "linked", c->drives.v[c->next], d.file);
	job_lock_store(j, st, disk_wait);
}

/* The firewall's file has a lock of its own. From here on there is something to clean up; what
 * fails before leaves the first file behind. */
static void clone_firewall(struct job *j)
{
	job_unlock_last(j);
	j->on_abort = clone_abort;
	job_next(j, j->sim->timing[TIMING_CLONE_START], disk_begin);
}

static void clone_begin(struct job *j)
{
	struct clone *c = j->data;
	struct sim *s = j->sim;
	_cleanup_str_ char *firewall = mem_printf("firewall-vm-%" PRId64, c->newid);
	_cleanup_oops_ struct oops o = {0};
	struct guest *g;

	if (!clone_check(j, c, &o)) {
		job_oops(j, &o);
		return;
	}
	clone_identity(j, c, guest_find(s, j->vmid));
	if (s->v9)
		job_log(
		    j, "creating a clone of VM %" PRId64 " with ID %" PRId64, j->vmid, c->newid);
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
	job_lock_cfs(j, firewall, NULL, clone_firewall);
}

static void clone_source_locked(struct job *j)
{
	struct clone *c = j->data;
	_cleanup_str_ char *name = job_guest_lock_name(j, c->newid);

	job_lock(j, name, true, j->sim->timing[TIMING_CLONE_LOCK], clone_begin);
}

static void clone_task(struct job *j)
{
	_cleanup_str_ char *name = job_guest_lock_name(j, j->vmid);
	const struct guest *g = guest_find(j->sim, j->vmid);

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
	c->bandwidth = volume_rate(j->sim, "clone", kib);
	c->running = guest_find(j->sim, j->vmid) && guest_find(j->sim, j->vmid)->running;
	if (!clone_check(j, c, &o)) {
		job_oops(j, &o);
		return;
	}
	job_fork(j, "qmclone", id, clone_task);
}
