/* Pools. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"

static struct jsn *members(struct job *j, const struct pool *p, const char *type)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; (!type || !strcmp(type, "qemu")) && i < s->nguests; i++)
		if (text_eq(s->guests[i]->pool, p->name)) {
			struct row r = {0};

			if (resource_guest(
				&r, j, s->guests[i], true, false)) /* by the pool alone */
				jsn_push(a, r.tree);
		}
	for (size_t i = 0; (!type || !strcmp(type, "storage")) && i < p->stores.n; i++) {
		struct store *st = store_find(s, p->stores.v[i]);

		for (size_t k = 0; st && k < s->nnodes; k++)
			if (store_on(st, s->nodes[k]))
				jsn_push(a, resource_store(s, st, s->nodes[k], s->nodes[k]->up));
	}
	return a;
}

static struct jsn *pool_json(struct job *j, const struct pool *p, bool full)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "poolid", p->name);
	if (p->comment && *p->comment)
		jsn_put_str(o, "comment", p->comment);
	if (full)
		jsn_put(o, "members", members(j, p, job_param(j, "type")));
	return o;
}

static bool pool_seen(struct job *j, const char *name)
{
	_cleanup_str_ char *path = mem_printf("/pool/%s", name);

	return auth_has(j->sim, &j->who, path, PRIV_BIT(POOL_AUDIT));
}

void api_pools(struct job *j)
{
	struct sim *s = j->sim;
	const char *id = job_param(j, "poolid");
	_cleanup_oops_ struct oops o = {0};
	struct jsn *a;

	if (id) {
		_cleanup_str_ char *path = mem_printf("/pool/%s", id);

		if (!auth_check(s, &j->who, path, PRIV_BIT(POOL_AUDIT), false, &o)) {
			job_oops(j, &o);
			return;
		}
		if (!pool_find(s, id)) {
			job_die(j, "pool '%s' does not exist", id);
			return;
		}
	}
	a = jsn_new_array();
	for (size_t i = 0; i < s->npools; i++)
		if (id ? !strcmp(s->pools[i]->name, id) : pool_seen(j, s->pools[i]->name))
			jsn_push(a, pool_json(j, s->pools[i], id != NULL));
	job_ok(j, a);
}

void api_pool_get(struct job *j)
{
	const char *id = job_param(j, "poolid");
	const struct pool *p = pool_find(j->sim, id);

	if (!p)
		job_die(j, "pool '%s' does not exist", id);
	else
		job_ok(j, pool_json(j, p, true));
}

/* user.cfg is written under a lock of the cluster's file system. */
static void pool_post_do(struct job *j)
{
	struct sim *s = j->sim;
	const char *id = job_param(j, "poolid");
	struct pool *p;

	if (pool_find(s, id)) {
		job_die(j, "create pool failed: pool '%s' already exists", id);
		return;
	}
	p = mem_alloc(sizeof(*p));
	p->name = mem_strdup(id);
	p->comment = mem_strdup(job_param(j, "comment"));
	MEM_PUSH_ROOM(s->pools, s->npools, s->poolcap);
	s->pools[s->npools++] = p;
	note(s, NULL, "pool-new", id, NULL, NULL);
	job_ok(j, NULL);
}

void api_pool_post(struct job *j)
{
	job_lock_cfs(j, "file-user_cfg", "create pool failed: ", pool_post_do);
}

static void ghost_drop(struct pool *p, const char *vm)
{
	struct strs rest = {0};

	for (size_t i = 0; i < p->ghosts.n; i++)
		if (strcmp(p->ghosts.v[i], vm) != 0)
			strs_add(&rest, p->ghosts.v[i]);
	strs_fini(&p->ghosts);
	p->ghosts = rest;
}

/* check_perm_modify in lock_user_config: the exception has become a text by the time it is told. */
static bool may_put(struct job *j, const char *what, const char *id, struct oops *o)
{
	bool vm = !strcmp(what, "vms");
	_cleanup_str_ char *path = mem_printf("/%s/%s", what, id);

	if (who_is_root(&j->who) ||
	    auth_has(j->sim, &j->who, path,
		PRIV_BIT(PERMISSIONS_MODIFY) |
		    (vm ? PRIV_BIT(VM_ALLOCATE) : PRIV_BIT(DATASTORE_ALLOCATE))))
		return true;
	return oops_die(o,
	    "update pools failed: 403 Permission check failed (%s, Permissions.Modify|%s)", path,
	    vm ? "VM.Allocate" : "Datastore.Allocate");
}

static bool check_vm(struct job *j, const struct pool *p, const char *vm, bool del, struct oops *o)
{
	const struct guest *g = guest_find(j->sim, strtoll(vm, NULL, 10));
	bool in = g ? text_eq(g->pool, p->name) : strs_has(&p->ghosts, vm);

	if (!may_put(j, "vms", vm, o))
		return false;
	if (del && !in)
		return oops_die(o, "update pools failed: VM %s is not a pool member", vm);
	if (!del && in)
		return oops_die(o, "update pools failed: VM %s is already a pool member", vm);
	if (!del && g && g->pool && !job_param_bool(j, "allow-move"))
		return oops_die(o,
		    "update pools failed: VM %s belongs already to pool '%s' and 'allow-move' is "
		    "not set",
		    vm, g->pool);
	return true;
}

static void put_vm(struct job *j, struct pool *p, const char *vm, bool del)
{
	struct guest *g = guest_find(j->sim, strtoll(vm, NULL, 10));

	if (g)
		guest_pool(j->sim, g, del ? NULL : p->name);
	else if (del)
		ghost_drop(p, vm);
	else
		strs_add(&p->ghosts, vm);
}

static bool check_store(
    struct job *j, const struct pool *p, const char *name, bool del, struct oops *o)
{
	if (!may_put(j, "storage", name, o))
		return false;
	if (del != strs_has(&p->stores, name))
		return oops_die(o, "update pools failed: Storage '%s' is %s a pool member", name,
		    del ? "not" : "already");
	return true;
}

static void put_store(struct pool *p, const char *name, bool del)
{
	struct strs rest = {0};

	if (!del) {
		strs_add(&p->stores, name);
		return;
	}
	for (size_t i = 0; i < p->stores.n; i++)
		if (strcmp(p->stores.v[i], name) != 0)
			strs_add(&rest, p->stores.v[i]);
	strs_fini(&p->stores);
	p->stores = rest;
}

/* A name that comes twice is what it was made by the first. */
static bool once(const struct strs *l, size_t i, const char *what, bool del, struct oops *o)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(l->v[k], l->v[i]))
			return oops_die(o, "update pools failed: %s %s is %s a pool member", what,
			    l->v[i], del ? "not" : "already");
	return true;
}

/* user.cfg is written as a whole when all of it is good. */
static void pool_put_do(struct job *j)
{
	const char *id = job_param(j, "poolid"), *vms = job_param(j, "vms"),
		   *stores = job_param(j, "storage"), *comment = job_param(j, "comment");
	struct pool *p = pool_find(j->sim, id);
	_cleanup_strs_ struct strs v = {0}, st = {0};
	_cleanup_oops_ struct oops o = {0};
	bool del = job_param_bool(j, "delete"), ok = true;

	if (!p) {
		job_die(j, "update pools failed: pool '%s' does not exist", id);
		return;
	}
	if (vms && text_split(vms, ",; ", true, 4096, &v) < 0)
		v = (struct strs){0};
	if (stores && text_split(stores, ",; ", true, 256, &st) < 0)
		st = (struct strs){0};
	for (size_t i = 0; ok && i < v.n; i++)
		ok = once(&v, i, "VM", del, &o) && check_vm(j, p, v.v[i], del, &o);
	for (size_t i = 0; ok && i < st.n; i++)
		ok = once(&st, i, "Storage", del, &o) && check_store(j, p, st.v[i], del, &o);
	if (!ok) {
		job_oops(j, &o);
		return;
	}
	if (comment)
		mem_replace(&p->comment, comment);
	for (size_t i = 0; i < v.n; i++)
		put_vm(j, p, v.v[i], del);
	for (size_t i = 0; i < st.n; i++)
		put_store(p, st.v[i], del);
	job_ok(j, NULL);
}

void api_pool_put(struct job *j)
{
	job_lock_cfs(j, "file-user_cfg", "update pools failed: ", pool_put_do);
}

void api_pool_delete(struct job *j)
{
	struct sim *s = j->sim;
	const char *id = job_param(j, "poolid");
	struct pool *p = pool_find(s, id);
	_cleanup_str_ char *below = mem_printf("%s/", id);
	_cleanup_str_ char *path = mem_printf("/pool/%s", id);

	if (!p) {
		job_die(j, "delete pool failed: pool '%s' does not exist", id);
		return;
	}
	for (size_t i = 0; i < s->npools; i++)
		if (text_starts(s->pools[i]->name, below)) {
			job_die(j,
			    "delete pool failed: pool '%s' is not empty (contains pool '%s')", id,
			    s->pools[i]->name);
			return;
		}
	for (size_t i = 0; i < s->nguests; i++)
		if (text_eq(s->guests[i]->pool, id)) {
			job_die(j,
			    "delete pool failed: pool '%s' is not empty (contains VM %" PRId64 ")",
			    id, s->guests[i]->vmid);
			return;
		}
	if (p->stores.n) {
		job_die(j, "delete pool failed: pool '%s' is not empty (contains storage '%s')", id,
		    p->stores.v[0]);
		return;
	}
	note(s, NULL, "pool-delete", id, NULL, NULL);
	for (size_t i = 0; i < s->npools; i++)
		if (s->pools[i] == p)
			s->pools[i] = s->pools[--s->npools];
	for (size_t i = 0; i < s->nacls; i++)
		if (!strcmp(s->acls[i].path, path)) {
			free(s->acls[i].path);
			free(s->acls[i].who);
			free(s->acls[i].role);
			s->acls[i--] = s->acls[--s->nacls];
		}
	free(p->name);
	free(p->comment);
	strs_fini(&p->stores);
	strs_fini(&p->ghosts);
	free(p);
	job_ok(j, NULL);
}
