#include "play.h"

#include "play_tally.h"
#include "pvetoken.h"

#include <stdio.h>

#define TURNS 40
#define REPORTED_MS 30000 /* by then it stands in the report, unless something is wrong */

static struct play *playing; /* world_run carries no argument for it */

unsigned play_pick(struct play *p, unsigned n)
{
	return (unsigned)world_random(p->w, n);
}

static void begin_life(struct play *p)
{
	static const char *const nodes[] = {"pve1", "pve2", "pve3"};

	p->w->observe_only = p->busy && play_pick(p, 10) == 0;
	if (!pvetoken_is_valid(p->w->token_file)) /* with that it would not start */
		play_mend_token(p);
	world_start(p->w, CONTROLLER_RUN);
	simport_set_hook(p->w->port, play_meanwhile, p);
	if (p->several)
		simport_set_entries(p->w->port, nodes, ARRAY_LEN(nodes));
}

static void end_life(struct play *p)
{
	if (!p->w->controller)
		return;
	if (p->w->observe_only) { /* it writes no line to die after */
		world_kill(p->w);
		p->reborn_at = 0;
		return;
	}
	switch (play_pick(p, 3)) {
	case 0:
		world_kill(p->w);
		break;
	default:
		world_kill_after_lines(p->w, 1 + play_pick(p, 4));
		break;
	}
	p->reborn_at = 0;
}

/* Of what nobody remembers and nobody may see nothing can be known. */
static bool may_forget(const struct play *p)
{
	return !p->hidden;
}

static void maybe_reborn(struct play *p)
{
	int64_t now = clock_now(p->w->clock);

	if (p->w->controller)
		return;
	if (!p->reborn_at) {
		p->reborn_at = now + 1000 + (int64_t)play_pick(p, 60000);
		if (play_pick(p, 3) == 0) {
			world_tell(p->w, "the power was gone");
			memstore_power(p->w->store, (enum disk_keeps)play_pick(p, DISK_KEEPS__MAX),
			    play_pick(p, 1000));
		}
		if (play_pick(p, 6) == 0 && may_forget(p)) {
			world_tell(p->w, "the state directory is lost");
			memstore_drop(p->w->store);
			guard_forget(p);
		}
		/* Instances know of one another by nothing else. */
		if (play_pick(p, 12) == 0 && !p->rivals && may_forget(p)) {
			world_tell(p->w, "the status branch is lost");
			memgit_drop_status(p->w->git);
			guard_forget(p);
		}
	} else if (now >= p->reborn_at) {
		p->reborn_at = 0;
		begin_life(p);
	}
}

/* What was destroyed in the last moments is in no report that another one could have read. */
static void forget_last_fallen(struct play *p)
{
	struct judge *j = &p->judge;
	int64_t now = clock_now(p->w->clock);

	while (
	    j->n_fallen && now - j->fallen[(j->n_fallen - 1) % ARRAY_LEN(j->fallen)] < REPORTED_MS)
		j->n_fallen--;
}

/* Whoever comes last acts, and the other one looks on; in the end there is one again. */
static void rival_comes_or_goes(struct play *p)
{
	if (p->rival.controller) {
		rival_stop(&p->rival);
		guard_doubt(p);	  /* what it destroyed at last it has told nobody */
		world_kill(p->w); /* perhaps it only looks on, until somebody starts it again */
		p->reborn_at = 0;
		return;
	}
	if (!p->w->controller || p->w->observe_only || !may_forget(p))
		return;
	guard_forget(p); /* its state directory is empty, or old */
	forget_last_fallen(p);
	rival_start(&p->rival, p->w, false);
}

static void each(struct world *w)
{
	struct rival *r = &playing->rival;

	maybe_reborn(playing);
	play_show(playing);
	playing->judge.unheard = r->controller && (r->since > w->since || w->observe_only);
	guard_look(playing); /* first: the judge forgets what was destroyed */
	judge_look(&playing->judge, w);
}

unsigned play_seed(uint64_t seed, bool tell)
{
	/* How often the cluster is looked at decides what such a world costs. */
	static const unsigned ticks[] = {15, 60, 30, 60};
	bool prune = seed / 8 % 3 == 0;
	_cleanup_str_ char *extra =
	    mem_printf("policy: { vmid_range: 1000-1099, destroy_budget: { count: "
		       "2, percent: 50, window: 10m }, prune: %s }\n"
		       "reconcile: { tick: %us }\n",
		prune ? "true" : "false", ticks[seed / 2 % ARRAY_LEN(ticks)]);
	struct play p = {.w = world_new(seed, extra),
	    .prune = prune,
	    .several = seed % 3 == 0,
	    .rivals = seed % 8 == 3,
	    .lag = seed % 5 == 1,
	    .guard.follows = -1};
	unsigned violations;

	playing = &p;
	for (size_t i = 0; i < PLAY_VMS; i++)
		p.ever[i].gone_at = p.ever[i].bare_at = p.ever[i].there_since = INT64_MIN / 2;
	p.judge.budget = 2;
	p.judge.budget_ms = 360000; /* less what the clock may jump */
	p.w->tell = tell;
	p.w->trees = seed % 8 != 0; /* printing and parsing is half of the work */
	for (size_t i = 0; i < PLAY_VMS / 2; i++)
		play_invent(&p, i);
	play_merge(&p);
	p.busy = true;
	play_let_lag(&p);
	begin_life(&p);
	if (play_pick(&p, 2))
		play_add_fault(&p);
	if (play_pick(&p, 2))
		world_kill_after_lines(p.w, 1 + play_pick(&p, 20));
	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned dice = play_pick(&p, 21);

		world_run(p.w, 1000 + (int64_t)play_pick(&p, 40000), NULL, each);
		if (dice < 5)
			play_change_manifest(&p);
		else if (dice < 10)
			play_human(&p);
		else if (dice < 12)
			play_unlock(&p);
		else if (dice < 15)
			play_break_something(&p);
		else if (dice < 16 && p.rivals)
			rival_comes_or_goes(&p);
		else if (dice < 16)
			play_stranger(&p);
		else if (dice < 19)
			end_life(&p);
		else
			play_heal(&p);
	}
	p.busy = false;
	tally_add("virtual s", "with people", (uint64_t)clock_now(p.w->clock) / 1000);
	if (p.rival.controller)
		rival_comes_or_goes(&p);
	else if (p.w->observe_only)
		end_life(&p);
	play_heal(&p);
	play_unlock(&p);
	play_last_merge(&p);
	play_must_converge(&p, each);
	tally_add("virtual s", "in all", (uint64_t)clock_now(p.w->clock) / 1000);
	violations = p.w->violations;
	if (violations && !tell)
		fprintf(stderr, "%s\nseed %llu: world --seed %llu tells this again\n",
		    buf_str(&p.w->story), (unsigned long long)seed, (unsigned long long)seed);
	tally_world(p.w);
	rival_free(&p.rival);
	judge_fini(&p.judge);
	world_free(&p.w);
	return violations;
}
