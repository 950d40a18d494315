/*
 * observe: PVE's answers as observed values: the cluster's lists, one guest's configuration.
 *
 * Not the asking (reconcile/inventory.h, reconcile/look.h) and not a verdict: "cannot see" stays
 * "cannot see".
 *
 * Fills structures that the caller owns (obs_guest_fini, obs_cluster_fini). Answers are foreign:
 * what has the wrong form is left out, and a list that is no list fails the call.
 *
 * Pure.
 */
#ifndef RAMET_OBSERVE_H
#define RAMET_OBSERVE_H

#include "jsn.h"
#include "observed.h"

#define OBSERVE_ROWS_MAX 200000
#define OBSERVE_KEYS_MAX 2000

/* GET …/qemu/N/pending, left unread (pvereq.h): current, pending, pending_keys, digest, template,
 * uuid, and the lock. */
int observe_pending(const char *list, size_t len, struct obs_guest *g, struct err **err) MUST_CHECK;
/* GET …/qemu/N/status/current: power, started_s, HA, the lock. wall_ms = now. */
int observe_status(
    const struct jsn *data, int64_t wall_ms, struct obs_guest *g, struct err **err) MUST_CHECK;
/* GET …/qemu/N/snapshot. */
int observe_snapshots(const struct jsn *data, struct obs_guest *g, struct err **err) MUST_CHECK;

/* GET …/qemu/N/config?snapshot=…: what a clone of it begins with, *ret is added to. */
int observe_snapshot_config(const struct jsn *data, struct kv *ret, struct err **err) MUST_CHECK;

/* GET /cluster/resources by type. Each replaces what c has of that kind. The guests, who may be
 * thousands, come from an answer that was left unread. */
int observe_rows(const char *list, size_t len, struct obs_cluster *c, struct err **err) MUST_CHECK;
int observe_nodes(const struct jsn *data, struct obs_cluster *c, struct err **err) MUST_CHECK;
/* c is as it was before, or empty: since when a storage is silent is taken over from it. */
int observe_storages(
    const struct jsn *data, int64_t wall_ms, struct obs_cluster *c, struct err **err) MUST_CHECK;
/* GET /cluster/status: quorate. A node without a cluster is quorate. */
int observe_quorum(const struct jsn *data, bool *ret_quorate, struct err **err) MUST_CHECK;
/* The same, and the node is the one that answers, or is seen by it: only then is what the answer
 * says of quorum also so for that node. */
int observe_quorum_of(
    const struct jsn *data, const char *node, bool *ret_quorate, struct err **err) MUST_CHECK;
/* GET /cluster/options: vmid_lower, vmid_upper. Options that are not shown are not set. */
int observe_options(const struct jsn *data, struct obs_cluster *c, struct err **err) MUST_CHECK;
/* GET /version: version_major, version_minor. */
int observe_version(const struct jsn *data, struct obs_cluster *c, struct err **err) MUST_CHECK;

#endif
