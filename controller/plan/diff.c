#include "diff.h"

#include <stdlib.h>
#include <string.h>

#include "accord.h"
#include "barenic.h"
#include "crypt.h"
#include "effect.h"

/* ---- Ramet's own ---- */

static void own_marker(struct planner *pl)
{
	const char *nonce = pl->adopting ? pl->in->nonce : pl->out->learned.nonce;
	if (pl->adopting && pl->in->record && pl->in->record->nonce)
		nonce = pl->in->record->nonce;
	_cleanup_str_ char *text = NULL;
	_cleanup_err_ struct err *err = NULL;
	struct change *c;

	c = planner_change(pl, pl->adopting ? "adoption" : "renaming", NULL, NULL);
	c->class = CLASS_LIVE;
	change_texts(c, mem_strdup(pl->adopting ? "unmarked" : pl->want->renamed_from),
	    mem_strdup(pl->want->name));
	if (!nonce) {
		change_block(c, REASON_NOT_SUPPORTED, "no nonce was drawn for the marker");
		return;
	}
	if (pl->adopting) {
		pl->out->learned.proven = true;
		if (nonce != pl->out->learned.nonce)
			mem_replace(&pl->out->learned.nonce, nonce);
	}
	const struct marker m = {
	    .controller = (char *)(uintptr_t)pl->policy->controller_id,
	    .name = pl->want->name,
	    .vmid = pl->g->vmid,
	    .nonce = (char *)(uintptr_t)nonce,
	};
	const char *old = kv_get(&pl->goal, "description");
	if (marker_join(old, &m, &text, &err) < 0) {
		change_block(c, REASON_POLICY, "%s", err_msg(err));
		return;
	}
	if (planner_may(pl, c))
		kv_set(&pl->goal, "description", text);
}

/* Decoration for people, put on once: when it was taken off later, that is respected. */
static void own_tag(struct planner *pl)
{
	const char *tag = pl->policy->env.tag, *text = kv_get(&pl->goal, "tags");
	_cleanup_strs_ struct strs tags = {0};
	const struct record *r = pl->foretold ? NULL : pl->in->record;
	bool synced = r && r->synced_hash[0] && !record_is_unmet(r, PLANNER_TAG);

	if (!tag || !*tag || synced || pl->hands_off)
		return;
	if (text && text_split(text, ";, \t", true, 1024, &tags) < 0)
		return;
	for (size_t i = 0; i < tags.n; i++)
		if (text_eq_nocase(tags.v[i], tag))
			return;
	pl->tagless = pl->in->tagless;
	if (pl->tagless)
		return;
	if (tags.n)
		kv_setf(&pl->goal, "tags", "%s;%s", text, tag);
	else
		kv_set(&pl->goal, "tags", tag);
}

void diff_own(struct planner *pl)
{
	if (pl->adopting || pl->renaming)
		own_marker(pl);
	own_tag(pl);
}

/* ---- delete lists ---- */

static void delete_slot(struct planner *pl, const struct leaf *l, const char *slot)
{
	const char *there = kv_get(&pl->g->pending, slot);
	_cleanup_str_ char *path = mem_printf("%s.%s", l->attr->path, slot);

	if (!there && !kv_has(&pl->g->current, slot))
		return;
	struct change *c = planner_change(pl, path, l->attr, slot);
	const char *shown = there ? there : kv_get(&pl->g->current, slot);
	change_texts(c, planner_shorten(shown), mem_strdup("absent"));
	effect_of_slot(pl, c, slot);
	if (!there) {
		c->state = CHANGE_PENDING;
		c->takes_restart = true;
		c->drift = false;
		return;
	}
	bool disk = l->attr->format == FMT_DISK_SLOT;
	if (disk && planner_is_protected(pl)) {
		change_block(c, REASON_PROTECTED,
		    "PVE's protection flag is set%s and forbids removing %s",
		    pl->foretold ? " on the template" : "", slot);
	}
	barenic_ask(pl, slot, c);
	if (planner_may(pl, c)) {
		strs_add(&pl->del, slot);
		kv_del(&pl->goal, slot);
	}
}

void diff_deletes(struct planner *pl)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		bool slots = l->attr->format == FMT_NET_SLOT || l->attr->format == FMT_DISK_SLOT;
		if (l->attr->type != ATTR_SET || !slots || l->value.type != VALUE_SET)
			continue;
		for (size_t k = 0; k < l->value.set.n; k++)
			delete_slot(pl, l, l->value.set.v[k]);
	}
}

/* ---- devices ---- */

bool diff_keep_slot(struct planner *pl, const char *device, const char *slot)
{
	struct change *c = planner_change(pl, device, NULL, slot);

	c->class = CLASS_LIVE;
	change_texts(c, mem_strdup("to be removed with the next restart"), mem_strdup("kept"));
	if (!planner_may(pl, c)) {
		strs_add(&pl->skip, device);
		return false;
	}
	kv_set(&pl->goal, slot, kv_get(&pl->g->current, slot));
	return true;
}

/* Puts the table's default of a row into the new device, unless the manifest lists another value.
 */
static void put_lead(struct planner *pl, const struct attr *a, const char *slot)
{
	const struct leaf *l = resource_find(pl->want, a->id, slot);
	_cleanup_value_ struct value v = {0};

	if (l && l->value.type != VALUE_NULL)
		value_copy(&v, &l->value);
	else if (!a->deflt || schema_parse_value(a, a->deflt, &v) < 0)
		return;
	int r = pvecodec_put(a, slot, &v, &pl->goal, &pl->policy->env, NULL);
	MUST(r == 0); /* an empty text and a value cannot fail */
}

static void make_nic(struct planner *pl, const char *device, const char *slot)
{
	const char *mac =
	    pl->in->record && !pl->foretold ? kv_get(&pl->in->record->macs, slot) : NULL;
	const struct attr *mac_row = planner_row("network.", CODEC_NIC_MAC);
	/* A device without a bridge would be a NAT behind the host, which nobody means. */
	const char *bridge = planner_text(pl, ATTR_network_bridge, slot);
	struct change *c = planner_change(pl, device, NULL, slot);

	change_texts(c, mem_strdup("absent"),
	    mac ? mem_printf("present again with %s", mac) : mem_strdup("new"));
	effect_of_slot(pl, c, slot);
	if (!bridge) {
		change_block(c, REASON_DEVICE_INCOMPLETE,
		    "the VM has no %s, and without a bridge none can be made", slot);
		change_hint(c, "add network.%s.bridge", slot);
	}
	if (!planner_may(pl, c)) {
		strs_add(&pl->skip, device);
		return;
	}
	strs_add(&pl->made, device);
	put_lead(pl, planner_row("network.", CODEC_NIC_MODEL), slot);
	if (resource_find(pl->want, mac_row->id, slot)) {
		put_lead(pl, mac_row, slot);
	} else if (mac) {
		struct value v = {.type = VALUE_STR, .s = (char *)(uintptr_t)mac};
		if (pvecodec_put(mac_row, slot, &v, &pl->goal, &pl->policy->env, NULL) < 0)
			kv_del(&pl->goal, slot);
	}
}

static void remember_mac(struct planner *pl, const char *slot)
{
	_cleanup_value_ struct value v = {0};

	if (pl->foretold)
		return;
	if (pvecodec_get(planner_row("network.", CODEC_NIC_MAC), slot, &pl->g->current, NULL, &v,
		NULL) == 0 &&
	    v.type == VALUE_STR)
		kv_set(&pl->out->learned.macs, slot, v.s);
}

static void nic(struct planner *pl, const char *device, const char *slot)
{
	bool now = kv_has(&pl->g->current, slot);

	if (now)
		remember_mac(pl, slot);
	if (kv_has(&pl->g->pending, slot))
		return;
	if (now)
		diff_keep_slot(pl, device, slot);
	else
		make_nic(pl, device, slot);
}

/* The slot is a CD-ROM drive that may be given another medium. */
static bool is_cdrom(const char *text, const char **ret_what)
{
	_cleanup_drive_ struct drive d = {0};

	*ret_what = "something that cannot be understood";
	if (drive_parse(text, &d, NULL) < 0)
		return false;
	*ret_what = d.cloudinit ? "the cloud-init drive" : "a disk";
	return d.cdrom && !d.cloudinit;
}

static void cdrom(struct planner *pl, const char *device, const char *slot)
{
	const char *now = kv_get(&pl->g->current, slot), *next = kv_get(&pl->g->pending, slot);
	const char *what;
	struct change *c;

	for (int i = 0; i < 2; i++) {
		const char *text = i == 0 ? now : next;
		if (!text || is_cdrom(text, &what))
			continue;
		c = planner_change(pl, device, NULL, slot);
		change_texts(c, planner_shorten(text), mem_strdup("CD-ROM drive"));
		change_block(c, REASON_SLOT_TAKEN, "%s holds %s", slot, what);
		planner_may(pl, c);
		strs_add(&pl->skip, device);
		return;
	}
	if (next)
		return;
	if (now) {
		diff_keep_slot(pl, device, slot);
		return;
	}
	c = planner_change(pl, device, NULL, slot);
	change_texts(c, mem_strdup("absent"), mem_strdup("new CD-ROM drive"));
	effect_of_slot(pl, c, slot);
	if (!planner_may(pl, c)) {
		strs_add(&pl->skip, device);
		return;
	}
	strs_add(&pl->made, device);
	put_lead(pl, planner_row("cdrom.", CODEC_CDROM), slot);
}

void diff_devices(struct planner *pl)
{
	planner_devices(pl, FMT_CDROM_SLOT, cdrom);
	planner_devices(pl, FMT_NET_SLOT, nic);
}

/* ---- leaves ---- */

bool diff_is_walked(const struct attr *a)
{
	return a->codec != CODEC_NONE && !(a->flags & ATTR_SPECIAL) && a->class != CLASS_CLONE;
}

bool diff_is_normalised(
    const struct record *r, const char *path, const struct value *want, const struct value *have)
{
	const char *known = r ? kv_get(&r->stored, path) : NULL;

	if (!known || known[0] == '?') /* seen only once */
		return false;
	_cleanup_str_ char *wrote = value_print(want), *read = value_print(have);
	_cleanup_str_ char *both = mem_printf("%s\t%s", wrote, read);
	return text_eq(known, both);
}

/* The text of a value that could not be read, shown as it stands. */
static char *show_raw(const struct planner *pl, const struct leaf *l)
{
	const char *raw = kv_get(&pl->g->pending, pvecodec_key(l->attr, l->slot));
	return raw ? planner_shorten(raw) : mem_strdup("absent");
}

/* ---- keys that are nothing without one of their parts ---- */

static bool is_core_of(const struct attr *a, const struct attr *of)
{
	if (!(a->flags & ATTR_CORE))
		return false; /* nearly all of the table */
	size_t block = (size_t)(schema_key(of) - of->path);
	return block && strncmp(a->path, of->path, block) == 0;
}

/* The key has such parts, and the goal has none of them. */
static bool lacks_core(const struct planner *pl, const struct attr *a, const char *slot)
{
	bool has_core = false;

	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *core = schema_attr(i);
		if (!is_core_of(core, a))
			continue;
		_cleanup_value_ struct value v = {0};
		has_core = true;
		if (pvecodec_get(core, slot, &pl->goal, NULL, &v, NULL) < 0 ||
		    v.type != VALUE_ABSENT)
			return false;
	}
	return has_core;
}

/* What is listed of a device that is not there and that is not to be made. */
static void block_coreless(struct planner *pl, const struct leaf *l, struct change *c)
{
	_cleanup_strs_ struct strs names = {0};

	if (l->value.type == VALUE_NULL || (l->attr->flags & ATTR_CORE) ||
	    !lacks_core(pl, l->attr, l->slot))
		return;
	for (unsigned i = 0; i < ATTR_ID__MAX; i++)
		if (is_core_of(schema_attr(i), l->attr))
			strs_add(&names, schema_key(schema_attr(i)));
	_cleanup_str_ char *all = strs_join(&names, " or ");
	change_block(c, REASON_DEVICE_INCOMPLETE,
	    "the VM has no such device, and without %s none "
	    "can be made",
	    all);
	change_hint(c, "list %s beside it", all);
}

static void drop_coreless(struct planner *pl)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		const char *key = pvecodec_key(l->attr, l->slot);
		const char *text = key ? kv_get(&pl->goal, key) : NULL;
		/* What stands there so without us stays. */
		if ((l->attr->flags & ATTR_CORE) && text &&
		    !text_eq(text, kv_get(&pl->g->pending, key)) &&
		    lacks_core(pl, l->attr, l->slot))
			kv_del(&pl->goal, key);
	}
}

static void write_leaf(struct planner *pl, const struct leaf *l, const struct value *want,
    const struct value *have, bool readable)
{
	_cleanup_err_ struct err *err = NULL;
	struct change *c = planner_leaf_change(pl, l);
	_cleanup_str_ char *device = planner_device(l->attr, l->slot);
	bool made = device && strs_has(&pl->made, device);

	change_texts(c, readable ? planner_show(l->attr, have) : show_raw(pl, l),
	    planner_show(l->attr, want));
	effect_of_leaf(pl, c, have, want);
	if (made)
		effect_of_slot(pl, c, pvecodec_key(l->attr, l->slot));
	else if (l->attr->flags & ATTR_FIXED)
		change_block(c, REASON_NOT_SUPPORTED, "it is fixed once the slot is in use");
	if (!made)
		block_coreless(pl, l, c);
	if (!planner_is_too_new(pl, c))
		accord_leaf(pl, l, c);
	size_t before = pl->out->n_changes;
	bool may = planner_may(pl, c);
	if (may && pvecodec_put(l->attr, l->slot, want, &pl->goal, &pl->policy->env, &err) < 0) {
		change_block(c, REASON_NOT_SUPPORTED, "what stands there cannot be understood: %s",
		    err_msg(err));
		may = false;
	}
	if (made && !may && pl->out->n_changes == before)
		planner_unmake(pl, device, pvecodec_key(l->attr, l->slot));
}

/* In force now and for ever, but for a running guest that has not noticed. */
static void note_silent(
    struct planner *pl, const struct leaf *l, const char *path, const struct value *want)
{
	if (!pl->running || !kv_has(&pl->out->learned.silent, path))
		return;
	struct change *c = planner_leaf_change(pl, l);
	change_texts(
	    c, mem_strdup("another value in the running guest"), planner_show(l->attr, want));
	c->state = CHANGE_PENDING;
	c->takes_restart = true;
}

/* ---- what is in a file ---- */

static void write_secret(struct planner *pl, const struct leaf *l, const char *path, bool there)
{
	const struct plan_input *in = pl->in;
	const char *why = in->secret_errors ? kv_get(in->secret_errors, path) : NULL;
	struct change *c = planner_leaf_change(pl, l);
	static const struct value nothing = {.type = VALUE_ABSENT};

	change_texts(
	    c, mem_strdup(there ? PVECODEC_SECRET : "absent"), mem_strdup(PVECODEC_SECRET));
	effect_of_leaf(pl, c, &nothing, &l->value);
	if (!in->secrets || !kv_has(in->secrets, path)) {
		change_block(c, REASON_SECRET_UNREADABLE, "%s",
		    why ? why : "nobody could look into its file");
		change_hint(c, "put the secret into %s", l->value.s);
	}
	/* What is in the file is a wish, and another content is no drift of the VM. */
	bool unchanged = pl->unchanged;
	pl->unchanged = unchanged && !there;
	bool may = planner_may(pl, c);
	pl->unchanged = unchanged;
	if (may)
		MUST(pvecodec_put(l->attr, l->slot, &l->value, &pl->goal, NULL, NULL) == 0);
}

/* PVE never shows it again: what was written last is known by its digest. */
static void secret(struct planner *pl, const struct leaf *l, const char *path)
{
	const struct record *r = pl->in->record;
	const char *known = r && !pl->foretold ? kv_get(&r->secrets, path) : NULL;
	const char *present = pl->in->secrets ? kv_get(pl->in->secrets, path) : NULL;
	bool there = kv_has(&pl->goal, pvecodec_key(l->attr, l->slot));

	if (!there || !known || !present || !crypt_equal(known, present))
		write_secret(pl, l, path, there);
	else
		note_silent(pl, l, path, &l->value);
}

/* ---- tags that PVE keeps from the token ---- */

static void add_tag(struct value *v, const char *tag, bool on)
{
	if (on && !strs_has(&v->set, tag))
		strs_add(&v->set, tag);
}

/* What is wanted, but for refused tags, which stay as they are; *ret_names: those that differ. */
static void take_refused(const struct strs *refused, const struct value *want,
    const struct value *have, struct value *ret, struct strs *ret_names)
{
	*ret = (struct value){.type = VALUE_SET};
	for (size_t i = 0; i < want->set.n; i++)
		add_tag(ret, want->set.v[i], !strs_has(refused, want->set.v[i]));
	for (size_t i = 0; i < refused->n; i++) {
		const char *tag = refused->v[i];
		bool on = have->type == VALUE_SET && strs_has(&have->set, tag);
		add_tag(ret, tag, on);
		if (on != strs_has(&want->set, tag))
			strs_add(ret_names, tag);
	}
	strs_sort_unique(&ret->set);
	strs_sort_unique(ret_names);
}

/* True: it was one of these. What may be written is, and then the rest is told. */
static bool refused_tags(
    struct planner *pl, const struct leaf *l, const struct value *want, const struct value *have)
{
	const struct strs *refused = pl->in->tags_refused;
	_cleanup_value_ struct value may = {0};
	_cleanup_strs_ struct strs names = {0};

	if (l->attr->codec != CODEC_TAGS || !refused || pl->foretold || want->type != VALUE_SET)
		return false;
	take_refused(refused, want, have, &may, &names);
	if (!names.n)
		return false;
	if (!pvecodec_same(l->attr, &may, have)) {
		write_leaf(pl, l, &may, have, true);
		return true;
	}
	struct change *c = planner_leaf_change(pl, l);
	_cleanup_str_ char *all = strs_join(&names, ", ");
	change_texts(c, planner_show(l->attr, have), planner_show(l->attr, want));
	change_block(c, REASON_FORBIDDEN,
	    "PVE does not let the token put on or take off %s; everything else is done", all);
	change_hint(c, "as root on a node, look at registered-tags and user-tag-access (pvesh get "
		       "/cluster/options) and allow it there, or list the tags as they are");
	planner_may(pl, c);
	return true;
}

static void leaf(struct planner *pl, const struct leaf *l)
{
	_cleanup_value_ struct value want = {0}, now = {0}, next = {0};
	_cleanup_str_ char *path = schema_path(l->attr, l->slot);
	_cleanup_str_ char *device = planner_device(l->attr, l->slot);
	const struct codec_env *env = &pl->policy->env;

	if (device && strs_has(&pl->skip, device))
		return;
	if (l->attr->codec == CODEC_SECRET && l->value.type == VALUE_STR) {
		secret(pl, l, path);
		return;
	}
	pvecodec_want(l->attr, &l->value, env, &want);
	bool now_ok = pvecodec_get(l->attr, l->slot, &pl->g->current, env, &now, NULL) == 0;
	/* The goal and not the pending configuration: a device may just have been put into it. */
	bool next_ok = pvecodec_get(l->attr, l->slot, &pl->goal, env, &next, NULL) == 0;
	bool same = next_ok && (pvecodec_same(l->attr, &want, &next) ||
				   diff_is_normalised(pl->in->record, path, &want, &next));
	if (!same) {
		bool unchanged = pl->unchanged;
		/* What PVE did of itself is to nobody's blame. */
		pl->unchanged = unchanged && !(next_ok && accord_is_order_by_pve(pl, l, &next));
		if (!next_ok || !refused_tags(pl, l, &want, &next))
			write_leaf(pl, l, &want, &next, next_ok);
		pl->unchanged = unchanged;
		return;
	}
	if (device && strs_has(&pl->made, device))
		return;
	bool in_force = now_ok && (pvecodec_same(l->attr, &want, &now) ||
				      diff_is_normalised(pl->in->record, path, &want, &now));
	if (in_force) {
		note_silent(pl, l, path, &want);
		return;
	}
	struct change *c = planner_leaf_change(pl, l);
	change_texts(c, now_ok ? planner_show(l->attr, &now) : mem_strdup("unknown"),
	    planner_show(l->attr, &want));
	c->state = CHANGE_PENDING;
	c->takes_restart = true;
}

/* A leading part that is PVE's default is not written by itself, but a property string that is made
 * for its other parts gets it: not every reader of PVE's takes one without. */
static void complete_leads(struct planner *pl)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *l = &pl->want->leaves[i];
		const char *key = pvecodec_key(l->attr, l->slot);
		_cleanup_value_ struct value now = {0};
		if (l->attr->codec != CODEC_LEAD || !diff_is_walked(l->attr) ||
		    l->value.type == VALUE_NULL || kv_has(&pl->g->pending, key) ||
		    !kv_has(&pl->goal, key))
			continue;
		if (pvecodec_get(l->attr, l->slot, &pl->goal, NULL, &now, NULL) == 0 &&
		    now.type == VALUE_ABSENT &&
		    pvecodec_put(l->attr, l->slot, &l->value, &pl->goal, NULL, NULL) < 0)
			kv_del(&pl->goal, key);
	}
}

void diff_leaves(struct planner *pl)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++)
		if (diff_is_walked(pl->want->leaves[i].attr))
			leaf(pl, &pl->want->leaves[i]);
	drop_coreless(pl);
	complete_leads(pl);
	accord_boot_order(pl);
}
