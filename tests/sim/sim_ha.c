#include "sim_ha.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_power.h"

#define TRIES 2 /* to start one: max_restart is 1 */

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

void ha_manage(struct sim *s, struct guest *g, const char *want)
{
	g->ha = want != NULL;
	g->ha_want = ha_word(want);
	g->ha_state = NULL;
	g->ha_lost = g->ha_tries = 0;
	mem_replace(&g->ha_target, NULL);
	ha_kick(s);
}

void ha_move(struct sim *s, struct guest *g, const char *target)
{
	g->ha_ask = HA_MIGRATE;
	mem_replace(&g->ha_target, target);
	ha_kick(s);
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
		job_next(j, 0, api_stop);
		return;
	}
	kv_setf(&j->params, "timeout", "%" PRId64, g->ha_timeout);
	kv_set(&j->params, "forceStop", "1");
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

static const char *as_wanted(const struct guest *g)
{
	return wanted(g, "started") ? "started" : "request_stop";
}

/* select_service_node without rules: where the fewest are, by name. */
static struct node *who_takes_over(const struct sim *s, const struct guest *of)
{
	struct node *best = NULL;
	size_t fewest = 0;

	for (size_t i = 0; i < s->nnodes; i++) {
		struct node *n = s->nodes[i];
		size_t has = 0;

		if (n == of->node || !there(n))
			continue;
		for (size_t k = 0; k < s->nguests; k++)
			has += ha_managed(s->guests[k]) && s->guests[k]->node == n &&
			       wanted(s->guests[k], "started");
		if (!best || has < fewest || (has == fewest && strcmp(n->name, best->name) < 0)) {
			best = n;
			fewest = has;
		}
	}
	return best;
}

/* Its node is not there: true while there is something to wait for. */
static bool lost(struct sim *s, struct guest *g)
{
	int64_t wait = s->timing[TIMING_FENCE], gone;
	struct node *n;

	if (wanted(g, "disabled") && text_eq(g->ha_state, "stopped"))
		return false;
	if (!g->ha_lost)
		g->ha_lost = s->now;
	gone = s->now - g->ha_lost;
	if (gone < wait || text_eq(g->ha_state, "error"))
		return gone < wait;
	if (gone < 2 * wait) {
		/* By now its watchdog has reset it, if it runs at all. */
		if (g->node->up && sim_node_power(s, g->node->name, false, NULL) < 0)
			return false;
		g->ha_state = "fence";
		return true;
	}
	g->ha_state = "recovery";
	n = who_takes_over(s, g);
	if (!n)
		return false;
	guest_move(s, g, n);
	if (text_eq(kv_get(&g->conf, "lock"), "backup"))
		guest_unset(s, g, "lock");
	g->ha_lost = 0;
	g->ha_state = as_wanted(g);
	return true;
}

static bool moving(struct sim *s, struct guest *g)
{
	const struct node *to = node_find(s, g->ha_target);

	if (text_eq(g->ha_state, "migrate")) { /* it is over, whether it worked or not */
		g->ha_state = as_wanted(g);
		mem_replace(&g->ha_target, NULL);
		return true;
	}
	if (!to || !there(to) || to == g->node) {
		mem_replace(&g->ha_target, NULL);
		return true;
	}
	g->ha_state = "migrate";
	let_move(s, g);
	return true;
}

/* True unless it is as wanted. */
static bool switching(struct sim *s, struct guest *g)
{
	bool on = wanted(g, "started");

	if (on == g->running) {
		g->ha_state = on ? "started" : "stopped";
		g->ha_tries = 0;
		return false;
	}
	g->ha_state = as_wanted(g);
	if (!on)
		let_stop(s, g);
	else if (g->ha_tries++ < TRIES)
		job_next(by_ha(s, g), 0, api_start);
	else
		g->ha_state = "error";
	return true;
}

/* One guest in one round: true if another round is needed for it. */
static bool look_after(struct sim *s, struct guest *g)
{
	if (wanted(g, "ignored")) {
		g->ha_state = NULL;
		return false;
	}
	if (!there(g->node))
		return lost(s, g);
	g->ha_lost = 0;
	if (busy(s, g))
		return true;
	if (text_eq(g->ha_state, "error")) {
		if (wanted(g, "disabled")) {
			g->ha_tries = 0;
			g->ha_state = "stopped";
		}
		return false;
	}
	return g->ha_target ? moving(s, g) : switching(s, g);
}

static void manage(void *arg)
{
	struct sim *s = arg;
	bool again = false, master = false;

	s->ha_round = 0;
	for (size_t i = 0; i < s->nnodes; i++)
		master = master || there(s->nodes[i]);
	for (size_t i = 0; master && i < s->nguests; i++)
		if (s->guests[i]->ha)
			again = look_after(s, s->guests[i]) || again;
	if (again)
		ha_kick(s);
}

void ha_kick(struct sim *s)
{
	bool any = false;

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

static void asked(struct job *j)
{
	struct ask *a = j->data;
	struct guest *g = guest_find(j->sim, j->vmid);

	if (!g || !g->ha) {
		job_done(j);
		return;
	}
	if (a->what == HA_MIGRATE) {
		job_log(
		    j, "Requesting HA migration for VM %" PRId64 " to node %s", j->vmid, a->target);
		ha_move(j->sim, g, a->target);
		job_done(j);
		return;
	}
	job_log(
	    j, "Requesting HA %s for VM %" PRId64, a->what == HA_START ? "start" : "stop", j->vmid);
	g->ha_want = ha_word(a->what == HA_START ? "started" : "stopped");
	g->ha_ask = a->what;
	g->ha_timeout = a->timeout;
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
