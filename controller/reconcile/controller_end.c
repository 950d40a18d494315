/* What speaks against destroying a VM beyond the VM itself: the branch, other manifests, other VMs,
 * and how many are to go at once. */
#include "controller_int.h"

#include <stdlib.h>
#include <string.h>

/* ---- the budget ---- */

static size_t managed_now(const struct controller *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_guests; i++)
		n += guest_record(c->guests[i])->vmid != 0;
	return n;
}

/* Destroyed within the window, or in this run when a person raised the budget for it. */
static bool counts(const struct controller *c, const struct fallen *f)
{
	if (c->o.destroy_budget)
		return f->own;
	return clock_now(c->clock) - f->at_ms <= c->o.config->policy_destroy_budget_window;
}

/* Those that are still there (a call whose answer is out) are counted among the fallen, not among
 * the orders. */
static bool is_fallen(const struct controller *c, const char *name, uint32_t vmid)
{
	const struct fallen *f;
	size_t n = journal_fallen(c->journal, &f);

	for (size_t i = 0; i < n; i++)
		if (f[i].vmid == vmid && !f[i].past && strcmp(f[i].name, name) == 0 &&
		    counts(c, &f[i]))
			return true;
	return false;
}

static size_t count_fallen(const struct controller *c, bool *ret_unsure)
{
	const struct fallen *f;
	size_t n, count = 0;

	journal_date(c->journal, clock_now(c->clock), clock_wall(c->clock));
	n = journal_fallen(c->journal, &f);
	for (size_t i = 0; i < n; i++) {
		count += counts(c, &f[i]);
		*ret_unsure |= counts(c, &f[i]) && f[i].unsure && !c->o.destroy_budget;
	}
	return count;
}

static size_t count_orders(const struct controller *c, const struct guest *asking)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = c->guests[i];

		n += (g == asking || guest_is_ordered(g)) &&
		     !is_fallen(c, guest_name(g), guest_record(g)->vmid);
	}
	return n;
}

/* What may be destroyed in a window, of so many that were managed at its beginning. */
static size_t budget(const struct controller *c, size_t managed)
{
	const struct config *k = c->o.config;
	size_t count = (size_t)k->policy_destroy_budget_count;
	size_t part = managed * (size_t)k->policy_destroy_budget_percent / 100;

	if (c->o.destroy_budget)
		return c->o.destroy_budget;
	if (!count)
		return 0;
	if (part < count)
		count = part;
	return count ? count : 1;
}

static const char *ask_budget(struct controller *c, const struct guest *asking)
{
	bool unsure = false;
	size_t fallen = count_fallen(c, &unsure), orders = count_orders(c, asking);
	size_t may = budget(c, managed_now(c) + fallen);
	_cleanup_str_ char *window = NULL;

	if (orders + fallen <= may)
		return NULL;
	window = value_print_duration(c->o.config->policy_destroy_budget_window);
	free(c->peril[PERIL_BUDGET]);
	c->peril[PERIL_BUDGET] = mem_printf(
	    "%zu VM%s to be destroyed and %zu %s within %s%s, and the budget is %zu", orders,
	    orders == 1 ? " is" : "s are", fallen, fallen == 1 ? "was" : "were", window,
	    unsure ? " (or earlier: the machine was started since, and its clock may have been set)"
		   : "",
	    may);
	return c->peril[PERIL_BUDGET];
}

/* ---- the branch and its manifests ---- */

/* A manifest that is gone may only be unread, or be the other half of something. */
static const char *ask_unread(const struct controller *c, const struct guest *g)
{
	const struct bundle *b = c->bundle;
	const struct bundle_entry *e = b ? bundle_find(b, guest_name(g)) : NULL;

	if (e)
		return e->stale ? "the newest version of its manifest has findings" : NULL;
	if (c->o.desired || c->has_only)
		return "only a part of the manifests is in scope";
	if (!b || b->n_files == 0)
		return "the manifest is gone, and with it every other one";
	if (b->incomplete || diags_errors(&b->diags))
		return "the manifest is gone, and other files of the watched folder have findings";
	return NULL;
}

static const char *ask_named(struct controller *c, const struct guest *g)
{
	const struct bundle *b = c->bundle;

	for (size_t i = 0; b && !guest_manifest(g) && i < b->n; i++) {
		const struct resource *r = b->v[i].res;

		if (r->renamed_from && controller_is_renamed_unclear(c, r)) {
			free(c->peril[PERIL_NAMED]);
			c->peril[PERIL_NAMED] = mem_printf(
			    "the manifest is gone, and %s was called %s before, which nobody knows",
			    r->name, r->renamed_from);
			return c->peril[PERIL_NAMED];
		}
		if (!text_eq(r->renamed_from, guest_name(g)) &&
		    resource_int(r, ATTR_id) != (int64_t)guest_vmid(g))
			continue;
		free(c->peril[PERIL_NAMED]);
		c->peril[PERIL_NAMED] =
		    mem_printf("the manifest is gone, and %s names VM %u", r->name, guest_vmid(g));
		return c->peril[PERIL_NAMED];
	}
	return NULL;
}

/* ---- other VMs ---- */

static bool depends_on(const struct guest *g, const char *name)
{
	const struct resource *r = guest_manifest(g);
	const struct strs *list = r ? resource_set(r, ATTR_depends_on) : NULL;
	const char *said = kv_get(&guest_record(g)->parting, schema_attr(ATTR_depends_on)->path);
	_cleanup_strs_ struct strs old = {0};

	if (r)
		return list && strs_has(list, name);
	return said && text_split(said, ",", true, 1000, &old) == 0 && strs_has(&old, name);
}

static const char *ask_dependents(struct controller *c, const struct guest *asking)
{
	const char *name = guest_name(asking);

	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = c->guests[i];

		if (g == asking || !guest_vmid(g))
			continue;
		/* What was released asks for nothing any more. */
		bool asks = guest_manifest(g) || guest_is_ordered(g);
		bool missed = guest_is_missed(g);
		if (!missed && (!asks || !depends_on(g, name)))
			continue;
		free(c->peril[PERIL_DEPENDENT]);
		c->peril[PERIL_DEPENDENT] =
		    missed ? mem_printf("%s may depend on it: its manifest has findings, and no "
					"good version of it is known",
				 guest_name(g))
			   : mem_printf("%s depends on it and is still there", guest_name(g));
		return c->peril[PERIL_DEPENDENT];
	}
	return NULL;
}

static const struct strs *ask_linked(struct controller *c, const struct guest *asking)
{
	uint32_t vmid = guest_vmid(asking);

	strs_fini(&c->linked);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = c->guests[i];

		if (g != asking && vmid && guest_is_linked_to(g, vmid))
			strs_add_take(
			    &c->linked, mem_printf("%s (VM %u)", guest_name(g), guest_vmid(g)));
	}
	return c->linked.n ? &c->linked : NULL;
}

void controller_peril(void *arg, const struct guest *g, struct plan_peril *ret)
{
	struct controller *c = arg;

	const char *job = inventory_replication(c->inventory, guest_vmid(g));

	if (job) {
		free(c->peril[PERIL_REPLICATED]);
		c->peril[PERIL_REPLICATED] =
		    mem_printf("the replication job %s copies its disks", job);
	}
	*ret = (struct plan_peril){.replicated = job ? c->peril[PERIL_REPLICATED] : NULL,
	    .unread = ask_unread(c, g),
	    .named = ask_named(c, g),
	    .history = c->source && !c->o.destroy_budget ? source_doubt(c->source) : NULL,
	    .stale = c->source && source_failures(c->source)
			 ? "Git does not answer, and the order may have been withdrawn"
			 : NULL,
	    .dependent = ask_dependents(c, g),
	    .linked = ask_linked(c, g),
	    .budget = ask_budget(c, g)};
}

void controller_free_peril(struct controller *c)
{
	for (size_t i = 0; i < PERIL__MAX; i++)
		free(c->peril[i]);
	strs_fini(&c->linked);
}
