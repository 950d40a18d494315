/* The last look at a plan before anybody may carry it out: written apart from the passes, with its
 * own reading of texts, so that a mistake of theirs does not pass here as well. */
#include <string.h>

#include "plan.h"

static bool lists_slot(const struct resource *r, const char *slot, bool deleted)
{
	for (size_t i = 0; !deleted && i < r->slots.n; i++) {
		const char *dot = strrchr(r->slots.v[i], '.');
		if (dot && text_eq(dot + 1, slot))
			return true;
	}
	for (size_t i = 0; deleted && i < r->n_leaves; i++) {
		const struct leaf *l = &r->leaves[i];
		bool slots = l->attr->format == FMT_NET_SLOT || l->attr->format == FMT_DISK_SLOT;
		if (slots && l->value.type == VALUE_SET && strs_has(&l->value.set, slot))
			return true;
	}
	return false;
}

/* As PVE keeps a text that somebody emptied. */
static bool is_blank(const char *text)
{
	return text[strspn(text, " ")] == '\0';
}

/* One of the names in "a|b". */
static bool is_name(const char *names, const char *part)
{
	_cleanup_strs_ struct strs all = {0};
	return names && text_split(names, "|", true, 8, &all) == 0 && strs_has(&all, part);
}

static const struct leaf *leaf_of(const struct resource *r, const char *key, const char *part)
{
	for (size_t i = 0; i < r->n_leaves; i++) {
		const struct leaf *l = &r->leaves[i];
		const char *k = pvecodec_key(l->attr, l->slot);
		if (k && text_eq(k, key) && (!part || is_name(l->attr->part, part)))
			return l;
	}
	return NULL;
}

static bool has_codec(const struct resource *r, const char *slot, enum attr_codec codec)
{
	for (size_t i = 0; i < r->n_leaves; i++)
		if (r->leaves[i].attr->codec == codec &&
		    text_eq(pvecodec_key(r->leaves[i].attr, r->leaves[i].slot), slot))
			return true;
	return false;
}

/* A limit of a drive's speed that is none to PVE: in bytes, or a zero. Beside one that is listed it
 * goes, or is written as PVE reads it. */
static bool is_no_limit(const struct resource *r, const char *key, const char *part)
{
	static const char *const old[] = {"bps=", "bps_rd=", "bps_wr="};
	static const char *const names[] = {"mbps", "mbps_rd", "mbps_wr"};
	bool listed = false, none = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = text_after(part, names[i]);
		listed |= leaf_of(r, key, names[i]) != NULL;
		none |= text_starts(part, old[i]) ||
			(value && *value == '=' && !value[1 + strspn(value + 1, "0.")]);
	}
	return listed && none;
}

/* The leading part: a model with its address, a volume, a CPU type. */
static bool is_listed_lead(
    const struct resource *r, const char *key, const char *part, const char *name, bool device)
{
	bool alone = !strchr(part, '=');

	if (alone && device && !text_starts(key, "net"))
		return true;
	if (alone && (has_codec(r, key, CODEC_LEAD) || has_codec(r, key, CODEC_CDROM)))
		return true;
	return (alone || strlen(part) - strlen(name) == 18) &&
	       (has_codec(r, key, CODEC_NIC_MODEL) || has_codec(r, key, CODEC_NIC_MAC));
}

/* A part that stood there and does not stand there any more is one that is listed, or one that
 * follows from the disk itself. */
static char *check_part(
    const struct resource *r, const char *key, const char *part, const char *new_text, bool created)
{
	_cleanup_strs_ struct strs parts = {0};
	const char *eq = strchr(part, '=');
	_cleanup_str_ char *name = mem_strndup(part, eq ? (size_t)(eq - part) : 0);

	if (text_split(new_text, ",", true, PROPSTR_PARTS_MAX, &parts) < 0)
		return mem_printf("%s would become something unreadable", key);
	if (strs_has(&parts, part))
		return NULL;
	bool device = lists_slot(r, key, false);
	if (eq && (leaf_of(r, key, name) || is_no_limit(r, key, part)))
		return NULL;
	/* A mark says for all parts but one whether they are in base64. */
	const struct leaf *coded = leaf_of(r, key, NULL);
	if (coded && coded->attr->codec == CODEC_BASE64 && !text_eq(name, "uuid"))
		return NULL;
	if (device && (text_eq(name, "size") || is_name("file|volume", name)))
		return NULL; /* mended after a move, or of another volume or medium */
	/* PVE draws a new address for what is yet to be cloned; the model alone stands for it. */
	if (eq && created && text_eq(name, "macaddr"))
		return NULL;
	if (eq && strlen(eq) == 18 && strs_has(&parts, name))
		return created ? NULL : mem_printf("the address of %s would be drawn anew", key);
	if (is_listed_lead(r, key, part, name, device))
		return NULL;
	return mem_printf("the part '%s' of %s would change and is not listed", part, key);
}

/* What would be written over, or NULL. A clone is made of what is in force in its source: what
 * waits there is not taken along. */
static const char *text_before(
    const struct plan_input *in, const struct obs_guest *seen, const char *key)
{
	return !seen ? NULL : kv_get(in->guest ? &seen->pending : &seen->current, key);
}

/* Into texts of people that are not listed, Ramet puts its marker or its tag, and nothing else. */
static char *check_own(
    const struct plan_input *in, const struct obs_guest *seen, const char *key, const char *text)
{
	const char *old = text_before(in, seen, key);
	const char *tag = in->policy->env.tag;
	bool fine;

	if (text_eq(key, "description")) {
		_cleanup_str_ char *a = marker_strip(old ? old : ""), *b = marker_strip(text);
		fine = text_eq(a, b);
	} else {
		const char *rest = old && !is_blank(old) ? text_after(text, old) : text;
		fine = rest && text_eq(*rest == ';' ? rest + 1 : rest, tag);
	}
	return fine ? NULL : mem_printf("%s would change and is not listed", key);
}

/* The attribute is all that stands in its key. */
static bool is_whole(const struct attr *a)
{
	return a->codec == CODEC_SCALAR || a->codec == CODEC_LIST || a->codec == CODEC_TAGS ||
	       a->codec == CODEC_DESCRIPTION || a->codec == CODEC_BOOT ||
	       a->codec == CODEC_HOTPLUG || a->codec == CODEC_SSH_KEYS || a->codec == CODEC_SECRET;
}

/* Something is said of the drive with the data of cloud-init. */
static bool lists_data(const struct resource *r)
{
	for (size_t i = 0; i < r->n_leaves; i++)
		if (r->leaves[i].attr->codec == CODEC_NONE &&
		    schema_is_in(r->leaves[i].attr, "initialization"))
			return true;
	return false;
}

static char *check_set(
    const struct plan_input *in, const struct obs_guest *seen, const char *key, const char *text)
{
	const struct resource *r = in->want;
	_cleanup_strs_ struct strs parts = {0};
	const struct leaf *l = leaf_of(r, key, NULL);
	const char *old = NULL;

	const char *there = seen ? kv_get(&seen->current, key) : NULL;
	if (!l && lists_data(r) && (text_ends(text, ":cloudinit") || text_eq(text, there)))
		return NULL; /* the drive that PVE itself fills, new or kept */
	if (!l && (text_eq(key, "description") || text_eq(key, "tags")))
		return check_own(in, seen, key, text);
	if (!l && !lists_slot(r, key, false))
		return mem_printf("%s would be written and is not listed", key);
	old = text_before(in, seen, key);
	/* A device that was to be removed is kept as it is; any other key starts afresh. */
	if (seen && !old && lists_slot(r, key, false))
		old = kv_get(&seen->current, key);
	if (!old || (l && is_whole(l->attr)))
		return NULL;
	if (text_split(old, ",", true, PROPSTR_PARTS_MAX, &parts) < 0)
		return mem_printf("%s has too many parts", key);
	for (size_t i = 0; i < parts.n; i++) {
		if (is_blank(parts.v[i]))
			continue;
		char *wrong = check_part(r, key, parts.v[i], text, !in->guest);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static char *check_del(const struct plan_input *in, const struct obs_guest *seen, const char *key)
{
	const char *bus;
	unsigned index;
	const struct leaf *l = leaf_of(in->want, key, NULL);

	const char *old = text_before(in, seen, key);
	if (lists_slot(in->want, key, true) ||
	    (old && strstr(old, "-cloudinit") && lists_data(in->want)))
		return NULL;
	/* Of other devices, a part that is null takes the device with it. */
	if (lists_slot(in->want, key, false) && (!l || form_slot_parse(key, &bus, &index)))
		return mem_printf("%s would be removed and is listed", key);
	if (l || text_eq(key, "tags") || text_eq(key, "description"))
		return NULL;
	return mem_printf("%s would be removed and is not in a delete list", key);
}

static char *check_disk(const struct plan_input *in, const struct step *s)
{
	bool size = has_codec(in->want, s->slot, CODEC_DRIVE_SIZE);
	bool place = has_codec(in->want, s->slot, CODEC_DRIVE_STORE) ||
		     has_codec(in->want, s->slot, CODEC_DRIVE_FORMAT);

	if (s->kind == STEP_RESIZE && !size)
		return mem_printf("%s would be resized and its size is not listed", s->slot);
	if (s->kind == STEP_MOVE && !place)
		return mem_printf("%s would be moved and its storage is not listed", s->slot);
	return NULL;
}

static char *check_config(const struct plan_input *in, const struct step *s)
{
	/* A guest that is to be cloned has the configuration of its source. */
	const struct obs_guest *seen = in->guest ? in->guest : in->source;

	KV_FOREACH (item, &s->set) {
		char *wrong = check_set(in, seen, item->key, item->value);
		if (wrong)
			return wrong;
	}
	for (size_t i = 0; i < s->del.n; i++) {
		char *wrong = check_del(in, seen, s->del.v[i]);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* The end of a VM: only by the manifest's own word, and only of the very one on record. */
static char *check_end(const struct plan *p, const struct plan_input *in, const struct step *s)
{
	const struct leaf *state = resource_find(in->want, ATTR_state, NULL);
	const struct leaf *protect = resource_find(in->want, ATTR_protect, NULL);
	const struct record *r = &p->learned;
	const struct obs_guest *g = in->guest;
	const char *desc = g ? kv_get(&g->current, "description") : NULL;

	if (!state || state->value.type != VALUE_STR || strcmp(state->value.s, "absent") != 0)
		return mem_printf("it would %s and is not to be absent", s->text);
	if (protect && protect->value.type == VALUE_BOOL && protect->value.b)
		return mem_printf("it would %s and is protected", s->text);
	if (!r->proven || !in->record || !in->record->vmid || !in->record->uuid || !r->nonce || !g)
		return mem_printf("it would %s and is not known for certain", s->text);
	const char *nonce = in->record->nonce ? in->record->nonce : r->nonce;
	_cleanup_str_ char *mark = mem_printf(" vmid=%u %s", in->record->vmid, nonce);
	if (g->vmid != in->record->vmid || !text_eq_nocase(g->uuid, in->record->uuid) || !desc ||
	    !strstr(desc, mark))
		return mem_printf("it would %s and is another VM", s->text);
	return NULL;
}

static bool ends(const struct step *s)
{
	return s->parting || s->kind == STEP_DESTROY || s->kind == STEP_STOP;
}

/* What differs and changes nothing in any key would be called in sync. */
static char *check_left(const struct plan *p)
{
	for (size_t i = 0; p->verdict == PLAN_IN_SYNC && i < p->n_changes; i++)
		if (p->changes[i].state == CHANGE_DO)
			return mem_printf(
			    "%s differs, and no step would change it", p->changes[i].path);
	return NULL;
}

char *plan_check_steps(const struct plan *p, const struct plan_input *in)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		char *wrong = s->kind == STEP_CONFIG			       ? check_config(in, s)
			      : ends(s)					       ? check_end(p, in, s)
			      : s->kind == STEP_MOVE || s->kind == STEP_RESIZE ? check_disk(in, s)
									       : NULL;
		if (wrong)
			return wrong;
	}
	return check_left(p);
}
