/* Drives: from what is asked for to a volume in a slot, and out of it again. */
#include <inttypes.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "sim_auth.h"
#include "sim_conf.h"
#include "sim_mutant.h"
#include "sim_repl.h"
#include "sim_volume.h"

#define CLOUDINIT_SIZE ((int64_t)4 << 20)
#define TPM_SIZE ((int64_t)4 << 20)

/* "store:8", "store:0.5": a new volume of so many GiB. */
bool drive_new_size(const char *file, double *ret_gib)
{
	const char *colon = strchr(file, ':'), *num = colon ? colon + 1 : file, *dot;

	if (!*num || strspn(num, "0123456789.") != strlen(num) || *num == '.')
		return false;
	dot = strchr(num, '.');
	if (dot && (!dot[1] || strchr(dot + 1, '.')))
		return false;
	if (!colon || strpbrk(file, "/ "))
		return false;
	*ret_gib = strtod(num, NULL);
	return true;
}

bool drive_clean(struct job *j, struct confop *op, const char *key, struct drive *d, struct oops *o)
{
	struct sim *s = j->sim;
	const char *from = kv_get(&d->opts, "import-from");
	const struct volume *v;
	double gib;

	if (from && (!drive_new_size(d->file, &gib) || gib > 0))
		return oops_param(o, key,
		    "'import-from' requires special syntax - use <storage "
		    "ID>:0,import-from=<source>");
	if (*d->file == '/' && !text_starts(d->file, "/dev/"))
		return oops_param(o, key, "unable to associate path '%s' to any storage", d->file);
	if (drive_new_size(d->file, &gib))
		op->news++;
	v = from ? volume_find(s, j->node, from) : NULL;
	if (from && v && strcmp(v->content, "images") != 0 && strcmp(v->content, "import") != 0)
		return oops_param(o, key,
		    "%s has wrong type '%s' - needs to be 'images' or 'import'", from, v->content);
	if (v)
		op->copies += v->size;
	if (strstr(d->file, ":iso/") && !text_eq(kv_get(&d->opts, "media"), "cdrom"))
		return oops_param(o, key, "explicit 'media=cdrom' is required for iso images");
	return op->fresh || repl_takes(j, d, o);
}

/* QemuConfig->has_cloudinit: one that only waits for its removal is still there. */
static const char *other_cloudinit(const struct sim *s, const struct guest *g, const char *key)
{
	for (int p = 0; p < 2; p++) {
		const struct kv *c = p ? &g->pend : &g->conf;

		KV_FOREACH (i, c) {
			_cleanup_drive_ struct drive d = {0};

			if (strcmp(i->key, key) != 0 && prop_kind(i->key) &&
			    drive_parse(s, i->key, i->value, &d) && drive_is_cloudinit(&d))
				return i->key;
		}
	}
	return NULL;
}

/* A drive to be given a new volume. */
struct making {
	struct guest *guest;
	const char *key;
	struct drive *drive;
	struct store *store;
};

static bool made(struct job *j, const struct making *m, struct volume *v, char **ret)
{
	free(m->drive->file);
	m->drive->file = volume_id(v);
	kv_del(&m->drive->opts, "format");
	*ret = drive_print(m->drive);
	job_log(j, "%s: successfully created disk '%s'", m->key, *ret);
	return true;
}

static bool make_cloudinit(struct job *j, const struct making *m, char **ret, struct oops *o)
{
	const char *other = other_cloudinit(j->sim, m->guest, m->key),
		   *fmt = kv_get(&m->drive->opts, "format");
	struct volume_ask ask = {
	    .vmid = m->guest->vmid, .suffix = "cloudinit", .size = CLOUDINIT_SIZE};
	struct volume *v;

	if (other)
		return oops_die(
		    o, "%s - cloud-init drive is already attached at '%s'", m->key, other);
	if (!fmt || !store_can_format(m->store, fmt))
		fmt = store_can_format(m->store, "qcow2") ? "qcow2" : "raw";
	ask.format = fmt;
	v = volume_new(j, m->store, &ask, o);
	if (!v)
		return false;
	kv_set(&m->drive->opts, "media", "cdrom");
	return made(j, m, v, ret);
}

static bool import_into(struct job *j, const struct making *m, char **ret, struct oops *o)
{
	struct drive *d = m->drive;
	_cleanup_str_ char *from = mem_strdup(kv_get(&d->opts, "import-from"));
	const struct volume *src = volume_find(j->sim, j->node, from);
	int64_t outside = *from == '/' ? size_parse(kv_get(&j->sim->files, from)) : 0;
	const char *fmt = kv_get(&d->opts, "format");
	_cleanup_str_ char *size = NULL;
	struct volume *v;

	if (outside < 0)
		return oops_die(o, "failed to stat '%s'", from);
	if (!src && !outside && strstr(from, ":import/"))
		return oops_die(o, "failed to stat '/var/lib/vz/%s'", strstr(from, "import/"));
	if (!src && !outside)
		return oops_die(o, "volume '%s' does not exist", from);
	if (!fmt)
		fmt = src && store_can_format(m->store, src->format) ? src->format : "raw";
	if (src)
		job_log(j, "create full clone of drive (%s)", from);
	v = volume_new(j, m->store,
	    &(struct volume_ask){
		.vmid = m->guest->vmid, .format = fmt, .size = src ? src->size : outside},
	    o);
	if (!v)
		return false;
	v->written = src && src->written;
	{
		_cleanup_str_ char *id = volume_id(v);

		if (j->sim->v9 && src)
			job_log(j, "allocated target volume '%s'", id);
	}
	volume_log_copy(j, src ? src : &(struct volume){.format = "qcow2"}, v->size, -1, 100);
	v->data = src ? src->data : 0;
	kv_del(&d->opts, "import-from");
	size = size_print(v->size);
	kv_set(&d->opts, "size", size);
	return made(j, m, v, ret);
}

static bool make_new(struct job *j, const struct making *m, double gib, char **ret, struct oops *o)
{
	struct drive *d = m->drive;
	const char *key = m->key, *fmt = kv_get(&d->opts, "format");
	int64_t size = (int64_t)ceil(gib * 1024 * 1024) << 10;
	_cleanup_str_ char *shown = NULL;
	struct volume *v;

	if (kv_has(&d->opts, "import-from"))
		return import_into(j, m, ret, o);
	if (!strcmp(key, "efidisk0")) {
		size = text_eq(kv_get(&d->opts, "efitype"), "4m") ? 528 << 10 : 128 << 10;
		if (text_eq(kv_get(&d->opts, "pre-enrolled-keys"), "1") && size > 128 << 10 &&
		    !kv_has(&d->opts, "ms-cert"))
			kv_set(&d->opts, "ms-cert", "2023k");
	} else if (!strcmp(key, "tpmstate0")) {
		size = TPM_SIZE;
		fmt = "raw";
	}
	if (!fmt)
		fmt = "raw";
	if (!store_can_format(m->store, fmt))
		return oops_die(o, "unsupported format '%s'", fmt);
	v = volume_new(j, m->store,
	    &(struct volume_ask){.vmid = m->guest->vmid, .format = fmt, .size = size}, o);
	if (!v)
		return false;
	if (!strcmp(key, "efidisk0")) { /* the firmware's variables are copied into it */
		const struct volume vars = {.format = "raw"};

		volume_log_copy(j, &vars, size, -1, 100);
		v->data = size;
	}
	/* Of the firmware's variables it is said what they take. */
	shown = size_print(strcmp(key, "efidisk0") ? size : v->size);
	kv_set(&d->opts, "size", shown);
	return made(j, m, v, ret);
}

static bool use_existing(
    struct job *j, struct guest *g, const char *key, struct drive *d, char **ret, struct oops *o)
{
	struct volume *v = volume_find(j->sim, j->node, d->file);
	const char *fmt = kv_get(&d->opts, "format"), *other;
	_cleanup_str_ char *size = NULL;

	if (!v)
		return oops_die(o, "volume '%s' does not exist", d->file);
	if (strcmp(v->content, "images") != 0 && strcmp(v->content, "iso") != 0)
		return oops_die(o,
		    "cannot use volume %s - content type needs to be 'images' or "
		    "'iso'",
		    d->file);
	if (drive_is_cloudinit(d)) {
		other = other_cloudinit(j->sim, g, key);
		if (other)
			return oops_die(
			    o, "%s - cloud-init drive is already attached at '%s'", key, other);
	}
	if (fmt && strcmp(fmt, v->format) != 0)
		return oops_die(o,
		    "drive '%s' - volume '%s' - 'format=%s' option different from storage format "
		    "'%s'",
		    key, d->file, fmt, v->format);
	size = size_print(v->size);
	kv_set(&d->opts, "size", size);
	*ret = drive_print(d);
	return true;
}

bool drive_make(
    struct job *j, struct guest *g, const char *key, const char *value, char **ret, struct oops *o)
{
	_cleanup_drive_ struct drive d;
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	struct making m = {.guest = g, .key = key, .drive = &d};
	double gib;

	if (!drive_parse(j->sim, key, value, &d))
		return oops_param(o, key, "unable to parse drive options");
	if (!strcmp(d.file, "none") || !strcmp(d.file, "cdrom") || *d.file == '/') {
		kv_del(&d.opts, "size");
		*ret = drive_print(&d);
		return true;
	}
	if (!volid_split(d.file, &store, &name))
		return oops_die(o, "no storage ID specified (and no default storage)");
	m.store = store_active(j->sim, store, j->node, o);
	if (!m.store)
		return false;
	if (!strcmp(name, "cloudinit"))
		return make_cloudinit(j, &m, ret, o);
	if (drive_new_size(d.file, &gib))
		return make_new(j, &m, gib, ret, o);
	return use_existing(j, g, key, &d, ret, o);
}

/* --- out of a slot --- */

static bool used_elsewhere(
    const struct sim *s, const struct guest *g, const char *volid, const char *but_key)
{
	for (int p = 0; p < 2; p++) {
		const struct kv *c = p ? &g->pend : &g->conf;

		KV_FOREACH (i, c) {
			_cleanup_drive_ struct drive d = {0};

			if (!(but_key && !strcmp(i->key, but_key)) && prop_is_drive(i->key) &&
			    drive_parse(s, i->key, i->value, &d) && !strcmp(d.file, volid))
				return true;
		}
	}
	return false;
}

static bool conf_uses(
    const struct sim *s, const struct kv *conf, const char *volid, const char *but_key)
{
	KV_FOREACH (i, conf) {
		_cleanup_drive_ struct drive d = {0};

		if (!text_eq(but_key, i->key) && prop_is_drive(i->key) &&
		    drive_parse(s, i->key, i->value, &d) && !drive_is_cdrom(&d) &&
		    !strcmp(d.file, volid))
			return true;
	}
	return false;
}

/* Drive::is_volume_in_use: another slot has it, or any snapshot. */
bool drive_in_use(
    const struct sim *s, const struct guest *g, const char *volid, const char *but_key)
{
	if (conf_uses(s, &g->conf, volid, but_key))
		return true;
	for (size_t i = 0; i < g->nsnaps; i++)
		if (conf_uses(s, &g->snaps[i].conf, volid, NULL))
			return true;
	return false;
}

/* try_deallocate_drive: what nobody else uses is freed by whoever may allocate there. */
static bool deallocate(
    struct job *j, struct guest *g, const char *key, struct volume *v, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_str_ char *volid = volume_id(v);
	_cleanup_str_ char *path = mem_printf("/storage/%s", v->store->name);

	if (!j->trusted &&
	    !auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
		return false;
	if (drive_in_use(s, g, volid, key))
		return oops_die(
		    o, "unable to delete '%s' - volume is still in use (snapshot?)", volid);
	if (v->store->stuck_free)
		return oops_die(o, "unable to remove volume '%s'", volid);
	if (volume_children(s, v))
		return oops_die(o, "base volume '%s' is still in use by linked cloned", v->own);
	volume_free(s, v);
	return true;
}

int drive_set_aside(struct job *j, struct guest *g, const char *volid, struct oops *o)
{
	for (int i = 0; i < SIM_UNUSED_MAX; i++) {
		_cleanup_str_ char *key = mem_printf("unused%d", i);

		if (text_eq(kv_get(&g->conf, key), volid))
			return i;
	}
	for (int i = 0; i < SIM_UNUSED_MAX; i++) {
		_cleanup_str_ char *key = mem_printf("unused%d", i);

		if (!kv_has(&g->conf, key)) {
			guest_set(j->sim, g, key, volid);
			return i;
		}
	}
	oops_die(o, "Too many unused volumes - please delete them first.");
	return -1;
}

bool drive_leave(
    struct job *j, struct guest *g, const char *key, const char *value, bool force, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_drive_ struct drive d;
	struct volume *v;

	if (!drive_parse(s, key, value, &d))
		return true;
	v = strchr(d.file, ':') ? volume_find(s, g->node, d.file) : NULL;
	if (drive_is_cloudinit(&d)) {
		if (v && v->vmid == g->vmid)
			volume_free(s, v);
		kv_fini(&g->cloudinit);
		g->has_ci = false;
		return true;
	}
	if (drive_is_cdrom(&d) || !v || v->vmid != g->vmid)
		return true;
	if (MUTANT(DELETE_FREES)) {
		volume_free(s, v);
		return true;
	}
	if (!force)
		return drive_set_aside(j, g, d.file, o) >= 0;
	return (j->trusted || auth_vm(s, &j->who, g->vmid, PRIV_BIT(VM_CONFIG_DISK), o)) &&
	       deallocate(j, g, key, v, o);
}

bool drive_free_unused(struct job *j, struct guest *g, const char *key, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_str_ char *volid = mem_strdup(kv_get(&g->conf, key));
	struct volume *v = volume_find(s, g->node, volid);

	if (v && v->vmid == g->vmid && !deallocate(j, g, key, v, o))
		return false;
	guest_unset(s, g, key);
	return true;
}

/* The writer drops unusedN whose volume hangs in a slot again. */
void drive_drop_unused(struct sim *s, struct guest *g)
{
	for (size_t i = 0; i < g->conf.n; i++) {
		const struct kv_item *it = &g->conf.v[i];

		if (prop_is_unused(it->key) && used_elsewhere(s, g, it->value, it->key)) {
			_cleanup_str_ char *key = mem_strdup(it->key);

			guest_unset(s, g, key);
			i--;
		}
	}
}

/* --- cloud-init --- */

bool cloudinit_key(const char *key)
{
	static const char words[] = "|cicustom|cipassword|citype|ciuser|ciupgrade|nameserver"
				    "|searchdomain|sshkeys|";
	_cleanup_str_ char *w = mem_printf("|%s|", key);

	return strstr(words, w) || text_starts(key, "ipconfig");
}

void cloudinit_write(struct job *j, struct guest *g)
{
	(void)j;
	kv_fini(&g->cloudinit);
	g->has_ci = false;
	KV_FOREACH (i, &g->conf) {
		_cleanup_drive_ struct drive d = {0};

		if (prop_kind(i->key) && drive_parse(j->sim, i->key, i->value, &d) &&
		    drive_is_cloudinit(&d))
			g->has_ci = true;
	}
	if (!g->has_ci)
		return;
	KV_FOREACH (i, &g->conf)
		if (cloudinit_key(i->key) || prop_is_net(i->key) || !strcmp(i->key, "name"))
			kv_set(&g->cloudinit, i->key, i->value);
}

bool drives_each(struct sim *s, const struct kv *conf, bool cloudinit_too,
    bool (*fn)(void *arg, const char *key, const struct drive *d), void *arg)
{
	static const struct {
		const char *name;
		int n;
	} slots[] = {
	    {"ide", 4}, {"scsi", 31}, {"virtio", 16}, {"sata", 6}, {"efidisk", 1}, {"tpmstate", 1}};

	for (size_t b = 0; b < ARRAY_LEN(slots); b++)
		for (int i = 0; i < slots[b].n; i++) {
			_cleanup_drive_ struct drive d = {0};
			_cleanup_str_ char *key = mem_printf("%s%d", slots[b].name, i);
			const char *v = kv_get(conf, key);

			if (v && drive_parse(s, key, v, &d) &&
			    (!drive_is_cdrom(&d) || (cloudinit_too && drive_is_cloudinit(&d))) &&
			    !fn(arg, key, &d))
				return false;
		}
	return true;
}

struct basing {
	struct sim *sim;
	struct guest *guest;
	const char *only;
	struct oops *oops;
};

static bool to_base(void *arg, const char *key, const struct drive *d)
{
	struct basing *b = arg;
	struct volume *v = volume_find(b->sim, b->guest->node, d->file);
	_cleanup_drive_ struct drive as = {0};
	_cleanup_str_ char *text = NULL;

	if ((b->only && !text_eq(b->only, key)) || !v || volume_is_base(v) ||
	    !store_can_template(v->store))
		return true;
	if (!volume_to_base(b->sim, v, b->oops) ||
	    !drive_parse(b->sim, key, kv_get(&b->guest->conf, key), &as))
		return false;
	free(as.file);
	as.file = volume_id(v);
	text = drive_print(&as);
	guest_set(b->sim, b->guest, key, text);
	return true;
}

bool drives_to_base(struct sim *s, struct guest *g, const char *only, struct oops *o)
{
	struct basing b = {s, g, only, o};

	return drives_each(s, &g->conf, false, to_base, &b);
}
