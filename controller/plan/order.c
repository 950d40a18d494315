#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "cidrive.h"
#include "diff.h"
#include "pvetext.h"

struct step *order_push(struct planner *pl, enum step_kind kind)
{
	return step_push(&pl->out->steps, &pl->out->n_steps, &pl->out->cap_steps, kind);
}

static void take_all(struct planner *pl, struct step *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*order_push(pl, v[i].kind) = v[i];
		v[i] = (struct step){0};
	}
}

static void clone_step(struct planner *pl)
{
	int64_t source = resource_int(pl->want, ATTR_clone_source_vm_id);
	int64_t id = resource_int(pl->want, ATTR_id);
	const char *node = planner_text(pl, ATTR_node_name, NULL);
	const char *name = pl->in->source ? kv_get(&pl->in->source->current, "name") : NULL;
	bool full = resource_bool(pl->want, ATTR_clone_full);
	struct step *s = order_push(pl, STEP_CLONE);

	s->node = mem_strdup(node);
	s->task = true;
	s->allocates = true;
	_cleanup_str_ char *as = id ? mem_printf(" as %lld", (long long)id) : mem_strdup("");
	s->text = mem_printf("clone %lld%s%s%s to %s%s%s", (long long)source, name ? " (" : "",
	    name ? name : "", name ? ")" : "", node, as, full ? "" : ", linked");
}

/* The early steps were numbered among themselves. */
static void shift_early(struct planner *pl, int by)
{
	for (size_t i = 0; i < pl->out->n_changes; i++)
		if (pl->out->changes[i].step >= 0)
			pl->out->changes[i].step += by;
}

static void collect(struct planner *pl, struct step *s)
{
	KV_FOREACH (item, &pl->goal)
		if (!text_eq(kv_get(&pl->g->pending, item->key), item->value))
			kv_set(&s->set, item->key, item->value);
	KV_FOREACH (item, &pl->g->pending)
		if (!kv_has(&pl->goal, item->key)) {
			_cleanup_drive_ struct drive d = {0};
			strs_add(&s->del, item->key);
			/* Another drive becomes unused; this one is freed at once. */
			if (drive_parse(item->value, &d, NULL) == 0 && d.cloudinit)
				pl->allocates = true;
		}
	strs_sort_unique(&s->del);
}

static char *describe(const struct step *s)
{
	struct buf out;
	const char *sep = "set ";

	buf_init(&out, 0);
	KV_FOREACH (item, &s->set) {
		bool short_text = strlen(item->value) <= 32 && !strpbrk(item->value, ",\r\n");
		buf_adds(&out, sep);
		if (short_text)
			buf_addf(&out, "%s=%s", item->key, item->value);
		else
			buf_adds(&out, item->key);
		sep = ", ";
	}
	sep = s->set.n ? "; delete " : "delete ";
	for (size_t i = 0; i < s->del.n; i++) {
		buf_addf(&out, "%s%s", sep, s->del.v[i]);
		sep = ", ";
	}
	return buf_take(&out);
}

/* PVE itself puts a CD-ROM drive that is written behind the order that is in force, when it has
 * none of its own in it. */
static void tell_boot_order(const struct planner *pl, struct step *s)
{
	const struct attr *row = planner_row("", CODEC_BOOT);
	const char *now = kv_get(&pl->g->current, row->key);
	_cleanup_strs_ struct strs order = {0}, added = {0};

	if (!now || resource_find(pl->want, row->id, NULL) || pvetext_boot_parse(now, &order) < 0 ||
	    !order.n)
		return;
	KV_FOREACH (item, &s->set) {
		_cleanup_drive_ struct drive d = {0};
		if (planner_is_drive(item->key) && drive_parse(item->value, &d, NULL) == 0 &&
		    d.cdrom && !d.cloudinit && !strs_has(&order, item->key))
			strs_add(&added, item->key);
	}
	if (!added.n)
		return;
	_cleanup_str_ char *names = strs_join(&added, ", "), *text = s->text;
	s->text = mem_printf("%s; PVE itself puts %s behind the boot order", text, names);
}

static const char *key_of(const struct change *c)
{
	return c->attr ? pvecodec_key(c->attr, c->slot) : c->slot;
}

/* PVE applies the text of a key as a whole: what could take effect at once waits with the rest of
 * its device when some of that waits. */
static void spread_restart(struct planner *pl)
{
	struct plan *p = pl->out;

	for (size_t i = 0; pl->running && i < p->n_changes; i++) {
		struct change *c = &p->changes[i];
		const char *key = key_of(c);
		if (c->state != CHANGE_DO || c->step >= 0 || !key)
			continue;
		const char *now = kv_get(&pl->g->current, key);
		const char *next = kv_get(&pl->g->pending, key);
		c->takes_restart |= c->slot && now && next && !text_eq(now, next);
		for (size_t k = 0; k < p->n_changes && !c->takes_restart; k++) {
			const struct change *other = &p->changes[k];
			c->takes_restart = other->state == CHANGE_DO && other->step < 0 &&
					   other->takes_restart && text_eq(key_of(other), key);
		}
	}
}

/* With a smaller memory PVE refuses the balloon that is there still, though the same request takes
 * it away: that takes a write of its own, and comes first. */
static void balloon_step(struct planner *pl, struct step *s)
{
	const struct attr *size = schema_attr(ATTR_memory_size);
	const struct attr *balloon = schema_attr(ATTR_memory_balloon);
	_cleanup_value_ struct value mib = {0}, kept = {0};
	struct strs rest = {0};
	struct plan *p = pl->out;

	if (!kv_has(&s->set, size->key) || !strs_has(&s->del, balloon->key) ||
	    pvecodec_get(size, NULL, &pl->goal, NULL, &mib, NULL) < 0 ||
	    pvecodec_get(balloon, NULL, &pl->g->pending, NULL, &kept, NULL) < 0 || kept.i <= mib.i)
		return;
	for (size_t i = 0; i < p->n_changes; i++)
		if (p->changes[i].attr == balloon && p->changes[i].state == CHANGE_DO)
			p->changes[i].step = (int)p->n_steps;
	struct step *first = order_push(pl, STEP_CONFIG);
	strs_add(&first->del, balloon->key);
	for (size_t i = 0; i < s->del.n; i++)
		if (!text_eq(s->del.v[i], balloon->key))
			strs_add(&rest, s->del.v[i]);
	strs_fini(&s->del);
	s->del = rest;
	first->task = true;
	first->text = describe(first);
}

/* With a smaller memory PVE refuses the balloon that is in force, though it goes with the next
 * restart, unless the same request says so once more. */
static void balloon_again(const struct planner *pl, struct step *s)
{
	const struct attr *size = schema_attr(ATTR_memory_size);
	const struct attr *balloon = schema_attr(ATTR_memory_balloon);
	const char *next = kv_get(&pl->goal, balloon->key);
	_cleanup_value_ struct value mib = {0}, now = {0};

	if (kv_has(&s->set, size->key) && text_eq(next, "0") &&
	    resource_find(pl->want, balloon->id, NULL) &&
	    pvecodec_get(size, NULL, &pl->goal, NULL, &mib, NULL) == 0 &&
	    pvecodec_get(balloon, NULL, &pl->g->current, NULL, &now, NULL) == 0 && now.i > mib.i)
		kv_set(&s->set, balloon->key, next);
}

static void config_step(struct planner *pl)
{
	struct step s = {.kind = STEP_CONFIG};
	struct plan *p = pl->out;

	collect(pl, &s);
	if (!s.set.n && !s.del.n) {
		step_fini(&s);
		return;
	}
	balloon_step(pl, &s);
	balloon_again(pl, &s);
	s.allocates = pl->allocates;
	s.task = pl->allocates;
	for (size_t i = 0; i < pl->allocated.n; i++)
		if (kv_has(&s.set, pl->allocated.v[i]))
			strs_add(&s.makes, pl->allocated.v[i]);
	s.text = describe(&s);
	tell_boot_order(pl, &s);
	spread_restart(pl);
	for (size_t i = 0; i < p->n_changes; i++) {
		struct change *c = &p->changes[i];
		if (c->state != CHANGE_DO || c->step >= 0)
			continue;
		c->step = (int)p->n_steps;
		if (c->disruption > s.disruption)
			s.disruption = c->disruption;
		s.task |= c->class != CLASS_LIVE || c->slot;
	}
	*order_push(pl, STEP_CONFIG) = s;
}

void order_steps(struct planner *pl)
{
	if (pl->foretold) {
		clone_step(pl);
		shift_early(pl, 1);
	}
	take_all(pl, pl->early, pl->n_early);
	config_step(pl);
	take_all(pl, pl->late, pl->n_late);
}

/* ---- restart ---- */

/* Parts of a text without regard to their order and without the size, which PVE writes itself. */
static void parts_of(const char *text, struct strs *ret)
{
	struct strs all = {0};
	*ret = (struct strs){0};
	if (!text || text_split(text, ",", true, PROPSTR_PARTS_MAX, &all) < 0)
		return;
	for (size_t i = 0; i < all.n; i++)
		if (!text_starts(all.v[i], "size="))
			strs_add(ret, all.v[i]);
	strs_fini(&all);
	strs_sort_unique(ret);
}

static bool same_parts(const char *a, const char *b)
{
	_cleanup_strs_ struct strs x = {0}, y = {0};
	if (!a != !b)
		return false;
	parts_of(a, &x);
	parts_of(b, &y);
	return strs_eq(&x, &y);
}

static bool is_listed_key(const struct planner *pl, const char *key)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		bool slots = l->attr->format == FMT_NET_SLOT || l->attr->format == FMT_DISK_SLOT;
		if (slots && l->value.type == VALUE_SET && strs_has(&l->value.set, key))
			return true;
	}
	if (cidrive_is_managed(pl, key))
		return true;
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		if (l->attr->codec == CODEC_DRIVE_STORE &&
		    text_eq(pvecodec_key(l->attr, l->slot), key) && !kv_has(&pl->g->current, key))
			return true; /* a listed drive that is only just being made */
	}
	for (size_t i = 0; i < pl->want->slots.n; i++) {
		const char *dot = strrchr(pl->want->slots.v[i], '.');
		if (dot && text_eq(dot + 1, key) && !kv_has(&pl->g->current, key))
			return true; /* a listed device that is only just being plugged */
	}
	return false;
}

/* The slot is to be pointed at a listed volume: that part of the text is managed. */
static void put_file(const struct planner *pl, const char *key, struct kv *conf)
{
	const char *file = planner_text(pl, ATTR_disk_file, key), *text = kv_get(conf, key);
	_cleanup_propstr_ struct propstr p = {0};

	if (!file || !text || propstr_parse(text, &p, NULL) < 0)
		return;
	drive_put_volume(&p, file);
	_cleanup_str_ char *out = propstr_print(&p);
	kv_set(conf, key, out);
}

/* ---- the boot order ---- */

/* The slot is one that the manifest adds, fills or removes. */
static bool is_slot_of_manifest(const struct planner *pl, const char *slot)
{
	for (size_t i = 0; i < pl->want->slots.n; i++) {
		const char *dot = strrchr(pl->want->slots.v[i], '.');
		if (dot && text_eq(dot + 1, slot))
			return true;
	}
	return is_listed_key(pl, slot);
}

/* Without the manifest's own devices that are only in this order and not in the other one. */
static void order_without(
    const struct planner *pl, const struct strs *order, const struct strs *other, struct strs *ret)
{
	for (size_t i = 0; i < order->n; i++)
		if (strs_has(other, order->v[i]) || !is_slot_of_manifest(pl, order->v[i]))
			strs_add(ret, order->v[i]);
}

/* PVE itself takes a device that is deleted out of the order, and puts a CD-ROM drive that is
 * written into it; all others are where they were. */
static bool follows_slots(const struct planner *pl, const char *now, const char *next)
{
	_cleanup_strs_ struct strs a = {0}, b = {0}, x = {0}, y = {0};

	if (!now || !next || pvetext_boot_parse(now, &a) < 0 || pvetext_boot_parse(next, &b) < 0)
		return false;
	order_without(pl, &a, &b, &x);
	order_without(pl, &b, &a, &y);
	return strs_eq(&x, &y);
}

/* What PVE changes by itself when the manifest's devices or its order are written; the older
 * notation of the order goes when the newer one comes. */
static bool is_boot_by_pve(const struct planner *pl, const char *key)
{
	const struct attr *order = planner_row("", CODEC_BOOT);
	bool listed = resource_find(pl->want, order->id, NULL) != NULL;

	if (text_eq(key, schema_attr(ATTR_bootdisk)->key))
		return listed && !kv_has(&pl->g->pending, key);
	return !listed && text_eq(key, order->key) &&
	       follows_slots(pl, kv_get(&pl->g->current, key), kv_get(&pl->g->pending, key));
}

/* With the type of a Windows guest PVE writes the version of its machine that it runs on now. */
static bool is_pinned_by_pve(const struct planner *pl, const char *key)
{
	const struct attr *row = schema_attr(ATTR_machine);
	_cleanup_value_ struct value now = {0}, next = {0};
	_cleanup_kv_ struct kv conf = {0};

	if (!text_eq(key, row->key) || resource_find(pl->want, row->id, NULL) ||
	    !resource_find(pl->want, ATTR_operating_system_type, NULL) ||
	    pvecodec_get(row, NULL, &pl->g->current, NULL, &now, NULL) < 0 ||
	    pvecodec_get(row, NULL, &pl->g->pending, NULL, &next, NULL) < 0 ||
	    next.type != VALUE_STR)
		return false;
	bool q35 = now.type == VALUE_STR && text_eq(now.s, "q35");
	if (!q35 && now.type == VALUE_STR && !text_eq(now.s, "pc"))
		return false;
	kv_copy(&conf, &pl->g->current);
	return text_starts(next.s, q35 ? "pc-q35-" : "pc-i440fx-") &&
	       pvecodec_put(row, NULL, &next, &conf, NULL, NULL) == 0 &&
	       same_parts(kv_get(&conf, key), kv_get(&pl->g->pending, key));
}

/* What waits in this key is what the manifest lists, and nothing else. */
static bool is_managed_key(const struct planner *pl, const char *key)
{
	_cleanup_kv_ struct kv conf = {0};

	if (is_listed_key(pl, key) || is_boot_by_pve(pl, key) || is_pinned_by_pve(pl, key))
		return true;
	kv_copy(&conf, &pl->g->current);
	put_file(pl, key, &conf);
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		_cleanup_value_ struct value want = {0}, have = {0};
		if (!diff_is_walked(l->attr) || !text_eq(pvecodec_key(l->attr, l->slot), key))
			continue;
		pvecodec_want(l->attr, &l->value, &pl->policy->env, &want);
		/* What cannot be understood can still be written over as a whole. */
		bool so =
		    pvecodec_get(l->attr, l->slot, &conf, &pl->policy->env, &have, NULL) == 0 &&
		    pvecodec_same(l->attr, &want, &have);
		if (!so && pvecodec_put(l->attr, l->slot, &want, &conf, &pl->policy->env, NULL) < 0)
			return false;
	}
	return same_parts(kv_get(&conf, key), kv_get(&pl->g->pending, key));
}

static bool is_restart_ours(const struct planner *pl)
{
	KV_FOREACH (item, &pl->g->current)
		if (!same_parts(item->value, kv_get(&pl->g->pending, item->key)) &&
		    !is_managed_key(pl, item->key))
			return false;
	KV_FOREACH (item, &pl->g->pending)
		if (!kv_has(&pl->g->current, item->key) && !is_managed_key(pl, item->key))
			return false;
	return true;
}

void order_restart_digest(const struct plan *p, char ret_hex[CRYPT_HEX_LEN])
{
	struct buf text;

	buf_init(&text, 0);
	for (size_t i = 0; i < p->n_changes; i++)
		if (p->changes[i].state == CHANGE_PENDING)
			buf_addf(&text, "%s=%s\n", p->changes[i].path, p->changes[i].to);
	crypt_sha256_hex(buf_str(&text), text.len, ret_hex);
	buf_fini(&text);
}

void order_restart(struct planner *pl)
{
	struct plan *p = pl->out;
	char digest[CRYPT_HEX_LEN];
	bool waits = false;

	/* What a guest left waiting when it went down comes into force with its next start. */
	for (size_t i = 0; pl->g->power == OBS_POWER_STOPPED && i < p->n_changes; i++)
		if (p->changes[i].state == CHANGE_PENDING)
			p->changes[i].takes_restart = false;
	for (size_t i = 0; i < p->n_changes; i++)
		waits |= p->changes[i].state == CHANGE_PENDING && p->changes[i].takes_restart;
	if (!waits) {
		kv_del(&p->learned.stored, ORDER_RESTART_KEY);
		return;
	}
	order_restart_digest(p, digest);
	pl->restarted = text_eq(kv_get(&p->learned.stored, ORDER_RESTART_KEY), digest);
	if (pl->restarted || p->n_steps || pl->hands_off || pl->ceiling != PLAN_REBOOT ||
	    pl->g->power != OBS_POWER_RUNNING || !pl->running || pl->g->ha_managed ||
	    !is_restart_ours(pl))
		return;
	for (size_t i = 0; i < p->n_changes; i++)
		if (p->changes[i].state == CHANGE_PENDING)
			p->changes[i].step = 0;
	struct step *s = order_push(pl, STEP_REBOOT);
	s->disruption = PLAN_REBOOT;
	s->task = true;
	s->text = mem_strdup("restart the guest");
}
