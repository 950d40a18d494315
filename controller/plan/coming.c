#include "coming.h"

#include <string.h>

bool coming_at(const struct planner *pl, enum attr_id id, const char *slot, struct value *ret)
{
	const struct leaf *l = resource_find(pl->want, id, slot);

	if (l && l->value.type == VALUE_NULL)
		return false;
	if (l)
		value_copy(ret, &l->value);
	else if (pvecodec_get(schema_attr(id), slot, &pl->goal, NULL, ret, NULL) < 0)
		return false;
	return ret->type != VALUE_ABSENT;
}

bool coming(const struct planner *pl, enum attr_id id, struct value *ret)
{
	return coming_at(pl, id, NULL, ret);
}

bool coming_bool_at(const struct planner *pl, enum attr_id id, const char *slot)
{
	_cleanup_value_ struct value v = {0};
	return coming_at(pl, id, slot, &v) && v.type == VALUE_BOOL && v.b;
}

bool coming_bool(const struct planner *pl, enum attr_id id)
{
	return coming_bool_at(pl, id, NULL);
}

int64_t coming_int(const struct planner *pl, enum attr_id id, int64_t deflt)
{
	_cleanup_value_ struct value v = {0};
	return coming(pl, id, &v) && v.type == VALUE_INT ? v.i : deflt;
}

bool coming_is_listed(const struct planner *pl, enum attr_id id)
{
	return resource_find(pl->want, id, NULL) != NULL;
}

bool coming_has_slots(const struct planner *pl, enum attr_id core)
{
	const struct attr_block *b = schema_slot_block(schema_attr(core));
	_cleanup_value_ struct value v = {0};

	KV_FOREACH (item, &pl->goal)
		if (form_check(b->slot_format, item->key, NULL, NULL) &&
		    coming_at(pl, core, item->key, &v))
			return true;
	for (size_t i = 0; i < pl->want->n_leaves; i++)
		if (pl->want->leaves[i].attr->id == core &&
		    pl->want->leaves[i].value.type != VALUE_NULL)
			return true;
	return false;
}

bool coming_q35(const struct planner *pl)
{
	_cleanup_value_ struct value type = {0};
	return coming(pl, ATTR_machine, &type) && strstr(type.s, "q35");
}
