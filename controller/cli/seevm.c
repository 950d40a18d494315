#include "seevm.h"

#include "pass.h"

#define AGAIN_MS 1000
#define LOOKS_MAX 3 /* in vain: out of reach */

static void end(struct seevm *s)
{
	s->done = true;
	loop_stop(s->loop);
}

static void on_look(
    void *arg, enum look_end how, struct obs_guest *g, const struct pvereq_result *why)
{
	struct seevm *s = arg;

	switch (how) {
	case LOOK_OK: {
		const struct obs_row *row = obs_cluster_row(seevm_cluster(s), s->vmid);
		s->guest = *g;
		*g = (struct obs_guest){0};
		s->guest.pool = mem_strdup(row ? row->pool : NULL);
		s->guest.pool_known = s->guest.pool || inventory_pools_known(s->inventory);
		break;
	}
	case LOOK_NO_CONFIG:
		(void)err_set(
		    &s->err, ERR_NOTFOUND, "VM %u is just being moved or removed", s->vmid);
		(void)err_hint(&s->err, "try again in a minute");
		break;
	case LOOK_FORBIDDEN:
		(void)err_set(&s->err, ERR_AUTH, "VM %u cannot be read: %s", s->vmid, why->text);
		(void)err_hint(&s->err, "grant the token VM.Audit on /vms/%u", s->vmid);
		break;
	case LOOK_FAILED:
	case LOOK_END__MAX:
		(void)err_set(
		    &s->err, ERR_UNREACHABLE, "VM %u cannot be read: %s", s->vmid, why->text);
		break;
	}
	look_cancel(&s->look);
	end(s);
}

static void find(struct seevm *s)
{
	const struct obs_cluster *cl = seevm_cluster(s);
	const struct obs_row *row = obs_cluster_row(cl, s->vmid);
	const struct obs_node *node = row ? obs_cluster_node(cl, row->node) : NULL;

	if (!row) {
		(void)err_set(&s->err, ERR_NOTFOUND,
		    "there is no VM %u, or the token cannot see it", s->vmid);
		(void)err_hint(&s->err, "the token needs VM.Audit on /vms/%u", s->vmid);
	} else if (!row->qemu) {
		(void)err_set(&s->err, ERR_INPUT, "%u is a container and no VM", s->vmid);
	} else if (node && !node->online) {
		(void)err_set(&s->err, ERR_UNREACHABLE, "VM %u is on node %s, which is offline",
		    s->vmid, row->node);
	} else {
		s->look = look_start(s->pve, s->vmid, row->node, false, on_look, s);
		return;
	}
	end(s);
}

static void on_again(void *arg)
{
	struct seevm *s = arg;

	s->again = 0;
	inventory_poke(s->inventory);
}

static void on_view(void *arg)
{
	struct seevm *s = arg;
	const char *problem = inventory_problem(s->inventory);

	if (s->look || s->done)
		return;
	if (inventory_is_ready(s->inventory)) {
		find(s);
	} else if (inventory_looks(s->inventory) >= LOOKS_MAX) {
		s->err = pass_sentence(problem ? problem : "the cluster does not answer");
		end(s);
	} else {
		clock_cancel(s->clock, &s->again);
		s->again = clock_timer(s->clock, AGAIN_MS, on_again, s);
	}
}

static void on_touched(void *arg, const uint32_t *vmids, size_t n)
{
	(void)arg;
	(void)vmids;
	(void)n;
}

int seevm_read(struct seevm *s, struct setup *setup, uint32_t vmid, struct err **err)
{
	s->loop = setup->loop;
	s->clock = setup->ports.clock;
	s->vmid = vmid;
	s->pve = pvereq_new(setup->ports.cluster, s->clock, setup->config->cluster_timeout);
	s->inventory = inventory_new(&(struct inventory_opts){.clock = s->clock,
	    .pve = s->pve,
	    .tick_ms = setup->config->reconcile_tick,
	    .own_user = setup->ports.pve_user,
	    .nothing_sent = true,
	    .on_view = on_view,
	    .on_touched = on_touched,
	    .arg = s});
	inventory_start(s->inventory);
	if (loop_run(s->loop, err) != 0)
		return -1;
	return s->err ? err_pass(err, &s->err) : 0;
}

const struct obs_cluster *seevm_cluster(const struct seevm *s)
{
	return inventory_view(s->inventory);
}

void seevm_fini(struct seevm *s)
{
	look_cancel(&s->look);
	if (s->clock)
		clock_cancel(s->clock, &s->again);
	inventory_free(&s->inventory);
	pvereq_free(&s->pve);
	obs_guest_fini(&s->guest);
	err_free(&s->err);
	*s = (struct seevm){0};
}
