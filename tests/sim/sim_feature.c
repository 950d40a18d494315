/* What can be done with a guest's volumes where. */
#include <inttypes.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_volume.h"

static bool can(const struct volume *v, const char *feature, const char *snap)
{
	if (!strcmp(feature, "snapshot"))
		return volume_can_snapshot(v);
	if (!strcmp(feature, "clone"))
		return store_can_link(v->store, snap != NULL) && (snap || volume_is_base(v));
	return true;
}

/* The guest's volumes: whether all can do it, and whether all are on shared storage. */
static bool all_can(
    struct sim *s, const struct guest *g, const char *feature, const char *snap, bool *ret_shared)
{
	bool all = true;

	*ret_shared = true;
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		const struct volume *v;

		if (!prop_is_drive(i->key) || !drive_parse(s, i->key, i->value, &d) ||
		    !strchr(d.file, ':'))
			continue;
		v = volume_find(s, g->node, d.file);
		if (!v)
			continue;
		*ret_shared = *ret_shared && v->store->shared;
		all = all && (drive_is_cdrom(&d) || can(v, feature, snap));
	}
	return all;
}

/* Can it be cloned or copied from here, and on which nodes? */
void api_feature(struct job *j)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	const char *f = job_param(j, "feature"), *snap = job_param(j, "snapname");
	struct jsn *d, *nodes;
	bool has, shared;

	if (!g || g->node != j->node) {
		job_die(j, "unable to find configuration file for VM %" PRId64 " on node '%s'",
		    j->vmid, j->node->name);
		return;
	}
	if (snap && !source_conf(g, snap)) {
		job_die(j, "snapshot '%s' does not exist", snap);
		return;
	}
	has = all_can(s, g, f, snap, &shared);
	nodes = jsn_new_array();
	for (size_t n = 0; n < s->nnodes; n++)
		if (shared || s->nodes[n] == g->node)
			jsn_push(nodes, jsn_new_str(s->nodes[n]->name));
	d = jsn_new_object();
	jsn_put_int(d, "hasFeature", has);
	jsn_put(d, "nodes", nodes);
	job_ok(j, d);
}
