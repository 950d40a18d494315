/* Which right each configuration key needs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim_auth.h"
#include "sim_conf.h"
#include "sim_schema.h"
#include "sim_volume.h"

#define VLANS_MAX 4096

enum need {
	NEED_ROOT,
	NEED_CPU,
	NEED_MEMORY,
	NEED_HWTYPE,
	NEED_OPTIONS,
	NEED_POWER,
	NEED_DISK,
	NEED_NETWORK,
	NEED_CLOUDINIT,
	NEED_NONE, /* asked where the value is known */
	NEED__MAX
};

/* Keys by the right that they need; whatever is in no list is for root alone. */
static const struct {
	enum need need;
	const char *keys;
} needs[] = {
    {NEED_CPU, "|cores|cpu|cpulimit|cpuunits|numa|smp|sockets|vcpus|"},
    {NEED_MEMORY, "|memory|balloon|shares|allow-ksm|"},
    {NEED_HWTYPE, "|acpi|hotplug|kvm|machine|scsihw|smbios1|tablet|vga|watchdog|audio0|rng0|"},
    {NEED_OPTIONS, "|agent|autostart|bios|description|keyboard|localtime|migrate_downtime"
		   "|migrate_speed|name|onboot|ostype|protection|reboot|startdate|startup|tdf"
		   "|template|"},
    {NEED_POWER, "|freeze|"},
    {NEED_DISK, "|boot|bootdisk|vmstatestorage|"},
    {NEED_CLOUDINIT, "|cicustom|cipassword|citype|ciuser|ciupgrade|nameserver|searchdomain"
		     "|sshkeys|"},
};

static bool numbered(const char *key, const char *prefix)
{
	const char *n = text_after(key, prefix);

	return n && *n >= '0' && *n <= '9';
}

static enum need need_of(const char *key)
{
	_cleanup_str_ char *w = mem_printf("|%s|", key);

	if (prop_is_drive(key) || !strcmp(key, "cdrom") || prop_is_unused(key) ||
	    !strcmp(key, "tags") || numbered(key, "serial") || numbered(key, "usb") ||
	    numbered(key, "hostpci") || numbered(key, "virtiofs"))
		return NEED_NONE;
	if (numbered(key, "numa"))
		return NEED_CPU;
	if (numbered(key, "net") || numbered(key, "ipconfig"))
		return NEED_NETWORK;
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		if (strstr(needs[i].keys, w))
			return needs[i].need;
	return NEED_ROOT;
}

/* Who creates in a pool needs the right there or on the number. */
static bool may_vm(struct job *j, int64_t vmid, uint64_t want, bool any, struct oops *o)
{
	_cleanup_str_ char *vm = mem_printf("/vms/%" PRId64, vmid);

	if (j->pool) {
		_cleanup_str_ char *pool = mem_printf("/pool/%s", j->pool);
		_cleanup_oops_ struct oops ignored = {0};

		if (auth_check(j->sim, &j->who, pool, want, any, &ignored))
			return true;
	}
	return auth_check(j->sim, &j->who, vm, want, any, o);
}

static bool may_key(struct job *j, int64_t vmid, const char *key, struct oops *o)
{
	struct sim *s = j->sim;
	static const uint64_t bits[NEED__MAX] = {
	    [NEED_CPU] = PRIV_BIT(VM_CONFIG_CPU),
	    [NEED_MEMORY] = PRIV_BIT(VM_CONFIG_MEMORY),
	    [NEED_HWTYPE] = PRIV_BIT(VM_CONFIG_HWTYPE),
	    [NEED_OPTIONS] = PRIV_BIT(VM_CONFIG_OPTIONS),
	    [NEED_POWER] = PRIV_BIT(VM_POWERMGMT),
	    [NEED_DISK] = PRIV_BIT(VM_CONFIG_DISK),
	    [NEED_NETWORK] = PRIV_BIT(VM_CONFIG_NETWORK),
	};
	enum need need = need_of(key);

	switch (need) {
	case NEED_NONE:
		return true;
	case NEED_ROOT:
		return oops_die(o, "only root can set '%s' config", key);
	case NEED_CLOUDINIT:
		return may_vm(
		    j, vmid, PRIV_BIT(VM_CONFIG_CLOUDINIT) | PRIV_BIT(VM_CONFIG_NETWORK), true, o);
	case NEED_NETWORK:
		if (text_starts(key, "ipconfig"))
			return may_vm(j, vmid,
			    PRIV_BIT(VM_CONFIG_CLOUDINIT) | PRIV_BIT(VM_CONFIG_NETWORK), true, o);
		break;
	case NEED_CPU:
	case NEED_MEMORY:
	case NEED_HWTYPE:
	case NEED_OPTIONS:
	case NEED_POWER:
	case NEED_DISK:
	case NEED__MAX:
		break;
	}
	if (!may_vm(j, vmid, bits[need], false, o))
		return false;
	if (!strcmp(key, "startup"))
		return auth_check(s, &j->who, "/", PRIV_BIT(SYS_MODIFY), false, o);
	return true;
}

bool conf_may_drive(struct job *j, const char *key, const char *value, struct oops *o)
{
	_cleanup_drive_ struct drive d = {0};

	if (j->trusted || !drive_parse(j->sim, key, value, &d))
		return true;
	if (drive_is_cloudinit(&d) && !may_vm(j, j->vmid, PRIV_BIT(VM_CONFIG_CLOUDINIT), false, o))
		return false;
	return may_vm(j, j->vmid,
	    drive_is_cdrom(&d) ? PRIV_BIT(VM_CONFIG_CDROM) : PRIV_BIT(VM_CONFIG_DISK), false, o);
}

/* What is mapped is for who may use the mapping, what is passed through by its address for root. */
static bool may_mapped(
    struct job *j, const char *key, const char *kind, const char *value, struct oops *o)
{
	const struct sim *s = j->sim;
	_cleanup_kv_ struct kv parts = {0};
	_cleanup_str_ char *path = NULL;
	const char *host, *mapping;
	struct buf why;

	buf_init(&why, 0);
	schema_split(&(struct sby){.table = schema_table(!strcmp(kind, "pci") ? "hostpci" : kind),
			 .path = key,
			 .v9 = s->v9},
	    value, &parts, &why);
	buf_fini(&why);
	host = kv_get(&parts, "host");
	mapping = kv_get(&parts, !strcmp(kind, "virtiofs") ? "dirid" : "mapping");
	if (host && *kind == 'u' && !strcasecmp(host, "spice"))
		return true;
	if (host)
		return oops_die(o, "only root can set '%s' config for %s devices", key,
		    *kind == 'p' ? "non-mapped" : "real");
	if (!mapping)
		return oops_die(o, "either 'host' or 'mapping' must be set.");
	path = mem_printf("/mapping/%s/%s", !strcmp(kind, "virtiofs") ? "dir" : kind, mapping);
	return auth_check(s, &j->who, path, PRIV_BIT(MAPPING_USE), false, o);
}

/* check_usb_perm, check_hostpci_perm, check_rng_perm, check_dir_perm */
static bool may_value(struct job *j, const char *key, const char *value, struct oops *o)
{
	uint64_t hw = PRIV_BIT(VM_CONFIG_HWTYPE);

	if (!value)
		return true;
	if (numbered(key, "usb"))
		return may_vm(j, j->vmid, hw, false, o) && may_mapped(j, key, "usb", value, o);
	if (numbered(key, "hostpci"))
		return may_mapped(j, key, "pci", value, o) && may_vm(j, j->vmid, hw, false, o);
	if (numbered(key, "virtiofs"))
		return may_vm(j, j->vmid, PRIV_BIT(VM_CONFIG_DISK), false, o) &&
		       may_mapped(j, key, "virtiofs", value, o);
	if (numbered(key, "rng") && strstr(value, "/dev/hwrng"))
		return auth_check(
		    j->sim, &j->who, "/mapping/hwrng", PRIV_BIT(MAPPING_USE), false, o);
	return true;
}

bool conf_may_device(
    struct job *j, const char *key, const char *old, const char *value, struct oops *o)
{
	if (j->trusted || who_is_root(&j->who))
		return true;
	if (numbered(key, "serial")) {
		if ((!old || !strcmp(old, "socket")) && (!value || !strcmp(value, "socket")))
			return may_vm(j, j->vmid, PRIV_BIT(VM_CONFIG_HWTYPE), false, o);
		return oops_die(o, "only root can %s '%s' config for real devices",
		    value ? "modify" : "delete", key);
	}
	return may_value(j, key, old, o) && may_value(j, key, value, o);
}

/* check_mapping_access: what a clone would take along. */
bool conf_may_mappings(struct job *j, const struct kv *conf, struct oops *o)
{
	if (who_is_root(&j->who))
		return true;
	KV_FOREACH (i, conf) {
		if (numbered(i->key, "usb") && !may_mapped(j, i->key, "usb", i->value, o))
			return false;
		if (numbered(i->key, "hostpci") && !may_mapped(j, i->key, "pci", i->value, o))
			return false;
		if (numbered(i->key, "virtiofs") && !may_mapped(j, i->key, "virtiofs", i->value, o))
			return false;
		if (numbered(i->key, "rng") && !may_value(j, i->key, i->value, o))
			return false;
	}
	return true;
}

/* check_volume_access */
bool conf_may_volume(struct job *j, const char *volid, int64_t vmid, struct oops *o)
{
	struct sim *s = j->sim;
	const struct store *st;
	int64_t owner;
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	_cleanup_str_ char *path = NULL;
	const struct volume *v = volume_find(s, j->node, volid);

	if (who_is_root(&j->who))
		return true;
	if (!volid_split(volid, &store, &name))
		return oops_die(o,
		    "Only root can pass arbitrary filesystem paths. at "
		    "/usr/share/perl5/PVE/Storage.pm line %d.",
		    s->v9 ? 651 : 581);
	path = mem_printf("/storage/%s", store);
	if (auth_has(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATE)))
		return true;
	if (text_starts(name, "iso/") || text_starts(name, "vztmpl/") ||
	    text_starts(name, "import/"))
		return auth_check(s, &j->who, path,
		    PRIV_BIT(DATASTORE_ALLOCATESPACE) | PRIV_BIT(DATASTORE_AUDIT), true, o);
	if (volname_archived(name))
		return auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o) &&
		       auth_vm(s, &j->who, volname_archived(name), PRIV_BIT(VM_BACKUP), o);
	st = store_find(s, store);
	owner = v ? v->vmid : st ? volname_owner(st, name) : 0;
	if (owner && owner == vmid)
		return true;
	if (!owner)
		return oops_die(o, "missing privileges to access %s", volid);
	return auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_AUDIT), false, o) &&
	       auth_vm(s, &j->who, owner, PRIV_BIT(VM_CONFIG_DISK), o);
}

static bool may_store(struct job *j, const char *key, const char *value, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_drive_ struct drive d;
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	_cleanup_str_ char *path = NULL;
	const struct store *st;
	const char *from;

	if (!drive_parse(s, key, value, &d))
		return true;
	if (!strcmp(d.file, "none"))
		return true;
	if (!strcmp(d.file, "cdrom"))
		return auth_check(s, &j->who, "/", PRIV_BIT(SYS_CONSOLE), false, o);
	if (!volid_split(d.file, &store, &name))
		return conf_may_volume(j, d.file, j->vmid, o);
	st = store_find(s, store);
	path = mem_printf("/storage/%s", store);
	if (!strcmp(name, "cloudinit"))
		return st ? true : oops_die(o, "storage '%s' does not exist", store);
	if (!drive_is_cdrom(&d) && drive_new_size(d.file, &(double){0})) {
		if (!auth_check(s, &j->who, path, PRIV_BIT(DATASTORE_ALLOCATESPACE), false, o))
			return false;
		if (!st)
			return oops_die(o, "storage '%s' does not exist", store);
		if (!store_has(st, "images"))
			return oops_param(
			    o, "storage", "storage '%s' does not support vm images", store);
		from = kv_get(&d.opts, "import-from");
		return !from || conf_may_volume(j, from, j->vmid, o);
	}
	if (!st)
		return oops_die(o, "storage '%s' does not exist", store);
	return volname_ok(st, name, o) && conf_may_volume(j, d.file, j->vmid, o);
}

/* Each VLAN of a list such as "10;20-25". */
static bool may_vlans(struct job *j, const char *bridge, const char *list, struct oops *o)
{
	_cleanup_strs_ struct strs parts = {0};

	if (text_split(list, "; ", true, VLANS_MAX, &parts) < 0)
		return false;
	for (size_t i = 0; i < parts.n; i++) {
		char *end;
		int64_t first = strtoll(parts.v[i], &end, 10),
			last = *end == '-' ? strtoll(end + 1, NULL, 10) : first;

		for (int64_t n = first; n <= last && n <= VLANS_MAX; n++) {
			_cleanup_str_ char *path = mem_printf("%s/%" PRId64, bridge, n);

			if (!auth_check(j->sim, &j->who, path, PRIV_BIT(SDN_USE), false, o))
				return false;
		}
	}
	return true;
}

bool conf_may_net(struct job *j, const char *key, const char *value, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_kv_ struct kv parts = {0};
	_cleanup_str_ char *path = NULL;
	const char *bridge, *tag, *trunks;

	if (j->trusted || !net_parse(s, key, value, &parts))
		return true;
	bridge = kv_get(&parts, "bridge");
	tag = kv_get(&parts, "tag");
	if (!bridge)
		return s->v9 ? true : oops_die(o, "no sdn vnet ID specified");
	if (who_is_root(&j->who))
		return true;
	trunks = kv_get(&parts, "trunks");
	path = mem_printf("/sdn/zones/localnetwork/%s", bridge);
	if (!tag && !trunks)
		return auth_check(s, &j->who, path, PRIV_BIT(SDN_USE), false, o);
	return (!tag || may_vlans(j, path, tag, o)) && (!trunks || may_vlans(j, path, trunks, o));
}

static bool may_keys(struct job *j, const struct confop *op, struct oops *o)
{
	for (size_t i = 0; i < op->del.n; i++)
		if (!may_key(j, op->vmid, op->del.v[i], o))
			return false;
	KV_FOREACH (i, &op->set)
		if (!may_key(j, op->vmid, i->key, o))
			return false;
	if (op->fresh)
		KV_FOREACH (i, &op->set)
			if (!conf_may_device(j, i->key, NULL, i->value, o))
				return false;
	return true;
}

bool conf_may(struct job *j, const struct confop *op, struct oops *o)
{
	if (j->trusted)
		return true;
	if (!who_is_root(&j->who) && !may_keys(j, op, o))
		return false;
	KV_FOREACH (i, &op->set)
		if (prop_is_drive(i->key) && !may_store(j, i->key, i->value, o))
			return false;
	KV_FOREACH (i, &op->set)
		if (prop_is_net(i->key) && !conf_may_net(j, i->key, i->value, o))
			return false;
	return !op->fresh || conf_may_cpu(j, kv_get(&op->set, "cpu"), NULL, o);
}
