#include "keyhint.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "pvekeys.h"

#define PLACES_SHOWN 4
#define SHOWN_CHARS 40

static const struct keyhint_word words[] = {
#define KEYWORD(word, path) {word, path},
#include "keywords.def"
#undef KEYWORD
};

size_t keyhint_words(const struct keyhint_word **ret)
{
	*ret = words;
	return ARRAY_LEN(words);
}

/* ---- the table ---- */

/* Keys of a block, sub-blocks without their `.*` included. */
static void known_keys(const char *block, struct strs *ret)
{
	const struct attr_block *blocks;
	size_t n = schema_blocks(&blocks);

	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (schema_is_in(a, block))
			strs_add(ret, schema_key(a));
	}
	for (size_t i = 0; i < n; i++) {
		char *key = NULL;
		if (schema_block_is_in(&blocks[i], block, &key))
			strs_add_take(ret, key);
	}
}

static bool is_known(const char *block, const char *key)
{
	_cleanup_strs_ struct strs known = {0};
	known_keys(block, &known);
	return strs_has(&known, key);
}

/* A slot that stands for all of a block: net0, scsi0. */
static char *some_slot(const struct attr_block *b)
{
	char *word = form_slot_word(b->slot_format);
	if (!word)
		return mem_strdup("scsi0");
	word[strlen(word) - 1] = '0';
	return word;
}

/* The path as a person would write it: network.net0.tag. */
static char *shown_path(const struct attr *a)
{
	const struct attr_block *b = schema_slot_block(a);
	_cleanup_str_ char *slot = b ? some_slot(b) : NULL;
	return schema_path(a, slot);
}

static const struct attr *attr_of_path(const char *path)
{
	for (int id = 0; id < ATTR_ID__MAX; id++)
		if (strcmp(schema_attr((enum attr_id)id)->path, path) == 0)
			return schema_attr((enum attr_id)id);
	return NULL;
}

static char *point_to(const char *block, const struct attr *a)
{
	if (schema_is_in(a, block))
		return mem_printf("did you mean %s?", schema_key(a));
	_cleanup_str_ char *path = shown_path(a);
	return mem_printf("there is %s: move it there", path);
}

/* ---- kinds of mistakes ---- */

/* Characters that look like a blank or like nothing, and are part of a word to YAML. */
static int32_t false_blank(const char *key)
{
	for (size_t len, left = strlen(key); left > 0; key += len, left -= len) {
		int32_t c = text_codepoint(key, left, &len);
		if (c == 0xA0 || (c >= 0x2000 && c <= 0x200F) || c == 0x202F || c == 0x205F ||
		    c == 0x2060 || c == 0x3000 || c == 0xFEFF)
			return c;
	}
	return 0;
}

/* "cores:2" and "cores 2". */
static char *of_punctuation(const char *block, const char *key)
{
	int32_t odd = false_blank(key);
	if (odd)
		return mem_printf("it has the character U+%04X, which looks like a blank and is "
				  "none: write an ordinary blank",
		    (unsigned)odd);
	size_t n = strcspn(key, ": ");
	if (!n || !key[n])
		return NULL;
	_cleanup_str_ char *first = mem_strndup(key, n);
	if (!is_known(block, first))
		return NULL;
	_cleanup_str_ char *rest = text_oneline(key + n + 1, SHOWN_CHARS);
	return mem_printf("put a %s: %s: %s",
	    key[n] == ':' ? "blank behind the colon" : "colon behind it", first, rest);
}

/* "cpu.cores: 4" */
static char *of_dots(const char *block, const char *key)
{
	_cleanup_str_ char *slot = NULL,
			   *path = mem_printf("%s%s%s", block, *block ? "." : "", key);
	const struct attr *a = strchr(key, '.') ? schema_find_path(path, &slot) : NULL;
	if (!a)
		return NULL;
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "write it as blocks: ");
	size_t depth = 0;
	for (const char *p = key; *p; depth++) {
		size_t n = strcspn(p, ".");
		buf_addf(&b, "%s%.*s: ", depth ? "{ " : "", (int)n, p);
		p += n + (p[n] == '.');
	}
	buf_adds(&b, a->example);
	for (size_t i = 1; i < depth; i++)
		buf_adds(&b, " }");
	return buf_take(&b);
}

/* net0 outside of network. */
static char *of_slot(const char *block, const char *key)
{
	const struct attr_block *blocks;
	size_t n = schema_blocks(&blocks);
	for (size_t i = 0; i < n; i++) {
		const struct attr_block *b = &blocks[i];
		if (b->slot_format == FMT_ANY || strcmp(b->path, block) == 0 ||
		    !form_check(b->slot_format, key, NULL, NULL))
			continue;
		_cleanup_str_ char *outer = mem_strndup(b->path, strlen(b->path) - 2);
		return mem_printf("slots such as %s belong below %s", key, outer);
	}
	return NULL;
}

/* PVE's name of a setting: the key itself, or what leads its value or stands in it. */
static bool has_pve_name(const struct attr *a, const char *key, bool parts)
{
	if (!a->key)
		return false;
	if (strcmp(a->key, key) == 0)
		return a->codec != CODEC_PART && a->codec != CODEC_PART_LIST;
	if (!parts || !a->part)
		return false;
	size_t n = strcspn(a->part, "|");
	return strlen(key) == n && memcmp(a->part, key, n) == 0;
}

static char *of_pve_name(const char *block, const char *key, bool here)
{
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (schema_is_in(a, block) != here || !has_pve_name(a, key, here && *block))
			continue;
		_cleanup_str_ char *path = here ? mem_strdup(schema_key(a)) : shown_path(a);
		return mem_printf("PVE's %s is %s here", key, path);
	}
	return NULL;
}

static char *of_word(const char *block, const char *key)
{
	const struct attr *first = NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i].word, key) != 0)
			continue;
		const struct attr *a = attr_of_path(words[i].path);
		if (a && schema_is_in(a, block))
			return point_to(block, a);
		if (!first)
			first = a;
	}
	return first ? point_to(block, first) : NULL;
}

static bool has_words(const char *long_one, const char *short_one)
{
	_cleanup_str_ char *a = mem_printf("_%s_", long_one), *b = mem_printf("_%s_", short_one);
	return strstr(a, b) != NULL;
}

/* "size" for size_gb, "node_names_pve" for nothing: the only key that has these words. */
static const char *by_words(const char *key, const struct strs *known)
{
	const char *found = NULL;
	for (size_t i = 0; i < known->n; i++) {
		if (!*key || (!has_words(known->v[i], key) && !has_words(key, known->v[i])))
			continue;
		if (found)
			return NULL;
		found = known->v[i];
	}
	return found;
}

/* Blocks that have a key of this name. */
static char *of_elsewhere(const char *key)
{
	_cleanup_strs_ struct strs paths = {0};
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (strcmp(schema_key(a), key) == 0)
			strs_add_take(&paths, shown_path(a));
	}
	if (paths.n == 0)
		return NULL;
	if (paths.n == 1)
		return mem_printf("there is %s: move it there", paths.v[0]);
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < paths.n && i < PLACES_SHOWN; i++)
		buf_addf(&b, "%s%s", i ? ", " : "move it to where it belongs: ", paths.v[i]);
	if (paths.n > PLACES_SHOWN)
		buf_adds(&b, ", …");
	return buf_take(&b);
}

/* What PVE has and a manifest has not. */
static char *of_unmanaged(const char *key)
{
	const struct pvekey *all;
	size_t n = pvekeys_all(&all);
	for (size_t i = 0; i < n; i++)
		if (all[i].kind != PVEKEYS_SETTING && strcmp(all[i].name, key) == 0)
			return mem_printf("leave it out: to PVE it is no setting (%s)", all[i].why);
	return NULL;
}

static char *of_list(const struct strs *known)
{
	_cleanup_str_ char *all = strs_join(known, ", ");
	return mem_printf("possible: %s", all);
}

/* ---- */

static char *of_near(const char *key, const struct strs *known)
{
	const char *near = text_nearest(key, (const char *const *)known->v, known->n);
	return near ? mem_printf("did you mean %s?", near) : NULL;
}

static char *of_part(const char *key, const struct strs *known)
{
	const char *near = by_words(key, known);
	return near ? mem_printf("did you mean %s?", near) : NULL;
}

/* Another block, or none. */
static char *of_others(const char *block, const char *key, const struct strs *known)
{
	/* Of other things than slots it is their value that is null. */
	if (strcmp(block, "delete") == 0) {
		_cleanup_str_ char *all = of_list(known);
		return mem_printf(
		    "%s; what else is to be absent is set to null in its own place", all);
	}
	char *hint = of_elsewhere(key);
	if (!hint)
		hint = of_part(key, known);
	if (!hint)
		hint = of_pve_name(block, key, false);
	if (!hint)
		hint = of_unmanaged(key);
	return hint ? hint : of_list(known);
}

char *keyhint_of(const char *block, const char *key)
{
	_cleanup_strs_ struct strs known = {0};
	char *hint = of_punctuation(block, key);

	known_keys(block, &known);
	if (!hint)
		hint = of_dots(block, key);
	if (!hint)
		hint = of_slot(block, key);
	if (!hint)
		hint = of_pve_name(block, key, true);
	if (!hint)
		hint = of_word(block, key);
	if (!hint)
		hint = of_near(key, &known);
	return hint ? hint : of_others(block, key, &known);
}

char *keyhint_example(const struct attr_block *b)
{
	const struct attr_block *blocks;
	size_t n = schema_blocks(&blocks);
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (schema_is_in(a, b->path) && a->format != FMT_VOLUME)
			return mem_printf("{ %s: %s }", schema_key(a), a->example);
	}
	for (size_t i = 0; i < n; i++) {
		char *key = NULL;
		if (!schema_block_is_in(&blocks[i], b->path, &key))
			continue;
		_cleanup_str_ char *name = key, *inner = keyhint_example(&blocks[i]);
		return mem_printf("{ %s: %s }", name, inner);
	}
	return mem_strdup("{}");
}

char *keyhint_example_slot(const struct attr_block *b)
{
	_cleanup_str_ char *slot = some_slot(b), *inner = keyhint_example(b);
	return mem_printf("{ %s: %s }", slot, inner);
}

char *keyhint_of_frame(const char *key, const char *const *known, size_t n)
{
	_cleanup_strs_ struct strs keys = {0};
	const char *near = text_nearest(key, known, n);
	if (near)
		return mem_printf("did you mean %s?", near);
	if (is_known("", key))
		return mem_printf("it belongs below spec: indent it there");
	for (size_t i = 0; i < n; i++)
		strs_add(&keys, known[i]);
	return of_list(&keys);
}
