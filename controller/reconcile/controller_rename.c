/* A manifest that names an old name which nobody knows, while manifests of VMs are gone: with two
 * renames between two looks the name in the middle was never seen, and the VM is on record under
 * the first one. Nothing is cloned for it, nor pruned, before a person has said which it was. */
#include "controller_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 3

/* The key of the journal's doubt; no manifest has that name. */
static char *doubt_of(const char *name)
{
	return mem_printf("renamed %s", name);
}

static bool is_there(struct controller *c, const char *name)
{
	const struct guest *g = controller_find_guest(c, name);

	return (g && guest_vmid(g)) || claims_find(c->claims, name);
}

/* VMs whose manifests are gone; news: with this revision. */
static size_t orphans(const struct controller *c, bool news, struct strs *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = c->guests[i];

		if (!guest_vmid(g) || bundle_find(c->bundle, guest_name(g)) ||
		    (news && guest_status(g)->reason == REASON_ORPHANED))
			continue;
		if (ret && ret->n < NAMES_SHOWN)
			strs_add_take(ret, mem_printf("%s (VM %u)", guest_name(g), guest_vmid(g)));
		n++;
	}
	return n;
}

static void doubt(struct controller *c, const char *name, bool doubted)
{
	_cleanup_str_ char *key = doubt_of(name);
	_cleanup_err_ struct err *e = NULL;

	if (!c->env.readonly && journal_doubt(c->journal, key, doubted, &e) < 0)
		log_error("journal", "%s", err_msg(e));
}

void controller_note_renames(struct controller *c)
{
	const struct bundle *b = c->bundle;

	if (b->incomplete || c->o.desired || c->has_only || !orphans(c, true, NULL))
		return;
	for (size_t i = 0; i < b->n; i++) {
		const struct resource *r = b->v[i].res;

		if (r->renamed_from && *r->renamed_from && !is_there(c, r->renamed_from) &&
		    !is_there(c, r->name))
			doubt(c, r->name, true);
	}
}

bool controller_is_renamed_unclear(struct controller *c, const struct resource *r)
{
	_cleanup_str_ char *key = doubt_of(r->name);

	if (!journal_is_doubted(c->journal, key))
		return false;
	if (r->renamed_from && *r->renamed_from && !is_there(c, r->renamed_from) &&
	    !is_there(c, r->name) && orphans(c, false, NULL))
		return true;
	doubt(c, r->name, false);
	return false;
}

const char *controller_renamed(void *arg, const struct guest *g)
{
	struct controller *c = arg;
	const struct resource *r = guest_manifest(g);
	_cleanup_strs_ struct strs gone = {0};
	_cleanup_str_ char *names = NULL;
	size_t n;

	if (!r || !c->bundle || !controller_is_renamed_unclear(c, r))
		return NULL;
	n = orphans(c, false, &gone);
	names = strs_join(&gone, ", ");
	free(c->renamed);
	c->renamed = mem_printf(
	    "nobody knows %s, which it was called before, and the manifests of other VMs are gone: "
	    "%s%s",
	    r->renamed_from, names, n > NAMES_SHOWN ? " and more" : "");
	return c->renamed;
}
