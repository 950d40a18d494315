#include "accordmem.h"

#include <string.h>

#include "coming.h"
#include "effect.h"
#include "propstr.h"

#define PLUG_FIRST_MIB 1024 /* what a guest has before memory is plugged */
#define NUMA_NODES 8
#define MODEL_BITS 40	 /* of an address, to a guest with a CPU model that is not the host's */
#define MOST_BITS 64	 /* more than PVE can plug into */
#define HALF_MIB_BITS 21 /* of two MiB */

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
	int64_t wish = coming_int(pl, ATTR_memory_size, ACCORDMEM_DEFAULT_MIB), before;
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
void accordmem_plugged(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value words = {0}, pages = {0};
	bool numa = coming_bool(pl, ATTR_cpu_numa);
	bool plugs = coming(pl, ATTR_hotplug, &words) && words.type == VALUE_SET &&
		     strs_has(&words.set, "memory");
	const char *lacks = NULL, *hint = "cpu.numa";

	if (plugs && !numa)
		lacks = "hotplug contains memory, and cpu.numa is off";
	else if (plugs && coming_has_slots(pl, ATTR_numa_cpus))
		lacks = "hotplug contains memory, and there are NUMA nodes of one's own";
	else if (plugs && coming_has_slots(pl, ATTR_virtiofs_mapping))
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

/* PVE reckons with half of what the bits of an address reach: of the host's where the model is the
 * host's, which nobody here knows, else of 40. */
static int64_t most_plugged(const struct planner *pl)
{
	_cleanup_propstr_ struct propstr p = {0};
	_cleanup_value_ struct value model = {0};
	const char *cpu = kv_get(&pl->goal, schema_attr(ATTR_cpu_type)->key), *bits = NULL;
	int64_t n = MODEL_BITS;

	if (cpu && propstr_parse(cpu, &p, NULL) == 0)
		bits = propstr_get(&p, "phys-bits");
	bool known = coming(pl, ATTR_cpu_type, &model);
	bool host = known && (text_eq(model.s, "host") || text_eq(model.s, "max"));
	if (text_eq(bits, "host") || (!bits && host) ||
	    (bits && text_to_int(bits, 8, MOST_BITS, &n) < 0))
		n = MOST_BITS;
	n &= ~(int64_t)1;
	return n > HALF_MIB_BITS ? (int64_t)1 << (n - HALF_MIB_BITS) : 0;
}

void accordmem_most(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value words = {0};
	int64_t wish = coming_int(pl, ATTR_memory_size, ACCORDMEM_DEFAULT_MIB);
	int64_t most = most_plugged(pl);

	if (wish <= most || !coming(pl, ATTR_hotplug, &words) || words.type != VALUE_SET ||
	    !strs_has(&words.set, "memory"))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "hotplug contains memory, with this CPU model PVE plugs no more than %lld MiB in all, "
	    "and memory.size would be %lld: the guest could not be started",
	    (long long)most, (long long)wish);
	change_hint(c, "list %s as well",
	    c->attr->id == ATTR_cpu_type ? "hotplug without memory"
					 : "cpu.type: host, or hotplug without memory");
}

void accordmem_nodes(const struct planner *pl, struct change *c)
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
	int64_t size = coming_int(pl, ATTR_memory_size, ACCORDMEM_DEFAULT_MIB);
	if (!slots.n || (known && sum == (double)size))
		return;
	_cleanup_str_ char *names = strs_join(&slots, ", "), *all = text_from_num(sum);
	change_block(c, REASON_VALUES_CONFLICT,
	    "memory.size would be %lld and that of %s together %s: the guest could not be started",
	    (long long)size, names, all);
	change_hint(c, "list %s as well",
	    c->attr->id == ATTR_memory_size ? "numa.*.memory" : "memory.size and numa.*.memory");
}

void accordmem_policy(const struct planner *pl, struct change *c)
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

static int64_t processors(const struct planner *pl)
{
	return coming_int(pl, ATTR_cpu_sockets, 1) * coming_int(pl, ATTR_cpu_cores, 1);
}

/* The last number of "3" or "0-3". */
static int64_t last_of(const char *range)
{
	const char *dash = strchr(range, '-');
	int64_t n;

	return text_to_int(dash ? dash + 1 : range, 0, FORM_CPU_MAX, &n) == 0 ? n : 0;
}

void accordmem_cpus(const struct planner *pl, struct change *c)
{
	int64_t all = processors(pl);

	if (!coming_bool(pl, ATTR_cpu_numa))
		return;
	for (unsigned i = 0; i < NUMA_NODES; i++) {
		_cleanup_value_ struct value cpus = {0};
		_cleanup_str_ char *slot = mem_printf("numa%u", i);
		int64_t last = -1;
		if ((c->slot && !text_eq(c->slot, slot)) ||
		    !coming_at(pl, ATTR_numa_cpus, slot, &cpus) || cpus.type != VALUE_SET)
			continue;
		for (size_t k = 0; k < cpus.set.n; k++)
			last = last_of(cpus.set.v[k]) > last ? last_of(cpus.set.v[k]) : last;
		if (last < all)
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s would have the processor %lld, and cpu.sockets times cpu.cores is %lld, "
		    "counted from 0: the guest could not be started",
		    slot, (long long)last, (long long)all);
		change_hint(
		    c, "list %s as well", c->slot ? "cpu.sockets and cpu.cores" : "numa.*.cpus");
		return;
	}
}

/* ---- huge pages ---- */

/* What is wrong with the memory of one node; NULL: nothing. */
static char *page_problem(const char *pages, double mib)
{
	int64_t page = 2;

	if (!text_eq(pages, "any") && text_to_int(pages, 1, 1 << 20, &page) < 0)
		return NULL;
	/* PVE wants an even number of MiB in any case. */
	int64_t whole = (int64_t)mib;
	if (whole > 0 && (double)whole == mib && whole % page == 0)
		return NULL;
	_cleanup_str_ char *size = text_from_num(mib);
	return mem_printf("%s MiB are no number of pages of %lld MiB", size, (long long)page);
}

/* One of the host's nodes, by one digit: PVE reads no more than that. */
static char *host_problem(const struct planner *pl, const char *slot)
{
	_cleanup_value_ struct value on = {0};

	if (!coming_at(pl, ATTR_numa_hostnodes, slot, &on) || !on.set.n)
		return mem_printf("%s names no node of the host", slot);
	if (on.set.n > 1 || strlen(on.set.v[0]) > 1)
		return mem_printf("%s names more than one node of the host", slot);
	return NULL;
}

static char *node_problem(
    const struct planner *pl, const struct change *c, const char *pages, bool *ret_any)
{
	for (unsigned i = 0; i < NUMA_NODES; i++) {
		_cleanup_value_ struct value cpus = {0}, mib = {0};
		_cleanup_str_ char *slot = mem_printf("numa%u", i), *why = NULL;
		if (!coming_at(pl, ATTR_numa_cpus, slot, &cpus))
			continue;
		*ret_any = true;
		if (c->slot && !text_eq(c->slot, slot))
			continue;
		why = host_problem(pl, slot);
		if (!why && coming_at(pl, ATTR_numa_memory, slot, &mib))
			why = page_problem(pages, mib.type == VALUE_NUM ? mib.n : (double)mib.i);
		if (why)
			return TAKE(why);
	}
	return NULL;
}

void accordmem_pages(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value pages = {0}, words = {0};
	bool nodes = false;

	if (!coming_bool(pl, ATTR_cpu_numa) || !coming(pl, ATTR_memory_hugepages, &pages))
		return;
	_cleanup_str_ char *why = node_problem(pl, c, pages.s, &nodes);
	bool plugs = coming(pl, ATTR_hotplug, &words) && words.type == VALUE_SET &&
		     strs_has(&words.set, "memory");
	/* What is plugged comes in modules of whole pages. */
	if (!nodes && !plugs)
		why = page_problem(
		    pages.s, (double)coming_int(pl, ATTR_memory_size, ACCORDMEM_DEFAULT_MIB) /
				 (double)coming_int(pl, ATTR_cpu_sockets, 1));
	if (!why)
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "there are huge pages, and %s%s: the guest could not be started", why,
	    nodes ? "" : ", which each socket would have");
	change_hint(c, "list %s as well",
	    nodes ? "numa.*.hostnodes with one node each, and numa.*.memory"
	    : c->attr->id == ATTR_memory_hugepages ? "memory.size"
						   : "memory.hugepages");
}
