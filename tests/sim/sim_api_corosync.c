/* Calls about the cluster's own make, and those of a guest that lead nowhere here. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"

void api_config_nodes(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; s->name && i < s->nnodes; i++) {
		struct jsn *o = jsn_new_object();
		_cleanup_str_ char *id = mem_printf("%d", s->nodes[i]->id);

		jsn_put_str(o, "name", s->nodes[i]->name);
		jsn_put_str(o, "node", s->nodes[i]->name);
		jsn_put_str(o, "nodeid", id);
		jsn_put_str(o, "quorum_votes", "1");
		jsn_put_str(o, "ring0_addr", s->nodes[i]->ip);
		jsn_push(a, o);
	}
	job_ok(j, a);
}

void api_config_totem(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *o = jsn_new_object(), *links = jsn_new_object(), *link = jsn_new_object();
	_cleanup_str_ char *version = mem_printf("%zu", s->nnodes);

	if (!s->name) {
		jsn_free(&links);
		jsn_free(&link);
		job_ok(j, o);
		return;
	}
	jsn_put_str(link, "linknumber", "0");
	jsn_put(links, "0", link);
	jsn_put_str(o, "cluster_name", s->name);
	jsn_put_str(o, "config_version", version);
	jsn_put(o, "interface", links);
	jsn_put_str(o, "ip_version", "ipv4-6");
	jsn_put_str(o, "link_mode", "passive");
	jsn_put_str(o, "secauth", "on");
	jsn_put_str(o, "version", "2");
	job_ok(j, o);
}

/* The firewall has a file of its own, beside the guest's; nobody looks whether there is a guest. */
void api_firewall_get(struct job *j)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "digest", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	job_ok(j, o);
}

static void firewall_put(struct job *j)
{
	job_ok(j, NULL);
}

void api_firewall_put(struct job *j)
{
	_cleanup_str_ char *lock = mem_printf("firewall-vm-%" PRId64, j->vmid);

	job_lock_cfs(j, lock, NULL, firewall_put);
}
