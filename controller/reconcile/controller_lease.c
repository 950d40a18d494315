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

static bool has_lease_file(const struct controller *c)
{
	return c->o.ports.outdir && c->o.ports.outdir->ops->claim;
}

/* The report and the acting are another one's. */
static void yield(struct controller *c, const char *instance)
{
	_cleanup_str_ char *text = NULL;

	if (c->o.observe_only)
		text = mem_printf("the report is that of another instance (%s) with the "
				  "controller.id %s, which acts: this one observes and writes "
				  "none; give it report.branch or report.directory of its own to "
				  "have one",
		    instance, c->o.config->controller_id);
	else
		text = mem_printf("a newer instance (%s) with the controller.id %s acts now: this "
				  "one (%s) only looks; stop it, or start it again to take over",
		    instance, c->o.config->controller_id, c->lease.own);
	lease_yield(&c->lease);
	log_error("controller", "%s", text);
	reporter_mute(c->reporter);
	if (c->o.ports.note)
		c->o.ports.note(c->o.ports.note_arg,
		    &(struct note){.kind = NOTE_TROUBLE, .text = text, .percent = -1});
	for (size_t i = 0; i < c->n_guests; i++)
		guest_wake(c->guests[i]);
}

static void look(struct controller *c, const char *instance, bool observes)
{
	/* Whoever changes nothing is no rival of one who does. */
	if (is_fenced(c) && (c->o.observe_only || !observes) && lease_look(&c->lease, instance))
		yield(c, instance);
}

static void look_at_holder(struct controller *c)
{
	_cleanup_str_ char *who = c->o.ports.outdir->ops->holder(c->o.ports.outdir);

	look(c, who, false);
}

void controller_watch_lease(struct controller *c)
{
	if (is_fenced(c) && c->lease.began && has_lease_file(c))
		look_at_holder(c);
}

void controller_on_instance(void *arg, const char *instance, bool observes)
{
	struct controller *c = arg;

	mem_replace(&c->seen_instance, instance);
	c->seen_observes = observes;
	if (has_lease_file(c))
		look_at_holder(c);
	else if (!instance && is_fenced(c) && c->lease.claimed)
		lease_doubt(&c->lease);
	else
		look(c, instance, observes);
}

/* Whoever takes over looks at all guests, and has not done so before the other one has seen it. */
static void begin(struct controller *c, const char *before)
{
	lease_begin(&c->lease, before, !journal_is_scanned(c->journal), clock_now(c->clock));
}

/* Of a directory. True when nothing is left to be decided. */
static bool claim(struct controller *c, const char *before)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *who = NULL;
	struct outdir *o = c->o.ports.outdir;

	begin(c, before);
	if (o->ops->claim(o, c->lease.own, &who, &e) < 0) {
		log_warn("controller", "%s, ignoring", err_msg(e));
		return false;
	}
	if (!text_eq(who, c->lease.own)) {
		yield(c, who ? who : "unknown");
		return true;
	}
	lease_claim(&c->lease, clock_now(c->clock));
	return false;
}

/* Who acted until now, as far as that can be seen; NULL = nobody. Caller frees. */
static char *predecessor(const struct controller *c)
{
	char *who = has_lease_file(c) ? c->o.ports.outdir->ops->holder(c->o.ports.outdir) : NULL;

	if (who)
		return who;
	return c->seen_observes && !c->o.observe_only ? NULL : mem_strdup(c->seen_instance);
}

/* What the other one made since its last report carries a marker, and maybe not even the tag yet.
 */
static void look_at_all(struct controller *c)
{
	_cleanup_err_ struct err *e = NULL;

	c->wide = true;
	if (!c->env.readonly && journal_set_scanned(c->journal, false, &e) < 0)
		log_error("journal", "%s", err_msg(e));
}

void controller_begin_lease(struct controller *c)
{
	_cleanup_str_ char *event = NULL, *before = NULL;
	bool other;

	if (!is_fenced(c))
		return;
	before = predecessor(c);
	other = before && !text_eq(before, c->lease.own);
	if (c->o.observe_only && other && (has_lease_file(c) || !c->seen_observes)) {
		begin(c, before);
		yield(c, before);
		return;
	}
	if (has_lease_file(c) && !c->o.observe_only) {
		if (claim(c, before))
			return;
	} else {
		begin(c, before);
	}
	if (!before && !has_lease_file(c) && journal_name(c->journal, 0))
		lease_doubt(&c->lease);
	if (other && !c->o.observe_only)
		look_at_all(c);
	if (c->lease.claimed && !other)
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
		lease_fail(&c->lease, clock_now(c->clock));
}

enum reason controller_held(void *arg)
{
	struct controller *c = arg;

	if (!is_fenced(c))
		return REASON_IN_SYNC;
	if (has_lease_file(c))
		look_at_holder(c);
	else
		reporter_look(c->reporter);
	if (c->lease.lost)
		return REASON_REPLACED;
	if (c->lease.began && !c->lease.claimed && reporter_problem(c->reporter))
		lease_fail(&c->lease, clock_now(c->clock));
	return lease_may(&c->lease, clock_now(c->clock)) ? REASON_IN_SYNC : REASON_TAKING_OVER;
}

bool controller_rivalled(void *arg)
{
	const struct controller *c = arg;

	return lease_is_rivalled(&c->lease);
}

/* What was read before a call may be minutes old when its turn comes: a merge, another instance or
 * a VM of that name may have come since. */
bool controller_may(void *arg, const char *name, bool creates)
{
	struct controller *c = arg;
	const struct guest *g = controller_find_guest(c, name);
	const struct intent *open = journal_intent(c->journal, name);
	const struct claim *there = creates ? claims_find(c->claims, name) : NULL;

	if (!g || !guest_is_current(g) || controller_held(c) != REASON_IN_SYNC)
		return false;
	return !there || (open && open->vmid == there->vmid);
}
