/*
 * sim: a simulated Proxmox VE cluster, to be asked as the real API is asked.
 *
 * It is no hypervisor: a guest is its configuration, its volumes are names with sizes, and a
 * running guest is a flag. It is not the HTTP server either (sim_http), and it shares no code with
 * the controller that is tested against it.
 *
 * The engine owns all state. Nothing happens by itself: the caller submits requests and moves the
 * clock; replies come from inside sim_run_until. What a reply points to is valid during the call.
 * All chance comes from the seed number, so that the same calls give the same answers.
 *
 * Any process: the program ramet-sim maps its clock on the real one, tests jump from event to
 * event.
 */
#ifndef RAMET_SIM_H
#define RAMET_SIM_H

#include "err.h"
#include "kv.h"
#include "text.h"

struct sim;
struct sim_req;
struct jsn;
struct sim_reply;
struct sim_fault;
struct sim_entry;

struct sim_opts {
	const char *seed_yaml; /* the cluster, see sim_seed.h */
	size_t seed_len;       /* 0 = strlen */
	const char *seed_name; /* for messages */
	const char *version;   /* "8.4" or "9.2"; NULL = the seed file's, else "9.2" */
	uint64_t random;       /* start of all chance */
	int64_t wall_ms; /* what the nodes' clocks say at 0; 0 = the seed file's or a fixed date */
	bool journal;	 /* keep the journal of mutations (sim_journal_*) */
};

int sim_new(const struct sim_opts *opts, struct sim **ret, struct err **err) MUST_CHECK;
void sim_free(struct sim **sim);

/* The clock: milliseconds since the start. */
int64_t sim_now(const struct sim *sim);
int64_t sim_wall(const struct sim *sim);       /* the nodes' time, ms since 1970 */
int64_t sim_next_event(const struct sim *sim); /* when something is due, or -1 */
/* Runs all that is due until t and leaves the clock there. Replies are delivered meanwhile. */
void sim_run_until(struct sim *sim, int64_t t);

/* Stands before each value of a parameter that was sent several times. */
#define SIM_MANY "\036"

/* One request as it reaches pveproxy of the entry node. */
struct sim_req {
	const char *method;	   /* GET, POST, PUT, DELETE */
	const char *format;	   /* "json", "extjs" as in /api2/extjs; NULL = json */
	const char *path;	   /* after /api2/json, still percent-encoded; no query */
	const struct kv *params;   /* query and form, decoded; NULL = none */
	const char *authorization; /* the header's value: "PVEAPIToken=user@realm!name=secret" */
	const char *ticket;	   /* value of the cookie PVEAuthCookie, or NULL */
	const char *csrf;	   /* header CSRFPreventionToken, or NULL */
	const char *node;	   /* entry node; NULL = the first */
	size_t body_len;	   /* bytes of the raw body, for the limits */
	int64_t took_ms;	   /* what a host is known to need for it; 0 = as usual */
	bool tree;		   /* takes the answer as a tree where there is one */
};

enum sim_cut {
	SIM_CUT_NONE,
	SIM_CUT_REFUSED, /* no connection was made: nothing was sent */
	SIM_CUT_RESET,	 /* the connection broke before an answer; the request may have worked */
	SIM_CUT_SHORT,	 /* the body ends too early */
	SIM_CUT__MAX
};

struct sim_reply {
	enum sim_cut cut; /* with REFUSED and RESET nothing below counts */
	int status;
	const char *reason; /* reason phrase: the first line of the error */
	const char *body;   /* JSON, or "" */
	size_t len;
	struct jsn **tree; /* for who asked so: the body before it became text (which it then did
			    * not), for the taking; else NULL */
	bool plain;	   /* the body is a text, not JSON */
	bool close;	   /* the server closes the connection after it */
};

/* Takes a copy of the request; cb is called once, later, never from inside sim_submit. Returns the
 * number of the request, for sim_cancel. */
uint64_t sim_submit(struct sim *sim, const struct sim_req *req,
    void (*cb)(void *arg, const struct sim_reply *reply), void *arg);
/* The caller hangs up: cb is not called any more, the operation goes on. */
void sim_cancel(struct sim *sim, uint64_t id);

/* --- faults --- */

enum sim_fault_kind {
#define SIM_FAULT(code, word, doc) SIM_FAULT_##code,
#include "sim_fault.def"
#undef SIM_FAULT
	SIM_FAULT__MAX
};

struct sim_fault {
	enum sim_fault_kind kind;
	const char *method; /* NULL = any */
	const char *path;   /* shell pattern on the path, "/nodes/…/clone"; NULL = any */
	unsigned nth;	    /* the nth matching request, from 1; 0 = by probability */
	double probability; /* with nth 0: per matching request */
	unsigned times;	    /* how often it strikes; 0 = 1 with nth, unlimited with probability */
	int status;	    /* for STATUS_* */
	int64_t delay_ms;   /* for DELAY */
	const char *text;   /* reason or task error; NULL = a usual one */
};
void sim_fault_add(struct sim *sim, const struct sim_fault *f);
/* KIND[,method=POST][,path=/nodes/…][,nth=N]…, as a person writes it. */
int sim_fault_add_text(struct sim *sim, const char *spec, struct err **err) MUST_CHECK;
void sim_fault_clear(struct sim *sim);
/* Called when a request is held (SIM_FAULT_HOLD), or its answer. */
void sim_fault_watch(
    struct sim *sim, void (*held)(void *arg, const char *method, const char *path), void *arg);
size_t sim_requests(const struct sim *sim);	/* how many came in so far */
size_t sim_fault_struck(const struct sim *sim); /* how many faults struck so far */
int sim_fault_kind_parse(const char *word, enum sim_fault_kind *ret) MUST_CHECK;

/* --- what happens behind a controller's back. All act at once, user is a name for the logs. --- */

/* Edits as the web interface would: NULL set or del is allowed; del is a comma list. */
int sim_human_edit(struct sim *sim, int64_t vmid, const char *user, const struct kv *set,
    const char *del, struct err **err) MUST_CHECK;
int sim_human_migrate(struct sim *sim, int64_t vmid, const char *node, struct err **err) MUST_CHECK;
int sim_human_delete(struct sim *sim, int64_t vmid, const char *user, struct err **err) MUST_CHECK;
/* Puts a system of so many bytes on a disk, as who copies an image over it on the node. */
int sim_human_image(
    struct sim *sim, int64_t vmid, const char *key, int64_t bytes, struct err **err) MUST_CHECK;
/* A new guest of somebody else under this number; conf may be NULL. */
int sim_human_create(struct sim *sim, int64_t vmid, const char *node, const char *user,
    const struct kv *conf, struct err **err) MUST_CHECK;
/* Somebody restores a backup over a guest, whose configuration is then as now but for set: the same
 * number, off, other volumes. */
int sim_human_restore(struct sim *sim, int64_t vmid, const char *user, const struct kv *set,
    struct err **err) MUST_CHECK;
/* A configuration lock ("backup"), or NULL to unlock. */
int sim_human_lock(struct sim *sim, int64_t vmid, const char *lock, struct err **err) MUST_CHECK;
/* Holds the guest's file lock for so long, as a backup or a hanging shutdown does. */
int sim_human_flock(struct sim *sim, int64_t vmid, int64_t ms, struct err **err) MUST_CHECK;
/* Somebody holds a lock of the cluster's file system, "file-user_cfg", for so long. */
void sim_human_cfslock(struct sim *sim, const char *name, int64_t ms);
int sim_human_power(struct sim *sim, int64_t vmid, bool on, struct err **err) MUST_CHECK;
/* What happened in a guest that shut itself down (true) or rebooted (false). */
int sim_human_guest(struct sim *sim, int64_t vmid, bool down, struct err **err) MUST_CHECK;
/* Somebody stops the tasks that hang; how many there were. */
size_t sim_human_stop_tasks(struct sim *sim);
int sim_human_pool(
    struct sim *sim, int64_t vmid, const char *pool_or_null, struct err **err) MUST_CHECK;

/* Job 0 of this guest, to the next node whatever its disks are on, and its end at once; an HA
 * resource that has long been one. */
int sim_human_replicate(struct sim *sim, int64_t vmid, bool on, struct err **err) MUST_CHECK;
int sim_human_ha(struct sim *sim, int64_t vmid, bool on, struct err **err) MUST_CHECK;
/* The HA manager clears this node of what it looks after, or brings it back. */
int sim_node_maintenance(struct sim *sim, const char *node, bool on, struct err **err) MUST_CHECK;
/* Its guest reacts to the power button, or not. */
int sim_human_deaf(struct sim *sim, int64_t vmid, bool deaf, struct err **err) MUST_CHECK;
/* It lets go of no device that is to be unplugged, or does. */
int sim_human_cling(struct sim *sim, int64_t vmid, bool clings, struct err **err) MUST_CHECK;

/* A node is switched off (running tasks and guests end, debris stays) or comes back. */
int sim_node_power(struct sim *sim, const char *node, bool up, struct err **err) MUST_CHECK;
/* One that is switched off is a member no more; the guests under its name stay. */
int sim_node_leave(struct sim *sim, const char *node, struct err **err) MUST_CHECK;
/* pvedaemon stopped: protected calls answer 595. */
int sim_node_daemon(struct sim *sim, const char *node, bool up, struct err **err) MUST_CHECK;
/* A node keeps or loses quorum; NULL = all. */
int sim_node_quorum(struct sim *sim, const char *node, bool quorate, struct err **err) MUST_CHECK;
/* pvestatd stops or goes on broadcasting; NULL = all. */
int sim_node_statd(struct sim *sim, const char *node, bool on, struct err **err) MUST_CHECK;
/* Its pvestatd begins a round in so many milliseconds, and from then on as often as usual. */
int sim_node_round(struct sim *sim, const char *node, int64_t ms, struct err **err) MUST_CHECK;
/* pveproxy stopped: nothing of the node answers, through whichever node one asks. */
int sim_node_proxy(struct sim *sim, const char *node, bool up, struct err **err) MUST_CHECK;
/* A daemon, "pvedaemon" or "pveproxy", stands still or goes on. */
int sim_node_freeze(struct sim *sim, const char *node, const char *daemon, bool frozen,
    struct err **err) MUST_CHECK;
/* Its port at the switch is on or off; clients reach it all the same. NULL = all. */
int sim_node_link(struct sim *sim, const char *node, bool on, struct err **err) MUST_CHECK;
/* The other nodes' packets to it vanish. */
int sim_node_blackhole(struct sim *sim, const char *node, bool on, struct err **err) MUST_CHECK;
/* A storage that cannot be reached, or whose volumes cannot be removed. */
int sim_store_online(struct sim *sim, const char *store, bool on, struct err **err) MUST_CHECK;
int sim_store_stuck(struct sim *sim, const char *store, bool on, struct err **err) MUST_CHECK;
int sim_token_revoke(struct sim *sim, const char *token, struct err **err) MUST_CHECK;
int sim_token_secret(
    struct sim *sim, const char *token, const char *secret, struct err **err) MUST_CHECK;

/* The fingerprint of the certificate that a server shows for all nodes; without it each has one
 * of its own, which no server shows. */
void sim_certificate(struct sim *sim, const char *fingerprint);

/* --- looking, without the API --- */

bool sim_guest_exists(const struct sim *sim, int64_t vmid);
/* One key of the configuration in force, of the pending changes; NULL if absent. Borrowed. */
const char *sim_guest_get(const struct sim *sim, int64_t vmid, const char *key);
const char *sim_guest_pending(const struct sim *sim, int64_t vmid, const char *key);
/* The whole configuration in force. NULL if there is no such guest. Borrowed. */
const struct kv *sim_guest_conf(const struct sim *sim, int64_t vmid);
const char *sim_guest_node(const struct sim *sim, int64_t vmid);
const char *sim_guest_pool(const struct sim *sim, int64_t vmid);
bool sim_guest_running(const struct sim *sim, int64_t vmid);
size_t sim_guests(const struct sim *sim, int64_t *ret, size_t max); /* ascending; how many exist */
/* Size in bytes of a volume, -1 if there is none. */
int64_t sim_volume_size(const struct sim *sim, const char *node, const char *volid);
size_t sim_volumes_of(const struct sim *sim, int64_t vmid); /* volumes owned, attached or not */
size_t sim_tasks_running(const struct sim *sim);
bool sim_task_running(const struct sim *sim, const char *upid);

/* --- the journal: every change of state, in order --- */

struct sim_entry {
	uint64_t seq;
	int64_t wall_ms;
	const char *user; /* "ramet@pve!ctl", "ops@pam"; "" = the cluster itself */
	const char *node;
	const char *method; /* of the request that caused it; "" = none */
	const char *path;
	uint64_t request;   /* its number; 0 = none */
	int64_t vmid;	    /* 0 = no guest */
	const char *effect; /* create, set, delete, pending, volume-new, volume-free, start, … */
	const char *key;    /* configuration key, volume, pool … or "" */
	const char *before; /* NULL = was absent */
	const char *after;  /* NULL = is absent */
};
size_t sim_journal_len(const struct sim *sim);
void sim_journal_at(const struct sim *sim, size_t i, struct sim_entry *ret);
/* Each entry as one JSON line, as it happens. The path is opened by the caller. */
void sim_journal_fd(struct sim *sim, int fd);
/* errno of the first entry that could not be written there, after which none is; or 0. */
int sim_journal_failed(const struct sim *sim);

#endif
