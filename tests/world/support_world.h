/*
 * support_world: a world of its own: simulated cluster, repository, state directory, virtual time,
 * and a controller that lives and dies in it.
 *
 * Not the schedule of what happens (test_world.c) and not the judging (support_judge.c).
 *
 * The world owns everything; world_free ends it at any moment.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_WORLD_H
#define RAMET_SUPPORT_WORLD_H

#include "buf.h"
#include "controller.h"
#include "sim.h"
#include "support_git.h"
#include "support_pve.h"
#include "support_store.h"
#include "vclock.h"

#define WORLD_USER "ramet@pve!ctl"
#define WORLD_SECRET "11111111-1111-1111-1111-111111111111"
#define WORLD_TOKEN WORLD_USER "=" WORLD_SECRET
#define WORLD_ID "world"
/* Of a cluster: who there is and what they may; more: further privileges of Ramet, ", Sys.Modify".
 */
#define WORLD_USERS_YAML(more)                                                                  \
	"roles:\n"                                                                              \
	"  - { name: Ramet, privs: [VM.Audit, VM.Clone, VM.Allocate, VM.PowerMgmt, "            \
	"VM.Config.CPU, VM.Config.Memory, VM.Config.Network, VM.Config.Disk, VM.Config.CDROM, " \
	"VM.Config.Cloudinit, VM.Config.HWType, VM.Config.Options, VM.Migrate, "                \
	"Datastore.AllocateSpace, Datastore.Audit, SDN.Use, Pool.Audit, Pool.Allocate, "        \
	"Sys.Audit, "                                                                           \
	"Sys.Syslog" more "] }\n"                                                               \
	"users:\n"                                                                              \
	"  - { name: \"ramet@pve\", tokens: [{ name: ctl, secret: "                             \
	"\"11111111-1111-1111-1111-111111111111\", privsep: true }] }\n"                        \
	"  - { name: \"admin@pve\", tokens: [{ name: t, secret: "                               \
	"\"22222222-2222-2222-2222-222222222222\", privsep: false }] }\n"                       \
	"acl:\n"                                                                                \
	"  - { path: /, who: \"admin@pve\", role: Administrator, propagate: true }\n"           \
	"  - { path: /, who: \"ramet@pve\", role: Ramet, propagate: true }\n"                   \
	"  - { path: /, who: \"ramet@pve!ctl\", role: Ramet, propagate: true }\n"

struct world {
	uint64_t seed, rng;
	struct vclock *vclock;
	struct clock *clock;
	struct sim *sim;
	struct memgit *git;
	struct memstore *store;
	struct config *config;
	/* one life of a controller */
	struct controller *controller;
	struct cluster_port *port;
	struct gitport *gitport;
	struct fates fates;
	bool doomed; /* dead as soon as the current event is over */
	bool trees;  /* the cluster's answers come as trees, see simport_set_trees */
	unsigned lives;
	uint64_t starts, since;	 /* of all controllers in it; the one that this life began with */
	bool observe_only;	 /* of the next life */
	unsigned destroy_budget; /* of the next life, by a person's word */
	/* what happened, for a person who looks at a failure */
	struct buf story;
	bool tell; /* on standard error, at once */
	unsigned violations;
	size_t journal_seen;
	size_t answers;	  /* of the cluster, to all lives */
	char *token_file; /* what stands in the file of the token; NULL = it is gone */
	size_t beyond;	  /* requests with a refused token beyond one a minute */
};

/* extra: lines of configuration in place of the usual ones, or NULL. */
struct world *world_new(uint64_t seed, const char *extra);
/* The same on another cluster. */
extern const char world_cluster_yaml[]; /* of world_new */
struct world *world_new_on(uint64_t seed, const char *extra, const char *cluster_yaml);
void world_free(struct world **w);
/* No lines of the log on standard error: the story has what counts. */
void world_quiet(void);

uint64_t world_random(struct world *w, uint64_t below);
void world_tell(struct world *w, const char *fmt, ...) PRINTF(2, 3);
void world_violation(struct world *w, const char *fmt, ...) PRINTF(2, 3);

void world_start(struct world *w, enum controller_mode mode);
/* With a desired state given by hand (apply PATH). */
void world_start_path(struct world *w, const struct bundle *desired);
/* kill -9: nothing is said any more. */
void world_kill(struct world *w);
/* The process dies right after its n-th next line in the journal, before anything else happens. */
void world_kill_after_lines(struct world *w, unsigned n);

/* Asked before each touch with the outside, from now on. */
void world_set_fates(struct world *w,
    enum fate (*ask)(void *arg, enum touch kind, const char *what, const char *where), void *arg);

/* One event, or a second in which nothing happens. */
void world_step(struct world *w);
/* Until done says so, or until so much virtual time has gone by. `each` (may be NULL) is called
 * after every event. */
bool world_run(
    struct world *w, int64_t ms, bool (*done)(struct world *w), void (*each)(struct world *w));

/* The repository's only manifest from now on: web-01, a linked clone on pve2, and more lines of its
 * spec. */
void world_merge_web(struct world *w, const char *more, const char *message);
/* Whatever may become of a call to the cluster, one after the other: i below WORLD_CALL_FAULTS. */
#define WORLD_CALL_FAULTS 13
void world_add_fault(
    struct world *w, size_t i, const char *method, const char *path, unsigned times);

/* A person who reads the report does what it says: root removes what a broken clone or removal
 * left, with the very commands. */
void world_clean_up(struct world *w);
/* The VM that carries the marker of the manifest with its own number; 0 = none. *ret_n (may be
 * NULL) gets how many there are. */
int64_t world_find(struct world *w, const char *name, size_t *ret_n);
/* All VMs are Ready by the controller's own word. */
bool world_all_ready(struct world *w);
/* Status of one VM by the controller's own word, NULL = none. */
const struct vmstat *world_vmstat(struct world *w, const char *name);

#endif
