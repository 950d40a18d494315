/* What holds the machine of one VM back although it is known what to do, and what is taken up again
 * that an earlier life began. */
#include "guest_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define STATE_MS 5000

void guest_wait_state(struct guest *g, const char *why)
{
	guest_wait(g, REASON_STATE_UNWRITABLE, why, STATE_MS, true);
}

/* Another instance acts, or may still. */
static bool is_rivalled(struct guest *g)
{
	enum reason r = g->env->held(g->env->arg);

	if (r == REASON_IN_SYNC)
		return false;
	g->current = true;
	guest_wait(g, r,
	    r == REASON_REPLACED ? "a newer instance acts; this one only looks"
				 : "this instance is being announced in the report; until another "
				   "one could have seen "
				   "that, it waits",
	    r == REASON_REPLACED ? 60000 : 2000, false);
	return true;
}

bool guest_is_held(struct guest *g)
{
	if (is_rivalled(g))
		return true;
	if (journal_try(g->env->journal))
		return false;
	guest_wait_state(g, journal_problem(g->env->journal));
	return true;
}

bool guest_has_lookalike(struct guest *g)
{
	const char *who = NULL, *renamed = g->env->renamed(g->env->arg, g);
	_cleanup_str_ char *text = NULL;

	if (renamed) {
		text = mem_printf("not cloned: %s", renamed);
		guest_stall(g, REASON_OLD_NAME_UNKNOWN, text, NULL);
		return true;
	}
	who = g->env->lookalike(g->env->arg, g);
	if (!who)
		return false;
	text = mem_printf("not cloned: %s, and nothing is remembered of earlier lives", who);
	guest_stall(g, REASON_NAME_TAKEN, text, NULL);
	return true;
}

bool guest_is_torn(struct guest *g, const struct claim *one)
{
	const struct claim *other = claims_rival(g->env->claims, one);

	if (!other)
		return false;
	_cleanup_str_ char *text = mem_printf(
	    "VM %u on %s and VM %u on %s both carry the marker of %s, and which of them is meant "
	    "is not on record",
	    one->vmid, one->node, other->vmid, other->node, one->name);
	guest_stall(g, REASON_COPIED_MARKER, text,
	    "take the line \"ramet: …\" out of the notes of the one that is not meant, or name the "
	    "one that is: spec.id and the annotation ramet.dev/adopt with its SMBIOS UUID");
	return true;
}

/* ---- a number that is taken ---- */

void guest_meet(struct guest *g, const char *text)
{
	g->met = true;
	g->met_at = clock_now(g->env->clock);
	inventory_poke(g->env->inventory);
	guest_wait(g, REASON_RETRYING, text, 1000, false);
}

bool guest_awaits_met(struct guest *g)
{
	int64_t age;
	bool seen;

	if (!g->met_at)
		return false;
	age = clock_now(g->env->clock) - g->met_at;
	seen =
	    inventory_is_newer(g->env->inventory, g->met_at) && claims_is_complete(g->env->claims);
	if (seen || age >= OPS_LATE_MS) {
		g->met_at = 0;
		return false;
	}
	inventory_poke(g->env->inventory);
	guest_wait(g, REASON_READING, "a VMID was taken a moment ago: looking by whom", 5000, true);
	return true;
}

/* ---- steps of an earlier life ---- */

/* A step without a task was asked for at most: the VM tells what came of it. */
static void close_step(struct guest *g)
{
	_cleanup_err_ struct err *e = NULL;

	if (journal_step_end(g->env->journal, g->name, &e) < 0)
		log_warn(g->name, "%s, ignoring", err_msg(e));
}

bool guest_has_step_task(struct guest *g)
{
	const struct doing *d = journal_doing(g->env->journal, g->name);
	bool task = d && d->upid;

	if (!d || g->env->readonly || g->env->stopping)
		return false;
	if (d->boot && d->vmid == g->rec.vmid)
		guest_recall_restart(g, d);
	else if (!task)
		close_step(g);
	return task;
}

void guest_resume_step(struct guest *g)
{
	const struct doing *d = journal_doing(g->env->journal, g->name);
	struct op_job job = {.name = g->name, .want = guest_wanted(g), .resumes = true};

	if (g->st.reason != REASON_TASK_STUCK)
		guest_set_status(g, PLAN_ACT, REASON_UPDATING, NULL, NULL);
	guest_note_op(g, mem_printf("%s: looking for what came of it", d->text ? d->text : "step"));
	g->resuming = true;
	guest_start_op(g, &job);
}
