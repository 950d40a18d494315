/* What happened before the simulation began, and what is left of it. */
#include "sim_past.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_volume.h"

/* What happened before the start: a task that is over, or a line of the cluster's log. */
int past_event(const struct seed *c, const struct ynode *map)
{
	struct sim *s = c->s;
	const struct node *first = s->nodes[0];
	struct node *n = node_find(s, field_str(map, "node", first->name));
	const char *type = field_str(map, "task", NULL), *line = field_str(map, "log", NULL),
		   *user = field_str(map, "user", "root@pam");
	int64_t ago = field_duration(field_str(map, "ago", "60s")), at = field_number(map, "at", 0),
		count = field_number(map, "count", 1);
	_cleanup_str_ char *status = mem_strdup(field_str(map, "status", "OK"));
	struct task as = {.status = status};

	if (field_known(c, map, "|task|log|uid|id|user|status|ago|at|took|count|node|priority|") <
	    0)
		return -1;
	if (!type == !line || !n || ago < 0 || count < 1 || count > 10000)
		return field_bad(c, map,
		    "what happened before is a task or a log, on a node, some time "
		    "ago");
	if (field_str(map, "uid", NULL))
		s->log_uid = (uint64_t)field_number(map, "uid", 1) - 1;
	s->now = at ? at * 1000 - s->wall0 : -ago;
	as.start = sim_secs(s);
	as.end = as.start + field_number(map, "took", 0);
	for (int64_t i = 0; type && i < count; i++)
		task_past(s, n, type, field_str(map, "id", ""), user, &as);
	if (line)
		clog_add(s, n, user, (int)field_number(map, "priority", 6), "%s", line);
	s->now = 0;
	return 0;
}

/* A volume that no guest has: "310/vm-310-disk-0.raw", "310/any.qcow2", "vm-310-disk-0". */
int past_volume(const struct seed *c, const struct ynode *map)
{
	struct store *st = store_find(c->s, field_str(map, "storage", ""));
	struct node *n = node_find(c->s, field_str(map, "node", c->s->nodes[0]->name));
	const char *name = field_str(map, "name", "");
	_cleanup_oops_ struct oops o = {0};
	struct volume *v;
	int64_t vmid;

	if (field_known(c, map, "|storage|node|name|size|data|") < 0)
		return -1;
	vmid = st ? volname_owner(st, name) : 0;
	if (!st || !n || vmid < 100 || vmid > SIM_VMID_MAX || !volname_ok(st, name, &o))
		return field_bad(
		    c, map, "a volume has a storage and a name with the number of a guest");
	v = volume_add(c->s, st, n, name, vmid, field_bytes(map, "size", (int64_t)1 << 30));
	v->data = field_bytes(map, "data", 0);
	return 0;
}

/* What was heard of a guest that is gone: its number may be in use again. */
int past_heard(const struct seed *c, const struct ynode *map)
{
	static const char *const states[] = {"stopped", "running", "paused"};
	const char *name = field_str(map, "name", NULL),
		   *status = field_str(map, "status", "stopped");
	struct heard h = {.known = true,
	    .running = strcmp(status, "stopped") != 0,
	    .template = field_flag(map, "template", false),
	    .maxcpu = field_number(map, "cpus", 1),
	    .maxmem = field_bytes(map, "memory", (int64_t)512 << 20),
	    .maxdisk = field_bytes(map, "disk", 0)};
	int64_t vmid = field_number(map, "id", 0);

	if (field_known(c, map, "|id|name|status|template|cpus|memory|disk|") < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (!strcmp(states[i], status))
			h.status = states[i];
	if (vmid < 100 || vmid > SIM_VMID_MAX || !h.status)
		return field_bad(c, map, "what was heard has the id of a guest and a status");
	h.name = name ? mem_strdup(name) : mem_printf("VM %" PRId64, vmid);
	echo_add(c->s, vmid, &h, 0);
	return 0;
}
