#include "cidrive.h"

#include <stdlib.h>
#include <string.h>

#include "effect.h"
#include "policy.h"

#define USUAL_SLOT "ide2"
#define VOLUME_WORD "cloudinit"

/* Where the drive is; NULL: nowhere. *ret_store (may be NULL) is a copy. */
static const char *find_drive(const struct kv *conf, char **ret_store)
{
	KV_FOREACH (item, conf) {
		_cleanup_drive_ struct drive d = {0};
		if (!form_check(FMT_DISK_SLOT, item->key, NULL, NULL) ||
		    drive_parse(item->value, &d, NULL) < 0 || !d.cloudinit)
			continue;
		if (ret_store)
			*ret_store = mem_strdup(d.storage);
		return item->key;
	}
	return NULL;
}

static const struct leaf *listed(const struct planner *pl, enum attr_id id)
{
	return resource_find(pl->want, id, NULL);
}

/* A change of the one that is listed and differs. */
static struct change *change_for(struct planner *pl, bool store, const char *from, const char *to)
{
	const struct leaf *place = listed(pl, ATTR_init_interface);
	const struct leaf *on = listed(pl, ATTR_init_datastore_id);
	struct change *c = planner_leaf_change(pl, (store && on) || !place ? on : place);
	change_texts(c, mem_strdup(from ? from : "absent"), mem_strdup(to));
	return c;
}

static void take_away(struct planner *pl, const char *slot, bool store, const char *from)
{
	const char *want =
	    planner_text(pl, store ? ATTR_init_datastore_id : ATTR_init_interface, NULL);
	struct change *c = change_for(pl, store, from, want);

	effect_of_slot(pl, c, slot);
	if (c->takes_restart) /* PVE makes none while there is one, be it to be removed */
		change_texts(c, mem_strdup(from),
		    mem_printf("%s, with two restarts: one takes the old drive away, one brings "
			       "the new one",
			want));
	if (planner_is_protected(pl))
		change_block(c, REASON_PROTECTED,
		    "PVE's protection flag is set%s and forbids removing %s",
		    pl->foretold ? " on the template" : "", slot);
	else if (store)
		policy_storage_fits(pl, c, want, NULL);
	if (!planner_may(pl, c))
		return;
	strs_add(&pl->del, slot);
	kv_del(&pl->goal, slot);
}

/* It would be removed again with the next look, and made again with the one after that. */
static bool is_unwanted(const struct planner *pl, const char *slot)
{
	const struct strs *deleted = resource_set(pl->want, ATTR_delete_disk);
	return deleted && strs_has(deleted, slot);
}

static void make(struct planner *pl)
{
	const char *store = planner_text(pl, ATTR_init_datastore_id, NULL);
	const char *place = planner_text(pl, ATTR_init_interface, NULL);
	const char *slot = place ? place : USUAL_SLOT;
	const char *taken = kv_get(&pl->goal, slot);
	struct change *c = change_for(pl, store != NULL, NULL, store ? store : slot);

	effect_of_slot(pl, c, slot);
	if (!store) {
		change_block(c, REASON_DISK_INCOMPLETE,
		    "the VM has no drive for cloud-init, and the manifest does not say on which "
		    "storage to make one");
		change_hint(c, "add initialization.datastore_id");
	} else if (is_unwanted(pl, slot)) {
		change_block(c, REASON_SLOT_TAKEN,
		    "%s, the slot for the drive of cloud-init, is in delete.disk", slot);
		change_hint(c,
		    "name another slot as initialization.interface, or take %s out of "
		    "delete.disk",
		    slot);
	} else if (taken || kv_has(&pl->g->current, slot)) {
		change_block(c, REASON_SLOT_TAKEN,
		    "%s, the slot for the drive of cloud-init, is "
		    "taken",
		    slot);
		change_hint(c, "name a free slot as initialization.interface");
	} else {
		policy_storage_fits(pl, c, store, NULL);
	}
	if (!planner_may(pl, c))
		return;
	kv_setf(&pl->goal, slot, "%s:" VOLUME_WORD, store);
	pl->allocates = true;
}

static void wait(struct planner *pl, const char *from, const char *to)
{
	struct change *c = change_for(pl, true, from, to);
	c->state = CHANGE_PENDING;
	c->takes_restart = true;
}

/* Somebody, or Ramet itself, took it away, and the next start carries that out. */
static void going(struct planner *pl, const char *slot, const char *store)
{
	const char *want_store = planner_text(pl, ATTR_init_datastore_id, NULL);
	const char *want_slot = planner_text(pl, ATTR_init_interface, NULL);
	bool fits =
	    (!want_slot || text_eq(slot, want_slot)) && (!want_store || text_eq(store, want_store));

	if (!fits) {
		_cleanup_str_ char *to =
		    mem_printf("%s, made after the next restart and there with the one after that",
			want_slot && !text_eq(slot, want_slot) ? want_slot : want_store);
		wait(pl, slot, to);
		return;
	}
	struct change *c = change_for(pl, true, "to be removed with the next restart", "kept");
	c->class = CLASS_LIVE;
	if (planner_may(pl, c))
		kv_set(&pl->goal, slot, kv_get(&pl->g->current, slot));
}

void cidrive_plan(struct planner *pl)
{
	_cleanup_str_ char *store = NULL, *store_now = NULL;
	const char *want_store = planner_text(pl, ATTR_init_datastore_id, NULL);
	const char *want_slot = planner_text(pl, ATTR_init_interface, NULL);

	if (!want_store && !want_slot)
		return;
	const char *now = find_drive(&pl->g->current, &store_now);
	const char *next = find_drive(&pl->g->pending, &store);
	if (next && want_slot && !text_eq(next, want_slot))
		take_away(pl, next, false, next);
	else if (next && want_store && !text_eq(store, want_store))
		take_away(pl, next, true, store);
	else if (next && !now)
		wait(pl, "absent", next);
	else if (!next && now)
		going(pl, now, store_now);
	else if (!next)
		make(pl);
}

bool cidrive_is_managed(const struct planner *pl, const char *key)
{
	bool mine = listed(pl, ATTR_init_datastore_id) || listed(pl, ATTR_init_interface);
	return mine && (text_eq(find_drive(&pl->g->current, NULL), key) ||
			   text_eq(find_drive(&pl->g->pending, NULL), key));
}
