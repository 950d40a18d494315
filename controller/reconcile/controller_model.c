#include "controller_int.h"

#include <stdlib.h>
#include <string.h>

#define GIVE_UP_AFTER 3 /* failures in a row: out of reach for good, for apply and plan */

static enum plan_drift drift_of(const char *s)
{
	if (strcmp(s, "report") == 0)
		return PLAN_DRIFT_REPORT;
	return strcmp(s, "ignore") == 0 ? PLAN_DRIFT_IGNORE : PLAN_DRIFT_CORRECT;
}

static enum plan_disruption disruption_of(const char *s)
{
	if (strcmp(s, "none") == 0)
		return PLAN_NONE;
	return strcmp(s, "reboot") == 0 ? PLAN_REBOOT : PLAN_HOTPLUG;
}

void controller_fill_policy(struct controller *c)
{
	const struct config *k = c->o.config;

	c->policy = (struct plan_policy){.controller_id = k->controller_id,
	    .env = {.tag = k->cluster_tag, .suspend_tag = "ramet-suspend"},
	    .vmid_min = (uint32_t)k->vmid_first,
	    .vmid_max = (uint32_t)k->vmid_last,
	    .secrets_dir = k->policy_secrets_directory,
	    .nodes = &k->policy_nodes,
	    .pools = &k->policy_pools,
	    .templates = &k->policy_templates,
	    .datastores = &k->policy_datastores,
	    .bridges = &k->policy_bridges,
	    .drift = drift_of(k->reconcile_drift),
	    .max_disruption = disruption_of(k->reconcile_max_disruption),
	    .recreate_missing = strcmp(k->reconcile_on_missing, "recreate") == 0,
	    .prune = c->o.config->policy_prune && !c->o.desired,
	    .observe_only = c->o.observe_only};
}

static uint32_t vmid_of_name(const struct controller *c, const char *name)
{
	const struct guest *g = controller_find_guest(c, name);

	return g ? guest_vmid(g) : 0;
}

static void add_copies(struct controller *c)
{
	const struct claim *m;

	for (size_t i = 0; (m = claims_next(c->claims, &i));) {
		uint32_t on_record = m->copy ? 0 : vmid_of_name(c, m->name);

		if (on_record && on_record != m->vmid)
			strs_add_take(&c->status.copies,
			    mem_printf(
				"VM %u carries a marker of %s, which is VM %u: it is a second "
				"one and is not managed",
				m->vmid, m->name, on_record));
		if (m->copy)
			strs_add_take(&c->status.copies,
			    mem_printf(
				"VM %u carries the marker of %s (VM %u): it is a copy and is "
				"not managed",
				m->vmid, m->name, m->of));
	}
	strs_sort_unique(&c->status.copies);
}

static void add_unclear(struct controller *c)
{
	const char *hint = NULL, *text = controller_unclear(c, &hint);

	if (text)
		strs_add_take(&c->status.unclaimed, mem_printf("%s; %s", text, hint));
}

/* What was restored after its end, what nobody remembers, and what may be ours and cannot be read:
 * whoever has no manifest has no row in the table. */
static void add_unclaimed(struct controller *c)
{
	const struct claim *m;

	add_unclear(c);
	if (!c->bundle || c->bundle->incomplete || c->o.desired || c->has_only ||
	    (c->wide && !claims_is_complete(c->claims)))
		return;
	for (size_t i = 0; (m = claims_next(c->claims, &i));) {
		if (m->copy || bundle_find(c->bundle, m->name) || vmid_of_name(c, m->name))
			continue;
		strs_add_take(&c->status.unclaimed,
		    mem_printf("VM %u on %s carries the marker of %s, and no manifest of that name "
			       "is there: it is left as it is; merge one to have it managed again, "
			       "or take the line \"ramet: …\" out of its notes, or destroy it in "
			       "PVE",
			m->vmid, m->node, m->name));
	}
	strs_sort_unique(&c->status.unclaimed);
}

static void add_fallen(struct controller *c)
{
	struct status_fallens *to = &c->status.fallen;
	const struct fallen *f;
	size_t n = journal_fallen(c->journal, &f);

	for (size_t i = n > STATUS_FALLEN_KEEP ? n - STATUS_FALLEN_KEEP : 0; i < n; i++) {
		MEM_PUSH_ROOM(to->v, to->n, to->cap);
		to->v[to->n++] = (struct status_fallen){
		    .name = mem_strdup(f[i].name), .vmid = f[i].vmid, .wall_ms = f[i].wall_ms};
	}
	KV_FOREACH (it, journal_leftovers(c->journal))
		strs_add(&c->status.leftovers, it->value);
}

/* Who waits has not got there, however long it has waited. */
static bool all_settled(const struct controller *c)
{
	for (size_t i = 0; i < c->n_guests; i++)
		if (!guest_is_settled(c->guests[i]) || guest_state(c->guests[i]) == GUEST_WAIT)
			return false;
	return true;
}

const struct status *controller_build_status(struct controller *c)
{
	struct status *s = &c->status;

	s->vms = NULL;
	s->n_vms = 0;
	status_fini(s);
	free(c->vms);
	c->vms = mem_calloc(c->n_guests + 1, sizeof(*c->vms));
	*s = (struct status){.controller_id = mem_strdup(c->o.config->controller_id),
	    .instance = mem_strdup(journal_instance(c->journal)),
	    .observe_only = c->o.observe_only,
	    .vms = c->vms};
	for (size_t i = 0; i < c->n_guests; i++) {
		guest_show_intent(c->guests[i]);
		if (c->o.desired && !guest_is_wanted(c->guests[i]))
			continue; /* out of scope: nothing was looked at */
		/* A name that came to nothing, and whose manifest is gone, is nothing. */
		if (guest_is_wanted(c->guests[i]) || guest_vmid(c->guests[i]))
			c->vms[s->n_vms++] = guest_status(c->guests[i]);
	}
	if (c->bundle) {
		s->rev_wanted = mem_strdup(c->bundle->rev);
		diags_append(&s->findings, &c->bundle->diags);
		if (all_settled(c))
			mem_replace(&c->rev_applied, c->bundle->rev);
	}
	s->rev_applied = mem_strdup(c->rev_applied);
	s->rev_followed = mem_strdup(journal_history(c->journal));
	if (c->source) {
		s->subject = mem_strdup(source_subject(c->source));
		s->git_problem = mem_strdup(source_problem(c->source));
	}
	s->cluster_problem = mem_strdup(inventory_problem(c->inventory));
	s->report_problem = mem_strdup(reporter_problem(c->reporter));
	s->state_problem = mem_strdup(c->state_problem);
	add_copies(c);
	add_unclaimed(c);
	add_fallen(c);
	return s;
}

/* Thousands, and nobody but the report asks for them. */
const struct status *controller_build_report(struct controller *c)
{
	const uint32_t *used;
	size_t n_used = journal_used(c->journal, &used);

	(void)controller_build_status(c);
	for (size_t i = 0; i < n_used; i++)
		strs_add_take(&c->status.used_vmids, mem_printf("%u", used[i]));
	return &c->status;
}

void controller_free_model(struct controller *c)
{
	c->status.vms = NULL;
	c->status.n_vms = 0;
	status_fini(&c->status);
	free(c->vms);
	free(c->rev_applied);
	strs_fini(&c->sought);
}

bool controller_guests_settled(const struct controller *c)
{
	bool plan = c->o.mode == CONTROLLER_PLAN;

	if (lease_is_taking_over(&c->lease, clock_now(c->clock)) && c->lease.began)
		return false;
	if (!c->bundle)
		return c->source && source_failures(c->source) >= GIVE_UP_AFTER;
	if (!inventory_is_ready(c->inventory))
		return inventory_looks(c->inventory) >= GIVE_UP_AFTER;
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = c->guests[i];

		if (!guest_is_settled(g) && !(plan && guest_is_quiet(g)))
			return false;
	}
	return true;
}

bool controller_settled_now(const struct controller *c)
{
	return controller_guests_settled(c) &&
	       (c->o.mode == CONTROLLER_PLAN || reporter_is_idle(c->reporter));
}

bool controller_is_ready(const struct controller *c)
{
	return c->bundle && inventory_is_ready(c->inventory);
}

void controller_on_listed(void *arg, const char *status_head)
{
	struct controller *c = arg;

	reporter_seen(c->reporter, status_head);
}
