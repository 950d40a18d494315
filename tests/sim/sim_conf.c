#include "sim_conf.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_auth.h"
#include "sim_mutant.h"
#include "sim_net.h"
#include "sim_schema.h"

void confop_fini(struct confop *op)
{
	kv_fini(&op->set);
	strs_fini(&op->del);
	strs_fini(&op->revert);
	mem_free_str(&op->digest);
	mem_free_str(&op->summary);
}

void confop_free(void *op)
{
	confop_fini(op);
	free(op);
}

struct guest *conf_load(struct job *j, int64_t vmid, struct oops *o)
{
	struct guest *g = guest_find(j->sim, vmid);

	if (g && MUTANT(WRONG_NODE))
		return g;
	if (g && g->node == j->node && net_shows(j->sim, j->node, g))
		return g;
	oops_die(o, "Configuration file 'nodes/%s/qemu-server/%" PRId64 ".conf' does not exist",
	    j->node->name, vmid);
	return NULL;
}

bool conf_unlocked(const struct guest *g, struct oops *o)
{
	const char *lock = kv_get(&g->conf, "lock");

	return lock && !MUTANT(LOCKS_IGNORED) ? oops_die(o, "VM is locked (%s)", lock) : true;
}

/* What a key will be: asked for, put back, or as it is. */
static const char *to_be(const struct guest *g, const struct confop *op, const char *key)
{
	const char *v = kv_get(&op->set, key);

	if (!v && strs_has(&op->revert, key))
		v = kv_get(&g->conf, key);
	if (!v)
		v = kv_get(&g->pend, key);
	return v ? v : kv_get(&g->conf, key);
}

static bool balloon_fits(const struct guest *g, const struct confop *op, struct oops *o)
{
	const char *bal = to_be(g, op, "balloon");
	bool asked = false;

	for (int i = 0; i < 2; i++) {
		const char *key = i ? "balloon" : "memory";

		asked = asked || kv_has(&op->set, key) ||
			(strs_has(&op->revert, key) && kv_has(&g->conf, key));
	}
	if (asked && bal && strtoll(bal, NULL, 10) > memory_mib(to_be(g, op, "memory")))
		return oops_die(
		    o, "balloon value too large (must be smaller than assigned memory)");
	return true;
}

struct guest *conf_enter(struct job *j, const struct confop *op, struct oops *o)
{
	struct guest *g = conf_load(j, op->vmid, o);

	if (!g)
		return NULL;
	if (!MUTANT(NO_DIGEST) && op->digest && *op->digest &&
	    strcmp(op->digest, guest_digest(g)) != 0) {
		oops_die(o, "checksum mismatch (file change by other user?)");
		return NULL;
	}
	if (!conf_may_cpu(j, kv_get(&op->set, "cpu"), kv_get(&g->conf, "cpu"), o))
		return NULL;
	return (op->skiplock || conf_unlocked(g, o)) && balloon_fits(g, op, o) ? g : NULL;
}

/* --- parameters --- */

static char *summary(const struct kv *params)
{
	static const char *const not_said[] = {"node", "vmid", "digest", "background_delay"};
	struct buf b;

	buf_init(&b, 0);
	KV_FOREACH (i, params) {
		bool said = true;

		for (size_t k = 0; k < ARRAY_LEN(not_said); k++)
			said = said && strcmp(i->key, not_said[k]) != 0;
		if (said)
			buf_addf(&b, "%s-%s %s", b.len ? " " : "", i->key,
			    !strcmp(i->key, "cipassword") ? "<hidden>" : i->value);
	}
	return buf_take(&b);
}

static void list_into(const char *text, struct strs *ret)
{
	if (text && text_split(text, ",; \t\n", true, 4096, ret) < 0)
		*ret = (struct strs){0};
}

/* "-cdrom" is another name of ide2. */
static void cdrom_alias(struct confop *op)
{
	const char *v = kv_get(&op->set, "cdrom");

	if (v) {
		_cleanup_str_ char *val =
		    strstr(v, "media=") ? mem_strdup(v) : mem_printf("%s,media=cdrom", v);

		kv_set(&op->set, "ide2", val);
		kv_del(&op->set, "cdrom");
	}
	for (size_t i = 0; i < op->del.n; i++)
		if (!strcmp(op->del.v[i], "cdrom"))
			mem_replace(&op->del.v[i], "ide2");
}

static bool take_lists(struct job *j, struct confop *op, struct oops *o)
{
	bool v9 = j->sim->v9;

	for (size_t i = 0; i < op->revert.n; i++) {
		const char *k = op->revert.v[i];

		if (!schema_conf_key(k, v9))
			return oops_param(o, "revert", "unknown option '%s'", k);
		if (kv_has(&op->set, k))
			return oops_param(o, "delete",
			    "you can't use '-%s' and -revert %s' at the same time", k, k);
	}
	for (size_t i = 0; i < op->del.n; i++) {
		const char *k = op->del.v[i];

		if (kv_has(&op->set, k))
			return oops_param(o, "delete",
			    "you can't use '-%s' and -delete %s' at the same time", k, k);
		if (strs_has(&op->revert, k))
			return oops_param(o, "revert",
			    "you can't use '-delete %s' and '-revert %s' at the same time", k, k);
		if (!schema_conf_key(k, v9))
			return oops_param(o, "delete", "unknown option '%s'", k);
	}
	return true;
}

bool conf_prepare(struct job *j, struct confop *op, struct oops *o)
{
	static const char *const own[] = {"node", "vmid", "delete", "revert", "force", "skiplock",
	    "digest", "background_delay", "import-working-storage"};

	op->vmid = j->vmid;
	op->summary = summary(&j->params);
	op->skiplock = job_param_bool(j, "skiplock");
	op->force = job_param_bool(j, "force");
	op->digest = mem_strdup(job_param(j, "digest"));
	if (op->skiplock && !who_is_root(&j->who))
		return oops_param(o, "skiplock", "Only root may use this option.");
	kv_copy(&op->set, &j->params);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		kv_del(&op->set, own[i]);
	list_into(job_param(j, "delete"), &op->del);
	list_into(job_param(j, "revert"), &op->revert);
	if (!conf_keys_ok(kv_get(&op->set, "sshkeys")))
		return oops_die(o, "SSH public key validation error");
	if (!op->fresh && !op->set.n && !op->del.n && !op->revert.n)
		return oops_die(o, "no options specified");
	cdrom_alias(op);
	return take_lists(j, op, o) && conf_take_values(j, op, o) && conf_may(j, op, o);
}

/* --- values as they are stored --- */

char *conf_normal(const struct sim *s, const char *key, const char *value)
{
	const struct sprop *p = schema_conf(key, s->v9);
	char *v;

	if (!strcmp(key, "description")) {
		v = mem_strdup(value);
		text_trim_right(v);
		if (!*v)
			mem_free_str(&v);
		return v;
	}
	while (*value == ' ' || *value == '\t')
		value++;
	v = mem_strdup(value);
	text_trim_right(v);
	if (!*v) {
		_cleanup_kv_ struct kv errors = {0};

		mem_replace(&v, " ");
		if (p)
			schema_check_value(p, key, v, s->v9, &errors);
		if (errors.n)
			mem_free_str(&v);
	}
	return v;
}

/* What the writer of the file refuses although the API's check let it pass. */
static bool writable(const struct sim *s, const char *key, const char *value, struct oops *o)
{
	const struct sprop *p = schema_conf(key, s->v9);
	const char *dot;

	if (!strcmp(key, "description"))
		return true;
	if (strpbrk(value, "\r\n"))
		return oops_die(
		    o, "unable to parse value of '%s' - property contains a line feed", key);
	if (p && p->type == STYPE_INT && strspn(value, "0123456789") != strlen(value))
		return oops_die(o,
		    "unable to parse value of '%s' - type check ('integer') failed - got '%s'", key,
		    value);
	if (p && p->type == STYPE_NUM) {
		dot = strchr(value, '.');
		if (!isdigit((unsigned char)*value) || (dot && strchr(dot + 1, '.')) ||
		    (dot && !dot[1]) || strspn(value, "0123456789.") != strlen(value))
			return oops_die(o,
			    "unable to parse value of '%s' - type check ('number') failed - got "
			    "'%s'",
			    key, value);
	}
	return true;
}

/* --- the update --- */

struct update {
	struct job *j;
	struct confop *op;
	struct guest *g;
	struct strs order; /* the boot order as it changes */
	struct strs modified;
	struct oops *o;
};

static void order_write(struct update *u)
{
	_cleanup_str_ char *boot = boot_print(&u->order);
	_cleanup_str_ char *v = conf_normal(u->j->sim, "boot", boot);

	guest_pend(u->j->sim, u->g, "boot", v ? v : " ");
	strs_add(&u->modified, "boot");
}

static void order_drop(struct update *u, const char *key)
{
	struct strs rest = {0};

	if (!strs_has(&u->order, key))
		return;
	for (size_t i = 0; i < u->order.n; i++)
		if (strcmp(u->order.v[i], key) != 0)
			strs_add(&rest, u->order.v[i]);
	strs_fini(&u->order);
	u->order = rest;
	order_write(u);
}

static bool protected(const struct guest *g, struct oops *o, const char *what, const char *name)
{
	if (text_eq(kv_get(&g->conf, "protection"), "1"))
		return oops_die(o, "can't remove %s '%s' - protection mode enabled", what, name);
	return true;
}

/* The right that depends on what is in the slot now and on what is put there. */
static bool may_slot(struct update *u, const char *key, const char *value)
{
	const char *old = kv_get(&u->g->conf, key);
	struct job *j = u->j;

	if (prop_is_net(key))
		return !old || conf_may_net(j, key, old, u->o);
	if (!strcmp(key, "tags"))
		return conf_may_tags(j, old, value, u->o);
	return conf_may_device(j, key, old, value, u->o);
}

static bool delete_one(struct update *u, const char *key)
{
	struct sim *s = u->j->sim;
	struct guest *g = u->g;
	const char *cur = kv_get(&g->conf, key), *pend = kv_get(&g->pend, key);
	_cleanup_str_ char *val = mem_strdup(cur ? cur : pend);
	_cleanup_str_ char *waiting = mem_strdup(pend);
	_cleanup_drive_ struct drive d = {0};

	if (!val) {
		job_log(u->j, "cannot delete '%s' - not set in current configuration!", key);
		return true;
	}
	if (prop_is_unused(key)) {
		if (!drive_parse(s, key, val, &d))
			return true;
		return protected(g, u->o, "unused disk", d.file) &&
		       conf_may_drive(u->j, key, val, u->o) &&
		       drive_free_unused(u->j, g, key, u->o);
	}
	if (prop_is_drive(key)) {
		if (!protected(g, u->o, "drive", key) || !conf_may_drive(u->j, key, val, u->o))
			return false;
	} else if (!may_slot(u, key, NULL))
		return false;
	strs_add(&u->modified, key);
	guest_unpend(s, g, key);
	order_drop(u, key);
	if (waiting && prop_is_drive(key) && !drive_leave(u->j, g, key, waiting, false, u->o))
		return false;
	guest_pend_del(s, g, key, u->op->force);
	return true;
}

static bool set_boot(struct update *u, const char *value)
{
	struct sim *s = u->j->sim;
	_cleanup_strs_ struct strs devs = {0};
	_cleanup_str_ char *v = NULL;

	boot_order(value, &devs);
	for (size_t i = 0; i < devs.n; i++) {
		const char *d = devs.v[i];

		if ((!kv_has(&u->g->conf, d) && !kv_has(&u->g->pend, d) &&
			!kv_has(&u->op->set, d)) ||
		    strs_has(&u->op->del, d))
			return oops_die(u->o, "invalid bootorder: device '%s' does not exist'", d);
	}
	v = devs.n ? boot_print(&devs) : mem_strdup(value);
	guest_pend(s, u->g, "boot", v);
	if (devs.n && kv_has(&u->g->conf, "bootdisk"))
		guest_pend_del(s, u->g, "bootdisk", false);
	return true;
}

static bool tpm_stays(struct update *u, const char *key, const char *old, const char *value)
{
	_cleanup_drive_ struct drive a = {0}, b = {0};
	const char *was, *is;

	if (strcmp(key, "tpmstate0") != 0 || !old || !drive_parse(u->j->sim, key, old, &a) ||
	    !drive_parse(u->j->sim, key, value, &b) || strcmp(a.file, b.file) != 0)
		return true;
	was = kv_get(&a.opts, "version");
	is = kv_get(&b.opts, "version");
	if (!strcmp(was ? was : "v1.2", is ? is : "v1.2"))
		return true;
	return oops_die(u->o, "cannot change TPM state version after creation");
}

static bool set_drive(struct update *u, const char *key, const char *value)
{
	struct sim *s = u->j->sim;
	_cleanup_str_ char *waiting = mem_strdup(kv_get(&u->g->pend, key));
	_cleanup_str_ char *made = NULL;
	_cleanup_drive_ struct drive asked = {0};
	const char *old = kv_get(&u->g->conf, key);

	if ((old && !conf_may_drive(u->j, key, old, u->o)) ||
	    !conf_may_drive(u->j, key, value, u->o) || !tpm_stays(u, key, old, value))
		return false;
	if (waiting && !drive_leave(u->j, u->g, key, waiting, false, u->o))
		return false;
	if (!drive_make(u->j, u->g, key, value, &made, u->o))
		return false;
	guest_pend(s, u->g, key, made);
	drive_drop_unused(s, u->g);
	/* A disc that is put in can be booted from; a cloud-init drive is none. */
	if (u->order.n && drive_parse(s, key, value, &asked) && drive_is_cdrom(&asked) &&
	    !drive_is_cloudinit(&asked) && !strs_has(&u->order, key)) {
		strs_add(&u->order, key);
		order_write(u);
	}
	return true;
}

/* What only goes together with something else. */
bool conf_fits(const struct sim *s, const char *key, const char *value, struct oops *o)
{
	_cleanup_kv_ struct kv parts = {0};
	struct buf why;
	const char *type;

	if (!strcmp(key, "machine"))
		return machine_fits(s, value, o);
	if (strcmp(key, "vga") != 0)
		return true;
	buf_init(&why, 0);
	schema_split(&SCHEMA_OF("vga", s->v9), value, &parts, &why);
	buf_fini(&why);
	type = kv_get(&parts, "type");
	if (kv_has(&parts, "clipboard") && type &&
	    (text_starts(type, "serial") || !strcmp(type, "none")))
		return oops_die(o, "vga type %s is not compatible with VNC clipboard", type);
	return true;
}

/* Another system may need another machine, unless somebody says or said which, or takes it away. */
static void pin_machine(struct update *u, const char *ostype)
{
	_cleanup_str_ char *v = NULL;
	_cleanup_oops_ struct oops o = {0};

	if (kv_has(&u->g->pend, "machine") || kv_has(&u->op->set, "machine") ||
	    strs_has(&u->modified, "machine"))
		return;
	v = machine_pinned(u->j, kv_get(&u->g->conf, "machine"), ostype);
	if (!machine_fits(u->j->sim, v, &o))
		job_log(u->j, "automatic pinning of machine version failed - %s", o.msg);
	else if (v)
		guest_pend(u->j->sim, u->g, "machine", v);
}

static bool set_one(struct update *u, const char *key, const char *value)
{
	struct sim *s = u->j->sim;
	struct guest *g = u->g;
	_cleanup_str_ char *v = NULL;

	strs_add(&u->modified, key);
	if (text_eq(kv_get(&g->pend, key), value))
		return true;
	if ((!prop_is_drive(key) && !may_slot(u, key, value)) || !conf_fits(s, key, value, u->o) ||
	    !writable(s, key, value, u->o))
		return false;
	if (prop_is_drive(key)) {
		if (!set_drive(u, key, value))
			return false;
	} else if (!strcmp(key, "tags")) {
		_cleanup_str_ char *t = tags_canonical(s, value);

		v = conf_normal(s, key, t);
	} else if (!strcmp(key, "boot")) {
		if (!set_boot(u, value))
			return false;
	} else
		v = conf_normal(s, key, value);
	if (!strcmp(key, "ostype"))
		pin_machine(u, value);
	if (v)
		guest_pend(s, g, key, v);
	else if (!strcmp(key, "description"))
		guest_pend_del(s, g, key, false);
	if (v || strcmp(key, "description") != 0)
		guest_unpend_del(s, g, key);
	return true;
}

static void take_reverts(struct update *u)
{
	for (size_t i = 0; i < u->op->revert.n; i++) {
		const char *k = u->op->revert.v[i], *cur = kv_get(&u->g->conf, k);

		if (cur)
			kv_set(&u->op->set, k, cur);
		else if (kv_has(&u->g->pend, k))
			strs_add(&u->op->del, k);
	}
}

void conf_old_names(struct sim *s, struct guest *g)
{
	_cleanup_str_ char *smp = mem_strdup(kv_get(&g->conf, "smp"));

	if (!smp)
		return;
	if (!kv_has(&g->conf, "sockets")) {
		guest_set(s, g, "sockets", smp);
		guest_unset(s, g, "cores");
	}
	guest_unset(s, g, "smp");
}

void conf_say(struct job *j, struct confop *op)
{
	if (!op->said)
		clog_add(j->sim, j->node, j->who.full, 6, "update VM %" PRId64 ": %s", op->vmid,
		    op->summary);
	op->said = true;
}

bool conf_apply(struct job *j, struct confop *op, struct oops *o)
{
	struct update u = {.j = j, .op = op, .g = guest_find(j->sim, op->vmid), .o = o};
	bool ok;

	take_reverts(&u);
	conf_say(j, op);
	job_log(j, "update VM %" PRId64 ": %s", op->vmid, op->summary);
	boot_order(kv_get(&u.g->conf, "boot"), &u.order);
	ok = true;
	for (size_t i = 0; ok && i < op->del.n; i++)
		ok = delete_one(&u, op->del.v[i]);
	KV_FOREACH (i, &op->set)
		ok = ok && set_one(&u, i->key, i->value);
	if (ok) {
		pending_clean(j->sim, u.g);
		if (!u.g->pend.n && !u.g->pend_del.n)
			drive_drop_unused(j->sim, u.g);
		else if (u.g->running && !MUTANT(PENDING_AT_ONCE))
			ok = pending_apply_running(j, u.g, &u.modified, o);
		else
			ok = pending_apply_stopped(j, u.g, o);
		conf_old_names(j->sim, u.g);
	}
	strs_fini(&u.order);
	strs_fini(&u.modified);
	return ok;
}
