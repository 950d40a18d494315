/* What earlier lives left: the last report, the journal, guests that carry our marker. */
#include "controller_int.h"
#include "log.h"
#include "rootcmd.h"

#include <stdlib.h>
#include <string.h>

#define UNCLEAR_MS (30 * 60 * 1000) /* as long as a clone may take by default */

/* Why a guest that nobody remembers may be one of ours. */
static const char *why_looked_for(const struct controller *c)
{
	if (c->lease.before)
		return "another instance acted until now";
	return c->lease.unsure ? "another instance may have acted until now"
			       : "no journal was found";
}

/* A clone that was under way when the journal was lost may be one of ours: nothing new is made
 * until it is clear, and when it never gets clear, a person is told. */
static const char *unclear(struct controller *c, uint32_t vmid, const char *node, const char **hint)
{
	free(c->unclear);
	c->unclear = mem_printf("%s, and VM %u on node %s is locked by a clone or "
				"cannot be read: it may be one of ours",
	    why_looked_for(c), vmid, node);
	free(c->unclear_hint);
	_cleanup_str_ char *command = rootcmd_clear(node, vmid, "clone task runs there", true);
	c->unclear_hint = mem_printf("make it readable; if it is locked by a clone, %s", command);
	*hint = c->unclear_hint;
	return c->unclear;
}

/* Until a moment ago another one acted, and the guests were looked at before that: the last ones
 * that it made are not among them. */
bool controller_is_unseen(const struct controller *c)
{
	int64_t since = lease_alone_since(&c->lease);

	return since && clock_now(c->clock) >= since && !inventory_is_newer(c->inventory, since);
}

/* What lay there is not on record here. */
static bool is_forgetful(const struct controller *c)
{
	return c->wide || lease_is_late_possible(&c->lease, clock_now(c->clock), OPS_LATE_MS);
}

const char *controller_unclear(struct controller *c, const char **ret_hint)
{
	const char *node;
	int64_t ms = 0;
	uint32_t vmid = claims_unclear(c->claims, &node, &ms);

	return is_forgetful(c) && vmid && ms > UNCLEAR_MS ? unclear(c, vmid, node, ret_hint) : NULL;
}

const char *controller_not_ready(void *arg, const char **ret_hint)
{
	struct controller *c = arg;
	const char *text;

	if (!reporter_is_restored(c->reporter))
		return "the last report was not read yet, which may hold its record";
	text = controller_unclear(c, ret_hint);
	if (text)
		return text;
	bool unseen = controller_is_unseen(c);
	if (unseen)
		inventory_poke(c->inventory);
	else if (!is_forgetful(c) || claims_is_complete(c->claims))
		return NULL;
	free(c->unclear);
	c->unclear = mem_printf("%s: guests are being read for markers first", why_looked_for(c));
	return c->unclear;
}

void controller_on_restoring(void *arg)
{
	struct controller *c = arg;

	journal_gather(c->journal);
}

/* What is on disk no longer says all that is known; nothing is begun before it does, because every
 * intent is written there first. */
void controller_settle_journal(struct controller *c)
{
	_cleanup_err_ struct err *e = NULL;

	if (journal_settle(c->journal, &e) < 0)
		log_error("journal", "%s", err_msg(e));
}

void controller_on_vm(void *arg, const struct vmstat *v)
{
	struct controller *c = arg;

	if (v->record.vmid && controller_in_scope(c, v->name))
		guest_restore(controller_make_guest(c, v->name), v);
}

void controller_on_used(void *arg, uint32_t vmid)
{
	_cleanup_err_ struct err *e = NULL;
	struct controller *c = arg;

	if (journal_use(c->journal, vmid, &e) < 0)
		log_warn("journal", "%s, ignoring", err_msg(e));
}

const char *controller_followed(void *arg)
{
	const struct controller *c = arg;
	const char *rev = journal_history(c->journal);

	return rev ? rev : c->rev_reported;
}

void controller_on_followed(void *arg, const char *rev)
{
	_cleanup_err_ struct err *e = NULL;
	struct controller *c = arg;

	/* Who only looks does not follow. */
	if (c->o.mode != CONTROLLER_PLAN && journal_set_history(c->journal, rev, &e) < 0)
		log_warn("journal", "%s, ignoring", err_msg(e));
}

/* What the last report said of the controller: where the journal was lost, it comes from here. */
void controller_on_summary(void *arg, const struct status *s)
{
	_cleanup_err_ struct err *e = NULL;
	struct controller *c = arg;

	mem_replace(&c->rev_reported, s->rev_followed);
	for (size_t i = 0; i < s->fallen.n; i++) {
		const struct status_fallen *f = &s->fallen.v[i];

		if (journal_add_fallen(c->journal, f->name, f->vmid, f->wall_ms, &e) < 0)
			log_warn("journal", "%s, ignoring", err_msg(e));
	}
	for (size_t i = 0; i < s->leftovers.n; i++)
		if (journal_leave(c->journal, s->leftovers.v[i], s->leftovers.v[i], &e) < 0)
			log_warn("journal", "%s, ignoring", err_msg(e));
}

static const struct obs_row *row_of_name(const struct controller *c, const char *name)
{
	const struct obs_cluster *view = inventory_view(c->inventory);

	for (size_t i = 0; i < view->n_rows; i++) {
		const struct obs_row *row = &view->rows[i];
		bool known = false;

		if (!row->qemu || row->template || !text_eq(row->name, name) ||
		    !obs_row_has_tag(row, c->o.config->cluster_tag))
			continue;
		for (size_t k = 0; k < c->n_guests; k++)
			known |= guest_vmid(c->guests[k]) == row->vmid;
		if (!known)
			return row;
	}
	return NULL;
}

/* A name is no identity, and strangers may have it. But where nothing is remembered, a VM of that
 * name with Ramet's tag may be the one, without the marker that somebody took off; a second one
 * would be made in vain. A number in the manifest
 * is a person's word for a new one. */
const char *controller_lookalike(void *arg, const struct guest *g)
{
	struct controller *c = arg;
	const struct resource *r = guest_manifest(g);
	const char *name = r ? resource_str(r, ATTR_name) : NULL;
	_cleanup_err_ struct err *e = NULL;
	const struct obs_row *row;
	bool asked = journal_is_doubted(c->journal, guest_name(g));

	if (!r || (!c->blank && !asked))
		return NULL;
	row = resource_int(r, ATTR_id) ? NULL : row_of_name(c, name ? name : r->name);
	if (journal_doubt(c->journal, guest_name(g), row != NULL, &e) < 0)
		log_error("journal", "%s", err_msg(e));
	if (!row)
		return NULL;
	free(c->lookalike);
	c->lookalike = mem_printf(
	    "VM %u on %s has the name %s and Ramet's tag", row->vmid, row->node, row->name);
	return c->lookalike;
}

/* A standing of its own becomes a cluster's when the node joins one or makes one. */
static bool has_joined(const char *before, const struct obs_cluster *view)
{
	const char *node = text_after(before, "node ");

	return node && obs_cluster_node(view, node);
}

char *controller_alien(void *arg, const char *name, const struct obs_cluster *view)
{
	struct controller *c = arg;
	const char *before = journal_cluster(c->journal);
	_cleanup_str_ char *now = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (*name)
		now = mem_strdup(name);
	else if (view->n_nodes == 1)
		now = mem_printf("node %s", view->nodes[0].name);
	if (!now || text_eq(before, now))
		return NULL;
	if (before && !has_joined(before, view))
		return mem_printf(
		    "the endpoints lead to another cluster (%s) than the one whose VMs "
		    "are looked after (%s), so nothing is done; correct "
		    "cluster.endpoints; if the cluster was renamed, stop ramet and "
		    "remove the journal in controller.state_dir: the report brings "
		    "back what is known",
		    now, before);
	if (journal_set_cluster(c->journal, now, &e) < 0)
		log_error("journal", "%s", err_msg(e));
	return NULL;
}
