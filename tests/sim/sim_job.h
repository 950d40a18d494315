/*
 * sim_job: one request on its way, and the task it may turn into.
 *
 * Not what requests do (sim_api_*, sim_conf, sim_clone …): only steps in time, locks, answers,
 * logs.
 *
 * A job belongs to the simulation and ends by job_ok, job_oops, job_die or job_done; after any of
 * these (and after job_next, job_lock, job_fork, which only arrange the next step) the caller
 * returns. `data` is freed with the job.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_JOB_H
#define RAMET_SIM_JOB_H

#include "sim_state.h"

#define JOB_MAGIC 0x30b30b01u
#define JOB_LOCKS_MAX 4
#define CFS_RETRY_MS 1100 /* between two tries for a lock of the cluster */

struct flock;
struct route;

struct task {
	char *upid;
	char *type;
	char *id;
	char *full; /* who, with token */
	struct node *node;
	int64_t start, end;	  /* s; end 0 = running */
	int64_t start_ms, end_ms; /* the same by the clock of the simulation */
	int64_t pstart;
	uint32_t pid;
	char *status; /* NULL while running */
	bool lost;    /* killed: no end line */
	unsigned warnings;
	unsigned chapter; /* of the list that it was written into */
	unsigned slot;	  /* the worker that started it */
	bool unreaped;	  /* it ended, and that worker has not seen it yet */
	int64_t reaped;	  /* until then its process is there */
	struct strs log;
	struct job *job;
};

struct job {
	uint32_t magic;
	struct sim *sim;
	uint64_t id;
	struct job *next, *prev;
	char *pool; /* where a guest is being created, or NULL */
	char *method;
	char *format; /* "json", "extjs" … */
	char *path;   /* decoded, without query */
	struct who who;
	bool by_ha;	    /* done by the HA manager itself */
	bool trusted;	    /* no rights are asked: a human's own doing in a test */
	struct node *entry; /* the node asked */
	struct node *node;  /* the node that does it */
	int64_t vmid;
	struct kv params; /* path parameters among them */
	const struct route *route;
	size_t body_len;
	bool tree; /* its answer is not made a text */
	char *authorization, *ticket, *csrf;

	void (*cb)(void *arg, const struct sim_reply *reply);
	void *arg;
	bool answered;
	bool worker; /* holds a worker of node's pvedaemon, number slot */
	unsigned slot;
	uint64_t timer, cut_timer, hold_timer;
	int64_t hold; /* a task's number is answered only if it takes longer than this */
	void (*fn)(struct job *j);
	void (*held)(struct job *j);  /* runs once the cluster's file system takes writes */
	void (*after)(struct job *j); /* the task's first step */
	struct task *task;

	struct flock *locks[JOB_LOCKS_MAX];
	size_t nlocks;
	struct flock *waiting;
	bool wait_excl;
	char *cfs_name, *cfs_what; /* the cluster's lock it tries, what failed then */
	int64_t cfs_since;
	char *wait_msg; /* what it dies of when the wait is too long */

	bool faulty;
	enum sim_fault_kind fault;
	int fault_status;
	int64_t fault_delay;
	char *fault_text;
	unsigned fault_steps; /* of a task that is to stand still */
	bool standing;

	/* What it does instead of dying when a lock takes too long or the task is stopped; the job
	 * must end in it or arrange its next step. */
	void (*on_abort)(struct job *j, const char *msg);

	int step;
	void *data;
	void (*data_free)(void *data);
};

struct job *job_new(struct sim *s);
void job_free(struct job *j); /* at once, with its locks; only for the end of the simulation */

/* fn runs ms later. */
void job_next(struct job *j, int64_t ms, void (*fn)(struct job *j));
/* Takes a lock, then runs fn; dies with the usual text after timeout_ms. */
void job_lock(
    struct job *j, const char *file, bool excl, int64_t timeout_ms, void (*fn)(struct job *j));
/* A lock of the cluster's file system, which is asked for until it is there; without quorum it
 * never is. "what" stands before the error, may be NULL. */
/* What its log says of trying to lock a shared storage without quorum. */
void job_log_no_lock(struct job *j, const struct store *st);
void job_lock_cfs(struct job *j, const char *name, const char *what, void (*fn)(struct job *j));
/* The same for the lock of a storage: on the node, or in the cluster's file system if shared. */
void job_lock_store(struct job *j, const struct store *st, void (*fn)(struct job *j));
void job_unlock_store(struct job *j, const struct store *st);
/* The same for the file lock of a guest on the job's node, with the usual wait. */
void job_lock_guest(struct job *j, int64_t vmid, bool excl, void (*fn)(struct job *j));
void job_unlock_all(struct job *j);
void job_unlock_last(struct job *j); /* the one it took last */
void lock_give_up(struct job *j);    /* waits no longer */
void job_list_drop(struct job **v, size_t *n, const struct job *j);
char *job_guest_lock_name(const struct job *j, int64_t vmid);

/* Answers. data is taken over; NULL = null. A task ends with OK. */
void job_ok(struct job *j, struct jsn *data);
void job_ok_text(struct job *j, const struct buf *data); /* data is JSON already */
void job_ok_total(struct job *j, struct jsn *data, int64_t total);
void job_oops(struct job *j, struct oops *o);
void job_die(struct job *j, const char *fmt, ...) PRINTF(2, 3);
void job_done(struct job *j);
void job_status(struct job *j, int status, const char *reason); /* with an empty body */
void job_plain(struct job *j, int status, const char *reason);	/* the reason is the body, too */

/* Answers with the number of a new task; the rest of the job is that task. */
void job_fork(struct job *j, const char *type, const char *id, void (*fn)(struct job *j));
void job_log(struct job *j, const char *fmt, ...) PRINTF(2, 3);	 /* only a task has a log */
void job_warn(struct job *j, const char *fmt, ...) PRINTF(2, 3); /* and counts as a warning in 9 */

const char *job_param(const struct job *j, const char *key);
int64_t job_param_int(const struct job *j, const char *key, int64_t fallback);
bool job_param_bool(const struct job *j, const char *key);

/* A process number on this node. */
uint32_t node_fork(struct sim *s, struct node *n);
/* Everything on this node ends as when the power goes. */
void node_kill(struct sim *s, struct node *n);
/* A daemon that stood still goes on: what came meanwhile is done. */
void worker_pump(struct node *n);
/* fn runs once the cluster's file system takes writes again: at once as a rule. */
void job_when_fs(struct job *j, void (*fn)(struct job *j));
void worker_take(struct job *j, void (*fn)(struct job *j));
void worker_give(struct job *j);
/* Its number, or one that no worker has. */
unsigned worker_slot(const struct job *j);
/* Does that one wait for a lock? */
bool worker_blocked(const struct sim *s, const struct node *n, unsigned slot);
void journal_clear(struct sim *s);

/* As its status is told: by whether there is a process of that number. */
bool task_seen_running(const struct sim *s, const struct task *t);
struct task *task_find(const struct sim *s, const char *upid);
/* One that ran before the simulation began, its times in seconds since 1970. */
void task_past(struct sim *s, struct node *n, const char *type, const char *id, const char *who,
    const struct task *as);
/* "user" and "tokenid" of user@realm!token. */
void task_put_who(struct jsn *o, const char *full);
void task_stop(struct task *t);
void task_kill(struct task *t); /* at once, without an end line */
void tasks_free(struct sim *s);
void locks_free(struct sim *s);
/* This answer reaches the client ms later, even if the job is gone by then. */
void late_hold(struct job *j, const struct sim_reply *r, int64_t ms);
/* Answers still held back are lost. */
void late_drop(struct sim *s);
/* Nobody waits for the answer to this request any more. */
void late_cancel(struct sim *s, uint64_t id);

#endif
