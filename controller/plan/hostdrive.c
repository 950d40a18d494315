#include "hostdrive.h"

bool hostdrive_is(const struct drive *d)
{
	return d->volume[0] == '/';
}

void hostdrive_stay(struct planner *pl, const char *slot, const char *in, const struct drive *d,
    const enum attr_id *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct leaf *l = resource_find(pl->want, rows[i], in);
		if (!l || l->value.type == VALUE_NULL)
			continue;
		struct change *c = planner_leaf_change(pl, l);
		change_texts(c, planner_shorten(d->volume), planner_show(l->attr, &l->value));
		change_block(c, REASON_NOT_SUPPORTED,
		    "%s is %s of the host, which PVE neither moves nor grows", slot, d->volume);
		planner_may(pl, c);
	}
}
