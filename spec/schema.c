#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_ITEMS_MAX 1000

/* clang-format off */
static const struct attr attrs[ATTR_ID__MAX] = {
#define ATTR(id, path, type, format, min, max, choices, codec, key, part, sep, class, hotplug, \
    privilege, deflt, flags, brief, doc, example) \
	[ATTR_##id] = { ATTR_##id, path, ATTR_##type, FMT_##format, min, max, choices, \
		CODEC_##codec, key, part, sep, CLASS_##class, hotplug, privilege, deflt, flags, \
		brief, doc, example },
#include "attrs.def"
#undef ATTR
};

static const struct attr_block blocks[] = {
#define BLOCK(path, format, required, brief) { path, FMT_##format, required, brief },
#include "blocks.def"
#undef BLOCK
};

static const struct {
	const char *block, *old, *key;
} aliases[] = {
#define ALIAS(block, old, key) { block, old, key },
#include "aliases.def"
#undef ALIAS
};
/* clang-format on */

const struct attr *schema_attr(enum attr_id id)
{
	MUST((size_t)id < ATTR_ID__MAX);
	return &attrs[id];
}

/* Where the key begins in each path, found once: every key of every document is looked up. */
static const unsigned char *key_offsets(void)
{
	static unsigned char offsets[ATTR_ID__MAX];
	static bool known;
	for (size_t i = 0; i < ATTR_ID__MAX && !known; i++) {
		const char *dot = strrchr(attrs[i].path, '.');
		offsets[i] = dot ? (unsigned char)(dot + 1 - attrs[i].path) : 0;
	}
	known = true;
	return offsets;
}

const char *schema_key(const struct attr *a)
{
	return a->path + key_offsets()[a->id];
}

bool schema_is_in(const struct attr *a, const char *block)
{
	size_t offset = key_offsets()[a->id], len = strlen(block);
	return offset == (len ? len + 1 : 0) && memcmp(a->path, block, len) == 0;
}

const struct attr *schema_find(const char *block, const char *key)
{
	const unsigned char *offsets = key_offsets();
	size_t len = strlen(block), offset = len ? len + 1 : 0;
	for (size_t i = 0; i < ATTR_ID__MAX; i++) {
		const char *path = attrs[i].path;
		if (offsets[i] == offset && path[offset] == key[0] &&
		    strcmp(path + offset, key) == 0 && memcmp(path, block, len) == 0)
			return &attrs[i];
	}
	return NULL;
}

const char *schema_alias(const char *block, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].block, block) == 0 && strcmp(aliases[i].old, key) == 0)
			return aliases[i].key;
	return NULL;
}

bool schema_old_name(size_t i, const char **ret_block, const char **ret_old, const char **ret_key)
{
	if (i >= ARRAY_LEN(aliases))
		return false;
	*ret_block = aliases[i].block;
	*ret_old = aliases[i].old;
	*ret_key = aliases[i].key;
	return true;
}

size_t schema_blocks(const struct attr_block **ret)
{
	*ret = blocks;
	return ARRAY_LEN(blocks);
}

const struct attr_block *schema_block(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (strcmp(blocks[i].path, path) == 0)
			return &blocks[i];
	return NULL;
}

bool schema_block_is_in(const struct attr_block *b, const char *block, char **ret)
{
	size_t len = strlen(block), offset = len ? len + 1 : 0;
	if (strncmp(b->path, block, len) != 0 || (len && b->path[len] != '.') || !b->path[offset])
		return false;
	const char *key = b->path + offset, *dot = strchr(key, '.');
	if (dot && strcmp(dot, ".*") != 0)
		return false;
	if (ret)
		*ret = mem_strndup(key, strcspn(key, "."));
	return true;
}

const struct attr_block *schema_slot_block(const struct attr *a)
{
	const char *star = strchr(a->path, '*');
	if (!star)
		return NULL;
	_cleanup_str_ char *path = mem_strndup(a->path, (size_t)(star - a->path) + 1);
	return schema_block(path);
}

/* The slot in a path as the row has it with `*`; NULL when it is another path. Caller frees. */
static char *match_slot(const struct attr *a, const char *path)
{
	const char *star = strchr(a->path, '*');
	size_t before = star ? (size_t)(star - a->path) : 0;
	if (!star || strncmp(a->path, path, before) != 0)
		return NULL;
	size_t len = strcspn(path + before, ".");
	if (strcmp(path + before + len, star + 1) != 0)
		return NULL;
	return mem_strndup(path + before, len);
}

const struct attr *schema_find_path(const char *path, char **ret_slot)
{
	if (ret_slot)
		*ret_slot = NULL;
	for (size_t i = 0; i < ATTR_ID__MAX; i++)
		if (strcmp(attrs[i].path, path) == 0)
			return &attrs[i];
	for (size_t i = 0; i < ATTR_ID__MAX; i++) {
		_cleanup_str_ char *slot = match_slot(&attrs[i], path);
		const struct attr_block *b = slot ? schema_slot_block(&attrs[i]) : NULL;
		if (!b || !form_check(b->slot_format, slot, NULL, NULL))
			continue;
		if (ret_slot)
			*ret_slot = TAKE(slot);
		return &attrs[i];
	}
	return NULL;
}

char *schema_path(const struct attr *a, const char *slot)
{
	const char *star = strchr(a->path, '*');
	if (!star || !slot)
		return mem_strdup(a->path);
	return mem_printf("%.*s%s%s", (int)(star - a->path), a->path, slot, star + 1);
}

const char *schema_class_word(enum attr_class c)
{
	static const char *const words[CLASS__MAX] = {
	    [CLASS_NONE] = "none",
	    [CLASS_CLONE] = "clone",
	    [CLASS_LIVE] = "live",
	    [CLASS_LIVE_FLAP] = "live-flap",
	    [CLASS_HOTPLUG] = "hotplug",
	    [CLASS_PENDING] = "pending",
	    [CLASS_SILENT] = "silent",
	    [CLASS_ACTION] = "action",
	};
	MUST((size_t)c < CLASS__MAX);
	return words[c];
}

const char *schema_type_word(enum attr_type t)
{
	static const char *const words[ATTR_TYPE__MAX] = {
	    [ATTR_BOOL] = "true or false",
	    [ATTR_INT] = "a whole number",
	    [ATTR_NUM] = "a number",
	    [ATTR_STR] = "a text",
	    [ATTR_ENUM] = "a word",
	    [ATTR_SET] = "a list",
	    [ATTR_DUR] = "a duration",
	    [ATTR_TIME] = "a time",
	};
	MUST((size_t)t < ATTR_TYPE__MAX);
	return words[t];
}

/* ---- judging values ---- */

static enum value_type value_type_of(enum attr_type t)
{
	switch (t) {
	case ATTR_BOOL:
		return VALUE_BOOL;
	case ATTR_INT:
		return VALUE_INT;
	case ATTR_NUM:
		return VALUE_NUM;
	case ATTR_STR:
	case ATTR_ENUM:
	case ATTR_TIME:
		return VALUE_STR;
	case ATTR_SET:
		return VALUE_SET;
	case ATTR_DUR:
		return VALUE_DUR;
	case ATTR_TYPE__MAX:
		break;
	}
	return VALUE_ABSENT;
}

static void say(char **ret, char *text)
{
	if (ret)
		*ret = text;
	else
		free(text);
}

static char *limit_text(const struct attr *a, double v)
{
	return a->type == ATTR_DUR ? value_print_duration((int64_t)v) : text_from_num(v);
}

static enum schema_verdict judge_range(
    const struct attr *a, double v, const char *unit, char **ret_why, char **ret_hint)
{
	if (v >= a->min && v <= a->max)
		return SCHEMA_OK;
	_cleanup_str_ char *shown = limit_text(a, v), *min = limit_text(a, a->min),
			   *max = limit_text(a, a->max);
	say(ret_why, mem_printf("%s%s is %s", shown, unit, v < a->min ? "too small" : "too large"));
	say(ret_hint, mem_printf("possible is %s to %s%s", min, max, unit));
	return SCHEMA_RANGE;
}

static size_t count_chars(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void split_choices(const struct attr *a, struct strs *ret)
{
	if (text_split(a->choices, "|", true, SET_ITEMS_MAX, ret) != 0)
		MUST(false);
}

bool schema_is_choice(const struct attr *a, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = a->choices; p && len > 0;) {
		size_t n = strcspn(p, "|");
		if (n == len && memcmp(p, word, n) == 0)
			return true;
		p = p[n] ? p + n + 1 : NULL;
	}
	return false;
}

static enum schema_verdict judge_choice(
    const struct attr *a, const char *word, char **ret_why, char **ret_hint)
{
	if (schema_is_choice(a, word))
		return SCHEMA_OK;
	struct strs l = {0};
	split_choices(a, &l);
	_cleanup_str_ char *shown = text_oneline(word, 60), *all = strs_join(&l, ", ");
	const char *near = text_nearest(word, (const char *const *)l.v, l.n);
	say(ret_why, mem_printf("\"%s\" is not possible here", shown));
	if (near)
		say(ret_hint, mem_printf("did you mean %s? possible: %s", near, all));
	else
		say(ret_hint, mem_printf("possible: %s", all));
	strs_fini(&l);
	return SCHEMA_CHOICE;
}

enum schema_verdict schema_judge_item(
    const struct attr *a, const char *item, char **ret_why, char **ret_hint)
{
	return form_check(a->format, item, ret_why, ret_hint) ? SCHEMA_OK : SCHEMA_FORM;
}

static enum schema_verdict judge_set(
    const struct attr *a, const struct strs *set, char **ret_why, char **ret_hint)
{
	enum schema_verdict v = judge_range(a, (double)set->n, " entries", ret_why, ret_hint);
	for (size_t i = 0; i < set->n && v == SCHEMA_OK; i++)
		v = schema_judge_item(a, set->v[i], ret_why, ret_hint);
	return v;
}

enum schema_verdict schema_judge(
    const struct attr *a, const struct value *v, char **ret_why, char **ret_hint)
{
	if (ret_why)
		*ret_why = NULL;
	if (ret_hint)
		*ret_hint = NULL;
	if (v->type == VALUE_NULL) {
		if (a->flags & ATTR_NULLABLE)
			return SCHEMA_OK;
		say(ret_why, mem_strdup("null is not possible here"));
		say(ret_hint, a->flags & ATTR_REQUIRED
				  ? mem_printf("give it a value such as %s", a->example)
				  : mem_strdup("leave the key out to stop managing it"));
		return SCHEMA_NULL;
	}
	if (v->type != value_type_of(a->type)) {
		say(ret_why, mem_printf("is not %s", schema_type_word(a->type)));
		return SCHEMA_TYPE;
	}
	switch (a->type) {
	case ATTR_BOOL:
		return SCHEMA_OK;
	case ATTR_INT:
	case ATTR_DUR:
		return judge_range(a, (double)v->i, "", ret_why, ret_hint);
	case ATTR_NUM:
		return judge_range(a, v->n, "", ret_why, ret_hint);
	case ATTR_ENUM:
		return judge_choice(a, v->s, ret_why, ret_hint);
	case ATTR_STR:
	case ATTR_TIME: {
		size_t n = count_chars(v->s);
		enum schema_verdict r = SCHEMA_OK;
		if (a->max > 0 && (n == 0 || (double)n > a->max))
			r = judge_range(a, (double)n, " characters", ret_why, ret_hint);
		if (r == SCHEMA_OK && !form_check(a->format, v->s, ret_why, ret_hint))
			r = SCHEMA_FORM;
		if (r == SCHEMA_OK && a->max > 0)
			r = judge_range(a, (double)n, " characters", ret_why, ret_hint);
		return r;
	}
	case ATTR_SET:
		return judge_set(a, &v->set, ret_why, ret_hint);
	case ATTR_TYPE__MAX:
		break;
	}
	return SCHEMA_TYPE;
}

bool schema_accepts(const struct attr *a, const struct value *v)
{
	return schema_judge(a, v, NULL, NULL) == SCHEMA_OK;
}

char *schema_canon_item(const struct attr *a, const char *item)
{
	if (a->flags & ATTR_NOCASE)
		return text_lower(item);
	if (a->format != FMT_VLAN_RANGE && a->format != FMT_CPU_RANGE)
		return mem_strdup(item);
	char *end;
	long from = strtol(item, &end, 10), to = *end == '-' ? strtol(end + 1, NULL, 10) : from;
	return from == to ? mem_printf("%ld", from) : mem_printf("%ld-%ld", from, to);
}

/* ---- values from text ---- */

static int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = {"1", "true", "yes", "on"};
	static const char *const no[] = {"0", "false", "no", "off"};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (text_eq_nocase(s, yes[i]) || text_eq_nocase(s, no[i])) {
			*ret = text_eq_nocase(s, yes[i]);
			return 0;
		}
	}
	return -1;
}

static int parse_set(const struct attr *a, const char *text, struct strs *ret)
{
	/* PVE separates tags by any of these; of all others only SSH keys have blanks. */
	bool blanks = a->format == FMT_SSH_KEY;
	char seps[] = {
	    a->sep ? a->sep : ';', blanks ? '\n' : ',', blanks ? '\n' : ' ', '\t', '\n', '\0'};
	struct strs raw = {0};
	size_t len = strlen(text);
	bool flow = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	_cleanup_str_ char *inner = flow ? mem_strndup(text + 1, len - 2) : mem_strdup(text);
	if (text_split(inner, seps, true, SET_ITEMS_MAX, &raw) != 0)
		return -1;
	struct strs set = {0};
	for (size_t i = 0; i < raw.n; i++)
		strs_add_take(&set, schema_canon_item(a, raw.v[i]));
	strs_fini(&raw);
	if (!(a->flags & ATTR_ORDERED))
		strs_sort_unique(&set);
	*ret = set;
	return 0;
}

int schema_parse_value(const struct attr *a, const char *text, struct value *ret)
{
	struct value v = {.type = value_type_of(a->type)};
	int rc = -1;
	switch (a->type) {
	case ATTR_BOOL:
		rc = parse_bool(text, &v.b);
		break;
	case ATTR_INT:
		rc = text_to_int(text, INT64_MIN / 2, INT64_MAX / 2, &v.i);
		break;
	case ATTR_NUM:
		rc = text_to_num(text, &v.n);
		break;
	case ATTR_STR:
	case ATTR_ENUM:
	case ATTR_TIME:
		v.s = mem_strdup(text);
		rc = 0;
		break;
	case ATTR_SET:
		rc = parse_set(a, text, &v.set);
		break;
	case ATTR_DUR:
		rc = value_parse_duration(text, &v.i);
		break;
	case ATTR_TYPE__MAX:
		break;
	}
	if (rc != 0)
		return -1;
	*ret = v;
	return 0;
}

/* ---- the table against itself ---- */

static bool needs_part(enum attr_codec c)
{
	switch (c) {
	case CODEC_NONE:
	case CODEC_SCALAR:
	case CODEC_LIST:
	case CODEC_TAGS:
	case CODEC_DESCRIPTION:
	case CODEC_BOOT:
	case CODEC_HOTPLUG:
	case CODEC_SSH_KEYS:
	case CODEC_SECRET:
	case CODEC__MAX:
		return false;
	case CODEC_PART:
	case CODEC_PART_LIST:
	case CODEC_LEAD:
	case CODEC_CDROM:
	case CODEC_NIC_MODEL:
	case CODEC_NIC_MAC:
	case CODEC_DRIVE_SIZE:
	case CODEC_DRIVE_STORE:
	case CODEC_DRIVE_FORMAT:
	case CODEC_BASE64:
		return true;
	}
	return false;
}

static const char *check_row(const struct attr *a)
{
	if (!a->path || !a->brief || !*a->brief || !a->doc || !*a->doc || !a->example)
		return "lacks path, brief, doc or example";
	if (a->min > a->max)
		return "has limits that run backwards";
	if ((a->type == ATTR_ENUM) != (a->choices != NULL))
		return "has choices without being a word, or the reverse";
	if ((a->type == ATTR_INT || a->type == ATTR_NUM || a->type == ATTR_SET) && a->max <= 0)
		return "has no upper limit";
	if ((a->codec == CODEC_NONE) != (a->key == NULL))
		return "has a codec without key, or the reverse";
	if (needs_part(a->codec) != (a->part != NULL))
		return "has a part without need, or none";
	bool has_slot = strchr(a->path, '*') != NULL;
	if (a->key && has_slot != (strcmp(a->key, "*") == 0))
		return "has a key that does not follow the slot";
	if (a->class != CLASS_SILENT && (a->class == CLASS_HOTPLUG) != (a->hotplug != NULL))
		return "has a hotplug word without the class, or the reverse";
	if ((a->type == ATTR_SET) != (a->sep != 0))
		return "has a separator without being a list, or the reverse";
	if ((a->flags & ATTR_NULLABLE) && (a->codec == CODEC_NONE || (a->flags & ATTR_REQUIRED)))
		return "cannot be null";
	if (a->key && !(a->flags & ATTR_ROOT_ONLY) && !a->privilege)
		return "names no privilege";
	return NULL;
}

static const char *check_default(const struct attr *a)
{
	struct value v;
	if (!a->deflt)
		return NULL;
	if (schema_parse_value(a, a->deflt, &v) != 0)
		return "has a default of another type";
	bool ok = schema_accepts(a, &v);
	value_fini(&v);
	return ok ? NULL : "has a default that it refuses";
}

char *schema_self_check(void)
{
	for (size_t i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = &attrs[i];
		const char *wrong = check_row(a);
		if (!wrong)
			wrong = check_default(a);
		const char *key = schema_key(a);
		_cleanup_str_ char *block =
		    mem_strndup(a->path, key == a->path ? 0 : (size_t)(key - a->path - 1));
		if (!wrong && !schema_block(block))
			wrong = "stands in a block that is not listed";
		if (!wrong && schema_find(block, key) != a)
			wrong = "stands there twice";
		if (wrong)
			return mem_printf("attribute %s %s", a->path, wrong);
	}
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (!schema_find(aliases[i].block, aliases[i].key) ||
		    schema_find(aliases[i].block, aliases[i].old))
			return mem_printf("alias %s.%s is wrong", aliases[i].block, aliases[i].old);
	return NULL;
}
