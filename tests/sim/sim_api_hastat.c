/* What the HA manager says of itself: its master, the nodes' own managers, the services. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_api.h"
#include "sim_ha.h"
#include "sim_harule.h"

#define OLD 30 /* s after which a manager counts as dead */

static struct jsn *status(const char *id, const char *type, const char *node, const char *text)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "id", id);
	jsn_put_str(o, "type", type);
	jsn_put_str(o, "node", node);
	jsn_put_str(o, "status", text);
	return o;
}

static void time_text(int64_t when, char *ret, size_t size)
{
	time_t t = (time_t)when;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(ret, size, "%a %b %e %H:%M:%S %Y", &tm);
}

/* When the node's own manager wrote its state last, s. */
static int64_t heard_at(const struct sim *s, const struct node *n)
{
	int64_t gone = 0;

	if (!n->up)
		gone = s->now - n->down_since;
	else if (!n->quorate)
		gone = n->lost_since ? s->now - n->lost_since : s->now;
	return sim_secs(s) - gone / 1000;
}

/* The node that manages: the first that can. NULL when none ever did. */
static const struct node *master(const struct sim *s)
{
	bool any = false;

	for (size_t i = 0; i < s->nguests && !any; i++)
		any = s->guests[i]->ha;
	for (size_t i = 0; i < s->nnodes && any; i++)
		if (s->nodes[i]->up && s->nodes[i]->quorate)
			return s->nodes[i];
	return any ? s->nodes[0] : NULL;
}

/* count_active_services */
static bool at_work(const struct sim *s, const struct node *n)
{
	for (size_t i = 0; i < s->nguests; i++) {
		const struct guest *g = s->guests[i];

		if (g->ha && g->node == n && g->ha_state && strcmp(g->ha_state, "stopped") != 0 &&
		    strcmp(g->ha_state, "error") != 0)
			return true;
	}
	return false;
}

static const char *node_word(const struct sim *s, const struct node *n)
{
	if (sim_secs(s) - heard_at(s, n) > OLD)
		return n->maint ? "maintenance mode" : "old timestamp - dead?";
	if (n->maint)
		return "maintenance mode";
	return at_work(s, n) ? "active" : "idle";
}

static void put_managers(const struct sim *s, struct jsn *a, const struct node *m)
{
	char when[64];
	_cleanup_str_ char *text = NULL;
	int64_t at = heard_at(s, m);
	struct jsn *o;

	time_text(at, when, sizeof(when));
	text = mem_printf("%s (%s, %s)", m->name,
	    sim_secs(s) - at > OLD ? "old timestamp - dead?" : "active", when);
	o = status("master", "master", m->name, text);
	jsn_put_int(o, "timestamp", at);
	jsn_push(a, o);
	for (size_t i = 0; i < s->nnodes; i++) {
		const struct node *n = s->nodes[i];
		_cleanup_str_ char *id = mem_printf("lrm:%s", n->name), *line = NULL;

		at = heard_at(s, n);
		time_text(at, when, sizeof(when));
		line = mem_printf("%s (%s, %s)", n->name, node_word(s, n), when);
		o = status(id, "lrm", n->name, line);
		jsn_put_int(o, "timestamp", at);
		jsn_push(a, o);
	}
}

/* get_verbose_service_state */
static const char *verbose(const struct guest *g)
{
	const char *now = g->ha_state;
	bool on = text_eq(g->ha_want, "started"), off = text_eq(g->ha_want, "disabled");

	if (text_eq(g->ha_want, "ignored"))
		return "ignored";
	if (!now)
		return "queued";
	if (!strcmp(now, "stopped"))
		return on ? "starting" : off ? "disabled" : now;
	if (!strcmp(now, "started") && !g->running)
		return "starting";
	if (!strcmp(now, "started") && !on)
		return "stopping";
	return !strcmp(now, "error") && off ? "clearing error flag" : now;
}

static void put_service(const struct sim *s, struct jsn *a, const struct guest *g)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	_cleanup_str_ char *id = mem_printf("service:%s", sid);
	_cleanup_str_ char *text = mem_printf("%s (%s, %s)", sid, g->node->name, verbose(g));
	struct jsn *o = status(id, "service", g->node->name, text);

	jsn_put_str(o, "sid", sid);
	jsn_put_str(o, "state", verbose(g));
	jsn_put_str(o, "crm_state", g->ha_state);
	jsn_put_str(o, "request_state", g->ha_want);
	jsn_put_int(o, "max_restart", 1);
	jsn_put_int(o, "max_relocate", 1);
	if (s->v9)
		jsn_put_int(o, "failback", 1);
	ha_resource_members(o, g);
	jsn_push(a, o);
}

void api_ha_status(struct job *j)
{
	struct sim *s = j->sim;
	const struct node *m = master(s);
	struct jsn *a = jsn_new_array(), *q;
	_cleanup_str_ char *text = j->node->quorate
				       ? mem_strdup("OK")
				       : mem_printf("No quorum on node '%s'!", j->node->name);

	q = status("quorum", "quorum", j->node->name, text);
	jsn_put_int(q, "quorate", j->node->quorate);
	jsn_push(a, q);
	if (m)
		put_managers(s, a, m);
	if (s->name && s->v9) {
		q = status("fencing", "fencing", j->node->name,
		    m ? "armed" : "standby (CRM watchdog standby)");
		jsn_put_str(q, "armed-state", m ? "armed" : "standby");
		jsn_push(a, q);
	}
	for (int queued = 0; queued < 2; queued++) /* what it has not seen yet comes last */
		for (size_t i = 0; i < s->nguests; i++)
			if (s->guests[i]->ha && (s->guests[i]->ha_state == NULL) == queued)
				put_service(s, a, s->guests[i]);
	job_ok(j, a);
}

void api_ha_status_index(struct job *j)
{
	static const char *const v[] = {"current", "manager_status"};

	job_ok(j, index_of("name", v, ARRAY_LEN(v)));
}

/* --- the manager's file --- */

static const char *node_state(const struct sim *s, const struct node *n)
{
	for (size_t i = 0; i < s->nguests; i++)
		if (s->guests[i]->node == n && text_eq(s->guests[i]->ha_state, "fence"))
			return "fence";
	if (!n->up || !n->quorate || n->cut)
		return "unknown";
	return n->maint ? "maintenance" : "online";
}

static struct jsn *service(const struct guest *g)
{
	_cleanup_str_ char *seed = mem_printf("%" PRId64 " %s", g->vmid, g->ha_state);
	struct jsn *o = jsn_new_object(), *failed = jsn_new_array();
	char uid[41];

	sim_sha1(seed, strlen(seed), uid);
	uid[22] = '\0';
	jsn_put_str(o, "state", g->ha_state);
	jsn_put_str(o, "node", g->node->name);
	jsn_put_str(o, "uid", uid);
	if (text_eq(g->ha_state, "started") && g->running)
		jsn_put_int(o, "running", 1);
	if (g->ha_step != HA_STEP_NONE)
		jsn_put_str(o, "target", g->ha_target);
	if (g->ha_home)
		jsn_put_str(o, "maintenance_node", g->ha_home->name);
	for (size_t i = 0; i < g->ha_failed.n; i++)
		jsn_push(failed, jsn_new_str(g->ha_failed.v[i]));
	if (g->ha_failed.n)
		jsn_put(o, "failed_nodes", failed);
	else
		jsn_free(&failed);
	return o;
}

static struct jsn *file(const struct sim *s, const struct node *m)
{
	struct jsn *o = jsn_new_object(), *nodes = jsn_new_object(), *services = jsn_new_object();

	for (size_t i = 0; i < s->nnodes; i++)
		jsn_put_str(nodes, s->nodes[i]->name, node_state(s, s->nodes[i]));
	for (size_t i = 0; i < s->nguests; i++) {
		_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, s->guests[i]->vmid);

		if (s->guests[i]->ha && s->guests[i]->ha_state)
			jsn_put(services, sid, service(s->guests[i]));
	}
	jsn_put_str(o, "master_node", m->name);
	jsn_put(o, "node_status", nodes);
	jsn_put(o, "service_status", services);
	jsn_put_int(o, "timestamp", heard_at(s, m));
	return o;
}

void api_ha_manager_status(struct job *j)
{
	struct sim *s = j->sim;
	const struct node *m = master(s);
	struct jsn *d = jsn_new_object(), *q = jsn_new_object(), *l = jsn_new_object();

	jsn_put(d, "manager_status", m ? file(s, m) : jsn_new_object());
	jsn_put_str(q, "node", j->node->name);
	jsn_put_int(q, "quorate", j->node->quorate);
	jsn_put(d, "quorum", q);
	for (size_t i = 0; i < s->nnodes && m; i++) {
		const struct node *n = s->nodes[i];
		struct jsn *o = jsn_new_object();

		jsn_put_str(o, "mode", n->maint ? "maintenance" : "active");
		jsn_put_str(o, "state",
		    n->maint	    ? "maintenance"
		    : at_work(s, n) ? "active"
				    : "wait_for_agent_lock");
		jsn_put(o, "results", jsn_new_object());
		jsn_put_int(o, "timestamp", heard_at(s, n));
		jsn_put(l, n->name, o);
	}
	if (m)
		jsn_put(d, "lrm_status", l);
	else
		jsn_free(&l);
	job_ok(j, d);
}
