#include "accord.h"

#include <stdlib.h>
#include <string.h>

#include "barenic.h"
#include "effect.h"
#include "pvetext.h"
#include "speeds.h"

#define DEFAULT_MIB 512	    /* of memory, by PVE */
#define PLUG_FIRST_MIB 1024 /* what a guest has before memory is plugged */
#define NUMA_NODES 8
#define PCI_SLOTS 16
#define USB_SLOTS 14
#define USB_FEW 5
#define SMBIOS_BYTES 512 /* of the whole key */

/* The value that the VM will have: as listed, else as it is. False: PVE's default, *ret untouched.
 */
static bool coming_at(
    const struct planner *pl, enum attr_id id, const char *slot, struct value *ret)
{
	const struct leaf *l = resource_find(pl->want, id, slot);

	if (l && l->value.type == VALUE_NULL)
		return false;
	if (l)
		value_copy(ret, &l->value);
	else if (pvecodec_get(schema_attr(id), slot, &pl->goal, NULL, ret, NULL) < 0)
		return false;
	return ret->type != VALUE_ABSENT;
}

static bool coming(const struct planner *pl, enum attr_id id, struct value *ret)
{
	return coming_at(pl, id, NULL, ret);
}

static bool coming_bool(const struct planner *pl, enum attr_id id)
{
	_cleanup_value_ struct value v = {0};
	return coming(pl, id, &v) && v.type == VALUE_BOOL && v.b;
}

static int64_t coming_int(const struct planner *pl, enum attr_id id, int64_t deflt)
{
	_cleanup_value_ struct value v = {0};
	return coming(pl, id, &v) && v.type == VALUE_INT ? v.i : deflt;
}

static bool is_listed(const struct planner *pl, enum attr_id id)
{
	return resource_find(pl->want, id, NULL) != NULL;
}

/* ---- the rules; c is the change of one of the rows ---- */

/* A balloon that goes with the next restart is still in force, and PVE compares less memory with it
 * as long as the request does not say again that it goes. */
static void balloon_in_force(const struct planner *pl, struct change *c)
{
	const struct attr *row = schema_attr(ATTR_memory_balloon);
	_cleanup_value_ struct value now = {0};

	if (c->attr->id != ATTR_memory_size || is_listed(pl, row->id) ||
	    coming_int(pl, row->id, 1) != 0 ||
	    pvecodec_get(row, NULL, &pl->g->current, NULL, &now, NULL) < 0 ||
	    now.type != VALUE_INT || now.i <= coming_int(pl, ATTR_memory_size, DEFAULT_MIB))
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
	int64_t size = coming_int(pl, ATTR_memory_size, DEFAULT_MIB);

	balloon_in_force(pl, c);
	if (coming_int(pl, ATTR_memory_balloon, 0) <= size || is_listed(pl, other))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "PVE allows no balloon larger than the memory, and %s is %lld",
	    schema_attr(other)->path, (long long)coming_int(pl, other, DEFAULT_MIB));
	change_hint(c, "list %s as well", schema_attr(other)->path);
}

/* ---- memory that is plugged while the guest runs ---- */

/* Whether somebody lists a device of such slots, or the VM keeps one. */
static bool has_slots(const struct planner *pl, enum attr_id core)
{
	const struct attr_block *b = schema_slot_block(schema_attr(core));
	_cleanup_value_ struct value v = {0};

	KV_FOREACH (item, &pl->goal)
		if (form_check(b->slot_format, item->key, NULL, NULL) &&
		    coming_at(pl, core, item->key, &v))
			return true;
	for (size_t i = 0; i < pl->want->n_leaves; i++)
		if (pl->want->leaves[i].attr->id == core &&
		    pl->want->leaves[i].value.type != VALUE_NULL)
			return true;
	return false;
}

/* The least size of at least this many MiB that the guest can have: so much from the start, then 32
 * modules of each size, each size twice the one before. */
static int64_t plugged_size(int64_t size, int64_t module, int64_t least, int64_t *ret_before)
{
	*ret_before = size;
	for (int round = 0; round < 8 && size < least; round++, module *= 2) {
		for (int i = 0; i < 32 && size < least; i++) {
			*ret_before = size;
			size += module;
		}
	}
	return size;
}

static void plugged_memory(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value pages = {0};
	bool giant = coming(pl, ATTR_memory_hugepages, &pages) && text_eq(pages.s, "1024");
	int64_t wish = coming_int(pl, ATTR_memory_size, DEFAULT_MIB), before;
	int64_t fit =
	    plugged_size(PLUG_FIRST_MIB * (giant ? coming_int(pl, ATTR_cpu_sockets, 1) : 1),
		giant ? PLUG_FIRST_MIB : PLUG_FIRST_MIB / 2, wish, &before);

	if (wish == fit)
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "memory can be plugged, which PVE does in modules, and memory.size would be %lld MiB: "
	    "the guest could not be started, or gets another size",
	    (long long)wish);
	if (wish < before || before == fit)
		change_hint(c, "write memory.size: %lld or more", (long long)fit);
	else
		change_hint(
		    c, "write memory.size: %lld or %lld", (long long)before, (long long)fit);
}

/* PVE stores what these come to, and then the guest cannot be started. */
static void memory(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value words = {0}, pages = {0};
	bool numa = coming_bool(pl, ATTR_cpu_numa);
	bool plugs = coming(pl, ATTR_hotplug, &words) && words.type == VALUE_SET &&
		     strs_has(&words.set, "memory");
	const char *lacks = NULL, *hint = "cpu.numa";

	if (plugs && !numa)
		lacks = "hotplug contains memory, and cpu.numa is off";
	else if (plugs && has_slots(pl, ATTR_numa_cpus))
		lacks = "hotplug contains memory, and there are NUMA nodes of one's own";
	else if (plugs && has_slots(pl, ATTR_virtiofs_mapping))
		lacks = "hotplug contains memory, and there is a directory of the host";
	else if (!numa && coming(pl, ATTR_memory_hugepages, &pages))
		lacks = "there are huge pages, and cpu.numa is off";
	if (lacks) {
		if (numa || c->attr->id == ATTR_cpu_numa)
			hint = plugs ? "hotplug without memory" : "memory.hugepages: null";
		change_block(
		    c, REASON_VALUES_CONFLICT, "%s: the guest could not be started", lacks);
		change_hint(c, "list %s as well", hint);
	} else if (plugs || (pl->running && effect_hotplugs(&pl->g->current, "memory"))) {
		plugged_memory(pl, c);
	}
}

/* All nodes together have the memory, when there are any. */
static void numa_nodes(const struct planner *pl, struct change *c)
{
	_cleanup_strs_ struct strs slots = {0};
	double sum = 0;
	bool known = true;

	if (!coming_bool(pl, ATTR_cpu_numa))
		return;
	for (unsigned i = 0; i < NUMA_NODES; i++) {
		_cleanup_value_ struct value cpus = {0}, mib = {0};
		_cleanup_str_ char *slot = mem_printf("numa%u", i);
		if (!coming_at(pl, ATTR_numa_cpus, slot, &cpus))
			continue;
		strs_add(&slots, slot);
		known &= coming_at(pl, ATTR_numa_memory, slot, &mib);
		sum += mib.type == VALUE_NUM ? mib.n : mib.type == VALUE_INT ? (double)mib.i : 0;
	}
	int64_t size = coming_int(pl, ATTR_memory_size, DEFAULT_MIB);
	if (!slots.n || (known && sum == (double)size))
		return;
	_cleanup_str_ char *names = strs_join(&slots, ", "), *all = text_from_num(sum);
	change_block(c, REASON_VALUES_CONFLICT,
	    "memory.size would be %lld and that of %s together %s: the guest could not be started",
	    (long long)size, names, all);
	change_hint(c, "list %s as well",
	    c->attr->id == ATTR_memory_size ? "numa.*.memory" : "memory.size and numa.*.memory");
}

/* Which nodes of the host are meant says nothing without how strictly. */
static void numa_policy(const struct planner *pl, struct change *c)
{
	if (!coming_bool(pl, ATTR_cpu_numa))
		return;
	for (unsigned i = 0; i < NUMA_NODES; i++) {
		_cleanup_value_ struct value on = {0}, policy = {0};
		_cleanup_str_ char *slot = mem_printf("numa%u", i);
		if ((c->slot && !text_eq(c->slot, slot)) ||
		    !coming_at(pl, ATTR_numa_hostnodes, slot, &on) || !on.set.n ||
		    coming_at(pl, ATTR_numa_policy, slot, &policy))
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s would name nodes of the host and no policy: the guest could not be started",
		    slot);
		change_hint(c, "list numa.%s.policy as well", slot);
		return;
	}
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
	    is_listed(pl, ATTR_cpu_vcpus) ? "cpu.sockets and cpu.cores" : "cpu.vcpus");
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

static bool comes_q35(const struct planner *pl)
{
	_cleanup_value_ struct value type = {0};
	return coming(pl, ATTR_machine, &type) && strstr(type.s, "q35");
}

/* A device shown as PCI Express, of any slot. */
static void express(const struct planner *pl, struct change *c)
{
	if (comes_q35(pl))
		return;
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		_cleanup_str_ char *slot = mem_printf("hostpci%u", i);
		_cleanup_value_ struct value pcie = {0};
		if ((c->slot && !text_eq(c->slot, slot)) ||
		    !coming_at(pl, ATTR_hostpci_pcie, slot, &pcie) || !pcie.b)
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s is shown as PCI Express, which takes a machine of type q35: the guest "
		    "could not be started",
		    slot);
		change_hint(c, "list %s as well",
		    c->slot ? schema_attr(ATTR_machine)->path : "hostpci.*.pcie");
		return;
	}
}

/* Guests that PVE takes not to understand it, and older machines, have five slots. */
static void many_usb(const struct planner *pl, struct change *c)
{
	static const enum attr_id rows[] = {ATTR_usb_host, ATTR_usb_mapping};
	_cleanup_value_ struct value system = {0}, type = {0};
	bool old =
	    coming(pl, ATTR_machine, &type) && effect_machine_before(type.s, EFFECT_USB_MACHINE);

	if (!old && coming(pl, ATTR_operating_system_type, &system) && effect_knows_usb(system.s))
		return;
	for (unsigned i = USB_FEW; i < USB_SLOTS; i++) {
		_cleanup_str_ char *slot = mem_printf("usb%u", i);
		bool there = false;
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			_cleanup_value_ struct value v = {0};
			there |= coming_at(pl, rows[k], slot, &v);
		}
		if (!there || (c->slot && !text_eq(c->slot, slot)))
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s is for %s: the guest could not be started", slot,
		    old ? "machines of version 7.1 and later"
			: "guests of type l26 and Windows from 8 on");
		change_hint(c, "%s",
		    !c->slot ? "take that device away as well"
		    : old    ? "use a slot up to usb4, or list the machine as well"
			     : "use a slot up to usb4, or list the type as well");
		return;
	}
}

static void viommu(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value kind = {0}, type = {0};

	if (!coming(pl, ATTR_viommu, &kind) || !text_eq(kind.s, "intel"))
		return;
	bool known = coming(pl, ATTR_machine, &type);
	if (comes_q35(pl))
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

/* A medium on a storage that the node has not. Whether the medium itself is there is not looked at:
 * storages may have very many. */
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
	    {ATTR_memory_size, memory},
	    {ATTR_hotplug, memory},
	    {ATTR_cpu_numa, memory},
	    {ATTR_numa_cpus, memory},
	    {ATTR_virtiofs_mapping, memory},
	    {ATTR_memory_size, numa_nodes},
	    {ATTR_cpu_numa, numa_nodes},
	    {ATTR_numa_cpus, numa_nodes},
	    {ATTR_numa_memory, numa_nodes},
	    {ATTR_numa_hostnodes, numa_policy},
	    {ATTR_numa_policy, numa_policy},
	    {ATTR_cpu_numa, numa_policy},
	    {ATTR_cpu_cores, host_cpus},
	    {ATTR_cpu_sockets, host_cpus},
	    {ATTR_cpu_vcpus, vcpus},
	    {ATTR_cpu_cores, vcpus},
	    {ATTR_cpu_sockets, vcpus},
	    {ATTR_hostpci_pcie, express},
	    {ATTR_machine, express},
	    {ATTR_usb_host, many_usb},
	    {ATTR_usb_mapping, many_usb},
	    {ATTR_operating_system_type, many_usb},
	    {ATTR_machine, many_usb},
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
	if (l->attr->codec == CODEC_CDROM)
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
