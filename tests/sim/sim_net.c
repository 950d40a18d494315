#include "sim_net.h"
#include "sim_ha.h"
#include "sim_mutant.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 30000     /* what pveproxy waits for a connection */
#define UNREACHABLE_MS 22500 /* until a node that is cut off itself hears that nobody is there */

/* --- who reaches whom --- */

bool net_linked(const struct node *a, const struct node *b)
{
	return a == b || (a->up && b->up && !a->cut && !b->cut);
}

bool net_sees(const struct node *a, const struct node *b)
{
	return a == b || MUTANT(FULL_VIEW) ||
	       (b->up && a->ring == b->ring && a->quorate && b->quorate);
}

static struct guest *kept_find(const struct sim *s, int64_t vmid)
{
	size_t lo = 0, hi = s->nkept;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->kept[mid]->vmid < vmid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nkept && s->kept[lo]->vmid == vmid ? s->kept[lo] : NULL;
}

/* Its file system stands still at what it was. */
static bool behind(const struct sim *s, const struct node *by)
{
	return !MUTANT(FULL_VIEW) && s->nkept && by->ring != 0;
}

size_t net_guests(const struct sim *s, const struct node *by, struct guest ***ret)
{
	*ret = behind(s, by) ? s->kept : s->guests;
	return behind(s, by) ? s->nkept : s->nguests;
}

bool net_shows(const struct sim *s, const struct node *by, const struct guest *g)
{
	const struct guest *k;

	if (!behind(s, by))
		return true;
	k = kept_find(s, g->vmid);
	return k && k->node == g->node;
}

int64_t net_heard_at(const struct sim *s, const struct node *by, const struct node *n)
{
	int64_t last = last_broadcast(s, n), lost = by->cut && by != n ? by->lost_since : INT64_MIN;

	/* What a node heard before it was switched off is forgotten. */
	if (by->rebooted != NOT_DIRTY && last < by->rebooted)
		return INT64_MIN / 2;
	if (by == n)
		return last;
	if (n->cut && (lost == INT64_MIN || n->lost_since < lost))
		lost = n->lost_since;
	if (n->rejoined != NOT_DIRTY && last < n->rejoined && !n->cut)
		lost = n->lost_since;
	if (lost == INT64_MIN || last <= lost)
		return last;
	return lost - (last - lost) % (s->timing[TIMING_STATD] > 0 ? s->timing[TIMING_STATD] : 1);
}

int64_t net_known_until(const struct sim *s, const struct node *by, const struct node *n)
{
	int64_t until = s->now;

	if (by == n || (net_linked(by, n) && net_sees(by, n)))
		return until;
	if ((by->cut || by->ring) && by->lost_since < until)
		until = by->lost_since;
	if ((n->cut || n->ring || !n->up) && n->lost_since < until)
		until = n->lost_since;
	return until;
}

const struct heard *net_heard(struct sim *s, const struct node *by, struct guest *g)
{
	struct guest *k;

	if (MUTANT(FULL_VIEW) || net_linked(by, g->node) || !s->nkept || !g->node->up) {
		struct guest *live = g->copy ? guest_find(s, g->vmid) : g;
		const struct heard *h = live && live->node == g->node ? guest_heard(s, live) : NULL;

		return h && s->now - net_heard_at(s, by, g->node) > s->timing[TIMING_STALE] ? NULL
											    : h;
	}
	k = kept_find(s, g->vmid);
	/* One that was moved there afterwards: what its old node said of it. */
	if (!behind(s, by) && (!k || k->node != g->node))
		return g->heard.known ? &g->heard : NULL;
	if (!k || !k->heard.known ||
	    s->now - net_heard_at(s, by, g->node) > s->timing[TIMING_STALE])
		return NULL;
	return &k->heard;
}

const char *net_status(const struct sim *s, const struct node *by, const struct node *n)
{
	if (!net_sees(by, n))
		return "offline";
	return s->now - net_heard_at(s, by, n) > s->timing[TIMING_STALE] ? "unknown" : "online";
}

/* --- cutting and healing --- */

static void keep(struct sim *s)
{
	if (s->nkept)
		return;
	s->kept = mem_calloc(s->nguests + 1, sizeof(struct guest *));
	for (size_t i = 0; i < s->nguests; i++) {
		struct guest *g = s->guests[i], *k = mem_alloc(sizeof(*k));
		const struct heard *h = guest_heard(s, g);

		k->vmid = g->vmid;
		k->node = g->node;
		k->copy = true;
		k->dirty_at = NOT_DIRTY;
		kv_copy(&k->conf, &g->conf);
		k->pool = mem_strdup(g->pool);
		if (h) {
			k->heard = *h;
			k->heard.name = mem_strdup(h->name);
		}
		s->kept[i] = k;
	}
	s->nkept = s->nguests;
}

static void unkeep(struct sim *s)
{
	for (size_t i = 0; i < s->nkept; i++)
		guest_drop(s->kept[i]);
	free(s->kept);
	s->kept = NULL;
	s->nkept = 0;
}

/* A new membership is formed: each node that is cut off alone, the others together. */
static void membership(void *arg)
{
	struct sim *s = arg;
	bool any = false;

	s->fs_until = 0;
	for (size_t i = 0; i < s->nnodes; i++) {
		struct node *n = s->nodes[i];

		if (n->ring && !n->cut)
			n->rejoined = s->now;
		n->ring = n->cut ? n->id : 0;
		any = any || n->cut;
	}
	for (size_t i = 0; i < s->nnodes; i++) {
		size_t members = 0;

		for (size_t k = 0; k < s->nnodes; k++)
			members += s->nodes[k]->up && s->nodes[k]->ring == s->nodes[i]->ring;
		s->nodes[i]->quorate = 2 * members > s->nnodes;
	}
	if (!any)
		unkeep(s);
	ha_kick(s);
}

static int each(struct sim *s, const char *name, struct err **err,
    void (*fn)(struct sim *s, struct node *n, bool on), bool on)
{
	if (name && !node_find(s, name))
		return err_set(err, ERR_NOTFOUND, "there is no node %s", name);
	for (size_t i = 0; i < s->nnodes; i++)
		if (!name || !strcmp(s->nodes[i]->name, name))
			fn(s, s->nodes[i], on);
	return 0;
}

static void set_link(struct sim *s, struct node *n, bool on)
{
	if (n->cut == !on)
		return;
	if (!on) {
		keep(s);
		n->lost_since = s->now;
		if (s->fs_until <= s->now) {
			s->fs_until = s->now + s->timing[TIMING_MEMBERSHIP];
			sim_at(s, s->fs_until, membership, s);
		}
	} else
		sim_at(s, s->now + s->timing[TIMING_REJOIN], membership, s);
	n->cut = !on;
}

int sim_node_link(struct sim *s, const char *node, bool on, struct err **err)
{
	return each(s, node, err, set_link, on);
}

/* pvecm delnode: from now on nobody knows its address, and the folder with its guests stays. */
int sim_node_leave(struct sim *s, const char *node, struct err **err)
{
	struct node *n = node_find(s, node);
	size_t i = 0;

	if (!n)
		return err_set(err, ERR_NOTFOUND, "there is no node %s", node);
	if (n->up)
		return err_set(err, ERR_DECLINED, "node %s is not switched off", node);
	while (s->nodes[i] != n)
		i++;
	memmove(s->nodes + i, s->nodes + i + 1, (--s->nnodes - i) * sizeof(struct node *));
	MEM_PUSH_ROOM(s->former, s->nformer, s->formercap);
	s->former[s->nformer++] = n;
	return 0;
}

static void set_blackhole(struct sim *s, struct node *n, bool on)
{
	(void)s;
	n->blackhole = on;
}

int sim_node_blackhole(struct sim *s, const char *node, bool on, struct err **err)
{
	return each(s, node, err, set_blackhole, on);
}

static void set_proxy(struct sim *s, struct node *n, bool on)
{
	(void)s;
	n->proxy = on;
}

int sim_node_proxy(struct sim *s, const char *node, bool up, struct err **err)
{
	return each(s, node, err, set_proxy, up);
}

static void set_frozen(struct sim *s, struct node *n, bool on)
{
	(void)s;
	n->frozen = on;
	worker_pump(n);
}

static void set_proxy_frozen(struct sim *s, struct node *n, bool on)
{
	(void)s;
	n->proxy_frozen = on;
}

int sim_node_freeze(
    struct sim *s, const char *node, const char *daemon, bool frozen, struct err **err)
{
	if (!strcmp(daemon, "pvedaemon"))
		return each(s, node, err, set_frozen, frozen);
	if (!strcmp(daemon, "pveproxy"))
		return each(s, node, err, set_proxy_frozen, frozen);
	return err_set(err, ERR_NOTFOUND, "there is no daemon %s", daemon);
}

/* --- requests between nodes --- */

static void no_route(struct job *j)
{
	job_status(j, 595, "No route to host");
}

static void timed_out(struct job *j)
{
	job_status(j, 595, "Connection timed out");
}

static void hung(struct job *j)
{
	job_status(j, 596, "Connection timed out");
}

static void refused(struct job *j)
{
	job_status(j, 595, "Connection refused");
}

/* The answer comes from the connection, not from the time limit of the request. */
static void instead(struct job *j, int64_t ms, void (*fn)(struct job *j))
{
	sim_unschedule(j->sim, j->cut_timer);
	j->cut_timer = 0;
	job_next(j, ms, fn);
}

void net_pass(struct job *j, bool protected_call, void (*fn)(struct job *j))
{
	const struct sim *s = j->sim;
	const struct node *from = j->entry, *to = j->node;
	int64_t lost = from->cut && to != from ? from->lost_since : to->lost_since;

	if (to != from && to->blackhole)
		instead(j, CONNECT_MS, timed_out);
	else if (!net_linked(from, to)) {
		/* As long as the address is remembered the packets are sent, and lost. */
		if (s->now - lost >= s->timing[TIMING_ARP])
			instead(j, s->timing[TIMING_NO_ROUTE], no_route);
		else if (from->cut)
			instead(j, UNREACHABLE_MS, no_route);
		else
			instead(j, CONNECT_MS, timed_out);
	} else if (to->proxy && to != from && to->proxy_frozen)
		instead(j, CONNECT_MS, hung);
	else if (!to->proxy || (protected_call && !to->daemon))
		instead(j, 1, refused);
	else if (protected_call)
		worker_take(j, fn);
	else
		fn(j);
}

void net_stranger(struct job *j, const char *name)
{
	static const char good[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	struct sim *s = j->sim;
	const char *ip = kv_get(&s->hosts, name);
	bool asks = strspn(name, good) == strlen(name) && !s->nameserver;

	if (!ip)
		job_die(j, "hostname lookup '%s' failed - failed to get address info for: %s: %s",
		    name, name,
		    asks ? "Temporary failure in name resolution" : "Name or service not known");
	else if (text_starts(ip, "127.") || !strcmp(ip, "::1"))
		job_die(j, "address lookup for '%s' did not find any IP address", name);
	else
		instead(j, s->timing[TIMING_NO_ROUTE], no_route);
}
