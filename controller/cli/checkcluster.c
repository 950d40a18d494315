#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkup_int.h"
#include "grant.h"
#include "loop.h"
#include "observe.h"
#include "status.h"

#define PATHS_MAX 1024 /* permissions that are asked for */
#define SOURCES_MAX 64 /* configurations of templates that are read */
#define SKEW_S 30      /* a clock that is off by more is told */

struct question {
	struct look *k;
	void (*take)(struct look *k, const struct jsn *data, void *arg);
	void *arg;
	char *text; /* what went wrong, NULL = nothing */
	int status;
	bool tls;	 /* it is about the certificate, and text has a next step of its own */
	int64_t ahead_s; /* the node's clock against ours; 0 = unknown or the same */
};

static void on_answer(void *arg, const struct pvereq_result *r)
{
	struct question *q = arg;
	q->k->answered = true;
	q->status = r->status;
	q->tls = r->reason == PVE_TLS;
	q->ahead_s = r->date_s ? r->date_s - loop_wall_ms() / 1000 : 0;
	if (r->outcome != PVE_DONE)
		q->text = mem_strdup(r->text);
	else if (q->take)
		q->take(q->k, r->data, q->arg);
}

/* -1 when the loop failed; else *ret_text is NULL or says what went wrong. */
static int ask(struct look *k, struct pvereq *pve, const struct pvereq_spec *spec,
    struct question *q, struct err **err)
{
	q->k = k;
	k->answered = false;
	pvereq_send(pve, spec, on_answer, q);
	return checkup_wait(k, err);
}

static void take_version(struct look *k, const struct jsn *data, void *arg)
{
	(void)k;
	mem_replace(arg, jsn_get_text(data, "version"));
}

/* Whether it is a version that is known, and whether its clock goes as ours does. */
static void judge_node(struct look *k, const char *endpoint, const char *version, int64_t ahead_s)
{
	if (version && !text_starts(version, "8.") && !text_starts(version, "9."))
		checkup_say(k, CHECKUP_REMARK, "version",
		    mem_printf("%s: Proxmox VE %s", endpoint, version),
		    "8 and 9 are known; with another version look at ramet plan first");
	if (ahead_s < -SKEW_S || ahead_s > SKEW_S)
		checkup_say(k, CHECKUP_REMARK, "clock",
		    mem_printf("%s: its clock is %lld s %s this machine's", endpoint,
			(long long)(ahead_s < 0 ? -ahead_s : ahead_s),
			ahead_s < 0 ? "behind" : "ahead of"),
		    "set both by NTP (chronyc tracking): reports name times of both");
}

static int look_endpoint(struct look *k, const char *endpoint, struct err **err)
{
	struct pveport *port = NULL;
	if (setup_pveport(k->s, endpoint, &port, err) != 0)
		return -1;
	_cleanup_pvereq_ struct pvereq *pve =
	    pvereq_new(pveport_port(port), k->s->ports.clock, k->s->config->cluster_timeout);
	_cleanup_str_ char *version = NULL;
	struct question q = {.take = take_version, .arg = &version};
	int rc = ask(k, pve, &(struct pvereq_spec){.endpoint = ENDPOINT_VERSION, .patience_ms = -1},
	    &q, err);
	if (rc == 0 && q.text) {
		const char *own = "";
		int len = (int)(q.tls ? status_problem_facts(q.text, &own) : strlen(q.text));
		const char *next = *own ? own
				   : q.status == 401
				       ? "put a valid token into the file of cluster.token_file"
				       : "check that cluster.endpoints lead to the API of "
					 "PVE, as https://HOST:8006, and the network";
		checkup_say(k, CHECKUP_FAILED, "endpoint",
		    mem_printf("%s: %.*s", endpoint, len, q.text), next);
	} else if (rc == 0) {
		checkup_say(k, CHECKUP_OK, "endpoint",
		    mem_printf("%s: Proxmox VE %s, TLS verified, token accepted", endpoint,
			version ? version : "?"),
		    NULL);
		judge_node(k, endpoint, version, q.ahead_s);
	}
	free(q.text);
	pvereq_free(&pve);
	pveport_free(&port);
	return rc;
}

static void take_status(struct look *k, const struct jsn *data, void *arg)
{
	bool quorate = true;
	size_t nodes = 0, online = 0;
	(void)arg;
	for (size_t i = 0; i < jsn_len(data); i++) {
		const struct jsn *row = jsn_at(data, i);
		if (text_eq(jsn_get_text(row, "type"), "cluster"))
			quorate = jsn_get_bool(row, "quorate", false);
		nodes += text_eq(jsn_get_text(row, "type"), "node");
		online += text_eq(jsn_get_text(row, "type"), "node") &&
			  jsn_get_bool(row, "online", false);
	}
	if (!quorate)
		checkup_say(k, CHECKUP_FAILED, "cluster", mem_strdup("there is no quorum"),
		    "repair the cluster; until then nothing is created, grown or destroyed");
	else
		checkup_say(k, online < nodes ? CHECKUP_REMARK : CHECKUP_OK, "cluster",
		    mem_printf("%zu of %zu nodes are online", online, nodes), NULL);
}

static void take_guests(struct look *k, const struct jsn *data, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < jsn_len(data); i++) {
		const char *vmid = jsn_get_text(jsn_at(data, i), "vmid");
		const char *node = jsn_get_text(jsn_at(data, i), "node");
		if (vmid && node)
			kv_set(&k->nodes, vmid, node);
	}
}

static void take_config(struct look *k, const struct jsn *data, void *arg)
{
	struct jsn_iter it;
	JSN_FOREACH (it, data)
		if (jsn_text(it.val))
			needs_add_source(&k->needs, arg, it.key, jsn_text(it.val));
}

/* The template of one manifest: there, and what cloning it takes. */
static int look_source(struct look *k, const struct resource *r, struct err **err)
{
	int64_t vmid = resource_int(r, ATTR_clone_source_vm_id);
	char key[24];
	snprintf(key, sizeof(key), "%lld", (long long)vmid);
	const char *node = kv_get(&k->nodes, key);
	if (!node) {
		_cleanup_str_ char *next =
		    mem_printf("check clone.source_vm_id of %s, and that the "
			       "token has VM.Audit on /vms/%s",
			r->name, key);
		checkup_say(k, CHECKUP_FAILED, "template",
		    mem_printf("VM %s is not there, or the token may not see it", key), next);
		return 0;
	}
	struct kv params = {0};
	kv_set(&params, "current", "1");
	struct question q = {.take = take_config, .arg = (void *)r};
	int rc = ask(k, k->pve,
	    &(struct pvereq_spec){.endpoint = ENDPOINT_GUEST_CONFIG,
		.args = {.node = node, .vmid = vmid},
		.params = &params},
	    &q, err);
	kv_fini(&params);
	free(q.text); /* a right that is missing is told with the others */
	return rc;
}

static int look_sources(struct look *k, struct err **err)
{
	int64_t seen[SOURCES_MAX];
	size_t n = 0;
	for (size_t i = 0; k->bundle && i < k->bundle->n && n < SOURCES_MAX; i++) {
		const struct resource *r = k->bundle->v[i].res;
		int64_t vmid = resource_int(r, ATTR_clone_source_vm_id);
		size_t at = 0;
		while (at < n && seen[at] != vmid)
			at++;
		if (at < n)
			continue;
		seen[n++] = vmid;
		if (look_source(k, r, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- storages ---- */

/* One storage by all its rows: where it is active, and whether it takes disks. */
static void judge_storage(struct look *k, const struct obs_cluster *c, const char *id)
{
	size_t nodes = 0, active = 0;
	bool images = false;
	uint64_t avail = 0;
	for (size_t i = 0; i < c->n_storages; i++) {
		const struct obs_storage *s = &c->storages[i];
		if (!text_eq(s->id, id))
			continue;
		nodes++;
		active += s->active;
		images |= strstr(s->content, "images") != NULL;
		avail = s->avail > avail ? s->avail : avail;
	}
	_cleanup_str_ char *next = NULL;
	if (nodes == 0) {
		next = mem_printf("correct the manifests, or give the token Datastore.Audit on "
				  "/storage/%s",
		    id);
		checkup_say(k, CHECKUP_FAILED, "storage",
		    mem_printf("%s is not there, or the token may not see it", id), next);
	} else if (!images) {
		next = mem_printf("let it hold disks: `pvesm set %s --content images,…`", id);
		checkup_say(
		    k, CHECKUP_FAILED, "storage", mem_printf("%s takes no disks", id), next);
	} else {
		next = mem_printf("look at pvesm status --storage %s on the other nodes", id);
		checkup_say(k,
		    active == 0	     ? CHECKUP_FAILED
		    : active < nodes ? CHECKUP_REMARK
				     : CHECKUP_OK,
		    "storage",
		    mem_printf("%s is active on %zu of %zu nodes, %llu GiB free", id, active, nodes,
			(unsigned long long)(avail >> 30)),
		    active < nodes ? next : NULL);
	}
}

static void take_storages(struct look *k, const struct jsn *data, void *arg)
{
	struct obs_cluster c = {0};
	_cleanup_strs_ struct strs wanted = {0};
	(void)arg;
	for (size_t i = 0; i < k->needs.n; i++) {
		const char *id = text_after(k->needs.v[i].path, "/storage/");
		if (id)
			strs_add(&wanted, id);
	}
	strs_sort_unique(&wanted);
	if (observe_storages(data, loop_wall_ms(), &c, NULL) == 0)
		for (size_t i = 0; i < wanted.n; i++)
			judge_storage(k, &c, wanted.v[i]);
	obs_cluster_fini(&c);
}

/* All rows of one type, in one call. */
static int ask_resources(struct look *k, const char *type, struct question *q, struct err **err)
{
	struct kv params = {0};
	kv_set(&params, "type", type);
	int rc = ask(k, k->pve,
	    &(struct pvereq_spec){.endpoint = ENDPOINT_RESOURCES, .params = &params}, q, err);
	kv_fini(&params);
	free(q->text);
	return rc;
}

/* ---- privileges ---- */

struct rights {
	const char *path;
	struct kv has; /* privilege → anything */
	bool known;
};

static void take_rights(struct look *k, const struct jsn *data, void *arg)
{
	struct rights *r = arg;
	struct jsn_iter it;
	(void)k;
	r->known = true;
	JSN_FOREACH (it, jsn_get(data, r->path))
		kv_set(&r->has, it.key, "1");
}

static int ask_rights(struct look *k, struct rights *r, struct err **err)
{
	struct kv params = {0};
	kv_set(&params, "path", r->path);
	struct question q = {.take = take_rights, .arg = r};
	int rc = ask(k, k->pve,
	    &(struct pvereq_spec){.endpoint = ENDPOINT_PERMISSIONS, .params = &params}, &q, err);
	kv_fini(&params);
	free(q.text);
	return rc;
}

static void tell_missing(struct look *k, const struct need *n)
{
	_cleanup_str_ char *next = grant_command(&k->needs, n->path, k->s->pve_user);
	_cleanup_str_ char *more = n->n > 1 ? mem_printf(" and %zu more", n->n - 1) : NULL;
	char *text = n->who ? mem_printf("%s on %s, for %s%s (%s)", n->privilege, n->path, n->who,
				  more ? more : "", n->of)
			    : mem_printf("%s on %s (%.*s)", n->privilege, n->path,
				  (int)strcspn(n->of, ";."), n->of);
	checkup_say(k, n->wished ? CHECKUP_REMARK : CHECKUP_FAILED, "privilege", text, next);
}

/* Whether the privilege is there; -1 when the loop failed. *r is of the path asked last. */
static int has_right(struct look *k, struct rights *r, const char *path, const char *privilege,
    bool *ret, struct err **err)
{
	if (!text_eq(r->path, path)) {
		kv_fini(&r->has);
		*r = (struct rights){.path = path};
		if (ask_rights(k, r, err) != 0)
			return -1;
	}
	*ret = kv_get(&r->has, privilege) != NULL;
	return 0;
}

/* A right over a bridge is missing, which may be a VNet. */
struct vnet {
	const struct need *need;
	bool may_be;
};

static void take_zones(struct look *k, const struct jsn *data, void *arg)
{
	struct vnet *v = arg;
	(void)k;
	v->may_be = needs_may_be_vnet(v->need, data);
}

static int look_vnet(struct look *k, const struct need *n, bool *ret, struct err **err)
{
	struct vnet v = {.need = n};
	struct question q = {.take = take_zones, .arg = &v};

	if (!text_eq(n->privilege, "SDN.Use"))
		return 0;
	int rc = ask(k, k->pve, &(struct pvereq_spec){.endpoint = ENDPOINT_PERMISSIONS}, &q, err);
	free(q.text);
	if (v.may_be)
		checkup_say(k, CHECKUP_REMARK, "privilege",
		    mem_printf("%s on %s is not there; if that is a VNet, its zone decides",
			n->privilege, n->path),
		    NULL);
	*ret = v.may_be;
	return rc;
}

static int look_rights(struct look *k, struct err **err)
{
	struct rights at = {0}, other = {0};
	size_t missing = 0, paths = 0;
	const char *last = NULL;
	int rc = 0;
	needs_sort(&k->needs);
	for (size_t i = 0; rc == 0 && i < k->needs.n && paths < PATHS_MAX; i++) {
		const struct need *n = &k->needs.v[i];
		bool has = false;
		paths += !text_eq(last, n->path);
		last = n->path;
		rc = has_right(k, &at, n->path, n->privilege, &has, err);
		if (rc == 0 && !has && n->or_path)
			rc = has_right(k, &other, n->or_path, n->privilege, &has, err);
		if (rc == 0 && !has)
			rc = look_vnet(k, n, &has, err);
		if (rc == 0 && !has) {
			missing++;
			tell_missing(k, n);
		}
	}
	kv_fini(&at.has);
	kv_fini(&other.has);
	if (rc == 0 && missing == 0)
		checkup_say(k, CHECKUP_OK, "privileges",
		    mem_printf("all %zu on %zu paths are there", k->needs.n, paths), NULL);
	if (k->needs.overflow || paths >= PATHS_MAX)
		checkup_say(k, CHECKUP_REMARK, "privileges",
		    mem_printf("only the first %d paths were asked for", PATHS_MAX), NULL);
	return rc;
}

int checkcluster_look(struct look *k, struct err **err)
{
	const struct strs *endpoints = &k->s->config->cluster_endpoints;
	struct question status = {.take = take_status}, guests = {.take = take_guests},
			storages = {.take = take_storages};
	size_t before = k->c->n;
	bool reached = false;
	for (size_t i = 0; i < endpoints->n; i++)
		if (look_endpoint(k, endpoints->v[i], err) != 0)
			return -1;
	for (size_t i = before; i < k->c->n; i++)
		reached |= k->c->v[i].verdict == CHECKUP_OK;
	if (!reached)
		return 0;
	if (ask(k, k->pve, &(struct pvereq_spec){.endpoint = ENDPOINT_CLUSTER_STATUS}, &status,
		err) != 0)
		return -1;
	free(status.text); /* Sys.Audit is told with the others */
	int rc = ask_resources(k, "vm", &guests, err);
	needs_add_controller(&k->needs);
	for (size_t i = 0; k->bundle && i < k->bundle->n; i++)
		needs_add_manifest(&k->needs, k->bundle->v[i].res);
	if (rc != 0 || look_sources(k, err) != 0 ||
	    ask_resources(k, "storage", &storages, err) != 0)
		return -1;
	return look_rights(k, err);
}
