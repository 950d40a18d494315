/* Replication jobs: the calls below /cluster/replication, and what a job forbids. */
#include "sim_repl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_power.h"
#include "sim_volume.h"

#define ROUND_MS 60000 /* pvescheduler looks once a minute */

static struct repl *find(const struct sim *s, const char *id)
{
	for (size_t i = 0; i < s->nrepls; i++)
		if (!strcmp(s->repls[i].id, id))
			return &s->repls[i];
	return NULL;
}

struct repl *repl_of(const struct sim *s, int64_t vmid, const char *target)
{
	for (size_t i = 0; i < s->nrepls; i++)
		if (s->repls[i].guest == vmid &&
		    (!target || text_eq(kv_get(&s->repls[i].conf, "target"), target)))
			return &s->repls[i];
	return NULL;
}

static void drop(struct sim *s, struct repl *r)
{
	free(r->id);
	kv_fini(&r->conf);
	s->nrepls--;
	memmove(r, r + 1, (size_t)(s->repls + s->nrepls - r) * sizeof(*r));
}

void repls_forget(struct sim *s, int64_t vmid)
{
	struct repl *r;

	while ((r = repl_of(s, vmid, NULL)))
		drop(s, r);
}

void repls_free(struct sim *s)
{
	while (s->nrepls)
		drop(s, &s->repls[s->nrepls - 1]);
	free(s->repls);
}

bool repl_add(struct sim *s, int64_t vmid, int64_t number, const struct kv *conf, struct oops *o)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64 "-%" PRId64, vmid, number);
	const char *target = kv_get(conf, "target");
	size_t at = 0;

	if (find(s, id))
		return oops_die(o, "replication job '%s' already exists", id);
	if (repl_of(s, vmid, target))
		return oops_die(o,
		    "replication job for guest '%" PRId64 "' to target 'local/%s' already exists",
		    vmid, target);
	MEM_PUSH_ROOM(s->repls, s->nrepls, s->replcap);
	while (at < s->nrepls && strcmp(s->repls[at].id, id) < 0)
		at++;
	memmove(s->repls + at + 1, s->repls + at, (s->nrepls - at) * sizeof(*s->repls));
	s->nrepls++;
	s->repls[at] = (struct repl){.id = mem_strdup(id), .guest = vmid, .number = number};
	kv_copy(&s->repls[at].conf, conf);
	return true;
}

void repls_turn(struct sim *s, int64_t vmid, const struct node *from, const struct node *to)
{
	if (!repl_of(s, vmid, to->name))
		return;
	for (size_t i = 0; i < s->nrepls; i++) {
		struct kv *conf = &s->repls[i].conf;

		if (s->repls[i].guest != vmid)
			continue;
		if (text_eq(kv_get(conf, "target"), to->name))
			kv_set(conf, "target", from->name);
		kv_set(conf, "source", to->name);
	}
}

/* --- which disks --- */

/* Copies are made of snapshots of ZFS that the other node has as well. */
static bool can_replicate(const struct store *st)
{
	return st->type == STORE_ZFS;
}

bool repl_takes(struct job *j, const struct drive *d, struct oops *o)
{
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	const struct store *st;

	if (!repl_of(j->sim, j->vmid, NULL) || text_eq(kv_get(&d->opts, "replicate"), "0") ||
	    drive_is_cdrom(d))
		return true;
	if (!volid_split(d->file, &store, &name))
		return oops_die(o, "cannot add non-managed/pass-through volume to a replicated VM");
	st = store_find(j->sim, store);
	if (!strcmp(name, "cloudinit") || !st || st->shared || can_replicate(st))
		return true;
	return oops_die(o, "cannot add non-replicatable volume to a replicated VM");
}

struct counting {
	const struct sim *s;
	const struct guest *g;
	struct oops *o;
	size_t n;
};

/* get_replicatable_volumes, of one drive */
static bool count_one(void *arg, const char *key, const struct drive *d)
{
	struct counting *c = arg;
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	const struct store *st;
	const struct volume *v;

	(void)key;
	if (drive_is_cdrom(d) || text_eq(kv_get(&d->opts, "replicate"), "0"))
		return true;
	if (*d->file == '/')
		return oops_die(c->o, "unable to replicate local file/device '%s'", d->file);
	if (!volid_split(d->file, &store, &name))
		return true;
	st = store_find(c->s, store);
	if (!st)
		return oops_die(c->o, "storage '%s' does not exist", store);
	v = volume_find(c->s, c->g->node, d->file);
	if (st->shared || (v && v->vmid != c->g->vmid))
		return true;
	if (!can_replicate(st))
		return oops_die(c->o, "missing replicate feature on volume '%s'", d->file);
	c->n++;
	return true;
}

static bool has_some(struct sim *s, const struct guest *g, struct oops *o)
{
	struct counting c = {.s = s, .g = g, .o = o};

	drives_each(s, &g->conf, false, count_one, &c);
	KV_FOREACH (i, &g->conf) {
		struct drive d = {.file = i->value};

		if (!o->status && prop_is_unused(i->key))
			count_one(&c, i->key, &d);
	}
	return !o->status && (c.n || oops_die(o, "No replicatable volumes found"));
}

/* --- beside the calls --- */

int sim_human_replicate(struct sim *s, int64_t vmid, bool on, struct err **err)
{
	const struct guest *g = guest_find(s, vmid);
	_cleanup_oops_ struct oops o = {0};
	_cleanup_kv_ struct kv conf = {0};
	size_t i = 0;

	if (!g)
		return err_set(err, ERR_NOTFOUND, "there is no guest %" PRId64, vmid);
	repls_forget(s, vmid);
	if (!on)
		return 0;
	while (i + 1 < s->nnodes && s->nodes[i] == g->node)
		i++;
	kv_set(&conf, "target", s->nodes[i]->name);
	kv_set(&conf, "source", g->node->name);
	return repl_add(s, vmid, 0, &conf, &o) ? 0 : err_set(err, ERR_INPUT, "%s", o.msg);
}

/* --- the calls --- */

static struct jsn *shown(const struct repl *r)
{
	struct jsn *o = jsn_new_object();
	int64_t v;

	KV_FOREACH (i, &r->conf)
		if (!strcmp(i->key, "disable") && !text_to_int(i->value, 0, 1, &v))
			jsn_put_int(o, i->key, v);
		else
			jsn_put_str(o, i->key, i->value);
	jsn_put_str(o, "id", r->id);
	jsn_put_int(o, "guest", r->guest);
	jsn_put_int(o, "jobnum", r->number);
	jsn_put_str(o, "type", "local");
	return o;
}

static bool sees(const struct job *j, const struct repl *r)
{
	_cleanup_str_ char *path = mem_printf("/vms/%" PRId64, r->guest);

	return auth_has(j->sim, &j->who, path, PRIV_BIT(VM_AUDIT));
}

void api_replications(struct job *j)
{
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < j->sim->nrepls; i++)
		if (sees(j, &j->sim->repls[i]))
			jsn_push(a, shown(&j->sim->repls[i]));
	job_ok(j, a);
}

void api_replication(struct job *j)
{
	const struct repl *r = find(j->sim, job_param(j, "id"));
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *text = NULL;
	struct jsn *d;
	char sum[41];

	if (!r)
		oops_die(&o, "no such replication job '%s'", job_param(j, "id"));
	else if (!sees(j, r))
		oops_http(&o, 403, "Permission check failed");
	if (o.status) {
		job_oops(j, &o);
		return;
	}
	d = shown(r);
	text = jsn_print(d, false);
	sim_sha1(text, strlen(text), sum);
	jsn_put_str(d, "digest", sum);
	job_ok(j, d);
}

/* What is looked at before the lock of the jobs' file is asked for. */
static bool create_fits(struct job *j, struct guest *g, int64_t vmid, struct oops *o)
{
	const char *target = job_param(j, "target"), *source = job_param(j, "source");

	if (!g)
		return oops_die(o, "Guest '%" PRId64 "' does not exist.", vmid);
	if (!node_find(j->sim, target))
		return oops_die(o, "Target '%s' does not exist.", target);
	if (source && strcmp(source, g->node->name) != 0)
		return oops_die(o,
		    "Source '%s' does not match current node of guest '%" PRId64 "' (%s)", source,
		    vmid, g->node->name);
	if (!strcmp(target, g->node->name))
		return oops_die(o, "Source and target must not be identical");
	return has_some(j->sim, g, o);
}

static void created(struct job *j)
{
	static const char *const own[] = {"id", "type"};
	_cleanup_oops_ struct oops o = {0};
	_cleanup_kv_ struct kv conf = {0};
	const char *dash = strchr(job_param(j, "id"), '-');

	kv_copy(&conf, &j->params);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		kv_del(&conf, own[i]);
	if (!repl_add(j->sim, strtoll(job_param(j, "id"), NULL, 10), strtoll(dash + 1, NULL, 10),
		&conf, &o)) {
		job_oops(j, &o);
		return;
	}
	note(j->sim, NULL, "replication", job_param(j, "id"), NULL, job_param(j, "target"));
	job_ok(j, NULL);
}

void api_replication_post(struct job *j)
{
	int64_t vmid = strtoll(job_param(j, "id"), NULL, 10);
	struct guest *g = guest_find(j->sim, vmid);
	_cleanup_oops_ struct oops o = {0};

	if (!create_fits(j, g, vmid, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!job_param(j, "source"))
		kv_set(&j->params, "source", g->node->name);
	job_lock_cfs(j, "file-replication_cfg", NULL, created);
}

/* Who marked it has long been answered; the guest's node sweeps up, if it can write. */
static void swept(struct job *c)
{
	struct sim *s = c->sim;
	struct repl *r = repl_of(s, c->vmid, NULL);
	const struct guest *g = guest_find(s, c->vmid);

	while (r && !kv_has(&r->conf, "remove_job"))
		r = r + 1 < s->repls + s->nrepls && r[1].guest == c->vmid ? r + 1 : NULL;
	if (!r || !g) {
		job_done(c);
		return;
	}
	if (!g->node->up || !g->node->quorate || kv_has(&g->conf, "lock")) {
		job_next(c, ROUND_MS, swept);
		return;
	}
	drop(s, r);
	job_next(c, 0, swept);
}

static void marked(struct job *j)
{
	struct sim *s = j->sim;
	struct repl *r = find(s, job_param(j, "id"));
	const struct guest *g = r ? guest_find(s, r->guest) : NULL;

	if (job_param_bool(j, "force")) {
		if (r)
			drop(s, r);
		job_ok(j, NULL);
		return;
	}
	if (!r) {
		job_die(j, "no such job '%s'", job_param(j, "id"));
		return;
	}
	kv_set(&r->conf, "remove_job", job_param_bool(j, "keep") ? "local" : "full");
	if (g)
		job_next(
		    power_daemon(s, g->node, r->guest), ROUND_MS - sim_wall(s) % ROUND_MS, swept);
	job_ok(j, NULL);
}

void api_replication_delete(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};

	if (job_param_bool(j, "force") && job_param_bool(j, "keep")) {
		oops_param(&o, "keep", "conflicts with parameter 'force'");
		job_oops(j, &o);
		return;
	}
	job_lock_cfs(j, "file-replication_cfg", NULL, marked);
}
