/* What is left behind by writing a configuration where nothing can be written. */
#include <inttypes.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_net.h"
#include "sim_volume.h"

bool noquorum_changes(const struct job *j, const struct confop *op)
{
	const struct guest *g = guest_find(j->sim, op->vmid);

	if (op->set.n)
		return true;
	for (size_t i = 0; g && i < op->del.n; i++)
		if (kv_has(&g->conf, op->del.v[i]) || kv_has(&g->pend, op->del.v[i]))
			return true;
	return false;
}

static void write_fails(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	pmxcfs_check(j, j->vmid, &o);
	job_oops(j, &o);
}

/* Volumes are made before the file is written: they stay, and no configuration names them. */
void noquorum_conf(struct job *j, struct confop *op)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};

	if (op->summary)
		job_log(j, "update VM %" PRId64 ": %s", op->vmid, op->summary);
	KV_FOREACH (i, &op->set) {
		_cleanup_drive_ struct drive d = {0};
		_cleanup_str_ char *store = NULL, *name = NULL, *value = NULL, *lock = NULL;
		struct store *st;
		double gib;

		if (!prop_is_drive(i->key) || !drive_parse(s, i->key, i->value, &d) ||
		    !drive_new_size(d.file, &gib) || !volid_split(d.file, &store, &name))
			continue;
		st = store_find(s, store);
		if (!st)
			continue;
		if (st->shared) {
			lock = mem_printf("storage-%s", st->name);
			job_lock_cfs(j, lock, NULL, write_fails);
			return;
		}
		if (!drive_make(j, guest_find(s, op->vmid), i->key, i->value, &value, &o)) {
			job_oops(j, &o);
			return;
		}
	}
	write_fails(j);
}
