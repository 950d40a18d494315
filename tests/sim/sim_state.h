/*
 * sim_state: what the simulated cluster consists of: nodes, storages, volumes, guests, tasks,
 * users.
 *
 * No behaviour of the API stands here (sim_api_*, sim_conf*, sim_clone …), only the things, how
 * they are found, and how a change is written down.
 *
 * struct sim owns everything. Pointers to guests and volumes are valid until the next step of any
 * job, because another one may remove them: jobs keep numbers and look again.
 *
 * Inside the simulated cluster only; tests use sim.h.
 */
#ifndef RAMET_SIM_STATE_H
#define RAMET_SIM_STATE_H

#include "buf.h"
#include "jsn.h"
#include "sim.h"

#define SIM_MAGIC 0x51a151a1u
#define SIM_VMID_MAX 999999999
#define SIM_UNUSED_MAX 256
#define NOT_DIRTY INT64_MIN
#define SIM_NICS_MAX 32

struct job;
struct task;
enum ha_ask { HA_START, HA_STOP, HA_STOP_NOW, HA_MIGRATE, HA_ASK__MAX };
enum ha_step { HA_STEP_NONE, HA_STEP_DOWN, HA_STEP_AWAY, HA_STEP__MAX };

/* A hash from text to pointer. The map copies keys and borrows values. */
struct smap {
	struct smap_slot {
		char *key;
		void *value;
	} * v;
	size_t cap, used, dead;
};
void smap_fini(struct smap *m);
void *smap_get(const struct smap *m, const char *key);
void smap_put(struct smap *m, const char *key, void *value);
void smap_del(struct smap *m, const char *key);

/* What a Perl `die` carries: a status, a text, and errors by parameter. */
struct oops {
	int status; /* 0 = nothing went wrong */
	char *msg;
	struct kv errors;
};
#define _cleanup_oops_ _cleanup_(oops_fini)
void oops_fini(struct oops *o);
bool oops_die(struct oops *o, const char *fmt, ...) PRINTF(2, 3); /* 500; returns false */
bool oops_http(struct oops *o, int status, const char *fmt, ...) PRINTF(3, 4); /* returns false */
bool oops_param(struct oops *o, const char *key, const char *fmt, ...) PRINTF(3, 4); /* 400 */
char *oops_print(const struct oops *o); /* as it stands in a text; owned */

struct node {
	char *name;
	char *ip;
	int id;
	bool up;
	bool daemon; /* pvedaemon answers */
	bool quorate;
	bool frozen;	     /* pvedaemon stands still */
	bool proxy;	     /* pveproxy listens */
	bool proxy_frozen;   /* it listens and never answers */
	bool blackhole;	     /* what others send to it is lost */
	bool cut;	     /* its port at the switch is off */
	bool maint;	     /* the HA manager keeps what it looks after away from it */
	int64_t lost_since;  /* when its port or its power went off */
	int64_t rebooted;    /* when it was last switched on, or NOT_DIRTY */
	int64_t rejoined;    /* when the others took it back, or NOT_DIRTY */
	int ring;	     /* membership: who is in the same ring sees each other */
	bool statd;	     /* pvestatd broadcasts */
	int64_t statd_until; /* time of the last broadcast when it does not */
	int64_t up_since;
	int64_t down_since;
	int maxcpu;
	int64_t maxmem;
	int64_t disk;  /* its root file system */
	int64_t phase; /* of the broadcasts */
	struct strs bridges;
	struct strs addresses;	/* of the bridges, "10.0.0.1/24"; those without are not set up */
	struct strs interfaces; /* that are there and not set up */
	struct kv hardware; /* model, mhz, flags, … of its CPUs; release, version of its kernel */
	int sockets;
	int cgroup;	   /* version of its control groups */
	char *nic;	   /* the interface that has its ip, or NULL */
	char *fingerprint; /* of its certificate */
	bool portless;	   /* its bridges have no physical port: no VLAN on a running guest */
	uint32_t pid;
	uint64_t last_fork;
	size_t index_bytes; /* in its list of finished tasks */
	unsigned chapter;   /* how often that was begun anew */
	unsigned busy;	    /* workers of pvedaemon in use */
	unsigned workers;   /* which, a bit for each */
	struct job **queue;
	size_t nqueue, qcap;
};

enum store_type {
#define STORE(code, word, file, shared, image_formats) STORE_##code,
#include "sim_store.def"
#undef STORE
	STORE__MAX
};

struct store {
	char *name;
	enum store_type type;
	char *path;
	struct strs content;
	struct strs nodes; /* empty = all */
	bool shared;
	bool enabled;
	bool online;
	int64_t total;
	int64_t used_base; /* bytes that are no volumes of ours */
	bool stuck_free;   /* volumes cannot be removed (a fault for tests) */
};

struct volume {
	struct store *store;
	struct node *node; /* NULL when shared */
	char *name;	   /* as in a volume id after the colon */
	char *own;	   /* without the base image's part */
	char *base;	   /* own name of the base image of a linked clone, or NULL */
	const char *format;
	const char *content;
	int64_t vmid; /* 0 = of no guest */
	int64_t size;
	bool written;	   /* holds a system */
	int64_t data;	   /* bytes that were written to it */
	bool laid;	   /* put there as a file: tables for its data only, none ahead */
	int64_t file_size; /* of a file that is no plain image; 0 = as size */
	int64_t ctime;
	struct saved *saved; /* what an archive of a guest holds, or NULL; see sim_restore.h */
	size_t index;	     /* in sim->volumes */
};

struct snap {
	char *name;
	struct kv conf;	   /* with its own description and parent */
	struct kv sizes;   /* of images then: volume -> bytes */
	const char *state; /* "prepare", "delete" while that is under way, or NULL */
	int64_t time;
};
void snap_fini(struct snap *n);

/* The system in a guest, as far as its agent tells of it. */
struct inside {
	char *agent;  /* version, or NULL without one */
	int64_t boot; /* until it answers */
	struct kv os; /* as get-osinfo gives it */
};

/* What the NICs of a running guest counted, a bit for each, see sim_nic.h. */
struct nics {
	uint32_t plugged, first, second, moved;
};

/* What pvestatd of the guest's node told the cluster last. */
struct heard {
	bool known;
	bool running;
	bool template;
	char *name;
	const char *status;
	int64_t maxcpu, maxmem, maxdisk;
	int64_t since; /* start of uptime */
	struct nics nics;
};

struct guest {
	int64_t vmid;
	struct node *node;
	struct kv conf;
	struct kv pend;	     /* without the delete list */
	struct kv pend_del;  /* key -> "1" or "2" (forced) */
	struct kv cloudinit; /* what the drive holds; valid when has_ci */
	bool has_ci;
	struct snap *snaps;
	size_t nsnaps, snapcap;
	char digest[41]; /* "" = to be computed */
	bool running;
	const char *qmp;      /* "running", "paused", …, when it runs */
	bool ha;	      /* a resource of the HA manager */
	const char *ha_want;  /* "started", "stopped", "disabled", "ignored" */
	const char *ha_state; /* what the manager makes of it; NULL before its first round */
	enum ha_ask ha_ask;   /* what it was asked last, and how long to wait for a shutdown */
	int64_t ha_timeout;
	bool ha_asked;		    /* to stop; in force from the manager's next round on */
	char *ha_target;	    /* where it is to be moved, or NULL */
	enum ha_step ha_step;	    /* how far that is */
	bool ha_cold;		    /* it is to be shut down for that */
	int64_t ha_lost;	    /* when the manager missed its node, or 0 */
	unsigned ha_tries;	    /* to start it on this node */
	struct strs ha_failed;	    /* nodes on which it did not start */
	const struct node *ha_home; /* where it goes back after a maintenance, or NULL */
	struct kv ha_conf;	    /* group, comment, max_restart, max_relocate, failback */
	bool clings;		    /* nothing in it lets go of a device */
	bool deaf;		    /* nothing in it reacts to the power button */
	int64_t started;	    /* sim ms */
	uint32_t pid;
	struct nics nics;
	struct kv live; /* what the running process was started with, for reboot-only keys */
	struct inside inside;
	struct heard heard;
	struct heard before; /* what had been heard until then */
	int64_t heard_at;    /* when it was heard that way */
	bool fresh;	     /* made just before the start: nobody heard of it yet */
	bool copy;	     /* of a node that is cut off, see sim_net.h */
	int64_t dirty_at;    /* time of the first change not yet broadcast, or NOT_DIRTY */
	char *pool;
};

struct pool {
	char *name;
	char *comment;
	struct strs stores;
	struct strs ghosts; /* members that do not exist */
};

struct stoken {
	char *name;
	char *secret;
	bool privsep;
	int64_t expire;
	char *comment;
};

struct suser {
	char *name; /* with realm */
	char *password;
	bool enabled;
	int64_t expire;
	struct stoken *tokens;
	size_t ntokens, tcap;
	struct strs groups;
};

struct srole {
	char *name;
	uint64_t privs;
	bool special;
};

struct sacl {
	char *path;
	char *who; /* user, user!token or @group */
	char *role;
	bool propagate;
	size_t role_at; /* where the role was found last */
};

struct backup { /* a job for guests, see sim_backup.h */
	char *id;
	struct kv conf;
};

struct repl { /* a replication job, see sim_repl.h */
	char *id;
	int64_t guest, number;
	struct kv conf;
};

struct ha_rule { /* a rule of 9 or a group of 8, see sim_harule.h */
	char *id;
	struct kv conf;
};

struct ha_rules {
	struct ha_rule *v; /* in the order they were made */
	size_t n, cap;
};

/* Who asks. */
struct who {
	char *full;  /* user@realm or user@realm!token */
	char *user;  /* user@realm */
	bool ticket; /* came with a ticket: root@pam then is really root */
};
void who_fini(struct who *w);
bool who_is_root(const struct who *w); /* root@pam itself, not a token of it */

struct logline {
	struct node *node;
	uint64_t uid;
	int64_t time; /* s */
	uint32_t pid;
	int pri;
	char *user;
	char *tag;
	char *msg;
	char *row; /* as text, made when it is first asked for */
};

enum timing {
#define TIMING(code, word, ms, doc) TIMING_##code,
#include "sim_timing.def"
#undef TIMING
	TIMING__MAX
};

struct event {
	int64_t at;
	uint64_t seq;
	void (*fn)(void *arg);
	void *arg;
};

struct sim {
	uint32_t magic;
	int64_t now;
	int64_t wall0;
	uint64_t rng[4];
	uint64_t seq;
	struct event *heap;
	size_t nheap, heapcap;

	bool v9;
	char *release; /* "9.2" */
	char *manager; /* "9.2.11" */
	char *name;    /* of the cluster; NULL = a single node without one */
	int64_t timing[TIMING__MAX];
	int64_t bandwidth;  /* bytes a second of a full copy */
	int64_t image_data; /* bytes of an image with a system; 0 = a fifth of its size */
	int64_t cpuunits_max;
	char *qemu;	      /* version */
	char *bridge_warning; /* what 9's script for a NIC says when a guest starts, or NULL */

	struct node **nodes;
	size_t nnodes, nodecap;
	struct node **former; /* that are no members any more; guests may still lie under them */
	size_t nformer, formercap;
	struct store **stores;
	size_t nstores, storecap;
	struct volume **volumes;
	size_t nvolumes, volcap;
	struct smap volmap;
	struct echo {
		int64_t vmid, at;
		struct heard heard;
	} * echoes; /* what was heard last of guests that are gone; at = when */
	size_t nechoes, echocap;
	bool old_copy; /* who asks now gets a copy of what was heard that is a little older */
	struct guest **guests; /* by vmid */
	size_t nguests, guestcap;
	struct guest *
	    *kept; /* by vmid; what stood when the first node was cut off, see sim_net.h */
	size_t nkept;
	int64_t fs_until; /* until then the cluster's file system takes no writes */
	struct pool **pools;
	size_t npools, poolcap;
	struct suser **users;
	size_t nusers, usercap;
	struct srole *roles;
	size_t nroles, rolecap;
	struct sacl *acls;
	size_t nacls, aclcap;
	struct backup *backups;
	size_t nbackups, backupcap;
	struct repl *repls; /* by id */
	size_t nrepls, replcap;
	struct kv options;	/* datacenter.cfg */
	struct strs cpu_models; /* of its own, beside QEMU's */
	struct kv files;	/* images outside of storages: path -> size */
	struct kv hosts;   /* names that are no nodes, as the nodes look them up: name -> address */
	bool no_ha;	   /* no ha-manager is installed */
	uint64_t ha_round; /* the HA manager's next round, or 0 */
	struct ha_rules ha_rules, ha_groups;
	unsigned ha_wait; /* rounds until 9 tries again to make rules of groups */
	bool nameserver;  /* one answers, so that other names are known not to exist */
	struct smap tickets;

	struct task **tasks; /* in order of their start */
	size_t ntasks, taskcap;
	struct smap taskmap;
	size_t unreaped; /* tasks that ended unseen */
	struct smap locks;
	struct job *jobs; /* doubly linked */
	uint64_t next_id;

	struct logline *log;
	size_t nlog, logcap, log0;
	uint64_t log_uid;

	struct sim_entry *journal;
	size_t njournal, journalcap;
	bool journal_on;
	uint64_t journal_seq;
	int journal_fd;
	int journal_failed; /* errno of the first line that could not be written there, or 0 */
	const struct job *acting;      /* whose doing a change is */
	const struct job *interrupted; /* the one before a person's */
	const char *acting_user;       /* without a job */

	struct rule *rules;
	size_t nrules, rulecap, struck, requests;
	void (*held)(void *arg, const char *method, const char *path);
	void *held_arg;
};

/* Clock and chance (sim_state.c). */
uint64_t sim_at(struct sim *s, int64_t at, void (*fn)(void *), void *arg); /* a number, never 0 */
void sim_unschedule(struct sim *s, uint64_t seq);
uint64_t sim_rand(struct sim *s);
uint64_t sim_rand_below(struct sim *s, uint64_t n);
double sim_rand_unit(struct sim *s);
int64_t sim_secs(const struct sim *s); /* the nodes' time in seconds */
char *sim_uuid(struct sim *s);
char *sim_mac(struct sim *s);

struct node *node_find(const struct sim *s, const char *name);
struct store *store_find(const struct sim *s, const char *name);
bool store_on(const struct store *st, const struct node *n);
bool store_has(const struct store *st, const char *content);
struct guest *guest_find(const struct sim *s, int64_t vmid);
struct snap *snap_find(const struct guest *g, const char *name);
struct guest *guest_new(struct sim *s, int64_t vmid, struct node *n); /* the number is free */
void guest_del(struct sim *s, struct guest *g);
struct pool *pool_find(const struct sim *s, const char *name);
struct suser *user_find(const struct sim *s, const char *name);

/* Before any change that the rest of the cluster hears of by broadcast. */
void guest_touch(struct sim *s, struct guest *g);
/* What was heard under this number is kept for a while: a new guest of that number is shown so
 * until the next broadcast. Takes the name over. */
void guest_unheard(struct sim *s, struct guest *g);
void echo_add(struct sim *s, int64_t vmid, const struct heard *h, int64_t at);
/* What other nodes know of it now; NULL = nothing (new, or too old). */
const struct heard *guest_heard(struct sim *s, struct guest *g);

/* All changes of state go through these, so that the journal is complete. */
void guest_set(struct sim *s, struct guest *g, const char *key, const char *value);
void guest_unset(struct sim *s, struct guest *g, const char *key);
void guest_pend(struct sim *s, struct guest *g, const char *key, const char *value);
void guest_unpend(struct sim *s, struct guest *g, const char *key);
void guest_pend_del(struct sim *s, struct guest *g, const char *key, bool force);
void guest_unpend_del(struct sim *s, struct guest *g, const char *key);
void guest_move(struct sim *s, struct guest *g, struct node *to);
void guest_run(struct sim *s, struct guest *g, bool on);
void guest_pool(struct sim *s, struct guest *g, const char *pool_or_null);
void note(struct sim *s, const struct guest *g, const char *effect, const char *key,
    const char *before, const char *after);

/* The configuration file as pmxcfs holds it, and its SHA-1. */
void guest_raw(const struct guest *g, struct buf *ret);
const char *guest_digest(struct guest *g);
void sim_sha1(const void *data, size_t len, char ret[41]);

/* Frees one that is in no list. */
void user_drop(struct suser *u);
void guest_drop(struct guest *g);
/* When node n broadcast last. */
int64_t last_broadcast(const struct sim *s, const struct node *n);

/* Frees all things; no job may be left. */
void state_free(struct sim *s);

/* A line of the cluster's log. */
void clog_add(struct sim *s, struct node *n, const char *user, int pri, const char *fmt, ...)
    PRINTF(5, 6);

#endif
