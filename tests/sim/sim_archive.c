/* The backup of one guest: it is locked, read, and an archive is left
 * (PVE::VZDump::exec_backup_task, PVE::VZDump::QemuServer). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_nic.h"
#include "sim_restore.h"
#include "sim_volume.h"
#include "sim_vzdump.h"

#define STOPWAIT_MIN 10
#define IONICE_USUAL 7

static void now_text(const struct sim *s, char *ret, size_t size)
{
	time_t t = (time_t)sim_secs(s);
	struct tm tm;

	strftime(ret, size, "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
}

/* As it is part of an archive's name: when its backup began. */
static void name_text(const struct sim *s, int64_t began_ms, char *ret, size_t size)
{
	time_t t = (time_t)((s->wall0 + began_ms) / 1000);
	struct tm tm;

	strftime(ret, size, "%Y_%m_%d-%H_%M_%S", gmtime_r(&t, &tm));
}

/* The ending of the archive's name, from its dot. */
static const char *archive_end(const struct job *j)
{
	static const struct {
		const char *word, *end;
	} ways[] = {
	    {"1", ".vma.lzo"}, {"lzo", ".vma.lzo"}, {"gzip", ".vma.gz"}, {"zstd", ".vma.zst"}};
	const char *compress = job_param(j, "compress");

	for (size_t i = 0; compress && i < ARRAY_LEN(ways); i++)
		if (!strcmp(compress, ways[i].word))
			return ways[i].end;
	return ".vma";
}

/* The volume in a slot. */
static struct volume *disk_of(const struct job *j, const struct guest *g, const char *key)
{
	_cleanup_drive_ struct drive d = {0};
	const char *value = kv_get(&g->conf, key);

	return value && drive_parse(j->sim, key, value, &d) ? volume_find(j->sim, j->node, d.file)
							    : NULL;
}

static int64_t data_of(const struct job *j, const struct guest *g)
{
	const struct vz *z = j->data;
	int64_t data = 0;

	for (size_t i = 0; i < z->disks.n; i++) {
		const struct volume *v = disk_of(j, g, z->disks.v[i]);

		data += v ? volume_data(v) : 0;
	}
	return data;
}

static void log_disks(struct job *j, const struct guest *g)
{
	struct vz *z = j->data;
	const char *name = kv_get(&g->conf, "name");

	if (name)
		job_log(j, "INFO: VM Name: %s", name);
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		const char *size;

		if (!prop_is_drive(i->key) || prop_is_unused(i->key) ||
		    !drive_parse(j->sim, i->key, i->value, &d) || drive_is_cdrom(&d))
			continue;
		if (text_eq(kv_get(&d.opts, "backup"), "0")) {
			job_log(j, "INFO: exclude disk '%s' '%s' (backup=no)", i->key, d.file);
			continue;
		}
		size = kv_get(&d.opts, "size");
		job_log(j, "INFO: include disk '%s' '%s'%s%s", i->key, d.file, size ? " " : "",
		    size ? size : "");
		strs_add(&z->disks, i->key);
	}
}

static void log_mode(struct job *j)
{
	const struct vz *z = j->data;
	int64_t limit = job_param_int(j, "bwlimit", 0);

	job_log(j, "INFO: backup mode: %s", z->mode);
	if (limit)
		job_log(j, "INFO: bandwidth limit: %" PRId64 " KiB/s", limit);
	job_log(j, "INFO: ionice priority: %" PRId64, job_param_int(j, "ionice", IONICE_USUAL));
}

static void log_left_out(struct job *j, const struct guest *g)
{
	KV_FOREACH (i, &g->conf)
		if (prop_is_unused(i->key))
			job_log(
			    j, "INFO: skip unused drive '%s' (not included into backup)", i->value);
	if (g->nsnaps)
		job_log(j, "INFO: snapshots found (not included into backup)");
	if (g->pend.n || g->pend_del.n)
		job_log(j, "INFO: pending configuration changes found (not included into backup)");
}

/* --- one guest --- */

static struct guest *at_work(const struct job *j)
{
	const struct vz *z = j->data;
	struct guest *g = guest_find(j->sim, z->ids[z->next]);

	return g && g->node == j->node ? g : NULL;
}

/* What was begun with the guest ends, whether the backup came to its end or not. */
static void let_go(struct job *j)
{
	struct vz *z = j->data;
	struct guest *g = at_work(j);

	for (size_t i = 0; i < z->fleece.n; i++) {
		struct volume *v = volume_find(j->sim, j->node, z->fleece.v[i]);

		if (v)
			volume_free(j->sim, v);
	}
	strs_fini(&z->fleece);
	if (g && z->prelaunch && g->running && text_eq(g->qmp, "prelaunch")) {
		job_log(j, "INFO: stopping kvm after backup task");
		guest_run(j->sim, g, false);
	}
	if (g && z->paused && g->running && text_eq(g->qmp, "paused")) {
		job_log(j, "INFO: resume vm");
		g->qmp = "running";
	}
	if (g && z->locked && text_eq(kv_get(&g->conf, "lock"), "backup"))
		guest_unset(j->sim, g, "lock");
	z->locked = z->prelaunch = z->paused = false;
}

void vz_guest_fails(struct job *j, const char *why)
{
	struct vz *z = j->data;
	char when[32];

	let_go(j);
	now_text(j->sim, when, sizeof(when));
	job_log(j, "ERROR: Backup of VM %" PRId64 " failed - %s", z->ids[z->next], why);
	job_log(j, "INFO: Failed at %s", when);
	z->failed++;
	z->next++;
	job_next(j, 0, vz_next);
}

/* The archive, with its name and about its size. */
static void put_archive(struct job *j, const struct guest *g, struct store *st)
{
	const struct vz *z = j->data;
	const char *end = archive_end(j);
	int64_t data = data_of(j, g);
	char when[32];
	_cleanup_str_ char *name = NULL;
	struct volume *v;

	name_text(j->sim, z->began, when, sizeof(when));
	name = mem_printf("backup/vzdump-qemu-%" PRId64 "-%s%s", g->vmid, when, end);
	v = volume_add(j->sim, st, j->node, name, 0, data);
	v->format = end + 1;
	v->file_size = strcmp(end, ".vma") != 0 ? data / 2 : data;
	v->saved = restore_save(j->sim, g, &z->disks);
	job_log(j, "INFO: archive file size: %" PRId64 "MB", v->file_size >> 20);
	if (job_param(j, "notes-template"))
		job_log(j, "INFO: adding notes to backup");
	if (job_param_bool(j, "protected"))
		job_log(j, "INFO: marking backup as protected");
}

static void guest_end(struct job *j)
{
	struct vz *z = j->data;
	struct guest *g = at_work(j);
	int64_t took;
	char when[32];

	if (!g) {
		vz_guest_fails(j, "configuration is gone");
		return;
	}
	if (vz_storage(j) && store_find(j->sim, vz_storage(j)))
		put_archive(j, g, store_find(j->sim, vz_storage(j)));
	let_go(j);
	took = (j->sim->now - z->began) / 1000;
	now_text(j->sim, when, sizeof(when));
	job_log(j,
	    "INFO: Finished Backup of VM %" PRId64 " (%02" PRId64 ":%02" PRId64 ":%02" PRId64 ")",
	    g->vmid, took / 3600, took / 60 % 60, took % 60);
	job_log(j, "INFO: Backup finished at %s", when);
	z->next++;
	job_next(j, 0, vz_next);
}

/* A small image beside each disk takes what the guest overwrites meanwhile. */
static bool make_fleece(struct job *j, const struct guest *g, struct oops *o)
{
	struct vz *z = j->data;
	_cleanup_kv_ struct kv f = {0};
	struct store *st;

	if (!vz_fleecing(j, &f) || !z->was_running)
		return true;
	st = store_active(
	    j->sim, kv_get(&f, "storage") ? kv_get(&f, "storage") : vz_storage(j), j->node, o);
	for (size_t i = 0; st && i < z->disks.n; i++) {
		_cleanup_str_ char *suffix = mem_printf("fleece-%zu", i);
		const struct volume *disk = disk_of(j, g, z->disks.v[i]);
		struct volume *v;

		if (!disk)
			continue;
		v = volume_new(j, st,
		    &(struct volume_ask){.vmid = g->vmid,
			.size = disk->size,
			.suffix = suffix,
			.format = store_can_format(st, "qcow2") ? "qcow2" : "raw"},
		    o);
		if (!v)
			return false;
		strs_add_take(&z->fleece, volume_id(v));
	}
	return st != NULL;
}

static void copy(struct job *j)
{
	struct vz *z = j->data;
	struct guest *g = at_work(j);
	_cleanup_oops_ struct oops o = {0};
	int64_t rate = volume_rate(j->sim, "backup", job_param_int(j, "bwlimit", 0)), data;

	if (!g || !make_fleece(j, g, &o)) {
		vz_guest_fails(j, g ? o.msg : "configuration is gone");
		return;
	}
	data = data_of(j, g);
	if (!z->disks.n)
		job_log(j, "INFO: backup contains no disks");
	else if (text_eq(kv_get(&g->conf, "template"), "1"))
		job_log(j, "INFO: starting template backup");
	else {
		_cleanup_str_ char *uuid = sim_uuid(j->sim);

		job_log(j, "INFO: started backup task '%s'", uuid);
	}
	if (z->was_running) {
		job_log(j, "INFO: resuming VM again");
		g->qmp = "running";
	}
	z->paused = false;
	job_next(j, rate ? data * 1000 / rate : 0, guest_end);
}

/* What does not run is started for the time of the backup, and stands still. */
static void begin_archive(struct job *j)
{
	struct vz *z = j->data;
	struct guest *g = at_work(j);
	const struct store *st = vz_storage(j) ? store_find(j->sim, vz_storage(j)) : NULL;
	char when[32];

	if (!g) {
		vz_guest_fails(j, "configuration is gone");
		return;
	}
	name_text(j->sim, z->began, when, sizeof(when));
	job_log(j, "INFO: creating vzdump archive '%s/%svzdump-qemu-%" PRId64 "-%s%s'",
	    st && st->path	      ? st->path
	    : job_param(j, "dumpdir") ? job_param(j, "dumpdir")
				      : "",
	    st ? "dump/" : "", g->vmid, when, archive_end(j));
	if (g->running || !z->disks.n || text_eq(kv_get(&g->conf, "template"), "1")) {
		job_next(j, 0, copy);
		return;
	}
	job_log(j, "INFO: starting kvm to execute backup task");
	guest_run(j->sim, g, true);
	nic_plug_all(j->sim, g);
	g->qmp = "prelaunch";
	z->prelaunch = !z->was_running;
	job_next(j, j->sim->timing[TIMING_START], copy);
}

static void is_down(struct job *j)
{
	struct guest *g = at_work(j);

	if (g && g->deaf) {
		vz_guest_fails(j, "VM quit/powerdown failed - got timeout");
		return;
	}
	if (g)
		guest_run(j->sim, g, false);
	begin_archive(j);
}

static void begin_mode(struct job *j, struct guest *g)
{
	struct vz *z = j->data;

	if (!strcmp(z->mode, "snapshot"))
		log_disks(j, g);
	log_mode(j);
	if (strcmp(z->mode, "snapshot") != 0)
		log_disks(j, g);
	log_left_out(j, g);
	if (!strcmp(z->mode, "stop") && z->was_running) {
		job_log(j, "INFO: stopping virtual guest");
		job_next(j,
		    g->deaf ? job_param_int(j, "stopwait", STOPWAIT_MIN) * 60000
			    : j->sim->timing[TIMING_SHUTDOWN],
		    is_down);
		return;
	}
	if (!strcmp(z->mode, "suspend") && z->was_running) {
		job_log(j, "INFO: suspending guest");
		g->qmp = "paused";
		nic_pause(g);
		z->paused = true;
	}
	begin_archive(j);
}

static void lock_guest(struct job *j)
{
	struct vz *z = j->data;
	struct guest *g = at_work(j);
	_cleanup_oops_ struct oops o = {0};
	const char *mode = job_param(j, "mode");

	if (!g || !conf_unlocked(g, &o) || !pmxcfs_check(j, z->ids[z->next], &o)) {
		job_unlock_all(j);
		vz_guest_fails(j, g ? o.msg : "configuration is gone");
		return;
	}
	guest_set(j->sim, g, "lock", "backup");
	job_unlock_all(j);
	z->locked = true;
	z->mode = !z->was_running ? "stop" : mode ? mode : "snapshot";
	strs_fini(&z->disks);
	begin_mode(j, g);
}

void vz_guest(struct job *j)
{
	struct vz *z = j->data;
	struct guest *g = at_work(j);
	int64_t vmid = z->ids[z->next];
	char when[32];

	z->began = j->sim->now;
	if (!g) {
		_cleanup_str_ char *why = mem_printf("unable to find VM '%" PRId64 "'", vmid);

		vz_guest_fails(j, why);
		return;
	}
	if (text_eq(job_param(j, "mode"), "stop") && g->ha && text_eq(g->ha_want, "started")) {
		vz_guest_fails(j,
		    "Cannot execute a backup with stop mode on a HA managed and enabled "
		    "Service. Use snapshot mode or disable the Service.");
		return;
	}
	now_text(j->sim, when, sizeof(when));
	job_log(j, "INFO: Starting Backup of VM %" PRId64 " (qemu)", vmid);
	job_log(j, "INFO: Backup started at %s", when);
	z->was_running = g->running;
	job_log(j, "INFO: status = %s", g->running ? "running" : "stopped");
	job_lock_guest(j, vmid, true, lock_guest);
}
