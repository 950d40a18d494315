/* Calls for the groups of 8 and the rules of 9, and what 9 says of groups that are none any more.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_ha.h"
#include "sim_harule.h"

static void file_digest(const struct ha_rules *all, char ret[41])
{
	struct buf b;

	buf_init(&b, 0);
	for (size_t i = 0; i < all->n; i++) {
		buf_addf(&b, "%s\n", all->v[i].id);
		KV_FOREACH (k, &all->v[i].conf)
			buf_addf(&b, "\t%s %s\n", k->key, k->value);
	}
	sim_sha1(buf_str(&b), b.len, ret);
	buf_fini(&b);
}

static struct jsn *shown(const struct ha_rules *all, const struct ha_rule *r, const char *as)
{
	struct jsn *o = jsn_new_object();
	char digest[41];
	int64_t v;

	file_digest(all, digest);
	jsn_put_str(o, as, r->id);
	jsn_put_str(o, "digest", digest);
	KV_FOREACH (i, &r->conf)
		if (strcmp(i->key, "comment") != 0 && text_to_int(i->value, 0, 1, &v) == 0)
			jsn_put_int(o, i->key, v);
		else
			jsn_put_str(o, i->key, i->value);
	return o;
}

/* "a, b" of a comma list, options that are known and may go; they are deleted then. */
static bool delete_keys(
    struct job *j, struct kv *conf, const char *known, const char *needed, struct oops *o)
{
	const char *del = job_param(j, "delete");
	_cleanup_strs_ struct strs gone = {0};

	if (del && text_split(del, ",; ", true, 16, &gone) < 0)
		return oops_die(o, "no such option '%s'", del);
	for (size_t i = 0; i < gone.n; i++) {
		if (ha_list_has(needed, gone.v[i]))
			return oops_die(o, "unable to delete required option '%s'", gone.v[i]);
		if (!ha_list_has(known, gone.v[i]))
			return oops_die(o, "no such option '%s'", gone.v[i]);
		kv_del(conf, gone.v[i]);
	}
	return true;
}

static bool same_digest(const struct job *j, const struct ha_rules *all, struct oops *o)
{
	const char *digest = job_param(j, "digest");
	char now[41];

	file_digest(all, now);
	return !digest || !*digest || !strcmp(digest, now) ||
	       oops_die(o, "detected modified configuration - file changed by other user? Try "
			   "again.");
}

static void take(struct job *j, struct kv *conf, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *v = job_param(j, keys[i]);
		_cleanup_str_ char *list = NULL;

		if (!v)
			continue;
		if (!strcmp(keys[i], "nodes") || !strcmp(keys[i], "resources"))
			list = ha_list_canon(v);
		kv_set(conf, keys[i], list ? list : v);
	}
}

/* What failed stands before why. */
static void failed(struct job *j, const char *what, struct oops *o)
{
	_cleanup_str_ char *msg = mem_printf("%s failed: %s", what, o->msg);

	mem_replace(&o->msg, msg);
	job_oops(j, o);
}

static void done(struct job *j, const char *effect, const char *id)
{
	note(j->sim, NULL, effect, id, NULL, strcmp(j->method, "DELETE") != 0 ? id : NULL);
	ha_kick(j->sim);
	job_ok(j, NULL);
}

/* --- groups --- */

#define GROUP_KEYS "nodes,comment,nofailback,restricted"

/* 9 without groups: they have become rules, or never were. */
static bool groups_there(struct job *j, const char *doing)
{
	if (!j->sim->v9 || j->sim->ha_groups.n)
		return true;
	job_die(j, "cannot %s: ha groups have been migrated to rules", doing);
	return false;
}

void api_ha_groups(struct job *j)
{
	struct jsn *a;

	if (!groups_there(j, "index groups"))
		return;
	a = jsn_new_array();
	for (size_t i = 0; i < j->sim->ha_groups.n; i++) {
		struct jsn *o = shown(&j->sim->ha_groups, &j->sim->ha_groups.v[i], "group");

		jsn_put_str(o, "type", "group");
		jsn_push(a, o);
	}
	job_ok(j, a);
}

void api_ha_group(struct job *j)
{
	const char *id = job_param(j, "group");
	const struct ha_rule *r = ha_rule_find(&j->sim->ha_groups, id);
	struct jsn *o;

	if (!groups_there(j, "read group"))
		return;
	if (!r) {
		job_die(j, "no such ha group '%s'", id);
		return;
	}
	o = shown(&j->sim->ha_groups, r, "group");
	jsn_put_str(o, "type", "group");
	job_ok(j, o);
}

static void group_write(struct job *j)
{
	static const char *const keys[] = {"nodes", "comment", "nofailback", "restricted"};
	struct ha_rules *all = &j->sim->ha_groups;
	const char *id = job_param(j, "group");
	struct ha_rule *r = ha_rule_find(all, id);
	bool create = !strcmp(j->method, "POST");
	_cleanup_oops_ struct oops o = {0};

	if (create && r)
		oops_die(&o, "ha group ID '%s' already defined", id);
	else if (!create && same_digest(j, all, &o) && !r)
		oops_die(&o, "no such ha group '%s'", id);
	if (!o.status && create)
		r = ha_rule_add(all, id);
	if (!o.status) {
		take(j, &r->conf, keys, ARRAY_LEN(keys));
		delete_keys(j, &r->conf, GROUP_KEYS, "nodes", &o);
	}
	if (o.status)
		failed(j, create ? "create ha group" : "update ha group", &o);
	else
		done(j, "ha-group", id);
}

void api_ha_group_set(struct job *j)
{
	bool create = !strcmp(j->method, "POST");
	_cleanup_oops_ struct oops o = {0};

	if (!groups_there(j, create ? "create group" : "update group"))
		return;
	if (create && !quorum_check(j, &o))
		job_oops(j, &o);
	else
		job_lock_cfs(j, "domain-ha", NULL, group_write);
}

static void group_remove(struct job *j)
{
	const char *id = job_param(j, "group");
	struct ha_rule *r = ha_rule_find(&j->sim->ha_groups, id);

	for (size_t i = 0; i < j->sim->nguests; i++) {
		const struct guest *g = j->sim->guests[i];

		if (g->ha && text_eq(kv_get(&g->ha_conf, "group"), id)) {
			job_die(j,
			    "delete ha group failed: ha group is used by service 'vm:%" PRId64 "'",
			    g->vmid);
			return;
		}
	}
	if (r)
		ha_rule_drop(&j->sim->ha_groups, r);
	done(j, "ha-group", id);
}

void api_ha_group_delete(struct job *j)
{
	if (groups_there(j, "delete group"))
		job_lock_cfs(j, "domain-ha", NULL, group_remove);
}

/* --- rules --- */

#define NODE_KEYS "affinity,comment,disable,nodes,resources,strict"
#define GUEST_KEYS "affinity,comment,disable,resources"

static struct jsn *rule_json(
    const struct sim *s, const struct ha_rules *all, const struct ha_rule *r)
{
	struct jsn *o = shown(&s->ha_rules, r, "rule"), *errors, *list;
	_cleanup_strs_ struct strs why = {0};

	jsn_put_int(o, "order", r - all->v + 1);
	if (!kv_has(&r->conf, "affinity"))
		jsn_put_str(o, "affinity", "positive");
	ha_rule_wrong(s, all, r, &why);
	if (!why.n)
		return o;
	errors = jsn_new_object();
	list = jsn_new_array();
	for (size_t i = 0; i < why.n; i++)
		jsn_push(list, jsn_new_str(why.v[i]));
	jsn_put(errors, "resources", list);
	jsn_put(o, "errors", errors);
	return o;
}

void api_ha_rules(struct job *j)
{
	const char *type = job_param(j, "type"), *sid = job_param(j, "resource");
	struct jsn *a;
	struct ha_rules all;

	if (!api_since_9(j))
		return;
	a = jsn_new_array();
	ha_rules_all(j->sim, &all);
	for (size_t i = 0; i < all.n; i++)
		if ((!type || text_eq(kv_get(&all.v[i].conf, "type"), type)) &&
		    (!sid || ha_list_has(kv_get(&all.v[i].conf, "resources"), sid)))
			jsn_push(a, rule_json(j->sim, &all, &all.v[i]));
	ha_rules_free(&all);
	job_ok(j, a);
}

void api_ha_rule(struct job *j)
{
	const char *id = job_param(j, "rule");
	const struct ha_rule *r;
	struct ha_rules all;

	if (!api_since_9(j))
		return;
	ha_rules_all(j->sim, &all);
	r = ha_rule_find(&all, id);
	if (r)
		job_ok(j, rule_json(j->sim, &all, r));
	else
		job_die(j, "no such ha rule '%s'", id);
	ha_rules_free(&all);
}

/* Those whom the rule names are looked after, and its nodes are there. */
static bool named_there(const struct job *j, struct oops *o)
{
	_cleanup_strs_ struct strs sids = {0}, nodes = {0}, no_sid = {0}, no_node = {0};
	_cleanup_str_ char *text = NULL;

	ha_words(job_param(j, "resources"), &sids);
	for (size_t i = 0; i < sids.n; i++) {
		const char *id = text_after(sids.v[i], "vm:");
		const struct guest *g;
		int64_t vmid;

		g = id && text_to_int(id, 1, SIM_VMID_MAX, &vmid) == 0 ? guest_find(j->sim, vmid)
								       : NULL;
		if (!g || !g->ha)
			strs_add(&no_sid, sids.v[i]);
	}
	ha_words(job_param(j, "nodes"), &nodes);
	for (size_t i = 0; i < nodes.n; i++) {
		nodes.v[i][strcspn(nodes.v[i], ":")] = '\0';
		if (!node_find(j->sim, nodes.v[i]))
			strs_add(&no_node, nodes.v[i]);
	}
	text = strs_join(no_sid.n ? &no_sid : &no_node, ", ");
	if (no_sid.n)
		return oops_die(o, "cannot use unmanaged resource(s) %s.", text);
	return !no_node.n || oops_die(o, "cannot use non-existant node(s) %s.", text);
}

/* assert_feasibility: the rule as it would be, beside the others. */
static bool possible(struct sim *s, const struct ha_rule *r, struct oops *o)
{
	_cleanup_strs_ struct strs why = {0};
	_cleanup_str_ char *text = NULL;
	struct ha_rules all;

	ha_rules_all(s, &all);
	ha_rule_wrong(s, &all, ha_rule_find(&all, r->id), &why);
	ha_rules_free(&all);
	text = strs_join(&why, ", ");
	return !why.n || oops_die(o, "400 Rule '%s' is invalid.\nresources: %s", r->id, text);
}

static void rule_write(struct job *j)
{
	static const char *const keys[] = {
	    "affinity", "comment", "disable", "nodes", "resources", "strict"};
	struct ha_rules *all = &j->sim->ha_rules;
	const char *id = job_param(j, "rule");
	struct ha_rule *r = ha_rule_find(all, id);
	bool create = !strcmp(j->method, "POST"), of_nodes;
	_cleanup_oops_ struct oops o = {0};
	_cleanup_kv_ struct kv before = {0};

	if (create && r)
		oops_die(&o, "HA rule '%s' already defined", id);
	else if (!create && same_digest(j, all, &o) && !r)
		oops_die(&o, "HA rule '%s' does not exist", id);
	else if (!o.status)
		named_there(j, &o);
	if (!o.status) {
		if (create) {
			r = ha_rule_add(all, id);
			kv_set(&r->conf, "type", job_param(j, "type"));
		}
		kv_copy(&before, &r->conf);
		of_nodes = text_eq(kv_get(&r->conf, "type"), "node-affinity");
		if (delete_keys(j, &r->conf, of_nodes ? NODE_KEYS : GUEST_KEYS,
			of_nodes ? "nodes,resources" : "affinity,resources", &o)) {
			take(j, &r->conf, keys, ARRAY_LEN(keys));
			possible(j->sim, r, &o);
		}
		if (o.status && create)
			ha_rule_drop(all, r);
		else if (o.status) {
			kv_fini(&r->conf);
			kv_copy(&r->conf, &before);
		}
	}
	if (o.status)
		failed(j, create ? "create ha rule" : "update HA rules", &o);
	else
		done(j, "ha-rule", id);
}

/* Each type has members of its own. */
static bool members_fit(struct job *j, const char *type, bool create, struct oops *o)
{
	bool nodes = text_eq(type, "node-affinity");
	const char *needed = nodes ? "nodes" : "affinity";
	static const char *const of_nodes[] = {"nodes", "strict"};

	if (create && !job_param(j, needed))
		oops_param(o, needed, "property is missing and it is not optional");
	for (size_t i = 0; i < ARRAY_LEN(of_nodes) && !nodes; i++)
		if (job_param(j, of_nodes[i]))
			oops_param(o, of_nodes[i],
			    "property is not defined in schema and the schema does not allow "
			    "additional properties");
	if (nodes && text_eq(job_param(j, "affinity"), "negative"))
		oops_param(o, "affinity",
		    "value 'negative' does not have a value in the enumeration 'positive'");
	return !o->status;
}

void api_ha_rule_set(struct job *j)
{
	const char *type = job_param(j, "type");
	const struct ha_rule *r = ha_rule_find(&j->sim->ha_rules, job_param(j, "rule"));
	bool create = !strcmp(j->method, "POST");
	_cleanup_oops_ struct oops o = {0};

	if (!api_since_9(j))
		return;
	if (!create && r)
		type = kv_get(&r->conf, "type");
	if ((type && !members_fit(j, type, create, &o)) || (create && !quorum_check(j, &o)))
		job_oops(j, &o);
	else
		job_lock_cfs(j, "domain-ha", NULL, rule_write);
}

static void rule_remove(struct job *j)
{
	const char *id = job_param(j, "rule");
	struct ha_rule *r = ha_rule_find(&j->sim->ha_rules, id);

	if (r)
		ha_rule_drop(&j->sim->ha_rules, r);
	done(j, "ha-rule", id);
}

void api_ha_rule_delete(struct job *j)
{
	if (api_since_9(j))
		job_lock_cfs(j, "domain-ha", NULL, rule_remove);
}
