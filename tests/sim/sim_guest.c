/* Changes of guests and the journal of them; what the other nodes hear; the configuration file. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_ha.h"
#include "sim_job.h"
#include "sim_prop.h"
#include "sim_state.h"

#define CLOG_MAX 2000 /* lines the cluster keeps */

/* --- the journal --- */

/* 0, or the errno of what could not be written whole. */
static int entry_write(int fd, const struct sim_entry *e)
{
	struct jsn *j = jsn_new_object();
	char *text;
	size_t len, off = 0;
	int failed;

	jsn_put_int(j, "seq", (int64_t)e->seq);
	jsn_put_int(j, "time_ms", e->wall_ms);
	jsn_put_str(j, "user", e->user);
	jsn_put_str(j, "node", e->node);
	if (*e->method) {
		jsn_put_str(j, "method", e->method);
		jsn_put_str(j, "path", e->path);
		jsn_put_int(j, "request", (int64_t)e->request);
	}
	if (e->vmid)
		jsn_put_int(j, "vmid", e->vmid);
	jsn_put_str(j, "effect", e->effect);
	if (*e->key)
		jsn_put_str(j, "key", e->key);
	jsn_put_str(j, "before", e->before);
	jsn_put_str(j, "after", e->after);
	text = jsn_print(j, false);
	jsn_free(&j);
	len = strlen(text);
	text[len] = '\n'; /* the terminator's place; written without it */
	while (off < len + 1) {
		ssize_t n = write(fd, text + off, len + 1 - off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		off += (size_t)n;
	}
	failed = off < len + 1 ? errno : 0;
	free(text);
	return failed;
}

void note(struct sim *s, const struct guest *g, const char *effect, const char *key,
    const char *before, const char *after)
{
	const struct job *j = s->acting;
	bool secret = !strcmp(key, "cipassword");
	struct sim_entry e = {
	    .seq = ++s->journal_seq,
	    .wall_ms = sim_wall(s),
	    .user = mem_strdup(j		? j->who.full
			       : s->acting_user ? s->acting_user
						: ""),
	    .node = mem_strdup(j && j->node ? j->node->name
			       : g	    ? g->node->name
					    : ""),
	    .method = mem_strdup(j ? j->method : ""),
	    .path = mem_strdup(j ? j->path : ""),
	    .request = j ? j->id : 0,
	    .vmid = g ? g->vmid : 0,
	    .effect = effect,
	    .key = mem_strdup(key),
	    .before = mem_strdup(before && secret ? "<hidden>" : before),
	    .after = mem_strdup(after && secret ? "<hidden>" : after),
	};

	/* A full disk does not stop the cluster; a journal with a gap would tell what is not so. */
	if (s->journal_fd >= 0 && !s->journal_failed)
		s->journal_failed = entry_write(s->journal_fd, &e);
	MEM_PUSH_ROOM(s->journal, s->njournal, s->journalcap);
	s->journal[s->njournal++] = e;
	if (!s->journal_on)
		journal_clear(s);
}

void journal_clear(struct sim *s)
{
	for (size_t i = 0; i < s->njournal; i++) {
		struct sim_entry *e = &s->journal[i];
		const char *own[] = {
		    e->user, e->node, e->method, e->path, e->key, e->before, e->after};

		for (size_t k = 0; k < ARRAY_LEN(own); k++)
			free((char *)own[k]);
	}
	s->njournal = 0;
}

size_t sim_journal_len(const struct sim *s)
{
	return s->njournal;
}

void sim_journal_at(const struct sim *s, size_t i, struct sim_entry *ret)
{
	MUST(i < s->njournal);
	*ret = s->journal[i];
}

void sim_journal_fd(struct sim *s, int fd)
{
	s->journal_fd = fd;
}

int sim_journal_failed(const struct sim *s)
{
	return s->journal_failed;
}

/* --- what the others hear --- */

int64_t last_broadcast(const struct sim *s, const struct node *n)
{
	int64_t t = s->now, period = s->timing[TIMING_STATD];

	if (!n->up && n->down_since < t)
		t = n->down_since;
	if (!n->statd && n->statd_until < t)
		t = n->statd_until;
	if (period <= 0)
		return t;
	return t < n->phase ? n->phase - period : n->phase + (t - n->phase) / period * period;
}

static void heard_take(struct guest *g, int64_t at)
{
	const char *name = kv_get(&g->conf, "name");
	struct heard *h = &g->heard;

	free(g->before.name);
	g->before = *h; /* with its name */
	g->heard_at = at;
	h->known = true;
	h->running = g->running;
	h->template = text_eq(kv_get(&g->conf, "template"), "1");
	h->name = name ? mem_strdup(name) : mem_printf("VM %" PRId64, g->vmid);
	h->status = g->running ? g->qmp : "stopped";
	h->maxcpu = guest_cpus(g);
	h->maxmem = guest_memory(g);
	h->maxdisk = guest_bootsize(g);
	h->since = g->started;
	h->nics = g->nics;
}

static void heard_sync(struct sim *s, struct guest *g)
{
	if (g->dirty_at != NOT_DIRTY && last_broadcast(s, g->node) >= g->dirty_at) {
		heard_take(g, last_broadcast(s, g->node));
		g->dirty_at = NOT_DIRTY;
	}
}

void guest_touch(struct sim *s, struct guest *g)
{
	heard_sync(s, g);
	if (g->dirty_at == NOT_DIRTY)
		g->dirty_at = s->now;
	g->digest[0] = '\0';
}

/* Each worker of pveproxy keeps a copy of what was heard for so long. */
#define COPY_AGE 2000

const struct heard *guest_heard(struct sim *s, struct guest *g)
{
	int64_t last;

	heard_sync(s, g);
	if (!g->heard.known)
		return NULL;
	last = last_broadcast(s, g->node);
	if (s->now - last > s->timing[TIMING_STALE])
		return NULL;
	if (!s->old_copy || s->now - g->heard_at > COPY_AGE)
		return &g->heard;
	return g->before.known ? &g->before : NULL;
}

void echo_add(struct sim *s, int64_t vmid, const struct heard *h, int64_t at)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nechoes; i++)
		if (s->echoes[i].vmid == vmid || s->now - s->echoes[i].at > s->timing[TIMING_STALE])
			free(s->echoes[i].heard.name);
		else
			s->echoes[n++] = s->echoes[i];
	s->nechoes = n;
	MEM_PUSH_ROOM(s->echoes, s->nechoes, s->echocap);
	s->echoes[s->nechoes++] = (struct echo){vmid, at, *h};
}

/* --- changes --- */

void guest_set(struct sim *s, struct guest *g, const char *key, const char *value)
{
	const char *old = kv_get(&g->conf, key);

	if (text_eq(old, value))
		return;
	guest_touch(s, g);
	note(s, g, "set", key, old, value);
	kv_set(&g->conf, key, value);
}

void guest_unset(struct sim *s, struct guest *g, const char *key)
{
	const char *old = kv_get(&g->conf, key);

	if (!old)
		return;
	guest_touch(s, g);
	note(s, g, "delete", key, old, NULL);
	kv_del(&g->conf, key);
}

void guest_pend(struct sim *s, struct guest *g, const char *key, const char *value)
{
	const char *old = kv_get(&g->pend, key);

	if (text_eq(old, value))
		return;
	guest_touch(s, g);
	note(s, g, "pending", key, old, value);
	kv_set(&g->pend, key, value);
}

void guest_unpend(struct sim *s, struct guest *g, const char *key)
{
	if (!kv_has(&g->pend, key))
		return;
	guest_touch(s, g);
	kv_del(&g->pend, key);
}

void guest_pend_del(struct sim *s, struct guest *g, const char *key, bool force)
{
	guest_touch(s, g);
	kv_set(&g->pend_del, key, force ? "2" : "1");
}

void guest_unpend_del(struct sim *s, struct guest *g, const char *key)
{
	if (kv_has(&g->pend_del, key)) {
		guest_touch(s, g);
		kv_del(&g->pend_del, key);
	}
}

void guest_move(struct sim *s, struct guest *g, struct node *to)
{
	struct node *from = g->node;

	if (from == to)
		return;
	guest_touch(s, g);
	g->node = to;
	note(s, g, "node", "", from->name, to->name);
}

void guest_run(struct sim *s, struct guest *g, bool on)
{
	if (g->running == on)
		return;
	guest_touch(s, g);
	note(s, g, on ? "start" : "stop", "", NULL, NULL);
	g->running = on;
	g->qmp = on ? "running" : "stopped";
	g->started = s->now;
	g->nics = (struct nics){0};
	if (g->ha)
		ha_kick(s);
	kv_fini(&g->live);
	if (on) {
		kv_copy(&g->live, &g->conf);
		g->pid = node_fork(s, g->node);
	}
}

void guest_pool(struct sim *s, struct guest *g, const char *pool)
{
	if (text_eq(g->pool, pool))
		return;
	note(s, g, "pool", "", g->pool, pool);
	mem_replace(&g->pool, pool);
}

/* --- the file --- */

/* A description stands in front as comment lines; what would end a line is percent-encoded. */
static void raw_description(struct buf *b, const char *text)
{
	bool start = true;

	for (const char *p = text; *p; p++) {
		if (start)
			buf_addc(b, '#');
		start = *p == '\n';
		if (*p == '%' || *p == '\r' || ((unsigned char)*p < 32 && *p != '\n' && *p != '\t'))
			buf_addf(b, "%%%02X", (unsigned char)*p);
		else
			buf_addc(b, *p);
	}
	if (*text)
		buf_addc(b, '\n');
}

static void raw_section(struct buf *b, const struct kv *conf, const char *skip)
{
	const char *d = kv_get(conf, "description");

	if (d)
		raw_description(b, d);
	KV_FOREACH (i, conf)
		if (strcmp(i->key, "description") != 0 && !text_eq(i->key, skip))
			buf_addf(b, "%s: %s\n", i->key, i->value);
}

void guest_raw(const struct guest *g, struct buf *b)
{
	raw_section(b, &g->conf, NULL);
	if (g->pend.n || g->pend_del.n) {
		buf_adds(b, "\n[PENDING]\n");
		if (g->pend_del.n) {
			const char *sep = "delete: ";

			KV_FOREACH (i, &g->pend_del) {
				buf_addf(
				    b, "%s%s%s", sep, text_eq(i->value, "2") ? "!" : "", i->key);
				sep = ",";
			}
			buf_addc(b, '\n');
		}
		raw_section(b, &g->pend, NULL);
	}
	if (g->has_ci && g->cloudinit.n) {
		buf_adds(b, "\n[special:cloudinit]\n");
		raw_section(b, &g->cloudinit, NULL);
	}
	for (size_t i = 0; i < g->nsnaps; i++) {
		buf_addf(b, "\n[%s]\n", g->snaps[i].name);
		raw_section(b, &g->snaps[i].conf, NULL);
		if (g->snaps[i].state)
			buf_addf(b, "snapstate: %s\n", g->snaps[i].state);
		buf_addf(b, "snaptime: %" PRId64 "\n", g->snaps[i].time);
	}
}

void sim_sha1(const void *data, size_t len, char ret[41])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	MUST(EVP_Digest(data, len, md, &n, EVP_sha1(), NULL) == 1 && n == 20);
	for (unsigned i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", md[i]);
}

const char *guest_digest(struct guest *g)
{
	struct buf b;

	if (*g->digest)
		return g->digest;
	buf_init(&b, 0);
	guest_raw(g, &b);
	sim_sha1(buf_str(&b), b.len, g->digest);
	buf_fini(&b);
	return g->digest;
}

/* --- the cluster's log --- */

void clog_add(struct sim *s, struct node *n, const char *user, int pri, const char *fmt, ...)
{
	va_list ap;
	char *msg = NULL;
	struct buf b;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	va_end(ap);
	/* As pmxcfs keeps it: control characters as #octal, and no line longer than its buffer. */
	buf_init(&b, 0);
	for (const char *p = msg ? msg : ""; *p && b.len < 4096; p++) {
		if ((unsigned char)*p < 32 || *p == 127)
			buf_addf(&b, "#%03d", *p);
		else
			buf_addc(&b, *p);
	}
	free(msg);
	if (s->nlog == CLOG_MAX) {
		free(s->log[0].user);
		free(s->log[0].tag);
		free(s->log[0].msg);
		free(s->log[0].row);
		memmove(s->log, s->log + 1, (s->nlog - 1) * sizeof(*s->log));
		s->nlog--;
	}
	MEM_PUSH_ROOM(s->log, s->nlog, s->logcap);
	s->log[s->nlog++] = (struct logline){n, ++s->log_uid, sim_secs(s), n->pid + 1, pri,
	    mem_strdup(user), mem_strdup("pvedaemon"), buf_take(&b), NULL};
}
