#include "sim_harule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4096

/* --- rules and their lists --- */

struct ha_rule *ha_rule_find(const struct ha_rules *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->v[i].id, id))
			return &all->v[i];
	return NULL;
}

struct ha_rule *ha_rule_add(struct ha_rules *all, const char *id)
{
	MEM_PUSH_ROOM(all->v, all->n, all->cap);
	all->v[all->n] = (struct ha_rule){.id = mem_strdup(id)};
	return &all->v[all->n++];
}

void ha_rule_drop(struct ha_rules *all, struct ha_rule *r)
{
	size_t i = (size_t)(r - all->v);

	free(r->id);
	kv_fini(&r->conf);
	memmove(r, r + 1, (all->n - i - 1) * sizeof(*r));
	all->n--;
}

void ha_rules_free(struct ha_rules *all)
{
	while (all->n)
		ha_rule_drop(all, &all->v[all->n - 1]);
	free(all->v);
	*all = (struct ha_rules){0};
}

bool ha_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strcspn(p, ",") == len && !strncmp(p, word, len))
			return true;
	return false;
}

void ha_words(const char *list, struct strs *ret)
{
	*ret = (struct strs){0};
	if (list && text_split(list, ",; \t", true, WORDS_MAX, ret) < 0)
		strs_fini(ret);
	strs_sort_unique(ret);
}

char *ha_list_canon(const char *list)
{
	_cleanup_strs_ struct strs l = {0};

	ha_words(list, &l);
	for (size_t i = 0; i < l.n; i++)
		if (text_ends(l.v[i], ":0"))
			l.v[i][strlen(l.v[i]) - 2] = '\0';
	return strs_join(&l, ",");
}

size_t ha_common(const char *a, const char *b)
{
	_cleanup_strs_ struct strs l = {0};
	size_t n = 0;

	ha_words(a, &l);
	for (size_t i = 0; i < l.n; i++)
		n += ha_list_has(b, l.v[i]);
	return n;
}

void ha_rules_forget(struct sim *s, const char *sid)
{
	for (size_t i = s->ha_rules.n; i--;) {
		struct ha_rule *r = &s->ha_rules.v[i];
		const char *list = kv_get(&r->conf, "resources");
		_cleanup_strs_ struct strs l = {0}, rest = {0};
		_cleanup_str_ char *text = NULL;

		if (!ha_list_has(list, sid))
			continue;
		ha_words(list, &l);
		for (size_t k = 0; k < l.n; k++)
			if (strcmp(l.v[k], sid) != 0)
				strs_add(&rest, l.v[k]);
		text = strs_join(&rest, ",");
		if (rest.n)
			kv_set(&r->conf, "resources", text);
		else
			ha_rule_drop(&s->ha_rules, r);
	}
}

/* --- what counts --- */

static bool is(const struct ha_rule *r, const char *key, const char *value)
{
	return text_eq(kv_get(&r->conf, key), value);
}

bool ha_rule_flag(const struct ha_rule *r, const char *key)
{
	return is(r, key, "1");
}

bool ha_rule_of_nodes(const struct ha_rule *r)
{
	return is(r, "type", "node-affinity") && !ha_rule_flag(r, "disable");
}

bool ha_rule_of_guests(const struct ha_rule *r, const char *affinity)
{
	return is(r, "type", "resource-affinity") && !ha_rule_flag(r, "disable") &&
	       is(r, "affinity", affinity);
}

/* A rule for the members of each group that has any. */
static void rules_of_groups(const struct sim *s, struct ha_rules *ret)
{
	for (size_t i = 0; i < s->ha_groups.n; i++) {
		const struct ha_rule *g = &s->ha_groups.v[i];
		const char *comment = kv_get(&g->conf, "comment");
		_cleanup_str_ char *id = mem_printf("ha-group-%s", g->id), *list = NULL;
		_cleanup_strs_ struct strs sids = {0};
		struct ha_rule *r;

		for (size_t k = 0; k < s->nguests; k++)
			if (s->guests[k]->ha &&
			    text_eq(kv_get(&s->guests[k]->ha_conf, "group"), g->id))
				strs_add_take(&sids, mem_printf("vm:%" PRId64, s->guests[k]->vmid));
		if (!sids.n || ha_rule_find(ret, id))
			continue;
		strs_sort_unique(&sids);
		list = strs_join(&sids, ",");
		r = ha_rule_add(ret, id);
		kv_set(&r->conf, "type", "node-affinity");
		kv_set(&r->conf, "resources", list);
		kv_set(&r->conf, "nodes", kv_get(&g->conf, "nodes"));
		if (ha_rule_flag(g, "restricted"))
			kv_set(&r->conf, "strict", "1");
		if (comment)
			kv_set(&r->conf, "comment", comment);
		else
			kv_setf(&r->conf, "comment", "Generated from HA group '%s'.", g->id);
	}
}

void ha_rules_all(const struct sim *s, struct ha_rules *ret)
{
	*ret = (struct ha_rules){0};
	for (size_t i = 0; i < s->ha_rules.n; i++)
		kv_copy(&ha_rule_add(ret, s->ha_rules.v[i].id)->conf, &s->ha_rules.v[i].conf);
	rules_of_groups(s, ret);
}

void ha_groups_migrate(struct sim *s)
{
	rules_of_groups(s, &s->ha_rules);
	for (size_t i = 0; i < s->nguests; i++) {
		struct guest *g = s->guests[i];

		if (!g->ha || !kv_has(&g->ha_conf, "group"))
			continue;
		kv_set(&g->ha_conf, "failback", ha_failback(s, g) ? "1" : "0");
		kv_del(&g->ha_conf, "group");
	}
	ha_rules_free(&s->ha_groups);
	note(s, NULL, "ha-groups", "", NULL, "rules");
}

void ha_kept_together(const struct ha_rules *all, const char *sid, struct strs *ret)
{
	bool more = true;

	*ret = (struct strs){0};
	strs_add(ret, sid);
	while (more) {
		_cleanup_str_ char *now = strs_join(ret, ",");

		more = false;
		for (size_t i = 0; i < all->n; i++) {
			const char *list = kv_get(&all->v[i].conf, "resources");
			_cleanup_strs_ struct strs l = {0};

			if (!ha_rule_of_guests(&all->v[i], "positive") || !ha_common(list, now))
				continue;
			ha_words(list, &l);
			for (size_t k = 0; k < l.n; k++)
				if (!strs_has(ret, l.v[k])) {
					strs_add(ret, l.v[k]);
					more = true;
				}
		}
	}
	strs_sort_unique(ret);
}

/* --- what is wrong with a rule (the checks of PVE::HA::Rules and its plugins) --- */

static bool many_priorities(const struct ha_rule *r)
{
	_cleanup_strs_ struct strs l = {0};
	const char *first = NULL;

	ha_words(kv_get(&r->conf, "nodes"), &l);
	for (size_t i = 0; i < l.n; i++) {
		const char *colon = strchr(l.v[i], ':'), *pri = colon ? colon + 1 : "0";

		if (first && strcmp(first, pri) != 0)
			return true;
		first = pri;
	}
	return false;
}

static size_t node_rules_for(const struct ha_rules *all, const char *sids)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += ha_rule_of_nodes(&all->v[i]) &&
		     ha_common(kv_get(&all->v[i].conf, "resources"), sids);
	return n;
}

/* A rule for guests that are to be apart: more of them bound to nodes than these nodes are. */
static bool too_narrow(const struct ha_rules *all, const struct ha_rule *apart)
{
	const char *mine = kv_get(&apart->conf, "resources");
	_cleanup_strs_ struct strs nodes = {0}, bound = {0};

	for (size_t i = 0; i < all->n; i++) {
		_cleanup_strs_ struct strs sids = {0}, at = {0};

		if (!ha_rule_of_nodes(&all->v[i]))
			continue;
		ha_words(kv_get(&all->v[i].conf, "resources"), &sids);
		ha_words(kv_get(&all->v[i].conf, "nodes"), &at);
		for (size_t k = 0; k < sids.n; k++)
			if (ha_list_has(mine, sids.v[k]))
				strs_add(&bound, sids.v[k]);
		for (size_t k = 0;
		     ha_common(mine, kv_get(&all->v[i].conf, "resources")) && k < at.n; k++) {
			at.v[k][strcspn(at.v[k], ":")] = '\0';
			strs_add(&nodes, at.v[k]);
		}
	}
	strs_sort_unique(&nodes);
	strs_sort_unique(&bound);
	return nodes.n < bound.n;
}

static void node_rule_wrong(const struct ha_rules *all, const struct ha_rule *r, struct strs *ret)
{
	const char *mine = kv_get(&r->conf, "resources");
	_cleanup_strs_ struct strs l = {0};
	bool several = false, joined = false, narrow = false;

	ha_words(mine, &l);
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_strs_ struct strs with = {0};
		_cleanup_str_ char *list = NULL;

		if (node_rules_for(all, l.v[i]) > 1)
			strs_add_take(ret,
			    mem_printf("resource '%s' is already used in another node affinity "
				       "rule",
				l.v[i]));
		ha_kept_together(all, l.v[i], &with);
		list = strs_join(&with, ",");
		joined = joined || (with.n > 1 && node_rules_for(all, list) > 1);
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct ha_rule *o = &all->v[i];
		bool apart = ha_rule_of_guests(o, "negative");

		if ((!apart && !ha_rule_of_guests(o, "positive")) ||
		    !ha_common(kv_get(&o->conf, "resources"), mine))
			continue;
		several = several || many_priorities(r);
		narrow = narrow || (apart && too_narrow(all, o));
	}
	if (several)
		strs_add(ret,
		    "resources are in a resource affinity rule and cannot be in a node affinity "
		    "rule with multiple priorities");
	if (joined)
		strs_add(ret,
		    "at least one resource is in a positive resource affinity rule and there are "
		    "other resources in at least one other node affinity rule already");
	if (narrow)
		strs_add(ret,
		    "at least one resource is in a negative resource affinity rule and this rule "
		    "would restrict these to less nodes than available to the resources");
}

static void guest_rule_wrong(
    const struct sim *s, const struct ha_rules *all, const struct ha_rule *r, struct strs *ret)
{
	const char *mine = kv_get(&r->conf, "resources");
	bool apart = ha_rule_of_guests(r, "negative"), several = false;
	_cleanup_strs_ struct strs l = {0}, with = {0};
	_cleanup_str_ char *list = NULL;

	ha_words(mine, &l);
	if (l.n < 2)
		strs_add(ret, "rule is ineffective as there are less than two resources");
	if (apart && l.n > s->nnodes)
		strs_add(ret, "rule defines more resources than available nodes");
	for (size_t i = 0; i < all->n; i++) {
		const char *theirs = kv_get(&all->v[i].conf, "resources");

		if (ha_rule_of_guests(&all->v[i], apart ? "positive" : "negative") &&
		    ha_common(mine, theirs) > 1)
			strs_add_take(
			    ret, mem_printf("rule shares two or more resources with a %s resource "
					    "affinity rule",
				     apart ? "positive" : "negative"));
		several = several || (ha_rule_of_nodes(&all->v[i]) && ha_common(mine, theirs) &&
					 many_priorities(&all->v[i]));
	}
	if (several)
		strs_add(ret, "resources are in node affinity rules with multiple priorities");
	if (l.n)
		ha_kept_together(all, l.v[0], &with);
	list = strs_join(&with, ",");
	if (!apart && node_rules_for(all, list) > 1)
		strs_add(ret, "resources are in multiple node affinity rules");
	if (apart && too_narrow(all, r))
		strs_add(ret,
		    "two or more resources are restricted to less nodes than available to the "
		    "resources");
}

void ha_rule_wrong(
    const struct sim *s, const struct ha_rules *all, const struct ha_rule *r, struct strs *ret)
{
	*ret = (struct strs){0};
	if (ha_rule_of_nodes(r))
		node_rule_wrong(all, r, ret);
	else if (ha_rule_of_guests(r, "positive") || ha_rule_of_guests(r, "negative"))
		guest_rule_wrong(s, all, r, ret);
}

void ha_rules_count(const struct sim *s, struct ha_rules *ret)
{
	struct ha_rules all;

	ha_rules_all(s, &all);
	*ret = (struct ha_rules){0};
	for (size_t i = 0; i < all.n; i++) {
		_cleanup_strs_ struct strs why = {0};

		ha_rule_wrong(s, &all, &all.v[i], &why);
		if (!why.n && !ha_rule_flag(&all.v[i], "disable"))
			kv_copy(&ha_rule_add(ret, all.v[i].id)->conf, &all.v[i].conf);
	}
	ha_rules_free(&all);
}
