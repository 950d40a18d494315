/*
 * sim_harule: where the HA manager may and wants to have a guest: the groups of 8, the rules of 9,
 * and the choice of a node by them.
 *
 * Not the calls of the API (sim_api_harule), not what the manager then does (sim_ha).
 *
 * Rules and groups belong to the simulation and are moved when one is removed. A rule's members
 * stand in its conf as the API has them: type, resources, nodes, affinity, strict, disable,
 * comment; nodes, restricted, nofailback, comment of a group. Lists are sorted, with commas.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_HARULE_H
#define RAMET_SIM_HARULE_H

#include "sim_state.h"

enum ha_prefer {
	HA_STAY, /* where it is, if that is as good as any */
	HA_BEST, /* where the fewest are */
	HA_NEXT, /* where its start did not fail yet */
	HA_PREFER__MAX
};

struct ha_rule *ha_rule_find(const struct ha_rules *all, const char *id);
struct ha_rule *ha_rule_add(struct ha_rules *all, const char *id);
void ha_rule_drop(struct ha_rules *all, struct ha_rule *r);
void ha_rules_free(struct ha_rules *all);
bool ha_rule_flag(const struct ha_rule *r, const char *key);
bool ha_rule_of_nodes(const struct ha_rule *r); /* and not disabled */
bool ha_rule_of_guests(const struct ha_rule *r, const char *affinity);

/* The words of a list, in order, each once. */
void ha_words(const char *list, struct strs *ret);
size_t ha_common(const char *a, const char *b); /* how many words are in both lists */
/* Is there a word in a list with commas? */
bool ha_list_has(const char *list, const char *word);
/* The list in order, each once; nodes without a priority of 0. Owned. */
char *ha_list_canon(const char *list);
/* The resource is in no rule any more; one that is left without any goes, too. */
void ha_rules_forget(struct sim *s, const char *sid);

/* All rules of 9 as they count: those of the file and what the groups that are still there amount
 * to. Owned by the caller. */
void ha_rules_all(const struct sim *s, struct ha_rules *ret);
/* What makes a rule impossible beside the others of "all", as texts; none if it counts. */
void ha_rule_wrong(
    const struct sim *s, const struct ha_rules *all, const struct ha_rule *r, struct strs *ret);

/* Those that count, without the impossible ones. Owned by the caller. */
void ha_rules_count(const struct sim *s, struct ha_rules *ret);
/* The resources that are kept with this one, itself among them. */
void ha_kept_together(const struct ha_rules *all, const char *sid, struct strs *ret);

/* The manager reaches it, and it is not in maintenance. */
bool ha_online(const struct node *n);
/* Is it to go back to better nodes by itself? */
bool ha_failback(const struct sim *s, const struct guest *g);
/* The node for it; NULL when no one may have it. */
struct node *ha_place(const struct sim *s, const struct guest *g, enum ha_prefer how);
/* In 9: which others go with it, and which (or its own rule) keep it away from a node: pairs of sid
 * and cause. */
void ha_together(const struct sim *s, const struct guest *g, struct strs *ret);
void ha_blocked(const struct sim *s, const struct guest *g, const struct node *n, struct strs *ret);
/* What 9 makes of the groups of 8: rules, and members of resources. */
void ha_groups_migrate(struct sim *s);
struct guest *ha_guest_of(const struct sim *s, const char *sid); /* "vm:100"; NULL if not managed */

#endif
