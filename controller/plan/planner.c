#include "planner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostdrive.h"
#include "policy.h"
#include "pvekeys.h"
#include "rootcmd.h"

#define SHOWN_CHARS 72

void planner_fini(struct planner *pl)
{
	obs_guest_fini(&pl->foretold_guest);
	kv_fini(&pl->goal);
	strs_fini(&pl->del);
	strs_fini(&pl->skip);
	strs_fini(&pl->made);
	strs_fini(&pl->allocated);
	for (size_t i = 0; i < pl->n_early; i++)
		step_fini(&pl->early[i]);
	for (size_t i = 0; i < pl->n_late; i++)
		step_fini(&pl->late[i]);
	free(pl->early);
	free(pl->late);
}

struct step *step_push(struct step **v, size_t *n, size_t *cap, enum step_kind kind)
{
	MEM_PUSH_ROOM(*v, *n, *cap);
	struct step *s = &(*v)[(*n)++];
	*s = (struct step){.kind = kind};
	return s;
}

void step_fini(struct step *s)
{
	kv_fini(&s->set);
	strs_fini(&s->del);
	strs_fini(&s->makes);
	free(s->slot);
	free(s->storage);
	free(s->format);
	free(s->pool);
	free(s->node);
	free(s->text);
	*s = (struct step){0};
}

/* ---- changes ---- */

struct change *planner_change(
    struct planner *pl, const char *path, const struct attr *a, const char *slot)
{
	struct plan *p = pl->out;

	MEM_PUSH_ROOM(p->changes, p->n_changes, p->cap_changes);
	struct change *c = &p->changes[p->n_changes++];
	*c = (struct change){.path = mem_strdup(path),
	    .attr = a,
	    .slot = mem_strdup(slot),
	    .class = a ? a->class : CLASS_ACTION,
	    .reason = REASON_UPDATING,
	    .step = -1};
	return c;
}

static char *place_of(const struct planner *pl, struct mark mark)
{
	const char *file = pl->want->file;
	if (!file || !mark.line)
		return NULL;
	return mark.col ? mem_printf("%s:%u:%u", file, mark.line, mark.col)
			: mem_printf("%s:%u", file, mark.line);
}

void planner_place(struct planner *pl)
{
	const struct resource *r = pl->want;

	for (size_t i = 0; i < pl->out->n_changes; i++) {
		struct change *c = &pl->out->changes[i];
		const struct leaf *l = c->attr ? resource_find(r, c->attr->id, c->slot) : NULL;
		if (!l && c->attr) /* entries of a set are slots, its leaf has none */
			l = resource_find(r, c->attr->id, NULL);
		if (l)
			c->place = place_of(pl, l->mark);
		for (size_t k = 0; !c->place && r->slot_marks && k < r->slots.n; k++)
			if (text_eq(r->slots.v[k], c->path))
				c->place = place_of(pl, r->slot_marks[k]);
	}
}

struct change *planner_leaf_change(struct planner *pl, const struct leaf *l)
{
	_cleanup_str_ char *path = schema_path(l->attr, l->slot);
	return planner_change(pl, path, l->attr, l->slot);
}

void change_texts(struct change *c, char *from, char *to)
{
	free(c->from);
	free(c->to);
	c->from = from;
	c->to = to;
}

void change_block(struct change *c, enum reason r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	free(c->why);
	c->why = mem_vprintf(fmt, ap);
	va_end(ap);
	c->state = CHANGE_BLOCKED;
	c->reason = r;
}

void change_hint(struct change *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	free(c->hint);
	c->hint = mem_vprintf(fmt, ap);
	va_end(ap);
}

/* As planner_show gives it: anything but nothing, and what is no device of the host. */
static bool is_host_device(const char *shown)
{
	static const char *const harmless[] = {"absent", "socket", "spice"};
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
		if (text_eq_nocase(shown, harmless[i]))
			return false;
	return true;
}

/* The leaf is of a device of the host: PVE looks at the whole text of a key, and lets only root
 * write one that names such a device, whatever changes in it. */
static bool is_on_host_device(const struct planner *pl, const struct change *c)
{
	size_t block = (size_t)(schema_key(c->attr) - c->attr->path);

	for (unsigned i = 0; block && i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		_cleanup_value_ struct value v = {0};
		if (!(a->flags & ATTR_ROOT_DEVICE) || strncmp(a->path, c->attr->path, block) != 0 ||
		    pvecodec_get(a, c->slot, &pl->goal, NULL, &v, NULL) < 0)
			continue;
		_cleanup_str_ char *shown = planner_show(a, &v);
		if (is_host_device(shown))
			return true;
	}
	return false;
}

bool planner_is_before(const struct planner *pl, int major, int minor)
{
	const struct obs_cluster *cl = pl->in->cluster;

	return cl && cl->version_major &&
	       (cl->version_major < major ||
		   (cl->version_major == major && cl->version_minor < minor));
}

/* What is written of the drive is its whole text, and that names a file or device of the host. */
static bool is_on_path(const struct planner *pl, const struct change *c)
{
	const char *text = planner_is_drive(c->slot) ? kv_get(&pl->goal, c->slot) : NULL;
	bool other = c->attr->codec == CODEC_CDROM || c->attr->codec == CODEC_LEAD ||
		     c->attr->codec == CODEC_NONE;
	_cleanup_drive_ struct drive d = {0};

	/* Another medium or volume takes its place, or it goes. */
	return text && !other && drive_parse(text, &d, NULL) == 0 && hostdrive_is(&d);
}

bool planner_is_root(const struct planner *pl)
{
	return pl->policy->token_is_root || (pl->in->cluster && pl->in->cluster->token_is_root);
}

static bool is_root_only(const struct planner *pl, const struct change *c)
{
	int major, minor;

	if (!c->attr || planner_is_root(pl))
		return false;
	if (c->attr->flags & ATTR_ROOT_DEVICE)
		return is_host_device(c->from) || is_host_device(c->to);
	if (c->slot && (is_on_host_device(pl, c) || is_on_path(pl, c)))
		return true;
	if (pvekeys_root_until(c->attr, &major, &minor) && planner_is_before(pl, major, minor))
		return true;
	return c->attr->flags & ATTR_ROOT_ONLY;
}

/* A word of the listed value that came later than the cluster's version. */
static const char *newer_word(const struct planner *pl, const struct change *c, int *ret_major)
{
	const struct leaf *l = resource_find(pl->want, c->attr->id, c->slot);
	const struct strs *set = l && l->value.type == VALUE_SET ? &l->value.set : NULL;
	const char *one = l && l->value.type == VALUE_STR ? l->value.s : NULL;

	for (size_t i = 0; i < (set ? set->n : one ? 1 : 0); i++) {
		const char *word = set ? set->v[i] : one;
		*ret_major = pvekeys_word_since(c->attr->format, word);
		if (planner_is_before(pl, *ret_major, 0))
			return word;
	}
	return NULL;
}

bool planner_is_too_new(const struct planner *pl, struct change *c)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const char *word = NULL;
	int major = 0, minor = 0;

	if (!c->attr || !cl)
		return false;
	if (!pvekeys_since(c->attr, &major, &minor) || !planner_is_before(pl, major, minor)) {
		minor = 0;
		word = newer_word(pl, c, &major);
		if (!word)
			return false;
	}
	change_block(c, REASON_PVE_TOO_OLD, "%s came with PVE %d.%d, and this cluster is %d.%d",
	    word ? word : "it", major, minor, cl->version_major, cl->version_minor);
	return true;
}

static bool is_fought_over(const struct planner *pl, const struct change *c)
{
	return pl->in->fights && pl->in->fight && strs_has(pl->in->fight, c->path);
}

/* What root would type on the node: the whole text of the key, with the leaf in it. */
static void hint_root(const struct planner *pl, struct change *c)
{
	const struct leaf *l = resource_find(pl->want, c->attr->id, c->slot);
	const char *key = pvecodec_key(c->attr, c->slot);
	_cleanup_kv_ struct kv conf = {0};

	if (pl->foretold) {
		change_hint(c, "have root set it on the template, or take it out of the manifest");
		/* Nor does PVE let a token clone what names a device of the host. */
		if (c->attr->flags & ATTR_ROOT_DEVICE && c->attr->flags & ATTR_CORE)
			change_hint(c,
			    "list a mapping of the cluster instead, or have root set it on the VM "
			    "when it is there");
		return;
	}
	kv_copy(&conf, &pl->g->pending);
	if (!l || !key ||
	    pvecodec_put(c->attr, c->slot, &l->value, &conf, &pl->policy->env, NULL) < 0)
		return;
	free(c->hint);
	c->hint = rootcmd_set(pl->g->node, pl->g->vmid, key, kv_get(&conf, key));
}

bool planner_may(struct planner *pl, struct change *c)
{
	c->drift = pl->unchanged && !record_is_unmet(pl->in->record, c->path);
	if (pl->hands_off) {
		c->state = CHANGE_REPORT;
		return false;
	}
	if (c->drift && pl->drift == PLAN_DRIFT_IGNORE) {
		change_fini(c);
		pl->out->n_changes--;
		return false;
	}
	if (c->drift && pl->drift == PLAN_DRIFT_REPORT) {
		c->state = CHANGE_REPORT;
		c->reason = REASON_DRIFT_REPORTED;
		return false;
	}
	if (c->state == CHANGE_BLOCKED)
		return false;
	if (is_fought_over(pl, c)) {
		change_block(c, REASON_FIGHT, "it was changed back again and again");
		return false;
	}
	if (planner_is_too_new(pl, c))
		return false;
	if (is_root_only(pl, c)) {
		change_block(c, REASON_ROOT_ONLY,
		    "PVE lets only root@pam with a password set it, and it is %s", c->from);
		hint_root(pl, c);
		return false;
	}
	if (!policy_allows_change(pl, c))
		return false;
	if (c->disruption > pl->ceiling) {
		change_block(c, REASON_DISRUPTION,
		    "it would disturb the running guest (%s), and max_disruption is %s",
		    plan_disruption_word(c->disruption), plan_disruption_word(pl->ceiling));
		return false;
	}
	return true;
}

void planner_unmake(struct planner *pl, const char *device, const char *slot)
{
	struct plan *p = pl->out;
	const struct change *cause = &p->changes[p->n_changes - 1];

	for (size_t i = 0; i + 1 < p->n_changes; i++) {
		struct change *c = &p->changes[i];
		const char *rest = text_after(c->path, device);
		if (rest && (!*rest || *rest == '.') && c->state == CHANGE_DO)
			change_block(c, cause->reason, "%s: %s", cause->path, cause->why);
	}
	kv_del(&pl->goal, slot);
	strs_add(&pl->skip, device);
	for (size_t i = 0; i < pl->n_late;) {
		if (!text_eq(pl->late[i].slot, slot)) {
			i++;
			continue;
		}
		step_fini(&pl->late[i]);
		memmove(&pl->late[i], &pl->late[i + 1], (pl->n_late - i - 1) * sizeof(*pl->late));
		pl->n_late--;
	}
}

bool planner_is_protected(const struct planner *pl)
{
	const struct leaf *l = resource_find(pl->want, ATTR_protection, NULL);
	bool off = l && (l->value.type == VALUE_NULL || !l->value.b);

	/* PVE looks at the flag before it looks at what else is asked for: it takes two writes. */
	return text_eq(kv_get(&pl->g->current, "protection"), "1") && !(pl->foretold && off);
}

const struct change *planner_worst(const struct planner *pl)
{
	return planner_worst_but(pl, NULL);
}

const struct change *planner_worst_but(const struct planner *pl, const struct attr *out)
{
	const struct change *worst = NULL;

	for (size_t i = 0; i < pl->out->n_changes; i++) {
		const struct change *c = &pl->out->changes[i];
		if (c->state != CHANGE_BLOCKED || (out && c->attr == out))
			continue;
		bool person = reason_cond(c->reason) == REASON_COND_STALLED;
		if (!worst || (person && reason_cond(worst->reason) != REASON_COND_STALLED))
			worst = c;
	}
	return worst;
}

/* ---- texts and look-ups ---- */

char *planner_shorten(const char *text)
{
	return text_oneline(text, SHOWN_CHARS);
}

char *planner_show(const struct attr *a, const struct value *v)
{
	bool nothing = v->type == VALUE_ABSENT || v->type == VALUE_NULL;
	if (nothing && a && a->deflt && !text_eq(a->deflt, "[]"))
		return mem_printf("%s (default)", a->deflt);
	if (nothing)
		return mem_strdup("absent");
	if (a && a->codec == CODEC_SECRET)
		return mem_strdup(PVECODEC_SECRET);
	_cleanup_str_ char *text = value_print(v);
	return *text ? planner_shorten(text) : mem_strdup("\"\"");
}

char *planner_device(const struct attr *a, const char *slot)
{
	if (!strchr(a->path, '*')) {
		/* A drive that there is one of: its block is the device. */
		_cleanup_str_ char *block = mem_strndup(a->path, (size_t)(schema_key(a) - a->path));
		return *block && planner_row(block, CODEC_DRIVE_STORE)
			   ? mem_strndup(block, strlen(block) - 1)
			   : NULL;
	}
	if (!slot)
		return NULL;
	size_t block = (size_t)(strchr(a->path, '*') - a->path);
	return mem_printf("%.*s%s", (int)block, a->path, slot);
}

void planner_devices(struct planner *pl, enum attr_format slots,
    void (*each)(struct planner *pl, const char *device, const char *slot))
{
	for (size_t i = 0; i < pl->want->slots.n; i++) {
		const char *device = pl->want->slots.v[i], *dot = strrchr(device, '.');
		if (!dot)
			continue;
		_cleanup_str_ char *block = mem_printf("%.*s.*", (int)(dot - device), device);
		const struct attr_block *b = schema_block(block);
		if (b && b->slot_format == slots)
			each(pl, device, dot + 1);
	}
}

const struct value *planner_value(const struct planner *pl, enum attr_id id, const char *slot)
{
	const struct leaf *l = resource_find(pl->want, id, slot);
	return l && l->value.type != VALUE_NULL ? &l->value : NULL;
}

const char *planner_text(const struct planner *pl, enum attr_id id, const char *slot)
{
	const struct value *v = planner_value(pl, id, slot);
	return v && v->type == VALUE_STR ? v->s : NULL;
}

bool planner_is_drive(const char *key)
{
	const char *bus;
	unsigned index;

	return (form_slot_parse(key, &bus, &index) && !text_eq(bus, "net")) ||
	       text_eq(key, "efidisk0") || text_eq(key, "tpmstate0");
}

bool planner_disk(const struct kv_item *item, struct drive *ret)
{
	if (!planner_is_drive(item->key) || drive_parse(item->value, ret, NULL) < 0)
		return false;
	if (!ret->cdrom && !ret->cloudinit)
		return true;
	drive_fini(ret);
	return false;
}

const struct attr *planner_row(const char *block, enum attr_codec codec)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		if (a->codec == codec && text_starts(a->path, block))
			return a;
	}
	return NULL;
}
