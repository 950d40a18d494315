#include "spare.h"

#include <string.h>

bool spare_is_unsure(const struct planner *pl, const char *slot)
{
	const struct record *r = pl->in->record;

	if (pl->foretold)
		return false; /* a new VM: nothing was made yet */
	return !r || !r->whole || text_eq(kv_get(&r->volumes, slot), RECORD_IN_MAKING);
}

static const char *slot_of(const struct kv *m, const char *volume)
{
	KV_FOREACH (item, m)
		if (text_eq(item->value, volume))
			return item->key;
	return NULL;
}

/* It is known to be another one: a person says so, it was made for another slot, or it came with
 * the clone, or with the VM when that was handed over, in another slot. */
static bool is_another(const struct planner *pl, const char *slot, const char *volume)
{
	const struct record *r = pl->in->record;
	const char *made = r ? slot_of(&r->volumes, volume) : NULL;
	const char *came = r ? slot_of(&r->owned, volume) : NULL;

	if (strs_has(&pl->want->leave_unused, volume) || (made && !text_eq(made, slot)))
		return true;
	return came && !text_eq(came, slot) && !text_starts(came, "unused");
}

void spare_find(const struct planner *pl, const char *slot, struct kv *ret)
{
	KV_FOREACH (item, &pl->g->current) {
		_cleanup_drive_ struct drive d = {0};

		if (!text_starts(item->key, "unused") || drive_parse(item->value, &d, NULL) < 0 ||
		    !*d.storage || d.owner != pl->g->vmid || d.cloudinit)
			continue;
		if (!is_another(pl, slot, d.volume))
			kv_set(ret, item->key, d.volume);
	}
}

static void block_moved(struct change *c, const char *slot, const struct kv_item *there)
{
	change_block(c, REASON_DISK_MISSING,
	    "whether its disk was made before is not on record, and the one at %s (%s), which is "
	    "not listed, may be it",
	    there->key, there->value);
	change_hint(c,
	    "if it is, list it as disk.%s, or move it back to %s by hand; if it is not, name it in "
	    "the annotation ramet.dev/leave-unused: \"%s\", and a new disk is made",
	    there->key, slot, there->value);
}

bool spare_is_elsewhere(
    const struct planner *pl, struct change *c, const char *slot, const char *store, uint64_t gib)
{
	if (!spare_is_unsure(pl, slot))
		return false;
	KV_FOREACH (item, &pl->g->current) {
		_cleanup_drive_ struct drive d = {0};

		if (!form_check(FMT_DISK_SLOT, item->key, NULL, NULL) ||
		    resource_has_slot(pl->want, "disk", item->key) ||
		    drive_parse(item->value, &d, NULL) < 0 || d.cdrom || d.cloudinit ||
		    d.owner != pl->g->vmid || !text_eq(d.storage, store) ||
		    (gib && drive_gib_up(d.bytes) != gib) || is_another(pl, slot, d.volume))
			continue;
		const struct kv_item there = {.key = item->key, .value = d.volume};
		block_moved(c, slot, &there);
		return true;
	}
	return false;
}
