/* Calls about users, tokens and rights. */
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"

static struct jsn *privs_json(uint64_t bits, uint64_t prop)
{
	struct jsn *o = jsn_new_object();

	for (size_t i = 0; i < SPRIV__MAX; i++)
		if (bits & ((uint64_t)1 << i))
			jsn_put_int(o, priv_word((enum spriv)i), (prop & ((uint64_t)1 << i)) != 0);
	return o;
}

static void push_path(struct job *j, struct jsn *d, const char *path)
{
	uint64_t prop, bits = auth_privs(j->sim, &j->who, path, &prop);

	if (bits)
		jsn_put(d, path, privs_json(bits, prop));
}

void api_permissions(struct job *j)
{
	static const char *const usual[] = {
	    "/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"};
	struct sim *s = j->sim;
	struct jsn *d = jsn_new_object();
	const char *path = job_param(j, "path");
	_cleanup_strs_ struct strs given = {0};

	auth_paths(s, &given);
	if (path)
		push_path(j, d, path);
	else {
		for (size_t i = 0; i < ARRAY_LEN(usual); i++)
			push_path(j, d, usual[i]);
		for (size_t i = 0; i < given.n; i++)
			push_path(j, d, given.v[i]);
		for (size_t i = 0; i < s->nguests; i++)
			if (s->guests[i]->pool) {
				_cleanup_str_ char *p =
				    mem_printf("/vms/%lld", (long long)s->guests[i]->vmid);

				push_path(j, d, p);
			}
		for (size_t i = 0; i < s->npools; i++)
			for (size_t k = 0; k < s->pools[i]->stores.n; k++) {
				_cleanup_str_ char *p =
				    mem_printf("/storage/%s", s->pools[i]->stores.v[k]);

				push_path(j, d, p);
			}
	}
	job_ok(j, d);
}

void api_acl_get(struct job *j)
{
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < j->sim->nacls; i++) {
		const struct sacl *l = &j->sim->acls[i];
		struct jsn *o = jsn_new_object();

		jsn_put_str(o, "path", l->path);
		jsn_put_str(o, "ugid", *l->who == '@' ? l->who + 1 : l->who);
		jsn_put_str(o, "type",
		    *l->who == '@'	  ? "group"
		    : strchr(l->who, '!') ? "token"
					  : "user");
		jsn_put_str(o, "roleid", l->role);
		jsn_put_int(o, "propagate", l->propagate);
		jsn_push(a, o);
	}
	job_ok(j, a);
}

static void acl_one(
    struct sim *s, const char *path, const char *who, const char *role, bool prop, bool del)
{
	for (size_t i = 0; i < s->nacls; i++) {
		struct sacl *a = &s->acls[i];

		if (strcmp(a->path, path) != 0 || strcmp(a->who, who) != 0 ||
		    strcmp(a->role, role) != 0)
			continue;
		a->propagate = prop;
		if (del) {
			free(a->path);
			free(a->who);
			free(a->role);
			*a = s->acls[--s->nacls];
		}
		return;
	}
	if (del)
		return;
	MEM_PUSH_ROOM(s->acls, s->nacls, s->aclcap);
	s->acls[s->nacls++] =
	    (struct sacl){mem_strdup(path), mem_strdup(who), mem_strdup(role), prop};
}

/* A guest has at least three digits; the rest is not looked at. */
static bool acl_path_good(const char *path)
{
	const char *vm = text_after(path, "/vms/");

	return !vm || (*vm >= '1' && *vm <= '9' && strlen(vm) >= 3 &&
			  strspn(vm, "0123456789") == strlen(vm));
}

void api_acl_put(struct job *j)
{
	static const char *const lists[] = {"users", "tokens", "groups"};
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	_cleanup_strs_ struct strs roles = {0};
	const char *p = job_param(j, "propagate");

	if (!auth_check(
		s, &j->who, job_param(j, "path"), PRIV_BIT(PERMISSIONS_MODIFY), false, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!acl_path_good(job_param(j, "path"))) {
		oops_param(&o, "path", "invalid ACL path '%s'", job_param(j, "path"));
		job_oops(j, &o);
		return;
	}
	if (text_split(job_param(j, "roles"), ",; ", true, 32, &roles) < 0)
		roles = (struct strs){0};
	for (size_t r = 0; r < roles.n; r++) {
		if (!role_find(s, roles.v[r])) {
			job_die(j, "update ACL failed: role '%s' does not exist", roles.v[r]);
			return;
		}
		for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
			_cleanup_strs_ struct strs l = {0};
			const char *v = job_param(j, lists[k]);

			if (!v || text_split(v, ",; ", true, 64, &l) < 0)
				continue;
			for (size_t i = 0; i < l.n; i++) {
				_cleanup_str_ char *who =
				    mem_printf("%s%s", k == 2 ? "@" : "", l.v[i]);

				acl_one(s, job_param(j, "path"), who, roles.v[r],
				    !p || !strcmp(p, "1"), job_param_bool(j, "delete"));
			}
		}
	}
	job_ok(j, NULL);
}

static bool may_user(struct job *j, const char *user, struct oops *o)
{
	if (!strcmp(user, j->who.user))
		return true;
	return auth_check(j->sim, &j->who, "/access/groups", PRIV_BIT(USER_MODIFY), false, o);
}

static void token_post_do(struct job *j)
{
	struct sim *s = j->sim;
	const char *user = job_param(j, "userid"), *name = job_param(j, "tokenid");
	struct suser *u = user_find(s, user);
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *full = mem_printf("%s!%s", user, name);
	struct jsn *d, *info;
	struct stoken t;

	if (!may_user(j, user, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!u) {
		job_die(j, "no such user ('%s')", user);
		return;
	}
	for (size_t i = 0; i < u->ntokens; i++)
		if (!strcmp(u->tokens[i].name, name)) {
			oops_param(&o, "tokenid", "Token already exists.");
			job_oops(j, &o);
			return;
		}
	t = (struct stoken){mem_strdup(name), sim_uuid(s), job_param_int(j, "privsep", 1) == 1,
	    job_param_int(j, "expire", 0), mem_strdup(job_param(j, "comment"))};
	MEM_PUSH_ROOM(u->tokens, u->ntokens, u->tcap);
	u->tokens[u->ntokens++] = t;
	d = jsn_new_object();
	info = jsn_new_object();
	/* As given, or the number that is the default. */
	if (job_param(j, "privsep"))
		jsn_put_str(info, "privsep", t.privsep ? "1" : "0");
	else
		jsn_put_int(info, "privsep", 1);
	jsn_put(d, "info", info);
	jsn_put_str(d, "full-tokenid", full);
	jsn_put_str(d, "value", t.secret);
	job_ok(j, d);
}

void api_token_post(struct job *j)
{
	job_lock_cfs(j, "file-user_cfg", "generating token failed: ", token_post_do);
}

static bool token_drop(struct suser *u, const char *name)
{
	for (size_t i = 0; u && i < u->ntokens; i++)
		if (!strcmp(u->tokens[i].name, name)) {
			free(u->tokens[i].name);
			free(u->tokens[i].comment);
			mem_free_secret(&u->tokens[i].secret);
			u->tokens[i] = u->tokens[--u->ntokens];
			return true;
		}
	return false;
}

void api_token_delete(struct job *j)
{
	const char *user = job_param(j, "userid"), *name = job_param(j, "tokenid");
	_cleanup_oops_ struct oops o = {0};

	if (!may_user(j, user, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!token_drop(user_find(j->sim, user), name))
		job_die(j, "no such token '%s' for user '%s'", name, user);
	else
		job_ok(j, NULL);
}

/* The privileges of a request; false after answering what is wrong with them. */
static bool role_privs(struct job *j, uint64_t *ret)
{
	struct sim *s = j->sim;
	const char *list = job_param(j, "privs");
	_cleanup_strs_ struct strs l = {0};
	_cleanup_oops_ struct oops o = {0};

	*ret = 0;
	if (list && text_split(list, ",; ", true, 64, &l) < 0)
		l = (struct strs){0};
	for (size_t i = 0; i < l.n; i++) {
		uint64_t b = priv_parse(s, l.v[i]);

		if (!b) {
			oops_param(
			    &o, "privs", "invalid format - invalid privilege '%s'\n", l.v[i]);
			job_oops(j, &o);
			return false;
		}
		*ret |= b;
	}
	return true;
}

/* A change replaces the privileges, with append it adds to them. */
void api_role_put(struct job *j)
{
	const char *id = job_param(j, "roleid");
	struct srole *r = role_find(j->sim, id);
	uint64_t bits;

	if (!role_privs(j, &bits))
		return;
	if (!r) {
		job_die(j, "update role failed: role '%s' does not exist", id);
		return;
	}
	if (r->special) {
		job_die(j, "auto-generated role '%s' cannot be modified", id);
		return;
	}
	r->privs = bits | (job_param_bool(j, "append") ? r->privs : 0);
	job_ok(j, NULL);
}

void api_role_post(struct job *j)
{
	struct sim *s = j->sim;
	const char *id = job_param(j, "roleid");
	uint64_t bits;

	if (role_find(s, id)) {
		job_die(j, "create role failed: role '%s' already exists", id);
		return;
	}
	if (!role_privs(j, &bits))
		return;
	MEM_PUSH_ROOM(s->roles, s->nroles, s->rolecap);
	s->roles[s->nroles++] = (struct srole){mem_strdup(id), bits, false};
	job_ok(j, NULL);
}

void api_token_put(struct job *j)
{
	const char *user = job_param(j, "userid"), *name = job_param(j, "tokenid"),
		   *comment = job_param(j, "comment"), *sep = job_param(j, "privsep");
	struct suser *u = user_find(j->sim, user);
	struct stoken *t = NULL;
	_cleanup_oops_ struct oops o = {0};
	struct jsn *d;

	if (!may_user(j, user, &o)) {
		job_oops(j, &o);
		return;
	}
	for (size_t i = 0; u && i < u->ntokens; i++)
		if (!strcmp(u->tokens[i].name, name))
			t = &u->tokens[i];
	if (!t) {
		job_die(j, "no such token '%s' for user '%s'", name, user);
		return;
	}
	if (comment)
		mem_replace(&t->comment, comment);
	if (sep)
		t->privsep = !strcmp(sep, "1");
	t->expire = job_param_int(j, "expire", t->expire);
	d = jsn_new_object();
	jsn_put_int(d, "expire", t->expire);
	jsn_put_int(d, "privsep", t->privsep);
	if (job_param_bool(j, "regenerate")) {
		_cleanup_str_ char *full = mem_printf("%s!%s", user, name);

		mem_free_secret(&t->secret);
		t->secret = sim_uuid(j->sim);
		jsn_put_str(d, "full-tokenid", full);
		jsn_put_str(d, "value", t->secret);
	}
	job_ok(j, d);
}

void api_roles(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < s->nroles; i++) {
		struct jsn *o = jsn_new_object();
		struct strs l = {0};
		_cleanup_str_ char *list = NULL;

		for (size_t k = 0; k < SPRIV__MAX; k++)
			if (s->roles[i].privs & ((uint64_t)1 << k))
				strs_add(&l, priv_word((enum spriv)k));
		strs_sort_unique(&l);
		list = strs_join(&l, ",");
		strs_fini(&l);
		jsn_put_str(o, "roleid", s->roles[i].name);
		jsn_put_str(o, "privs", list);
		jsn_put_int(o, "special", s->roles[i].special);
		jsn_push(a, o);
	}
	job_ok(j, a);
}

void api_role_delete(struct job *j)
{
	struct sim *s = j->sim;
	struct srole *r = role_find(s, job_param(j, "roleid"));

	if (!r) {
		job_die(j, "delete role failed: role '%s' does not exist", job_param(j, "roleid"));
		return;
	}
	free(r->name);
	*r = s->roles[--s->nroles];
	job_ok(j, NULL);
}
