#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_fault.h"
#include "sim_seed.h"
#include "sim_volume.h"

/* 2026-01-01T00:00:00Z: what the clocks say when nobody says otherwise. */
#define START_MS INT64_C(1767225600000)
#define CPUUNITS_MAX 10000 /* with cgroup v2 */

static void rng_start(struct sim *s, uint64_t seed)
{
	for (size_t i = 0; i < 4; i++) { /* splitmix64 */
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		s->rng[i] = z ^ (z >> 31);
	}
}

int sim_new(const struct sim_opts *opts, struct sim **ret, struct err **err)
{
	static const int64_t usual[] = {
#define TIMING(code, word, ms, doc) ms,
#include "sim_timing.def"
#undef TIMING
	};
	struct sim *s = mem_alloc(sizeof(*s));

	s->magic = SIM_MAGIC;
	s->wall0 = opts->wall_ms ? opts->wall_ms : START_MS;
	s->journal_fd = -1;
	s->bandwidth = (int64_t)200 << 20;
	s->cpuunits_max = CPUUNITS_MAX;
	s->qemu = mem_strdup("10.1.2");
	memcpy(s->timing, usual, sizeof(usual));
	rng_start(s, opts->random);
	if (seed_load(s, opts, err) < 0) {
		sim_free(&s);
		return -1;
	}
	/* What the seed made was there long ago: everybody has heard of it. */
	for (size_t i = 0; i < s->nguests; i++) {
		struct guest *g = s->guests[i];

		g->dirty_at = g->fresh ? 1 : -s->timing[TIMING_STATD];
		if (g->fresh)
			guest_unheard(s, g);
	}
	for (size_t i = 0; i < s->nnodes; i++) {
		s->nodes[i]->phase -= s->timing[TIMING_STATD];
		s->nodes[i]->up_since = -3600 * 1000;
	}
	journal_clear(s);
	s->journal_on = opts->journal;
	*ret = s;
	return 0;
}

void sim_free(struct sim **p)
{
	struct sim *s = *p;

	*p = NULL;
	if (!s)
		return;
	s->journal_on = false;
	s->journal_fd = -1;
	while (s->jobs)
		job_free(s->jobs);
	late_drop(s);
	tasks_free(s);
	locks_free(s);
	faults_free(s);
	journal_clear(s);
	free(s->journal);
	state_free(s);
	s->magic = 0;
	free(s);
}

/* A known host is as slow as it was: what is left of that after starting a worker goes before. */
static int64_t way_in(const struct sim *s, const struct sim_req *req)
{
	int64_t usual = s->timing[TIMING_REQUEST],
		known = req->took_ms - (strcmp(req->method, "GET") ? s->timing[TIMING_FORK] : 1);

	return known > usual ? known : usual;
}

uint64_t sim_submit(struct sim *s, const struct sim_req *req,
    void (*cb)(void *arg, const struct sim_reply *reply), void *arg)
{
	struct job *j;
	struct node *n = req->node ? node_find(s, req->node) : s->nodes[0];

	CHECK_OBJ(s, SIM_MAGIC);
	for (size_t i = 0; !n && i < s->nformer; i++)
		if (!strcmp(s->former[i]->name, req->node))
			n = s->former[i];
	MUST(n);
	j = job_new(s);
	j->method = mem_strdup(req->method);
	j->format = mem_strdup(req->format);
	j->path = mem_strdup(req->path);
	if (req->params)
		kv_copy(&j->params, req->params);
	j->authorization = mem_strdup(req->authorization);
	j->ticket = mem_strdup(req->ticket);
	j->csrf = mem_strdup(req->csrf);
	j->body_len = req->body_len;
	j->tree = req->tree;
	j->entry = j->node = n;
	j->cb = cb;
	j->arg = arg;
	j->timer = sim_at(s, s->now + way_in(s, req), api_arrive, j);
	return j->id;
}

void sim_cancel(struct sim *s, uint64_t id)
{
	for (struct job *j = s->jobs; j; j = j->next)
		if (j->id == id)
			j->cb = NULL;
	late_cancel(s, id);
}

bool sim_guest_exists(const struct sim *s, int64_t vmid)
{
	return guest_find(s, vmid) != NULL;
}

const char *sim_guest_get(const struct sim *s, int64_t vmid, const char *key)
{
	const struct guest *g = guest_find(s, vmid);

	return g ? kv_get(&g->conf, key) : NULL;
}

const char *sim_guest_pending(const struct sim *s, int64_t vmid, const char *key)
{
	const struct guest *g = guest_find(s, vmid);

	return g ? kv_get(&g->pend, key) : NULL;
}

const struct kv *sim_guest_conf(const struct sim *s, int64_t vmid)
{
	const struct guest *g = guest_find(s, vmid);

	return g ? &g->conf : NULL;
}

const char *sim_guest_node(const struct sim *s, int64_t vmid)
{
	const struct guest *g = guest_find(s, vmid);

	return g ? g->node->name : NULL;
}

const char *sim_guest_pool(const struct sim *s, int64_t vmid)
{
	const struct guest *g = guest_find(s, vmid);

	return g ? g->pool : NULL;
}

bool sim_guest_running(const struct sim *s, int64_t vmid)
{
	const struct guest *g = guest_find(s, vmid);

	return g && g->running;
}

size_t sim_guests(const struct sim *s, int64_t *ret, size_t max)
{
	for (size_t i = 0; i < s->nguests && i < max; i++)
		ret[i] = s->guests[i]->vmid;
	return s->nguests;
}

int64_t sim_volume_size(const struct sim *s, const char *node, const char *volid)
{
	const struct volume *v = volume_find(s, node ? node_find(s, node) : s->nodes[0], volid);

	return v ? v->size : -1;
}

size_t sim_volumes_of(const struct sim *s, int64_t vmid)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nvolumes; i++)
		n += s->volumes[i]->vmid == vmid;
	return n;
}

bool sim_task_running(const struct sim *s, const char *upid)
{
	const struct task *t = task_find(s, upid);

	return t && t->job;
}

size_t sim_tasks_running(const struct sim *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->ntasks; i++)
		n += s->tasks[i]->job != NULL;
	return n;
}
