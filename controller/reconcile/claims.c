#include "claims.h"

#include "log.h"
#include "look.h"
#include "marker.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x434c414du
#define READERS 4
#define PLACEHOLDER "qmclone temporary file"

enum seen { SEEN_TODO, SEEN_READING, SEEN_DONE, SEEN_AGAIN };

struct guest_seen {
	uint32_t vmid;
	enum seen seen;
	bool alive;	    /* in the newest view */
	char *node, *print; /* what of its row was seen when it was read */
	bool unclear;	    /* in the middle of being cloned, or unreadable, since then */
	int64_t unclear_since;
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
	c->magic = 0;
	free(c);
	*cp = NULL;
}

static size_t place(const struct claims *c, uint32_t vmid)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->v[mid].vmid < vmid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
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
		s->seen = s->seen == SEEN_AGAIN ? SEEN_TODO : SEEN_DONE;
		s->unclear = end == LOOK_FAILED;
		if (end == LOOK_OK)
			judge(c, s, g);
		/* What is unclear is looked at again with the next view. */
		if (s->unclear)
			mem_replace(&s->print, "");
		if (!s->unclear)
			s->unclear_since = 0;
		else if (!s->unclear_since)
			s->unclear_since = clock_now(c->o.clock) + 1;
	}
	look_cancel(&r->look);
	go_on(c);
	c->o.on_change(c->o.arg);
}

static void go_on(struct claims *c)
{
	size_t i = 0;

	for (size_t k = 0; k < READERS; k++) {
		struct reader *r = &c->readers[k];

		if (r->look)
			continue;
		while (i < c->n && c->v[i].seen != SEEN_TODO)
			i++;
		if (i == c->n)
			return;
		c->v[i].seen = SEEN_READING;
		r->vmid = c->v[i].vmid;
		r->look = look_start(c->o.pve, r->vmid, c->v[i].node, true, on_look, r);
	}
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
	} else if (text_eq(c->v[i].print, print)) {
		c->v[i].alive = true;
		return;
	}
	c->v[i].alive = true;
	mem_replace(&c->v[i].node, row->node);
	mem_replace(&c->v[i].print, print);
	c->v[i].seen = c->v[i].seen == SEEN_READING ? SEEN_AGAIN : SEEN_TODO;
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
		bool looks_ours =
		    wide || obs_row_has_tag(row, c->o.tag) || text_eq(row->lock, "clone");

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
			seen_fini(&c->v[i]);
		}
	}
	c->n = k;
	c->updated = true;
	go_on(c);
}

bool claims_is_complete(const struct claims *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].seen != SEEN_DONE || c->v[i].unclear)
			return false;
	return c->updated;
}

uint32_t claims_unclear(const struct claims *c, const char **ret_node, int64_t *ret_ms)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!c->v[i].unclear_since)
			continue;
		*ret_node = c->v[i].node;
		*ret_ms = clock_now(c->o.clock) - c->v[i].unclear_since;
		return c->v[i].vmid;
	}
	return 0;
}

const struct claim *claims_find(const struct claims *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].has_claim && !c->v[i].claim.copy &&
		    strcmp(c->v[i].claim.name, name) == 0)
			return &c->v[i].claim;
	return NULL;
}

const struct claim *claims_at(const struct claims *c, size_t i)
{
	for (size_t k = 0; k < c->n; k++)
		if (c->v[k].has_claim && i-- == 0)
			return &c->v[k].claim;
	return NULL;
}
