#include "provenance.h"

bool provenance_has(const struct attr *a)
{
	return a->id == ATTR_clone_full || a->id == ATTR_clone_target_datastore ||
	       a->id == ATTR_clone_target_format || a->id == ATTR_clone_snapshot_name;
}

void provenance_note(const struct resource *want, struct kv *ret)
{
	kv_fini(ret);
	kv_set(ret, schema_attr(ATTR_clone_full)->path,
	    resource_bool(want, ATTR_clone_full) ? "true" : "false");
	for (size_t i = 0; i < want->n_leaves; i++) {
		const struct leaf *l = &want->leaves[i];
		_cleanup_str_ char *text = NULL;

		if (!provenance_has(l->attr) || l->value.type == VALUE_NULL)
			continue;
		text = value_print(&l->value);
		kv_set(ret, l->attr->path, text);
	}
}
