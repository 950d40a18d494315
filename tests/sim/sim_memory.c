/* The memory a guest starts with and what comes and goes while it runs: modules of 512 MiB and
 * more beside what is soldered on (QemuServer::Memory). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_conf.h"
#include "sim_schema.h"

#define SOLDERED_MIB 1024
#define MODULES_OF_A_SIZE 32
#define SIZES 8
#define NUMA_MAX 8
#define MOST_MIB (4 << 20)
#define LINE_TOO_LOW 236 /* Memory.pm, where the message has no end of line */

static int64_t number(const struct guest *g, const char *key, int64_t usual)
{
	const char *v = kv_get(&g->conf, key);

	return v ? strtoll(v, NULL, 10) : usual;
}

static void parts_of(const struct sby *by, const char *value, struct kv *ret)
{
	struct buf ignored;

	buf_init(&ignored, 0);
	if (!schema_split(by, value, ret, &ignored))
		kv_fini(ret);
	buf_fini(&ignored);
}

static bool huge_modules(const struct guest *g)
{
	return text_eq(kv_get(&g->conf, "hugepages"), "1024");
}

static int64_t soldered(const struct guest *g)
{
	return huge_modules(g) ? SOLDERED_MIB * number(g, "sockets", 1) : SOLDERED_MIB;
}

/* get_max_mem, on a host whose processors have no fewer than 40 bits of address. */
static int64_t most(const struct sim *s, const struct guest *g)
{
	_cleanup_kv_ struct kv cpu = {0};
	const char *value = kv_get(&g->conf, "cpu"), *type, *bits;
	int64_t n = 40;

	if (value)
		parts_of(&SCHEMA_OF("cpu", s->v9), value, &cpu);
	type = kv_get(&cpu, "cputype");
	bits = kv_get(&cpu, "phys-bits");
	if (bits && strcmp(bits, "host") != 0)
		n = strtoll(bits, NULL, 10);
	else if (bits || text_eq(type, "host") || text_eq(type, "max"))
		return MOST_MIB;
	n &= ~INT64_C(1);
	return n > 43 ? MOST_MIB : INT64_C(1) << (n > 21 ? n - 21 : 0);
}

/* foreach_dimm: the modules up to a sum, or the first beyond; their number. */
static size_t modules(const struct guest *g, int64_t sum, int64_t *sizes, int64_t *ret_sum)
{
	int64_t size = huge_modules(g) ? 1024 : 512, have = soldered(g);
	size_t n = 0;

	for (int k = 0; k < SIZES && have < sum; k++, size *= 2)
		for (int i = 0; i < MODULES_OF_A_SIZE && have < sum; i++) {
			sizes[n++] = size;
			have += size;
		}
	*ret_sum = have;
	return n;
}

bool memory_plug(
    const struct sim *s, const struct guest *g, const char *value, char **ret, struct buf *why)
{
	int64_t want = memory_mib(value), have = memory_mib(kv_get(&g->conf, "memory")),
		sizes[SIZES * MODULES_OF_A_SIZE], sum;
	size_t n;

	if (want < soldered(g)) {
		buf_addf(why,
		    "memory can't be lower than %" PRId64
		    " MB at /usr/share/perl5/PVE/QemuServer/Memory.pm line %d.\n",
		    soldered(g), LINE_TOO_LOW);
		return false;
	}
	if (want > most(s, g)) {
		buf_addf(
		    why, "you cannot add more memory than max mem %" PRId64 " MB!\n", most(s, g));
		return false;
	}
	n = modules(g, want > have ? want : have, sizes, &sum);
	if (want > have && !n) /* all of it is soldered on */
		sum = have;
	for (; want < have && n && sum > want; n--)
		sum -= sizes[n - 1];
	*ret = mem_printf("%" PRId64, sum);
	return true;
}

/* hugepages_size, on a host that has pages of both sizes; the memory is a number of MiB as text. */
static bool pages_fit(const struct guest *g, const char *memory, struct oops *o)
{
	const char *pages = kv_get(&g->conf, "hugepages");
	int64_t size = strtoll(memory, NULL, 10), page = pages ? strtoll(pages, NULL, 10) : 0;

	if (pages && (size <= 0 || size & 1))
		return oops_die(o,
		    "memory size '%s' is not a positive even integer; cannot use for hugepages",
		    memory);
	if (page && size % page)
		return oops_die(o,
		    "Memory size %s is not a multiple of the requested hugepages size %s", memory,
		    pages);
	return true;
}

/* print_numa_hostnodes: "0;2-3" names nodes of the host, of which each socket is one. */
static bool hosts_there(const struct guest *g, const char *list, struct buf *shown, struct oops *o)
{
	_cleanup_strs_ struct strs ranges = {0};

	if (text_split(list, ";", true, 64, &ranges) < 0)
		return oops_die(o, "unable to parse hostnodes");
	for (size_t i = 0; i < ranges.n; i++) {
		const char *dash = strchr(ranges.v[i], '-');
		int64_t first = strtoll(ranges.v[i], NULL, 10),
			last = dash ? strtoll(dash + 1, NULL, 10) : first;

		buf_addf(shown, "%s%s", i ? "," : "", ranges.v[i]);
		if (last >= first && last >= g->node->sockets)
			return oops_die(o, "host NUMA node%" PRId64 " doesn't exist",
			    first > g->node->sockets ? first : (int64_t)g->node->sockets);
	}
	return true;
}

/* On which nodes of the host one of the guest's lies. Huge pages are taken from one of them. */
static bool hosts_fit(const struct guest *g, const struct kv *n, struct oops *o)
{
	const char *list = kv_get(n, "hostnodes");
	bool huge = kv_has(&g->conf, "hugepages"), ok;
	struct buf shown;

	if (!list)
		return !huge || oops_die(o, "numa hostnodes need to be defined to use hugepages at "
					    "/usr/share/perl5/PVE/QemuServer/Memory.pm line 445.");
	buf_init(&shown, 0);
	ok = hosts_there(g, list, &shown, o);
	if (ok && !kv_has(n, "policy"))
		ok = oops_die(o, "you need to define a policy for hostnode %s", buf_str(&shown));
	buf_fini(&shown);
	return ok;
}

/* The NUMA nodes that somebody laid out. */
static bool nodes_fit(const struct sim *s, const struct guest *g, int64_t memory, struct oops *o)
{
	bool several = false;
	int64_t sum = 0;

	for (int i = 0; i < NUMA_MAX; i++) {
		_cleanup_str_ char *key = mem_printf("numa%d", i);
		const char *value = kv_get(&g->conf, key), *hosts;
		_cleanup_kv_ struct kv n = {0};

		if (!value)
			continue;
		parts_of(&SCHEMA_OF("numa", s->v9), value, &n);
		if (!kv_has(&n, "memory") || text_eq(kv_get(&n, "memory"), "0"))
			return oops_die(o, "missing NUMA node%d memory value", i);
		if (!pages_fit(g, kv_get(&n, "memory"), o) || !hosts_fit(g, &n, o))
			return false;
		hosts = kv_get(&n, "hostnodes");
		several = several || (hosts && strpbrk(hosts, ";-"));
		sum += strtoll(kv_get(&n, "memory"), NULL, 10);
	}
	if (sum && sum != memory)
		return oops_die(o, "total memory for NUMA nodes must be equal to vm static memory");
	return !several || !kv_has(&g->conf, "hugepages") ||
	       oops_die(o, "more than 1 hostnode value in numa node is not supported when "
			   "hugepages are enabled at "
			   "/usr/share/perl5/PVE/QemuServer/Memory.pm line 644.");
}

/* Without them each socket is one, as large as the others. */
static bool sockets_fit(const struct guest *g, int64_t memory, struct oops *o)
{
	int64_t sockets = number(g, "sockets", 1);
	_cleanup_str_ char *each = mem_printf("%" PRId64, memory / sockets);

	if (!kv_has(&g->conf, "hugepages"))
		return true;
	if (sockets > g->node->sockets && pages_fit(g, each, o))
		return oops_die(o, "host NUMA node%d doesn't exist", g->node->sockets);
	return !o->status && pages_fit(g, each, o);
}

static bool laid_out(const struct guest *g)
{
	for (int i = 0; i < NUMA_MAX; i++) {
		_cleanup_str_ char *key = mem_printf("numa%d", i);

		if (kv_has(&g->conf, key))
			return true;
	}
	return false;
}

static bool has_virtiofs(const struct guest *g)
{
	KV_FOREACH (i, &g->conf)
		if (text_starts(i->key, "virtiofs"))
			return true;
	return false;
}

static bool hot_start(const struct sim *s, const struct guest *g, int64_t memory, struct oops *o)
{
	if (!text_eq(kv_get(&g->conf, "numa"), "1"))
		return oops_die(o, "NUMA needs to be enabled for memory hotplug");
	if (memory > most(s, g))
		return oops_die(o, "Total memory is bigger than %" PRId64 "MB", most(s, g));
	if (laid_out(g))
		return oops_die(o, "cannot enable memory hotplugging with custom NUMA topology");
	if (memory < soldered(g))
		return oops_die(o, "minimum memory must be %" PRId64 "MB", soldered(g));
	return true;
}

bool memory_starts(const struct sim *s, const struct guest *g, struct oops *o)
{
	const char *hotplug = kv_get(&g->conf, "hotplug");
	bool hot = hotplug && strstr(hotplug, "memory"),
	     numa = text_eq(kv_get(&g->conf, "numa"), "1");
	int64_t memory = memory_mib(kv_get(&g->conf, "memory")), sizes[SIZES * MODULES_OF_A_SIZE],
		sum;
	size_t n;

	if (hot && !hot_start(s, g, memory, o))
		return false;
	if (kv_has(&g->conf, "hugepages") && !numa)
		return oops_die(o, "numa needs to be enabled to use hugepages at "
				   "/usr/share/perl5/PVE/QemuServer/Memory.pm line 403.");
	if (hot && has_virtiofs(g))
		return oops_die(o, "Memory hotplug does not work in combination with virtio-fs.");
	if (numa && !(laid_out(g) ? nodes_fit(s, g, hot ? soldered(g) : memory, o)
				  : sockets_fit(g, hot ? soldered(g) : memory, o)))
		return false;
	if (!hot)
		return true;
	n = modules(g, memory, sizes, &sum);
	return sum <= memory ||
	       oops_die(o,
		   "memory size (%" PRId64 ") must be aligned to %" PRId64 " for hotplugging",
		   memory, sizes[n - 1]);
}
