#include "actions.h"

#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "policy.h"
#include "provenance.h"

static struct change *action(
    struct planner *pl, const struct leaf *l, const char *from, const char *to)
{
	struct change *c = planner_leaf_change(pl, l);
	change_texts(c, mem_strdup(from), mem_strdup(to));
	c->class = CLASS_ACTION;
	return c;
}

static struct step *step_for(struct planner *pl, struct change *c, enum step_kind kind)
{
	struct step *s = order_push(pl, kind);
	c->step = (int)(pl->out->n_steps - 1);
	s->task = true;
	return s;
}

/* ---- pool ---- */

static void pool(struct planner *pl)
{
	const struct leaf *l = resource_find(pl->want, ATTR_clone_pool_id, NULL);
	const char *have = pl->g->pool && *pl->g->pool ? pl->g->pool : NULL;

	if (!l || l->value.type != VALUE_STR || !pl->g->pool_known || text_eq(have, l->value.s))
		return;
	/* Members of a pool that the token may not see look like members of none. */
	const struct obs_cluster *cl = pl->in->cluster;
	if (!have && cl && cl->pools_known && !strs_has(&cl->pools, l->value.s))
		return;
	struct change *c = action(pl, l, have ? have : "no pool", l->value.s);
	if (!planner_may(pl, c))
		return;
	struct step *s = step_for(pl, c, STEP_POOL);
	s->task = false;
	s->pool = mem_strdup(l->value.s);
	s->text = mem_printf("put it into the pool %s", s->pool);
}

/* ---- node ---- */

/* The slot whose volume only the present node sees, NULL when there is none. A medium in a drive
 * counts as well. */
static const char *local_slot(const struct planner *pl, char **ret_storage)
{
	KV_FOREACH (item, &pl->g->current) {
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		bool unused = text_starts(item->key, "unused");
		bool slot = form_slot_parse(item->key, &bus, &index) && !text_eq(bus, "net");
		/* The drive with the data of cloud-init goes along, also with a running guest. */
		if ((!slot && !unused) || drive_parse(item->value, &d, NULL) < 0 || !*d.storage ||
		    d.cloudinit)
			continue;
		const struct obs_storage *st =
		    obs_cluster_storage(pl->in->cluster, d.storage, pl->g->node);
		if (st && !st->shared) {
			*ret_storage = mem_strdup(d.storage);
			return item->key;
		}
	}
	return NULL;
}

static bool is_slot_of(const struct attr *row, const char *key)
{
	const struct attr_block *b = schema_slot_block(row);
	return b ? form_check(b->slot_format, key, NULL, NULL) : text_eq(row->key, key);
}

/* What a device is, where it is one of the present node alone: PVE does not migrate it. By a
 * mapping of the cluster it may be found on the other node as well, though not in a guest that
 * runs; of PCI devices some may even then. */
static const char *local_device(const struct planner *pl)
{
	static const struct {
		enum attr_id row;
		const char *harmless; /* on every node */
		bool stopped;	      /* goes along with a guest that is down */
	} rows[] = {{ATTR_usb_host, "spice", false}, {ATTR_usb_mapping, NULL, true},
	    {ATTR_hostpci_id, NULL, false}, {ATTR_serial_device_device, "socket", false},
	    {ATTR_parallel_device, NULL, false}, {ATTR_ivshmem_size, NULL, false},
	    {ATTR_virtiofs_mapping, NULL, true}};

	KV_FOREACH (item, &pl->g->current) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			const struct attr *a = schema_attr(rows[i].row);
			_cleanup_value_ struct value v = {0};
			if (!is_slot_of(a, item->key) || (rows[i].stopped && !pl->running) ||
			    pvecodec_get(a, item->key, &pl->g->current, NULL, &v, NULL) < 0 ||
			    v.type == VALUE_ABSENT ||
			    (v.type == VALUE_STR && text_eq_nocase(v.s, rows[i].harmless)))
				continue;
			return item->key;
		}
	}
	return NULL;
}

static void block_migration(struct planner *pl, struct change *c, const char *target)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const struct obs_node *n = obs_cluster_node(cl, target);
	_cleanup_str_ char *storage = NULL;
	const char *slot = local_slot(pl, &storage), *device = local_device(pl);

	if (pl->g->ha_managed)
		change_block(c, REASON_HA_MANAGED, "the HA manager decides on which node it runs");
	else if (cl && cl->n_nodes && !n)
		change_block(c, REASON_NODE_UNKNOWN, "the cluster has no node %s", target);
	else if (n && !n->online)
		change_block(c, REASON_NODE_OFFLINE, "node %s is offline", target);
	else if ((pl->g->power == OBS_POWER_PAUSED && !pl->g->lock) ||
		 pl->g->power == OBS_POWER_HIBERNATED)
		change_block(c, REASON_PAUSED, "the guest is %s",
		    pl->g->power_word ? pl->g->power_word : "paused");
	else if (slot)
		change_block(c, REASON_NOT_SUPPORTED,
		    "its %s lies on %s, which only %s sees, and disks are not migrated along", slot,
		    storage, pl->g->node);
	else if (device)
		change_block(c, REASON_NOT_SUPPORTED,
		    "its %s is a device of %s, and PVE does not migrate %s with it", device,
		    pl->g->node, pl->running ? "a guest that runs" : "a guest");
}

static void placement(struct planner *pl)
{
	const struct leaf *l = resource_find(pl->want, ATTR_node_name, NULL);
	bool pin = text_eq(planner_text(pl, ATTR_placement, NULL), "pin");

	if (!l || l->value.type != VALUE_STR || !pin || text_eq(pl->g->node, l->value.s))
		return;
	struct change *c = action(pl, l, pl->g->node, l->value.s);
	c->disruption = pl->running ? PLAN_HOTPLUG : PLAN_NONE;
	block_migration(pl, c, l->value.s);
	if (!planner_may(pl, c))
		return;
	struct step *s = step_for(pl, c, STEP_MIGRATE);
	s->node = mem_strdup(l->value.s);
	s->disruption = c->disruption;
	s->text = mem_printf("migrate it from %s to %s", pl->g->node, l->value.s);
}

/* ---- template and power ---- */

/* What is made for the first time is neither started nor frozen half-configured. */
static void wait_for_rest(struct planner *pl, struct change *c)
{
	/* Tags change nothing in a guest. */
	const struct change *rest = planner_worst_but(pl, planner_row("", CODEC_TAGS));
	const struct record *r = pl->foretold ? NULL : pl->in->record;
	bool first = !r || !r->synced_hash[0] || record_is_unmet(r, c->path);

	if (first && rest && rest != c && c->state != CHANGE_BLOCKED)
		change_block(c, rest->reason, "the VM is not configured to its end: %s: %s",
		    rest->path, rest->why);
}

static void shutdown_step(struct planner *pl, struct change *c)
{
	struct step *s = step_for(pl, c, STEP_SHUTDOWN);
	s->text = mem_strdup("shut the guest down");
}

static bool is_up(const struct obs_guest *g)
{
	return g->power == OBS_POWER_RUNNING;
}

static void block_for_lock(struct change *c, const struct obs_guest *g)
{
	_cleanup_str_ char *text = obs_guest_lock_text(g, "VM");

	change_block(c, REASON_LOCKED, "%s", text);
}

static void block_for_power(const struct planner *pl, struct change *c)
{
	const struct obs_guest *g = pl->g;
	if (g->power == OBS_POWER_PAUSED && g->lock)
		block_for_lock(c, g);
	else if (g->power == OBS_POWER_PAUSED || g->power == OBS_POWER_HIBERNATED)
		change_block(c, REASON_PAUSED, "the guest is %s, and Ramet never resumes one",
		    g->power == OBS_POWER_HIBERNATED ? "hibernated"
		    : g->power_word		     ? g->power_word
						     : "paused");
	else if (g->ha_managed)
		change_block(c, REASON_HA_MANAGED, "the HA manager decides whether it runs (%s)",
		    g->ha_state ? g->ha_state : "state unknown");
}

/* Storages that make base images of their volumes (volume_has_feature of PVE's plugins). Of plugins
 * that do not come with PVE only PVE knows. */
static bool makes_bases(const char *plugin)
{
	static const char *const blocks[] = {"lvmthin", "zfspool", "zfs", "rbd"};

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (text_eq(plugin, blocks[i]))
			return true;
	return policy_keeps_files(plugin);
}

/* "vm-1204-disk-0", in whatever folder: PVE names its base image "base-1204-disk-0". */
static bool is_no_base(const struct planner *pl, const struct kv_item *item)
{
	_cleanup_drive_ struct drive d = {0};

	if (!planner_disk(item, &d) || !d.volume)
		return false;
	const struct obs_storage *st = obs_cluster_storage(pl->in->cluster, d.storage, pl->g->node);
	const char *slash = strrchr(d.volume, '/'), *colon = strchr(d.volume, ':');
	_cleanup_str_ char *head = mem_printf("vm-%u-", pl->g->vmid);

	return st && makes_bases(st->plugin) && colon &&
	       text_starts(slash ? slash + 1 : colon + 1, head);
}

/* PVE first writes that it is a template, and then makes the images: what broke off in between is
 * a template whose disks nobody can link to. */
static void finish_template(struct planner *pl, const struct leaf *l)
{
	_cleanup_strs_ struct strs slots = {0};

	KV_FOREACH (item, &pl->g->current)
		if (is_no_base(pl, item))
			strs_add(&slots, item->key);
	if (!slots.n)
		return;
	_cleanup_str_ char *all = strs_join(&slots, ", ");
	_cleanup_str_ char *from = mem_printf("true, without a base image of %s", all);
	struct change *c = action(pl, l, from, "true");
	if (!planner_may(pl, c))
		return;
	for (size_t i = 0; i < slots.n; i++) {
		struct step *s = step_for(pl, c, STEP_TEMPLATE);
		s->slot = mem_strdup(slots.v[i]);
		s->text = mem_printf("make %s a base image", s->slot);
	}
}

static void template(struct planner *pl)
{
	const struct leaf *l = resource_find(pl->want, ATTR_template, NULL);

	if (!l || l->value.type != VALUE_BOOL)
		return;
	if (l->value.b == pl->g->template) {
		if (l->value.b && !pl->foretold)
			finish_template(pl, l);
		return;
	}
	struct change *c =
	    action(pl, l, l->value.b ? "false" : "true", l->value.b ? "true" : "false");
	if (!l->value.b)
		change_block(c, REASON_NOT_SUPPORTED, "PVE turns no template back into a VM");
	else if (pl->g->snapshots)
		change_block(c, REASON_HAS_SNAPSHOTS,
		    "the VM has snapshots, and PVE makes no template of one that has");
	else if (pl->g->power != OBS_POWER_STOPPED)
		block_for_power(pl, c);
	size_t at = pl->out->n_changes;
	wait_for_rest(pl, c);
	if (!planner_may(pl, c) || pl->out->n_changes != at)
		return;
	if (is_up(pl->g))
		shutdown_step(pl, c);
	struct step *s = step_for(pl, c, STEP_TEMPLATE);
	s->text = mem_strdup("convert it into a template");
}

/* Backups, snapshots, migrations and rollbacks stop and pause a guest and let it go on by
 * themselves: what they leave behind is looked at when they are over, and nobody is to blame until
 * then. */
static bool is_held_by_pve(struct planner *pl, struct change *c)
{
	const struct obs_guest *g = pl->g;
	bool unchanged = pl->unchanged;

	if (!g->lock || g->power == OBS_POWER_HIBERNATED)
		return false;
	block_for_lock(c, g);
	pl->unchanged = false;
	planner_may(pl, c);
	pl->unchanged = unchanged;
	return true;
}

static void power(struct planner *pl)
{
	const struct leaf *l = resource_find(pl->want, ATTR_started, NULL);
	const struct obs_guest *g = pl->g;

	if (!l || l->value.type != VALUE_BOOL || g->power == OBS_POWER_UNKNOWN)
		return;
	if (l->value.b == is_up(g) || (!l->value.b && g->power == OBS_POWER_STOPPED))
		return;
	struct change *c = action(pl, l,
	    g->power == OBS_POWER_STOPPED ? "stopped"
	    : g->power_word		  ? g->power_word
					  : "running",
	    l->value.b ? "running" : "stopped");
	if (is_held_by_pve(pl, c))
		return;
	if (g->template && l->value.b)
		change_block(c, REASON_NOT_SUPPORTED, "a template cannot be started");
	else
		block_for_power(pl, c);
	if (l->value.b)
		wait_for_rest(pl, c);
	if (!planner_may(pl, c))
		return;
	if (!l->value.b) {
		shutdown_step(pl, c);
		return;
	}
	struct step *s = step_for(pl, c, STEP_START);
	s->text = mem_strdup("start the guest");
}

/* What went down for a restart comes up again, whether anybody lists that it runs or not. */
static void come_up(struct planner *pl)
{
	const struct obs_guest *g = pl->g;
	const struct leaf *l = resource_find(pl->want, ATTR_started, NULL);

	if (!pl->in->restarting || (l && l->value.type == VALUE_BOOL) ||
	    g->power != OBS_POWER_STOPPED || g->ha_managed || g->template || pl->hands_off)
		return;
	struct change *c = planner_change(pl, "restart", NULL, NULL);
	change_texts(c, mem_strdup("stopped"), mem_strdup("running again"));
	c->class = CLASS_ACTION;
	struct step *s = step_for(pl, c, STEP_START);
	s->text = mem_strdup("start the guest, which went down for a restart");
}

/* ---- history ---- */

static void note_past(
    struct planner *pl, const struct leaf *l, const char *from, const char *to, const char *why)
{
	struct change *c = action(pl, l, from, to);

	change_block(c, REASON_CLONE_SOURCE_CHANGED, "%s", why);
	c->state = CHANGE_REPORT;
	c->class = CLASS_CLONE;
}

static void past(struct planner *pl, enum attr_id id, uint32_t was, const char *why)
{
	const struct leaf *l = resource_find(pl->want, id, NULL);

	if (!l || l->value.type != VALUE_INT || !was || l->value.i == (int64_t)was)
		return;
	_cleanup_str_ char *from = mem_printf("%u", was);
	_cleanup_str_ char *to = mem_printf("%lld", (long long)l->value.i);
	note_past(pl, l, from, to, why);
}

/* What clone.* said when the VM was made, and now says otherwise. What is no longer listed asks for
 * nothing. */
static void past_words(struct planner *pl)
{
	const struct record *r = pl->in->record;

	for (size_t i = 0; r && r->cloned.n && i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		const char *was = kv_get(&r->cloned, l->attr->path);
		_cleanup_str_ char *now = NULL;

		if (!provenance_has(l->attr) || l->value.type == VALUE_NULL)
			continue;
		now = value_print(&l->value);
		if (!text_eq(was, now))
			note_past(pl, l, was ? was : "absent", now,
			    "the VM was cloned already, and clone.* is history");
	}
}

void actions_plan(struct planner *pl)
{
	if (!pl->foretold) {
		pool(pl);
		placement(pl);
		past(pl, ATTR_id, pl->g->vmid, "the VMID of a VM never changes");
		if (pl->in->record)
			past(pl, ATTR_clone_source_vm_id, pl->in->record->source_vmid,
			    "the VM was cloned already, and clone.* is history");
		past_words(pl);
	}
	template(pl);
	power(pl);
	come_up(pl);
}
