/*
 * policy: what this controller may do at all, and what PVE would refuse, asked before each step.
 *
 * Not the limits of single values (schema), not what a change does to the guest (effect), and not
 * the further questions before a clone (preflight).
 *
 * Nothing is kept; findings become blocked changes.
 *
 * Pure.
 */
#ifndef RAMET_POLICY_H
#define RAMET_POLICY_H

#include "planner.h"

#define POLICY_QUORUM_MS 15000 /* longer than a partition takes to be noticed */

/* The value of the change's leaf is within the lists of the configuration. Else it is blocked. */
bool policy_allows_change(struct planner *pl, struct change *c);
/* REASON_IN_SYNC when the step may be done now; else why not, with a message. */
enum reason policy_step(const struct planner *pl, const struct step *s, char **ret_message);
/* The storage can take disk images on the guest's node. Else the change is blocked. */
bool policy_storage_fits(
    struct planner *pl, struct change *c, const char *storage, const char *format);

/* The same for any list and word: an empty list allows everything. */
bool policy_is_in(const struct strs *list, const char *word);
/* NULL when the value is within the lists of the configuration, else the setting that forbids it.
 */
const char *policy_forbids(const struct plan_policy *p, const struct attr *a, const char *text);
/* Blocks the change when it is not. */
bool policy_is_allowed(
    const struct planner *pl, struct change *c, const struct attr *a, const char *text);
/* Storages of this plugin keep images as files. */
bool policy_keeps_files(const char *plugin);
/* REASON_IN_SYNC when disk images of the format (may be NULL) can be made there; else why not. */
enum reason policy_storage_problem(
    const struct planner *pl, const char *storage, const char *format, char **ret_why);

#endif
