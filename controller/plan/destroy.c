#include "destroy.h"

#include <stdlib.h>
#include <string.h>

#include "order.h"

/* ---- volumes ---- */

/* The name says neither whose the volume is nor that it is nobody's. Plugins from elsewhere have
 * their own ways of giving a volume to a VMID, and PVE asks them: what may go with the VM is taken
 * as if it did. Only a medium, a file in a folder of its own and a LUN never go. */
static bool is_anybodys(const struct drive *d)
{
	const char *name = strchr(d->volume, ':');
	size_t lun = name ? strspn(name + 1, "0123456789.") : 0;

	return !d->owner && !d->cdrom && name && !strchr(name, '/') && lun < strlen("0.0.0.");
}

/* The key names a volume that goes with the VM: PVE frees what its name gives to the VMID. */
static bool is_own_volume(const char *key, const char *text, uint32_t vmid, struct drive *ret)
{
	static const char *const others[] = {"unused", "efidisk", "tpmstate"};
	const char *bus;
	unsigned index;
	bool fits = form_slot_parse(key, &bus, &index) && !text_eq(bus, "net");

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fits |= text_starts(key, others[i]);
	if (!fits || drive_parse(text, ret, NULL) < 0)
		return false;
	if (*ret->storage && (ret->owner == vmid || is_anybodys(ret)))
		return true;
	drive_fini(ret);
	return false;
}

static bool has_value(const struct kv *m, const char *value)
{
	KV_FOREACH (item, m)
		if (text_eq(item->value, value))
			return true;
	return false;
}

static bool is_attached(const struct obs_guest *g, const char *volume)
{
	const struct kv *both[] = {&g->current, &g->pending};

	for (size_t k = 0; k < ARRAY_LEN(both); k++) {
		KV_FOREACH (item, both[k]) {
			struct drive d = {0};
			bool same = is_own_volume(item->key, item->value, g->vmid, &d) &&
				    text_eq(d.volume, volume);
			drive_fini(&d);
			if (same)
				return true;
		}
	}
	return false;
}

void destroy_learn_volumes(struct record *rec, const struct obs_guest *g)
{
	bool first = !rec->owns && rec->proven;

	if (!rec->owns && !rec->proven)
		return; /* nobody has handed it over yet */
	rec->owns = true;
	KV_FOREACH (item, &g->current) {
		struct drive d = {0};
		const char *old = kv_get(&rec->owned, item->key);

		if (!is_own_volume(item->key, item->value, g->vmid, &d))
			continue;
		/* Moved to another storage: the one that was there is nowhere any more. */
		if (first || (old && !text_eq(old, d.volume) && !is_attached(g, old)))
			kv_set(&rec->owned, item->key, d.volume);
		drive_fini(&d);
	}
}

/* What goes with the VM, for people. True: somebody added it by hand. */
static bool add_volume(struct planner *pl, const char *key, const char *text)
{
	const struct record *r = &pl->out->learned;
	_cleanup_drive_ struct drive d = {0};
	struct change *c;
	bool foreign;

	if (!is_own_volume(key, text, pl->g->vmid, &d))
		return false;
	_cleanup_str_ char *path = mem_printf("disk.%s", key);
	for (size_t i = 0; i < pl->out->n_changes; i++)
		if (text_eq(pl->out->changes[i].path, path))
			return false;
	foreign =
	    !d.cloudinit && !has_value(&r->owned, d.volume) && !has_value(&r->volumes, d.volume);
	c = planner_change(pl, path, NULL, key);
	_cleanup_str_ char *size =
	    d.bytes ? mem_printf(", %llu GiB", (unsigned long long)drive_gib_up(d.bytes))
		    : mem_strdup("");
	change_texts(c, mem_printf("%s%s%s", d.volume, size, foreign ? ", added by hand" : ""),
	    mem_strdup("absent"));
	return foreign;
}

/* The slots of volumes that were added by hand, or NULL. Caller frees. */
static char *add_volumes(struct planner *pl)
{
	const struct kv *both[] = {&pl->g->current, &pl->g->pending};
	_cleanup_strs_ struct strs foreign = {0};

	for (size_t k = 0; k < ARRAY_LEN(both); k++)
		KV_FOREACH (item, both[k])
			if (add_volume(pl, item->key, item->value))
				strs_add(&foreign, item->key);
	if (pl->g->snapshots) {
		struct change *c = planner_change(pl, "snapshots", NULL, NULL);
		change_texts(c, mem_strdup("there"), mem_strdup("absent"));
	}
	return foreign.n ? strs_join(&foreign, ", ") : NULL;
}

/* ---- what speaks against it ---- */

static void against(struct change *c, enum reason r, const char *why)
{
	if (why && c->state != CHANGE_BLOCKED)
		change_block(c, r, "%s", why);
}

/* The VM itself. */
static void ask_guest(struct planner *pl, struct change *c, const char *foreign)
{
	const struct obs_guest *g = pl->g;
	const struct record *r = &pl->out->learned;
	const char *protection = kv_get(&g->current, "protection");
	bool stop = resource_bool(pl->want, ATTR_stop_on_destroy);
	const struct record *old = pl->in->record;
	bool known = r->uuid && *r->uuid && r->nonce && *r->nonce &&
		     (!old || !old->nonce || text_eq(old->nonce, r->nonce));

	if (resource_bool(pl->want, ATTR_protect))
		against(c, REASON_PROTECT_SPEC, "the manifest says protect: true");
	if (pl->adopting || !r->proven || !known)
		against(c, REASON_UNCONFIRMED_OWNER,
		    "its record was rebuilt from the marker, and nobody has confirmed it");
	if (text_eq(protection, "1"))
		against(c, REASON_PROTECTED, "PVE's protection flag is set");
	if (g->ha_managed)
		against(c, REASON_HA_MANAGED, "the HA manager would start it again");
	if (foreign && !resource_bool(pl->want, ATTR_delete_unreferenced_disks_on_destroy) &&
	    c->state != CHANGE_BLOCKED)
		change_block(c, REASON_UNMANAGED_DISKS,
		    "somebody added %s by hand, and it would be destroyed with the VM", foreign);
	if (g->power == OBS_POWER_UNKNOWN)
		against(c, REASON_READING, "nobody knows whether it runs");
	/* What PVE itself has paused goes on by itself. */
	bool paused = g->power == OBS_POWER_PAUSED && !g->lock;
	if ((paused || g->power == OBS_POWER_HIBERNATED) && !stop && c->state != CHANGE_BLOCKED) {
		change_block(c, REASON_PAUSED, "the guest is %s and cannot shut down",
		    g->power == OBS_POWER_HIBERNATED ? "hibernated"
		    : g->power_word		     ? g->power_word
						     : "paused");
		change_hint(c, "Resume it, stop it, or set stop_on_destroy: true.");
	}
}

void destroy_ask_linked(struct planner *pl, struct change *c)
{
	const struct strs *l = pl->in->peril.linked;

	if (!l || !l->n || c->state == CHANGE_BLOCKED)
		return;
	_cleanup_str_ char *names = strs_join(l, ", ");
	change_block(
	    c, REASON_LINKED_CLONES, "%s would lose what their disks are linked to", names);
}

/* The rest of the world. What needs a person comes before what passes by itself, and the budget
 * last: it counts only what nothing else keeps. */
static void ask_world(struct planner *pl, struct change *c)
{
	const struct plan_peril *p = &pl->in->peril;

	against(c, REASON_UNREADABLE, p->unread);
	against(c, REASON_STILL_NAMED, p->named);
	against(c, REASON_REPLICATED, p->replicated);
	destroy_ask_linked(pl, c);
	against(c, REASON_HISTORY, p->history);
	against(c, REASON_ORDER_STALE, p->stale);
	against(c, REASON_DEPENDENTS, p->dependent);
	against(c, REASON_DESTROY_BUDGET, p->budget);
}

/* ---- steps ---- */

static struct step *end_step(struct planner *pl, enum step_kind kind, const char *text)
{
	struct step *s = order_push(pl, kind);

	s->parting = s->task = true;
	/* Not even shut down, when what follows could not be done. */
	s->allocates = true;
	s->disruption = PLAN_REBOOT;
	s->text = mem_strdup(text);
	return s;
}

static void add_steps(struct planner *pl)
{
	bool stop = resource_bool(pl->want, ATTR_stop_on_destroy);
	bool hibernated = pl->g->power == OBS_POWER_HIBERNATED;

	if (pl->g->power != OBS_POWER_STOPPED && !hibernated)
		end_step(pl, stop ? STEP_STOP : STEP_SHUTDOWN,
		    stop ? "stop the guest" : "shut the guest down");
	struct step *s = end_step(pl, STEP_DESTROY, "destroy the VM and its disks");
	s->purge = resource_bool(pl->want, ATTR_purge_on_destroy);
	s->unreferenced = resource_bool(pl->want, ATTR_delete_unreferenced_disks_on_destroy);
	for (size_t i = 0; i < pl->out->n_changes; i++)
		pl->out->changes[i].step = (int)(pl->out->n_steps - 1);
}

void destroy_plan(struct planner *pl)
{
	const struct leaf *l = resource_find(pl->want, ATTR_state, NULL);
	_cleanup_str_ char *foreign = NULL;
	struct change *c;

	MUST(l);
	pl->out->destroy = true;
	foreign = add_volumes(pl);
	c = planner_leaf_change(pl, l); /* last: it stays valid */
	change_texts(c, mem_strdup("present"), mem_strdup("absent"));
	c->class = CLASS_ACTION;
	ask_guest(pl, c, foreign);
	ask_world(pl, c);
	if (c->state != CHANGE_BLOCKED) {
		add_steps(pl);
		return;
	}
	for (size_t i = 0; i + 1 < pl->out->n_changes; i++)
		pl->out->changes[i].state = CHANGE_REPORT;
}
