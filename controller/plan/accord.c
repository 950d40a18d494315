#include "accord.h"

#include <stdlib.h>
#include <string.h>

#include "accorddev.h"
#include "accordmem.h"
#include "barenic.h"
#include "coming.h"
#include "effect.h"
#include "pvetext.h"
#include "speeds.h"

#define SMBIOS_BYTES 512 /* of the whole key */

/* ---- the rules; c is the change of one of the rows ---- */

/* A balloon that goes with the next restart is still in force, and PVE compares less memory with it
 * as long as the request does not say again that it goes. */
static void balloon_in_force(const struct planner *pl, struct change *c)
{
	const struct attr *row = schema_attr(ATTR_memory_balloon);
	_cleanup_value_ struct value now = {0};

	if (c->attr->id != ATTR_memory_size || coming_is_listed(pl, row->id) ||
	    coming_int(pl, row->id, 1) != 0 ||
	    pvecodec_get(row, NULL, &pl->g->current, NULL, &now, NULL) < 0 ||
	    now.type != VALUE_INT ||
	    now.i <= coming_int(pl, ATTR_memory_size, ACCORDMEM_DEFAULT_MIB))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "PVE allows no balloon larger than the memory, and until the next restart it is %lld",
	    (long long)now.i);
	change_hint(c, "list %s: 0 as well, or restart the guest", row->path);
}

/* PVE refuses a balloon larger than the memory. */
static void balloon(const struct planner *pl, struct change *c)
{
	enum attr_id other =
	    c->attr->id == ATTR_memory_size ? ATTR_memory_balloon : ATTR_memory_size;
	int64_t size = coming_int(pl, ATTR_memory_size, ACCORDMEM_DEFAULT_MIB);

	balloon_in_force(pl, c);
	if (coming_int(pl, ATTR_memory_balloon, 0) <= size || coming_is_listed(pl, other))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "PVE allows no balloon larger than the memory, and %s is %lld",
	    schema_attr(other)->path, (long long)coming_int(pl, other, ACCORDMEM_DEFAULT_MIB));
	change_hint(c, "list %s as well", schema_attr(other)->path);
}

/* PVE stores it, and then the guest cannot be started. */
static void vcpus(const struct planner *pl, struct change *c)
{
	int64_t most = coming_int(pl, ATTR_cpu_sockets, 1) * coming_int(pl, ATTR_cpu_cores, 1);
	int64_t plugged = coming_int(pl, ATTR_cpu_vcpus, 0);

	if (plugged <= most)
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "cpu.vcpus would be %lld and cpu.sockets times cpu.cores %lld: the guest could not be "
	    "started",
	    (long long)plugged, (long long)most);
	change_hint(c, "list %s as well",
	    coming_is_listed(pl, ATTR_cpu_vcpus) ? "cpu.sockets and cpu.cores" : "cpu.vcpus");
}

/* PVE looks at it when it starts the guest. */
bool accord_is_beyond_node(const struct planner *pl, struct change *c)
{
	const struct obs_node *n = obs_cluster_node(pl->in->cluster, pl->g->node);
	int64_t all = coming_int(pl, ATTR_cpu_sockets, 1) * coming_int(pl, ATTR_cpu_cores, 1);

	if (!n || n->cpus <= 0 || all <= n->cpus)
		return false;
	if (!c)
		return true;
	change_block(c, REASON_NODE_TOO_SMALL,
	    "cpu.sockets times cpu.cores would be %lld, and node %s has %lld processors: the guest "
	    "could not be started there",
	    (long long)all, n->name, (long long)n->cpus);
	return true;
}

static void host_cpus(const struct planner *pl, struct change *c)
{
	(void)accord_is_beyond_node(pl, c);
}

static void viommu(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value kind = {0}, type = {0};

	if (!coming(pl, ATTR_viommu, &kind) || !text_eq(kind.s, "intel"))
		return;
	bool known = coming(pl, ATTR_machine, &type);
	if (coming_q35(pl))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "PVE has this kind of IOMMU for machines of type q35 only, and machine is %s",
	    known ? type.s : "pc");
	change_hint(c, "list %s as well", c->attr->id == ATTR_viommu ? "machine" : "viommu");
}

static void aw_bits(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value kind = {0};
	int64_t bits = coming_int(pl, ATTR_aw_bits, 0);
	bool known = coming(pl, ATTR_viommu, &kind);

	if (bits && !known)
		change_block(c, REASON_VALUES_CONFLICT,
		    "PVE takes a width of addresses for a virtual IOMMU only, and there would be "
		    "none");
	else if (bits && bits != 39 && bits != 48 && text_eq(kind.s, "intel"))
		change_block(c, REASON_VALUES_CONFLICT,
		    "the Intel IOMMU has addresses of 39 or 48 bits, and aw_bits is %lld",
		    (long long)bits);
	else
		return;
	change_hint(c, "list %s as well", c->attr->id == ATTR_aw_bits ? "viommu" : "aw_bits");
}

static void clipboard(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value type = {0}, kind = {0};

	if (!coming(pl, ATTR_vga_clipboard, &kind) || !coming(pl, ATTR_vga_type, &type) ||
	    (!text_starts(type.s, "serial") && !text_eq(type.s, "none")))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "the VNC clipboard needs a graphics card, and vga.type is %s", type.s);
	change_hint(c, "list %s as well",
	    c->attr->id == ATTR_vga_clipboard ? "vga.type" : "vga.clipboard: null");
}

/* ---- devices ---- */

struct speed {
	const struct planner *pl;
	const char *slot;
};

static bool coming_speed(const void *arg, enum attr_id id, double *ret)
{
	const struct speed *s = arg;
	_cleanup_value_ struct value v = {0};

	*ret = 0;
	if (coming_at(s->pl, id, s->slot, &v))
		*ret = v.type == VALUE_NUM ? v.n : v.type == VALUE_INT ? (double)v.i : 0;
	return true;
}

static void speeds(const struct planner *pl, const struct leaf *l, struct change *c)
{
	const struct speed s = {pl, l->slot};
	const struct attr *other;
	_cleanup_str_ char *problem = speeds_problem(l->attr->id, true, coming_speed, &s, &other);

	if (!problem)
		return;
	change_block(c, REASON_VALUES_CONFLICT, "PVE does not take them together: %s", problem);
	change_hint(c, "list speed.%s as well, with null when it is to go", schema_key(other));
}

/* A gateway needs an address that says which network it is in. */
static void gateway(const struct planner *pl, const struct leaf *l, struct change *c)
{
	static const enum attr_id rows[][2] = {{ATTR_init_ipv4_address, ATTR_init_ipv4_gateway},
	    {ATTR_init_ipv6_address, ATTR_init_ipv6_gateway}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_value_ struct value address = {0}, way = {0};
		bool six = rows[i][0] == ATTR_init_ipv6_address;
		if ((l->attr->id != rows[i][0] && l->attr->id != rows[i][1]) ||
		    !coming_at(pl, rows[i][1], l->slot, &way))
			continue;
		bool there = coming_at(pl, rows[i][0], l->slot, &address);
		if (there && (six ? strchr(address.s, ':') != NULL : !text_eq(address.s, "dhcp")))
			continue;
		const char *key = schema_key(schema_attr(rows[i][1]));
		change_block(c, REASON_VALUES_CONFLICT,
		    "there is the gateway %s, and PVE takes none with %s", way.s,
		    there ? address.s : "no address");
		change_hint(c, "list %s: null as well, or an address with its network", key);
	}
}

/* QEMU takes the kernel's own asynchronous input and output only beside the host's cache. */
static void aio(const struct planner *pl, const struct leaf *l, struct change *c)
{
	static const char *const cached[] = {"writeback", "writethrough", "unsafe"};
	_cleanup_value_ struct value how = {0}, cache = {0};
	bool by_cache = l->attr->id == ATTR_disk_cache;

	if ((!by_cache && l->attr->id != ATTR_disk_aio) ||
	    !coming_at(pl, ATTR_disk_aio, l->slot, &how) || !text_eq(how.s, "native") ||
	    !coming_at(pl, ATTR_disk_cache, l->slot, &cache))
		return;
	for (size_t i = 0; i < ARRAY_LEN(cached); i++) {
		if (!text_eq(cache.s, cached[i]))
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "aio native goes with no cache of the host, and cache would be %s: the guest "
		    "could not be started",
		    cached[i]);
		change_hint(c, "list %s as well",
		    by_cache ? schema_key(schema_attr(ATTR_disk_aio)) : "cache: none");
	}
}

/* PVE has a limit for the text of the whole key. */
static void smbios(const struct planner *pl, const struct leaf *l, struct change *c)
{
	_cleanup_kv_ struct kv conf = {0};

	if (l->attr->codec != CODEC_BASE64)
		return;
	kv_copy(&conf, &pl->goal);
	for (size_t i = 0; i < pl->want->n_leaves; i++) {
		const struct leaf *field = &pl->want->leaves[i];
		if (field->attr->codec == CODEC_BASE64 &&
		    pvecodec_put(field->attr, NULL, &field->value, &conf, NULL, NULL) < 0)
			return;
	}
	const char *text = kv_get(&conf, l->attr->key);
	size_t n = text ? strlen(text) : 0;
	if (n <= SMBIOS_BYTES)
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "all fields together would be %zu characters as PVE keeps them, and it takes %d", n,
	    SMBIOS_BYTES);
	change_hint(c, "shorten them: in PVE four characters stand for three");
}

/* A medium, or a snippet, on a storage that the node has not. Whether the medium itself is there is
 * not looked at: storages may have very many. */
static void medium(const struct planner *pl, const struct leaf *l, struct change *c)
{
	const struct obs_cluster *cl = pl->in->cluster;
	const char *colon = l->value.type == VALUE_STR ? strchr(l->value.s, ':') : NULL;

	if (!colon || !cl || !cl->n_storages)
		return;
	_cleanup_str_ char *storage = mem_strndup(l->value.s, (size_t)(colon - l->value.s));
	const struct obs_storage *st = obs_cluster_storage(cl, storage, pl->g->node);
	if (!st || !st->active)
		change_block(c, REASON_STORAGE_UNKNOWN, "node %s has no storage %s %s", pl->g->node,
		    storage, st ? "that is active" : "that the token may see");
}

void accord_leaf(const struct planner *pl, const struct leaf *l, struct change *c)
{
	static const struct {
		enum attr_id row;
		void (*rule)(const struct planner *pl, struct change *c);
	} rules[] = {
	    {ATTR_memory_size, balloon},
	    {ATTR_memory_balloon, balloon},
	    {ATTR_memory_size, accordmem_plugged},
	    {ATTR_hotplug, accordmem_plugged},
	    {ATTR_cpu_numa, accordmem_plugged},
	    {ATTR_memory_hugepages, accordmem_plugged},
	    {ATTR_numa_cpus, accordmem_plugged},
	    {ATTR_virtiofs_mapping, accordmem_plugged},
	    {ATTR_cpu_type, accordmem_most},
	    {ATTR_memory_size, accordmem_most},
	    {ATTR_hotplug, accordmem_most},
	    {ATTR_memory_size, accordmem_nodes},
	    {ATTR_cpu_numa, accordmem_nodes},
	    {ATTR_numa_cpus, accordmem_nodes},
	    {ATTR_numa_memory, accordmem_nodes},
	    {ATTR_numa_hostnodes, accordmem_policy},
	    {ATTR_numa_policy, accordmem_policy},
	    {ATTR_cpu_numa, accordmem_policy},
	    {ATTR_numa_cpus, accordmem_cpus},
	    {ATTR_cpu_cores, accordmem_cpus},
	    {ATTR_cpu_sockets, accordmem_cpus},
	    {ATTR_cpu_numa, accordmem_cpus},
	    {ATTR_memory_hugepages, accordmem_pages},
	    {ATTR_memory_size, accordmem_pages},
	    {ATTR_cpu_sockets, accordmem_pages},
	    {ATTR_cpu_numa, accordmem_pages},
	    {ATTR_numa_cpus, accordmem_pages},
	    {ATTR_numa_memory, accordmem_pages},
	    {ATTR_numa_hostnodes, accordmem_pages},
	    {ATTR_cpu_cores, host_cpus},
	    {ATTR_cpu_sockets, host_cpus},
	    {ATTR_cpu_vcpus, vcpus},
	    {ATTR_cpu_cores, vcpus},
	    {ATTR_cpu_sockets, vcpus},
	    {ATTR_hostpci_pcie, accorddev_express},
	    {ATTR_machine, accorddev_express},
	    {ATTR_usb_host, accorddev_many_usb},
	    {ATTR_usb_mapping, accorddev_many_usb},
	    {ATTR_operating_system_type, accorddev_many_usb},
	    {ATTR_machine, accorddev_many_usb},
	    {ATTR_usb_host, accorddev_named_twice},
	    {ATTR_usb_mapping, accorddev_named_twice},
	    {ATTR_hostpci_id, accorddev_named_twice},
	    {ATTR_hostpci_mapping, accorddev_named_twice},
	    {ATTR_hostpci_mdev, accorddev_mediated},
	    {ATTR_hostpci_id, accorddev_mediated},
	    {ATTR_hostpci_legacy_igd, accorddev_legacy_graphics},
	    {ATTR_hostpci_rombar, accorddev_legacy_graphics},
	    {ATTR_hostpci_xvga, accorddev_legacy_graphics},
	    {ATTR_hostpci_mdev, accorddev_legacy_graphics},
	    {ATTR_hostpci_id, accorddev_legacy_graphics},
	    {ATTR_machine, accorddev_legacy_graphics},
	    {ATTR_vga_type, accorddev_legacy_graphics},
	    {ATTR_virtiofs_expose_acl, accorddev_directory},
	    {ATTR_operating_system_type, accorddev_directory},
	    {ATTR_rng_source, accorddev_rng},
	    {ATTR_rng_max_bytes, accorddev_rng},
	    {ATTR_rng_period, accorddev_rng},
	    {ATTR_viommu, viommu},
	    {ATTR_machine, viommu},
	    {ATTR_aw_bits, aw_bits},
	    {ATTR_viommu, aw_bits},
	    {ATTR_vga_clipboard, clipboard},
	    {ATTR_vga_type, clipboard},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].row == l->attr->id)
			rules[i].rule(pl, c);
	if (l->attr->codec == CODEC_CDROM || l->attr->format == FMT_SNIPPET)
		medium(pl, l, c);
	speeds(pl, l, c);
	gateway(pl, l, c);
	aio(pl, l, c);
	smbios(pl, l, c);
	barenic_ask(pl, l->slot, c);
}

/* ---- the boot order ---- */

/* PVE asks what is there now, what waits and what the request brings, and that it is not removed by
 * it. */
static bool is_there(const struct planner *pl, const char *device)
{
	return kv_has(&pl->goal, device) ||
	       (kv_has(&pl->g->current, device) && !strs_has(&pl->del, device));
}

bool accord_is_order_by_pve(
    const struct planner *pl, const struct leaf *l, const struct value *have)
{
	size_t n = l->value.type == VALUE_SET ? l->value.set.n : 0;

	if (l->attr->codec != CODEC_BOOT || !n || have->type != VALUE_SET || have->set.n <= n)
		return false;
	for (size_t i = 0; i < have->set.n; i++) {
		const char *device = have->set.v[i], *text = kv_get(&pl->goal, device);
		_cleanup_drive_ struct drive d = {0};
		if (i < n ? !text_eq(device, l->value.set.v[i])
			  : !text || drive_parse(text, &d, NULL) < 0 || !d.cdrom || d.cloudinit)
			return false;
	}
	return true;
}

void accord_boot_order(struct planner *pl)
{
	const struct attr *order_row = planner_row("", CODEC_BOOT);
	const char *key = order_row->key;
	struct change *c = NULL;
	_cleanup_strs_ struct strs order = {0}, missing = {0};

	for (size_t i = 0; i < pl->out->n_changes; i++)
		if (pl->out->changes[i].attr == order_row && pl->out->changes[i].state == CHANGE_DO)
			c = &pl->out->changes[i];
	if (!c || !kv_has(&pl->goal, key) || pvetext_boot_parse(kv_get(&pl->goal, key), &order) < 0)
		return;
	for (size_t i = 0; i < order.n; i++)
		if (!is_there(pl, order.v[i]))
			strs_add(&missing, order.v[i]);
	if (!missing.n)
		return;
	_cleanup_str_ char *names = strs_join(&missing, ", ");
	change_block(c, REASON_DEVICE_INCOMPLETE,
	    "the VM has no %s, and PVE takes no order that names what is not there", names);
	change_hint(c, "list %s as a device as well, or take it out of %s", names, order_row->path);
	if (kv_has(&pl->g->pending, key))
		kv_set(&pl->goal, key, kv_get(&pl->g->pending, key));
	else
		kv_del(&pl->goal, key);
}
