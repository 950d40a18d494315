#include "checkup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "kv.h"
#include "needs.h"
#include "pvereq.h"

#define PATHS_MAX 1024 /* permissions that are asked for */
#define SOURCES_MAX 64 /* configurations of templates that are read */

struct look {
	struct setup *s;
	struct checkup *c;
	struct pvereq *pve;
	struct bundle *bundle; /* NULL = could not be read */
	struct needs needs;
	struct kv nodes; /* VMID of each guest to be seen → its node */
	/* What the question under way brought. */
	bool answered;
	struct err *err;
	char *head;
};

static void say(
    struct look *k, enum checkup_verdict v, const char *what, char *text, const char *next)
{
	struct checkup *c = k->c;
	MEM_PUSH_ROOM(c->v, c->n, c->cap);
	c->v[c->n++] = (struct checkup_item){
	    .verdict = v, .what = what, .text = text, .next = mem_strdup(next)};
	c->failed |= v == CHECKUP_FAILED;
}

static int wait_answer(struct look *k, struct err **err)
{
	while (!k->answered)
		if (loop_turn(k->s->loop, err) != 0)
			return -1;
	return 0;
}

/* ---- folders ---- */

static void look_folder(struct look *k, const char *what, const char *setting, const char *path)
{
	if (access(path, W_OK | X_OK) == 0) {
		say(k, CHECKUP_OK, what, mem_printf("%s can be written", path), NULL);
		return;
	}
	_cleanup_str_ char *next = mem_printf(
	    "make it, and let the user that runs the controller write it; or change %s", setting);
	say(k, CHECKUP_FAILED, what, mem_printf("%s: %s", path, strerror(errno)), next);
}

/* ---- Git ---- */

static void keep_err(struct look *k, const struct err *err)
{
	k->answered = true;
	if (!err)
		return;
	err_free(&k->err);
	(void)err_set(&k->err, err->code, "%s", err_msg(err));
	if (err->hint)
		(void)err_hint(&k->err, "%s", err->hint);
}

static void on_listed(void *arg, const struct gitport_result *r)
{
	struct look *k = arg;
	keep_err(k, r->err);
	if (r->err)
		return;
	mem_replace(&k->head, r->head);
	if (!*r->head)
		(void)err_set(&k->err, ERR_NOTFOUND, "%s",
		    r->note && *r->note ? r->note : "the watched branch does not exist");
}

static void on_read(void *arg, const struct gitport_result *r)
{
	struct look *k = arg;
	const char *folder = k->s->config->git_path;
	keep_err(k, r->err);
	if (r->err)
		return;
	if (r->path_missing) {
		(void)err_set(&k->err, ERR_NOTFOUND, "the branch has no folder %s", folder);
		(void)err_hint(&k->err, "check git.path");
		return;
	}
	struct bundle_file *files = mem_calloc(r->n_files, sizeof(*files));
	size_t n = 0;
	for (size_t i = 0; i < r->n_files; i++)
		if (bundle_is_manifest_path(r->files[i].path))
			files[n++] = (struct bundle_file){.path = r->files[i].path,
			    .data = r->files[i].data,
			    .len = r->files[i].len,
			    .skipped = r->files[i].skipped};
	if (bundle_build(r->rev, files, n, NULL, &k->bundle, &k->err) != 0)
		k->bundle = NULL; /* the error tells */
	free(files);
}

static void on_can_push(void *arg, const struct gitport_result *r)
{
	keep_err(arg, r->err);
}

/* Tells the failure of the question that was just answered; false if there is none. */
static bool tell_err(struct look *k, const char *what)
{
	if (!k->err)
		return false;
	say(k, CHECKUP_FAILED, what, mem_strdup(err_msg(k->err)), k->err->hint);
	err_free(&k->err);
	return true;
}

static int look_git(struct look *k, struct err **err)
{
	const struct config *f = k->s->config;
	struct gitport *g = k->s->ports.git;
	k->answered = false;
	gitport_list(g, on_listed, k);
	if (wait_answer(k, err) != 0)
		return -1;
	if (tell_err(k, "git"))
		return 0;
	k->answered = false;
	gitport_read(g, k->head, on_read, k);
	if (wait_answer(k, err) != 0)
		return -1;
	if (tell_err(k, "git"))
		return 0;
	size_t bad = diags_errors(&k->bundle->diags);
	say(k, CHECKUP_OK, "git",
	    mem_printf("%s is at %.12s: %zu manifests", f->git_branch, k->head, k->bundle->n),
	    NULL);
	if (bad > 0)
		say(k, CHECKUP_FAILED, "manifests",
		    mem_printf("%zu findings refuse manifests", bad),
		    "ramet validate PATH in a working tree shows them");
	if (strcmp(f->report_mode, "commit") != 0)
		return 0;
	k->answered = false;
	if (!gitport_can_push(g, on_can_push, k))
		return 0;
	if (wait_answer(k, err) != 0)
		return -1;
	if (!tell_err(k, "git push"))
		say(k, CHECKUP_OK, "git push",
		    mem_printf("the server takes pushes, to %s for one", f->report_branch), NULL);
	return 0;
}

/* ---- the cluster ---- */

struct question {
	struct look *k;
	void (*take)(struct look *k, const struct jsn *data, void *arg);
	void *arg;
	char *text; /* what went wrong, NULL = nothing */
	int status;
};

static void on_answer(void *arg, const struct pvereq_result *r)
{
	struct question *q = arg;
	q->k->answered = true;
	q->status = r->status;
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
	return wait_answer(k, err);
}

static void take_version(struct look *k, const struct jsn *data, void *arg)
{
	(void)k;
	mem_replace(arg, jsn_get_text(data, "version"));
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
		const char *next =
		    q.status == 401
			? "put a valid token into the file of cluster.token_file"
			: "check cluster.endpoints, the network, and cluster.ca_file or "
			  "cluster.fingerprints";
		say(k, CHECKUP_FAILED, "endpoint", mem_printf("%s: %s", endpoint, q.text), next);
	} else if (rc == 0) {
		say(k, CHECKUP_OK, "endpoint",
		    mem_printf("%s: Proxmox VE %s, TLS verified, token accepted", endpoint,
			version ? version : "?"),
		    NULL);
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
		say(k, CHECKUP_FAILED, "cluster", mem_strdup("there is no quorum"),
		    "repair the cluster; until then nothing is created, grown or destroyed");
	else
		say(k, online < nodes ? CHECKUP_REMARK : CHECKUP_OK, "cluster",
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
		say(k, CHECKUP_FAILED, "template",
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

/* Everything that is needed on this path, for the role that would grant it: what stands on a path
 * replaces what it would inherit. */
static char *grant_command(const struct look *k, const char *path)
{
	_cleanup_buf_ struct buf privs = {0};
	_cleanup_str_ char *role = mem_printf("Ramet%s", path);
	for (char *c = role; *c; c++)
		if (*c == '/')
			*c = '-';
	for (size_t i = 0; i < k->needs.n; i++)
		if (text_eq(k->needs.v[i].path, path))
			buf_addf(&privs, "%s%s", privs.len ? "," : "", k->needs.v[i].privilege);
	const char *token = k->s->pve_user ? k->s->pve_user : "user@realm!name";
	return mem_printf("as root on a node: pveum role add %s --privs %s; pveum acl modify %s "
			  "--roles %s --users %.*s --tokens '%s'",
	    role, buf_str(&privs), path, role, (int)strcspn(token, "!"), token, token);
}

static void tell_missing(struct look *k, const struct need *n)
{
	_cleanup_str_ char *next = grant_command(k, n->path);
	_cleanup_str_ char *more = n->n > 1 ? mem_printf(" and %zu more", n->n - 1) : NULL;
	char *text = n->who ? mem_printf("%s on %s, for %s%s (%s)", n->privilege, n->path, n->who,
				  more ? more : "", n->of)
			    : mem_printf("%s on %s (%s)", n->privilege, n->path, n->of);
	say(k, n->wished ? CHECKUP_REMARK : CHECKUP_FAILED, "privilege", text, next);
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
		if (rc == 0 && !has) {
			missing++;
			tell_missing(k, n);
		}
	}
	kv_fini(&at.has);
	kv_fini(&other.has);
	if (rc == 0 && missing == 0)
		say(k, CHECKUP_OK, "privileges",
		    mem_printf("all %zu on %zu paths are there", k->needs.n, paths), NULL);
	if (k->needs.overflow || paths >= PATHS_MAX)
		say(k, CHECKUP_REMARK, "privileges",
		    mem_printf("only the first %d paths were asked for", PATHS_MAX), NULL);
	return rc;
}

static int look_cluster(struct look *k, struct err **err)
{
	const struct strs *endpoints = &k->s->config->cluster_endpoints;
	struct question status = {.take = take_status}, guests = {.take = take_guests};
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
	struct kv params = {0};
	kv_set(&params, "type", "vm");
	int rc = ask(k, k->pve,
	    &(struct pvereq_spec){.endpoint = ENDPOINT_RESOURCES, .params = &params}, &guests, err);
	kv_fini(&params);
	free(guests.text);
	needs_add_controller(&k->needs);
	for (size_t i = 0; k->bundle && i < k->bundle->n; i++)
		needs_add_manifest(&k->needs, k->bundle->v[i].res);
	if (rc != 0 || look_sources(k, err) != 0)
		return -1;
	return look_rights(k, err);
}

/* ---- all of it ---- */

int checkup_run(struct setup *s, struct checkup *ret, struct err **err)
{
	const struct config *f = s->config;
	struct look k = {.s = s, .c = ret};
	k.pve = pvereq_new(s->ports.cluster, s->ports.clock, f->cluster_timeout);
	say(&k, CHECKUP_OK, "configuration", mem_strdup(f->path ? f->path : "from the environment"),
	    NULL);
	look_folder(&k, "state", "controller.state_dir", f->controller_state_dir);
	if (strcmp(f->report_mode, "files") == 0)
		look_folder(&k, "report", "report.directory", f->report_directory);
	int rc = look_git(&k, err);
	if (rc == 0)
		rc = look_cluster(&k, err);
	pvereq_free(&k.pve);
	bundle_unref(&k.bundle);
	needs_fini(&k.needs);
	kv_fini(&k.nodes);
	err_free(&k.err);
	free(k.head);
	return rc;
}

void checkup_fini(struct checkup *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].text);
		free(c->v[i].next);
	}
	free(c->v);
	*c = (struct checkup){0};
}

const char *checkup_word(enum checkup_verdict v)
{
	static const char *const words[CHECKUP_VERDICT__MAX] = {
	    [CHECKUP_OK] = "ok", [CHECKUP_REMARK] = "remark", [CHECKUP_FAILED] = "FAILED"};
	return words[v];
}
