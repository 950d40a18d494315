/* A guest goes back to a snapshot of it. */
#include "sim_snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_power.h"
#include "sim_volume.h"

struct going {
	struct job *j;
	struct guest *g;
	const struct snap *to;
	struct oops *o;
};

/* ZFS goes back over no other snapshot. */
static bool can_go_back(void *arg, const char *key, const struct drive *d)
{
	const struct going *b = arg;
	const struct volume *v = volume_find(b->j->sim, b->g->node, d->file);

	(void)key;
	if (!v || v->store->type != STORE_ZFS)
		return true;
	for (size_t i = (size_t)(b->to - b->g->snaps) + 1; i < b->g->nsnaps; i++)
		if (kv_has(&b->g->snaps[i].sizes, d->file))
			return oops_die(b->o,
			    "can't rollback, '%s' is not most recent snapshot on '%s'", b->to->name,
			    d->file);
	return true;
}

static bool came_later(void *arg, const char *key, const struct drive *d)
{
	struct going *b = arg;
	_cleanup_oops_ struct oops o = {0};
	struct volume *v = volume_find(b->j->sim, b->g->node, d->file);

	(void)key;
	KV_FOREACH (i, &b->to->conf) {
		_cleanup_drive_ struct drive had = {0};

		if (prop_is_drive(i->key) && drive_parse(b->j->sim, i->key, i->value, &had) &&
		    !strcmp(had.file, d->file))
			return true;
	}
	if (!v || !drive_is_cloudinit(d)) {
		drive_set_aside(b->j, b->g, d->file, &o);
		return true;
	}
	job_log(b->j, "found unused cloudinit disk '%s', removing it", d->file);
	volume_free(b->j->sim, v);
	return true;
}

static bool size_of_then(void *arg, const char *key, const struct drive *d)
{
	const struct going *b = arg;
	struct volume *v = volume_find(b->j->sim, b->g->node, d->file);
	const char *size = kv_get(&b->to->sizes, d->file);

	(void)key;
	if (v && size)
		volume_grow(b->j->sim, v, strtoll(size, NULL, 10));
	return true;
}

/* __snapshot_apply_config: the description and what is unused stay, what was pending goes. */
static void conf_of_then(struct going *b)
{
	struct sim *s = b->j->sim;
	struct guest *g = b->g;
	static const char *const not_kept[] = {
	    "description", "vmstate", "runningmachine", "runningcpu", "vmgenid"};
	_cleanup_kv_ struct kv now = {0}, then = {0};
	_cleanup_str_ char *gen = NULL;

	kv_copy(&now, &g->conf);
	kv_copy(&then, &b->to->conf);
	for (size_t i = 0; i < ARRAY_LEN(not_kept); i++)
		kv_del(&then, not_kept[i]);
	if (kv_has(&b->to->conf, "vmgenid")) {
		gen = sim_uuid(s);
		kv_set(&then, "vmgenid", gen);
	}
	kv_set(&then, "parent", b->to->name);
	KV_FOREACH (i, &now)
		if (!kv_has(&then, i->key) && !prop_is_unused(i->key) &&
		    strcmp(i->key, "description") != 0)
			guest_unset(s, g, i->key);
	KV_FOREACH (i, &then)
		guest_set(s, g, i->key, i->value);
	while (g->pend.n)
		guest_unpend(s, g, g->pend.v[0].key);
	while (g->pend_del.n)
		guest_unpend_del(s, g, g->pend_del.v[0].key);
	drive_drop_unused(s, g);
}

static void back_started(struct job *j)
{
	struct guest *g = guest_find(j->sim, j->vmid);

	if (g && g->node == j->node && !g->running)
		power_on(j, g);
	job_done(j);
}

static void back(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct going b = {.j = j, .o = &o};
	bool memory;

	b.to = snap_named(j, &b.g, &o);
	if (b.to && b.g->running)
		oops_die(&o, "unable to rollback vm %" PRId64 ": vm is running", j->vmid);
	else if (b.to && !text_eq(kv_get(&b.g->conf, "lock"), "rollback"))
		oops_die(&o, "got wrong lock");
	if (o.status || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	memory = kv_has(&b.to->conf, "vmstate");
	drives_each(j->sim, &b.g->conf, true, came_later, &b);
	drives_each(j->sim, &b.to->conf, false, size_of_then, &b);
	note(j->sim, b.g, "rollback", b.to->name, NULL, NULL);
	conf_of_then(&b);
	if (memory) {
		job_next(j, power_start_ms(j->sim, b.g), back_started);
		return;
	}
	job_unlock_all(j);
	if (job_param_bool(j, "start"))
		power_start_too(j);
	job_next(j, job_param_bool(j, "start") ? j->sim->timing[TIMING_FORK] : 0, job_done);
}

static void back_lock(struct job *j)
{
	job_lock_guest(j, j->vmid, true, back);
}

static void back_stopped(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	guest_set(j->sim, g, "lock", "rollback");
	job_unlock_all(j);
	job_next(j, j->sim->timing[TIMING_SNAPSHOT], back_lock);
}

static void back_begin(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct going b = {.j = j, .o = &o};
	bool running;

	b.to = snap_named(j, &b.g, &o);
	if (b.to && drives_each(j->sim, &b.to->conf, false, can_go_back, &b) && b.to->state)
		oops_die(
		    &o, "unable to rollback to incomplete snapshot (snapstate = %s)", b.to->state);
	if (o.status || !conf_unlocked(b.g, &o)) {
		job_oops(j, &o);
		return;
	}
	running = b.g->running;
	if (running)
		guest_run(j->sim, b.g, false);
	job_next(j, running ? j->sim->timing[TIMING_STOP] : 0, back_stopped);
}

static void back_task(struct job *j)
{
	snap_begin(j, "rollback snapshot", back_begin);
}

void api_snapshot_rollback(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = power_id(j);

	if (j->sim->v9 && job_param_bool(j, "start") &&
	    !auth_vm(j->sim, &j->who, j->vmid, PRIV_BIT(VM_POWERMGMT), &o))
		job_oops(j, &o);
	else
		job_fork(j, "qmrollback", id, back_task);
}
