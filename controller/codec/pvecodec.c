#include "pvecodec.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "pvepart.h"
#include "pvetext.h"

#define SET_ITEMS_MAX 1024
#define PCI_DOMAIN "0000:"
#define TAG_SEPARATORS ";, \t\r\n" /* PVE reads all of them and writes ";" */

const char *pvecodec_key(const struct attr *a, const char *slot)
{
	return a->key && strcmp(a->key, "*") == 0 ? slot : a->key;
}

/* ---- text of PVE ↔ value ---- */

static int set_from(
    const struct attr *a, const char *s, const char *seps, bool fold, struct value *ret)
{
	_cleanup_str_ char *lower = fold ? text_lower(s) : NULL;
	struct strs parts = {0};
	if (text_split(fold ? lower : s, seps, true, SET_ITEMS_MAX, &parts) < 0)
		return -1;
	if (!(a->flags & ATTR_ORDERED))
		strs_sort_unique(&parts);
	*ret = (struct value){.type = VALUE_SET, .set = parts};
	return 0;
}

static const char *separators(const struct attr *a, char buf[2])
{
	buf[0] = a->sep ? a->sep : ';';
	buf[1] = '\0';
	return a->codec == CODEC_TAGS || a->codec == CODEC_LIST ? TAG_SEPARATORS : buf;
}

/* Lists with a notation of their own. */
static int list_from(const struct attr *a, const char *s, struct value *ret)
{
	struct strs l = {0};
	int r = a->codec == CODEC_BOOT	    ? pvetext_boot_parse(s, &l)
		: a->codec == CODEC_HOTPLUG ? pvetext_hotplug_parse(s, &l)
					    : pvetext_keys_parse(s, &l);
	if (r < 0)
		return -1;
	*ret = (struct value){.type = VALUE_SET, .set = l};
	return 0;
}

static bool is_own_list(const struct attr *a)
{
	return a->codec == CODEC_BOOT || a->codec == CODEC_HOTPLUG || a->codec == CODEC_SSH_KEYS;
}

static char *list_to(const struct attr *a, const struct strs *l)
{
	return a->codec == CODEC_BOOT	   ? pvetext_boot_print(l)
	       : a->codec == CODEC_HOTPLUG ? pvetext_hotplug_print(l)
	       : l->n			   ? pvetext_keys_print(l)
					   : NULL;
}

static int from_text(const struct attr *a, const char *s, struct value *ret)
{
	struct value v = {0};
	char sep[2];
	int r = 0;

	switch (a->type) {
	case ATTR_BOOL:
		v.type = VALUE_BOOL;
		r = pvetext_bool_parse(s, &v.b);
		break;
	case ATTR_INT:
	case ATTR_DUR:
		v.type = a->type == ATTR_INT ? VALUE_INT : VALUE_DUR;
		r = text_to_int(s, INT64_MIN, INT64_MAX, &v.i);
		break;
	case ATTR_NUM:
		v.type = VALUE_NUM;
		r = text_to_num(s, &v.n);
		break;
	case ATTR_STR:
	case ATTR_ENUM:
	case ATTR_TIME:
		value_set_str(&v, s);
		break;
	case ATTR_SET:
		r = is_own_list(a) ? list_from(a, s, &v)
				   : set_from(a, s, separators(a, sep), a->codec == CODEC_TAGS, &v);
		break;
	case ATTR_TYPE__MAX:
		r = -1;
		break;
	}
	if (r < 0)
		return -1;
	*ret = v;
	return 0;
}

/* NULL: the value has no text of its own (absent, null). */
static char *to_text(const struct attr *a, const struct value *v)
{
	char sep[2] = {a->sep ? a->sep : ';', '\0'};

	switch (v->type) {
	case VALUE_BOOL:
		return mem_strdup(v->b ? "1" : "0");
	case VALUE_INT:
	case VALUE_DUR:
		return mem_printf("%lld", (long long)v->i);
	case VALUE_NUM:
		return text_from_num(v->n);
	case VALUE_STR:
		return mem_strdup(v->s);
	case VALUE_SET:
		if (is_own_list(a))
			return list_to(a, &v->set);
		return v->set.n ? strs_join(&v->set, sep) : NULL;
	case VALUE_ABSENT:
	case VALUE_NULL:
	case VALUE_TYPE__MAX:
		break;
	}
	return NULL;
}

/* ---- Ramet's own tags ---- */

static bool is_own_tag(const char *tag, const struct codec_env *env)
{
	if (!env)
		return false;
	return (env->tag && *env->tag && text_eq_nocase(tag, env->tag)) ||
	       (env->suspend_tag && *env->suspend_tag && text_eq_nocase(tag, env->suspend_tag));
}

/* Splits tags into those of people and Ramet's own; either result may be NULL. */
static void part_tags(
    const struct strs *all, const struct codec_env *env, struct strs *theirs, struct strs *own)
{
	for (size_t i = 0; i < all->n; i++) {
		struct strs *to = is_own_tag(all->v[i], env) ? own : theirs;
		if (to)
			strs_add(to, all->v[i]);
	}
}

void pvecodec_want(
    const struct attr *a, const struct value *want, const struct codec_env *env, struct value *ret)
{
	if (a->codec == CODEC_TAGS && want->type == VALUE_SET) {
		struct strs folded = {0};
		*ret = (struct value){.type = VALUE_SET};
		for (size_t i = 0; i < want->set.n; i++)
			strs_add_take(&folded, text_lower(want->set.v[i]));
		strs_sort_unique(&folded);
		part_tags(&folded, env, &ret->set, NULL);
		strs_fini(&folded);
	} else if (a->codec == CODEC_DESCRIPTION && want->type == VALUE_STR) {
		*ret = (struct value){.type = VALUE_STR, .s = marker_strip(want->s)};
	} else {
		value_copy(ret, want);
	}
}

/* ---- the model and address of a network device ---- */

static bool is_mac(const char *s)
{
	for (size_t i = 0; i < 17; i++) {
		bool ok = i % 3 == 2 ? s[i] == ':' : s[i] && strchr("0123456789abcdefABCDEF", s[i]);
		if (!ok)
			return false;
	}
	return s[17] == '\0';
}

/* The part MODEL=ADDRESS. Found by its value, so that a part of a later PVE version is never taken
 * for a model. */
static struct prop *nic_part(const struct propstr *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].key && strcmp(p->v[i].key, "macaddr") != 0 && is_mac(p->v[i].value))
			return &p->v[i];
	return NULL;
}

static const char *nic_model(const struct propstr *p)
{
	const struct prop *part = nic_part(p);
	if (part)
		return part->key;
	const char *named = propstr_get(p, "model");
	return named ? named : propstr_lead(p);
}

static const char *nic_mac(const struct propstr *p)
{
	const struct prop *part = nic_part(p);
	return part ? part->value : propstr_get(p, "macaddr");
}

static void put_nic_model(struct propstr *p, const char *model)
{
	struct prop *part = nic_part(p);
	if (part)
		mem_replace(&part->key, model);
	else if (propstr_get(p, "model"))
		propstr_set(p, "model", model);
	else
		propstr_set_lead(p, model);
}

static void put_nic_mac(struct propstr *p, const char *mac)
{
	struct prop *part = nic_part(p);
	if (part)
		mem_replace(&part->value, mac);
	else if (!propstr_name_lead(p, mac))
		propstr_set(p, "macaddr", mac);
}

/* ---- get ---- */

static int get_from_parts(const struct attr *a, const char *text, char **ret, struct err **err)
{
	_cleanup_propstr_ struct propstr p = {0};
	const char *found;

	if (propstr_parse(text, &p, err) < 0)
		return -1;
	if (a->codec == CODEC_BASE64) {
		*ret = pvepart_get_base64(&p, a->part);
		return 0;
	}
	_cleanup_str_ char *name = pvepart_name(a->part, &p);
	if (a->codec == CODEC_NIC_MODEL) {
		found = nic_model(&p);
	} else if (a->codec == CODEC_NIC_MAC) {
		found = nic_mac(&p);
	} else if (a->codec == CODEC_LEAD || a->codec == CODEC_CDROM) {
		found = propstr_lead(&p);
		if (!found && a->part)
			found = propstr_get(&p, name);
	} else {
		found = propstr_get(&p, name);
	}
	*ret = mem_strdup(found);
	return 0;
}

static int get_from_drive(
    const struct attr *a, const char *text, struct value *ret, struct err **err)
{
	_cleanup_drive_ struct drive d = {0};

	if (drive_parse(text, &d, err) < 0)
		return -1;
	if (a->codec == CODEC_DRIVE_SIZE) {
		if (d.bytes)
			*ret =
			    (struct value){.type = VALUE_INT, .i = (int64_t)drive_gib_up(d.bytes)};
		return 0;
	}
	const char *s = a->codec == CODEC_DRIVE_STORE ? d.storage : d.format;
	if (*s)
		value_set_str(ret, s);
	return 0;
}

/* The text that belongs to the leaf alone, NULL when it is not there. */
static int leaf_text(const struct attr *a, const char *raw, char **ret, struct err **err)
{
	switch (a->codec) {
	case CODEC_SCALAR:
	case CODEC_LIST:
	case CODEC_TAGS:
	case CODEC_BOOT:
	case CODEC_HOTPLUG:
	case CODEC_SSH_KEYS:
	case CODEC_SECRET:
		*ret = mem_strdup(raw);
		return 0;
	case CODEC_DESCRIPTION:
		*ret = marker_strip(raw);
		return 0;
	case CODEC_PART:
	case CODEC_PART_LIST:
	case CODEC_LEAD:
	case CODEC_CDROM:
	case CODEC_NIC_MODEL:
	case CODEC_NIC_MAC:
	case CODEC_BASE64:
		return get_from_parts(a, raw, ret, err);
	case CODEC_NONE:
	case CODEC_DRIVE_SIZE:
	case CODEC_DRIVE_STORE:
	case CODEC_DRIVE_FORMAT:
	case CODEC__MAX:
		break;
	}
	return err_set(err, ERR_INTERNAL, "%s has no text in a configuration", a->path);
}

int pvecodec_get(const struct attr *a, const char *slot, const struct kv *conf,
    const struct codec_env *env, struct value *ret, struct err **err)
{
	const char *key = pvecodec_key(a, slot);
	const char *raw = key ? kv_get(conf, key) : NULL;
	_cleanup_str_ char *text = NULL;
	struct value v = {0};

	*ret = (struct value){.type = VALUE_ABSENT};
	if (!raw)
		return 0;
	if (a->codec == CODEC_DRIVE_SIZE || a->codec == CODEC_DRIVE_STORE ||
	    a->codec == CODEC_DRIVE_FORMAT)
		return get_from_drive(a, raw, ret, err);
	if (leaf_text(a, raw, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (from_text(a, text, &v) < 0) {
		_cleanup_str_ char *shown = text_oneline(text, 60);
		return err_set(err, ERR_INPUT, "'%s' is no value for %s", shown, a->path);
	}
	if (a->codec == CODEC_TAGS) {
		ret->type = VALUE_SET;
		part_tags(&v.set, env, &ret->set, NULL);
		value_fini(&v);
	} else {
		*ret = v;
	}
	return 0;
}

/* ---- put ---- */

static void store(struct kv *conf, const char *key, const char *text)
{
	if (text && *text)
		kv_set(conf, key, text);
	else
		kv_del(conf, key);
}

/* Ramet's own tags that are there stay. */
static void put_tags(const struct attr *a, const struct value *want, const struct codec_env *env,
    struct kv *conf, const char *key)
{
	struct strs tags = {0}, there = {0};
	const char *raw = kv_get(conf, key);
	char sep[2] = {a->sep ? a->sep : ';', '\0'};

	if (want->type == VALUE_SET)
		part_tags(&want->set, env, &tags, NULL);
	if (raw && text_split(raw, TAG_SEPARATORS, true, SET_ITEMS_MAX, &there) == 0)
		part_tags(&there, env, NULL, &tags);
	strs_sort_unique(&tags);
	_cleanup_str_ char *text = strs_join(&tags, sep);
	store(conf, key, text);
	strs_fini(&tags);
	strs_fini(&there);
}

static int put_description(
    const struct value *want, struct kv *conf, const char *key, struct err **err)
{
	const char *text = want->type == VALUE_STR ? want->s : "";
	const char *raw = kv_get(conf, key);
	_cleanup_str_ char *joined = NULL;
	struct marker m = {0};

	if (raw && marker_find(raw, &m) == MARKER_OK) {
		int r = marker_join(text, &m, &joined, err);
		marker_fini(&m);
		if (r < 0)
			return -1;
	} else {
		joined = marker_strip(text);
	}
	store(conf, key, joined);
	return 0;
}

static void put_lead(struct propstr *p, const char *name, const char *text)
{
	bool named = !propstr_lead(p) && propstr_get(p, name);
	if (named && text)
		propstr_set(p, name, text);
	else if (named)
		propstr_del(p, name);
	else if (text)
		propstr_set_lead(p, text);
	else
		propstr_del_lead(p);
}

static void put_cdrom(struct propstr *p, const char *name, const char *text)
{
	const char *old = propstr_lead(p) ? propstr_lead(p) : propstr_get(p, name);
	if (!text_eq(old, text))
		propstr_del(p, "size"); /* of the medium that goes */
	put_lead(p, name, text);
	propstr_set(p, "media", "cdrom");
}

static int put_part(const struct attr *a, const struct value *want, struct kv *conf,
    const char *key, struct err **err)
{
	_cleanup_propstr_ struct propstr p = {0};
	_cleanup_str_ char *text = to_text(a, want);
	const char *raw = kv_get(conf, key);

	if (raw && propstr_parse(raw, &p, err) < 0)
		return -1;
	_cleanup_str_ char *name = pvepart_name(a->part, &p);
	if (a->codec == CODEC_BASE64 && text) {
		pvepart_put_base64(&p, a->part, text);
	} else if (a->codec == CODEC_PART || a->codec == CODEC_PART_LIST ||
		   a->codec == CODEC_BASE64) {
		if (text)
			pvepart_make_room(&p, name);
		if (text)
			propstr_set(&p, name, text);
		else
			propstr_del(&p, name);
	} else if (a->codec == CODEC_LEAD && want->type == VALUE_INT && !want->i) {
		/* To the reader of startup a text that is nothing but 0 is none. */
		propstr_del_lead(&p);
		propstr_set(&p, name, text);
	} else if (a->codec == CODEC_LEAD) {
		put_lead(&p, name, text);
	} else if (!text) {
		/* Without a model, an address or a medium there is no device, and PVE would draw a
		 * new address. */
		return err_set(err, ERR_USAGE, "%s cannot be taken away from a device", a->path);
	} else if (a->codec == CODEC_CDROM) {
		put_cdrom(&p, name, text);
	} else if (a->codec == CODEC_NIC_MODEL) {
		put_nic_model(&p, text);
	} else {
		put_nic_mac(&p, text);
	}
	_cleanup_str_ char *all = propstr_print(&p);
	store(conf, key, all);
	return 0;
}

int pvecodec_put(const struct attr *a, const char *slot, const struct value *want, struct kv *conf,
    const struct codec_env *env, struct err **err)
{
	const char *key = pvecodec_key(a, slot);
	_cleanup_str_ char *text = NULL;

	if (!key)
		return err_set(err, ERR_INTERNAL, "%s has no key in a configuration", a->path);
	switch (a->codec) {
	case CODEC_SCALAR:
	case CODEC_LIST:
	case CODEC_BOOT:
	case CODEC_HOTPLUG:
	case CODEC_SSH_KEYS:
		text = to_text(a, want);
		store(conf, key, text);
		return 0;
	case CODEC_SECRET:
		store(conf, key, want->type == VALUE_NULL ? NULL : PVECODEC_SECRET);
		return 0;
	case CODEC_TAGS:
		put_tags(a, want, env, conf, key);
		return 0;
	case CODEC_DESCRIPTION:
		return put_description(want, conf, key, err);
	case CODEC_PART:
	case CODEC_PART_LIST:
	case CODEC_LEAD:
	case CODEC_CDROM:
	case CODEC_NIC_MODEL:
	case CODEC_NIC_MAC:
	case CODEC_BASE64:
		return put_part(a, want, conf, key, err);
	case CODEC_NONE:
	case CODEC_DRIVE_SIZE:
	case CODEC_DRIVE_STORE:
	case CODEC_DRIVE_FORMAT:
	case CODEC__MAX:
		break;
	}
	return err_set(err, ERR_INTERNAL, "%s is not written by its value", a->path);
}

/* ---- compare ---- */

static bool is_nothing(const struct attr *a, const struct value *v)
{
	/* An empty list is a value of its own where PVE has a word for it. */
	bool word = a->codec == CODEC_HOTPLUG || a->codec == CODEC_BOOT;
	return v->type == VALUE_ABSENT || v->type == VALUE_NULL ||
	       (v->type == VALUE_SET && v->set.n == 0 && !word) || (v->type == VALUE_STR && !*v->s);
}

/* Addresses of PCI devices without the domain that they are in when none is named. */
static char *without_domain(const char *s)
{
	struct buf out;
	size_t len;

	buf_init(&out, 0);
	for (; *s; s += len) {
		const char *rest = text_after(s, PCI_DOMAIN);
		s = rest ? rest : s;
		len = strcspn(s, ";");
		len += s[len] != '\0';
		buf_add(&out, s, len);
	}
	char *text = buf_take(&out);
	return text ? text : mem_strdup("");
}

static bool eq_folded(const struct attr *a, const struct value *x, const struct value *y)
{
	if (a->format == FMT_PCI_HOST && x->type == VALUE_STR && y->type == VALUE_STR) {
		_cleanup_str_ char *p = without_domain(x->s), *q = without_domain(y->s);
		return text_eq(p, q);
	}
	if (!(a->flags & ATTR_NOCASE) || x->type != y->type)
		return value_eq(x, y);
	if (x->type == VALUE_STR)
		return text_eq_nocase(x->s, y->s);
	if (x->type != VALUE_SET)
		return value_eq(x, y);
	bool same = x->set.n == y->set.n, ordered = a->flags & ATTR_ORDERED;
	for (size_t i = 0; same && i < x->set.n; i++) {
		bool found = false;
		for (size_t k = ordered ? i : 0; !found && k < (ordered ? i + 1 : y->set.n); k++)
			found = text_eq_nocase(x->set.v[i], y->set.v[k]);
		same = found;
	}
	return same;
}

/* The place of the word among the row's choices, -1: none. */
static int choice_of(const struct attr *a, const struct value *v)
{
	_cleanup_strs_ struct strs words = {0};

	if (v->type != VALUE_STR || text_split(a->choices, "|", true, SET_ITEMS_MAX, &words) < 0)
		return -1;
	for (size_t i = 0; i < words.n; i++)
		if (text_eq(words.v[i], v->s))
			return (int)i;
	return -1;
}

bool pvecodec_same(const struct attr *a, const struct value *want, const struct value *have)
{
	_cleanup_value_ struct value deflt = {0};

	if (is_nothing(a, want) && is_nothing(a, have))
		return true;
	if (a->deflt && !text_eq(a->deflt, "[]") && from_text(a, a->deflt, &deflt) < 0)
		deflt = (struct value){0};
	if (is_nothing(a, want))
		want = &deflt;
	if (is_nothing(a, have))
		have = &deflt;
	if (a->flags & ATTR_AT_LEAST && choice_of(a, want) >= 0)
		return choice_of(a, have) >= choice_of(a, want);
	return eq_folded(a, want, have);
}
