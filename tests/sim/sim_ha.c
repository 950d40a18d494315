#include "sim_ha.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_harule.h"
#include "sim_power.h"

#define USUAL_TRIES 1	 /* max_restart, max_relocate */
#define SHUTDOWN_TIME 60 /* s */
#define GROUPS_ROUNDS 6	 /* between two tries to make rules of groups */

/* --- what is wanted --- */

const char *ha_word(const char *want)
{
	static const char *const words[] = {"started", "stopped", "disabled", "ignored"};

	if (text_eq(want, "enabled"))
		return words[0];
	for (size_t i = 0; want && i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i], want))
			return words[i];
	return NULL;
}

static bool wanted(const struct guest *g, const char *state)
{
	return !strcmp(g->ha_want, state);
}

bool ha_managed(const struct guest *g)
{
	return g->ha && !wanted(g, "ignored");
}

const char *ha_shown(const struct guest *g)
{
	return g->ha_state ? g->ha_state : g->ha_want;
}

/* Nothing of what was under way is known any more. */
static void afresh(struct guest *g)
{
	g->ha_lost = g->ha_tries = 0;
	g->ha_step = HA_STEP_NONE;
	g->ha_cold = g->ha_asked = false;
	g->ha_home = NULL;
	strs_fini(&g->ha_failed);
	mem_replace(&g->ha_target, NULL);
}

void ha_manage(struct sim *s, struct guest *g, const char *want)
{
	g->ha = want != NULL;
	g->ha_want = ha_word(want);
	g->ha_state = NULL;
	g->ha_ask = HA_STOP;
	g->ha_timeout = SHUTDOWN_TIME;
	kv_fini(&g->ha_conf);
	afresh(g);
	ha_kick(s);
}

void ha_move(struct sim *s, struct guest *g, const char *target, bool cold)
{
	_cleanup_strs_ struct strs with = {0};

	ha_together(s, g, &with);
	g->ha_asked = false;
	g->ha_cold = cold;
	mem_replace(&g->ha_target, target);
	for (size_t i = 0; i < with.n; i++) {
		struct guest *o = ha_guest_of(s, with.v[i]);

		if (!text_eq(o->node->name, target)) {
			o->ha_cold = cold;
			mem_replace(&o->ha_target, target);
		}
	}
	ha_kick(s);
}

static int64_t limit(const struct guest *g, const char *key)
{
	int64_t v;

	return text_to_int(kv_get(&g->ha_conf, key), 0, 1000, &v) < 0 ? USUAL_TRIES : v;
}

/* --- what a node does for it --- */

/* A task of its own is under way. */
static bool busy(const struct sim *s, const struct guest *g)
{
	for (const struct job *j = s->jobs; j; j = j->next)
		if (j->by_ha && j->vmid == g->vmid)
			return true;
	return false;
}

static struct job *by_ha(struct sim *s, struct guest *g)
{
	struct job *j = power_daemon(s, g->node, g->vmid);

	j->by_ha = true;
	return j;
}

static void let_stop(struct sim *s, struct guest *g)
{
	struct job *j = by_ha(s, g);

	if (g->ha_ask == HA_STOP_NOW) {
		g->ha_ask = HA_STOP; /* the next time without a word about it is a usual one */
		job_next(j, 0, api_stop);
		return;
	}
	kv_setf(&j->params, "timeout", "%" PRId64, g->ha_timeout);
	kv_set(&j->params, "forceStop", "1");
	g->ha_timeout = SHUTDOWN_TIME;
	job_next(j, 0, api_shutdown);
}

static void let_move(struct sim *s, struct guest *g)
{
	struct job *j = by_ha(s, g);

	kv_set(&j->params, "target", g->ha_target);
	kv_set(&j->params, "online", "1");
	kv_set(&j->params, "with-local-disks", "1");
	job_next(j, 0, api_migrate);
}

/* --- rounds of the manager --- */

static bool there(const struct node *n)
{
	return n->up && n->quorate && !n->cut;
}

/* Locks of what ended with the node ($fence_recovery_cleanup). */
static void unlock(struct sim *s, struct guest *g)
{
	static const char *const locks[] = {"backup", "mounted", "migrate", "clone", "rollback",
	    "snapshot", "snapshot-delete", "suspending", "suspended"};

	for (size_t i = 0; i < ARRAY_LEN(locks); i++)
		if (text_eq(kv_get(&g->conf, "lock"), locks[i])) {
			guest_unset(s, g, "lock");
			return;
		}
}

static const char *as_wanted(const struct guest *g)
{
	return wanted(g, "started") ? "started" : "request_stop";
}

/* next_state_recovery: nobody may have it until one is there who may; or it is given up. */
static bool recover(struct sim *s, struct guest *g)
{
	struct node *n;

	g->ha_state = "recovery";
	n = ha_place(s, g, HA_BEST);
	if (!n) {
		if (wanted(g, "disabled")) {
			afresh(g);
			g->ha_state = "stopped";
		}
		return false;
	}
	unlock(s, g);
	guest_move(s, g, n);
	afresh(g);
	g->ha_state = as_wanted(g);
	return true;
}

/* Its node is not there: true while there is something to wait for. */
static bool lost(struct sim *s, struct guest *g)
{
	int64_t wait = s->timing[TIMING_FENCE], gone;

	if (wanted(g, "disabled") && text_eq(g->ha_state, "stopped"))
		return false;
	if (!g->ha_lost)
		g->ha_lost = s->now;
	gone = s->now - g->ha_lost;
	if (gone < wait || text_eq(g->ha_state, "error"))
		return gone < wait;
	if (gone < 2 * wait) {
		/* By now its watchdog has reset it, if it runs at all. */
		if (g->node->up && !there(g->node) &&
		    sim_node_power(s, g->node->name, false, NULL) < 0)
			return false;
		g->ha_state = "fence";
		return true;
	}
	return recover(s, g);
}

/* A node's own manager has it moved, switched off before if so asked. */
static bool moving(struct sim *s, struct guest *g)
{
	const struct node *to = node_find(s, g->ha_target);

	if (g->ha_step == HA_STEP_AWAY || !to || !ha_online(to) || to == g->node) {
		if (g->ha_step != HA_STEP_NONE) /* over, whether it worked or not */
			g->ha_state = as_wanted(g);
		g->ha_step = HA_STEP_NONE;
		g->ha_cold = false;
		mem_replace(&g->ha_target, NULL);
		return true;
	}
	g->ha_state = g->ha_cold ? "relocate" : "migrate";
	if (g->ha_cold && g->running && g->ha_step == HA_STEP_NONE) {
		g->ha_step = HA_STEP_DOWN;
		let_stop(s, g);
		return true;
	}
	g->ha_step = HA_STEP_AWAY;
	let_move(s, g);
	return true;
}

/* Off to a better node, if there is one: what runs goes without a break. */
static bool leaves(struct sim *s, struct guest *g, enum ha_prefer how)
{
	struct node *to = ha_place(s, g, how);

	if (!to || to == g->node)
		return false;
	if (g->node->maint && !g->ha_home)
		g->ha_home = g->node;
	else if (g->ha_home)
		g->ha_home = NULL; /* back, or elsewhere */
	mem_replace(&g->ha_target, to->name);
	g->ha_tries = 0;
	return moving(s, g);
}

/* It is down and is to run: tried again here, then elsewhere, then given up. */
static void start(struct sim *s, struct guest *g)
{
	if ((int64_t)g->ha_tries++ <= limit(g, "max_restart")) {
		job_next(by_ha(s, g), 0, api_start);
		return;
	}
	g->ha_tries = 0;
	strs_add(&g->ha_failed, g->node->name);
	if ((int64_t)g->ha_failed.n > limit(g, "max_relocate")) {
		strs_fini(&g->ha_failed);
		g->ha_state = "error";
	} else if (!leaves(s, g, HA_NEXT)) {
		g->ha_tries = 1;
		job_next(by_ha(s, g), 0, api_start);
	}
}

/* True unless it is as wanted. */
static bool switching(struct sim *s, struct guest *g)
{
	bool on = wanted(g, "started");

	if (on && leaves(s, g, HA_STAY))
		return true;
	if (on == g->running) {
		g->ha_state = on ? "started" : "stopped";
		g->ha_tries = 0;
		strs_fini(&g->ha_failed);
		return false;
	}
	g->ha_state = as_wanted(g);
	if (on)
		start(s, g);
	else
		let_stop(s, g);
	return true;
}

/* One guest in one round: true if another round is needed for it. */
static bool look_after(struct sim *s, struct guest *g)
{
	if (wanted(g, "ignored")) {
		g->ha_state = NULL;
		return false;
	}
	if (!there(g->node) || text_eq(g->ha_state, "fence")) /* what was begun is ended */
		return lost(s, g);
	g->ha_lost = 0;
	if (busy(s, g))
		return true;
	if (text_eq(g->ha_state, "recovery")) /* fenced, and back before anybody else had it */
		return recover(s, g);
	if (text_eq(g->ha_state, "error")) {
		if (wanted(g, "disabled")) {
			afresh(g);
			g->ha_state = "stopped";
		}
		return false;
	}
	if (g->ha_asked && wanted(g, "started"))
		g->ha_want = ha_word("stopped");
	g->ha_asked = false;
	return g->ha_target ? moving(s, g) : switching(s, g);
}

/* try_persistent_group_migration: 9 makes rules of 8's groups once all nodes are there. */
static void groups(struct sim *s)
{
	bool all = true;

	if (!s->v9 || !s->ha_groups.n || --s->ha_wait)
		return;
	s->ha_wait = GROUPS_ROUNDS;
	for (size_t i = 0; i < s->nnodes; i++)
		all = all && ha_online(s->nodes[i]);
	if (all)
		ha_groups_migrate(s);
}

static void manage(void *arg)
{
	struct sim *s = arg;
	bool again = false, master = false;

	s->ha_round = 0;
	for (size_t i = 0; i < s->nnodes; i++)
		master = master || there(s->nodes[i]);
	if (master)
		groups(s);
	for (size_t i = 0; master && i < s->nguests; i++)
		if (s->guests[i]->ha)
			again = look_after(s, s->guests[i]) || again;
	if (again || (s->v9 && s->ha_groups.n))
		ha_kick(s);
}

void ha_kick(struct sim *s)
{
	bool any = s->v9 && s->ha_groups.n;

	for (size_t i = 0; !any && i < s->nguests; i++)
		any = s->guests[i]->ha;
	if (any && !s->ha_round)
		s->ha_round = sim_at(s, s->now + s->timing[TIMING_HA], manage, s);
}

/* --- asking it --- */

struct ask {
	enum ha_ask what;
	int64_t timeout; /* of a shutdown, s */
	char *target;
};

static void ask_free(void *data)
{
	struct ask *a = data;

	free(a->target);
	free(a);
}

/* ha-manager migrate: what keeps it away from there is said, and it stays. */
static void ask_migrate(struct job *j, struct guest *g, const char *target)
{
	_cleanup_str_ char *cmd =
	    mem_printf("ha-manager migrate vm:%" PRId64 " %s", j->vmid, target);
	_cleanup_strs_ struct strs why = {0}, with = {0};

	job_log(j, "Requesting HA migration for VM %" PRId64 " to node %s", j->vmid, target);
	ha_blocked(j->sim, g, node_find(j->sim, target), &why);
	if (why.n || text_eq(g->ha_state, "error")) {
		if (why.n)
			job_log(j,
			    "cannot migrate resource 'vm:%" PRId64 "' to node '%s':", j->vmid,
			    target);
		else
			job_log(j,
			    "service 'vm:%" PRId64
			    "' in error state, must be disabled and fixed first",
			    j->vmid);
		for (size_t i = 0; i + 1 < why.n; i += 2) {
			_cleanup_str_ char *apart = mem_printf(
			    " in negative affinity with resource 'vm:%" PRId64 "'", j->vmid);

			job_log(j, "- resource '%s' on target node '%s'%s", why.v[i], target,
			    text_eq(why.v[i + 1], "node-affinity") ? "" : apart);
		}
		job_die(j, "command '%s' failed: exit code 255", cmd);
		return;
	}
	ha_together(j->sim, g, &with);
	for (size_t i = 0; i < with.n; i++)
		job_log(j,
		    "also migrate resource '%s' in positive affinity with resource 'vm:%" PRId64
		    "' to target node '%s'",
		    with.v[i], j->vmid, target);
	ha_move(j->sim, g, target, false);
	job_done(j);
}

static void fixed_first(struct job *j, const struct ask *a)
{
	_cleanup_str_ char *cmd = a->what == HA_START
				      ? mem_printf("set vm:%" PRId64 " --state started", j->vmid)
				      : mem_printf("crm-command stop vm:%" PRId64 " %" PRId64,
					    j->vmid, a->what == HA_STOP_NOW ? 0 : a->timeout);

	job_log(j, "service 'vm:%" PRId64 "' in error state, must be disabled and fixed first",
	    j->vmid);
	job_die(j, "command 'ha-manager %s' failed: exit code 255", cmd);
}

static void asked(struct job *j)
{
	struct ask *a = j->data;
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!g || !g->ha) {
		job_done(j);
		return;
	}
	if (a->what == HA_MIGRATE) {
		ask_migrate(j, g, a->target);
		return;
	}
	job_log(
	    j, "Requesting HA %s for VM %" PRId64, a->what == HA_START ? "start" : "stop", j->vmid);
	if (text_eq(g->ha_state, "error")) { /* check_service_state */
		fixed_first(j, a);
		return;
	}
	if (a->what == HA_START)
		g->ha_want = ha_word("started");
	else { /* a command for the next round */
		g->ha_asked = true;
		mem_replace(&g->ha_target, NULL);
		g->ha_ask = a->what;
		g->ha_timeout = a->timeout;
	}
	ha_kick(j->sim);
	job_done(j);
}

static void ask_task(struct job *j)
{
	job_next(j, j->sim->timing[TIMING_WORK], asked);
}

bool ha_instead(struct job *j, enum ha_ask what)
{
	static const char *const words[HA_ASK__MAX] = {"hastart", "hastop", "hastop", "hamigrate"};
	const struct guest *g = guest_find(j->sim, j->vmid);
	_cleanup_str_ char *id = power_id(j);
	_cleanup_oops_ struct oops o = {0};
	struct ask *a;

	if (!g || !ha_managed(g) || j->by_ha)
		return false;
	if (job_param_bool(j, "overrule-shutdown")) {
		oops_param(&o, "overrule-shutdown", "Not applicable for HA resources.");
		job_oops(j, &o);
		return true;
	}
	a = mem_alloc(sizeof(*a));
	*a =
	    (struct ask){what, job_param_int(j, "timeout", 60), mem_strdup(job_param(j, "target"))};
	j->data = a;
	j->data_free = ask_free;
	job_fork(j, words[what], id, ask_task);
	return true;
}
