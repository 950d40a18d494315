#include "support_rival.h"

#include <string.h>

static void on_request(void *arg, const char *method, const char *path)
{
	struct rival *r = arg;

	if (strcmp(method, "GET") != 0)
		rival_asks(r, r->controller, r->since, method, path);
}

/* Who was not answered by Git asks it again after two minutes at most, and knows nothing before. */
#define UNTOLD_MS 150000

/* It began before the other one, and announced itself after it: then it is the one that acts. */
static bool is_announced(const struct world *w, struct controller *c)
{
	const char *told = memgit_status_file(w->git, "summary.json");
	const char *at = told ? strstr(told, "\"instance\"") : NULL;

	return at && strncmp(strchr(at + 10, '"') + 1, controller_status(c)->instance, 16) == 0;
}

/* It says itself that another one acts. */
static bool knows(struct controller *c)
{
	const struct status *s = controller_status(c);

	for (size_t i = 0; i < s->n_vms; i++)
		if (s->vms[i]->reason == REASON_REPLACED)
			return true;
	return false;
}

void rival_asks(
    struct rival *r, struct controller *asks, uint64_t since, const char *method, const char *path)
{
	bool knew = knows(asks);
	int64_t failed;

	if (since >= r->newest && !knew) {
		r->newest = since; /* of all, also before there is a rival */
		return;
	}
	/* It acts again, and whoever comes now has to replace it anew. */
	if (is_announced(r->w, asks)) {
		if (asks == r->controller)
			r->newest = r->since = ++r->w->starts;
		return;
	}
	failed = memgit_failed_at(r->w->git);
	if (knew || !failed || clock_now(r->w->clock) - failed > UNTOLD_MS)
		world_violation(
		    r->w, "%s %s by an instance that a newer one has replaced", method, path);
}

void rival_start(struct rival *r, struct world *w, bool observes)
{
	struct controller_opts o = {
	    .config = w->config, .mode = CONTROLLER_RUN, .observe_only = observes};

	r->w = w;
	if (!r->store)
		r->store = memstore_new();
	r->port = simport_new(w->sim, w->clock, &w->token_file, "pve2");
	simport_set_beyond(r->port, &w->beyond);
	simport_set_hook(r->port, on_request, r);
	simport_set_trees(r->port, w->trees);
	r->git = memgit_port_new(w->git);
	r->since = ++w->starts;
	memstore_set_dead(r->store, false);
	o.ports = (struct ports){.clock = w->clock,
	    .cluster = r->port,
	    .git = r->git,
	    .store = memstore_port(r->store),
	    .pve_user = WORLD_USER};
	MUST(controller_new(&o, &r->controller, NULL) == 0);
	world_tell(w, "another instance starts");
}

void rival_stop(struct rival *r)
{
	if (r->controller)
		world_tell(r->w, "the other instance dies");
	controller_free(&r->controller);
	simport_free(&r->port);
	memgit_port_free(&r->git);
}

void rival_free(struct rival *r)
{
	rival_stop(r);
	memstore_free(&r->store);
	*r = (struct rival){0};
}
