/* Whether a clone whose task failed has its disks all the same. */
#include "drive.h"
#include "ops_int.h"
#include "rootcmd.h"

#include <string.h>

/* PVE unlocks a clone, moves it to its node, and puts it into its pool at last. What fails then
 * ends the task as failed and frees the disks, where it can: without quorum it can not, and a later
 * call of another instance may have made the guest anew under the same number. Words do not tell
 * which; the storages do. */

#define VOLUMES_MAX 100000

static void next_disk(struct op *op);

static void missing(struct op *op, const char *why)
{
	_cleanup_str_ char *text = mem_printf("VM %u on node %s was left without its disks: %s",
	    op->intent.vmid, op->node, op->task_text);
	_cleanup_str_ char *command = rootcmd_destroy(op->node, op->intent.vmid);
	_cleanup_str_ char *hint =
	    mem_printf("%s; if they are gone, %s; then it is cloned anew", why, command);

	op_finish_stuck(op, REASON_DEBRIS, text, hint);
}

static bool is_listed(const struct jsn *rows, const char *volume)
{
	size_t store = strcspn(volume, ":") + 1;

	for (size_t i = 0; i < jsn_len(rows) && i < VOLUMES_MAX; i++) {
		const char *id = jsn_get_text(jsn_at(rows, i), "volid");

		if (id && strncmp(id, volume, store) == 0 &&
		    text_eq(drive_tail(id), drive_tail(volume)))
			return true;
	}
	return false;
}

static void on_content(void *arg, const struct pvereq_result *a)
{
	struct op *op = arg;
	const char *volume = op->disks.v[op->at_disk];

	op->call = 0;
	if (a->outcome != PVE_DONE && pve_reason_next(a->reason) == PVE_NEXT_PERSON) {
		missing(op, "look at its disks");
	} else if (a->outcome != PVE_DONE) {
		op_finish(op, OP_AGAIN, a->reason, a->text);
	} else if (!is_listed(a->data, volume)) {
		_cleanup_str_ char *shown = text_oneline(volume, 120);
		_cleanup_str_ char *why = mem_printf("look for %s and its other disks", shown);
		missing(op, why);
	} else {
		op->at_disk++;
		next_disk(op);
	}
}

static void next_disk(struct op *op)
{
	_cleanup_kv_ struct kv params = {0};

	if (op->at_disk == op->disks.n) {
		op->disks_seen = true;
		op->disks_there(op);
		return;
	}
	const char *volume = op->disks.v[op->at_disk];
	_cleanup_str_ char *store = mem_strndup(volume, strcspn(volume, ":"));
	struct pvereq_spec q = {.endpoint = ENDPOINT_STORAGE_CONTENT,
	    .args = {.node = op->node, .storage = store},
	    .params = &params};

	kv_setf(&params, "vmid", "%u", op->intent.vmid);
	op->call = pvereq_send(op->env.pve, &q, on_content, op);
}

void op_ask_disks(struct op *op, const struct obs_guest *g, void (*next)(struct op *op))
{
	strs_fini(&op->disks);
	op->at_disk = 0;
	op->disks_there = next;
	KV_FOREACH (item, &g->current) {
		_cleanup_drive_ struct drive d = {0};

		if (drive_parse(item->value, &d, NULL) == 0 && *d.storage && d.owner == g->vmid)
			strs_add(&op->disks, d.volume);
	}
	if (op->disks.n)
		next_disk(op);
	else
		missing(op, "look at its disks");
}
