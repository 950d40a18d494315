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

static struct jsn *totem(const struct sim *s)
{
	struct jsn *o = jsn_new_object(), *links, *link;
	_cleanup_str_ char *version = mem_printf("%zu", s->nnodes);

	if (!s->name)
		return o;
	links = jsn_new_object();
	link = jsn_new_object();
	jsn_put_str(link, "linknumber", "0");
	jsn_put(links, "0", link);
	jsn_put_str(o, "cluster_name", s->name);
	jsn_put_str(o, "config_version", version);
	jsn_put(o, "interface", links);
	jsn_put_str(o, "ip_version", "ipv4-6");
	jsn_put_str(o, "link_mode", "passive");
	jsn_put_str(o, "secauth", "on");
	jsn_put_str(o, "version", "2");
	return o;
}

void api_config_totem(struct job *j)
{
	job_ok(j, totem(j->sim));
}

/* The file that corosync reads, as far as it says who belongs to the cluster. */
static void corosync_conf(const struct sim *s, struct buf *b)
{
	buf_adds(b, "logging {\n  debug: off\n  to_syslog: yes\n}\n\nnodelist {\n");
	for (size_t i = 0; i < s->nnodes; i++)
		buf_addf(b,
		    "  node {\n    name: %s\n    nodeid: %d\n    quorum_votes: 1\n"
		    "    ring0_addr: %s\n  }\n",
		    s->nodes[i]->name, s->nodes[i]->id, s->nodes[i]->ip);
	buf_addf(b,
	    "}\n\nquorum {\n  provider: corosync_votequorum\n}\n\ntotem {\n"
	    "  cluster_name: %s\n  config_version: %zu\n  interface {\n    linknumber: 0\n  }\n"
	    "  ip_version: ipv4-6\n  link_mode: passive\n  secauth: on\n  version: 2\n}\n\n",
	    s->name, s->nnodes);
}

/* What a machine has to know to become a node, of the one it would go through. */
void api_config_join(struct job *j)
{
	struct sim *s = j->sim;
	const char *through = job_param(j, "node") ? job_param(j, "node") : j->node->name;
	struct jsn *o, *list;
	char digest[41];
	struct buf b;

	if (!s->name || !node_find(s, through)) {
		if (s->name)
			job_die(j, "unknown node '%s'", through);
		else
			job_die(j, "node is not in a cluster, no join info available!");
		return;
	}
	list = jsn_new_array();
	for (size_t i = 0; i < s->nnodes; i++) {
		struct jsn *row = jsn_new_object();
		_cleanup_str_ char *id = mem_printf("%d", s->nodes[i]->id);

		jsn_put_str(row, "name", s->nodes[i]->name);
		jsn_put_str(row, "nodeid", id);
		jsn_put_str(row, "pve_addr", s->nodes[i]->ip);
		jsn_put_str(row, "pve_fp", s->nodes[i]->fingerprint);
		jsn_put_str(row, "quorum_votes", "1");
		jsn_put_str(row, "ring0_addr", s->nodes[i]->ip);
		jsn_push(list, row);
	}
	buf_init(&b, 0);
	corosync_conf(s, &b);
	sim_sha1(buf_str(&b), b.len, digest);
	buf_fini(&b);
	o = jsn_new_object();
	jsn_put_str(o, "config_digest", digest);
	jsn_put(o, "nodelist", list);
	jsn_put_str(o, "preferred_node", through);
	jsn_put(o, "totem", totem(s));
	job_ok(j, o);
}

void sim_certificate(struct sim *s, const char *fingerprint)
{
	for (size_t i = 0; i < s->nnodes; i++)
		mem_replace(&s->nodes[i]->fingerprint, fingerprint);
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
