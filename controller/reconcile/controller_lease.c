/* Several instances with one controller.id: the newest acts, the others see it and only look. */
#include "controller_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define FILES_HOLD_MS 15000
#define GIT_SLACK_MS 10000

/* A part of the VMs, or a look, is nobody's rival. */
static bool is_fenced(const struct controller *c)
{
	return c->o.mode != CONTROLLER_PLAN && !c->has_only && !c->o.desired &&
	       (c->o.ports.git || c->o.ports.outdir);
}

void controller_open_lease(struct controller *c)
{
	/* As long as it takes at most until the other one has looked at the branch again. */
	int64_t polls = c->o.config->git_interval * 3 / 2 + GIT_SLACK_MS;

	lease_init(
	    &c->lease, journal_instance(c->journal), c->o.ports.outdir ? FILES_HOLD_MS : polls);
}

void controller_on_instance(void *arg, const char *instance)
{
	struct controller *c = arg;
	_cleanup_str_ char *text = NULL;

	mem_replace(&c->seen_instance, instance);
	if (!is_fenced(c) || !lease_look(&c->lease, instance))
		return;
	text = mem_printf(
	    "a newer instance (%s) with the controller.id %s acts now: this one (%s) only "
	    "looks; stop it, or start it again to take over",
	    instance, c->o.config->controller_id, c->lease.own);
	log_error("controller", "%s", text);
	reporter_mute(c->reporter);
	if (c->o.ports.note)
		c->o.ports.note(c->o.ports.note_arg,
		    &(struct note){.kind = NOTE_TROUBLE, .text = text, .percent = -1});
	for (size_t i = 0; i < c->n_guests; i++)
		guest_wake(c->guests[i]);
}

void controller_begin_lease(struct controller *c)
{
	_cleanup_str_ char *event = NULL;

	if (!is_fenced(c))
		return;
	lease_begin(&c->lease, c->seen_instance, clock_now(c->clock));
	if (c->lease.claimed)
		return;
	if (!c->lease.before) {
		reporter_dirty(c->reporter, NULL);
		return;
	}
	event = mem_printf("instance %s takes over from %s", c->lease.own, c->lease.before);
	reporter_dirty(c->reporter, event);
	reporter_flush(c->reporter); /* the other one is to know at once */
}

void controller_lease_reported(struct controller *c, bool well)
{
	if (!c->lease.began)
		return;
	if (well)
		lease_claim(&c->lease, clock_now(c->clock));
	else if (reporter_problem(c->reporter))
		lease_fail(&c->lease);
}

enum reason controller_held(void *arg)
{
	struct controller *c = arg;

	if (!is_fenced(c))
		return REASON_IN_SYNC;
	reporter_look(c->reporter);
	if (c->lease.lost)
		return REASON_REPLACED;
	if (c->lease.began && !c->lease.claimed && reporter_problem(c->reporter))
		lease_fail(&c->lease);
	return lease_may(&c->lease, clock_now(c->clock)) ? REASON_IN_SYNC : REASON_TAKING_OVER;
}
