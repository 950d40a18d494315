/*
 * inventory: machine: what the cluster looks like. Some calls per tick, however many guests.
 *
 * Not the reading of one guest (look.h). "Not in the list" is not "gone".
 *
 * Owns the view and lends it until the next turn. Callbacks come from the clock.
 *
 * The controller process.
 */
#ifndef RAMET_INVENTORY_H
#define RAMET_INVENTORY_H

#include "attrib.h"
#include "observed.h"
#include "pvereq.h"
#include "reason.h"

#define INVENTORY_QUORUM_SETTLED_MS 15000 /* longer than a partition takes to be noticed */

enum inventory_state {
#define INVENTORY(code, name, doc) INVENTORY_##code,
#include "inventory.def"
#undef INVENTORY
	INVENTORY__MAX
};

struct inventory_opts {
	struct clock *clock;
	struct pvereq *pve;
	int64_t tick_ms;
	const char *own_user; /* may be NULL */
	/* Why this cluster is not the one that is looked after (caller frees); NULL = it is. name:
	 * "" = it did not tell. May be NULL. */
	char *(*alien)(void *arg, const char *name, const struct obs_cluster *view);
	bool nothing_sent; /* quorum that is seen counts as lasting: for plans */
	/* A look ended, well or not. */
	void (*on_view)(void *arg);
	/* Something about these guests changed, or somebody did something to them: once for all
	 * that one answer tells. Ascending, each once. */
	void (*on_touched)(void *arg, const uint32_t *vmids, size_t n);
	void *arg;
};

struct inventory;
struct inventory *inventory_new(const struct inventory_opts *o);
void inventory_free(struct inventory **i);
void inventory_start(struct inventory *i);
/* The next look begins at once, or right after the one under way. */
void inventory_poke(struct inventory *i);

/* At least one whole look succeeded. */
bool inventory_is_ready(const struct inventory *i);
/* Number of looks that ended, well or not. */
uint64_t inventory_looks(const struct inventory *i);
/* The guests in the view were asked for after that moment. */
bool inventory_is_newer(const struct inventory *i, int64_t at);
const struct obs_cluster *inventory_view(const struct inventory *i);
/* The view is whole and quorum has been seen for long enough: what allocates may go ahead. */
bool inventory_settled(const struct inventory *i);
/* Why it is not: no quorum that can be seen, or only its first seconds. */
enum reason inventory_unsettled(const struct inventory *i);
/* NULL, or one sentence on why the last look failed, with what to do. */
const char *inventory_problem(const struct inventory *i);
/* The cluster cannot be reached or does not accept the token. */
bool inventory_is_down(const struct inventory *i);
bool inventory_is_unauthenticated(const struct inventory *i);
bool inventory_pools_known(const struct inventory *i);
/* The replication job that copies the disks of the guest, as it was seen last; NULL = none. */
const char *inventory_replication(const struct inventory *i, uint32_t vmid);
/* The log of others can be read. */
bool inventory_log_known(const struct inventory *i);
struct attrib *inventory_attrib(struct inventory *i);

#endif
