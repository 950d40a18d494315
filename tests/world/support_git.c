#include "support_git.h"

#include <stdlib.h>
#include <string.h>

struct commit {
	char oid[GITPORT_OID_HEX], parent[GITPORT_OID_HEX];
	struct kv files;
	char *subject;
};

struct branch {
	struct commit *v;
	size_t n, cap;
};

struct memgit {
	struct clock *clock;
	struct branch watched, status, dropped;
	unsigned fail, lost, serial;
	struct memgit_asked asked;
	bool down;
	int64_t pause_ms;
	int64_t failed_at; /* a job, for the last time */
	struct fates fates;
};

enum kind { JOB_LIST, JOB_READ, JOB_OLD, JOB_STATUS, JOB_COMPARE, JOB_PUBLISH };

struct job {
	gitport_job id;
	enum kind kind;
	char *rev, *path, *base, *message;
	struct kv put;
	struct strs del;
	gitport_cb cb;
	void *arg;
	struct job *next;
};

struct port {
	struct gitport base;
	struct memgit *git;
	struct job *jobs; /* first is under way */
	timer_id timer;
	gitport_job last;
	bool dead;
};

struct memgit *memgit_new(struct clock *clock)
{
	struct memgit *g = mem_alloc(sizeof(*g));

	g->clock = clock;
	return g;
}

static void branch_fini(struct branch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		kv_fini(&b->v[i].files);
		free(b->v[i].subject);
	}
	free(b->v);
	*b = (struct branch){0};
}

void memgit_free(struct memgit **g)
{
	if (!*g)
		return;
	branch_fini(&(*g)->watched);
	branch_fini(&(*g)->dropped);
	branch_fini(&(*g)->status);
	free(*g);
	*g = NULL;
}

static struct commit *branch_add(
    struct memgit *g, struct branch *b, const struct kv *files, const char *subject)
{
	struct commit *c;

	MEM_PUSH_ROOM(b->v, b->n, b->cap);
	c = &b->v[b->n++];
	*c = (struct commit){.subject = mem_strdup(subject)};
	if (b->n > 1)
		memcpy(c->parent, c[-1].oid, sizeof(c->parent));
	kv_copy(&c->files, files);
	g->serial++;
	for (size_t i = 0; i < 40; i++)
		c->oid[i] = "0123456789abcdef"[(g->serial * 2654435761u >> (i % 8 * 4)) & 15];
	c->oid[0] = b == &g->watched ? 'a' : 'b';
	return c;
}

static const struct commit *tip(const struct branch *b)
{
	return b->n ? &b->v[b->n - 1] : NULL;
}

void memgit_commit(struct memgit *g, const struct kv *files, const char *subject)
{
	branch_add(g, &g->watched, files, subject);
}

void memgit_rewind(struct memgit *g, size_t n)
{
	struct branch *from = &g->watched, *to = &g->dropped;

	for (; n && from->n > 1; n--) {
		MEM_PUSH_ROOM(to->v, to->n, to->cap);
		to->v[to->n++] = from->v[--from->n];
	}
}

void memgit_forget(struct memgit *g, const char *rev)
{
	struct branch *from = &g->watched, *to = &g->dropped;
	size_t i = 0;

	while (i < from->n && strcmp(from->v[i].oid, rev) != 0)
		i++;
	if (i == from->n)
		return;
	MEM_PUSH_ROOM(to->v, to->n, to->cap);
	to->v[to->n++] = from->v[i];
	memmove(&from->v[i], &from->v[i + 1], (--from->n - i) * sizeof(*from->v));
}

void memgit_foreign_status(struct memgit *g, const char *path, const char *text)
{
	_cleanup_kv_ struct kv files = {0};

	if (g->status.n)
		kv_copy(&files, &tip(&g->status)->files);
	kv_set(&files, path, text);
	branch_add(g, &g->status, &files, "somebody else");
}

const char *memgit_head(const struct memgit *g)
{
	return g->watched.n ? tip(&g->watched)->oid : "";
}

const char *memgit_status_file(const struct memgit *g, const char *path)
{
	return g->status.n ? kv_get(&tip(&g->status)->files, path) : NULL;
}

struct memgit_asked memgit_asked(const struct memgit *g)
{
	return g->asked;
}

size_t memgit_status_commits(const struct memgit *g)
{
	return g->status.n;
}

const char *memgit_status_message(const struct memgit *g, size_t i)
{
	return i < g->status.n ? g->status.v[i].subject : NULL;
}

void memgit_drop_status(struct memgit *g)
{
	branch_fini(&g->status);
}

void memgit_set_faults(struct memgit *g, unsigned fail, unsigned lost)
{
	g->fail = fail;
	g->lost = lost;
}

int64_t memgit_failed_at(const struct memgit *g)
{
	return g->failed_at;
}

void memgit_set_pause(struct memgit *g, int64_t ms)
{
	g->pause_ms = ms;
}

void memgit_set_fates(struct memgit *g, const struct fates *f)
{
	g->fates = *f;
}

void memgit_set_down(struct memgit *g, bool down)
{
	g->down = down;
}

static void job_free(struct job *j)
{
	free(j->rev);
	free(j->path);
	free(j->base);
	free(j->message);
	kv_fini(&j->put);
	strs_fini(&j->del);
	free(j);
}

static const struct commit *find_commit(const struct branch *b, const char *rev)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->v[i].oid, rev) == 0)
			return &b->v[i];
	return NULL;
}

static const struct commit *known_commit(const struct memgit *g, const char *rev)
{
	const struct commit *c = find_commit(&g->watched, rev);

	return c ? c : find_commit(&g->dropped, rev);
}

static bool is_ancestor(const struct memgit *g, const char *old, const char *rev)
{
	const struct commit *c = known_commit(g, rev);

	while (c && strcmp(c->oid, old) != 0)
		c = *c->parent ? known_commit(g, c->parent) : NULL;
	return c != NULL;
}

static void run_compare(const struct memgit *g, const struct job *j)
{
	struct gitport_result r = {.relation = GITPORT_DIVERGED};

	if (!known_commit(g, j->path))
		r.relation = GITPORT_UNKNOWN;
	else if (strcmp(j->path, j->rev) == 0)
		r.relation = GITPORT_SAME;
	else if (is_ancestor(g, j->path, j->rev))
		r.relation = GITPORT_AHEAD;
	else if (is_ancestor(g, j->rev, j->path))
		r.relation = GITPORT_BEHIND;
	j->cb(j->arg, &r);
}

/* Gives the files of a commit (all, those that differ from `base`, or the one of `path`) to the
 * job's owner. */
static void give_files(
    const struct job *j, const struct commit *c, const struct commit *base, const char *path)
{
	struct gitport_file *files = mem_calloc(c->files.n + 1, sizeof(*files));
	const char **gone = mem_calloc((base ? base->files.n : 0) + 1, sizeof(*gone));
	struct gitport_result r = {.rev = c->oid,
	    .base = base ? base->oid : "",
	    .files = files,
	    .gone = gone,
	    .author = "somebody",
	    .subject = c->subject};

	KV_FOREACH (it, &c->files)
		if ((!path || strcmp(path, it->key) == 0) &&
		    !(base && text_eq(kv_get(&base->files, it->key), it->value)))
			files[r.n_files++] = (struct gitport_file){.path = it->key,
			    .data = it->value,
			    .len = strlen(it->value),
			    .oid = ""};
	for (size_t i = 0; base && i < base->files.n; i++)
		if (!kv_has(&c->files, base->files.v[i].key))
			gone[r.n_gone++] = base->files.v[i].key;
	j->cb(j->arg, &r);
	free(files);
	free(gone);
}

static void give_error(const struct job *j, enum err_code code, const char *msg, bool rejected)
{
	struct err e = {.code = code, .msg = (char *)msg};
	struct gitport_result r = {.err = &e, .rejected = rejected};

	j->cb(j->arg, &r);
}

static void run_publish(struct memgit *g, const struct job *j)
{
	_cleanup_kv_ struct kv files = {0};
	const struct commit *head = tip(&g->status);
	struct gitport_result r = {0};

	if (strcmp(head ? head->oid : "", j->rev) != 0) {
		give_error(j, ERR_CONFLICT, "the branch moved", true);
		return;
	}
	if (head)
		kv_copy(&files, &head->files);
	KV_FOREACH (it, &j->put)
		kv_set(&files, it->key, it->value);
	for (size_t i = 0; i < j->del.n; i++)
		kv_del(&files, j->del.v[i]);
	branch_add(g, &g->status, &files, j->message);
	if (clock_random(g->clock) % 1000 < g->lost) {
		give_error(j, ERR_TIMEOUT, "the answer to the push was lost", false);
		return;
	}
	r.new_head = tip(&g->status)->oid;
	j->cb(j->arg, &r);
}

static void run_normally(struct memgit *g, const struct job *j)
{
	const struct commit *c;
	struct gitport_result r = {0};
	unsigned *const asked[] = {[JOB_LIST] = &g->asked.list,
	    [JOB_READ] = &g->asked.read,
	    [JOB_OLD] = &g->asked.old,
	    [JOB_STATUS] = &g->asked.status,
	    [JOB_COMPARE] = &g->asked.compare,
	    [JOB_PUBLISH] = &g->asked.publish};

	++*asked[j->kind];
	if (g->pause_ms) {
		struct err e = {
		    .code = ERR_REMOTE, .msg = (char *)"too busy", .retry_ms = g->pause_ms};

		r.err = &e;
		j->cb(j->arg, &r);
		return;
	}
	if (g->down || clock_random(g->clock) % 1000 < g->fail) {
		g->failed_at = clock_now(g->clock);
		give_error(j, ERR_UNREACHABLE, "no route to the server", false);
		return;
	}
	switch (j->kind) {
	case JOB_LIST:
		r.head = memgit_head(g);
		r.status_head = g->status.n ? tip(&g->status)->oid : "";
		r.empty = !g->watched.n && !g->status.n;
		j->cb(j->arg, &r);
		return;
	case JOB_READ:
	case JOB_OLD:
		c = find_commit(&g->watched, j->rev);
		if (!c || (j->kind == JOB_OLD && !kv_has(&c->files, j->path)))
			give_error(j, ERR_NOTFOUND, "no such object", false);
		else
			give_files(j, c, j->base ? known_commit(g, j->base) : NULL, j->path);
		return;
	case JOB_STATUS:
		if (g->status.n)
			give_files(j, tip(&g->status), NULL, NULL);
		else
			give_error(j, ERR_NOTFOUND, "the branch does not exist", false);
		return;
	case JOB_COMPARE:
		run_compare(g, j);
		return;
	case JOB_PUBLISH:
		run_publish(g, j);
		return;
	}
}

static void nobody(void *arg, const struct gitport_result *r)
{
	(void)arg, (void)r;
}

static void run_job(struct memgit *g, struct job *j)
{
	static const char *const words[] = {[JOB_LIST] = "list",
	    [JOB_READ] = "read",
	    [JOB_OLD] = "read-old",
	    [JOB_STATUS] = "read-status",
	    [JOB_COMPARE] = "compare",
	    [JOB_PUBLISH] = "publish"};
	enum fate fate = fates_ask(&g->fates, TOUCH_GIT, words[j->kind], j->path ? j->path : "");
	gitport_cb cb = j->cb;

	if (fate == FATE_NORMAL) {
		run_normally(g, j);
		return;
	}
	if (fate == FATE_DIE || fate == FATE_DIE_AFTER)
		g->fates.die(g->fates.world);
	j->cb = nobody;
	if (fate == FATE_DIE_AFTER || fate == FATE_FAIL_AFTER)
		run_normally(g, j);
	j->cb = cb;
	if (fate == FATE_FAIL)
		give_error(j, ERR_UNREACHABLE, "no route to the server", false);
	else if (fate == FATE_FAIL_AFTER)
		give_error(j, ERR_TIMEOUT, "no answer in time", false);
}

static void on_timer(void *arg);

static void arm(struct port *p)
{
	if (p->jobs && !p->timer)
		p->timer = clock_timer(
		    p->git->clock, 20 + (int64_t)(clock_random(p->git->clock) % 400), on_timer, p);
}

static void on_timer(void *arg)
{
	struct port *p = arg;
	struct job *j = p->jobs;

	p->timer = 0;
	p->jobs = j->next;
	if (!p->dead)
		run_job(p->git, j);
	job_free(j);
	arm(p);
}

static gitport_job add(struct port *p, enum kind kind, gitport_cb cb, void *arg, struct job **ret)
{
	struct job *j = mem_alloc(sizeof(*j)), **end = &p->jobs;

	j->id = ++p->last;
	j->kind = kind;
	j->cb = cb;
	j->arg = arg;
	while (*end)
		end = &(*end)->next;
	*end = j;
	arm(p);
	*ret = j;
	return j->id;
}

static gitport_job port_list(struct gitport *g, gitport_cb cb, void *arg)
{
	struct job *j;

	return add((struct port *)g, JOB_LIST, cb, arg, &j);
}

static gitport_job port_read(
    struct gitport *g, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct job *j;
	gitport_job id = add((struct port *)g, JOB_READ, cb, arg, &j);

	j->rev = mem_strdup(rev);
	j->base = mem_strdup(base);
	return id;
}

static gitport_job port_old(
    struct gitport *g, const char *rev, const char *path, gitport_cb cb, void *arg)
{
	struct job *j;
	gitport_job id = add((struct port *)g, JOB_OLD, cb, arg, &j);

	j->rev = mem_strdup(rev);
	j->path = mem_strdup(path);
	return id;
}

static gitport_job port_status(struct gitport *g, gitport_cb cb, void *arg)
{
	struct job *j;

	return add((struct port *)g, JOB_STATUS, cb, arg, &j);
}

static gitport_job port_compare(
    struct gitport *g, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct job *j;
	gitport_job id = add((struct port *)g, JOB_COMPARE, cb, arg, &j);

	j->rev = mem_strdup(rev);
	j->path = mem_strdup(base);
	return id;
}

static gitport_job port_publish(
    struct gitport *g, const struct gitport_publish *pub, gitport_cb cb, void *arg)
{
	struct job *j;
	gitport_job id = add((struct port *)g, JOB_PUBLISH, cb, arg, &j);

	j->rev = mem_strdup(pub->parent);
	j->message = mem_strdup(pub->message);
	for (size_t i = 0; i < pub->n_put; i++) {
		_cleanup_str_ char *text = mem_strndup(pub->put[i].data, pub->put[i].len);

		kv_set(&j->put, pub->put[i].path, text);
	}
	for (size_t i = 0; i < pub->n_del; i++)
		strs_add(&j->del, pub->del[i]);
	return id;
}

static void port_cancel(struct gitport *g, gitport_job id)
{
	struct port *p = (struct port *)g;

	for (struct job **at = &p->jobs; *at; at = &(*at)->next) {
		struct job *j = *at;

		if (j->id != id)
			continue;
		if (at == &p->jobs)
			clock_cancel(p->git->clock, &p->timer);
		*at = j->next;
		job_free(j);
		arm(p);
		return;
	}
}

static const struct gitport_ops port_ops = {.list = port_list,
    .read = port_read,
    .read_old = port_old,
    .read_status = port_status,
    .compare = port_compare,
    .publish = port_publish,
    .cancel = port_cancel};

struct gitport *memgit_port_new(struct memgit *g)
{
	struct port *p = mem_alloc(sizeof(*p));

	p->base.ops = &port_ops;
	p->git = g;
	return &p->base;
}

void memgit_port_kill(struct gitport *p)
{
	((struct port *)p)->dead = true;
}

void memgit_port_free(struct gitport **gp)
{
	struct port *p = (struct port *)*gp;

	if (!p)
		return;
	clock_cancel(p->git->clock, &p->timer);
	while (p->jobs) {
		struct job *j = p->jobs;

		p->jobs = j->next;
		job_free(j);
	}
	free(p);
	*gp = NULL;
}
