#include "policy.h"

#include <string.h>

#include "effect.h"

/* ---- lists of the configuration ---- */

static bool is_in(const struct strs *list, const char *word)
{
	return !list || !list->n || strs_has(list, word);
}

/* NULL when the value is within the lists, else the setting that forbids it. */
static const char *forbidden_by(const struct plan_policy *p, const struct attr *a, const char *text)
{
	/* Where the source lives is a fact and no wish. */
	bool wish = a->id != ATTR_clone_source_node_name;

	if (a->format == FMT_STORAGE && !is_in(p->datastores, text))
		return "policy.datastores";
	if (a->format == FMT_BRIDGE && !is_in(p->bridges, text))
		return "policy.bridges";
	if (a->format == FMT_POOL && !is_in(p->pools, text))
		return "policy.pools";
	if (a->format == FMT_NODE && wish && !is_in(p->nodes, text))
		return "policy.nodes";
	return NULL;
}

static bool is_allowed(
    const struct planner *pl, struct change *c, const struct attr *a, const char *text)
{
	const char *setting = forbidden_by(pl->policy, a, text);

	if (!setting)
		return true;
	change_block(c, REASON_POLICY, "%s is not in %s", text, setting);
	return false;
}

bool policy_allows_change(struct planner *pl, struct change *c)
{
	const char *text = c->attr ? planner_text(pl, c->attr->id, c->slot) : NULL;
	return !text || is_allowed(pl, c, c->attr, text);
}

/* ---- storages ---- */

static bool has_word(const char *list, const char *word)
{
	_cleanup_strs_ struct strs words = {0};
	return list && text_split(list, ", ", true, 64, &words) == 0 && strs_has(&words, word);
}

static bool keeps_files(const char *plugin)
{
	static const char *const plugins[] = {"dir", "nfs", "cifs", "btrfs", "glusterfs", "cephfs"};
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (text_eq(plugin, plugins[i]))
			return true;
	return false;
}

/* REASON_IN_SYNC when disk images of the format can be made there. */
static enum reason storage_problem(
    const struct planner *pl, const char *storage, const char *format, char **ret_why)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const struct obs_storage *st = obs_cluster_storage(cl, storage, pl->g->node);

	if (!is_in(pl->policy->datastores, storage)) {
		*ret_why = mem_printf("%s is not in policy.datastores", storage);
		return REASON_POLICY;
	}
	if (!cl || !cl->n_storages)
		return REASON_IN_SYNC; /* nobody could look; PVE will say */
	if (!st || !st->active || !has_word(st->content, "images")) {
		*ret_why = mem_printf("node %s has no storage %s %s", pl->g->node, storage,
		    !st		 ? "that the token may see"
		    : st->active ? "that holds disk images"
				 : "that is active");
		return REASON_STORAGE_UNKNOWN;
	}
	if (format && !text_eq(format, "raw") && !keeps_files(st->plugin)) {
		*ret_why = mem_printf(
		    "storage %s (%s) keeps no images of format %s", storage, st->plugin, format);
		return REASON_NOT_SUPPORTED;
	}
	return REASON_IN_SYNC;
}

bool policy_storage_fits(
    struct planner *pl, struct change *c, const char *storage, const char *format)
{
	_cleanup_str_ char *why = NULL;

	if (c->state == CHANGE_BLOCKED)
		return false;
	enum reason r = storage_problem(pl, storage, format, &why);
	if (r != REASON_IN_SYNC)
		change_block(c, r, "%s", why);
	return r == REASON_IN_SYNC;
}

/* ---- before cloning ---- */

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

static void lists(struct planner *pl)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		if (l->value.type != VALUE_STR || !forbidden_by(pl->policy, l->attr, l->value.s))
			continue;
		_cleanup_str_ char *path = schema_path(l->attr, l->slot);
		struct change *c = find_change(pl, path);
		if (!c) {
			c = planner_leaf_change(pl, l);
			change_texts(c, mem_strdup("absent"), planner_show(l->attr, &l->value));
		}
		is_allowed(pl, c, l->attr, l->value.s);
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

	if (!is_in(pl->policy->templates, text))
		change_block(against(pl, ATTR_clone_source_vm_id), REASON_POLICY,
		    "%s is not in policy.templates", text);
}

/* Storages whose plugin can make a linked clone: of a template, and of a snapshot. */
static bool links(const char *plugin, bool snapshot)
{
	static const char *const from_snapshot[] = {"lvmthin", "rbd"};
	static const char *const from_template[] = {"lvmthin", "rbd", "zfspool", "zfs", "btrfs"};

	for (size_t i = 0; snapshot && i < ARRAY_LEN(from_snapshot); i++)
		if (text_eq(plugin, from_snapshot[i]))
			return true;
	for (size_t i = 0; !snapshot && i < ARRAY_LEN(from_template); i++)
		if (text_eq(plugin, from_template[i]))
			return true;
	return !snapshot && keeps_files(plugin);
}

static void linked_clone(struct planner *pl)
{
	const struct obs_guest *src = pl->in->source;
	bool snapshot = planner_text(pl, ATTR_clone_snapshot_name, NULL) != NULL;

	if (resource_bool(pl->want, ATTR_clone_full))
		return;
	if (!src->template && !snapshot) {
		change_block(against(pl, ATTR_clone_full), REASON_SOURCE_UNSUITABLE,
		    "VM %u is no template, and only templates and snapshots have linked clones",
		    src->vmid);
		return;
	}
	KV_FOREACH (item, &src->current) {
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		if (!form_slot_parse(item->key, &bus, &index) || text_eq(bus, "net") ||
		    drive_parse(item->value, &d, NULL) < 0 || d.cdrom)
			continue;
		const struct obs_storage *st =
		    obs_cluster_storage(pl->in->cluster, d.storage, src->node);
		if (st && !links(st->plugin, snapshot)) {
			change_block(against(pl, ATTR_clone_full), REASON_SOURCE_UNSUITABLE,
			    "%s of VM %u is on %s (%s), which cannot make linked clones%s",
			    item->key, src->vmid, d.storage, st->plugin,
			    snapshot ? " of snapshots" : "");
			return;
		}
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

	if (text_eq(name, src->node))
		return;
	KV_FOREACH (item, &src->current) {
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		if (!form_slot_parse(item->key, &bus, &index) || text_eq(bus, "net") ||
		    drive_parse(item->value, &d, NULL) < 0 || !*d.storage ||
		    !is_local(pl, d.storage, src->node))
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
		r = storage_problem(pl, target, format, &why);
		if (r != REASON_IN_SYNC)
			change_block(against(pl, ATTR_clone_target_datastore), r, "%s", why);
		return;
	}
	if (!format)
		return;
	/* Without a target each disk stays on the storage that it has in the source. */
	KV_FOREACH (item, &pl->in->source->current) {
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		if (r != REASON_IN_SYNC || !form_slot_parse(item->key, &bus, &index) ||
		    text_eq(bus, "net") || drive_parse(item->value, &d, NULL) < 0 || d.cdrom)
			continue;
		r = storage_problem(pl, d.storage, format, &why);
	}
	if (r == REASON_NOT_SUPPORTED)
		change_block(against(pl, ATTR_clone_target_format), r, "%s", why);
}

void policy_create(struct planner *pl)
{
	lists(pl);
	vmid(pl);
	node(pl);
	template_list(pl);
	if (!pl->in->source)
		return;
	if (pl->in->source->lock) {
		change_block(against(pl, ATTR_clone_source_vm_id), REASON_SOURCE_LOCKED,
		    "template %u is locked (%s)", pl->in->source->vmid, pl->in->source->lock);
	}
	linked_clone(pl);
	other_node(pl);
	target_storage(pl);
}

/* ---- before each step ---- */

static enum reason quorum(const struct obs_cluster *cl, const struct step *s, char **ret_message)
{
	if (cl && cl->quorum_visible && !cl->quorate) {
		*ret_message = mem_strdup("the cluster has no quorum");
		return REASON_NO_QUORUM;
	}
	if (!s->allocates)
		return REASON_IN_SYNC;
	if (!cl || !cl->quorum_visible) {
		*ret_message = mem_strdup("whether the cluster has quorum cannot be seen, and the "
					  "next step allocates or frees storage");
		return REASON_NO_QUORUM;
	}
	if (cl->quorate_for_ms < POLICY_QUORUM_MS) {
		/* Without the seconds: a report that changes with the clock makes commits. */
		*ret_message =
		    mem_printf("a step that allocates or frees storage waits until quorum "
			       "has been seen for %d s",
			POLICY_QUORUM_MS / 1000);
		return REASON_QUORUM_YOUNG;
	}
	return REASON_IN_SYNC;
}

enum reason policy_step(const struct planner *pl, const struct step *s, char **ret_message)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const char *on =
	    s->kind == STEP_CLONE && pl->in->source ? pl->in->source->node : pl->g->node;
	const struct obs_node *n = obs_cluster_node(cl, on);

	if (!pl->foretold && pl->g->lock) {
		*ret_message = mem_printf("VM %u is locked (%s)", pl->g->vmid, pl->g->lock);
		return pl->g->power == OBS_POWER_HIBERNATED ? REASON_PAUSED : REASON_LOCKED;
	}
	if (n && !n->online) {
		*ret_message = mem_printf("node %s is offline", on);
		return REASON_NODE_OFFLINE;
	}
	if (s->kind == STEP_CLONE && (!cl || !cl->complete)) {
		*ret_message = mem_strdup("the cluster could not be seen as a whole");
		return REASON_CLUSTER_UNREACHABLE;
	}
	return quorum(cl, s, ret_message);
}
