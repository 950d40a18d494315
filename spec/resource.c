#include "resource.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct resource *resource_new(void)
{
	struct resource *r = mem_alloc(sizeof(*r));
	r->refs = 1;
	return r;
}

/* The count is no part of what is sealed. */
struct resource *resource_ref(const struct resource *r)
{
	struct resource *mine = (struct resource *)(uintptr_t)r;
	mine->refs += mine->refs ? 1 : 2; /* one made by hand counts as held once */
	return mine;
}

void resource_unref(struct resource **pr)
{
	struct resource *r = *pr;
	*pr = NULL;
	if (!r || (r->refs > 1 && r->refs--))
		return;
	for (size_t i = 0; i < r->n_leaves; i++) {
		free(r->leaves[i].slot);
		value_fini(&r->leaves[i].value);
		free(r->leaves[i].item_marks);
	}
	free(r->leaves);
	strs_fini(&r->slots);
	free(r->slot_marks);
	free(r->name);
	free(r->file);
	free(r->renamed_from);
	free(r->adopt);
	strs_fini(&r->leave_unused);
	free(r);
}

void resource_free(struct resource **r)
{
	resource_unref(r);
}

int resource_compare_slots(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	size_t len_a = strcspn(a, "0123456789"), len_b = strcspn(b, "0123456789");
	int c = strncmp(a, b, len_a < len_b ? len_a : len_b);
	if (c != 0 || len_a != len_b)
		return c != 0 ? c : len_a < len_b ? -1 : 1;
	/* numbers without zeros in front: the longer one is larger */
	size_t n_a = strlen(a), n_b = strlen(b);
	return n_a != n_b ? (n_a < n_b ? -1 : 1) : strcmp(a, b);
}

static int compare_leaves(const void *pa, const void *pb)
{
	const struct leaf *a = pa, *b = pb;
	if (a->attr->id != b->attr->id)
		return a->attr->id < b->attr->id ? -1 : 1;
	return resource_compare_slots(a->slot, b->slot);
}

/* Length first, so that no two lists of texts look alike. */
static void add_text(struct buf *b, const char *s)
{
	buf_addf(b, "%zu:", s ? strlen(s) : (size_t)0);
	buf_adds(b, s);
}

struct slot_ref {
	char *path;
	struct mark mark;
};

static int compare_refs(const void *pa, const void *pb)
{
	const struct slot_ref *a = pa, *b = pb;
	return strcmp(a->path, b->path);
}

static void sort_slots(struct resource *r)
{
	struct slot_ref *refs = mem_calloc(r->slots.n, sizeof(*refs));
	for (size_t i = 0; i < r->slots.n; i++)
		refs[i] = (struct slot_ref){
		    r->slots.v[i], r->slot_marks ? r->slot_marks[i] : (struct mark){0}};
	if (r->slots.n > 1)
		qsort(refs, r->slots.n, sizeof(*refs), compare_refs);
	if (!r->slot_marks)
		r->slot_marks = mem_calloc(r->slots.n, sizeof(*r->slot_marks));
	for (size_t i = 0; i < r->slots.n; i++) {
		r->slots.v[i] = refs[i].path;
		r->slot_marks[i] = refs[i].mark;
	}
	free(refs);
}

void resource_seal(struct resource *r)
{
	if (r->n_leaves > 1)
		qsort(r->leaves, r->n_leaves, sizeof(*r->leaves), compare_leaves);
	sort_slots(r);

	_cleanup_buf_ struct buf b;
	buf_init(&b, 0);
	add_text(&b, r->name);
	add_text(&b, r->renamed_from);
	add_text(&b, r->adopt);
	for (size_t i = 0; i < r->leave_unused.n; i++)
		add_text(&b, r->leave_unused.v[i]);
	for (size_t i = 0; i < r->slots.n; i++)
		add_text(&b, r->slots.v[i]);
	for (size_t i = 0; i < r->n_leaves; i++) {
		const struct leaf *l = &r->leaves[i];
		_cleanup_str_ char *value = value_print_yaml(&l->value);
		add_text(&b, l->attr->path);
		add_text(&b, l->slot);
		add_text(&b, value);
	}
	MUST(!b.overflow);
	crypt_sha256_hex(buf_str(&b), b.len, r->hash);
}

const struct leaf *resource_find(const struct resource *r, enum attr_id id, const char *slot)
{
	for (size_t i = 0; i < r->n_leaves && r->leaves[i].attr->id <= id; i++)
		if (r->leaves[i].attr->id == id && text_eq(r->leaves[i].slot, slot))
			return &r->leaves[i];
	return NULL;
}

static const struct value *find_value(
    const struct resource *r, enum attr_id id, enum value_type type)
{
	const struct leaf *l = resource_find(r, id, NULL);
	return l && l->value.type == type ? &l->value : NULL;
}

/* The default of the table; false when there is none of that type. */
static bool default_value(enum attr_id id, enum value_type type, struct value *ret)
{
	const struct attr *a = schema_attr(id);
	if (!a->deflt || schema_parse_value(a, a->deflt, ret) != 0)
		return false;
	if (ret->type == type)
		return true;
	value_fini(ret);
	return false;
}

bool resource_bool(const struct resource *r, enum attr_id id)
{
	const struct value *v = find_value(r, id, VALUE_BOOL);
	struct value d;
	return v ? v->b : default_value(id, VALUE_BOOL, &d) && d.b;
}

int64_t resource_int(const struct resource *r, enum attr_id id)
{
	enum value_type type = schema_attr(id)->type == ATTR_DUR ? VALUE_DUR : VALUE_INT;
	const struct value *v = find_value(r, id, type);
	struct value d;
	if (v)
		return v->i;
	return default_value(id, type, &d) ? d.i : 0;
}

const char *resource_str(const struct resource *r, enum attr_id id)
{
	const struct value *v = find_value(r, id, VALUE_STR);
	return v ? v->s : schema_attr(id)->deflt;
}

const struct strs *resource_set(const struct resource *r, enum attr_id id)
{
	const struct value *v = find_value(r, id, VALUE_SET);
	return v ? &v->set : NULL;
}

bool resource_is_listed(const struct resource *r, enum attr_id id)
{
	return resource_find(r, id, NULL) != NULL;
}

const struct mark *resource_slot_mark(const struct resource *r, const char *block, const char *slot)
{
	_cleanup_str_ char *path = mem_printf("%s.%s", block, slot);
	for (size_t i = 0; i < r->slots.n; i++)
		if (strcmp(r->slots.v[i], path) == 0)
			return &r->slot_marks[i];
	return NULL;
}

bool resource_has_slot(const struct resource *r, const char *block, const char *slot)
{
	return resource_slot_mark(r, block, slot) != NULL;
}
