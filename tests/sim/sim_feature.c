/* What can be done with a guest's volumes where. */
#include <inttypes.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_volume.h"

/* Can it be cloned or copied from here, and on which nodes? */
void api_feature(struct job *j)
{
	struct sim *s = j->sim;
	struct guest *g = guest_find(s, j->vmid);
	const char *f = job_param(j, "feature"), *snap = job_param(j, "snapname");
	struct jsn *d, *nodes;
	bool has = true;

	if (!g || g->node != j->node) {
		job_die(j, "unable to find configuration file for VM %" PRId64 " on node '%s'",
		    j->vmid, j->node->name);
		return;
	}
	if (snap && !source_conf(g, snap)) {
		job_die(j, "snapshot '%s' does not exist", snap);
		return;
	}
	nodes = jsn_new_array();
	for (size_t n = 0; n < s->nnodes; n++) {
		bool here = true;

		KV_FOREACH (i, &g->conf) {
			_cleanup_drive_ struct drive dr = {0};
			const struct volume *v;

			if (!prop_is_drive(i->key) || !drive_parse(s, i->key, i->value, &dr))
				continue;
			v = strchr(dr.file, ':') ? volume_find(s, g->node, dr.file) : NULL;
			if (!v)
				continue;
			here = here && (s->nodes[n] == g->node || v->store->shared);
			if (drive_is_cdrom(&dr))
				continue;
			if (!strcmp(f, "snapshot"))
				has = has && strcmp(v->format, "qcow2") == 0
					  ? has
					  : has && (v->store->type == STORE_LVMTHIN ||
						       v->store->type == STORE_ZFS ||
						       v->store->type == STORE_RBD ||
						       v->store->type == STORE_BTRFS);
			else if (!strcmp(f, "clone"))
				has = has && store_can_link(v->store, snap != NULL) &&
				      (snap || volume_is_base(v));
		}
		if (here)
			jsn_push(nodes, jsn_new_str(s->nodes[n]->name));
	}
	d = jsn_new_object();
	jsn_put_int(d, "hasFeature", has);
	jsn_put(d, "nodes", nodes);
	job_ok(j, d);
}
