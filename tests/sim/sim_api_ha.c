/* Calls to the HA manager: its resources. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_ha.h"
#include "sim_harule.h"

static const char *const members[] = {
    "comment", "failback", "group", "max_relocate", "max_restart"};

/* HA::Config::parse_sid: "vm:100", or the number alone. The guest may be absent. */
static struct guest *of_sid(struct job *j, char **ret_sid, struct oops *o)
{
	const char *sid = job_param(j, "sid"), *id = text_after(sid, "vm:");
	struct guest *g;
	int64_t vmid;

	*ret_sid = mem_strdup(sid);
	if (!id && strchr(sid, ':'))
		return NULL;
	if (text_to_int(id ? id : sid, 1, SIM_VMID_MAX, &vmid) < 0) {
		oops_die(o, "unable to parse service id '%s'", sid);
		return NULL;
	}
	g = guest_find(j->sim, vmid);
	if (!g && !id)
		oops_die(o, "unable do add resource - VM/CT %s does not exist", sid);
	free(*ret_sid);
	*ret_sid = mem_printf("vm:%" PRId64, vmid);
	return g;
}

static void of_file(struct buf *b, const struct guest *g)
{
	buf_addf(b, "vm: %" PRId64 "\n", g->vmid);
	KV_FOREACH (i, &g->ha_conf)
		buf_addf(b, "\t%s %s\n", i->key, i->value);
	buf_addf(b, "\tstate %s\n\n", g->ha_want);
}

void ha_resource_members(struct jsn *o, const struct guest *g)
{
	int64_t v;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *value = kv_get(&g->ha_conf, members[i]);

		if (strcmp(members[i], "comment") != 0 && strcmp(members[i], "group") != 0 &&
		    text_to_int(value, 0, INT64_MAX, &v) == 0)
			jsn_put_int(o, members[i], v);
		else
			jsn_put_str(o, members[i], value);
	}
}

static struct jsn *resource(const struct sim *s, const struct guest *g)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	struct jsn *o = jsn_new_object();
	char digest[41];
	struct buf all;

	buf_init(&all, 0);
	for (size_t i = 0; i < s->nguests; i++)
		if (s->guests[i]->ha)
			of_file(&all, s->guests[i]);
	sim_sha1(buf_str(&all), all.len, digest);
	buf_fini(&all);
	jsn_put_str(o, "sid", sid);
	jsn_put_str(o, "type", "vm");
	jsn_put_str(o, "state", g->ha_want);
	jsn_put_str(o, "digest", digest);
	ha_resource_members(o, g);
	return o;
}

/* index: a group that is no more is said. */
static struct jsn *listed(const struct sim *s, const struct guest *g)
{
	const char *group = kv_get(&g->ha_conf, "group");
	struct jsn *o = resource(s, g), *e;
	_cleanup_str_ char *text = mem_printf("group '%s' does not exist", group ? group : "");

	if (group && !ha_rule_find(&s->ha_groups, group)) {
		e = jsn_new_object();
		jsn_put_str(e, "group", text);
		jsn_put(o, "errors", e);
	}
	return o;
}

void api_ha_resources(struct job *j)
{
	struct jsn *a = jsn_new_array();
	const char *type = job_param(j, "type");

	for (size_t i = 0; i < j->sim->nguests; i++)
		if (j->sim->guests[i]->ha && (!type || !strcmp(type, "vm")))
			jsn_push(a, listed(j->sim, j->sim->guests[i]));
	job_ok(j, a);
}

void api_ha_resource(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	const struct guest *g = of_sid(j, &sid, &o);

	if (!o.status && (!g || !g->ha))
		oops_die(&o, "no such resource '%s'", sid);
	if (o.status)
		job_oops(j, &o);
	else
		job_ok(j, resource(j->sim, g));
}

static bool group_there(const struct job *j, struct oops *o)
{
	const char *group = job_param(j, "group");

	if (!group || ha_rule_find(&j->sim->ha_groups, group))
		return true;
	if (j->sim->v9 && !j->sim->ha_groups.n)
		return oops_die(
		    o, "invalid parameter 'group': ha groups have been migrated to rules");
	return oops_die(o, "HA group '%s' does not exist", group);
}

/* check_config and what PUT deletes */
static bool take(struct job *j, struct guest *g, struct oops *o)
{
	_cleanup_strs_ struct strs gone = {0};
	const char *state = job_param(j, "state"), *del = job_param(j, "delete");

	if (del && text_split(del, ",; ", true, 16, &gone) < 0)
		return oops_die(o, "no such option '%s'", del);
	for (size_t i = 0; i < gone.n; i++) {
		bool known = !strcmp(gone.v[i], "state");

		for (size_t k = 0; k < ARRAY_LEN(members); k++)
			known = known || !strcmp(gone.v[i], members[k]);
		if (!known)
			return oops_die(
			    o, "update resource failed: no such option '%s'", gone.v[i]);
	}
	for (size_t k = 0; k < ARRAY_LEN(members); k++)
		if (job_param(j, members[k]))
			kv_set(&g->ha_conf, members[k], job_param(j, members[k]));
	for (size_t i = 0; i < gone.n; i++)
		kv_del(&g->ha_conf, gone.v[i]);
	if (state || strs_has(&gone, "state"))
		g->ha_want = ha_word(strs_has(&gone, "state") ? "started" : state);
	return true;
}

static bool digest_fits(const struct job *j, const struct guest *g, struct oops *o)
{
	const char *digest = job_param(j, "digest");
	struct jsn *now = resource(j->sim, g);
	bool same = !digest || !*digest || text_eq(jsn_get_text(now, "digest"), digest);

	jsn_free(&now);
	return same ||
	       oops_die(o, "update resource failed: detected modified configuration - file changed "
			   "by other user? Try again.");
}

static void ha_write(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	struct guest *g = of_sid(j, &sid, &o);
	bool create = !strcmp(j->method, "POST");
	const char *state = job_param(j, "state");

	if (!o.status && create && !g)
		oops_die(&o, "resource '%s' does not exist in cluster", sid);
	else if (!o.status && group_there(j, &o) && create && g->ha)
		oops_die(&o, "create resource failed: resource ID '%s' already defined", sid);
	else if (!o.status && !create && (!g || !g->ha))
		oops_die(&o, "update resource failed: no such resource '%s'", sid);
	else if (!o.status && !create && text_eq(g->ha_state, "error") &&
		 !text_eq(state, "disabled"))
		oops_die(&o, "service '%s' in error state, must be disabled and fixed first", sid);
	else if (!o.status && !create)
		digest_fits(j, g, &o);
	if (!o.status && create)
		ha_manage(j->sim, g, state ? state : "started");
	if (!o.status && take(j, g, &o)) {
		note(j->sim, g, "ha", "", NULL, g->ha_want);
		ha_kick(j->sim);
	}
	if (o.status)
		job_oops(j, &o);
	else
		job_ok(j, NULL);
}

void api_ha_set(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	if (!strcmp(j->method, "POST") && !quorum_check(j, &o))
		job_oops(j, &o);
	else
		job_lock_cfs(j, "domain-ha", NULL, ha_write);
}

void api_ha_remove(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	struct guest *g = of_sid(j, &sid, &o);

	if (o.status)
		job_oops(j, &o);
	else if (!g || !g->ha)
		job_die(j, "cannot delete service '%s', not HA managed!", sid);
	else {
		note(j->sim, g, "ha", "", g->ha_want, NULL);
		ha_manage(j->sim, g, NULL);
		if (j->sim->v9 && (!job_param(j, "purge") || job_param_bool(j, "purge")))
			ha_rules_forget(j->sim, sid);
		job_ok(j, NULL);
	}
}

/* Where it may not go, or what goes with it. */
static struct jsn *moved(struct job *j, struct guest *g, const char *sid, bool *ret_blocked)
{
	const char *name = job_param(j, "node");
	const struct node *node = node_find(j->sim, name);
	_cleanup_strs_ struct strs why = {0}, with = {0};
	struct jsn *d = jsn_new_object(), *a = jsn_new_array();

	jsn_put_str(d, "sid", sid);
	jsn_put_str(d, "requested-node", name);
	if (node)
		ha_blocked(j->sim, g, node, &why);
	*ret_blocked = why.n > 0;
	if (!why.n)
		ha_together(j->sim, g, &with);
	for (size_t i = 0; i < with.n; i++)
		jsn_push(a, jsn_new_str(with.v[i]));
	for (size_t i = 0; i + 1 < why.n; i += 2) {
		struct jsn *b = jsn_new_object();

		jsn_put_str(b, "sid", why.v[i]);
		jsn_put_str(b, "cause", why.v[i + 1]);
		jsn_push(a, b);
	}
	if (jsn_len(a))
		jsn_put(d, why.n ? "blocking-resources" : "comigrated-resources", a);
	else
		jsn_free(&a);
	return d;
}

void api_ha_move(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	struct guest *g = of_sid(j, &sid, &o);
	bool blocked = false;
	struct jsn *d;

	if (!o.status && (!g || !ha_managed(g)))
		oops_die(&o, "resource '%s' is not HA managed", sid);
	else if (!o.status && text_eq(g->ha_state, "error"))
		oops_die(&o, "service '%s' in error state, must be disabled and fixed first", sid);
	if (o.status) {
		job_oops(j, &o);
		return;
	}
	d = moved(j, g, sid, &blocked);
	if (!blocked)
		ha_move(j->sim, g, job_param(j, "node"), text_ends(j->route->path, "/relocate"));
	if (!j->sim->v9)
		jsn_free(&d);
	job_ok(j, d);
}
