/*
 * fakeport: a cluster port that answers from a script, on virtual time.
 *
 * Not a simulated cluster: it knows no state. Each request takes the next line of the script; what
 * is not scripted fails the test.
 *
 * The fake owns copies of the requests it saw; scripts are constant.
 *
 * Test programs; everything is static.
 */
#ifndef RAMET_FAKEPORT_H
#define RAMET_FAKEPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusterport.h"
#include "text.h"
#include "vclock.h"

#define FAKEPORT_MAX 64

struct fake_answer {
	enum cluster_transport transport;
	int status;
	const char *reason, *body;
	enum tlstrust trust;
	int64_t delay_ms;
};

struct fake_seen {
	char *method, *path, *node;
	struct kv params;
	int64_t at;
	cluster_cb cb;
	void *arg;
	timer_id timer;
	const struct fake_answer *answer;
	struct fakeport *port;
};

struct fakeport {
	struct cluster_port port;
	struct vclock *v;
	const struct fake_answer *script;
	size_t n_script, next;
	bool repeat_last; /* the last line answers all that follows */
	struct fake_seen seen[FAKEPORT_MAX];
	size_t n_seen;
	size_t cancelled;
};

static UNUSED void fake_deliver(void *arg)
{
	struct fake_seen *s = arg;
	const struct fake_answer *a = s->answer;
	struct cluster_reply r = {
	    .transport = a->transport,
	    .status = a->status,
	    .reason = a->reason ? a->reason : "",
	    .body = a->body ? a->body : "",
	    .body_len = a->body ? strlen(a->body) : 0,
	    .trust = a->trust,
	    .detail = a->transport == CLUSTER_REPLIED ? NULL : "the wire broke",
	};
	s->timer = 0;
	s->cb(s->arg, &r);
}

static UNUSED cluster_id fake_submit(
    struct cluster_port *p, const struct cluster_request *req, cluster_cb cb, void *arg)
{
	struct fakeport *f = (struct fakeport *)p;
	MUST(f->n_seen < FAKEPORT_MAX);
	if (f->next == f->n_script && f->repeat_last)
		f->next--;
	if (f->next == f->n_script) {
		fprintf(stderr, "not in the script: %s %s\n", req->method, req->path);
		MUST(false);
	}
	MUST(req->timeout_ms > 0);
	struct fake_seen *s = &f->seen[f->n_seen++];
	*s = (struct fake_seen){.method = mem_strdup(req->method),
	    .path = mem_strdup(req->path),
	    .node = mem_strdup(req->node),
	    .at = clock_now(vclock_clock(f->v)),
	    .cb = cb,
	    .arg = arg,
	    .answer = &f->script[f->next++],
	    .port = f};
	if (req->params)
		kv_copy(&s->params, req->params);
	s->timer = clock_timer(vclock_clock(f->v), s->answer->delay_ms, fake_deliver, s);
	return f->n_seen;
}

static UNUSED void fake_cancel(struct cluster_port *p, cluster_id id)
{
	struct fakeport *f = (struct fakeport *)p;
	struct fake_seen *s = &f->seen[id - 1];
	f->cancelled += s->timer != 0;
	clock_cancel(vclock_clock(f->v), &s->timer);
}

static UNUSED const char *fake_entry(struct cluster_port *p)
{
	(void)p;
	return "";
}

static UNUSED void fakeport_init(
    struct fakeport *f, struct vclock *v, const struct fake_answer *script, size_t n)
{
	static const struct cluster_port_ops ops = {
	    .submit = fake_submit, .cancel = fake_cancel, .entry = fake_entry};
	*f = (struct fakeport){.port.ops = &ops, .v = v, .script = script, .n_script = n};
}

static UNUSED void fakeport_fini(struct fakeport *f)
{
	for (size_t i = 0; i < f->n_seen; i++) {
		free(f->seen[i].method);
		free(f->seen[i].path);
		free(f->seen[i].node);
		kv_fini(&f->seen[i].params);
	}
}

#endif
