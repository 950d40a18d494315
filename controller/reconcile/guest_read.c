#include "guest_int.h"
#include "log.h"
#include "rootcmd.h"

#define GONE_LOOKS 2 /* views of the cluster, one after the other, before "gone" is believed */
#define HIDDEN_LOOKS 3
#define BRIDGES_MS 10000
#define READ_MS 300000 /* of a VM whose manifest went meanwhile */
#define BRIDGES_MAX 10000

static void access_lost(struct guest *g, const char *text)
{
	struct grant_call call = {.endpoint = ENDPOINT_GUEST_CONFIG, .vmid = g->rec.vmid};
	_cleanup_str_ char *hint = NULL, *lack = guest_lack(g, &call, text, &hint);

	guest_stall(g, REASON_ACCESS_LOST, lack, hint);
}

static void read_failed(struct guest *g, enum look_end end, const struct pvereq_result *a)
{
	_cleanup_str_ char *text = mem_strdup(a->text);

	g->fails++;
	switch (end) {
	case LOOK_NO_CONFIG: /* it moved, or the list is old */
		inventory_poke(g->env->inventory);
		guest_wait(g, REASON_RETRYING, "the VM is not where the cluster showed it last",
		    guest_backoff(g), true);
		return;
	case LOOK_FORBIDDEN:
		access_lost(g, text);
		return;
	case LOOK_FAILED:
		if (a->reason == PVE_UNAUTHENTICATED)
			guest_wait(g, REASON_UNAUTHENTICATED, NULL, 60000, true);
		else
			guest_wait(g, REASON_RETRYING, text, guest_backoff(g), false);
		return;
	case LOOK_OK:
	case LOOK_END__MAX:
		break;
	}
}

/* The VM to look at: the recorded one, or the one that the manifest wants to take over. The record
 * of that one begins when the plan has found it to be the one that is meant. */
static uint32_t vmid_of(const struct guest *g)
{
	if (g->rec.vmid || !g->want)
		return g->rec.vmid;
	return g->want->adopt && *g->want->adopt ? (uint32_t)resource_int(g->want, ATTR_id) : 0;
}

static void on_look(
    void *arg, enum look_end end, struct obs_guest *o, const struct pvereq_result *why)
{
	struct guest *g = arg;
	const struct obs_row *row = obs_cluster_row(inventory_view(g->env->inventory), vmid_of(g));

	bool late = end == LOOK_FAILED && (why->reason == PVE_CUT || why->reason == PVE_NODE_AWAY);

	CHECK_OBJ(g, GUEST_MAGIC);
	clock_cancel(g->env->clock, &g->timer);
	gate_give(g->env->gate, &g->read_ticket);
	gate_node_result(g->env->gate, o->node, late);
	if (end != LOOK_OK) {
		read_failed(g, end, why);
		look_cancel(&g->look);
		return;
	}
	g->turn->guest = *o;
	*o = (struct obs_guest){0};
	g->turn->has_guest = true;
	look_cancel(&g->look);
	if (row) {
		g->turn->guest.pool = mem_strdup(row->pool);
		g->turn->guest.pool_known = row->pool || inventory_pools_known(g->env->inventory);
	}
	guest_look_lock(g, guest_look_loose);
}

static int64_t read_ms(const struct guest *g)
{
	const struct resource *want = guest_wanted(g);

	return want ? resource_int(want, ATTR_timeouts_read) : READ_MS;
}

/* Each answer has its own time; this is for all of them together. */
static void on_late(void *arg)
{
	struct guest *g = arg;
	const struct obs_row *row = obs_cluster_row(inventory_view(g->env->inventory), vmid_of(g));
	_cleanup_str_ char *time = value_print_duration(read_ms(g));
	_cleanup_str_ char *text =
	    mem_printf("reading the VM takes longer than timeouts.read (%s)", time);

	CHECK_OBJ(g, GUEST_MAGIC);
	g->timer = 0;
	look_cancel(&g->look);
	gate_give(g->env->gate, &g->read_ticket);
	gate_node_result(g->env->gate, row ? row->node : NULL, true);
	g->fails++;
	guest_wait(g, REASON_RETRYING, text, guest_backoff(g), false);
}

static void on_read_ticket(void *arg, gate_ticket t)
{
	struct guest *g = arg;
	const struct obs_row *row;

	g->waiter = 0;
	g->read_ticket = t;
	row = obs_cluster_row(inventory_view(g->env->inventory), vmid_of(g));
	if (!row) { /* went away while waiting */
		gate_give(g->env->gate, &g->read_ticket);
		guest_enter(g, GUEST_WAIT);
		guest_begin(g);
		return;
	}
	guest_enter(g, GUEST_READ);
	g->look = look_start(g->env->pve, row->vmid, row->node, false, on_look, g);
	clock_cancel(g->env->clock, &g->timer);
	g->timer = clock_timer(g->env->clock, read_ms(g), on_late, g);
}

static void queue_read(struct guest *g, const char *node)
{
	gate_ticket t = gate_try(g->env->gate, GATE_READ, node, NULL);

	guest_enter(g, GUEST_QUEUED);
	if (t) {
		on_read_ticket(g, t);
		return;
	}
	if (gate_is_slow(g->env->gate, node))
		guest_set_status(g, PLAN_WAIT, REASON_NODE_OFFLINE,
		    "its node does not answer in time; its VMs are read by and by", NULL);
	g->waiter = gate_wait(g->env->gate, GATE_READ, node, NULL, on_read_ticket, g);
}

/* Without quorum every node thinks that the others are away: that is what to tell then. */
static void node_away(struct guest *g, const char *text)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);

	if (view->quorum_visible && !view->quorate)
		guest_wait(g, REASON_NO_QUORUM, "the cluster has no quorum", 30000, true);
	else
		guest_wait(g, REASON_NODE_OFFLINE, text, 30000, true);
}

/* Its configuration lies under a node that is none of the cluster, where nobody can read it, now or
 * later. True: that is told. */
static bool is_nowhere(struct guest *g, const struct obs_row *row, const char *what)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);

	if (!view->complete || !view->n_nodes || obs_cluster_node(view, row->node))
		return false;
	_cleanup_str_ char *text = mem_printf(
	    "%s %u lies under %s, which is no node of the cluster: it was removed, or has another "
	    "name now",
	    what, row->vmid, row->node);
	_cleanup_str_ char *path =
	    mem_printf("/etc/pve/nodes/%s/qemu-server/%u.conf", row->node, row->vmid);
	_cleanup_str_ char *word = rootcmd_word(path);
	_cleanup_str_ char *hint =
	    mem_printf("as root, for a NODE of the cluster that reaches its disks: mv %s "
		       "/etc/pve/nodes/NODE/qemu-server/",
		word ? word : "…");
	guest_stall(g, REASON_NODE_UNKNOWN, text, hint);
	return true;
}

/* Without an answer nobody knows the bridges, and the plan does without. */
static void on_bridges(void *arg, const struct pvereq_result *a)
{
	struct guest *g = arg;

	CHECK_OBJ(g, GUEST_MAGIC);
	g->call = 0;
	for (size_t i = 0; a->outcome == PVE_DONE && i < jsn_len(a->data) && i < BRIDGES_MAX; i++) {
		const char *name = jsn_get_text(jsn_at(a->data, i), "iface");

		if (name)
			strs_add(&g->turn->bridges, name);
	}
	guest_plan_turn(g);
}

static void read_bridges(struct guest *g)
{
	_cleanup_kv_ struct kv params = {0};
	struct pvereq_spec q = {.endpoint = ENDPOINT_NODE_NETWORK,
	    .args.node = resource_str(g->want, ATTR_node_name),
	    .params = &params,
	    .timeout_ms = BRIDGES_MS,
	    .patience_ms = -1};
	const struct obs_node *node =
	    obs_cluster_node(inventory_view(g->env->inventory), q.args.node);
	bool lists = false;

	for (size_t i = 0; i < g->want->n_leaves; i++)
		lists |= g->want->leaves[i].attr->format == FMT_BRIDGE;
	if (!lists || !node || !node->online) {
		guest_plan_turn(g);
		return;
	}
	kv_set(&params, "type", "any_bridge");
	g->call = pvereq_send(g->env->pve, &q, on_bridges, g);
}

static void after_source(struct guest *g)
{
	if (g->want)
		read_bridges(g);
	else
		guest_plan_turn(g);
}

static void on_source(
    void *arg, enum look_end end, struct obs_guest *o, const struct pvereq_result *why)
{
	struct guest *g = arg;

	if (end == LOOK_OK) {
		g->turn->source = *o;
		*o = (struct obs_guest){0};
		g->turn->has_source = true;
		look_cancel(&g->look);
		guest_look_lock(g, after_source);
		return;
	}
	if (end == LOOK_FORBIDDEN) {
		struct grant_call call = {.endpoint = ENDPOINT_GUEST_CONFIG,
		    .vmid = (uint32_t)resource_int(g->want, ATTR_clone_source_vm_id)};
		_cleanup_str_ char *hint = NULL, *lack = guest_lack(g, &call, why->text, &hint);
		_cleanup_str_ char *text = mem_printf("the template cannot be read: %s", lack);

		guest_stall(g, REASON_FORBIDDEN, text, hint);
	} else {
		read_failed(g, end, why);
	}
	look_cancel(&g->look);
}

static void read_source(struct guest *g)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);
	uint32_t vmid = (uint32_t)resource_int(g->want, ATTR_clone_source_vm_id);
	const struct obs_row *row = obs_cluster_row(view, vmid);
	const struct obs_node *node = row ? obs_cluster_node(view, row->node) : NULL;

	if (!row || !row->qemu) {
		g->turn->source_gone = view->complete;
		guest_plan_turn(g);
	} else if (node && !node->online) {
		node_away(g, "the template's node is not reachable");
	} else if (!is_nowhere(g, row, "the template")) {
		guest_enter(g, GUEST_SOURCE);
		const char *snapshot = resource_str(g->want, ATTR_clone_snapshot_name);
		g->look = look_start(g->env->pve, vmid, row->node, !snapshot, on_source, g);
		if (snapshot)
			look_at_snapshot(g->look, snapshot);
	}
}

/* The VMID is a container's now: something without marker and UUID stands there. */
static void plan_container(struct guest *g, const struct obs_row *row)
{
	struct obs_guest *o = &g->turn->guest;

	o->vmid = row->vmid;
	o->node = mem_strdup(row->node);
	o->digest = mem_strdup("");
	o->uuid = mem_strdup("");
	g->turn->has_guest = true;
	guest_plan_turn(g);
}

static void locate(struct guest *g);

/* The VM on record is no more. Perhaps the record is: after a loss it may be older than the VM that
 * was made in its place, which then carries our marker. */
static void gone(struct guest *g)
{
	const char *hint = NULL, *missing = g->env->not_ready(g->env->arg, &hint);
	const struct claim *c = claims_find(g->env->claims, g->name);

	if (missing && hint) {
		guest_stall(g, REASON_DEBRIS, missing, hint);
	} else if (missing) {
		guest_wait(g, REASON_READING, missing, 5000, true);
	} else if (c && c->vmid != g->rec.vmid) {
		if (guest_is_torn(g, c))
			return;
		g->rec.vmid = 0;
		guest_take_claim(g, c);
		locate(g);
	} else if (guest_is_leaving(g) || guest_is_departing(g) || !g->want ||
		   guest_was_destroyed(g, g->rec.vmid)) {
		guest_forget(g);
	} else {
		g->turn->gone = true;
		read_source(g); /* it may be wanted anew */
	}
}

static void on_oracle(void *arg, const struct pvereq_result *a)
{
	struct guest *g = arg;
	uint64_t looks = inventory_looks(g->env->inventory);

	g->call = 0;
	if (a->outcome == PVE_DONE) {
		g->hidden_seen = 0;
		if (g->gone_look != looks) {
			g->gone_look = looks;
			g->gone_seen++;
		}
		if (g->gone_seen >= GONE_LOOKS) {
			gone(g);
			return;
		}
		inventory_poke(g->env->inventory);
		guest_wait(
		    g, REASON_READING, "the VM is not in the list; looking again", 5000, true);
		return;
	}
	g->gone_seen = 0;
	if (a->reason != PVE_EXISTS) {
		_cleanup_str_ char *text = mem_strdup(a->text);

		g->fails++;
		guest_wait(g, REASON_RETRYING, text, guest_backoff(g), false);
		return;
	}
	if (++g->hidden_seen < HIDDEN_LOOKS) {
		inventory_poke(g->env->inventory);
		guest_wait(g, REASON_READING, "the VM exists but is not in the list; looking again",
		    5000, true);
		return;
	}
	access_lost(g, "the VM exists but the token may not see it");
}

static void ask_oracle(struct guest *g)
{
	_cleanup_kv_ struct kv params = {0};
	struct pvereq_spec q = {.endpoint = ENDPOINT_NEXTID, .params = &params};

	kv_setf(&params, "vmid", "%u", g->rec.vmid);
	guest_enter(g, GUEST_ORACLE);
	g->call = pvereq_send(g->env->pve, &q, on_oracle, g);
}

/* Pools are read from the list of all guests, which may be from before the last change of ours. */
static bool awaits_pool(struct guest *g)
{
	if (!g->pool_at || inventory_is_newer(g->env->inventory, g->pool_at))
		return false;
	inventory_poke(g->env->inventory);
	guest_wait(g, REASON_UPDATING, "the pool was written; looking who is in it", 5000, true);
	return true;
}

static void locate(struct guest *g)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);
	const struct obs_row *row = obs_cluster_row(view, vmid_of(g));
	const struct obs_node *node = row ? obs_cluster_node(view, row->node) : NULL;

	if (!row && !g->rec.vmid) {
		_cleanup_str_ char *text = mem_printf(
		    "VM %u, which is to be adopted, is not in the cluster's list", vmid_of(g));

		guest_stall(g, REASON_MISSING, text,
		    "correct spec.id and the annotation ramet.dev/adopt, or give the token "
		    "VM.Audit "
		    "on the VM; without the annotation a new VM is cloned");
		return;
	}
	if (!row) {
		/* "Cannot see" is not "gone". */
		if (!inventory_settled(g->env->inventory))
			guest_wait(g, inventory_unsettled(g->env->inventory),
			    "the VM is not in the list, and the view is not sure", 15000, true);
		else
			ask_oracle(g);
		return;
	}
	g->gone_seen = g->hidden_seen = 0;
	if (!row->qemu)
		plan_container(g, row);
	else if (node && !node->online)
		node_away(g, NULL);
	else if (!is_nowhere(g, row, "VM") && !awaits_pool(g))
		queue_read(g, row->node);
}

/* A VM that carries our marker and is on no record: the record was lost. True: its machine goes on
 * with it, or waits for a person to say which of two it is. */
static bool take_claim(struct guest *g)
{
	const struct claim *c = claims_find(g->env->claims, g->name);
	bool named = vmid_of(g) != 0;

	if (!c && g->want && g->want->renamed_from)
		c = claims_find(g->env->claims, g->want->renamed_from);
	if (!c || c->locked || (named && claims_rival(g->env->claims, c)))
		return false;
	if (guest_is_torn(g, c))
		return true;
	if (g->env->is_crowded(g->env->arg)) {
		guest_wait(g, REASON_READING, NULL, 0, false);
		return true;
	}
	guest_take_claim(g, c);
	if (g->rec.vmid)
		locate(g);
	return g->rec.vmid != 0;
}

/* Another instance, or a life that was forgotten, is making it. */
static bool awaits_maker(struct guest *g)
{
	const struct claim *c = claims_find(g->env->claims, g->name);
	_cleanup_str_ char *text = NULL;

	if (!c || !c->locked || g->rec.vmid || journal_intent(g->env->journal, g->name))
		return false;
	text = mem_printf("VM %u on %s carries its marker and is locked (clone): it is being made",
	    c->vmid, c->node);
	guest_wait(g, REASON_LOCKED, text, GUEST_LOCK_WAIT_MS, true);
	return true;
}

static void begin_new(struct guest *g)
{
	const char *hint = NULL, *missing = g->env->not_ready(g->env->arg, &hint);
	const char *old = g->want->renamed_from;

	if (take_claim(g))
		return;
	if (awaits_maker(g))
		return;
	if (missing && hint)
		guest_stall(g, REASON_DEBRIS, missing, hint);
	else if (missing)
		guest_wait(g, REASON_READING, missing, 5000, true);
	else if (old && *old && g->env->take_over(g->env->arg, g, old))
		guest_wait(g, REASON_RETRYING, "the VM of its old name has something under way",
		    5000, false);
	else if (!g->rec.vmid && guest_is_leaving(g))
		guest_plan_turn(g); /* nothing of ours is there to go */
	else if (guest_awaits_met(g))
		return;
	else if (g->rec.vmid || vmid_of(g))
		locate(g);
	else
		read_source(g);
}

static void orphan(struct guest *g)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);

	/* Somebody removed what was left to people: then there is nothing to remember. */
	if (g->rec.vmid && !obs_cluster_row(view, g->rec.vmid) &&
	    inventory_settled(g->env->inventory)) {
		ask_oracle(g);
		return;
	}
	g->gone_seen = g->hidden_seen = 0;
	g->current = true;
	if (guest_is_missed(g))
		guest_set_status(g, PLAN_STALLED, REASON_MANIFEST_INVALID,
		    "the manifest has findings, and no good version of it is known; the VM is left "
		    "as it is",
		    NULL);
	else
		guest_set_status(g, PLAN_OFF, REASON_ORPHANED,
		    g->rec.vmid ? "the manifest is gone; the VM is left as it is"
				: "the manifest is gone, and there is no VM of it",
		    NULL);
	guest_settle(g);
}

void guest_begin(struct guest *g)
{
	struct inventory *inv = g->env->inventory;

	CHECK_OBJ(g, GUEST_MAGIC);
	clock_cancel(g->env->clock, &g->timer);
	g->due = false;
	turn_free(&g->turn);
	g->turn = mem_alloc(sizeof(*g->turn));
	if (inventory_is_down(inv))
		guest_wait(g,
		    inventory_is_unauthenticated(inv) ? REASON_UNAUTHENTICATED
						      : REASON_CLUSTER_UNREACHABLE,
		    inventory_problem(inv), 60000, true);
	else if (!inventory_is_ready(inv) || !g->bundle)
		guest_wait(g, REASON_READING, NULL, 60000, true);
	else if (journal_intent(g->env->journal, g->name) && !g->intent_free)
		guest_resolve(g);
	else if (guest_has_end_task(g))
		guest_resume_end(g);
	else if (guest_has_step_task(g))
		guest_resume_step(g);
	else if (!g->want && !guest_is_pruned(g))
		orphan(g);
	else if (g->rec.vmid)
		locate(g);
	else
		begin_new(g);
}
