/* Locks of jobs: files of guests and storages. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_job.h"

#define WAKE_MS 1 /* until a process that waited goes on */

/* A lock file. */
struct flock {
	char *name;
	struct job **holders;
	size_t n, cap;
	bool excl;
	struct job **queue;
	size_t nq, qcap;
};

/* flock(2) knows no queue: whoever is compatible with the holders gets it, readers before a writer
 * that waits longer. */
static void lock_pump(struct flock *l)
{
	for (size_t i = 0; i < l->nq; i++) {
		struct job *j = l->queue[i];

		if (l->n && (l->excl || j->wait_excl))
			continue;
		job_list_drop(l->queue, &l->nq, j);
		i--;
		MEM_PUSH_ROOM(l->holders, l->n, l->cap);
		l->holders[l->n++] = j;
		l->excl = j->wait_excl;
		MUST(j->nlocks < JOB_LOCKS_MAX);
		j->locks[j->nlocks++] = l;
		j->waiting = NULL;
		mem_free_str(&j->wait_msg);
		if (!j->timer) {
			job_next(j, 0, j->fn);
			continue;
		}
		sim_unschedule(j->sim, j->timer);
		job_log(j, " OK");
		job_next(j, WAKE_MS, j->fn);
	}
}

static void lock_timeout(void *arg)
{
	struct job *j = arg;
	struct sim *s = j->sim;
	char *msg = TAKE(j->wait_msg);

	j->timer = 0;
	job_list_drop(j->waiting->queue, &j->waiting->nq, j);
	lock_pump(j->waiting);
	j->waiting = NULL;
	s->acting = j;
	if (j->on_abort)
		j->on_abort(j, msg);
	else
		job_die(j, "%s", msg);
	s->acting = NULL;
	free(msg);
}

void job_lock(
    struct job *j, const char *file, bool excl, int64_t timeout_ms, void (*fn)(struct job *j))
{
	struct flock *l = smap_get(&j->sim->locks, file);
	const char *shown = strchr(file, '/');

	for (size_t i = 0; i < j->nlocks; i++)
		if (!strcmp(j->locks[i]->name, file)) { /* its own already */
			job_next(j, 0, fn);
			return;
		}
	if (!l) {
		l = mem_alloc(sizeof(*l));
		l->name = mem_strdup(file);
		smap_put(&j->sim->locks, file, l);
	}
	j->fn = fn;
	j->wait_excl = excl;
	MEM_PUSH_ROOM(l->queue, l->nq, l->qcap);
	l->queue[l->nq++] = j;
	j->waiting = l;
	j->wait_msg = mem_printf("can't lock file '%s' - got timeout", shown ? shown : file);
	lock_pump(l);
	if (j->waiting) {
		job_log(j, "trying to acquire lock...");
		j->timer = sim_at(j->sim, j->sim->now + timeout_ms, lock_timeout, j);
	}
}

char *job_guest_lock_name(const struct job *j, int64_t vmid)
{
	return mem_printf("%s:/var/lock/qemu-server/lock-%" PRId64 ".conf", j->node->name, vmid);
}

void job_lock_guest(struct job *j, int64_t vmid, bool excl, void (*fn)(struct job *j))
{
	char *name = job_guest_lock_name(j, vmid);

	job_lock(j, name, excl, j->sim->timing[TIMING_FILE_LOCK], fn);
	free(name);
}

static void lock_drop(struct job *j, struct flock *l)
{
	job_list_drop(l->holders, &l->n, j);
	if (!l->n)
		l->excl = false;
	lock_pump(l);
	if (!l->n && !l->nq) {
		smap_del(&j->sim->locks, l->name);
		free(l->holders);
		free(l->queue);
		free(l->name);
		free(l);
	}
}

void job_unlock_all(struct job *j)
{
	while (j->nlocks)
		lock_drop(j, j->locks[--j->nlocks]);
}

void job_unlock_last(struct job *j)
{
	MUST(j->nlocks);
	lock_drop(j, j->locks[--j->nlocks]);
}

static char *store_lock_name(const struct job *j, const struct store *st)
{
	if (st->shared)
		return mem_printf("storage-%s", st->name);
	return mem_printf("%s:/var/lock/pve-manager/pve-storage-%s", j->node->name, st->name);
}

/* --- locks of the cluster's file system: tried again and again --- */

static void cfs_fail(struct job *j, const char *why)
{
	_cleanup_str_ char *msg = mem_printf(
	    "%scfs-lock '%s' error: %s", j->cfs_what ? j->cfs_what : "", j->cfs_name, why);

	if (j->on_abort)
		j->on_abort(j, msg);
	else
		job_die(j, "%s", msg);
}

static void cfs_try(struct job *j)
{
	struct sim *s = j->sim;
	const struct flock *l = smap_get(&s->locks, j->cfs_name);
	bool busy = l && (l->n || l->nq), quorate = j->node->quorate;

	if (quorate && !busy) {
		job_lock(j, j->cfs_name, true, s->timing[TIMING_STORE_LOCK], j->held);
		return;
	}
	if (s->now - j->cfs_since >= s->timing[TIMING_CFS_LOCK]) {
		cfs_fail(j, quorate ? "got lock request timeout" : "no quorum!");
		return;
	}
	job_log(j, "trying to acquire cfs lock '%s' ...", j->cfs_name);
	/* Those who wait do not wake up together. */
	job_next(j, quorate ? CFS_RETRY_MS - 600 + (int64_t)sim_rand_below(s, 700) : CFS_RETRY_MS,
	    cfs_try);
}

void job_log_no_lock(struct job *j, const struct store *st)
{
	for (int64_t t = 0; t < j->sim->timing[TIMING_CFS_LOCK]; t += CFS_RETRY_MS)
		job_log(j, "trying to acquire cfs lock 'storage-%s' ...", st->name);
}

void job_lock_cfs(struct job *j, const char *name, const char *what, void (*fn)(struct job *j))
{
	for (size_t i = 0; i < j->nlocks; i++)
		if (!strcmp(j->locks[i]->name, name)) { /* its own already */
			job_next(j, 0, fn);
			return;
		}
	mem_replace(&j->cfs_name, name);
	mem_replace(&j->cfs_what, what);
	j->cfs_since = j->sim->now;
	j->held = fn;
	cfs_try(j);
}

void job_lock_store(struct job *j, const struct store *st, void (*fn)(struct job *j))
{
	_cleanup_str_ char *name = store_lock_name(j, st);

	if (st->shared)
		job_lock_cfs(j, name, NULL, fn);
	else
		job_lock(j, name, true, j->sim->timing[TIMING_STORE_LOCK], fn);
}

void job_unlock_store(struct job *j, const struct store *st)
{
	_cleanup_str_ char *name = store_lock_name(j, st);

	for (size_t i = 0; i < j->nlocks; i++)
		if (!strcmp(j->locks[i]->name, name)) {
			struct flock *l = j->locks[i];

			j->locks[i] = j->locks[--j->nlocks];
			lock_drop(j, l);
			return;
		}
}

void locks_free(struct sim *s)
{
	MUST(!s->locks.used);
	smap_fini(&s->locks);
}

void lock_give_up(struct job *j)
{
	if (!j->waiting)
		return;
	job_list_drop(j->waiting->queue, &j->waiting->nq, j);
	j->waiting = NULL;
}
