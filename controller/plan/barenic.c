#include "barenic.h"

#include "propstr.h"

bool barenic_is(const struct kv *conf, const char *slot)
{
	const char *text = slot ? kv_get(conf, slot) : NULL, *bus;
	_cleanup_propstr_ struct propstr p = {0};
	unsigned index;

	return text && form_slot_parse(slot, &bus, &index) && text_eq(bus, "net") &&
	       propstr_parse(text, &p, NULL) == 0 && !propstr_get(&p, "bridge");
}

/* PVE 8 asks for the right to the bridge, of what is there as well as of what is to come, and takes
 * it for an error that there is none. Root is not asked. */
static bool is_asked(const struct planner *pl)
{
	return planner_is_before(pl, 9, 0) && !planner_is_root(pl);
}

const char *barenic_forbidden(const struct planner *pl, const struct kv *conf)
{
	for (size_t i = 0; is_asked(pl) && i < conf->n; i++)
		if (barenic_is(conf, conf->v[i].key))
			return conf->v[i].key;
	return NULL;
}

void barenic_ask(const struct planner *pl, const char *slot, struct change *c)
{
	if (!is_asked(pl) || !barenic_is(&pl->g->current, slot))
		return;
	change_block(c, REASON_ROOT_ONLY,
	    "%s has no bridge, and PVE 8 lets only root@pam with a password touch such a device",
	    slot);
	change_hint(c, "as root on %s, give it a bridge or remove it: qm set %u --%s …",
	    pl->g->node, pl->g->vmid, slot);
}
