#include "gitsub.h"

#include <stdlib.h>

static void sub_free(git_smart_subtransport *parent)
{
	free(parent);
}

static int sub_new(git_smart_subtransport **ret, git_transport *owner UNUSED, void *param)
{
	const struct gitsub_kind *k = param;
	struct gitsub *sub = mem_alloc(sizeof(*sub));
	sub->parent.action = k->action;
	sub->parent.close = k->close;
	sub->parent.free = sub_free;
	sub->transport = k->transport;
	*ret = &sub->parent;
	return 0;
}

int gitsub_register(struct gitsub_kind *k, const char *scheme)
{
	k->def = (git_smart_subtransport_definition){sub_new, k->rpc, k};
	return git_transport_register(scheme, git_transport_smart, &k->def) == 0 ? 0 : -1;
}
