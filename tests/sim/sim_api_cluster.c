/* Calls about the cluster as a whole and its nodes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_ha.h"
#include "sim_net.h"
#include "sim_nic.h"
#include "sim_prop.h"
#include "sim_volume.h"

#define RESOURCES_MAX ((size_t)256 << 20)

static int64_t uptime(const struct sim *s, int64_t since)
{
	return (s->now - since) / 1000;
}

const char *release_id(const struct sim *s)
{
	return s->v9 ? "14a22df35955d97d" : "2606ac850d46da29";
}

void api_version(struct job *j)
{
	struct jsn *d = jsn_new_object();

	jsn_put_str(d, "release", j->sim->release);
	jsn_put_str(d, "version", j->sim->manager);
	jsn_put_str(d, "repoid", release_id(j->sim));
	job_ok(j, d);
}

void api_index(struct job *j)
{
	static const char *const v[] = {
	    "version", "cluster", "nodes", "storage", "access", "pools"};

	job_ok(j, index_of("subdir", v, ARRAY_LEN(v)));
}

void api_cluster_status(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array(), *c;

	if (s->name) {
		c = jsn_new_object();
		jsn_put_str(c, "type", "cluster");
		jsn_put_str(c, "id", "cluster");
		jsn_put_str(c, "name", s->name);
		jsn_put_int(c, "nodes", (int64_t)s->nnodes);
		jsn_put_int(c, "version", (int64_t)s->nnodes);
		jsn_put_int(c, "quorate", j->node->quorate);
		jsn_push(a, c);
	}
	for (size_t i = 0; i < s->nnodes; i++) {
		struct node *n = s->nodes[i];
		_cleanup_str_ char *id = mem_printf("node/%s", n->name);

		c = jsn_new_object();
		jsn_put_str(c, "type", "node");
		jsn_put_str(c, "id", id);
		jsn_put_str(c, "name", n->name);
		jsn_put_int(c, "nodeid", s->name ? n->id : 0);
		jsn_put_str(c, "ip", n->ip);
		jsn_put_int(c, "local", n == j->node);
		jsn_put_int(c, "online", net_sees(j->node, n));
		jsn_put_str(c, "level", "");
		jsn_push(a, c);
	}
	job_ok(j, a);
}

static void node_load(const struct sim *s, const struct node *n, struct jsn *o)
{
	int64_t used = 0;

	for (size_t i = 0; i < s->nguests; i++)
		if (s->guests[i]->node == n && s->guests[i]->running)
			used += guest_memory(s->guests[i]);
	jsn_put(o, "cpu", jsn_new_num(0.05));
	jsn_put_int(o, "mem", n->maxmem / 10 + (used < n->maxmem ? used / 2 : 0));
	jsn_put_int(o, "disk", n->disk / 10);
	jsn_put_int(o, "uptime", uptime(s, n->up_since));
}

static struct jsn *node_row(struct job *j, struct node *n)
{
	struct sim *s = j->sim;
	struct jsn *o = jsn_new_object();
	_cleanup_str_ char *id = mem_printf("node/%s", n->name);
	_cleanup_str_ char *path = mem_printf("/nodes/%s", n->name);
	const char *status = net_status(s, j->entry, n);
	bool known = s->now - net_heard_at(s, j->entry, n) <= s->timing[TIMING_STALE];

	jsn_put_str(o, "id", id);
	jsn_put_str(o, "type", "node");
	jsn_put_str(o, "node", n->name);
	jsn_put_str(o, "status", status);
	if (known)
		jsn_put_str(o, "level", "");
	if (known && auth_has(s, &j->who, path, PRIV_BIT(SYS_AUDIT))) {
		jsn_put_int(o, "maxcpu", n->maxcpu);
		jsn_put_int(o, "maxmem", n->maxmem);
		jsn_put_int(o, "maxdisk", n->disk);
		if (!strcmp(status, "online"))
			node_load(s, n, o);
	}
	return o;
}

void api_nodes(struct job *j)
{
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < j->sim->nnodes; i++) {
		struct jsn *o = node_row(j, j->sim->nodes[i]);

		jsn_put_str(o, "ssl_fingerprint", j->sim->nodes[i]->fingerprint);
		jsn_push(a, o);
	}
	job_ok(j, a);
}

/* --- resources --- */

static bool pool_audited(struct job *j, const char *pool)
{
	_cleanup_str_ char *path = mem_printf("/pool/%s", pool);

	return auth_has(j->sim, &j->who, path, PRIV_BIT(POOL_AUDIT));
}

bool sees_guest(const struct sim *s, const struct who *w, int64_t vmid)
{
	_cleanup_str_ char *path = mem_printf("/vms/%" PRId64, vmid);

	return auth_has(s, w, path, PRIV_BIT(VM_AUDIT));
}

bool resource_guest(struct row *r, struct job *j, struct guest *g, bool all, bool listed)
{
	struct sim *s = j->sim;
	const struct heard *h;
	const char *tags = kv_get(&g->conf, "tags"), *lock = kv_get(&g->conf, "lock");
	static const char *const zero[] = {"cpu", "mem", "disk", "diskread", "diskwrite"};
	int64_t in = 0, out = 0;
	char id[32];

	if (!all && !sees_guest(s, &j->who, g->vmid))
		return false;
	h = net_heard(s, j->node, g);
	snprintf(id, sizeof(id), "qemu/%" PRId64, g->vmid);
	row_begin(r);
	row_str(r, "id", id);
	row_str(r, "type", "qemu");
	row_int(r, "vmid", g->vmid);
	row_str(r, "node", g->node->name);
	row_str(r, "status", h ? h->status : "unknown");
	if (h) {
		row_str(r, "name", h->name);
		row_int(r, "template", h->template);
		row_int(r, "maxcpu", h->maxcpu);
		row_int(r, "maxmem", h->maxmem);
		row_int(r, "maxdisk", h->maxdisk);
		row_int(r, "uptime", h->running ? uptime(s, h->since) : 0);
		for (size_t i = 0; i < ARRAY_LEN(zero); i++)
			row_int(r, zero[i], 0);
		for (unsigned i = 0; h->running && i < SIM_NICS_MAX; i++) {
			in += nic_in(&h->nics, i);
			out += nic_out(&h->nics, i);
		}
		row_int(r, "netin", in);
		row_int(r, "netout", out);
		if (s->v9)
			row_int(r, "memhost", 0);
	}
	if (listed && tags && strcmp(tags, " ") != 0)
		row_str(r, "tags", tags);
	if (listed)
		row_str(r, "lock", lock);
	if (listed && g->ha)
		row_str(r, "hastate", ha_shown(g));
	if (listed && g->pool && pool_audited(j, g->pool))
		row_str(r, "pool", g->pool);
	row_end(r);
	return true;
}

static char *content_text(const struct store *st)
{
	return strs_join(&st->content, ",");
}

struct jsn *resource_store(struct sim *s, struct store *st, struct node *n, bool seen)
{
	struct jsn *o = jsn_new_object();
	_cleanup_str_ char *id = mem_printf("storage/%s/%s", n->name, st->name);
	_cleanup_str_ char *content = content_text(st);

	jsn_put_str(o, "id", id);
	jsn_put_str(o, "type", "storage");
	jsn_put_str(o, "storage", st->name);
	jsn_put_str(o, "node", n->name);
	jsn_put_str(o, "plugintype", store_word(st));
	jsn_put_str(o, "content", content);
	jsn_put_int(o, "shared", st->shared);
	jsn_put_str(o, "status", seen && st->online && st->enabled ? "available" : "unknown");
	if (seen) {
		jsn_put_int(o, "maxdisk", st->total);
		jsn_put_int(o, "disk", store_used(s, st, n));
	}
	return o;
}

static void push_stores(struct job *j, struct jsn *a)
{
	struct sim *s = j->sim;

	for (size_t k = 0; k < s->nstores; k++) {
		struct store *st = s->stores[k];
		_cleanup_str_ char *path = mem_printf("/storage/%s", st->name);

		if (!auth_has(s, &j->who, path,
			PRIV_BIT(DATASTORE_AUDIT) | PRIV_BIT(DATASTORE_ALLOCATESPACE)))
			continue;
		for (size_t i = 0; i < s->nnodes; i++)
			if (store_on(st, s->nodes[i]))
				jsn_push(a, resource_store(s, st, s->nodes[i],
						s->now - net_heard_at(s, j->node, s->nodes[i]) <=
						    s->timing[TIMING_STALE]));
	}
}

static void push_sdn(struct job *j, struct jsn *a)
{
	struct sim *s = j->sim;

	if (!auth_has(s, &j->who, "/sdn/zones/localnetwork", PRIV_BIT(SDN_AUDIT)))
		return;
	for (size_t i = 0; i < s->nnodes; i++) {
		struct jsn *o = jsn_new_object();
		const char *n = s->nodes[i]->name;
		_cleanup_str_ char *id =
		    mem_printf(s->v9 ? "network/%s/zone/localnetwork" : "sdn/%s/localnetwork", n);

		jsn_put_str(o, "id", id);
		jsn_put_str(o, "type", s->v9 ? "network" : "sdn");
		if (s->v9) {
			jsn_put_str(o, "network", "localnetwork");
			jsn_put_str(o, "network-type", "zone");
		} else
			jsn_put_str(o, "sdn", "localnetwork");
		jsn_put_str(o, "node", n);
		jsn_put_str(o, "status", "ok");
		jsn_push(a, o);
	}
}

static void push_pools(struct job *j, struct jsn *a)
{
	struct sim *s = j->sim;

	for (size_t i = 0; i < s->npools; i++) {
		_cleanup_str_ char *path = mem_printf("/pool/%s", s->pools[i]->name);
		struct jsn *o;

		if (!pool_audited(j, s->pools[i]->name))
			continue;
		o = jsn_new_object();
		jsn_put_str(o, "id", path);
		jsn_put_str(o, "type", "pool");
		jsn_put_str(o, "pool", s->pools[i]->name);
		jsn_push(a, o);
	}
}

/* All but the guests. */
static struct jsn *resources_other(struct job *j, const char *type)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();

	if (!type)
		push_pools(j, a);
	for (size_t i = 0; (!type || !strcmp(type, "node")) && i < s->nnodes; i++) {
		struct jsn *o = node_row(j, s->nodes[i]);

		jsn_put_int(o, "cgroup-mode", s->nodes[i]->cgroup);
		jsn_push(a, o);
	}
	if (!type || !strcmp(type, "storage"))
		push_stores(j, a);
	if (!type || (!strcmp(type, "sdn") && !s->v9))
		push_sdn(j, a);
	return a;
}

/* The list as text: there may be ten thousand guests. */
static void resources_text(struct job *j, struct guest **guests, size_t n, struct jsn *others)
{
	bool all = auth_everywhere(j->sim, &j->who, "/vms", PRIV_BIT(VM_AUDIT));
	struct buf list;
	struct row r = {.text = &list};

	buf_init(&list, RESOURCES_MAX);
	buf_addc(&list, '[');
	for (size_t i = 0; i < n; i++)
		if (resource_guest(&r, j, guests[i], all, true))
			buf_addc(&list, ',');
	for (size_t i = 0; i < jsn_len(others); i++) {
		_cleanup_str_ char *text = jsn_print(jsn_at(others, i), false);

		buf_adds(&list, text);
		buf_addc(&list, ',');
	}
	jsn_free(&others);
	if (list.len > 1)
		buf_cut(&list, list.len - 1);
	buf_addc(&list, ']');
	job_ok_text(j, &list);
	buf_fini(&list);
}

static void resources(struct job *j)
{
	const char *type = job_param(j, "type");
	struct guest **guests;
	size_t n = net_guests(j->sim, j->node, &guests);
	struct jsn *others = resources_other(j, type);
	bool all;

	if (type && strcmp(type, "vm") != 0)
		n = 0;
	if (!j->tree || text_eq(type, "vm")) {
		resources_text(j, guests, n, others);
		return;
	}
	all = auth_everywhere(j->sim, &j->who, "/vms", PRIV_BIT(VM_AUDIT));
	for (size_t i = 0; i < n; i++) {
		struct row r = {0};

		if (resource_guest(&r, j, guests[i], all, true))
			jsn_push(others, r.tree);
	}
	job_ok(j, others);
}

void api_resources(struct job *j)
{
	struct sim *s = j->sim;

	s->old_copy = j->faulty && j->fault == SIM_FAULT_OLD_COPY;
	resources(j);
	s->old_copy = false;
}

void api_nextid(struct job *j)
{
	struct sim *s = j->sim;
	const char *range = kv_get(&s->options, "next-id"), *p;
	int64_t lower = 100, upper = 1000000, vmid = job_param_int(j, "vmid", 0);
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *text = NULL;

	if (vmid) {
		if (guest_find(s, vmid)) {
			oops_param(&o, "vmid", "VM %" PRId64 " already exists", vmid);
			job_oops(j, &o);
			return;
		}
		text = mem_printf("%" PRId64, vmid);
		job_ok(j, jsn_new_str(text));
		return;
	}
	if (range && (p = strstr(range, "lower=")))
		lower = strtoll(p + 6, NULL, 10);
	if (range && (p = strstr(range, "upper=")))
		upper = strtoll(p + 6, NULL, 10);
	for (vmid = lower; vmid < upper; vmid++)
		if (!guest_find(s, vmid)) {
			text = mem_printf("%" PRId64, vmid);
			job_ok(j, jsn_new_str(text));
			return;
		}
	job_die(j, "unable to get any free VMID in range [%" PRId64 ", %" PRId64 "]", lower, upper);
}

/* A line stays as it is, and is asked for again and again. */
static const char *log_row(struct logline *l)
{
	struct buf text = {0};
	struct row of = {.text = &text}, *r = &of;
	char uid[24], id[256];

	if (l->row)
		return l->row;

	snprintf(uid, sizeof(uid), "%" PRIu64, l->uid);
	snprintf(id, sizeof(id), "%s:%s", uid, l->node->name);
	row_begin(r);
	row_str(r, "uid", uid);
	row_str(r, "id", id);
	row_int(r, "time", l->time);
	row_int(r, "pri", l->pri);
	row_str(r, "tag", l->tag);
	row_int(r, "pid", l->pid);
	row_str(r, "node", l->node->name);
	row_str(r, "user", l->user);
	row_str(r, "msg", l->msg);
	row_end(r);
	return l->row = buf_take(&text);
}

void api_cluster_log(struct job *j)
{
	struct sim *s = j->sim;
	int64_t max = job_param_int(j, "max", 0), n = 0;
	bool all = auth_has(s, &j->who, "/", PRIV_BIT(SYS_SYSLOG));
	struct buf list;

	buf_init(&list, RESOURCES_MAX);
	buf_addc(&list, '[');
	for (size_t i = s->nlog; i-- && (!max || n < max);) {
		struct logline *l = &s->log[i];

		if (!all && strcmp(l->user, j->who.user) != 0 && strcmp(l->user, j->who.full) != 0)
			continue;
		if (n++)
			buf_addc(&list, ',');
		buf_adds(&list, log_row(l));
	}
	buf_addc(&list, ']');
	job_ok_text(j, &list);
	buf_fini(&list);
}

static struct jsn *allowed_tags(struct job *j)
{
	struct jsn *tags = jsn_new_array();
	_cleanup_strs_ struct strs l = {0};

	tags_allowed(j, &l);
	for (size_t i = 0; i < l.n; i++)
		jsn_push(tags, jsn_new_str(l.v[i]));
	return tags;
}

void api_options_get(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *o = jsn_new_object();

	if (auth_has(s, &j->who, "/", PRIV_BIT(SYS_AUDIT))) {
		jsn_put_str(o, "description", "");
		KV_FOREACH (i, &s->options)
			jsn_put_str(o, i->key, i->value);
		if (!kv_has(&s->options, "mac_prefix"))
			jsn_put_str(o, "mac_prefix", "BC:24:11");
	}
	jsn_put(o, "allowed-tags", allowed_tags(j));
	job_ok(j, o);
}

static void options_put_do(struct job *j)
{
	struct sim *s = j->sim;
	const char *del = job_param(j, "delete");
	_cleanup_strs_ struct strs l = {0};

	if (del && text_split(del, ",; ", true, 64, &l) == 0)
		for (size_t i = 0; i < l.n; i++)
			kv_del(&s->options, l.v[i]);
	KV_FOREACH (i, &j->params)
		if (strcmp(i->key, "delete") != 0)
			kv_set(&s->options, i->key, i->value);
	note(s, NULL, "options", "", NULL, NULL);
	job_ok(j, NULL);
}

void api_options_put(struct job *j)
{
	job_lock_cfs(j, "file-datacenter_cfg", NULL, options_put_do);
}
