/* Cloning: what is checked before the task and again in it, and what the copy is called. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_clone.h"
#include "sim_conf.h"
#include "sim_mutant.h"
#include "sim_volume.h"

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
			return oops_die(o, "unable to parse volume ID '%s'", d.file);
		st = store_find(s, store);
		if (!st)
			return oops_die(o, "storage '%s' does not exist", store);
		*shared = *shared && st->shared;
		if (drive_is_cdrom(&d)) /* a cloud-init drive among them: simply allowed */
			continue;
		path = mem_printf("/storage/%s", c->store ? c->store : store);
		if (!auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
			return false;
	}
	return true;
}

static bool copyable(
    struct job *j, struct clone *c, const char *key, const char *value, struct oops *o)
{
	const struct guest *g = guest_find(j->sim, j->vmid);
	const char *snap = job_param(j, "snapname");
	_cleanup_drive_ struct drive d = {0};
	const struct volume *v;
	bool ok, tpm;

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
	tpm = !strcmp(key, "tpmstate0");
	if (v && (c->full || tpm) && !store_can_copy(v->store, v->format, snap != NULL))
		return oops_die(o, "Full clone feature is not supported for%s '%s' (%s)",
		    snap ? " a snapshot of" : "", d.file, key);
	if (v && !c->full && !tpm && !drive_is_cloudinit(&d)) {
		ok = store_can_link(v->store, snap != NULL) && (snap || volume_is_base(v));
		if (!ok)
			return oops_die(o, "Linked clone feature is not supported for%s '%s' (%s)",
			    snap ? " a snapshot of" : "", d.file, key);
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

static bool copy_conf(struct job *j, struct clone *c, const struct kv *conf, struct oops *o)
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
			if (!copyable(j, c, i->key, i->value, o))
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
	if (j->sim->v9 && !store_has(st, "images"))
		return oops_param(
		    o, "storage", "storage '%s' does not support vm images", c->store);
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
	const struct snap *at = snap ? snap_find(g, snap) : NULL;

	if (!snap)
		return &g->conf;
	return at ? &at->conf : NULL;
}

static bool nets_allowed(struct job *j, const struct kv *conf, struct oops *o)
{
	KV_FOREACH (i, conf)
		if (prop_is_net(i->key) && !conf_may_net(j, i->key, i->value, o))
			return false;
	return true;
}

/* All that is checked before the task and once more in it. */
bool clone_check(struct job *j, struct clone *c, struct oops *o)
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
	if (g->running != c->running)
		return oops_die(o, "unexpected state change");
	conf = source_conf(g, snap);
	if (!conf)
		return oops_die(o, "snapshot '%s' does not exist", snap);
	c->full = full ? !strcmp(full, "1") : !text_eq(kv_get(&g->conf, "template"), "1");
	if (c->store && !c->full)
		return oops_die(o, "parameter 'storage' not allowed for linked clones");
	if (c->format && !c->full)
		return oops_die(o, "parameter 'format' not allowed for linked clones");
	if (!shared_and_allowed(j, c, conf, &shared, o) || !conf_may_mappings(j, conf, o) ||
	    !nets_allowed(j, conf, o) || (s->v9 && !conf_may_cpu(j, kv_get(conf, "cpu"), NULL, o)))
		return false;
	if (c->target && !shared)
		return oops_die(
		    o, "can't clone VM to node '%s' (VM uses local storage)", c->target);
	if (other && other->node == j->node && !MUTANT(NEWID_TAKEN))
		return oops_die(
		    o, "unable to create VM %" PRId64 ": config file already exists", c->newid);
	return copy_conf(j, c, conf, o);
}

/* --- the new identity --- */

void clone_identity(struct job *j, struct clone *c, const struct guest *src)
{
	const char *old = kv_get(&c->conf, "smbios1"), *name = job_param(j, "name"),
		   *descr = job_param(j, "description"), *from = kv_get(&src->conf, "name");
	_cleanup_kv_ struct kv parts = {0};
	_cleanup_str_ char *uuid = sim_uuid(j->sim);
	struct buf b;

	buf_init(&b, 0);
	if (old)
		schema_split(&SCHEMA_OF("smbios1", j->sim->v9), old, &parts, &b);
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
