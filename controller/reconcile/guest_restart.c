#include "guest_int.h"
#include "log.h"

/*
 * PVE shuts a guest down for a restart and starts it when it is down. It gives up after a while;
 * whoever takes longer, as a guest that installs its updates, then goes down and stays so.
 *
 * A call that nobody answered may be carried out later than it is waited for. A second one would
 * restart the guest once more, so there is none before it could have been: whether it was, the time
 * tells since when the guest runs. Until then nothing else is begun either.
 */

#define UNANSWERED_MS (OPS_LATE_MS + 240000) /* and the time that the guest has to go down */
#define RESTART_MS 3600000 /* whoever goes down later was stopped by somebody else */
#define DOWN_MS 60000	   /* by then PVE has started it itself, if it does */
#define START_MS 3000	   /* what PVE takes to see that it is down, and to start it */
#define LOOK_MS 10000	   /* between looks until then */
#define CLOCKS_S 5	   /* boot times are reckoned back from two clocks */

void guest_note_restart(struct guest *g)
{
	g->restart_down = false;
	g->restart_at = clock_now(g->env->clock);
	g->restart_boot = g->turn->guest.started_s;
	g->restart_recalled = -1;
	g->down_since = -1;
}

bool guest_went_down(struct guest *g, const struct step *s)
{
	if (s->kind != STEP_REBOOT)
		return false;
	g->restart_down = true;
	guest_wait(g, REASON_UPDATING, "the guest went down and is started again", START_MS, false);
	return true;
}

void guest_recall_restart(struct guest *g, const struct doing *d)
{
	int64_t age = clock_wall(g->env->clock) - d->wall_ms;

	if (g->restart_boot)
		return;
	g->restart_down = false;
	g->restart_at = clock_now(g->env->clock) - (age < 0 ? 0 : age);
	g->restart_boot = d->boot;
	g->restart_recalled = clock_now(g->env->clock);
	g->down_since = -1;
}

/* It is known what came of it, or nothing can come of it any more. */
static void restart_ended(struct guest *g)
{
	const struct doing *d = journal_doing(g->env->journal, g->name);
	_cleanup_err_ struct err *e = NULL;

	g->restart_boot = 0;
	if (d && d->boot && !g->env->readonly && journal_step_end(g->env->journal, g->name, &e) < 0)
		log_warn(g->name, "%s, ignoring", err_msg(e));
}

/* A call that nobody answered. Of one of an earlier life nobody knows for sure when it was made. */
static bool may_come(const struct guest *g)
{
	int64_t since = g->restart_recalled >= 0 ? g->restart_recalled : g->restart_at;

	return g->restart_boot && clock_now(g->env->clock) - since < UNANSWERED_MS;
}

bool guest_awaits_restart(struct guest *g, const struct plan *p)
{
	const struct doing *d = journal_doing(g->env->journal, g->name);

	if (!d || !d->boot || d->upid || p->destroy)
		return false;
	if (!may_come(g)) {
		restart_ended(g);
		return false;
	}
	guest_wait(g, REASON_UNCONFIRMED,
	    "a restart was asked for and not answered: looking whether it comes", LOOK_MS, false);
	return true;
}

/* By the clock of an earlier life, which may have been set since: then a restart has come when
 * nothing waits for one any more. */
static bool is_booted(const struct guest *g, const struct obs_guest *o)
{
	if (o->power != OBS_POWER_RUNNING)
		return false;
	if (g->restart_down)
		return true;
	return o->started_s > g->restart_boot + CLOCKS_S &&
	       (g->restart_recalled < 0 || !o->pending_keys.n);
}

bool guest_is_restarting(struct guest *g)
{
	const struct obs_guest *o = g->turn->has_guest ? &g->turn->guest : NULL;
	int64_t now = clock_now(g->env->clock);

	if (!g->restart_boot || !o)
		return false;
	bool over = now - g->restart_at > RESTART_MS;
	if (is_booted(g, o) || (over && !may_come(g))) {
		restart_ended(g);
		return false;
	}
	if (over || o->power != OBS_POWER_STOPPED) {
		g->down_since = -1;
		return false;
	}
	if (g->down_since < 0)
		g->down_since = now;
	return now - g->down_since >= DOWN_MS;
}

int64_t guest_restart_pause(const struct guest *g)
{
	return g->restart_boot && g->down_since >= 0 ? LOOK_MS : 0;
}
