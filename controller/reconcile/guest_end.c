/* The end of a VM, as its machine sees it: whether it is ordered, what is under way, and when it is
 * over. */
#include "guest_int.h"
#include "log.h"
#include "parting.h"
#include "rootcmd.h"

#include <stdlib.h>
#include <string.h>

const struct resource *guest_wanted(const struct guest *g)
{
	return g->want ? g->want : g->parting;
}

static bool is_absent(const struct resource *r)
{
	return r && text_eq(resource_str(r, ATTR_state), "absent");
}

bool guest_is_leaving(const struct guest *g)
{
	return is_absent(guest_wanted(g));
}

/* The manifest is gone, and that is an order. What it said about the end is on record. */
bool guest_is_pruned(struct guest *g)
{
	if (g->want || !g->bundle || !g->env->policy->prune || !g->rec.vmid)
		return false;
	turn_free(&g->last); /* it may borrow the old one */
	resource_unref(&g->parting);
	g->parting = parting_resource(g->name, &g->rec.parting);
	return g->parting != NULL;
}

bool guest_is_missed(const struct guest *g)
{
	return bundle_is_missed(g->bundle, g->name, g->rec.good_path);
}

bool guest_is_ordered(const struct guest *g)
{
	const struct kv *said = &g->rec.parting;

	bool off = g->st.verdict == PLAN_OFF && g->st.reason != REASON_ORPHANED;

	if (!g->rec.vmid || !g->bundle || off)
		return false;
	if (g->want)
		return is_absent(g->want) && !resource_bool(g->want, ATTR_protect);
	return g->env->policy->prune && said->n &&
	       !text_eq(kv_get(said, schema_attr(ATTR_protect)->path), "true");
}

/* True when it says something new. */
bool guest_note_parting(struct guest *g)
{
	_cleanup_kv_ struct kv said = {0};

	if (!g->want || !g->entry || g->entry->stale)
		return false;
	parting_note(g->want, &said);
	if (kv_eq(&said, &g->rec.parting))
		return false;
	kv_fini(&g->rec.parting);
	kv_copy(&g->rec.parting, &said);
	return true;
}

bool guest_is_departing(const struct guest *g)
{
	return journal_departure(g->env->journal, g->name) != NULL;
}

/* A task of an earlier life, or one that took too long, may still be under way. */
bool guest_has_end_task(const struct guest *g)
{
	const struct departure *d = journal_departure(g->env->journal, g->name);

	return d && d->upid && !g->end_seen && !g->env->readonly && !g->env->stopping;
}

/* How long the answer to a call may still come, by a clock that may have jumped since. */
static int64_t late_left(const struct guest *g, const struct departure *d)
{
	int64_t age = clock_wall(g->env->clock) - d->wall_ms;

	return age < 0 ? OPS_LATE_MS : age < OPS_LATE_MS ? OPS_LATE_MS - age : 0;
}

void guest_stay(struct guest *g)
{
	const struct departure *d = journal_departure(g->env->journal, g->name);
	_cleanup_err_ struct err *e = NULL;

	if (!d || g->env->readonly)
		return;
	if (d->deleting && !d->upid && g->stay_after == 0)
		g->stay_after = clock_now(g->env->clock) + late_left(g, d);
	if (d->deleting && !d->upid && clock_now(g->env->clock) < g->stay_after)
		return;
	g->stay_after = 0;
	if (journal_stay(g->env->journal, g->name, &e) < 0)
		log_error(g->name, "%s", err_msg(e));
}

void guest_note_left(struct guest *g, const struct op_result *r)
{
	for (size_t i = 0; r->left && i < r->left->n; i++) {
		const char *volume = r->left->v[i];
		_cleanup_err_ struct err *e = NULL;
		_cleanup_str_ char *shown = text_oneline(volume, GUEST_VOLUME_CHARS);
		_cleanup_str_ char *command = rootcmd_free(g->rec.node, volume);
		_cleanup_str_ char *text =
		    mem_printf("%s of VM %u (%s), which was destroyed, could not be removed; %s",
			shown, g->rec.vmid, g->name, command);

		log_warn(g->name, "%s", text);
		if (journal_leave(g->env->journal, text, text, &e) < 0)
			log_error(g->name, "%s", err_msg(e));
	}
}

/* Ordered to go, and not by a call of this instance: it counts for the budget as if it had been. */
static void count_as_fallen(struct guest *g)
{
	_cleanup_err_ struct err *e = NULL;

	if (journal_add_fallen(
		g->env->journal, g->name, g->rec.vmid, clock_wall(g->env->clock), &e) < 0)
		log_warn(g->name, "%s, ignoring", err_msg(e));
}

/* The VM was seen to be gone. */
void guest_forget(struct guest *g)
{
	const struct departure *d = journal_departure(g->env->journal, g->name);
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *event = NULL;

	if (!d && guest_is_leaving(g) && g->env->rivalled(g->env->arg))
		count_as_fallen(g);
	if (journal_forget(g->env->journal, g->name, &e) < 0) {
		log_error(g->name, "%s", err_msg(e));
		guest_wait_state(g, err_msg(e));
		return;
	}
	if (d || guest_is_leaving(g))
		event = mem_printf("destroyed %s, VM %u", g->name, g->rec.vmid);
	log_info(g->name, "VM %u is gone%s", g->rec.vmid, event ? ", as it was ordered" : "");
	record_fini(&g->rec);
	record_fini(&g->st.record);
	drifts_fini(&g->st.drifts);
	mem_free_str(&g->last_step);
	g->fails = g->gone_seen = 0;
	g->end_seen = false;
	turn_free(&g->last);
	g->env->changed(g->env->arg, g, event);
	if (event)
		g->env->note(g->env->arg, NOTE_DONE, g->name, event, -1);
	guest_enter(g, GUEST_WAIT);
	guest_begin(g);
}

void guest_resume_end(struct guest *g)
{
	struct op_job job = {.name = g->name, .want = guest_wanted(g), .departs = true};

	guest_set_status(g, PLAN_ACT, REASON_DESTROYING, NULL, NULL);
	guest_note_op(g, mem_strdup("destroy: looking for what came of it"));
	g->resuming = true;
	guest_start_op(g, &job);
}

/* Whatever it came to: the VM tells. */
void guest_end_resumed(struct guest *g, const struct op_result *r)
{
	g->resuming = false;
	if (r->end == OP_STUCK) {
		guest_wait(g, r->reason, r->text, 60000, false);
		return;
	}
	g->end_seen = true;
	guest_enter(g, GUEST_WAIT);
	guest_begin(g);
}

/* ---- templates ---- */

/* VMIDs whose base images its disks are linked to. */
void guest_learn_bases(struct guest *g)
{
	strs_fini(&g->bases);
	KV_FOREACH (item, &g->turn->guest.current) {
		_cleanup_drive_ struct drive d = {0};
		const char *p;

		if (drive_parse(item->value, &d, NULL) < 0 || !*d.storage || !d.linked)
			continue;
		p = strstr(d.volume, "base-");
		if (!p)
			continue;
		p += strlen("base-");
		_cleanup_str_ char *id = mem_strndup(p, strspn(p, "0123456789"));
		if (*id && !strs_has(&g->bases, id))
			strs_add(&g->bases, id);
	}
	strs_sort_unique(&g->bases);
	strs_fini(&g->st.linked_to);
	strs_copy(&g->st.linked_to, &g->bases);
}

bool guest_is_linked_to(const struct guest *g, uint32_t vmid)
{
	_cleanup_str_ char *id = mem_printf("%u", vmid);

	return g->rec.vmid && strs_has(&g->bases, id);
}
