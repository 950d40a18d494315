/* Calls to the HA manager: its resources and its status. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_api.h"
#include "sim_ha.h"

/* HA::Config::parse_sid: "vm:100", or the number alone. The guest may be absent. */
static struct guest *of_sid(struct job *j, char **ret_sid, struct oops *o)
{
	const char *sid = job_param(j, "sid"), *id = text_after(sid, "vm:");
	struct guest *g;
	int64_t vmid;

	*ret_sid = mem_strdup(sid);
	if (!id && strchr(sid, ':'))
		return NULL;
	if (text_to_int(id ? id : sid, 1, SIM_VMID_MAX, &vmid) < 0) {
		oops_die(o, "unable to parse service id '%s'", sid);
		return NULL;
	}
	g = guest_find(j->sim, vmid);
	if (!g && !id)
		oops_die(o, "unable do add resource - VM/CT %s does not exist", sid);
	free(*ret_sid);
	*ret_sid = mem_printf("vm:%" PRId64, vmid);
	return g;
}

static struct jsn *resource(const struct sim *s, const struct guest *g)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	struct jsn *o = jsn_new_object();
	char digest[41];
	struct buf all;

	buf_init(&all, 0);
	for (size_t i = 0; i < s->nguests; i++)
		if (s->guests[i]->ha)
			buf_addf(&all, "vm: %" PRId64 "\n\tstate %s\n\n", s->guests[i]->vmid,
			    s->guests[i]->ha_want);
	sim_sha1(buf_str(&all), all.len, digest);
	buf_fini(&all);
	jsn_put_str(o, "sid", sid);
	jsn_put_str(o, "type", "vm");
	jsn_put_str(o, "state", g->ha_want);
	jsn_put_str(o, "digest", digest);
	return o;
}

void api_ha_resources(struct job *j)
{
	struct jsn *a = jsn_new_array();
	const char *type = job_param(j, "type");

	for (size_t i = 0; i < j->sim->nguests; i++)
		if (j->sim->guests[i]->ha && (!type || !strcmp(type, "vm")))
			jsn_push(a, resource(j->sim, j->sim->guests[i]));
	job_ok(j, a);
}

void api_ha_resource(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	const struct guest *g = of_sid(j, &sid, &o);

	if (!o.status && (!g || !g->ha))
		oops_die(&o, "no such resource '%s'", sid);
	if (o.status)
		job_oops(j, &o);
	else
		job_ok(j, resource(j->sim, g));
}

static void ha_write(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	struct guest *g = of_sid(j, &sid, &o);
	bool create = !strcmp(j->method, "POST");
	const char *state = job_param(j, "state");

	if (!o.status && !g)
		oops_die(&o,
		    create ? "resource '%s' does not exist in cluster" : "no such resource '%s'",
		    sid);
	else if (!o.status && create && g->ha)
		oops_die(&o, "create resource failed: resource ID '%s' already defined", sid);
	else if (!o.status && !create && !g->ha)
		oops_die(&o, "update resource failed: no such resource '%s'", sid);
	else if (!o.status && !create && text_eq(g->ha_state, "error") &&
		 !text_eq(state, "disabled"))
		oops_die(&o, "service '%s' in error state, must be disabled and fixed first", sid);
	if (o.status) {
		job_oops(j, &o);
		return;
	}
	if (create)
		ha_manage(j->sim, g, state ? state : "started");
	else if (state)
		g->ha_want = ha_word(state);
	note(j->sim, g, "ha", "", NULL, g->ha_want);
	ha_kick(j->sim);
	job_ok(j, NULL);
}

void api_ha_set(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	if (!strcmp(j->method, "POST") && !quorum_check(j, &o))
		job_oops(j, &o);
	else
		job_lock_cfs(j, "domain-ha", NULL, ha_write);
}

void api_ha_remove(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	struct guest *g = of_sid(j, &sid, &o);

	if (o.status)
		job_oops(j, &o);
	else if (!g || !g->ha)
		job_die(j, "cannot delete service '%s', not HA managed!", sid);
	else {
		note(j->sim, g, "ha", "", g->ha_want, NULL);
		ha_manage(j->sim, g, NULL);
		job_ok(j, NULL);
	}
}

void api_ha_move(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *sid = NULL;
	struct guest *g = of_sid(j, &sid, &o);
	const char *node = job_param(j, "node");
	struct jsn *d = NULL;

	if (!o.status && (!g || !ha_managed(g)))
		oops_die(&o, "resource '%s' is not HA managed", sid);
	else if (!o.status && text_eq(g->ha_state, "error"))
		oops_die(&o, "service '%s' in error state, must be disabled and fixed first", sid);
	if (o.status) {
		job_oops(j, &o);
		return;
	}
	ha_move(j->sim, g, node);
	if (j->sim->v9) {
		d = jsn_new_object();
		jsn_put_str(d, "sid", sid);
		jsn_put_str(d, "requested-node", node);
	}
	job_ok(j, d);
}

/* --- status --- */

static struct jsn *status(const char *id, const char *type, const char *node, const char *text)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "id", id);
	jsn_put_str(o, "type", type);
	jsn_put_str(o, "node", node);
	jsn_put_str(o, "status", text);
	return o;
}

/* The master and what each node's own manager says. */
static void put_managers(struct job *j, struct jsn *a)
{
	struct sim *s = j->sim;
	time_t t = (time_t)sim_secs(s);
	struct tm tm;
	char when[32];
	bool master = false;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &tm);
	for (size_t i = 0; i < s->nnodes && !master; i++) {
		const struct node *n = s->nodes[i];
		_cleanup_str_ char *text = mem_printf("%s (active, %s)", n->name, when);

		master = n->up && n->quorate;
		if (master)
			jsn_push(a, status("master", "master", n->name, text));
	}
	for (size_t i = 0; i < s->nnodes; i++) {
		const struct node *n = s->nodes[i];
		_cleanup_str_ char *id = mem_printf("lrm:%s", n->name);
		_cleanup_str_ char *text = mem_printf("%s (%s, %s)", n->name,
		    n->up && n->quorate ? "active" : "old timestamp - dead?", when);

		jsn_push(a, status(id, "lrm", n->name, text));
	}
}

static void put_service(const struct sim *s, struct jsn *a, const struct guest *g)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, g->vmid);
	_cleanup_str_ char *id = mem_printf("service:%s", sid);
	const char *state = g->ha_state ? g->ha_state : ha_managed(g) ? "queued" : "ignored";
	_cleanup_str_ char *text = mem_printf("%s (%s, %s)", sid, g->node->name, state);
	struct jsn *o = status(id, "service", g->node->name, text);

	jsn_put_str(o, "sid", sid);
	jsn_put_str(o, "state", state);
	jsn_put_str(o, "crm_state", g->ha_state);
	jsn_put_str(o, "request_state", g->ha_want);
	jsn_put_int(o, "max_restart", 1);
	jsn_put_int(o, "max_relocate", 1);
	if (s->v9)
		jsn_put_int(o, "failback", 1);
	jsn_push(a, o);
}

void api_ha_status(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array(), *q;
	_cleanup_str_ char *text = j->node->quorate
				       ? mem_strdup("OK")
				       : mem_printf("No quorum on node '%s'!", j->node->name);
	bool any = false;

	q = status("quorum", "quorum", j->node->name, text);
	jsn_put_int(q, "quorate", j->node->quorate);
	jsn_push(a, q);
	for (size_t i = 0; i < s->nguests && !any; i++)
		any = s->guests[i]->ha;
	if (any)
		put_managers(j, a);
	if (s->name && s->v9) {
		q = status("fencing", "fencing", j->node->name,
		    any ? "armed" : "standby (CRM watchdog standby)");
		jsn_put_str(q, "armed-state", any ? "armed" : "standby");
		jsn_push(a, q);
	}
	for (size_t i = 0; i < s->nguests; i++)
		if (s->guests[i]->ha)
			put_service(s, a, s->guests[i]);
	job_ok(j, a);
}
