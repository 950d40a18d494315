/* Which node a guest is to have: what is there, groups and rules, then where the fewest are. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_harule.h"

bool ha_online(const struct node *n)
{
	return n->up && n->quorate && !n->cut && !n->maint;
}

static const struct ha_rule *group_of(const struct sim *s, const struct guest *g)
{
	const char *name = kv_get(&g->ha_conf, "group");

	return name ? ha_rule_find(&s->ha_groups, name) : NULL;
}

bool ha_failback(const struct sim *s, const struct guest *g)
{
	const struct ha_rule *group = group_of(s, g);

	if (group)
		return !ha_rule_flag(group, "nofailback");
	return !s->v9 || !text_eq(kv_get(&g->ha_conf, "failback"), "0");
}

struct guest *ha_guest_of(const struct sim *s, const char *sid)
{
	const char *id = text_after(sid, "vm:");
	struct guest *g;
	int64_t vmid;

	if (!id || text_to_int(id, 1, SIM_VMID_MAX, &vmid) < 0)
		return NULL;
	g = guest_find(s, vmid);
	return g && g->ha && !text_eq(g->ha_want, "ignored") ? g : NULL;
}

/* A node in the choice for one guest. */
struct spot {
	struct node *n;
	bool may, best;
	int64_t pri;
	size_t load, with; /* guests looked after; those that are kept with this one */
	bool apart;	   /* one that is kept away from it is there */
};

/* Nodes with their priorities, "n1:2,n2"; what is not named has -1 unless the list is strict. */
static void by_nodes(struct spot *v, size_t n, const char *nodes, bool strict)
{
	_cleanup_strs_ struct strs l = {0};

	ha_words(nodes, &l);
	for (size_t i = 0; i < n; i++) {
		v[i].pri = -1;
		v[i].may = !strict;
		for (size_t k = 0; k < l.n; k++) {
			size_t len = strcspn(l.v[k], ":");

			if (strlen(v[i].n->name) != len || strncmp(l.v[k], v[i].n->name, len) != 0)
				continue;
			v[i].may = true;
			v[i].pri = 0;
			if (l.v[k][len] && text_to_int(l.v[k] + len + 1, 0, 1000, &v[i].pri) < 0)
				v[i].pri = 0;
		}
	}
}

/* Does one in this state count for the nodes it has to do with? */
static bool counts(const struct guest *g)
{
	return g->ha && g->ha_state && strcmp(g->ha_state, "stopped") != 0 &&
	       strcmp(g->ha_state, "recovery") != 0;
}

static bool uses(const struct guest *g, const struct node *n)
{
	return counts(g) &&
	       (g->node == n || (g->ha_step != HA_STEP_NONE && text_eq(g->ha_target, n->name)));
}

static void by_guests(
    const struct sim *s, const struct ha_rules *all, const char *sid, struct spot *v, size_t n)
{
	_cleanup_strs_ struct strs with = {0};

	ha_kept_together(all, sid, &with);
	for (size_t k = 0; k < with.n; k++) {
		const struct guest *o = ha_guest_of(s, with.v[k]);

		for (size_t i = 0; o && strcmp(with.v[k], sid) != 0 && i < n; i++)
			v[i].with += uses(o, v[i].n);
	}
	for (size_t r = 0; r < all->n; r++) {
		_cleanup_strs_ struct strs l = {0};

		ha_words(kv_get(&all->v[r].conf, "resources"), &l);
		if (!ha_rule_of_guests(&all->v[r], "negative"))
			continue;
		for (size_t k = 0; k < l.n; k++) {
			const struct guest *o = ha_guest_of(s, l.v[k]);
			bool mine = false;

			for (size_t m = 0; m < with.n; m++) /* what is kept with it counts, too */
				mine = mine || (ha_list_has(kv_get(&all->v[r].conf, "resources"),
						    with.v[m]) &&
						   !strs_has(&with, l.v[k]));
			for (size_t i = 0; o && mine && i < n; i++)
				v[i].apart = v[i].apart || uses(o, v[i].n);
		}
	}
}

/* Nodes and their priorities for this guest: of its group, of its rule. */
static void by_rules(const struct sim *s, const struct guest *g, const struct ha_rules *all,
    struct spot *v, size_t n)
{
	const struct ha_rule *group = s->v9 ? NULL : group_of(s, g);
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid), *list = NULL;
	_cleanup_strs_ struct strs with = {0};

	if (group)
		by_nodes(v, n, kv_get(&group->conf, "nodes"), ha_rule_flag(group, "restricted"));
	if (!s->v9 || !all->n)
		return;
	ha_kept_together(all, sid, &with);
	list = strs_join(&with, ",");
	for (size_t i = 0; i < all->n; i++)
		if (ha_rule_of_nodes(&all->v[i]) &&
		    ha_common(kv_get(&all->v[i].conf, "resources"), list)) {
			by_nodes(v, n, kv_get(&all->v[i].conf, "nodes"),
			    ha_rule_flag(&all->v[i], "strict"));
			break;
		}
}

/* The nodes that are there, each with what speaks for it; how many. Owned by the caller. */
static size_t spots(const struct sim *s, const struct guest *g, struct spot **ret)
{
	struct spot *v = mem_calloc(s->nnodes + 1, sizeof(*v));
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	struct ha_rules all = {0};
	size_t n = 0;
	int64_t top = INT64_MIN;

	for (size_t i = 0; i < s->nnodes; i++)
		if (ha_online(s->nodes[i]))
			v[n++] = (struct spot){.n = s->nodes[i], .may = true};
	if (s->v9)
		ha_rules_count(s, &all);
	by_rules(s, g, &all, v, n);
	if (all.n)
		by_guests(s, &all, sid, v, n);
	ha_rules_free(&all);
	for (size_t i = 0; i < n; i++)
		if (v[i].may && v[i].pri > top)
			top = v[i].pri;
	for (size_t i = 0; i < n; i++)
		v[i].best = v[i].may && v[i].pri == top;
	*ret = v;
	return n;
}

/* Those that are to be apart are, and those that are kept together go where most of them are. */
static void apply_affinity(struct spot *v, size_t n)
{
	const struct spot *most = NULL;

	for (size_t i = 0; i < n; i++)
		v[i].best = v[i].best && !v[i].apart;
	for (size_t i = 0; i < n; i++)
		if (v[i].best && v[i].with &&
		    (!most || v[i].with > most->with ||
			(v[i].with == most->with && strcmp(v[i].n->name, most->n->name) < 0)))
			most = &v[i];
	for (size_t i = 0; most && i < n; i++)
		v[i].best = &v[i] == most;
}

static int by_load(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	if (x->best != y->best)
		return x->best ? -1 : 1;
	if (x->load != y->load)
		return x->load < y->load ? -1 : 1;
	return strcmp(x->n->name, y->n->name);
}

static struct node *pick(
    const struct sim *s, const struct guest *g, struct spot *v, size_t n, enum ha_prefer how)
{
	size_t best = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].best && v[i].n == g->ha_home)
			return v[i].n;
	for (size_t i = 0; i < n; i++)
		if (v[i].best && v[i].n == g->node && how == HA_STAY)
			return v[i].n;
	for (size_t i = 0; i < n; i++) {
		best += v[i].best;
		for (size_t k = 0; k < s->nguests; k++)
			v[i].load += s->guests[k]->ha && uses(s->guests[k], v[i].n);
	}
	qsort(v, n, sizeof(*v), by_load);
	for (size_t i = 0; i + 1 < best && how == HA_NEXT; i++)
		if (v[i].n == g->node)
			return v[i + 1].n;
	return best ? v[0].n : NULL;
}

struct node *ha_place(const struct sim *s, const struct guest *g, enum ha_prefer how)
{
	struct spot *v;
	size_t n = spots(s, g, &v);
	struct node *to = NULL;
	bool stays = false;

	for (size_t i = 0; i < n && how == HA_STAY && !ha_failback(s, g); i++)
		stays = stays || (v[i].n == g->node && v[i].may && (v[i].with || !v[i].apart));
	for (size_t i = 0; i < n && how == HA_NEXT; i++)
		v[i].best = v[i].best && !strs_has(&g->ha_failed, v[i].n->name);
	apply_affinity(v, n);
	to = stays ? g->node : n ? pick(s, g, v, n, how) : NULL;
	free(v);
	return to;
}

void ha_together(const struct sim *s, const struct guest *g, struct strs *ret)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	_cleanup_strs_ struct strs with = {0};
	struct ha_rules all = {0};

	*ret = (struct strs){0};
	if (!s->v9 || !g->ha)
		return;
	ha_rules_count(s, &all);
	ha_kept_together(&all, sid, &with);
	for (size_t i = 0; i < with.n; i++)
		if (strcmp(with.v[i], sid) != 0 && ha_guest_of(s, with.v[i]))
			strs_add(ret, with.v[i]);
	ha_rules_free(&all);
}

void ha_blocked(const struct sim *s, const struct guest *g, const struct node *to, struct strs *ret)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	struct ha_rules all = {0};
	struct spot *v;
	size_t n;

	*ret = (struct strs){0};
	if (!s->v9 || !g->ha || text_eq(g->ha_want, "ignored"))
		return;
	n = spots(s, g, &v);
	for (size_t i = 0; i < n; i++)
		if (v[i].n == to && (!v[i].may || (ha_failback(s, g) && !v[i].best))) {
			strs_add(ret, sid);
			strs_add(ret, "node-affinity");
		}
	free(v);
	ha_rules_count(s, &all);
	for (size_t i = 0; ha_online(to) && i < all.n; i++) {
		const char *list = kv_get(&all.v[i].conf, "resources");
		_cleanup_strs_ struct strs l = {0};

		ha_words(list, &l);
		for (size_t k = 0;
		     ha_rule_of_guests(&all.v[i], "negative") && ha_list_has(list, sid) && k < l.n;
		     k++) {
			const struct guest *o = ha_guest_of(s, l.v[k]);

			if (!o || o == g || (o->node != to && !uses(o, to)))
				continue;
			strs_add(ret, l.v[k]);
			strs_add(ret, "resource-affinity");
		}
	}
	ha_rules_free(&all);
}
