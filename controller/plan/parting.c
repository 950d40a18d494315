#include "parting.h"

/* Settings that outlive their manifest. */
static const enum attr_id kept[] = {ATTR_protect, ATTR_stop_on_destroy, ATTR_purge_on_destroy,
    ATTR_delete_unreferenced_disks_on_destroy, ATTR_timeouts_delete, ATTR_depends_on,
    ATTR_suspend_reason, ATTR_suspend_owner, ATTR_suspend_until};

#define ITEM_SEP ","

static char *print(const struct value *v)
{
	return v->type == VALUE_SET ? strs_join(&v->set, ITEM_SEP) : value_print(v);
}

void parting_note(const struct resource *want, struct kv *ret)
{
	kv_fini(ret);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const struct leaf *l = resource_find(want, kept[i], NULL);
		_cleanup_str_ char *text = NULL;

		if (!l || l->value.type == VALUE_NULL)
			continue;
		text = print(&l->value);
		kv_set(ret, schema_attr(kept[i])->path, text);
	}
	if (!kv_has(ret, schema_attr(ATTR_timeouts_delete)->path)) {
		_cleanup_str_ char *text =
		    value_print_duration(resource_int(want, ATTR_timeouts_delete));

		kv_set(ret, schema_attr(ATTR_timeouts_delete)->path, text);
	}
}

static int add_leaf(struct resource *r, const struct attr *a, const char *text)
{
	struct value v = {0};

	if (a->type == ATTR_SET) {
		v.type = VALUE_SET;
		if (text_split(text, ITEM_SEP, true, 1000, &v.set) < 0)
			return -1;
		strs_sort_unique(&v.set);
	} else if (schema_parse_value(a, text, &v) < 0) {
		return -1;
	}
	r->leaves[r->n_leaves++] = (struct leaf){.attr = a, .value = v};
	return 0;
}

struct resource *parting_resource(const char *name, const struct kv *noted)
{
	struct resource *r;
	int rc = noted->n ? 0 : -1;

	if (rc < 0)
		return NULL;
	r = resource_new();
	r->name = mem_strdup(name);
	r->leaves = mem_calloc(ARRAY_LEN(kept) + 1, sizeof(*r->leaves));
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(kept); i++) {
		const struct attr *a = schema_attr(kept[i]);
		const char *text = kv_get(noted, a->path);

		if (text)
			rc = add_leaf(r, a, text);
	}
	if (rc == 0)
		rc = add_leaf(r, schema_attr(ATTR_state), "absent");
	if (rc < 0)
		resource_free(&r);
	else
		resource_seal(r);
	return r;
}
