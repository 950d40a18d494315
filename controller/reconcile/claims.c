#include "claims.h"

#include "log.h"
#include "look.h"
#include "marker.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x434c414du
#define READERS 4
#define PLACEHOLDER "qmclone temporary file"
#define AGAIN_MS 600000 /* what carries a marker is read again, in case nobody told of a change */

enum seen { SEEN_TODO, SEEN_READING, SEEN_DONE, SEEN_AGAIN };

struct guest_seen {
	uint32_t vmid;
	enum seen seen;
	bool alive;	    /* in the newest view */
	char *node, *print; /* what of its row was seen when it was read */
	bool unclear;	    /* in the middle of being cloned, or unreadable, since then */
	int64_t unclear_since, read_at;
	bool has_claim;
	struct claim claim;
};

struct reader {
	struct claims *owner;
	struct look *look;
	uint32_t vmid;
};

struct claims {
	uint32_t magic;
	struct claims_opts o;
	struct guest_seen *v; /* sorted by VMID */
	size_t n, cap;
	size_t next;		      /* nothing before it is to be read */
	size_t waiting, n_unclear;    /* how many of v: is_waiting, unclear_since */
	const struct claim **by_name; /* whose number is theirs; NULL when it is to be made anew */
	size_t n_names;
	struct reader readers[READERS];
	bool updated;
};

struct claims *claims_new(const struct claims_opts *o)
{
	struct claims *c = mem_alloc(sizeof(*c));

	c->magic = MAGIC;
	c->o = *o;
	for (size_t i = 0; i < READERS; i++)
		c->readers[i].owner = c;
	return c;
}

static void claim_fini(struct claim *c)
{
	free(c->name);
	free(c->nonce);
	free(c->uuid);
	free(c->node);
	*c = (struct claim){0};
}

static bool is_waiting(const struct guest_seen *g)
{
	return g->seen != SEEN_DONE || g->unclear;
}

/* Around whatever changes what is counted: out, change, in. */
static void count_out(struct claims *c, const struct guest_seen *g)
{
	c->waiting -= is_waiting(g);
	c->n_unclear -= g->unclear_since != 0;
}

static void count_in(struct claims *c, const struct guest_seen *g)
{
	c->waiting += is_waiting(g);
	c->n_unclear += g->unclear_since != 0;
}

static void forget_names(struct claims *c)
{
	free(c->by_name);
	c->by_name = NULL;
}

static void seen_fini(struct guest_seen *g)
{
	free(g->node);
	free(g->print);
	if (g->has_claim)
		claim_fini(&g->claim);
}

void claims_free(struct claims **cp)
{
	struct claims *c = *cp;

	if (!c)
		return;
	CHECK_OBJ(c, MAGIC);
	for (size_t i = 0; i < READERS; i++)
		look_cancel(&c->readers[i].look);
	for (size_t i = 0; i < c->n; i++)
		seen_fini(&c->v[i]);
	free(c->v);
	free(c->by_name);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

static size_t place(const struct claims *c, uint32_t vmid)
{
	return MEM_PLACE(at, c->n, c->v[at].vmid < vmid);
}

static struct guest_seen *find(const struct claims *c, uint32_t vmid)
{
	size_t i = place(c, vmid);

	return i < c->n && c->v[i].vmid == vmid ? &c->v[i] : NULL;
}

static void judge(struct claims *c, struct guest_seen *s, const struct obs_guest *g)
{
	const char *desc = kv_get(&g->current, "description");
	struct marker m;

	forget_names(c);
	if (s->has_claim)
		claim_fini(&s->claim);
	s->has_claim = false;
	s->unclear = text_eq(g->lock, "clone") && (!desc || strstr(desc, PLACEHOLDER));
	if (marker_find(desc ? desc : "", &m) != MARKER_OK)
		return;
	if (strcmp(m.controller, c->o.controller_id) == 0) {
		s->has_claim = true;
		s->claim = (struct claim){.vmid = g->vmid,
		    .name = mem_strdup(m.name),
		    .nonce = mem_strdup(m.nonce),
		    .uuid = mem_strdup(g->uuid),
		    .node = mem_strdup(g->node),
		    .copy = m.vmid != g->vmid,
		    .of = m.vmid,
		    .locked = text_eq(g->lock, "clone")};
		log_info("claims", "guest %u carries the marker of %s%s", g->vmid, m.name,
		    m.vmid != g->vmid ? ", a copy" : "");
	}
	marker_fini(&m);
}

static void go_on(struct claims *c);

static void on_look(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why)
{
	struct reader *r = arg;
	struct claims *c = r->owner;
	struct guest_seen *s = find(c, r->vmid);

	(void)why;
	if (s) {
		count_out(c, s);
		s->seen = s->seen == SEEN_AGAIN ? SEEN_TODO : SEEN_DONE;
		s->read_at = clock_now(c->o.clock);
		/* Who is shown a guest may read it: a refusal is no answer about its marker. And
		 * who is not where it was shown may just have moved. */
		s->unclear = end != LOOK_OK;
		if (end == LOOK_OK)
			judge(c, s, g);
		/* What is unclear is looked at again with the next view. */
		if (s->unclear)
			mem_replace(&s->print, "");
		if (!s->unclear)
			s->unclear_since = 0;
		else if (!s->unclear_since)
			s->unclear_since = clock_now(c->o.clock) + 1;
		count_in(c, s);
		c->next = s->seen == SEEN_TODO ? 0 : c->next;
	}
	look_cancel(&r->look);
	go_on(c);
	c->o.on_change(c->o.arg);
}

static void go_on(struct claims *c)
{
	for (size_t k = 0; k < READERS; k++) {
		struct reader *r = &c->readers[k];

		if (r->look)
			continue;
		while (c->next < c->n && c->v[c->next].seen != SEEN_TODO)
			c->next++;
		if (c->next == c->n)
			return;
		struct guest_seen *g = &c->v[c->next++];
		g->seen = SEEN_READING; /* it waits before and after */
		r->vmid = g->vmid;
		r->look = look_start(c->o.pve, r->vmid, g->node, true, on_look, r);
	}
}

static void read_again(struct claims *c, struct guest_seen *s)
{
	count_out(c, s);
	s->seen = s->seen == SEEN_READING || s->seen == SEEN_AGAIN ? SEEN_AGAIN : SEEN_TODO;
	count_in(c, s);
}

static bool is_old(const struct claims *c, const struct guest_seen *s)
{
	return s->has_claim && s->seen == SEEN_DONE &&
	       clock_now(c->o.clock) - s->read_at >= AGAIN_MS;
}

static void note_row(struct claims *c, const struct obs_row *row)
{
	size_t i = place(c, row->vmid);
	_cleanup_str_ char *print = mem_printf(
	    "%s/%s/%s", row->node, row->lock ? row->lock : "", row->tags ? row->tags : "");

	if (i == c->n || c->v[i].vmid != row->vmid) {
		if (c->n >= CLAIMS_MAX)
			return;
		MEM_PUSH_ROOM(c->v, c->n, c->cap);
		memmove(&c->v[i + 1], &c->v[i], (c->n - i) * sizeof(*c->v));
		c->n++;
		c->v[i] = (struct guest_seen){.vmid = row->vmid};
		count_in(c, &c->v[i]);
	} else if (text_eq(c->v[i].print, print) && !is_old(c, &c->v[i])) {
		c->v[i].alive = true;
		return;
	}
	c->v[i].alive = true;
	mem_replace(&c->v[i].node, row->node);
	mem_replace(&c->v[i].print, print);
	read_again(c, &c->v[i]);
}

void claims_update(struct claims *c, bool wide)
{
	const struct obs_cluster *view = inventory_view(c->o.inventory);
	size_t k = 0;

	CHECK_OBJ(c, MAGIC);
	if (!view->complete)
		return;
	for (size_t i = 0; i < c->n; i++)
		c->v[i].alive = false;
	for (size_t i = 0; i < view->n_rows; i++) {
		const struct obs_row *row = &view->rows[i];
		bool looks_ours = wide || obs_row_has_tag(row, c->o.tag) ||
				  text_eq(row->lock, "clone") ||
				  (row->name && c->o.is_sought(c->o.arg, row->name));

		if (row->qemu && !c->o.is_known(c->o.arg, row->vmid) &&
		    (looks_ours || find(c, row->vmid)))
			note_row(c, row);
	}
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].alive || c->v[i].seen == SEEN_READING || c->v[i].seen == SEEN_AGAIN) {
			if (k != i)
				c->v[k] = c->v[i];
			k++;
		} else {
			count_out(c, &c->v[i]);
			seen_fini(&c->v[i]);
		}
	}
	c->n = k;
	c->next = 0;
	forget_names(c); /* they point into what has moved */
	c->updated = true;
	go_on(c);
}

bool claims_is_complete(const struct claims *c)
{
	return c->updated && c->waiting == 0;
}

uint32_t claims_unclear(const struct claims *c, const char **ret_node, int64_t *ret_ms)
{
	for (size_t i = 0; c->n_unclear && i < c->n; i++) {
		if (!c->v[i].unclear_since)
			continue;
		*ret_node = c->v[i].node;
		*ret_ms = clock_now(c->o.clock) - c->v[i].unclear_since;
		return c->v[i].vmid;
	}
	return 0;
}

/* Of two with one name the lower number is first, whatever qsort does. */
static int by_name(const void *a, const void *b)
{
	const struct claim *x = *(const struct claim *const *)a,
			   *y = *(const struct claim *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->vmid > y->vmid) - (x->vmid < y->vmid);
}

static void note_names(struct claims *c)
{
	const struct claim *m;

	c->by_name = mem_calloc(c->n + 1, sizeof(*c->by_name));
	c->n_names = 0;
	for (size_t i = 0; (m = claims_next(c, &i));)
		if (!m->copy)
			c->by_name[c->n_names++] = m;
	qsort(c->by_name, c->n_names, sizeof(*c->by_name), by_name);
}

const struct claim *claims_find(struct claims *c, const char *name)
{
	size_t i;

	if (!c->by_name)
		note_names(c);
	i = MEM_PLACE(at, c->n_names, strcmp(c->by_name[at]->name, name) < 0);
	return i < c->n_names && strcmp(c->by_name[i]->name, name) == 0 ? c->by_name[i] : NULL;
}

const struct claim *claims_next(const struct claims *c, size_t *at)
{
	while (*at < c->n) {
		const struct guest_seen *g = &c->v[(*at)++];

		if (g->has_claim)
			return &g->claim;
	}
	return NULL;
}

const struct claim *claims_rival(struct claims *c, const struct claim *of)
{
	if (!c->by_name)
		note_names(c);
	for (size_t i = 0; i < c->n_names; i++)
		if (c->by_name[i]->vmid != of->vmid && strcmp(c->by_name[i]->name, of->name) == 0)
			return c->by_name[i];
	return NULL;
}

void claims_touch(struct claims *c, const uint32_t *vmids, size_t n)
{
	CHECK_OBJ(c, MAGIC);
	for (size_t i = 0; i < n; i++) {
		struct guest_seen *s = find(c, vmids[i]);

		if (s)
			read_again(c, s);
	}
	c->next = 0;
	go_on(c);
}
