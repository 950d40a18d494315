/* Growing and moving disks, and turning a guest into a template. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_mutant.h"
#include "sim_volume.h"

/* --- resize --- */

/* An image that others hang on is made immutable. */
static bool base_refuses(struct job *j, const struct volume *v, int64_t n, struct oops *o)
{
	_cleanup_str_ char *path = volume_path(v);

	job_log(j,
	    "qemu-img.distrib: Could not open '%s': Could not open '%s': Operation not permitted",
	    path, path);
	return oops_die(o,
	    "command '/usr/bin/qemu-img resize '--preallocation=metadata' -f %s %s %" PRId64
	    "' failed: exit code 1",
	    v->format, path, n);
}

static bool resize_check(
    struct job *j, struct guest *g, struct volume **ret, int64_t *ret_size, struct oops *o)
{
	struct sim *s = j->sim;
	const char *disk = job_param(j, "disk"), *size = job_param(j, "size"),
		   *value = kv_get(&g->conf, disk);
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	_cleanup_str_ char *path = NULL;
	int64_t n;
	struct volume *v;

	if (!value || !drive_parse(s, disk, value, &d))
		return oops_die(o, "disk '%s' does not exist", disk);
	if (!volid_split(d.file, &store, &name))
		return oops_die(o, "unable to parse volume ID '%s'", d.file);
	if (drive_is_cdrom(&d))
		return oops_die(o, "you can't resize a cdrom");
	path = mem_printf("/storage/%s", store);
	if (!auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
		return false;
	v = volume_find(s, j->node, d.file);
	if (!v)
		return oops_die(o, "volume '%s' does not exist", d.file);
	if (v->store->type == STORE_ISCSI)
		return oops_die(o, "volume resize is not possible on iscsi device");
	n = size_parse(*size == '+' ? size + 1 : size);
	if (*size == '+')
		n += v->size;
	if (n < v->size && !MUTANT(SHRINKS))
		return oops_die(o, "shrinking disks is not supported");
	if (n > v->size && volume_is_base(v) && store_is_file(v->store))
		return base_refuses(j, v, n, o);
	*ret = v;
	*ret_size = n;
	return true;
}

static void resize_do(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	const char *disk = job_param(j, "disk");
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *size = NULL;
	_cleanup_str_ char *text = NULL;
	struct volume *v = NULL;
	int64_t n = 0;

	if (!g || !resize_check(j, g, &v, &n, &o)) {
		job_oops(j, &o);
		return;
	}
	if (n == v->size) { /* nothing is written, nor said */
		job_done(j);
		return;
	}
	clog_add(s, j->node, j->who.full, 6, "update VM %" PRId64 ": resize --disk %s --size %s",
	    j->vmid, disk, job_param(j, "size"));
	if (n > v->size) {
		volume_grow(s, v, store_round(v->store, n));
		if (store_is_file(v->store) && !g->running)
			job_log(j, "Image resized.");
		else if (v->store->type == STORE_LVM || v->store->type == STORE_LVMTHIN)
			job_log(j, "  Logical volume %s/%s successfully resized.",
			    v->store->path ? v->store->path : v->store->name, v->own);
	}
	if (!pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (drive_parse(s, disk, kv_get(&g->conf, disk), &d)) {
		size = size_print(n); /* as asked, though the image is in whole sectors */
		kv_set(&d.opts, "size", size);
		text = drive_print(&d);
		guest_set(s, g, disk, text);
	}
	job_done(j);
}

/* With the file lock in hand; what qemu-img has to be asked for takes a moment. */
static void resize_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	const char *digest = job_param(j, "digest"), *disk = job_param(j, "disk"),
		   *value = g ? kv_get(&g->conf, disk) : NULL;
	_cleanup_drive_ struct drive d = {0};

	if (g && digest && strcmp(digest, guest_digest(g)) != 0)
		oops_die(&o, "checksum mismatch (file change by other user?)");
	else if (g && !job_param_bool(j, "skiplock"))
		conf_unlocked(g, &o);
	if (!o.status && (!value || !drive_parse(j->sim, disk, value, &d)))
		oops_die(&o, "disk '%s' does not exist", disk);
	else if (!o.status && !strchr(d.file, ':'))
		oops_die(&o, "unable to parse volume ID '%s'", d.file);
	if (o.status)
		job_oops(j, &o);
	else
		job_next(j, j->sim->timing[TIMING_RESIZE], resize_do);
}

static void resize_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, resize_locked);
}

void api_resize(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	if (job_param_bool(j, "skiplock") && !who_is_root(&j->who)) {
		oops_param(&o, "skiplock", "Only root may use this option.");
		job_oops(j, &o);
		return;
	}
	job_fork(j, "resize", id, resize_task);
}

/* --- move --- */

#define ASIDE_TEXT "adding source volume '%s' as 'unused%d' to config"

struct move {
	char *made; /* the new volume */
	char *old;
};

static void move_free(void *data)
{
	struct move *m = data;

	free(m->made);
	free(m->old);
	free(m);
}

/* $load_and_check_move */
static bool move_check(struct job *j, struct guest *g, struct volume **ret_v, struct store **ret_st,
    const char **ret_fmt, struct oops *o)
{
	struct sim *s = j->sim;
	const char *disk = job_param(j, "disk"), *to = job_param(j, "storage"),
		   *fmt = job_param(j, "format"), *digest = job_param(j, "digest"),
		   *value = kv_get(&g->conf, disk);
	_cleanup_drive_ struct drive d = {0};

	if (digest && strcmp(digest, guest_digest(g)) != 0)
		return oops_die(o, "detected modified configuration - file changed by other user? "
				   "Try again.");
	if (!value || !drive_parse(s, disk, value, &d))
		return oops_die(o, "disk '%s' does not exist", disk);
	if (drive_is_cdrom(&d) && !drive_is_cloudinit(&d))
		return oops_die(o, "you can't move a cdrom");
	*ret_v = volume_find(s, j->node, d.file);
	if (!*ret_v)
		return oops_die(o, "volume '%s' does not exist", d.file);
	if (!strcmp((*ret_v)->store->name, to) && (!fmt || !strcmp(fmt, (*ret_v)->format)))
		return oops_die(o, "you can't move to the same storage with same format");
	*ret_st = store_check(s, to, j->node, o);
	if (!*ret_st)
		return false;
	if (!store_has(*ret_st, "images"))
		return oops_param(o, "storage", "storage '%s' does not support vm images", to);
	if (drive_in_use(s, g, d.file, disk) && job_param_bool(j, "delete"))
		return oops_die(o, "you can't move a disk with snapshots and delete the source");
	if (!fmt)
		fmt = store_can_format(*ret_st, (*ret_v)->format) ? (*ret_v)->format : "raw";
	*ret_fmt = fmt;
	return true;
}

static void move_aside(struct job *j, struct guest *g, const char *old)
{
	_cleanup_oops_ struct oops o = {0};
	struct volume *v = volume_find(j->sim, j->node, old);

	if (!job_param_bool(j, "delete")) {
		int slot = drive_set_aside(j, g, old, &o);

		if (slot < 0)
			job_log(j, "%s", o.msg);
		else if (j->sim->v9)
			job_log(j, ASIDE_TEXT, old, slot);
		return;
	}
	if (j->sim->v9)
		job_log(j, "removing source volume '%s' after successful copy", old);
	if (v && !volume_children(j->sim, v) && !v->store->stuck_free)
		volume_free(j->sim, v);
}

/* What is copied of an image; a running guest is mirrored. */
static void move_log_copy(struct job *j, const struct guest *g, const char *disk)
{
	const struct move *m = j->data;
	const struct volume *from = volume_find(j->sim, j->node, m->old);
	_cleanup_str_ char *all = NULL;

	if (!from)
		return;
	if (!g->running) {
		volume_log_copy(j, from, from->size, -1, 100);
		return;
	}
	all = volume_amount(from->size);
	job_log(j, "drive mirror is starting for drive-%s", disk);
	job_log(j, "drive-%s: transferred %s of %s (100.00%%) in 1s, ready", disk, all, all);
	job_log(j, "all 'mirror' jobs are ready");
	job_log(j, "drive-%s: Completing block job", disk);
	job_log(j, "drive-%s: Completed successfully.", disk);
}

/* The configuration cannot be written: what was copied goes again, where nobody else must agree. */
static void move_back(struct job *j, const struct guest *g, const char *why)
{
	const struct move *m = j->data;
	struct volume *made = volume_find(j->sim, j->node, m->made);
	int slot = 0;

	while (slot < SIM_UNUSED_MAX) {
		_cleanup_str_ char *key = mem_printf("unused%d", slot);

		if (!kv_has(&g->conf, key))
			break;
		slot++;
	}
	if (j->sim->v9 && !job_param_bool(j, "delete"))
		job_log(j, ASIDE_TEXT, m->old, slot);
	if (made && !made->store->shared)
		volume_free(j->sim, made);
	job_die(j, "storage migration failed: %s", why);
}

static void move_end(struct job *j)
{
	struct move *m = j->data;
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	const char *disk = job_param(j, "disk");
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *text = NULL;

	if (!g || !drive_parse(s, disk, kv_get(&g->conf, disk), &d)) {
		job_die(j, "storage migration failed: configuration is gone");
		return;
	}
	if (!drive_is_cloudinit(&d))
		move_log_copy(j, g, disk);
	if (!pmxcfs_check(j, j->vmid, &o)) {
		move_back(j, g, o.msg);
		return;
	}
	free(d.file);
	d.file = TAKE(m->made);
	text = drive_print(&d);
	guest_set(s, g, disk, text);
	move_aside(j, g, m->old);
	if (text_eq(kv_get(&g->conf, "template"), "1"))
		drives_to_base(s, g, disk, &o);
	job_done(j);
}

/* Stopped, or no room: what was made goes again. */
static void move_abort(struct job *j, const char *msg)
{
	const struct move *m = j->data;
	const struct guest *g = guest_find(j->sim, j->vmid);
	struct volume *made = volume_find(j->sim, j->node, m->made);
	_cleanup_str_ char *why =
	    volume_copy_failed(j, volume_find(j->sim, j->node, m->old), made, g && g->running, msg);

	if (made && (j->node->quorate || !made->store->shared))
		volume_free(j->sim, made);
	job_die(j, "storage migration failed: %s", why);
}

static void move_full(struct job *j)
{
	const struct move *m = j->data;
	struct volume *made = volume_find(j->sim, j->node, m->made);

	if (made)
		volume_log_full(j, made);
	move_abort(j, "exit code 1");
}

static void move_locked(struct job *j)
{
	struct sim *s = j->sim;
	struct move *m = j->data;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct volume *v, *made;
	struct store *st;
	const char *fmt;
	int64_t wait = 0, rate;
	bool full;

	if (!g || !conf_unlocked(g, &o) || !move_check(j, g, &v, &st, &fmt, &o)) {
		job_oops(j, &o);
		return;
	}
	clog_add(s, j->node, j->who.full, 6,
	    "move disk VM %" PRId64 ": move --disk %s --storage %s", j->vmid, job_param(j, "disk"),
	    st->name);
	m->old = volume_id(v);
	if (s->v9)
		job_log(j, "copying volume '%s' from current storage '%s' to target storage '%s'",
		    m->old, v->store->name, st->name);
	job_log(j, "create full clone of drive %s (%s)", job_param(j, "disk"), m->old);
	rate = volume_rate(s, "move", job_param_int(j, "bwlimit", 0));
	if (rate)
		wait = volume_data(v) * 1000 / rate;
	if (!store_active(s, st->name, j->node, &o)) {
		job_die(j, "storage migration failed: %s", o.msg);
		return;
	}
	made = volume_new(
	    j, st, &(struct volume_ask){.vmid = j->vmid, .format = fmt, .size = v->size}, &o);
	if (!made) {
		job_die(j, "storage migration failed: %s", o.msg);
		return;
	}
	full = !g->running && volume_overflows(s, v, made);
	made->written = v->written;
	made->data = full ? 0 : v->data;
	m->made = volume_id(made);
	if (s->v9)
		job_log(j, "allocated target volume '%s'", m->made);
	j->on_abort = move_abort;
	job_next(j, wait + s->timing[TIMING_ALLOC], full ? move_full : move_end);
}

static void move_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, move_locked);
}

/* A storage to go to, and the right to allocate there. */
static bool move_where(struct job *j, struct oops *o)
{
	const char *to = job_param(j, "storage"), *vm = job_param(j, "target-vmid");
	const char *why = to ? "either set 'storage' or 'target-vmid', but not both"
			     : "both 'storage' and 'target-vmid' missing, either needs to be set";
	_cleanup_str_ char *path = NULL;

	if (!to == !vm) {
		oops_param(o, "target-vmid", "%s", why);
		return oops_param(o, "storage", "%s", why);
	}
	path = mem_printf("/storage/%s", to);
	return auth_check(j->sim, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o);
}

void api_move_disk(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);
	struct guest *g = NULL;
	struct volume *v;
	struct store *st;
	const char *fmt;

	if (job_param(j, "target-vmid") && !job_param(j, "storage")) {
		reassign_disk(j);
		return;
	}
	j->data = mem_alloc(sizeof(struct move));
	j->data_free = move_free;
	if (!move_where(j, &o) || !(g = conf_load(j, j->vmid, &o)) || !conf_unlocked(g, &o) ||
	    !move_check(j, g, &v, &st, &fmt, &o)) {
		job_oops(j, &o);
		return;
	}
	job_fork(j, "qmmove", id, move_task);
}

/* --- template --- */

/* $load_and_check: before the task, and again in it */
static struct guest *template_check(struct job *j, struct oops *o)
{
	struct guest *g = conf_load(j, j->vmid, o);

	if (!g || !conf_unlocked(g, o))
		return NULL;
	if (g->nsnaps)
		oops_die(o, "unable to create template, because VM contains snapshots");
	else if (text_eq(kv_get(&g->conf, "template"), "1") && !job_param(j, "disk"))
		oops_die(o, "you can't convert a template to a template");
	else if (g->running)
		oops_die(o, "you can't convert a VM to template if VM is running");
	return o->status ? NULL : g;
}

static void template_do(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (drives_to_base(j->sim, g, job_param(j, "disk"), &o))
		job_done(j);
	else
		job_oops(j, &o);
}

static void template_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = template_check(j, &o);

	if (!g || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	guest_set(j->sim, g, "template", "1");
	job_next(j, j->sim->timing[TIMING_TEMPLATE], template_do);
}

static void template_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, template_locked);
}

void api_template(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	if (template_check(j, &o))
		job_fork(j, "qmtemplate", id, template_task);
	else
		job_oops(j, &o);
}
