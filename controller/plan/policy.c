#include "policy.h"

#include <string.h>

#include "effect.h"

/* ---- lists of the configuration ---- */

bool policy_is_in(const struct strs *list, const char *word)
{
	return !list || !list->n || strs_has(list, word);
}

/* NULL when the value is within the lists, else the setting that forbids it. */
const char *policy_forbids(const struct plan_policy *p, const struct attr *a, const char *text)
{
	/* Where the source lives is a fact and no wish. */
	bool wish = a->id != ATTR_clone_source_node_name;

	if (a->format == FMT_STORAGE && !policy_is_in(p->datastores, text))
		return "policy.datastores";
	if (a->format == FMT_BRIDGE && !policy_is_in(p->bridges, text))
		return "policy.bridges";
	if (a->format == FMT_POOL && !policy_is_in(p->pools, text))
		return "policy.pools";
	if (a->format == FMT_NODE && wish && !policy_is_in(p->nodes, text))
		return "policy.nodes";
	return NULL;
}

bool policy_is_allowed(
    const struct planner *pl, struct change *c, const struct attr *a, const char *text)
{
	const char *setting = policy_forbids(pl->policy, a, text);

	if (!setting)
		return true;
	change_block(c, REASON_POLICY, "%s is not in %s", text, setting);
	return false;
}

bool policy_allows_change(struct planner *pl, struct change *c)
{
	const char *text = c->attr ? planner_text(pl, c->attr->id, c->slot) : NULL;
	return !text || policy_is_allowed(pl, c, c->attr, text);
}

/* ---- storages ---- */

static bool has_word(const char *list, const char *word)
{
	_cleanup_strs_ struct strs words = {0};
	return list && text_split(list, ", ", true, 64, &words) == 0 && strs_has(&words, word);
}

bool policy_keeps_files(const char *plugin)
{
	static const char *const plugins[] = {"dir", "nfs", "cifs", "btrfs", "glusterfs", "cephfs"};
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (text_eq(plugin, plugins[i]))
			return true;
	return false;
}

/* A disk of this format lies there already: what the plugin cannot do by itself, PVE 9 can where it
 * keeps snapshots as a chain of volumes. */
static bool holds_format(const struct planner *pl, const char *storage, const char *format)
{
	const struct obs_guest *seen = pl->foretold ? pl->in->source : pl->g;

	for (size_t i = 0; seen && i < seen->current.n; i++) {
		const struct kv_item *item = &seen->current.v[i];
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		if (form_slot_parse(item->key, &bus, &index) && !text_eq(bus, "net") &&
		    drive_parse(item->value, &d, NULL) == 0 && text_eq(d.storage, storage) &&
		    text_eq(d.format, format))
			return true;
	}
	return false;
}

enum reason policy_storage_problem(
    const struct planner *pl, const char *storage, const char *format, char **ret_why)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const struct obs_storage *st = obs_cluster_storage(cl, storage, pl->g->node);

	if (!policy_is_in(pl->policy->datastores, storage)) {
		*ret_why = mem_printf("%s is not in policy.datastores", storage);
		return REASON_POLICY;
	}
	if (!cl || !cl->n_storages)
		return REASON_IN_SYNC; /* nobody could look; PVE will say */
	if (cl->n_nodes && !obs_cluster_node(cl, pl->g->node))
		return REASON_IN_SYNC; /* that there is no such node is what is wrong */
	if (st && st->silent_since) {
		_cleanup_str_ char *since = text_time(st->silent_since);
		*ret_why = mem_printf(
		    "node %s has told nothing of storage %s since %s", pl->g->node, storage, since);
		return REASON_STORAGE_SILENT;
	}
	if (!st || !st->active) {
		*ret_why = mem_printf("node %s has no storage %s %s", pl->g->node, storage,
		    st ? "that is active" : "that the token may see");
		return REASON_STORAGE_UNKNOWN;
	}
	if (!has_word(st->content, "images")) {
		*ret_why = mem_printf("storage %s holds no disk images, but %s", storage,
		    st->content && *st->content ? st->content : "nothing");
		return REASON_STORAGE_CONTENT;
	}
	if (format && !text_eq(format, "raw") && !policy_keeps_files(st->plugin) &&
	    !holds_format(pl, storage, format)) {
		*ret_why = mem_printf(
		    "storage %s (%s) keeps no images of format %s", storage, st->plugin, format);
		return REASON_FORMAT_UNSUPPORTED;
	}
	return REASON_IN_SYNC;
}

bool policy_storage_fits(
    struct planner *pl, struct change *c, const char *storage, const char *format)
{
	_cleanup_str_ char *why = NULL;

	if (c->state == CHANGE_BLOCKED)
		return false;
	enum reason r = policy_storage_problem(pl, storage, format, &why);
	if (r != REASON_IN_SYNC)
		change_block(c, r, "%s", why);
	return r == REASON_IN_SYNC;
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

/* It is about to move the guest, to stop or to start it, or to take it over from a lost node: a
 * disk that is moved or a file that is locked meanwhile makes it fail. In the state error it waits
 * for a person, and what is written then may be what mends the guest. */
static bool is_ha_busy(const struct obs_guest *g)
{
	static const char *const states[] = {"request_start", "request_start_balance",
	    "request_stop", "migrate", "relocate", "fence", "recovery", "freeze"};

	for (size_t i = 0; g->ha_managed && i < ARRAY_LEN(states); i++)
		if (text_eq(g->ha_state, states[i]))
			return true;
	return false;
}

enum reason policy_step(const struct planner *pl, const struct step *s, char **ret_message)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const char *on =
	    s->kind == STEP_CLONE && pl->in->source ? pl->in->source->node : pl->g->node;
	const struct obs_node *n = obs_cluster_node(cl, on);

	/* PVE destroys a hibernated guest as it is. */
	bool sleeps = s->kind == STEP_DESTROY && pl->g->power == OBS_POWER_HIBERNATED;
	if (!pl->foretold && pl->g->lock && !sleeps) {
		*ret_message = obs_guest_lock_text(pl->g, "VM");
		return pl->g->power == OBS_POWER_HIBERNATED ? REASON_PAUSED : REASON_LOCKED;
	}
	if (n && !n->online) {
		*ret_message = mem_printf("node %s is offline", on);
		return REASON_NODE_OFFLINE;
	}
	if (!pl->foretold && is_ha_busy(pl->g)) {
		*ret_message = mem_printf("the HA manager is at work on it (%s)", pl->g->ha_state);
		return REASON_HA_BUSY;
	}
	if ((s->kind == STEP_CLONE || s->parting) && (!cl || !cl->complete)) {
		*ret_message = mem_strdup("the cluster could not be seen as a whole");
		return REASON_CLUSTER_UNREACHABLE;
	}
	return quorum(cl, s, ret_message);
}
