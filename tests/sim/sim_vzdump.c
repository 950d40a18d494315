/* Backups: a task that takes each guest in turn (PVE::API2::VZDump, PVE::VZDump). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_schema.h"
#include "sim_volume.h"
#include "sim_vzdump.h"

#define LOCKWAIT_MIN 180
#define LOCK_LOOK_MS 1000

static void vz_free(void *data)
{
	struct vz *z = data;

	free(z->ids);
	strs_fini(&z->others);
	strs_fini(&z->disks);
	strs_fini(&z->fleece);
	free(z);
}

const char *vz_storage(const struct job *j)
{
	const char *store = job_param(j, "storage");

	return store ? store : job_param(j, "dumpdir") ? NULL : "local";
}

bool vz_fleecing(const struct job *j, struct kv *ret)
{
	const char *value = job_param(j, "fleecing"), *on;
	struct buf ignored;

	buf_init(&ignored, 0);
	if (value && !schema_split(&SCHEMA_OF("fleecing", j->sim->v9), value, ret, &ignored))
		kv_fini(ret);
	buf_fini(&ignored);
	on = kv_get(ret, "enabled");
	return on && strcmp(on, "0") != 0;
}

/* As it could be typed. */
static void log_command(struct job *j)
{
	const struct vz *z = j->data;
	const char *vmid = job_param(j, "vmid");
	struct buf b;

	buf_init(&b, 0);
	for (size_t i = 0; vmid && i < z->n; i++)
		buf_addf(&b, " %" PRId64, z->ids[i]);
	KV_FOREACH (i, &j->params) {
		bool plain = i->value[strspn(i->value, "abcdefghijklmnopqrstuvwxyz"
						       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						       "0123456789_@%+=:,./-")] == '\0';
		const char *q = plain ? "" : "'";

		if (strcmp(i->key, "vmid") != 0 && *i->value)
			buf_addf(&b, " --%s %s%s%s", i->key, q, i->value, q);
	}
	job_log(j, "INFO: starting new backup job: vzdump%s", buf_str(&b));
	buf_fini(&b);
}

void vz_next(struct job *j)
{
	struct vz *z = j->data;

	if (z->next < z->n) {
		vz_guest(j);
		return;
	}
	z->holds = false;
	j->on_abort = NULL;
	job_log(j, "INFO: Backup job finished %s", z->failed ? "with errors" : "successfully");
	if (z->failed)
		job_die(j, "job errors");
	else
		job_done(j);
}

/* --- the task --- */

static void vz_aborted(struct job *j, const char *msg)
{
	struct vz *z = j->data;
	bool stopped = !strcmp(msg, "interrupted by signal");

	if (z->holds && z->next < z->n)
		vz_guest_fails(j, msg);
	else if (!stopped) {
		job_die(j, "%s", msg);
		return;
	}
	if (stopped) {
		job_log(j, "ERROR: Backup job failed - %s", msg);
		j->on_abort = NULL;
		job_die(j, "%s", msg);
	}
}

/* Of all, those that somebody may not back up are passed over; of named ones each must be allowed.
 */
static bool may_back_up(struct job *j)
{
	struct vz *z = j->data;
	size_t n = 0;

	for (size_t i = 0; i < z->n; i++) {
		_cleanup_oops_ struct oops o = {0};
		bool ok = !guest_find(j->sim, z->ids[i]) ||
			  auth_vm(j->sim, &j->who, z->ids[i], PRIV_BIT(VM_BACKUP), &o);

		if (!ok && !job_param_bool(j, "all")) {
			job_die(j, "%s", o.msg);
			return false;
		}
		if (ok)
			z->ids[n++] = z->ids[i];
	}
	z->n = n;
	return true;
}

static void vz_work(struct job *j)
{
	struct vz *z = j->data;

	log_command(j);
	if (z->others.n) {
		_cleanup_str_ char *list = strs_join(&z->others, ", ");

		job_log(j, "INFO: skip external VMs: %s", list);
	}
	if (may_back_up(j))
		vz_next(j);
}

static struct job *at_it(const struct job *j)
{
	for (struct job *other = j->sim->jobs; other; other = other->next)
		if (other != j && other->task && other->node == j->node &&
		    !strcmp(other->task->type, "vzdump") && ((struct vz *)other->data)->holds)
			return other;
	return NULL;
}

/* One at a time on each node. */
static void vz_wait(struct job *j)
{
	struct vz *z = j->data;
	int64_t most = job_param_int(j, "lockwait", LOCKWAIT_MIN) * 60000;

	if (!at_it(j)) {
		if (z->since)
			job_log(j, "INFO: got global lock");
		z->holds = true;
		vz_work(j);
		return;
	}
	if (!z->since) {
		z->since = j->sim->now;
		job_log(j, "INFO: trying to get global lock - waiting...");
	}
	if (j->sim->now - z->since >= most) {
		job_die(j, "can't acquire lock '/var/run/vzdump.lock' - got timeout");
		return;
	}
	job_next(j, LOCK_LOOK_MS, vz_wait);
}

static void vz_begin(struct job *j)
{
	const char *name = vz_storage(j);
	_cleanup_oops_ struct oops o = {0};
	const struct store *st = name ? store_active(j->sim, name, j->node, &o) : NULL;

	j->on_abort = vz_aborted;
	if (name && !st)
		job_die(j, "could not activate storage '%s': %s", name, o.msg);
	else if (st && !store_has(st, "backup"))
		job_die(j,
		    "could not get storage information for '%s': can't use storage '%s' for "
		    "backups - wrong content type",
		    name, name);
	else
		vz_wait(j);
}

/* --- the request --- */

static bool may_options(struct job *j, struct oops *o)
{
	static const char *const root[] = {"tmpdir", "dumpdir", "script", "job-id"},
				 *const system[] = {"bwlimit", "performance", "ionice"};
	_cleanup_kv_ struct kv f = {0};
	const char *store = vz_storage(j);
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *aside = NULL;

	if (who_is_root(&j->who))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(root); i++)
		if (job_param(j, root[i]))
			return oops_param(o, root[i], "Only root may set this option.");
	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		if (job_param(j, system[i]) &&
		    !auth_check(j->sim, &j->who, "/", PRIV_BIT(SYS_MODIFY), false, o))
			return false;
	if (vz_fleecing(j, &f) && kv_get(&f, "storage")) {
		aside = mem_printf("/storage/%s", kv_get(&f, "storage"));
		if (!auth_check(
			j->sim, &j->who, aside, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
			return false;
	}
	path = mem_printf("/storage/%s", store ? store : "");
	return !(job_param(j, "prune-backups") || job_param(j, "maxfiles")) || !store ||
	       auth_check(j->sim, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATE), false, o);
}

static bool options_fit(const struct job *j, struct oops *o)
{
	static const char *const not_with[] = {"all", "exclude", "pool"};
	const char *notes = job_param(j, "notes-template");
	bool all = job_param_bool(j, "all") || job_param(j, "exclude"), vmid = job_param(j, "vmid");

	for (size_t i = 0; vmid && i < ARRAY_LEN(not_with); i++)
		if (i ? job_param(j, not_with[i]) != NULL : job_param_bool(j, "all"))
			return oops_param(o, not_with[i], "option conflicts with option 'vmid'");
	if (notes && strchr(notes, '\n'))
		return oops_param(o, "notes-template", "contains a line feed");
	if (!all && !vmid && !job_param(j, "pool") && !job_param_bool(j, "stop"))
		return oops_param(o, "vmid", "property is missing");
	return true;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void take_guest(struct job *j, int64_t vmid)
{
	struct vz *z = j->data;
	const struct guest *g = guest_find(j->sim, vmid);

	if (!g || g->node == j->node)
		z->ids[z->n++] = vmid;
	else
		strs_add_take(&z->others, mem_printf("%" PRId64, vmid));
}

/* get_included_guests; who is gone is named all the same, and fails later. */
static void included(struct job *j)
{
	struct vz *z = j->data;
	const char *vmid = job_param(j, "vmid"), *pool = job_param(j, "pool"),
		   *exclude = job_param(j, "exclude");
	_cleanup_strs_ struct strs named = {0}, not = {0};

	if ((vmid && text_split(vmid, ",; ", true, 10000, &named) < 0) ||
	    (exclude && text_split(exclude, ",; ", true, 10000, &not ) < 0))
		return;
	z->ids = mem_calloc(named.n + j->sim->nguests + 1, sizeof(*z->ids));
	for (size_t i = 0; i < named.n; i++)
		take_guest(j, strtoll(named.v[i], NULL, 10));
	for (size_t i = 0; !vmid && i < j->sim->nguests; i++) {
		const struct guest *g = j->sim->guests[i];
		_cleanup_str_ char *id = mem_printf("%" PRId64, g->vmid);

		if (pool ? text_eq(g->pool, pool)
			 : (job_param_bool(j, "all") || exclude) && !strs_has(&not, id))
			take_guest(j, g->vmid);
	}
	qsort(z->ids, z->n, sizeof(*z->ids), by_number);
}

static void stop_others(const struct job *j)
{
	struct job *other = at_it(j);

	if (other)
		task_stop(other->task);
}

void api_vzdump(struct job *j)
{
	struct vz *z = mem_alloc(sizeof(*z));
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *id = NULL;
	bool all = job_param_bool(j, "all") || job_param(j, "exclude");

	j->data = z;
	j->data_free = vz_free;
	if (job_param_bool(j, "stdout"))
		oops_param(&o, "stdout", "option is only allowed on the command line interface.");
	if (o.status || !may_options(j, &o) || !options_fit(j, &o)) {
		job_oops(j, &o);
		return;
	}
	included(j);
	if (job_param_bool(j, "stop"))
		stop_others(j);
	if (!z->n && (!all || job_param_bool(j, "stop"))) {
		job_ok(j, jsn_new_str("OK"));
		return;
	}
	path = mem_printf("/storage/%s", vz_storage(j) ? vz_storage(j) : "");
	if (vz_storage(j) &&
	    !auth_check(j->sim, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, &o)) {
		job_oops(j, &o);
		return;
	}
	id = z->n == 1 ? mem_printf("%" PRId64, z->ids[0]) : mem_strdup("");
	job_fork(j, "vzdump", id, vz_begin);
}
