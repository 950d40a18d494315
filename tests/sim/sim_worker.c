/* The workers of pvedaemon: each does one request at a time, and looks after what it has started.
 */
#include <string.h>

#include "sim_job.h"

#define WORKERS 3  /* of pvedaemon on each node */
#define REAP_MS 60 /* until a worker that is free again has looked after its processes */

static void worker_begin(struct job *j, void (*fn)(struct job *j))
{
	struct node *n = j->node;

	j->slot = 0;
	while (n->workers & 1u << j->slot)
		j->slot++;
	n->workers |= 1u << j->slot;
	n->busy++;
	j->worker = true;
	job_next(j, 0, fn);
}

void worker_take(struct job *j, void (*fn)(struct job *j))
{
	struct node *n = j->node;

	if (n->busy < WORKERS && !n->frozen) {
		worker_begin(j, fn);
		return;
	}
	j->fn = fn;
	MEM_PUSH_ROOM(n->queue, n->nqueue, n->qcap);
	n->queue[n->nqueue++] = j;
}

void worker_pump(struct node *n)
{
	while (n->nqueue && n->busy < WORKERS && !n->frozen) {
		struct job *k = n->queue[0];

		memmove(n->queue, n->queue + 1, --n->nqueue * sizeof(struct job *));
		worker_begin(k, k->fn);
	}
}

/* A process that has ended is there until the worker that started it looks after it, which one that
 * waits for a lock does not. */
static void worker_reap(struct sim *s, const struct node *n, unsigned slot)
{
	for (size_t i = s->ntasks; s->unreaped && i-- > 0;) {
		struct task *t = s->tasks[i];

		if (!t->unreaped || t->node != n || t->slot != slot)
			continue;
		t->unreaped = false;
		t->reaped = s->now + REAP_MS;
		s->unreaped--;
	}
}

bool worker_blocked(const struct sim *s, const struct node *n, unsigned slot)
{
	for (const struct job *j = slot < WORKERS ? s->jobs : NULL; j; j = j->next)
		if (j->worker && j->node == n && j->slot == slot)
			return j->waiting != NULL;
	return false;
}

bool task_seen_running(const struct sim *s, const struct task *t)
{
	return t->job || t->unreaped || s->now < t->reaped;
}

void worker_give(struct job *j)
{
	struct node *n = j->node;

	if (!j->worker)
		return;
	j->worker = false;
	n->busy--;
	n->workers &= ~(1u << j->slot);
	worker_reap(j->sim, n, j->slot);
	worker_pump(n);
}

unsigned worker_slot(const struct job *j)
{
	return j->worker ? j->slot : WORKERS;
}
