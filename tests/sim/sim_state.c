#include "sim_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_backup.h"
#include "sim_harule.h"
#include "sim_repl.h"
#include "sim_restore.h"

/* --- a map from text --- */

static char grave[] = ""; /* marks a slot whose entry was removed */

static uint64_t hash(const char *s)
{
	uint64_t h = 1469598103934665603u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

static struct smap_slot *probe(const struct smap *m, const char *key)
{
	for (size_t i = hash(key) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct smap_slot *e = &m->v[i];

		if (!e->key || (e->key != grave && !strcmp(e->key, key)))
			return e;
	}
}

void *smap_get(const struct smap *m, const char *key)
{
	return m->cap ? probe(m, key)->value : NULL;
}

void smap_put(struct smap *m, const char *key, void *value)
{
	struct smap_slot *e;

	if ((m->used + m->dead + 1) * 4 > m->cap * 3) {
		struct smap old = *m;

		m->cap = old.used * 4 < 64 ? 64 : old.cap * (old.used * 2 > old.cap ? 2 : 1);
		m->v = mem_calloc(m->cap, sizeof(*m->v));
		m->dead = 0;
		for (size_t i = 0; i < old.cap; i++)
			if (old.v[i].key && old.v[i].key != grave)
				*probe(m, old.v[i].key) = old.v[i];
		free(old.v);
	}
	e = probe(m, key);
	if (!e->key) {
		e->key = mem_strdup(key);
		m->used++;
	}
	e->value = value;
}

void smap_del(struct smap *m, const char *key)
{
	struct smap_slot *e = m->cap ? probe(m, key) : NULL;

	if (!e || !e->key)
		return;
	free(e->key);
	e->key = grave;
	e->value = NULL;
	m->used--;
	m->dead++;
}

void smap_fini(struct smap *m)
{
	for (size_t i = 0; i < m->cap; i++)
		if (m->v[i].key != grave)
			free(m->v[i].key);
	free(m->v);
	*m = (struct smap){0};
}

/* --- what a handler dies of --- */

void oops_fini(struct oops *o)
{
	mem_free_str(&o->msg);
	kv_fini(&o->errors);
	o->status = 0;
}

__attribute__((format(printf, 3, 0))) static void oops_vset(
    struct oops *o, int status, const char *fmt, va_list ap)
{
	char *msg = NULL;

	if (vasprintf(&msg, fmt, ap) < 0)
		msg = mem_strdup("out of memory");
	oops_fini(o);
	o->status = status;
	o->msg = msg;
}

bool oops_die(struct oops *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	oops_vset(o, 500, fmt, ap);
	va_end(ap);
	return false;
}

bool oops_http(struct oops *o, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	oops_vset(o, status, fmt, ap);
	va_end(ap);
	return false;
}

bool oops_param(struct oops *o, const char *key, const char *fmt, ...)
{
	va_list ap;
	char *msg = NULL;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	va_end(ap);
	o->status = 400;
	mem_replace(&o->msg, "Parameter verification failed.");
	if (!kv_has(&o->errors, key))
		kv_set(&o->errors, key, msg ? msg : "");
	free(msg);
	return false;
}

void who_fini(struct who *w)
{
	mem_free_str(&w->full);
	mem_free_str(&w->user);
}

bool who_is_root(const struct who *w)
{
	return text_eq(w->full, "root@pam");
}

/* --- the clock: a heap of events by time, then by the order in which they were made --- */

static bool sooner(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void heap_up(struct sim *s, size_t i)
{
	for (; i && sooner(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2) {
		struct event t = s->heap[i];

		s->heap[i] = s->heap[(i - 1) / 2];
		s->heap[(i - 1) / 2] = t;
	}
}

static void heap_down(struct sim *s, size_t i)
{
	for (;;) {
		size_t m = i;
		struct event t;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < s->nheap; c++)
			if (sooner(&s->heap[c], &s->heap[m]))
				m = c;
		if (m == i)
			return;
		t = s->heap[i];
		s->heap[i] = s->heap[m];
		s->heap[m] = t;
		i = m;
	}
}

static void heap_remove(struct sim *s, size_t i)
{
	s->heap[i] = s->heap[--s->nheap];
	if (i < s->nheap) {
		heap_up(s, i);
		heap_down(s, i);
	}
}

uint64_t sim_at(struct sim *s, int64_t at, void (*fn)(void *), void *arg)
{
	MEM_PUSH_ROOM(s->heap, s->nheap, s->heapcap);
	s->heap[s->nheap] = (struct event){at < s->now ? s->now : at, ++s->seq, fn, arg};
	heap_up(s, s->nheap++);
	return s->seq;
}

void sim_unschedule(struct sim *s, uint64_t seq)
{
	if (!seq)
		return;
	for (size_t i = 0; i < s->nheap; i++)
		if (s->heap[i].seq == seq) {
			heap_remove(s, i);
			return;
		}
}

int64_t sim_now(const struct sim *s)
{
	CHECK_OBJ(s, SIM_MAGIC);
	return s->now;
}

int64_t sim_wall(const struct sim *s)
{
	return s->wall0 + s->now;
}

int64_t sim_secs(const struct sim *s)
{
	return sim_wall(s) / 1000;
}

int64_t sim_next_event(const struct sim *s)
{
	CHECK_OBJ(s, SIM_MAGIC);
	return s->nheap ? s->heap[0].at : -1;
}

void sim_run_until(struct sim *s, int64_t t)
{
	CHECK_OBJ(s, SIM_MAGIC);
	while (s->nheap && s->heap[0].at <= t) {
		struct event e = s->heap[0];

		heap_remove(s, 0);
		if (e.at > s->now)
			s->now = e.at;
		e.fn(e.arg);
	}
	if (t > s->now)
		s->now = t;
}

/* --- chance: xoshiro256** --- */

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t sim_rand(struct sim *s)
{
	uint64_t *r = s->rng, res = rotl(r[1] * 5, 7) * 9, t = r[1] << 17;

	r[2] ^= r[0];
	r[3] ^= r[1];
	r[1] ^= r[2];
	r[0] ^= r[3];
	r[2] ^= t;
	r[3] = rotl(r[3], 45);
	return res;
}

uint64_t sim_rand_below(struct sim *s, uint64_t n)
{
	return n ? sim_rand(s) % n : 0;
}

double sim_rand_unit(struct sim *s)
{
	return (double)(sim_rand(s) >> 11) / 9007199254740992.0;
}

char *sim_uuid(struct sim *s)
{
	uint64_t a = sim_rand(s), b = sim_rand(s);

	return mem_printf("%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
	    a >> 32, (a >> 16) & 0xffff, a & 0xfff, 0x8000 | ((b >> 48) & 0x3fff),
	    b & 0xffffffffffff);
}

char *sim_mac(struct sim *s)
{
	const char *prefix = kv_get(&s->options, "mac_prefix");
	uint64_t r = sim_rand(s);
	struct buf b;

	buf_init(&b, 0);
	buf_adds(&b, prefix ? prefix : "BC:24:11");
	while (b.len < 17) {
		if (b.data[b.len - 1] != ':' && (b.len + 1) % 3 == 0)
			buf_addc(&b, ':');
		buf_addc(&b, "0123456789ABCDEF"[r & 15]);
		r >>= 4;
	}
	return buf_take(&b);
}

/* --- finding --- */

struct node *node_find(const struct sim *s, const char *name)
{
	for (size_t i = 0; name && i < s->nnodes; i++)
		if (!strcmp(s->nodes[i]->name, name))
			return s->nodes[i];
	return NULL;
}

struct store *store_find(const struct sim *s, const char *name)
{
	for (size_t i = 0; name && i < s->nstores; i++)
		if (!strcmp(s->stores[i]->name, name))
			return s->stores[i];
	return NULL;
}

bool store_on(const struct store *st, const struct node *n)
{
	return !st->nodes.n || strs_has(&st->nodes, n->name);
}

bool store_has(const struct store *st, const char *content)
{
	return strs_has(&st->content, content);
}

static size_t guest_slot(const struct sim *s, int64_t vmid)
{
	size_t lo = 0, hi = s->nguests;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->guests[mid]->vmid < vmid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct guest *guest_find(const struct sim *s, int64_t vmid)
{
	size_t i = guest_slot(s, vmid);

	return i < s->nguests && s->guests[i]->vmid == vmid ? s->guests[i] : NULL;
}

struct snap *snap_find(const struct guest *g, const char *name)
{
	for (size_t i = 0; i < g->nsnaps; i++)
		if (!strcmp(g->snaps[i].name, name))
			return &g->snaps[i];
	return NULL;
}

void guest_unheard(struct sim *s, struct guest *g)
{
	free(g->heard.name);
	g->heard = (struct heard){0};
	for (size_t k = 0; k < s->nechoes; k++) {
		const struct echo *e = &s->echoes[k];

		if (e->vmid != g->vmid || s->now - e->at > s->timing[TIMING_STALE])
			continue;
		g->heard = e->heard;
		g->heard.name = mem_strdup(e->heard.name);
	}
}

struct guest *guest_new(struct sim *s, int64_t vmid, struct node *n)
{
	size_t i = guest_slot(s, vmid);
	struct guest *g = mem_alloc(sizeof(*g));

	MUST(i == s->nguests || s->guests[i]->vmid != vmid);
	MEM_PUSH_ROOM(s->guests, s->nguests, s->guestcap);
	memmove(s->guests + i + 1, s->guests + i, (s->nguests - i) * sizeof(struct guest *));
	s->guests[i] = g;
	s->nguests++;
	g->vmid = vmid;
	g->node = n;
	g->dirty_at = s->now;
	guest_unheard(s, g);
	note(s, g, "create", "", NULL, n->name);
	return g;
}

void guest_drop(struct guest *g)
{
	kv_fini(&g->conf);
	kv_fini(&g->pend);
	kv_fini(&g->pend_del);
	kv_fini(&g->cloudinit);
	kv_fini(&g->live);
	for (size_t i = 0; i < g->nsnaps; i++)
		snap_fini(&g->snaps[i]);
	free(g->snaps);
	free(g->ha_target);
	strs_fini(&g->ha_failed);
	kv_fini(&g->ha_conf);
	free(g->inside.agent);
	kv_fini(&g->inside.os);
	free(g->heard.name);
	free(g->before.name);
	free(g->pool);
	free(g);
}

void guest_del(struct sim *s, struct guest *g)
{
	size_t i = guest_slot(s, g->vmid);

	note(s, g, "destroy", "", g->node->name, NULL);
	if (guest_heard(s, g)) {
		echo_add(s, g->vmid, &g->heard, last_broadcast(s, g->node));
		g->heard.name = NULL;
	}
	memmove(s->guests + i, s->guests + i + 1, (s->nguests - i - 1) * sizeof(struct guest *));
	s->nguests--;
	guest_drop(g);
}

struct pool *pool_find(const struct sim *s, const char *name)
{
	for (size_t i = 0; name && i < s->npools; i++)
		if (!strcmp(s->pools[i]->name, name))
			return s->pools[i];
	return NULL;
}

struct suser *user_find(const struct sim *s, const char *name)
{
	for (size_t i = 0; name && i < s->nusers; i++)
		if (!strcmp(s->users[i]->name, name))
			return s->users[i];
	return NULL;
}

/* --- freeing, called by sim_free when no job is left --- */

void user_drop(struct suser *u)
{
	for (size_t k = 0; k < u->ntokens; k++) {
		free(u->tokens[k].name);
		free(u->tokens[k].comment);
		mem_free_secret(&u->tokens[k].secret);
	}
	free(u->tokens);
	free(u->name);
	mem_free_secret(&u->password);
	strs_fini(&u->groups);
	free(u);
}

static void users_free(struct sim *s)
{
	for (size_t i = 0; i < s->nusers; i++) {
		user_drop(s->users[i]);
	}
	free(s->users);
	for (size_t i = 0; i < s->nroles; i++)
		free(s->roles[i].name);
	free(s->roles);
	for (size_t i = 0; i < s->nacls; i++) {
		free(s->acls[i].path);
		free(s->acls[i].who);
		free(s->acls[i].role);
	}
	free(s->acls);
	for (size_t i = 0; i < s->tickets.cap; i++)
		free(s->tickets.v[i].value);
	smap_fini(&s->tickets);
}

static void nodes_free(struct node **v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i]->name);
		free(v[i]->ip);
		free(v[i]->queue);
		strs_fini(&v[i]->bridges);
		strs_fini(&v[i]->addresses);
		strs_fini(&v[i]->interfaces);
		kv_fini(&v[i]->hardware);
		free(v[i]->nic);
		free(v[i]->fingerprint);
		free(v[i]);
	}
	free(v);
}

void state_free(struct sim *s)
{
	backups_free(s);
	repls_free(s);
	ha_rules_free(&s->ha_rules);
	ha_rules_free(&s->ha_groups);
	for (size_t i = 0; i < s->nguests; i++)
		guest_drop(s->guests[i]);
	free(s->guests);
	for (size_t i = 0; i < s->nkept; i++)
		guest_drop(s->kept[i]);
	free(s->kept);
	for (size_t i = 0; i < s->nvolumes; i++) {
		free(s->volumes[i]->name);
		free(s->volumes[i]->own);
		free(s->volumes[i]->base);
		restore_saved_free(s->volumes[i]->saved);
		free(s->volumes[i]);
	}
	free(s->volumes);
	smap_fini(&s->volmap);
	for (size_t i = 0; i < s->nstores; i++) {
		free(s->stores[i]->name);
		free(s->stores[i]->path);
		strs_fini(&s->stores[i]->content);
		strs_fini(&s->stores[i]->nodes);
		free(s->stores[i]);
	}
	free(s->stores);
	nodes_free(s->nodes, s->nnodes);
	nodes_free(s->former, s->nformer);
	for (size_t i = 0; i < s->npools; i++) {
		free(s->pools[i]->name);
		free(s->pools[i]->comment);
		strs_fini(&s->pools[i]->stores);
		strs_fini(&s->pools[i]->ghosts);
		free(s->pools[i]);
	}
	free(s->pools);
	for (size_t i = 0; i < s->nechoes; i++)
		free(s->echoes[i].heard.name);
	free(s->echoes);
	users_free(s);
	kv_fini(&s->options);
	strs_fini(&s->cpu_models);
	kv_fini(&s->files);
	kv_fini(&s->hosts);
	for (size_t i = 0; i < s->nlog; i++) {
		free(s->log[i].user);
		free(s->log[i].tag);
		free(s->log[i].msg);
		free(s->log[i].row);
	}
	free(s->log);
	free(s->heap);
	free(s->release);
	free(s->manager);
	free(s->name);
	free(s->qemu);
	free(s->bridge_warning);
}
