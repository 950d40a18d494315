/* A disk that changes its guest. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_auth.h"
#include "sim_conf.h"
#include "sim_volume.h"

struct reassign {
	int64_t to;
	const char *disk, *as; /* the slot it leaves, the slot it gets */
};

static const struct reassign *ask(const struct job *j)
{
	return j->data;
}

static bool may_be_renamed(const struct volume *v)
{
	return !volume_is_base(v) && v->store->type != STORE_ISCSI;
}

static bool digest_fits(struct job *j, struct guest *g, const char *param, struct oops *o)
{
	const char *digest = job_param(j, param);

	if (!digest || !strcmp(digest, guest_digest(g)))
		return true;
	return oops_die(o,
	    "VM %" PRId64
	    ": detected modified configuration - file changed by other user? Try again.",
	    g->vmid);
}

/* Both are here, unlocked and no templates. */
static bool guests_fit(
    struct job *j, struct guest **ret_from, struct guest **ret_to, struct oops *o)
{
	const struct reassign *r = ask(j);
	struct guest *from = guest_find(j->sim, j->vmid), *to = guest_find(j->sim, r->to);

	if (!from)
		return oops_die(o, "could not find VM %" PRId64, j->vmid);
	if (!to)
		return oops_die(o, "could not find target VM %" PRId64, r->to);
	if (from->node != to->node)
		return oops_die(o, "Both VMs need to be on the same node (%s != %s)",
		    from->node->name, to->node->name);
	if (!conf_load(j, j->vmid, o) || !conf_unlocked(from, o) || !conf_load(j, r->to, o) ||
	    !conf_unlocked(to, o))
		return false;
	if (text_eq(kv_get(&from->conf, "template"), "1") ||
	    text_eq(kv_get(&to->conf, "template"), "1"))
		return oops_die(o, "Can't move disks from or to template VMs");
	*ret_from = from;
	*ret_to = to;
	return digest_fits(j, from, "digest", o) && digest_fits(j, to, "target-digest", o);
}

/* $load_and_check_reassign_configs; what the drive will be, with the volume as it is called now */
static struct volume *reassign_check(struct job *j, struct guest **ret_from, struct guest **ret_to,
    struct drive *ret, struct oops *o)
{
	const struct reassign *r = ask(j);
	struct sim *s = j->sim;
	_cleanup_drive_ struct drive was = {0};
	struct guest *from = NULL, *to = NULL;
	const char *value;
	struct volume *v;

	if (!guests_fit(j, &from, &to, o))
		return NULL;
	value = kv_get(&from->conf, r->disk);
	if (!value || !drive_parse(s, r->disk, value, &was)) {
		oops_die(o, "Disk '%s' for VM '%" PRId64 "' does not exist", r->disk, j->vmid);
		return NULL;
	}
	v = strchr(was.file, ':') ? volume_find(s, j->node, was.file) : NULL;
	if (kv_has(&to->conf, r->as))
		oops_die(
		    o, "Target disk key '%s' is already in use for VM '%" PRId64 "'", r->as, r->to);
	else if (drive_is_cdrom(&was) && !drive_is_cloudinit(&was))
		oops_die(o, "CD drive contents can't be moved to another VM");
	else if (!strchr(was.file, ':'))
		oops_die(o, "Volume '%s' not managed by PVE", was.file);
	else if (drive_in_use(s, from, was.file, r->disk))
		oops_die(o, "Can't move disk used by a snapshot to another VM");
	else if (!v || !may_be_renamed(v))
		oops_die(o, "Storage does not support moving of this disk to another VM");
	else if (from->running && !prop_is_unused(r->disk))
		oops_die(o, "Cannot move disk to another VM while the source VM is running - "
			    "detach first");
	else if (!drive_parse(s, r->as, prop_is_unused(r->as) ? was.file : value, ret))
		oops_die(o, "failed to parse source disk for target disk format - ");
	if (o->status)
		return NULL;
	*ret_from = from;
	*ret_to = to;
	return v;
}

/* The file of the guest that it leaves; a disk that is gone cannot be booted from. */
static void leave(struct job *j, struct guest *from)
{
	const struct reassign *r = ask(j);
	_cleanup_strs_ struct strs order = {0}, rest = {0};

	boot_order(kv_get(&from->conf, "boot"), &order);
	if (strs_has(&order, r->disk)) {
		_cleanup_str_ char *boot = NULL;

		job_log(j, "removing disk '%s' from boot order config", r->disk);
		for (size_t i = 0; i < order.n; i++)
			if (strcmp(order.v[i], r->disk) != 0)
				strs_add(&rest, order.v[i]);
		boot = boot_print(&rest);
		guest_set(j->sim, from, "boot", *boot ? boot : " ");
	}
	guest_unset(j->sim, from, r->disk);
	job_log(j, "removing disk '%s' from VM '%" PRId64 "' config", r->disk, j->vmid);
}

/* It is put into the other guest as a change of its configuration. */
static bool enter(struct job *j, const struct drive *d, struct oops *o)
{
	const struct reassign *r = ask(j);
	struct confop op = {.vmid = r->to};
	_cleanup_str_ char *value = drive_print(d);
	int64_t own = j->vmid;
	bool ok;

	kv_set(&op.set, r->as, value);
	op.summary = mem_printf("-%s %s", r->as, value);
	j->vmid = r->to;
	ok = conf_enter(j, &op, o) && conf_apply(j, &op, o);
	j->vmid = own;
	confop_fini(&op);
	return ok;
}

static void reassign_do(struct job *j)
{
	const struct reassign *r = ask(j);
	_cleanup_oops_ struct oops o = {0};
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *own = NULL;
	struct guest *from, *to;
	struct volume *v = reassign_check(j, &from, &to, &d, &o);

	if (!v || !pmxcfs_check(j, j->vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (j->sim->v9)
		job_log(j, "reassign disk '%s' from VM '%" PRId64 "' as '%s' to VM '%" PRId64 "'",
		    r->disk, j->vmid, r->as, r->to);
	else
		job_log(j, "moving disk '%s' from VM '%" PRId64 "' to '%" PRId64 "'", r->disk,
		    j->vmid, r->to);
	own = volname_new(
	    j->sim, v->store, j->node, &(struct volume_ask){.vmid = r->to, .format = v->format});
	v->vmid = r->to;
	volume_rename(j->sim, v, own);
	note(j->sim, from, "volume-move", d.file, NULL, own);
	free(d.file);
	d.file = volume_id(v);
	leave(j, from);
	if (prop_is_unused(r->as))
		guest_set(j->sim, to, r->as, d.file);
	else if (!enter(j, &d, &o)) {
		job_oops(j, &o);
		return;
	}
	job_done(j);
}

static void reassign_source_locked(struct job *j)
{
	job_lock_guest(j, ask(j)->to, true, reassign_do);
}

static void reassign_task(struct job *j)
{
	job_lock_guest(j, j->vmid, true, reassign_source_locked);
}

void reassign_disk(struct job *j)
{
	struct reassign *r = mem_alloc(sizeof(*r));
	_cleanup_oops_ struct oops o = {0};
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *id = NULL;
	const char *as = job_param(j, "target-disk");
	struct guest *from, *to;
	const struct volume *v;

	*r = (struct reassign){.to = job_param_int(j, "target-vmid", 0),
	    .disk = job_param(j, "disk"),
	    .as = as ? as : job_param(j, "disk")};
	j->data = r;
	j->data_free = free;
	if (!who_is_root(&j->who) &&
	    !auth_vm(j->sim, &j->who, r->to, PRIV_BIT(VM_CONFIG_DISK), &o)) {
		job_oops(j, &o);
		return;
	}
	if (r->to == j->vmid) {
		oops_param(
		    &o, "target-vmid", "must be different than source VMID to reassign disk");
		job_oops(j, &o);
		return;
	}
	v = reassign_check(j, &from, &to, &d, &o);
	if (!v) {
		job_oops(j, &o);
		return;
	}
	path = mem_printf("/storage/%s", v->store->name);
	if (!auth_check(j->sim, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, &o)) {
		job_oops(j, &o);
		return;
	}
	id = mem_printf("%" PRId64 "-%s>%" PRId64 "-%s", j->vmid, r->disk, r->to, r->as);
	job_fork(j, "qmmove", id, reassign_task);
}
