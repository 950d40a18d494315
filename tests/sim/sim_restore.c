#include "sim_restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_power.h"
#include "sim_volume.h"

void restore_saved_free(struct saved *v)
{
	if (!v)
		return;
	kv_fini(&v->conf);
	kv_fini(&v->sizes);
	kv_fini(&v->data);
	free(v);
}

struct saved *restore_save(const struct sim *s, const struct guest *g, const struct strs *slots)
{
	static const char *const not [] = {"lock", "parent", "vmstate", "snapstate", "runningcpu"};
	struct saved *v = mem_alloc(sizeof(*v));

	*v = (struct saved){0};
	KV_FOREACH (i, &g->conf) {
		bool left_out = prop_is_unused(i->key);

		for (size_t k = 0; k < ARRAY_LEN(not ); k++)
			left_out = left_out || !strcmp(i->key, not [k]);
		if (!left_out)
			kv_set(&v->conf, i->key, i->value);
	}
	for (size_t k = 0; k < slots->n; k++) {
		_cleanup_drive_ struct drive d = {0};
		const char *value = kv_get(&g->conf, slots->v[k]);
		const struct volume *vol;

		if (!value || !drive_parse(s, slots->v[k], value, &d))
			continue;
		vol = volume_find(s, g->node, d.file);
		if (!vol)
			continue;
		kv_setf(&v->sizes, slots->v[k], "%" PRId64, vol->size);
		kv_setf(&v->data, slots->v[k], "%" PRId64, volume_data(vol));
	}
	return v;
}

/* --- over what was there --- */

static void clear_snapshots(struct sim *s, struct guest *g)
{
	for (size_t i = 0; i < g->nsnaps; i++) {
		const char *state = kv_get(&g->snaps[i].conf, "vmstate");
		struct volume *vol = state ? volume_find(s, g->node, state) : NULL;

		if (vol)
			volume_free(s, vol);
		snap_fini(&g->snaps[i]);
	}
	g->nsnaps = 0;
}

/* restore_cleanup_oldconf: slots that come back are freed, other volumes are kept for later. */
static void clear_slot(struct sim *s, const struct guest *g, const struct saved *v,
    const struct kv_item *item, struct strs *kept)
{
	_cleanup_drive_ struct drive d = {0};
	struct volume *vol;

	if ((!prop_is_drive(item->key) && !prop_is_unused(item->key)) ||
	    !drive_parse(s, item->key, item->value, &d))
		return;
	vol = volume_find(s, g->node, d.file);
	if (!vol || vol->vmid != g->vmid)
		return;
	if (kv_has(&v->sizes, item->key) || drive_is_cloudinit(&d))
		volume_free(s, vol);
	else
		strs_add(kept, d.file);
}

static void clear(struct job *j, struct guest *g, const struct saved *v, struct strs *kept)
{
	struct sim *s = j->sim;
	_cleanup_kv_ struct kv old = {0}, pend = {0}, gone = {0};

	kv_copy(&old, &g->conf);
	kv_copy(&pend, &g->pend);
	kv_copy(&gone, &g->pend_del);
	clear_snapshots(s, g);
	KV_FOREACH (i, &old) {
		if (strcmp(i->key, "lock") != 0)
			guest_unset(s, g, i->key);
		clear_slot(s, g, v, i, kept);
	}
	KV_FOREACH (i, &pend)
		guest_unpend(s, g, i->key);
	KV_FOREACH (i, &gone)
		guest_unpend_del(s, g, i->key);
}

static int64_t bytes_of(const struct kv *map, const char *key)
{
	int64_t v;

	return text_to_int(kv_get(map, key), 0, INT64_MAX, &v) == 0 ? v : 0;
}

/* One disk of the archive, on its old storage or the one that is named. */
static bool lay_out(struct job *j, struct guest *g, const char *key, const char *value,
    const struct saved *v, struct oops *o)
{
	struct sim *s = j->sim;
	bool saved = kv_has(&v->sizes, key);
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *store = NULL, *name = NULL, *text = NULL;
	struct store *st;
	struct volume *vol;

	if (!drive_parse(s, key, value, &d) || !volid_split(d.file, &store, &name) ||
	    (drive_is_cdrom(&d) && !drive_is_cloudinit(&d))) {
		guest_set(s, g, key, value);
		return true;
	}
	if (!saved && !drive_is_cloudinit(&d)) /* not in the archive */
		return true;
	st = store_active(s, job_param(j, "storage") ? job_param(j, "storage") : store, g->node, o);
	if (!st)
		return false;
	if (!store_has(st, "images"))
		return oops_die(
		    o, "Content type 'images' is not available on storage '%s'", st->name);
	vol = volume_new(j, st,
	    &(struct volume_ask){.vmid = g->vmid,
		.suffix = drive_is_cloudinit(&d) ? "cloudinit" : NULL,
		.format = strstr(name, ".qcow2") && store_can_format(st, "qcow2") ? "qcow2" : "raw",
		.size = saved ? bytes_of(&v->sizes, key) : (int64_t)4 << 20},
	    o);
	if (!vol)
		return false;
	vol->data = bytes_of(&v->data, key);
	vol->written = vol->data > 0;
	free(d.file);
	d.file = volume_id(vol);
	text = drive_print(&d);
	guest_set(s, g, key, text);
	return true;
}

/* unique: another address for each NIC, another uuid */
static char *made_anew(struct job *j, const char *key, const char *value)
{
	const char *eq = strchr(value, '='), *end = value + strcspn(value, ",");
	_cleanup_str_ char *uuid = NULL, *mac = NULL;

	if (prop_is_net(key) && eq && eq < end) {
		mac = sim_mac(j->sim);
		return mem_printf("%.*s=%s%s", (int)(eq - value), value, mac, end);
	}
	if (strcmp(key, "smbios1") != 0)
		return mem_strdup(value);
	uuid = sim_uuid(j->sim);
	return mem_printf("uuid=%s%s", uuid, text_starts(value, "uuid=") ? end : "");
}

/* One line of the saved configuration. */
static bool take_over(struct job *j, struct guest *g, const struct saved *v,
    const struct kv_item *item, struct oops *o)
{
	_cleanup_str_ char *gen = NULL;
	_cleanup_str_ char *value = job_param_bool(j, "unique")
					? made_anew(j, item->key, item->value)
					: mem_strdup(item->value);

	if (!strcmp(item->key, "template"))
		return true;
	if (prop_is_drive(item->key))
		return lay_out(j, g, item->key, value, v, o);
	if (!strcmp(item->key, "vmgenid") && strcmp(value, "0") != 0)
		gen = sim_uuid(j->sim);
	guest_set(j->sim, g, item->key, gen ? gen : value);
	return true;
}

static void put_extras(struct sim *s, struct guest *g, const struct kv *set)
{
	KV_FOREACH (i, set) {
		_cleanup_str_ char *value = conf_normal(s, i->key, i->value);

		if (value)
			guest_set(s, g, i->key, value);
	}
}

bool restore_over(
    struct job *j, struct guest *g, const struct saved *v, const struct kv *set, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_strs_ struct strs kept = {0};

	note(s, g, "restore", "", NULL, NULL);
	clear(j, g, v, &kept);
	KV_FOREACH (i, &v->conf)
		if (!take_over(j, g, v, i, o))
			return false;
	if (set)
		put_extras(s, g, set);
	for (size_t i = 0; i < kept.n; i++)
		if (drive_set_aside(j, g, kept.v[i], o) < 0)
			return false;
	if (text_eq(kv_get(&v->conf, "template"), "1")) {
		guest_set(s, g, "template", "1");
		if (!drives_to_base(s, g, NULL, o))
			return false;
	}
	cloudinit_write(j, g);
	return true;
}

/* --- the task --- */

static const struct saved *archive_of(const struct job *j)
{
	const struct volume *v = volume_find(j->sim, j->node, job_param(j, "archive"));

	return v ? v->saved : NULL;
}

/* What went wrong leaves the guest as it is, without the lock. */
static void fails(struct job *j, bool with_data)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && text_eq(kv_get(&g->conf, "lock"), "create"))
		guest_unset(j->sim, g, "lock");
	job_log(j, "error %s, %s VM %" PRId64 " state is NOT cleaned up.",
	    with_data ? "after data was restored" : "before or during data restore",
	    with_data ? "VM disks should be OK but config may require adaptions."
		      : "some or all disks were not completely restored.",
	    j->vmid);
}

static void copied(struct job *j)
{
	const struct confop *op = j->data;
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	const struct saved *v = archive_of(j);
	_cleanup_oops_ struct oops o = {0};

	if (!g || !v) {
		fails(j, false);
		job_die(j, "volume '%s' does not exist", job_param(j, "archive"));
		return;
	}
	if (!restore_over(j, g, v, &op->set, &o)) {
		fails(j, false);
		job_oops(j, &o);
		return;
	}
	create_restored(j, g);
}

static void locked(struct job *j)
{
	struct sim *s = j->sim;
	const struct guest *g = guest_find(s, j->vmid);
	const struct saved *v = archive_of(j);
	_cleanup_str_ char *why = NULL;
	int64_t rate = volume_rate(s, "restore", job_param_int(j, "bwlimit", 0)), data = 0;

	if (g && text_eq(kv_get(&g->conf, "protection"), "1"))
		why = mem_printf(
		    "unable to restore VM %" PRId64 " - - protection mode enabled", j->vmid);
	else if (g && g->running)
		why = mem_printf("unable to restore VM %" PRId64 " - vm is running", j->vmid);
	else if (!g || !v)
		why = mem_printf("volume '%s' does not exist", job_param(j, "archive"));
	if (why) {
		fails(j, false);
		job_die(j, "%s", why);
		return;
	}
	KV_FOREACH (i, &v->data)
		data += bytes_of(&v->data, i->key);
	job_log(j, "restore vma archive: %s", job_param(j, "archive"));
	job_next(j, s->timing[TIMING_WORK] + (rate ? data * 1000 / rate : 0), copied);
}

static void restore_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, locked);
}

/* create_and_lock_config: the guest, new or old, has the lock "create" from now on. */
static bool take_number(struct job *j, struct oops *o)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	_cleanup_oops_ struct oops why = {0};

	if (g && !job_param_bool(j, "force"))
		return oops_die(o,
		    "unable to restore VM %" PRId64 " - VM %" PRId64 " already exists on node '%s'",
		    j->vmid, j->vmid, g->node->name);
	if (g && g->node != j->node)
		return oops_die(o,
		    "unable to restore VM %" PRId64 " - close (rename) atomic file "
		    "'/etc/pve/nodes/%s/qemu-server/%" PRId64 ".conf' failed: File exists",
		    j->vmid, j->node->name, j->vmid);
	if (g && !conf_unlocked(g, &why))
		return oops_die(o, "unable to restore VM %" PRId64 " - %s", j->vmid, why.msg);
	if (!g)
		g = guest_new(s, j->vmid, j->node);
	guest_set(s, g, "lock", "create");
	return true;
}

/* What is said beside the archive comes on top of it; disks cannot. */
static bool extras(struct job *j, struct confop *op, struct oops *o)
{
	static const char *const own[] = {"archive", "bwlimit", "force", "ha-managed",
	    "live-restore", "pool", "start", "storage", "unique"};
	_cleanup_kv_ struct kv all = {0};
	bool ok;

	kv_copy(&all, &j->params);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		kv_del(&j->params, own[i]);
	KV_FOREACH (i, &j->params)
		if (prop_is_drive(i->key)) {
			oops_param(o, i->key, "option conflicts with option 'archive'");
			break;
		}
	op->fresh = true;
	ok = !o->status && conf_prepare(j, op, o);
	kv_fini(&j->params);
	kv_copy(&j->params, &all);
	return ok;
}

void restore_begin(struct job *j)
{
	_cleanup_str_ char *archive = mem_strdup(job_param(j, "archive"));
	const char *storage = job_param(j, "storage");
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);
	_cleanup_str_ char *path = mem_printf("/storage/%s", storage ? storage : "");
	_cleanup_oops_ struct oops o = {0};

	if (!quorum_check(j, &o) ||
	    (storage &&
		!auth_check(j->sim, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, &o)) ||
	    !create_may(j, &o) || !extras(j, j->data, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!strcmp(archive, "-"))
		oops_die(&o, "pipe requires cli environment");
	else if (conf_may_volume(j, archive, j->vmid, &o) && !archive_of(j))
		oops_die(&o, "volume '%s' does not exist", archive);
	if (o.status || !take_number(j, &o)) {
		job_oops(j, &o);
		return;
	}
	job_fork(j, "qmrestore", id, restore_task);
}
