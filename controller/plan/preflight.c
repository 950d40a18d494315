#include "preflight.h"

#include <string.h>

#include "accord.h"
#include "barenic.h"
#include "hostdrive.h"
#include "policy.h"
#include "propstr.h"

static struct change *find_change(struct planner *pl, const char *path)
{
	for (size_t i = 0; i < pl->out->n_changes; i++)
		if (text_eq(pl->out->changes[i].path, path))
			return &pl->out->changes[i];
	return NULL;
}

/* The change for a leaf that speaks against cloning. */
static struct change *against(struct planner *pl, enum attr_id id)
{
	const struct attr *a = schema_attr(id);
	struct change *c = find_change(pl, a->path);
	const struct leaf *l = resource_find(pl->want, id, NULL);

	if (c)
		return c;
	c = planner_change(pl, a->path, a, NULL);
	change_texts(
	    c, mem_strdup("absent"), l ? planner_show(a, &l->value) : mem_strdup("default"));
	return c;
}

/* The change for a listed leaf that speaks against cloning. */
static struct change *against_leaf(struct planner *pl, const struct leaf *l)
{
	_cleanup_str_ char *path = schema_path(l->attr, l->slot);
	struct change *c = find_change(pl, path);

	if (c)
		return c;
	c = planner_leaf_change(pl, l);
	change_texts(c, mem_strdup("absent"), planner_show(l->attr, &l->value));
	return c;
}

static void lists(struct planner *pl)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		if (l->value.type != VALUE_STR || !policy_forbids(pl->policy, l->attr, l->value.s))
			continue;
		struct change *c = against_leaf(pl, l);
		policy_is_allowed(pl, c, l->attr, l->value.s);
	}
}

static void vmid(struct planner *pl)
{
	int64_t id = resource_int(pl->want, ATTR_id);
	const struct plan_policy *p = pl->policy;
	const struct obs_row *row = obs_cluster_row(pl->in->cluster, (uint32_t)id);

	if (!id)
		return;
	if (p->vmid_max && (id < p->vmid_min || id > p->vmid_max))
		change_block(against(pl, ATTR_id), REASON_POLICY,
		    "%lld is outside of policy.vmid_range %u-%u", (long long)id, p->vmid_min,
		    p->vmid_max);
	else if (row)
		change_block(against(pl, ATTR_id), REASON_VMID_TAKEN, "%lld is %s %s on %s",
		    (long long)id, row->qemu ? "the VM" : "the container",
		    row->name ? row->name : "(without a name)", row->node ? row->node : "?");
}

static void node(struct planner *pl)
{
	const char *name = planner_text(pl, ATTR_node_name, NULL);
	const struct obs_cluster *cl = pl->in->cluster;
	const struct obs_node *n = obs_cluster_node(cl, name);

	if (!cl || !cl->n_nodes)
		return;
	if (!n)
		change_block(against(pl, ATTR_node_name), REASON_NODE_UNKNOWN,
		    "the cluster has no node %s", name);
	else if (!n->online)
		change_block(
		    against(pl, ATTR_node_name), REASON_NODE_OFFLINE, "node %s is offline", name);
}

static void template_list(struct planner *pl)
{
	int64_t id = resource_int(pl->want, ATTR_clone_source_vm_id);
	_cleanup_str_ char *text = mem_printf("%lld", (long long)id);

	if (!policy_is_in(pl->policy->templates, text))
		change_block(against(pl, ATTR_clone_source_vm_id), REASON_POLICY,
		    "%s is not in policy.templates", text);
}

static bool is_one_of(const char *plugin, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_eq(plugin, v[i]))
			return true;
	return false;
}

/* Whether the storage can make a linked clone: of a template, or of a snapshot. Of plugins that do
 * not come with PVE only PVE knows. */
static bool links(const char *plugin, const char *format, bool snapshot)
{
	static const char *const never[] = {"lvm", "iscsi", "iscsidirect", "esxi", "pbs"};
	static const char *const from_template[] = {"zfspool", "zfs"};

	if (is_one_of(plugin, never, ARRAY_LEN(never)))
		return false;
	if (!snapshot)
		return true;
	if (text_eq(plugin, "btrfs"))
		return !*format || text_eq(format, "raw");
	return !policy_keeps_files(plugin) &&
	       !is_one_of(plugin, from_template, ARRAY_LEN(from_template));
}

/* Of a disk of the source; NULL if it is no disk, or nothing is known of its storage. Fills d. */
static const struct obs_storage *storage_of(
    const struct planner *pl, const struct kv_item *item, struct drive *d)
{
	if (!planner_disk(item, d))
		return NULL;
	return obs_cluster_storage(pl->in->cluster, d->storage, pl->in->source->node);
}

static void linked_clone(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;
	bool snapshot = planner_text(pl, ATTR_clone_snapshot_name, NULL) != NULL;

	if (resource_bool(pl->want, ATTR_clone_full))
		return;
	if (!src->template && !snapshot) {
		struct change *c = against(pl, ATTR_clone_full);
		change_block(c, REASON_LINKED_CLONE,
		    "VM %u is no template, and only templates and snapshots have linked clones",
		    src->vmid);
		return;
	}
	KV_FOREACH (item, &src->current) {
		_cleanup_drive_ struct drive d = {0};
		/* The state of a TPM is always copied. */
		if (text_starts(item->key, "tpmstate"))
			continue;
		const struct obs_storage *st = storage_of(pl, item, &d);
		if (st && !links(st->plugin, d.format, snapshot)) {
			change_block(against(pl, ATTR_clone_full), REASON_LINKED_CLONE,
			    "%s of VM %u is on %s (%s), which cannot make linked clones%s",
			    item->key, src->vmid, d.storage, st->plugin,
			    snapshot ? " of snapshots" : "");
			return;
		}
	}
}

/* PVE clones nothing that is not on a storage. */
static void host_drives(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;

	KV_FOREACH (item, &src->current) {
		_cleanup_drive_ struct drive d = {0};
		if (!planner_is_drive(item->key) || drive_parse(item->value, &d, NULL) < 0 ||
		    !hostdrive_is(&d))
			continue;
		struct change *c = against(pl, ATTR_clone_source_vm_id);
		change_block(c, REASON_SOURCE_UNSUITABLE,
		    "%s of VM %u is %s of its node, and PVE clones no such drive", item->key,
		    src->vmid, d.volume);
		change_hint(c, "clone a template without it");
		return;
	}
}

/* The device of the host that the slot names itself and not by a mapping; NULL: none. */
static char *device_of_host(const struct kv *conf, const char *key)
{
	static const enum attr_id rows[] = {ATTR_usb_host, ATTR_hostpci_id};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct attr *a = schema_attr(rows[i]);
		_cleanup_value_ struct value v = {0};
		if (form_check(schema_slot_block(a)->slot_format, key, NULL, NULL) &&
		    pvecodec_get(a, key, conf, NULL, &v, NULL) == 0 && v.type == VALUE_STR &&
		    !text_eq_nocase(v.s, "spice"))
			return mem_strdup(v.s);
	}
	return NULL;
}

/* PVE asks of a clone what it asks of a configuration that somebody writes. */
static void host_devices(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;
	const char *bare = barenic_forbidden(pl, &src->current);

	for (size_t i = 0; !planner_is_root(pl) && i < src->current.n; i++) {
		const char *key = src->current.v[i].key;
		_cleanup_str_ char *device = device_of_host(&src->current, key);
		if (!device)
			continue;
		struct change *c = against(pl, ATTR_clone_source_vm_id);
		change_block(c, REASON_SOURCE_UNSUITABLE,
		    "%s of VM %u is the device %s of its node, and PVE lets only root@pam with a "
		    "password clone that",
		    key, src->vmid, device);
		change_hint(c,
		    "give the template a mapping of the cluster instead, or take the device out "
		    "of it");
		return;
	}
	if (!bare)
		return;
	struct change *c = against(pl, ATTR_clone_source_vm_id);
	change_block(c, REASON_SOURCE_UNSUITABLE,
	    "%s of VM %u has no bridge, and PVE 8 lets only root@pam with a password clone that",
	    bare, src->vmid);
	change_hint(c, "give it a bridge in the template, or remove it there");
}

/* The state of a TPM is copied from a guest that is down, or from a snapshot. */
static void tpm(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;
	const char *key = schema_attr(ATTR_tpm_state_datastore_id)->key;

	if (!kv_has(&src->current, key) || !resource_bool(pl->want, ATTR_clone_full) ||
	    planner_text(pl, ATTR_clone_snapshot_name, NULL) ||
	    (src->power != OBS_POWER_RUNNING && src->power != OBS_POWER_PAUSED))
		return;
	struct change *c = against(pl, ATTR_clone_source_vm_id);
	change_block(c, REASON_SOURCE_UNSUITABLE,
	    "VM %u runs and has a TPM, whose state PVE copies only while the guest is down",
	    src->vmid);
	change_hint(c, "stop it, or clone a snapshot of it");
}

/* The storages of these cannot copy what a snapshot holds, only make it current again. */
static bool copies_snapshots(const char *plugin)
{
	return !text_eq(plugin, "zfspool") && !text_eq(plugin, "zfs");
}

static void snapshot(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;
	const char *name = planner_text(pl, ATTR_clone_snapshot_name, NULL);
	const struct strs *known = &src->snapshot_names;

	if (!name || !src->snapshots_known)
		return;
	if (!strs_has(known, name)) {
		struct change *c = against(pl, ATTR_clone_snapshot_name);
		const char *near = text_nearest(name, (const char *const *)known->v, known->n);
		change_block(c, REASON_SNAPSHOT_UNKNOWN,
		    "VM %u has no snapshot %s that can be cloned", src->vmid, name);
		if (near)
			change_hint(c, "did you mean %s?", near);
		return;
	}
	if (!resource_bool(pl->want, ATTR_clone_full))
		return;
	KV_FOREACH (item, &src->current) {
		_cleanup_drive_ struct drive d = {0};
		const struct obs_storage *st = storage_of(pl, item, &d);
		if (!st || copies_snapshots(st->plugin))
			continue;
		change_block(against(pl, ATTR_clone_snapshot_name), REASON_SOURCE_UNSUITABLE,
		    "%s of VM %u is on %s (%s), which makes no full clones of snapshots", item->key,
		    src->vmid, d.storage, st->plugin);
		return;
	}
}

static bool is_local(const struct planner *pl, const char *storage, const char *on)
{
	const struct obs_storage *st = obs_cluster_storage(pl->in->cluster, storage, on);
	return st && !st->shared;
}

/* PVE clones to another node only what lies on shared storage, media in drives included. */
static void other_node(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;
	const char *name = planner_text(pl, ATTR_node_name, NULL);
	const char *target = planner_text(pl, ATTR_clone_target_datastore, NULL);

	bool known = obs_cluster_node(pl->in->cluster, name) != NULL;

	if (text_eq(name, src->node) || !known)
		return;
	KV_FOREACH (item, &src->current) {
		_cleanup_drive_ struct drive d = {0};
		if (!planner_is_drive(item->key) || drive_parse(item->value, &d, NULL) < 0 ||
		    !*d.storage || !is_local(pl, d.storage, src->node))
			continue;
		struct change *c = against(pl, ATTR_node_name);
		change_block(c, REASON_SOURCE_UNSUITABLE,
		    "VM %u is on %s and its %s lies on %s, which only that node sees", src->vmid,
		    src->node, item->key, d.storage);
		change_hint(c, "clone on %s, or put a copy of the template on %s", src->node, name);
		return;
	}
	if (target && is_local(pl, target, src->node))
		change_block(against(pl, ATTR_clone_target_datastore), REASON_SOURCE_UNSUITABLE,
		    "%s is not shared, and VM %u is on another node (%s)", target, src->vmid,
		    src->node);
}

static void target_storage(struct planner *pl)
{
	const char *target = planner_text(pl, ATTR_clone_target_datastore, NULL);
	const char *format = planner_text(pl, ATTR_clone_target_format, NULL);
	_cleanup_str_ char *why = NULL;
	enum reason r = REASON_IN_SYNC;

	if (target) {
		r = policy_storage_problem(pl, target, format, &why);
		if (r != REASON_IN_SYNC)
			change_block(against(pl, ATTR_clone_target_datastore), r, "%s", why);
		return;
	}
	if (!format)
		return;
	/* Without a target each disk stays on the storage that it has in the source. */
	KV_FOREACH (item, &pl->in->source->current) {
		_cleanup_drive_ struct drive d = {0};
		if (r != REASON_IN_SYNC || !planner_disk(item, &d))
			continue;
		r = policy_storage_problem(pl, d.storage, format, &why);
	}
	if (r == REASON_FORMAT_UNSUPPORTED)
		change_block(against(pl, ATTR_clone_target_format), r, "%s", why);
}

/* ---- names that the cluster does not know ---- */

static void pool(struct planner *pl)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const char *name = planner_text(pl, ATTR_clone_pool_id, NULL);

	if (name && cl && cl->pools_known && !strs_has(&cl->pools, name))
		change_block(against(pl, ATTR_clone_pool_id), REASON_POOL_UNKNOWN,
		    "there is no pool %s, or the token may not see it", name);
}

/* PVE lists the bridges of its own file; those that /etc/network/interfaces only includes are there
 * as well, and what the template uses on this very node is. */
static bool is_bridge_of_source(const struct planner *pl, const char *bridge)
{
	const struct obs_guest *src = pl->in->source;

	for (size_t i = 0; text_eq(src->node, pl->g->node) && i < src->current.n; i++) {
		const struct kv_item *item = &src->current.v[i];
		_cleanup_propstr_ struct propstr p = {0};
		const char *bus;
		unsigned index;
		if (form_slot_parse(item->key, &bus, &index) && text_eq(bus, "net") &&
		    propstr_parse(item->value, &p, NULL) == 0 &&
		    text_eq(propstr_get(&p, "bridge"), bridge))
			return true;
	}
	return false;
}

static void bridges(struct planner *pl)
{
	const struct strs *known = pl->in->bridges;

	for (size_t i = 0; known && i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		if (l->attr->format != FMT_BRIDGE || l->value.type != VALUE_STR ||
		    strs_has(known, l->value.s) || is_bridge_of_source(pl, l->value.s))
			continue;
		struct change *c = against_leaf(pl, l);
		const char *near =
		    text_nearest(l->value.s, (const char *const *)known->v, known->n);
		change_block(c, REASON_BRIDGE_UNKNOWN,
		    "node %s has no bridge %s that the token may use", pl->g->node, l->value.s);
		if (near)
			change_hint(c, "did you mean %s?", near);
	}
}

/* ---- space ---- */

/* What the disks of the clone take of one storage, as far as is known. */
struct need {
	const char *storage;
	uint64_t bytes;
};

static uint64_t size_of(const struct planner *pl, const struct kv_item *item, const struct drive *d)
{
	const struct value *listed = planner_value(pl, ATTR_disk_size_gb, item->key);
	uint64_t gib = listed && listed->i > 0 ? (uint64_t)listed->i : 0;

	if (drive_gib_up(d->bytes) >= gib)
		return d->bytes;
	return gib << 30;
}

static void add_need(struct need *n, const struct planner *pl, const struct kv_item *item)
{
	_cleanup_drive_ struct drive d = {0};
	bool linked = !resource_bool(pl->want, ATTR_clone_full);

	if (!planner_disk(item, &d))
		return;
	/* A linked clone takes nothing for what is the template's. */
	bool there = kv_has(&pl->in->source->current, item->key);
	const char *store = planner_text(pl, ATTR_disk_datastore_id, item->key);
	const char *on = store ? store : d.storage;
	if (!text_eq(on, n->storage) || (linked && there && text_eq(on, d.storage)))
		return;
	n->bytes += size_of(pl, item, &d);
}

/* Only where an image takes all of its size at once: thin storages may be promised more than they
 * have, and sparse files too. Where nothing at all is left neither can be. */
static void space(struct planner *pl)
{
	const struct obs_cluster *cl = pl->in->cluster;

	for (size_t i = 0; cl && i < cl->n_storages; i++) {
		const struct obs_storage *st = &cl->storages[i];
		struct need n = {.storage = st->id};
		bool thick = text_eq(st->plugin, "lvm") && st->avail;
		if ((!thick && !st->full) || !text_eq(st->node, pl->g->node))
			continue;
		KV_FOREACH (item, &pl->goal)
			add_need(&n, pl, item);
		if (n.bytes <= st->avail)
			continue;
		_cleanup_str_ char *wanted = text_bytes(n.bytes), *left = text_bytes(st->avail);
		change_block(against(pl, ATTR_clone_source_vm_id), REASON_STORAGE_FULL,
		    "the disks take %s of %s, which has %s left on %s", wanted, st->id, left,
		    st->node);
	}
}

/* Nothing of it needs to be listed but that the clone runs. */
static void node_cpus(struct planner *pl)
{
	const struct value *on = planner_value(pl, ATTR_started, NULL);

	if (on && on->b && accord_is_beyond_node(pl, NULL))
		(void)accord_is_beyond_node(pl, against(pl, ATTR_cpu_cores));
}

void preflight_clone(struct planner *pl)
{
	lists(pl);
	vmid(pl);
	node(pl);
	template_list(pl);
	pool(pl);
	if (!pl->in->source)
		return;
	if (pl->in->source->lock) {
		_cleanup_str_ char *text = obs_guest_lock_text(pl->in->source, "template");
		change_block(
		    against(pl, ATTR_clone_source_vm_id), REASON_SOURCE_LOCKED, "%s", text);
	}
	host_drives(pl);
	host_devices(pl);
	tpm(pl);
	linked_clone(pl);
	snapshot(pl);
	other_node(pl);
	target_storage(pl);
	bridges(pl);
	space(pl);
	node_cpus(pl);
}
