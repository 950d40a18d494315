/* The number of a clone: free, and nobody's else. */
#include "ops_int.h"

#include <stdlib.h>
#include <string.h>

#define CANDIDATES_MAX 200
#define DEFAULT_MIN 100u
#define DEFAULT_SPAN 9900u /* without a configured range: where people look for VMs */

int op_existence(const struct pvereq_result *a)
{
	if (a->outcome == PVE_DONE)
		return 0;
	return a->reason == PVE_EXISTS ? 1 : -1;
}

void op_ask_existence(struct op *op, uint32_t vmid, pvereq_cb cb)
{
	_cleanup_kv_ struct kv params = {0};
	struct pvereq_spec q = {.endpoint = ENDPOINT_NEXTID, .params = &params};

	kv_setf(&params, "vmid", "%u", vmid);
	op->call = pvereq_send(op->env.pve, &q, cb, op);
}

static uint64_t name_hash(const struct op *op)
{
	_cleanup_str_ char *s = mem_printf("%s/%s", op->env.controller_id, op->name);
	uint64_t h = 14695981039346656037u; /* FNV-1a: spreads, and is the same after a loss */

	for (const char *p = s; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	return h ^ (h >> 32);
}

/* The configured range, or else the datacenter's. */
static void range(const struct op *op, uint32_t *ret_min, uint32_t *ret_max)
{
	const struct obs_cluster *view = inventory_view(op->env.inventory);
	uint32_t min = op->env.vmid_min ? op->env.vmid_min : view->vmid_lower;
	uint32_t max = op->env.vmid_min ? op->env.vmid_max : view->vmid_upper;

	*ret_min = min ? min : DEFAULT_MIN;
	*ret_max = max ? max : *ret_min + DEFAULT_SPAN - 1;
	if (*ret_max < *ret_min)
		*ret_max = *ret_min;
}

/* The next number to ask for. It begins at a place that depends on the name alone, so that after a
 * loss of all records the same number is tried first and a clone under way is met, not doubled. */
static bool next_candidate(struct op *op, uint32_t *ret)
{
	const struct obs_cluster *view = inventory_view(op->env.inventory);
	uint32_t min, max;

	range(op, &min, &max);
	uint64_t span = (uint64_t)max - min + 1, at = name_hash(op) % span;

	for (uint64_t i = 0; i < span; i++) {
		uint32_t vmid = min + (uint32_t)((at + i) % span);

		if (journal_is_used(op->env.journal, vmid) || obs_cluster_row(view, vmid) ||
		    op->env.is_reserved(op->env.arg, vmid, op->name))
			continue;
		*ret = vmid;
		return true;
	}
	return false;
}

static bool use(struct op *op, uint32_t vmid)
{
	_cleanup_err_ struct err *e = NULL;

	if (journal_use(op->env.journal, vmid, &e) == 0)
		return true;
	op_unwritable(op, e);
	return false;
}

/* Nothing is written down before the number is about to be asked for: whoever is turned away here
 * again and again leaves no trace, and uses up no numbers. */
static void take(struct op *op)
{
	uint32_t vmid = op->candidate;

	if (!op->fixed_id && journal_is_used(op->env.journal, vmid)) {
		op_number(op); /* another clone was quicker */
		return;
	}
	if (op_is_held(op) || !use(op, vmid))
		return;
	op->intent.vmid = vmid;
	op_clone_numbered(op);
}

/* The list did not show it. The number depends on the name: whoever has it now may be a clone for
 * the same manifest that another instance, or a life that was forgotten, asked for. */
static void met(struct op *op)
{
	_cleanup_str_ char *text =
	    mem_printf("VMID %u was taken a moment ago: looking by whom", op->candidate);

	op_finish(op, OP_ABANDONED, PVE_EXISTS, text);
}

static void on_candidate(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;
	int rc = op_existence(a);

	op->call = 0;
	if (rc < 0)
		op_finish(op, OP_FAILED, a->reason, a->text);
	else if (rc == 0)
		op_ask_quorum(op, take);
	else if (op->fixed_id)
		op_clone_taken(op);
	else if (!use(op, op->candidate)) /* not asked for again */
		return;
	else if (op->met) /* by whom we may not see */
		op_number(op);
	else
		met(op);
}

void op_number(struct op *op)
{
	op->candidate = op->fixed_id;
	if (op->candidates++ >= CANDIDATES_MAX ||
	    (!op->candidate && !next_candidate(op, &op->candidate))) {
		op_finish_stuck(op, REASON_VMID_EXHAUSTED, "no free VMID was found", NULL);
		return;
	}
	op_ask_existence(op, op->candidate, on_candidate);
}
