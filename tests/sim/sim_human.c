#include "sim_human.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_ha.h"
#include "sim_nic.h"
#include "sim_power.h"
#include "sim_restore.h"
#include "sim_volume.h"

/* A job that nobody waits for, to act in somebody's name. */
static struct job *pretend(struct sim *s, struct node *n, const char *user, int64_t vmid)
{
	struct job *j = job_new(s);

	j->entry = j->node = n;
	j->vmid = vmid;
	j->trusted = true;
	j->method = mem_strdup("");
	j->path = mem_strdup("");
	j->who = (struct who){mem_strdup(user), mem_strdup(user), true};
	s->interrupted = s->acting; /* people act in the middle of what others do */
	s->acting = j;
	return j;
}

static int outcome(struct job *j, const struct oops *o, struct err **err)
{
	struct sim *s = j->sim;
	int r = 0;

	if (o->status) {
		const char *detail = o->errors.n ? o->errors.v[0].value : o->msg;

		r = err_set(err, ERR_DECLINED, "%s%s%s", o->errors.n ? o->errors.v[0].key : "",
		    o->errors.n ? ": " : "", detail);
	}
	job_free(j);
	s->acting = s->interrupted;
	return r;
}

static struct guest *find(struct sim *s, int64_t vmid, struct err **err)
{
	struct guest *g = guest_find(s, vmid);

	if (!g)
		err_set(err, ERR_NOTFOUND, "there is no guest %" PRId64, vmid);
	return g;
}

/* An image with a system, as a file. */
static void lay(struct volume *v, int64_t bytes)
{
	v->written = v->laid = true;
	v->data = bytes;
}

/* What is there from the start has a system on the disks it boots from: without an order, all. */
static void fill_disks(struct sim *s, const struct guest *g)
{
	_cleanup_strs_ struct strs order = {0};

	boot_order(kv_get(&g->conf, "boot"), &order);
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};
		struct volume *v;

		if (!prop_kind(i->key) || (order.n && !strs_has(&order, i->key)) ||
		    !drive_parse(s, i->key, i->value, &d) || drive_is_cdrom(&d))
			continue;
		v = volume_find(s, g->node, d.file);
		if (v && !text_eq(kv_get(&g->conf, "ostype"), "other"))
			lay(v, s->image_data ? s->image_data : v->size / 5);
	}
}

int sim_human_image(struct sim *s, int64_t vmid, const char *key, int64_t bytes, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	const char *value = g ? kv_get(&g->conf, key) : NULL;
	_cleanup_drive_ struct drive d = {0};
	struct volume *v = NULL;

	if (!g)
		return -1;
	if (value && prop_is_drive(key) && drive_parse(s, key, value, &d))
		v = volume_find(s, g->node, d.file);
	if (!v)
		return err_set(err, ERR_NOTFOUND, "guest %" PRId64 " has no disk %s", vmid, key);
	lay(v, bytes);
	return 0;
}

static void add_identity(struct sim *s, struct guest *g, const struct kv *conf)
{
	_cleanup_str_ char *uuid = sim_uuid(s), *gen = sim_uuid(s);

	if (!kv_has(&g->conf, "smbios1")) {
		_cleanup_str_ char *v = mem_printf("uuid=%s", uuid);

		guest_set(s, g, "smbios1", v);
	}
	if (!kv_has(&g->conf, "vmgenid") && !kv_has(conf, "vmgenid"))
		guest_set(s, g, "vmgenid", gen);
	if (!kv_has(&g->conf, "meta")) {
		_cleanup_str_ char *v =
		    mem_printf("creation-qemu=%s,ctime=%" PRId64, s->qemu, sim_secs(s));

		guest_set(s, g, "meta", v);
	}
}

static bool fill_conf(struct job *j, struct guest *g, const struct kv *conf, struct oops *o)
{
	struct sim *s = j->sim;

	KV_FOREACH (i, conf) {
		_cleanup_str_ char *v = NULL;
		_cleanup_kv_ struct kv errors = {0};
		const struct sprop *p = schema_conf(i->key, s->v9);

		if (!*i->value)
			continue;
		if (p)
			schema_check_value(p, i->key, i->value, s->v9, &errors);
		if (!strcmp(i->key, "cpu"))
			cpu_check(s, i->value, &errors);
		if (errors.n)
			return oops_param(o, i->key, "%s", errors.v[0].value);
		if (prop_is_drive(i->key)) {
			if (!drive_make(j, g, i->key, i->value, &v, o))
				return false;
		} else if (prop_is_net(i->key))
			v = net_canonical(s, i->key, i->value);
		else if (!strcmp(i->key, "tags") && s->v9) /* 8 leaves them as they came */
			v = tags_canonical(s, i->value);
		else
			v = conf_normal(s, i->key, i->value);
		if (v)
			guest_set(s, g, i->key, v);
	}
	add_identity(s, g, conf);
	cloudinit_write(j, g);
	fill_disks(s, g);
	return true;
}

int human_make(struct sim *s, int64_t vmid, struct node *n, const struct kv *conf, bool template,
    struct err **err)
{
	struct job *j = pretend(s, n, "root@pam", vmid);
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = guest_new(s, vmid, n);

	if (fill_conf(j, g, conf, &o) && template) {
		guest_set(s, g, "template", "1");
		drives_to_base(s, g, NULL, &o);
	}
	return outcome(j, &o, err);
}

int sim_human_create(struct sim *s, int64_t vmid, const char *node, const char *user,
    const struct kv *conf, struct err **err)
{
	static const struct kv none;
	struct node *n = node ? node_find(s, node) : s->nodes[0];
	struct job *j;
	struct guest *g;
	_cleanup_oops_ struct oops o = {0};

	if (!n)
		return err_set(err, ERR_NOTFOUND, "there is no node %s", node);
	if (guest_find(s, vmid))
		return err_set(err, ERR_CONFLICT, "guest %" PRId64 " exists", vmid);
	j = pretend(s, n, user, vmid);
	g = guest_new(s, vmid, n);
	fill_conf(j, g, conf ? conf : &none, &o);
	return outcome(j, &o, err);
}

int sim_human_edit(struct sim *s, int64_t vmid, const char *user, const struct kv *set,
    const char *del, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	struct job *j;
	struct confop *op;
	_cleanup_oops_ struct oops o = {0};

	if (!g)
		return -1;
	j = pretend(s, g->node, user, vmid);
	if (set)
		kv_copy(&j->params, set);
	if (del)
		kv_set(&j->params, "delete", del);
	op = mem_alloc(sizeof(*op));
	j->data = op;
	j->data_free = confop_free;
	if (conf_prepare(j, op, &o) && conf_enter(j, op, &o))
		conf_apply(j, op, &o);
	return outcome(j, &o, err);
}

int sim_human_migrate(struct sim *s, int64_t vmid, const char *node, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	struct node *to = node_find(s, node);
	const struct job *acting = s->acting;

	if (!g)
		return -1;
	if (!to)
		return err_set(err, ERR_NOTFOUND, "there is no node %s", node);
	s->acting = NULL;
	for (size_t i = 0; i < s->nvolumes; i++)
		if (s->volumes[i]->vmid == vmid && s->volumes[i]->node == g->node)
			volume_move(s, s->volumes[i], to);
	guest_move(s, g, to);
	if (g->running)
		nic_moved(s, g);
	s->acting = acting;
	return 0;
}

int sim_human_delete(struct sim *s, int64_t vmid, const char *user, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	struct job *j;
	_cleanup_oops_ struct oops o = {0};

	if (!g)
		return -1;
	j = pretend(s, g->node, user, vmid);
	for (size_t i = 0; i < s->nvolumes; i++)
		if (s->volumes[i]->vmid == vmid)
			volume_free(s, s->volumes[i--]);
	guest_del(s, g);
	return outcome(j, &o, err);
}

int sim_human_restore(
    struct sim *s, int64_t vmid, const char *user, const struct kv *set, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	_cleanup_strs_ struct strs slots = {0};
	_cleanup_oops_ struct oops o = {0};
	struct saved *v;
	struct job *j;

	if (!g)
		return -1;
	KV_FOREACH (i, &g->conf)
		if (prop_is_drive(i->key))
			strs_add(&slots, i->key);
	j = pretend(s, g->node, user, vmid);
	v = restore_save(s, g, &slots);
	guest_run(s, g, false);
	guest_unset(s, g, "lock");
	restore_over(j, g, v, set, &o);
	restore_saved_free(v);
	return outcome(j, &o, err);
}

int sim_human_lock(struct sim *s, int64_t vmid, const char *lock, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	const struct job *acting = s->acting;

	if (!g)
		return -1;
	s->acting = NULL;
	if (lock)
		guest_set(s, g, "lock", lock);
	else
		guest_unset(s, g, "lock");
	s->acting = acting;
	return 0;
}

static void held(struct job *j)
{
	job_done(j);
}

static void hold(struct job *j)
{
	job_next(j, j->vmid ? j->fault_delay : 0, held);
}

int sim_human_flock(struct sim *s, int64_t vmid, int64_t ms, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	struct job *j;

	if (!g)
		return -1;
	j = pretend(s, g->node, "root@pam", vmid);
	s->acting = s->interrupted;
	j->answered = true;
	j->fault_delay = ms;
	job_lock_guest(j, vmid, true, hold);
	return 0;
}

static void hold_cfs(struct job *j)
{
	job_next(j, j->fault_delay, held);
}

void sim_human_cfslock(struct sim *s, const char *name, int64_t ms)
{
	struct job *j = pretend(s, s->nodes[0], "root@pam", 0);

	s->acting = s->interrupted;
	j->answered = true;
	j->fault_delay = ms;
	job_lock(j, name, true, ms, hold_cfs);
}

int sim_human_power(struct sim *s, int64_t vmid, bool on, struct err **err)
{
	struct guest *g = find(s, vmid, err);
	struct job *j;
	_cleanup_oops_ struct oops o = {0};

	if (!g)
		return -1;
	j = pretend(s, g->node, "root@pam", vmid);
	if (on && !g->running)
		power_on(j, g);
	else if (!on)
		guest_run(s, g, false);
	return outcome(j, &o, err);
}

int sim_human_guest(struct sim *s, int64_t vmid, bool down, struct err **err)
{
	struct guest *g = find(s, vmid, err);

	if (!g)
		return -1;
	if (down)
		guest_run(s, g, false);
	else if (g->running) /* a reboot inside the guest keeps the process and what it has */
		g->started = s->now;
	return 0;
}

int sim_human_pool(struct sim *s, int64_t vmid, const char *pool, struct err **err)
{
	struct guest *g = find(s, vmid, err);

	if (!g)
		return -1;
	if (pool && !pool_find(s, pool))
		return err_set(err, ERR_NOTFOUND, "there is no pool %s", pool);
	guest_pool(s, g, pool);
	return 0;
}

int sim_human_ha(struct sim *s, int64_t vmid, bool on, struct err **err)
{
	struct guest *g = find(s, vmid, err);

	if (!g)
		return -1;
	ha_manage(s, g, !on ? NULL : g->running ? "started" : "stopped");
	if (on) /* long since */
		g->ha_state = g->ha_want;
	return 0;
}

int sim_human_deaf(struct sim *s, int64_t vmid, bool deaf, struct err **err)
{
	struct guest *g = find(s, vmid, err);

	if (!g)
		return -1;
	g->deaf = deaf;
	return 0;
}

int sim_human_cling(struct sim *s, int64_t vmid, bool clings, struct err **err)
{
	struct guest *g = find(s, vmid, err);

	if (!g)
		return -1;
	g->clings = clings;
	return 0;
}

/* --- nodes --- */

static int each_node(struct sim *s, const char *name, struct err **err,
    void (*fn)(struct sim *s, struct node *n, bool on), bool on)
{
	struct node *n = name ? node_find(s, name) : NULL;

	if (name && !n)
		return err_set(err, ERR_NOTFOUND, "there is no node %s", name);
	for (size_t i = 0; i < s->nnodes; i++)
		if (!n || s->nodes[i] == n)
			fn(s, s->nodes[i], on);
	return 0;
}

static void set_power(struct sim *s, struct node *n, bool up)
{
	if (n->up == up)
		return;
	ha_kick(s);
	if (!up) {
		n->down_since = n->lost_since = s->now;
		n->up = false;
		node_kill(s, n);
		for (size_t i = 0; i < s->nguests; i++)
			if (s->guests[i]->node == n) {
				/* The others keep what they heard last. */
				guest_heard(s, s->guests[i]);
				s->guests[i]->running = false;
				s->guests[i]->qmp = "stopped";
				kv_fini(&s->guests[i]->live);
			}
		return;
	}
	n->up = true;
	n->up_since = n->rebooted = s->now;
	for (size_t i = 0; i < s->nguests; i++)
		if (s->guests[i]->node == n)
			s->guests[i]->dirty_at = s->now;
}

static void set_daemon(struct sim *s, struct node *n, bool up)
{
	(void)s;
	n->daemon = up;
}

static void set_quorum(struct sim *s, struct node *n, bool on)
{
	n->quorate = on;
	ha_kick(s);
}

static void set_statd(struct sim *s, struct node *n, bool on)
{
	n->statd = on;
	n->statd_until = s->now;
}

static void set_maintenance(struct sim *s, struct node *n, bool on)
{
	n->maint = on;
	ha_kick(s);
}

int sim_node_maintenance(struct sim *s, const char *node, bool on, struct err **err)
{
	return each_node(s, node, err, set_maintenance, on);
}

int sim_node_power(struct sim *s, const char *node, bool up, struct err **err)
{
	return each_node(s, node, err, set_power, up);
}

int sim_node_daemon(struct sim *s, const char *node, bool up, struct err **err)
{
	return each_node(s, node, err, set_daemon, up);
}

int sim_node_quorum(struct sim *s, const char *node, bool quorate, struct err **err)
{
	return each_node(s, node, err, set_quorum, quorate);
}

int sim_node_statd(struct sim *s, const char *node, bool on, struct err **err)
{
	return each_node(s, node, err, set_statd, on);
}

int sim_node_round(struct sim *s, const char *node, int64_t ms, struct err **err)
{
	struct node *n = node_find(s, node);
	int64_t period = s->timing[TIMING_STATD];

	if (!n)
		return err_set(err, ERR_NOTFOUND, "there is no node %s", node);
	n->phase = period > 0 ? (s->now + ms) % period : 0;
	return 0;
}

/* --- storages --- */

static int set_store(struct sim *s, const char *name, struct store **ret, struct err **err)
{
	*ret = store_find(s, name);
	return *ret ? 0 : err_set(err, ERR_NOTFOUND, "there is no storage %s", name);
}

int sim_store_online(struct sim *s, const char *store, bool on, struct err **err)
{
	struct store *st;

	if (set_store(s, store, &st, err) < 0)
		return -1;
	st->online = on;
	return 0;
}

int sim_store_stuck(struct sim *s, const char *store, bool on, struct err **err)
{
	struct store *st;

	if (set_store(s, store, &st, err) < 0)
		return -1;
	st->stuck_free = on;
	return 0;
}

/* --- tokens --- */

static struct stoken *token_find(struct sim *s, const char *full, struct suser **ret)
{
	const char *bang = strchr(full, '!');
	_cleanup_str_ char *user = bang ? mem_strndup(full, (size_t)(bang - full)) : NULL;
	struct suser *u = user ? user_find(s, user) : NULL;

	for (size_t i = 0; u && i < u->ntokens; i++)
		if (!strcmp(u->tokens[i].name, bang + 1)) {
			*ret = u;
			return &u->tokens[i];
		}
	return NULL;
}

int sim_token_revoke(struct sim *s, const char *token, struct err **err)
{
	struct suser *u;
	struct stoken *t = token_find(s, token, &u);

	if (!t)
		return err_set(err, ERR_NOTFOUND, "there is no token %s", token);
	free(t->name);
	free(t->comment);
	mem_free_secret(&t->secret);
	*t = u->tokens[--u->ntokens];
	return 0;
}

int sim_token_secret(struct sim *s, const char *token, const char *secret, struct err **err)
{
	struct suser *u;
	struct stoken *t = token_find(s, token, &u);

	if (!t)
		return err_set(err, ERR_NOTFOUND, "there is no token %s", token);
	mem_free_secret(&t->secret);
	t->secret = mem_strdup(secret);
	return 0;
}

size_t sim_human_stop_tasks(struct sim *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->ntasks; i++) {
		struct job *j = s->tasks[i]->job;

		if (!j || !j->faulty || j->fault != SIM_FAULT_TASK_HANG)
			continue;
		task_stop(s->tasks[i]);
		n++;
	}
	/* Nor hangs what has been asked for and still waits for a lock. */
	for (struct job *j = s->jobs; j; j = j->next)
		if (!j->task && j->faulty && j->fault == SIM_FAULT_TASK_HANG)
			j->faulty = false;
	return n;
}
