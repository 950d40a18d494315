#include "sim_api.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_conf.h"
#include "sim_extjs.h"
#include "sim_fault.h"
#include "sim_mutant.h"
#include "sim_net.h"

#define BODY_MAX ((size_t)512 << 10)

static struct route routes[] = {
#define ROUTE(method, path, flags, rights, fn, params) \
	{method, path, flags, rights, fn, params, {0}, false, 0},
#include "sim_routes.def"
#undef ROUTE
};

void routes_free(void)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		schema_fini(&routes[i].table), routes[i].ready = false;
}

static const struct stable *route_table(const struct route *r)
{
	struct route *own = &routes[r - routes];

	if (!own->ready) {
		own->ready = true;
		schema_parse(&own->table, own->params);
		if (strstr(own->path, "{node}"))
			schema_parse(&own->table, "node str <pve-node>");
		if (strstr(own->path, "{vmid}"))
			schema_parse(&own->table, "vmid int {100,999999999} <pve-vmid>");
	}
	return &own->table;
}

/* --- paths --- */

char *percent_decode(const char *s, size_t len)
{
	struct buf b;

	if (!memchr(s, '%', len))
		return mem_strndup(s, len);
	buf_init(&b, 0);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%' && i + 2 < len && isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2])) {
			char hex[3] = {s[i + 1], s[i + 2], 0};

			buf_addc(&b, (char)strtol(hex, NULL, 16));
			i += 2;
		} else
			buf_addc(&b, s[i]);
	}
	buf_adds(&b, "");
	return b.data ? buf_take(&b) : mem_strdup("");
}

/* The raw path in decoded components; empty ones do not count. */
static void path_split(const char *path, struct strs *ret)
{
	*ret = (struct strs){0};
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len)
			strs_add_take(ret, percent_decode(path, len));
		path += len + (path[len] == '/');
	}
}

static bool route_fits(const struct route *r, const struct strs *parts)
{
	const char *p = r->path;
	size_t i = 0;

	while (*p == '/' && p[1]) {
		const char *end = strchrnul(p + 1, '/');
		size_t len = (size_t)(end - p) - 1;

		if (i == parts->n)
			return false;
		if (p[1] != '{' && (strncmp(p + 1, parts->v[i], len) != 0 || parts->v[i][len]))
			return false;
		p = end;
		i++;
	}
	return i == parts->n;
}

/* What stands in the places of {names}. */
static void route_vars(const struct route *r, const struct strs *parts, struct kv *ret)
{
	const char *p = r->path;

	for (size_t i = 0; i < parts->n; i++) {
		const char *end = strchrnul(p + 1, '/');

		if (p[1] == '{') {
			_cleanup_str_ char *name = mem_strndup(p + 2, (size_t)(end - p) - 3);

			kv_set(ret, name, parts->v[i]);
		}
		p = end;
	}
}

static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/' && path[1];
	return n;
}

static const struct route *route_find(const char *method, const struct strs *parts, struct kv *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!routes[i].depth)
			routes[i].depth = depth_of(routes[i].path);
		if (routes[i].depth != parts->n || strcmp(routes[i].method, method) != 0 ||
		    !route_fits(&routes[i], parts))
			continue;
		route_vars(&routes[i], parts, ret);
		return &routes[i];
	}
	return NULL;
}

/* --- rights --- */

static char *fill(const char *template, const struct kv *params)
{
	struct buf b;

	buf_init(&b, 0);
	for (const char *p = template; *p && *p != ' '; p++) {
		if (*p == '{') {
			size_t len = strcspn(p, "}");
			_cleanup_str_ char *name = mem_strndup(p + 1, len - 1);

			buf_adds(&b, kv_get(params, name));
			p += len;
		} else
			buf_addc(&b, *p);
	}
	return buf_take(&b);
}

/* Cloning takes a right on the source, and the right to make the new guest there or in its pool. */
static bool may_clone(struct job *j, struct oops *o)
{
	const char *pool = job_param(j, "pool");
	const char *newid = job_param(j, "newid");
	_cleanup_str_ char *to = mem_printf("/vms/%s", newid ? newid : "");
	_cleanup_str_ char *in = pool ? mem_printf("/pool/%s", pool) : NULL;

	if (!auth_vm(j->sim, &j->who, j->vmid, PRIV_BIT(VM_CLONE), o))
		return false;
	if (who_is_root(&j->who) || auth_has(j->sim, &j->who, to, PRIV_BIT(VM_ALLOCATE)) ||
	    (in && auth_has(j->sim, &j->who, in, PRIV_BIT(VM_ALLOCATE))))
		return true;
	return oops_http(o, 403, "Permission check failed");
}

static bool may(struct job *j, struct oops *o)
{
	const char *rights = j->route->rights, *list;
	_cleanup_str_ char *path = NULL;
	_cleanup_strs_ struct strs words = {0};
	uint64_t bits = 0;

	if (!*rights)
		return true;
	if (!strcmp(rights, "clone"))
		return may_clone(j, o);
	path = fill(rights, &j->params);
	if (!strcmp(path, "/pool/") || strpbrk(path, " \t"))
		return oops_http(o, 403, "Permission check failed (, %s)", strchr(rights, ' ') + 1);
	list = strchr(rights, ' ') + 1;
	if (text_split(list, "|,", true, 32, &words) < 0)
		return false;
	for (size_t i = 0; i < words.n; i++)
		bits |= priv_parse(j->sim, words.v[i]);
	return auth_check(j->sim, &j->who, path, bits, !strchr(list, ','), o);
}

/* --- from the wire to the handler --- */

static void run_handler(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct kv errors = {0};
	const struct route *r = j->route;

	if (!may(j, &o)) {
		job_oops(j, &o);
		return;
	}
	schema_check(route_table(r), r->flags & ROUTE_CONF ? schema_table("conf") : NULL,
	    &j->params, j->sim->v9, &errors);
	if (r->flags & ROUTE_CONF)
		cpu_check(j->sim, job_param(j, "cpu"), &errors);
	if (errors.n) {
		oops_http(&o, 400, "Parameter verification failed.");
		o.errors = errors;
		job_oops(j, &o);
		return;
	}
	r->fn(j);
}

/* To the node named in the path: this one, another one, or none. */
static void proxy(struct job *j)
{
	struct sim *s = j->sim;
	bool named = strstr(j->route->path, "{node}"); /* elsewhere it is a parameter like others */
	const char *name = named ? kv_get(&j->params, "node") : NULL;

	j->node = j->entry;
	if (name && strcmp(name, "localhost") != 0 && !(j->route->flags & ROUTE_HERE)) {
		j->node = node_find(s, name);
		if (!j->node) {
			j->node = j->entry;
			net_stranger(j, name);
			return;
		}
	}
	net_pass(j, j->route->flags & ROUTE_PROTECTED, run_handler);
}

static void cut(void *arg)
{
	struct job *j = arg;
	struct sim_reply r = {
	    .status = 596, .reason = "Connection timed out", .body = "", .close = true};

	j->cut_timer = 0;
	if (!j->answered && j->cb)
		j->cb(j->arg, &r);
	j->answered = true;
}

static void unauthorized(struct job *j)
{
	job_status(j, 401, j->fault_text ? j->fault_text : "Authentication failed!");
}

static void not_implemented(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	oops_http(&o, 501, "Method '%s %s' not implemented", j->method, j->path);
	job_oops(j, &o);
}

bool api_since_9(struct job *j)
{
	bool since = j->sim->v9;

	if (!since)
		not_implemented(j); /* frees it */
	return since;
}

static bool read_vmid(struct job *j)
{
	const char *v = kv_get(&j->params, "vmid");

	if (v && text_to_int(v, 0, SIM_VMID_MAX, &j->vmid) < 0)
		j->vmid = 0;
	return true;
}

static void dispatch(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_strs_ struct strs parts = {0};
	struct kv vars = {0};
	const char *reason = NULL;

	path_split(j->path, &parts);
	j->route = route_find(j->method, &parts, &vars);
	if (j->body_len && !strcmp(j->method, "DELETE")) {
		kv_fini(&vars);
		job_plain(j, 501, "Unexpected content for method 'DELETE'");
		return;
	}
	if (j->body_len > BODY_MAX) {
		kv_fini(&vars);
		job_plain(j, 501, "for data too large");
		return;
	}
	KV_FOREACH (i, &vars)
		kv_set(&j->params, i->key, i->value);
	kv_fini(&vars);
	{
		_cleanup_str_ char *decoded = strs_join(&parts, "/");

		free(j->path);
		j->path = mem_printf("/%s", decoded);
	}
	read_vmid(j);
	if (!(j->route && j->route->flags & ROUTE_WORLD) &&
	    !auth_identify(s, j, &j->who, &reason)) {
		mem_replace(&j->fault_text, reason);
		job_next(j, s->timing[TIMING_AUTH_DELAY], unauthorized);
		return;
	}
	if (!format_known(j->format)) {
		_cleanup_str_ char *why =
		    mem_printf("no formatter for uri %s, %s", j->path, j->format);

		job_plain(j, 501, why);
		return;
	}
	if (!j->route) {
		not_implemented(j);
		return;
	}
	if (!j->who.full)
		j->who = (struct who){mem_strdup(""), mem_strdup(""), false};
	j->cut_timer = sim_at(s, s->now + s->timing[TIMING_PROXY_CUT], cut, j);
	proxy(j);
}

static void fault_status(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	if (j->fault_status >= 595 || j->fault_status == 401) {
		job_status(
		    j, j->fault_status, j->fault_text ? j->fault_text : "Connection timed out");
		return;
	}
	oops_http(&o, j->fault_status ? j->fault_status : 500, "%s",
	    j->fault_text ? j->fault_text : "got no worker upid - start worker failed");
	job_oops(j, &o);
}

static void break_off(struct job *j, enum sim_cut how)
{
	struct sim_reply r = {.cut = how, .body = "", .reason = ""};

	if (!j->answered && j->cb)
		j->cb(j->arg, &r);
	j->answered = true;
	job_done(j);
}

static void faulted(struct job *j)
{
	switch (j->fault) {
	case SIM_FAULT_REFUSE:
		break_off(j, SIM_CUT_REFUSED);
		return;
	case SIM_FAULT_RESET_BEFORE:
		break_off(j, SIM_CUT_RESET);
		return;
	case SIM_FAULT_STATUS:
		fault_status(j);
		return;
	case SIM_FAULT_UNAUTHORIZED:
		job_next(j, j->sim->timing[TIMING_AUTH_DELAY], unauthorized);
		return;
	case SIM_FAULT_FORBIDDEN:
		j->fault_status = 403;
		if (!j->fault_text)
			j->fault_text = mem_strdup("Permission check failed");
		fault_status(j);
		return;
	case SIM_FAULT_HOLD:
		fault_held(j);
		return;
	case SIM_FAULT_DELAY:
		job_next(j, j->fault_delay, dispatch);
		return;
	case SIM_FAULT_RESET_AFTER:
	case SIM_FAULT_DELAY_ANSWER:
	case SIM_FAULT_HOLD_ANSWER:
	case SIM_FAULT_STATUS_AFTER:
	case SIM_FAULT_TASK_ERROR:
	case SIM_FAULT_TASK_ERROR_AFTER:
	case SIM_FAULT_TASK_HANG:
	case SIM_FAULT_TASK_HOLD:
	case SIM_FAULT_TRUNCATE:
	case SIM_FAULT_OLD_COPY:
	case SIM_FAULT__MAX:
		break;
	}
	dispatch(j);
}

static void arrive(struct job *j)
{
	if (!j->entry->up || !j->entry->proxy) {
		break_off(j, SIM_CUT_REFUSED);
		return;
	}
	fault_pick(j);
	if (j->faulty)
		faulted(j);
	else
		dispatch(j);
}

void api_arrive(void *arg)
{
	struct job *j = arg;
	struct sim *s = j->sim;

	j->timer = 0;
	s->acting = j;
	arrive(j);
	s->acting = NULL;
}

bool quorum_check(struct job *j, struct oops *o)
{
	return j->node->quorate || MUTANT(MINORITY_WRITES)
		   ? true
		   : oops_die(o, "cluster not ready - no quorum?");
}

bool pmxcfs_check(struct job *j, int64_t vmid, struct oops *o)
{
	if (j->node->quorate)
		return true;
	return oops_die(o,
	    "unable to open file '/etc/pve/nodes/%s/qemu-server/%" PRId64
	    ".conf.tmp.%u' - Permission denied",
	    j->node->name, vmid, j->task ? j->task->pid : j->node->pid);
}
