/* Answers that a fault holds back. */
#include <stdlib.h>

#include "sim_job.h"

struct late {	     /* an answer that a fault holds back */
	uint64_t id; /* of the request */
	struct sim_reply r;
	void (*cb)(void *arg, const struct sim_reply *reply);
	void *arg;
};

static void late_free(struct late *l)
{
	free((char *)l->r.reason);
	free((char *)l->r.body);
	free(l);
}

static void late_send(void *arg)
{
	struct late *l = arg;

	if (l->cb)
		l->cb(l->arg, &l->r);
	late_free(l);
}

void late_cancel(struct sim *s, uint64_t id)
{
	for (size_t i = 0; i < s->nheap; i++) {
		struct late *l = s->heap[i].arg;

		if (s->heap[i].fn == late_send && l->id == id)
			l->cb = NULL;
	}
}

void late_drop(struct sim *s)
{
	for (size_t i = 0; i < s->nheap; i++)
		if (s->heap[i].fn == late_send)
			late_free(s->heap[i].arg);
	s->nheap = 0;
}

void late_hold(struct job *j, const struct sim_reply *r, int64_t ms)
{
	struct late *l = mem_alloc(sizeof(*l));

	*l = (struct late){j->id, *r, j->cb, j->arg};
	l->r.reason = mem_strdup(r->reason);
	l->r.body = mem_strndup(r->body, r->len);
	sim_at(j->sim, j->sim->now + ms, late_send, l);
}
