#include "decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyhint.h"
#include "nodeval.h"

#define LEAVE_UNUSED_MAX 256

struct decoder {
	const char *file;
	struct diags *diags;
	struct resource *r;
	size_t leaves_cap, marks_cap;
};

static struct diag *complain(
    struct decoder *d, enum diag_code code, struct mark mark, const char *fmt, ...) PRINTF(4, 5);

static struct diag *complain(
    struct decoder *d, enum diag_code code, struct mark mark, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *text = mem_vprintf(fmt, ap);
	va_end(ap);
	return diags_add(d->diags, code, d->file, mark, "%s", text);
}

static void unknown_key(
    struct decoder *d, const char *path, const char *key, struct mark mark, char *hint)
{
	_cleanup_str_ char *text = hint;
	struct diag *f = complain(
	    d, DIAG_UNKNOWN_KEY, mark, "%s has no key %s", *path ? path : "the document", key);
	if (text)
		diag_hint(f, "%s", text);
}

/* Of the frame around spec. */
static void unknown_frame_key(struct decoder *d, const char *path, const char *key,
    struct mark mark, const char *const *known, size_t n)
{
	bool full = diags_is_full(d->diags); /* nobody would see the hint */
	unknown_key(d, path, key, mark, full ? NULL : keyhint_of_frame(key, known, n));
}

/* A block of keys, or a finding. */
static bool is_block(struct decoder *d, const char *path, struct mark key, const struct ynode *n,
    char *(*example)(const struct attr_block *b), const struct attr_block *b)
{
	if (n->kind == YNODE_MAP)
		return true;
	if (ynode_is_null(n)) {
		struct diag *f = complain(d, DIAG_EMPTY_VALUE, key, "%s has no value", path);
		diag_hint(f, "write its keys, or leave it out; only single values can be null");
		return false;
	}
	struct diag *f =
	    complain(d, DIAG_WRONG_TYPE, n->mark, "%s: wants a block of keys and values", path);
	if (!example) {
		diag_hint(f, "put each key into a line of its own, indented below %s", path);
		return false;
	}
	const char *dot = strrchr(path, '.');
	_cleanup_str_ char *text = example(b);
	diag_hint(f, "such as %s: %s", dot ? dot + 1 : path, text);
	return false;
}

/* ---- spec ---- */

struct place {
	const char *block; /* of the table: "network.*" */
	const char *slot;  /* or NULL */
	const char *path;  /* for people: "network.net0" */
};

/* "network.*" is written as the key network. */
static const struct attr_block *find_sub_block(const char *block, const char *key)
{
	if (!*key || strpbrk(key, ".*"))
		return NULL;
	_cleanup_str_ char *path = mem_printf("%s%s%s", block, *block ? "." : "", key);
	const struct attr_block *b = schema_block(path);
	if (b)
		return b;
	_cleanup_str_ char *starred = mem_printf("%s.*", path);
	return schema_block(starred);
}

static void add_leaf(struct decoder *d, struct leaf leaf)
{
	struct resource *r = d->r;
	MEM_PUSH_ROOM(r->leaves, r->n_leaves, d->leaves_cap);
	r->leaves[r->n_leaves++] = leaf;
}

static void decode_leaf(struct decoder *d, const struct place *at, const struct attr *a,
    struct mark key_mark, const struct ynode *n)
{
	_cleanup_str_ char *path = schema_path(a, at->slot);
	struct nodeval_place place = {
	    .file = d->file, .path = path, .key = key_mark, .node = n, .diags = d->diags};
	struct leaf leaf = {.attr = a, .mark = n->mark};
	if (nodeval_decode(a, &place, &leaf.value, &leaf.item_marks) != 0)
		return;
	leaf.slot = mem_strdup(at->slot);
	add_leaf(d, leaf);
}

/* An old name counts as the new one, with a warning. */
static const struct attr *find_attr(
    struct decoder *d, const struct place *at, const struct ynode *map, size_t i)
{
	const struct attr *a = schema_find(at->block, map->keys[i]);
	const char *newer = a ? NULL : schema_alias(at->block, map->keys[i]);
	if (!newer)
		return a;
	a = schema_find(at->block, newer);
	if (ynode_get(map, newer)) {
		struct diag *f = complain(d, DIAG_DUPLICATE_KEY, map->key_marks[i],
		    "%s.%s is the old name of %s, which is given too", at->path, map->keys[i],
		    newer);
		diag_hint(f, "keep %s alone", newer);
		return a;
	}
	struct diag *f = complain(d, DIAG_DEPRECATED, map->key_marks[i], "%s.%s is called %s now",
	    at->path, map->keys[i], newer);
	diag_hint(f, "rename the key");
	return a;
}

static void find_missing(
    struct decoder *d, const struct place *at, struct mark mark, const struct ynode *map)
{
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (!(a->flags & ATTR_REQUIRED) || !schema_is_in(a, at->block) ||
		    ynode_get(map, schema_key(a)))
			continue;
		struct diag *f = complain(
		    d, DIAG_MISSING_KEY, mark, "%s lacks the key %s", at->path, schema_key(a));
		diag_hint(f, "add %s: %s", schema_key(a), a->example);
	}
}

static void decode_sub(struct decoder *d, const struct place *at, const struct attr_block *b,
    const struct ynode *map, size_t i);

static void decode_block(
    struct decoder *d, const struct place *at, struct mark mark, const struct ynode *map)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct attr_block *b = find_sub_block(at->block, map->keys[i]);
		const struct attr *a = b ? NULL : find_attr(d, at, map, i);
		if (b)
			decode_sub(d, at, b, map, i);
		else if (a)
			decode_leaf(d, at, a, map->key_marks[i], map->items[i]);
		else
			unknown_key(d, at->path, map->keys[i], map->key_marks[i],
			    diags_is_full(d->diags) ? NULL : keyhint_of(at->block, map->keys[i]));
	}
	find_missing(d, at, mark, map);
}

/* A drive that is listed without a medium is to be empty: that default is a wish, not an absence.
 */
static void add_default_medium(
    struct decoder *d, const char *slot, const struct ynode *map, struct mark mark)
{
	const struct attr *a = schema_attr(ATTR_cdrom_file_id);
	if (ynode_get(map, schema_key(a)))
		return;
	struct leaf leaf = {.attr = a, .slot = mem_strdup(slot), .mark = mark};
	MUST(schema_parse_value(a, a->deflt, &leaf.value) == 0);
	add_leaf(d, leaf);
}

static void decode_slots(
    struct decoder *d, const struct attr_block *b, const char *key, const struct ynode *map)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *slot = map->keys[i];
		struct mark mark = map->key_marks[i];
		char *why = NULL, *hint = NULL;
		if (!form_check(b->slot_format, slot, &why, &hint)) {
			struct diag *f = complain(d, DIAG_BAD_SLOT, mark, "%s: %s", key, why);
			diag_hint(f, "%s", hint);
			mem_free_str(&why);
			mem_free_str(&hint);
			continue;
		}
		char *path = mem_printf("%s.%s", key, slot);
		if (is_block(d, path, mark, map->items[i], keyhint_example, b)) {
			struct place at = {b->path, slot, path};
			decode_block(d, &at, mark, map->items[i]);
			if (b->slot_format == FMT_CDROM_SLOT)
				add_default_medium(d, slot, map->items[i], mark);
		}
		struct resource *r = d->r;
		MEM_PUSH_ROOM(r->slot_marks, r->slots.n, d->marks_cap);
		r->slot_marks[r->slots.n] = mark;
		strs_add_take(&r->slots, path);
	}
}

static void decode_sub(struct decoder *d, const struct place *at, const struct attr_block *b,
    const struct ynode *map, size_t i)
{
	const char *key = map->keys[i];
	_cleanup_str_ char *path =
	    *at->block ? mem_printf("%s.%s", at->path, key) : mem_strdup(key);
	bool slots = text_ends(b->path, ".*");
	if (!is_block(d, path, map->key_marks[i], map->items[i],
		slots ? keyhint_example_slot : keyhint_example, b))
		return;
	struct place in = {b->path, at->slot, path};
	if (slots)
		decode_slots(d, b, path, map->items[i]);
	else
		decode_block(d, &in, map->key_marks[i], map->items[i]);
}

/* The required keys of a block with examples. */
static char *least_of(const char *block)
{
	struct buf b;
	buf_init(&b, 0);
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if ((a->flags & ATTR_REQUIRED) && schema_is_in(a, block))
			buf_addf(&b, "%s%s: %s", b.len ? ", " : "", schema_key(a), a->example);
	}
	return b.data ? buf_take(&b) : mem_strdup("");
}

static void decode_spec(struct decoder *d, struct mark mark, const struct ynode *map)
{
	const struct place top = {"", NULL, "spec"};
	const struct attr_block *blocks;

	decode_block(d, &top, mark, map);
	size_t n = schema_blocks(&blocks);
	for (size_t i = 0; i < n; i++) {
		if (!blocks[i].required || !*blocks[i].path || ynode_get(map, blocks[i].path))
			continue;
		struct diag *f =
		    complain(d, DIAG_MISSING_KEY, mark, "spec lacks the block %s", blocks[i].path);
		_cleanup_str_ char *least = least_of(blocks[i].path);
		diag_hint(f, "add %s: { %s }", blocks[i].path, least);
	}
}

/* ---- metadata ---- */

/* A text of the frame with its form; "" stands for none where that is allowed. */
static char *decode_text(
    struct decoder *d, const char *path, enum attr_format form, const struct ynode *map, size_t i)
{
	struct nodeval_place at = {.file = d->file,
	    .path = path,
	    .key = map->key_marks[i],
	    .node = map->items[i],
	    .diags = d->diags};
	const char *text = nodeval_text(&at);
	_cleanup_str_ char *why = NULL, *hint = NULL;
	if (!text)
		return NULL;
	if (form_check(form, text, &why, &hint))
		return mem_strdup(text);
	struct diag *f = complain(d, DIAG_BAD_VALUE, map->items[i]->mark, "%s: %s", path, why);
	if (hint)
		diag_hint(f, "%s", hint);
	return NULL;
}

/* Volumes with commas between them. */
static void decode_volumes(
    struct decoder *d, const char *key, const struct ynode *map, size_t i, struct strs *ret)
{
	_cleanup_str_ char *text = decode_text(d, key, FMT_TEXT, map, i);
	_cleanup_strs_ struct strs all = {0};

	if (!text)
		return;
	if (text_split(text, ", ", true, LEAVE_UNUSED_MAX, &all) < 0) {
		complain(d, DIAG_BAD_VALUE, map->items[i]->mark, "%s: more than %d volumes", key,
		    LEAVE_UNUSED_MAX);
		return;
	}
	for (size_t k = 0; k < all.n; k++) {
		_cleanup_str_ char *why = NULL, *hint = NULL;
		if (form_check(FMT_VOLUME, all.v[k], &why, &hint)) {
			strs_add(ret, all.v[k]);
			continue;
		}
		struct diag *f =
		    complain(d, DIAG_BAD_VALUE, map->items[i]->mark, "%s: %s", key, why);
		if (hint)
			diag_hint(f, "%s", hint);
	}
	strs_sort_unique(ret);
}

static void decode_annotations(struct decoder *d, const struct ynode *map)
{
	static const char *const ours[] = {DECODE_RENAMED_FROM, DECODE_ADOPT, DECODE_LEAVE_UNUSED};
	for (size_t i = 0; i < map->n; i++) {
		const char *key = map->keys[i];
		const struct ynode *n = map->items[i];
		bool empty = n->kind == YNODE_SCALAR && !n->plain && !*n->text;
		bool renamed = strcmp(key, DECODE_RENAMED_FROM) == 0;
		bool adopt = strcmp(key, DECODE_ADOPT) == 0;
		bool unused = strcmp(key, DECODE_LEAVE_UNUSED) == 0;
		if (!renamed && !adopt && !unused && text_starts(key, DECODE_GROUP))
			unknown_frame_key(d, "metadata.annotations", key, map->key_marks[i], ours,
			    ARRAY_LEN(ours));
		else if (renamed && !empty)
			d->r->renamed_from = decode_text(d, key, FMT_DNS_LABEL, map, i);
		else if (adopt && !empty)
			d->r->adopt = decode_text(d, key, FMT_UUID, map, i);
		else if (unused && !empty)
			decode_volumes(d, key, map, i, &d->r->leave_unused);
		else if (!empty)
			free(decode_text(d, key, FMT_TEXT, map, i));
	}
}

static void decode_metadata(struct decoder *d, struct mark mark, const struct ynode *map)
{
	static const char *const known[] = {"name", "annotations"};
	bool named = false;
	for (size_t i = 0; i < map->n; i++) {
		const char *key = map->keys[i];
		if (strcmp(key, "name") == 0) {
			named = true;
			d->r->name = decode_text(d, "metadata.name", FMT_DNS_LABEL, map, i);
			d->r->name_mark = map->items[i]->mark;
		} else if (strcmp(key, "annotations") == 0) {
			if (is_block(d, "metadata.annotations", map->key_marks[i], map->items[i],
				NULL, NULL))
				decode_annotations(d, map->items[i]);
		} else {
			unknown_frame_key(
			    d, "metadata", key, map->key_marks[i], known, ARRAY_LEN(known));
		}
	}
	if (!named) {
		struct diag *f = complain(d, DIAG_MISSING_KEY, mark, "metadata lacks the key name");
		diag_hint(f, "add name: with a DNS label that is unique in the repository");
	}
}

/* ---- the document ---- */

static size_t key_index(const struct ynode *map, const char *key)
{
	size_t i = 0;
	while (i < map->n && strcmp(map->keys[i], key) != 0)
		i++;
	return i;
}

/* Whether it is ours, or was meant to be. Groups of others have a dot in them, as each kind of
 * theirs belongs to a domain; so our kind in none is ours. */
static bool is_meant(const struct ynode *root, const char *version)
{
	const struct ynode *kind = ynode_get(root, "kind");
	if (text_starts(version, DECODE_GROUP) || text_distance(version, DECODE_API_VERSION) <= 2)
		return true;
	return kind && kind->kind == YNODE_SCALAR && strcmp(kind->text, DECODE_KIND) == 0 &&
	       !memchr(version, '.', strcspn(version, "/"));
}

/* Ours by its apiVersion; findings when it almost is. */
static enum decode_outcome check_version(struct decoder *d, const struct ynode *root)
{
	size_t i = key_index(root, "apiVersion");
	if (i == root->n) {
		struct diag *f = complain(
		    d, DIAG_MISSING_KEY, root->mark, "the document lacks the key apiVersion");
		diag_hint(f, "add apiVersion: " DECODE_API_VERSION
			     ", or move what is no manifest out of the watched folder");
		return DECODE_BAD;
	}
	struct nodeval_place at = {.file = d->file,
	    .path = "apiVersion",
	    .key = root->key_marks[i],
	    .node = root->items[i],
	    .diags = d->diags};
	const char *version = nodeval_text(&at);
	if (!version)
		return DECODE_BAD;
	if (strcmp(version, DECODE_API_VERSION) == 0)
		return DECODE_OK;
	if (!is_meant(root, version))
		return DECODE_FOREIGN;
	struct diag *f = complain(
	    d, DIAG_UNKNOWN_VERSION, root->items[i]->mark, "apiVersion %s is not known", version);
	diag_hint(f, "this controller reads " DECODE_API_VERSION);
	return DECODE_BAD;
}

static void check_kind(struct decoder *d, const struct ynode *root)
{
	size_t i = key_index(root, "kind");
	if (i == root->n) {
		struct diag *f =
		    complain(d, DIAG_MISSING_KEY, root->mark, "the document lacks the key kind");
		diag_hint(f, "add kind: " DECODE_KIND);
		return;
	}
	struct nodeval_place at = {.file = d->file,
	    .path = "kind",
	    .key = root->key_marks[i],
	    .node = root->items[i],
	    .diags = d->diags};
	const char *kind = nodeval_text(&at);
	if (!kind || strcmp(kind, DECODE_KIND) == 0)
		return;
	struct diag *f =
	    complain(d, DIAG_UNKNOWN_KIND, root->items[i]->mark, "kind %s is not known", kind);
	diag_hint(f, "write kind: " DECODE_KIND);
}

static const struct ynode *find_part(
    struct decoder *d, const struct ynode *root, const char *key, struct mark *ret_mark)
{
	size_t i = key_index(root, key);
	if (i < root->n) {
		*ret_mark = root->key_marks[i];
		return is_block(d, key, *ret_mark, root->items[i], NULL, NULL) ? root->items[i]
									       : NULL;
	}
	struct diag *f =
	    complain(d, DIAG_MISSING_KEY, root->mark, "the document lacks the key %s", key);
	diag_hint(f, "add the block %s", key);
	return NULL;
}

static void decode_root(struct decoder *d, const struct ynode *root)
{
	static const char *const known[] = {"apiVersion", "kind", "metadata", "spec"};
	struct mark mark;
	check_kind(d, root);
	const struct ynode *metadata = find_part(d, root, "metadata", &mark);
	if (metadata)
		decode_metadata(d, mark, metadata);
	const struct ynode *spec = find_part(d, root, "spec", &mark);
	if (spec)
		decode_spec(d, mark, spec);
	for (size_t i = 0; i < root->n; i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(known) && strcmp(known[k], root->keys[i]) != 0)
			k++;
		if (k == ARRAY_LEN(known))
			unknown_frame_key(d, "", root->keys[i], root->key_marks[i], known, k);
	}
}

/* Whose document it is, when nothing else of it can be trusted. */
static char *guess_name(const struct ynode *root)
{
	const struct ynode *name = ynode_get(ynode_get(root, "metadata"), "name");
	if (!name || name->kind != YNODE_SCALAR ||
	    !form_check(FMT_DNS_LABEL, name->text, NULL, NULL))
		return NULL;
	return mem_strdup(name->text);
}

static bool is_foreign(const struct ynode *root)
{
	const struct ynode *v = ynode_get(root, "apiVersion");
	return v && v->kind == YNODE_SCALAR && *v->text && !is_meant(root, v->text);
}

/* A document in which YAML itself went wrong: only its name is of use. */
static enum decode_outcome decode_bad(
    const char *file, const struct ynode *root, size_t doc, struct diags *diags, char **ret_name)
{
	if (root && is_foreign(root)) {
		diags_drop_doc(diags, file, (unsigned)doc + 1);
		return DECODE_FOREIGN;
	}
	char *name = guess_name(root);
	for (size_t i = 0; name && i < diags->n; i++) {
		struct diag *f = &diags->v[i];
		if (f->doc == doc + 1 && !f->object && text_eq(f->file, file))
			f->object = mem_strdup(name);
	}
	*ret_name = name;
	return DECODE_BAD;
}

enum decode_outcome decode_doc(const char *file, const struct ydoc *y, size_t doc,
    struct diags *diags, struct resource **ret, char **ret_name)
{
	const struct ynode *root = ydoc_root(y, doc);
	size_t from = diags->n, errors = diags_errors(diags);
	*ret_name = NULL;
	if (ydoc_is_bad(y, doc))
		return decode_bad(file, root, doc, diags, ret_name);
	if (!root)
		return DECODE_FOREIGN;

	struct decoder d = {.file = file, .diags = diags};
	if (root->kind != YNODE_MAP) {
		struct diag *f = complain(&d, DIAG_NOT_A_MANIFEST, root->mark,
		    "the document is no block of keys and values");
		diag_hint(f, "a manifest begins with apiVersion: " DECODE_API_VERSION);
		return DECODE_BAD;
	}
	enum decode_outcome outcome = check_version(&d, root);
	if (outcome != DECODE_OK) {
		*ret_name = outcome == DECODE_BAD ? guess_name(root) : NULL;
		diags_set_object(diags, from, *ret_name);
		return outcome;
	}
	d.r = resource_new();
	d.r->file = mem_strdup(file);
	d.r->doc = (unsigned)doc;
	d.r->mark = root->mark;
	decode_root(&d, root);
	if (d.r->name)
		*ret_name = mem_strdup(d.r->name);
	diags_set_object(diags, from, d.r->name);
	if (diags_errors(diags) != errors) {
		resource_unref(&d.r);
		return DECODE_BAD;
	}
	resource_seal(d.r);
	*ret = d.r;
	return DECODE_OK;
}
