#include "sim_haseed.h"

#include <string.h>

#include "sim_ha.h"
#include "sim_harule.h"

static int load_one(const struct seed *c, const struct ynode *map, struct ha_rules *all,
    const char *known, const char *needed)
{
	_cleanup_strs_ struct strs keys = {0};
	const char *name = field_str(map, "name", NULL);
	struct ha_rule *r;

	if (field_known(c, map, known) < 0)
		return -1;
	if (!name || ha_rule_find(all, name))
		return field_bad(c, map, "it needs a name that no other one has");
	ha_words(needed, &keys);
	for (size_t i = 0; i < keys.n; i++)
		if (!ynode_get(map, keys.v[i]))
			return field_bad(c, map, "%s: %s is needed", name, keys.v[i]);
	r = ha_rule_add(all, name);
	for (size_t i = 0; i < map->n; i++) {
		const char *key = map->keys[i], *text = field_str(map, key, "");
		_cleanup_strs_ struct strs list = {0};
		_cleanup_str_ char *joined = NULL, *canon = NULL;

		if (!strcmp(key, "name"))
			continue;
		if (!strcmp(key, "nodes") || !strcmp(key, "resources")) {
			field_list(map->items[i], &list);
			joined = strs_join(&list, ",");
			canon = ha_list_canon(joined);
		} else if (!strcmp(text, "true") || !strcmp(text, "false"))
			canon = mem_strdup(*text == 't' ? "1" : "0");
		kv_set(&r->conf, key, canon ? canon : text);
	}
	return 0;
}

static int load_seq(const struct seed *c, const struct ynode *seq, bool groups)
{
	for (size_t i = 0; seq && i < seq->n; i++) {
		const struct ynode *map = seq->items[i];
		bool nodes = !strcmp(field_str(map, "type", ""), "node-affinity");
		int r = groups ? load_one(c, map, &c->s->ha_groups,
				     "|name|nodes|restricted|nofailback|comment|", "nodes")
			       : load_one(c, map, &c->s->ha_rules,
				     "|name|type|resources|nodes|affinity|strict|disable|comment|",
				     nodes ? "type,resources,nodes" : "type,resources,affinity");

		if (r < 0)
			return -1;
	}
	return 0;
}

int haseed_load(const struct seed *c, const struct ynode *map)
{
	if (!map)
		return 0;
	if (field_known(c, map, "|groups|rules|") < 0)
		return -1;
	if (ynode_get(map, "rules") && !c->s->v9)
		return field_bad(c, map, "8.4 has groups and no rules");
	c->s->ha_wait = 3;
	return load_seq(c, ynode_get(map, "groups"), true) < 0
		   ? -1
		   : load_seq(c, ynode_get(map, "rules"), false);
}

int haseed_guest(const struct seed *c, const struct ynode *n, struct guest *g)
{
	static const char *const keys[] = {
	    "comment", "failback", "group", "max_relocate", "max_restart"};
	const char *state, *group;

	if (!n)
		return 0;
	if (n->kind == YNODE_MAP &&
	    field_known(c, n, "|state|comment|failback|group|max_relocate|max_restart|") < 0)
		return -1;
	state = n->kind == YNODE_MAP ? field_str(n, "state", "started") : n->text;
	if (!ha_word(state))
		return field_bad(c, n, "\"%s\" is no state of a HA resource", state);
	ha_manage(c->s, g, state);
	for (size_t i = 0; n->kind == YNODE_MAP && i < ARRAY_LEN(keys); i++) {
		const char *v = field_str(n, keys[i], NULL);

		if (v)
			kv_set(&g->ha_conf, keys[i],
			    !strcmp(v, "true")	  ? "1"
			    : !strcmp(v, "false") ? "0"
						  : v);
	}
	group = kv_get(&g->ha_conf, "group");
	if (group && !ha_rule_find(&c->s->ha_groups, group))
		return field_bad(c, n, "there is no HA group \"%s\"", group);
	g->ha_state = !ha_managed(g) ? NULL : g->running ? "started" : "stopped";
	return 0;
}
