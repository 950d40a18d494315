/* What earlier lives left: the last report, the journal, guests that carry our marker. */
#include "controller_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define UNCLEAR_MS (30 * 60 * 1000) /* as long as a clone may take by default */

/* A clone that was under way when the journal was lost may be one of ours: nothing new is made
 * until it is clear, and when it never gets clear, a person is told. */
static const char *unclear(struct controller *c, uint32_t vmid, const char *node, const char **hint)
{
	free(c->unclear);
	c->unclear =
	    mem_printf("no journal was found, and VM %u on node %s is locked by a clone or "
		       "cannot be read: it may be one of ours",
		vmid, node);
	free(c->unclear_hint);
	c->unclear_hint =
	    mem_printf("make it readable; if it is locked by a clone and no clone task "
		       "runs there, as root on %s: qm unlock %u && qm destroy %u --purge",
		node, vmid, vmid);
	*hint = c->unclear_hint;
	return c->unclear;
}

const char *controller_not_ready(void *arg, const char **ret_hint)
{
	struct controller *c = arg;
	const char *node;
	int64_t ms = 0;
	uint32_t vmid = claims_unclear(c->claims, &node, &ms);

	if (!reporter_is_restored(c->reporter))
		return "the last report was not read yet, which may hold its record";
	if (c->wide && vmid && ms > UNCLEAR_MS)
		return unclear(c, vmid, node, ret_hint);
	if (c->wide && !claims_is_complete(c->claims))
		return "no journal was found: guests are being read for markers first";
	return NULL;
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
