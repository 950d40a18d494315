#include "meter.h"

#include <stddef.h>
#include <stdlib.h>

#include "metrics.h"
#include "slots.h"

#define METER_MAGIC 0x6d657472u

struct call {
	struct meter *m;
	struct call *next, *prev;
	int64_t begun;
	uint64_t inner; /* the id that the port within gave */
	uint64_t id;	/* the one that was given to the caller */
	unsigned kind;	/* of a Git job: its place in the table's labels */
	cluster_cb on_reply;
	gitport_cb on_result;
	void *arg;
};

struct meter {
	uint32_t magic;
	struct clock *clock;
	struct cluster_port cluster, *inner_cluster;
	struct gitport git, *inner_git;
	struct call *first;
	struct slots calls;
};

static struct meter *of_cluster(struct cluster_port *p)
{
	struct meter *m = (struct meter *)((char *)p - offsetof(struct meter, cluster));
	CHECK_OBJ(m, METER_MAGIC);
	return m;
}

static struct meter *of_git(struct gitport *p)
{
	struct meter *m = (struct meter *)((char *)p - offsetof(struct meter, git));
	CHECK_OBJ(m, METER_MAGIC);
	return m;
}

static struct call *call_new(struct meter *m, void *arg)
{
	struct call *k = mem_alloc(sizeof(*k));
	*k = (struct call){.m = m, .next = m->first, .begun = clock_now(m->clock), .arg = arg};
	if (k->next)
		k->next->prev = k;
	m->first = k;
	k->id = slots_add(&m->calls, k);
	return k;
}

static void call_free(struct call *k)
{
	if (k->next)
		k->next->prev = k->prev;
	if (k->prev)
		k->prev->next = k->next;
	else
		k->m->first = k->next;
	slots_del(&k->m->calls, k->id);
	free(k);
}

static double seconds_since(const struct call *k)
{
	return (double)(clock_now(k->m->clock) - k->begun) / 1000;
}

/* ---- the cluster ---- */

/* In the order of the table's labels. */
enum outcome { OK, REFUSED, UNAUTHENTICATED, FORBIDDEN, FAILED, NOT_SENT, CUT };

static enum outcome outcome(const struct cluster_reply *r)
{
	if (r->transport == CLUSTER_NOT_SENT)
		return NOT_SENT;
	if (r->transport == CLUSTER_CUT)
		return CUT;
	if (r->status == 401)
		return UNAUTHENTICATED;
	if (r->status == 403)
		return FORBIDDEN;
	return r->status < 400 ? OK : r->status < 500 ? REFUSED : FAILED;
}

static void on_reply(void *arg, const struct cluster_reply *r)
{
	struct call *k = arg;
	cluster_cb cb = k->on_reply;
	void *cb_arg = k->arg;
	metrics_observe(METRIC_CLUSTER_REQUEST_SECONDS, seconds_since(k));
	metrics_add(METRIC_CLUSTER_REQUESTS, outcome(r), 1);
	metrics_add(METRIC_CLUSTER_BYTES, 0, (double)r->body_len);
	call_free(k);
	cb(cb_arg, r);
}

static cluster_id cluster_submit_(
    struct cluster_port *p, const struct cluster_request *req, cluster_cb cb, void *arg)
{
	struct meter *m = of_cluster(p);
	struct call *k = call_new(m, arg);
	k->on_reply = cb;
	k->inner = cluster_submit(m->inner_cluster, req, on_reply, k);
	return k->id;
}

static void cluster_cancel_(struct cluster_port *p, cluster_id id)
{
	struct meter *m = of_cluster(p);
	struct call *k = slots_find(&m->calls, id);
	if (!k)
		return;
	cluster_cancel(m->inner_cluster, &k->inner);
	call_free(k);
}

static const char *cluster_entry(struct cluster_port *p)
{
	struct meter *m = of_cluster(p);
	return m->inner_cluster->ops->entry(m->inner_cluster);
}

/* ---- Git ---- */

/* In the order of the table's labels. */
enum job { LIST, READ, READ_OLD, READ_STATUS, COMPARE, PUBLISH };

static void on_result(void *arg, const struct gitport_result *res)
{
	struct call *k = arg;
	gitport_cb cb = k->on_result;
	void *cb_arg = k->arg;
	metrics_observe(METRIC_GIT_JOB_SECONDS, seconds_since(k));
	metrics_add(METRIC_GIT_JOBS, k->kind, 1);
	if (res->err)
		metrics_add(METRIC_GIT_FAILURES, k->kind, 1);
	call_free(k);
	cb(cb_arg, res);
}

static struct call *job_new(struct gitport *p, enum job kind, gitport_cb cb, void *arg)
{
	struct call *k = call_new(of_git(p), arg);
	k->kind = kind;
	k->on_result = cb;
	return k;
}

static gitport_job git_list(struct gitport *p, gitport_cb cb, void *arg)
{
	struct call *k = job_new(p, LIST, cb, arg);
	k->inner = gitport_list(k->m->inner_git, on_result, k);
	return k->id;
}

static gitport_job git_read(
    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct call *k = job_new(p, READ, cb, arg);
	k->inner = gitport_read_since(k->m->inner_git, rev, base, on_result, k);
	return k->id;
}

static gitport_job git_read_old(
    struct gitport *p, const char *rev, const char *path, gitport_cb cb, void *arg)
{
	struct call *k = job_new(p, READ_OLD, cb, arg);
	k->inner = gitport_read_old(k->m->inner_git, rev, path, on_result, k);
	return k->id;
}

static gitport_job git_read_status(struct gitport *p, gitport_cb cb, void *arg)
{
	struct call *k = job_new(p, READ_STATUS, cb, arg);
	k->inner = gitport_read_status(k->m->inner_git, on_result, k);
	return k->id;
}

static gitport_job git_compare(
    struct gitport *p, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct call *k = job_new(p, COMPARE, cb, arg);
	k->inner = gitport_compare(k->m->inner_git, rev, base, on_result, k);
	uint64_t id = k->inner ? k->id : 0;
	if (!id)
		call_free(k); /* it has no history to look at, and will not call back */
	return id;
}

static gitport_job git_publish(
    struct gitport *p, const struct gitport_publish *pub, gitport_cb cb, void *arg)
{
	struct call *k = job_new(p, PUBLISH, cb, arg);
	k->inner = gitport_publish(k->m->inner_git, pub, on_result, k);
	return k->id;
}

static void git_cancel(struct gitport *p, gitport_job job)
{
	struct meter *m = of_git(p);
	struct call *k = slots_find(&m->calls, job);
	if (!k)
		return;
	gitport_cancel(m->inner_git, &k->inner);
	call_free(k);
}

/* ---- life ---- */

struct meter *meter_new(struct clock *clock, struct cluster_port *cluster, struct gitport *git)
{
	static const struct cluster_port_ops cluster_ops = {
	    .submit = cluster_submit_, .cancel = cluster_cancel_, .entry = cluster_entry};
	static const struct gitport_ops git_ops = {.list = git_list,
	    .read = git_read,
	    .read_old = git_read_old,
	    .read_status = git_read_status,
	    .compare = git_compare,
	    .publish = git_publish,
	    .cancel = git_cancel};
	struct meter *m = mem_alloc(sizeof(*m));
	m->magic = METER_MAGIC;
	m->clock = clock;
	m->inner_cluster = cluster;
	m->inner_git = git;
	m->cluster.ops = &cluster_ops;
	m->git.ops = &git_ops;
	return m;
}

void meter_free(struct meter **mp)
{
	struct meter *m = *mp;
	if (!m)
		return;
	CHECK_OBJ(m, METER_MAGIC);
	while (m->first) {
		struct call *k = m->first;
		if (k->on_reply)
			cluster_cancel(m->inner_cluster, &k->inner);
		else
			gitport_cancel(m->inner_git, &k->inner);
		call_free(k);
	}
	slots_fini(&m->calls);
	m->magic = 0;
	free(m);
	*mp = NULL;
}

struct cluster_port *meter_cluster(struct meter *m)
{
	return &m->cluster;
}

struct gitport *meter_git(struct meter *m)
{
	return m->inner_git ? &m->git : NULL;
}
