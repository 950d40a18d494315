/* Calls about one node: its hardware, network and what its QEMU can do. */
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_auth.h"

struct jsn *index_of(const char *key, const char *const *v, size_t n)
{
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < n; i++) {
		struct jsn *o = jsn_new_object();

		jsn_put_str(o, key, v[i]);
		jsn_push(a, o);
	}
	return a;
}

void api_node_index(struct job *j)
{
	static const char *const v[] = {"aplinfo", "apt", "capabilities", "ceph", "certificates",
	    "config", "disks", "dns", "firewall", "hardware", "hosts", "journal", "lxc",
	    "migrateall", "netstat", "network", "qemu", "query-url-metadata", "replication",
	    "report", "rrd", "rrddata", "scan", "sdn", "services", "spiceshell", "startall",
	    "status", "stopall", "storage", "subscription", "suspendall", "syslog", "tasks",
	    "termproxy", "time", "version", "vncshell", "vzdump", "wakeonlan",
	    "query-oci-repo-tags"};

	job_ok(j, index_of("name", v, ARRAY_LEN(v) - !j->sim->v9));
}

static void put_cpuinfo(struct jsn *o, const struct sim *s, const struct node *n)
{
	struct jsn *c = jsn_new_object();

	jsn_put_int(c, "cpus", n->maxcpu);
	jsn_put_int(c, "cores", n->maxcpu / n->sockets);
	jsn_put_int(c, "sockets", n->sockets);
	jsn_put_str(c, "model", kv_get(&n->hardware, "model"));
	jsn_put_str(c, "mhz", kv_get(&n->hardware, "mhz"));
	jsn_put_str(c, "flags", kv_get(&n->hardware, "flags"));
	jsn_put_str(c, "hvm", kv_get(&n->hardware, "hvm"));
	jsn_put_int(c, "user_hz", 100);
	if (s->v9) {
		jsn_put_str(c, "vendor", kv_get(&n->hardware, "vendor"));
		jsn_put_str(c, "family", kv_get(&n->hardware, "family"));
	}
	jsn_put(o, "cpuinfo", c);
}

static void put_kernel(struct jsn *o, const struct node *n)
{
	const char *release = kv_get(&n->hardware, "release"),
		   *version = kv_get(&n->hardware, "version");
	_cleanup_str_ char *whole = mem_printf("Linux %s %s", release, version);
	struct jsn *k = jsn_new_object(), *b = jsn_new_object();

	jsn_put_str(o, "kversion", whole);
	jsn_put_str(k, "sysname", "Linux");
	jsn_put_str(k, "machine", "x86_64");
	jsn_put_str(k, "release", release);
	jsn_put_str(k, "version", version);
	jsn_put(o, "current-kernel", k);
	jsn_put_str(b, "mode", kv_get(&n->hardware, "boot"));
	jsn_put(o, "boot-info", b);
}

static struct jsn *amounts(int64_t total, int64_t used)
{
	struct jsn *o = jsn_new_object();

	jsn_put_int(o, "total", total);
	jsn_put_int(o, "used", used);
	jsn_put_int(o, "free", total - used);
	return o;
}

void api_node_status(struct job *j)
{
	const struct node *n = j->node;
	struct jsn *o = jsn_new_object(), *m = amounts(n->maxmem, n->maxmem / 10),
		   *r = amounts(n->disk, n->disk / 10), *l = jsn_new_array(),
		   *ksm = jsn_new_object();
	_cleanup_str_ char *ver =
	    mem_printf("pve-manager/%s/%s", j->sim->manager, release_id(j->sim));

	if (j->sim->v9)
		jsn_put_int(m, "available", n->maxmem - n->maxmem / 10);
	jsn_put(o, "memory", m);
	jsn_put(o, "swap", amounts(0, 0));
	jsn_put_int(r, "avail", n->disk - n->disk / 10 - n->disk / 20);
	jsn_put(o, "rootfs", r);
	put_cpuinfo(o, j->sim, n);
	put_kernel(o, n);
	for (int i = 0; i < 3; i++)
		jsn_push(l, jsn_new_str("0.05"));
	jsn_put(o, "loadavg", l);
	jsn_put_str(o, "pveversion", ver);
	jsn_put_int(ksm, "shared", 0);
	jsn_put(o, "ksm", ksm);
	jsn_put_int(o, "uptime", (j->sim->now - n->up_since) / 1000);
	jsn_put(o, "cpu", jsn_new_num(0.05));
	jsn_put_int(o, "wait", 0);
	jsn_put_int(o, "idle", 0);
	job_ok(j, o);
}

/* "10.0.0.1/24" in its parts. */
static void put_address(struct jsn *o, const char *cidr)
{
	const char *slash = cidr ? strchr(cidr, '/') : NULL;
	_cleanup_str_ char *address = slash ? mem_strndup(cidr, (size_t)(slash - cidr)) : NULL;

	jsn_put_str(o, "method", slash ? "static" : "manual");
	if (!slash)
		return;
	jsn_put_str(o, "address", address);
	jsn_put_str(o, "netmask", slash + 1);
	jsn_put_str(o, "cidr", cidr);
}

static void push_nic(struct jsn *a, const struct node *n)
{
	struct jsn *o = jsn_new_object(), *f = jsn_new_array();
	_cleanup_str_ char *cidr = mem_printf("%s/24", n->ip);

	jsn_put_str(o, "iface", n->nic);
	jsn_put_str(o, "type", "eth");
	put_address(o, cidr);
	jsn_put_str(o, "method6", "manual");
	jsn_push(f, jsn_new_str("inet"));
	jsn_put(o, "families", f);
	jsn_put_int(o, "active", 1);
	jsn_put_int(o, "autostart", 1);
	jsn_put_int(o, "priority", 3);
	jsn_push(a, o);
}

/* An interface that is there and not set up. */
static void push_bare(struct jsn *a, const char *name)
{
	struct jsn *o = jsn_new_object(), *f = jsn_new_array();

	jsn_put_str(o, "iface", name);
	jsn_put_str(o, "type", "eth");
	jsn_put_str(o, "method", "manual");
	jsn_put_str(o, "method6", "manual");
	jsn_push(f, jsn_new_str("inet"));
	jsn_put(o, "families", f);
	jsn_put_int(o, "active", 1);
	jsn_put_int(o, "exists", 1);
	jsn_push(a, o);
}

void api_network(struct job *j)
{
	struct jsn *a = jsn_new_array();
	const char *type = job_param(j, "type");
	bool bridges = !type || strstr(type, "bridge");

	for (size_t i = 0; bridges && i < j->node->bridges.n; i++) {
		struct jsn *o = jsn_new_object(), *f = jsn_new_array();

		jsn_put_str(o, "iface", j->node->bridges.v[i]);
		jsn_put_str(o, "type", "bridge");
		put_address(o, i < j->node->addresses.n ? j->node->addresses.v[i] : NULL);
		jsn_put_str(o, "method6", "manual");
		jsn_push(f, jsn_new_str("inet"));
		jsn_put(o, "families", f);
		jsn_put_int(o, "active", 1);
		jsn_put_int(o, "autostart", 1);
		jsn_put_int(o, "priority", (int64_t)i + (j->node->nic ? 4 : 3));
		jsn_put_str(o, "bridge_ports", "");
		jsn_put_str(o, "bridge_stp", "off");
		jsn_put_str(o, "bridge_fd", "0");
		jsn_push(a, o);
	}
	if (j->node->nic && (!type || strstr(type, "eth")))
		push_nic(a, j->node);
	for (size_t i = 0; i < j->node->interfaces.n && (!type || strstr(type, "eth")); i++)
		push_bare(a, j->node->interfaces.v[i]);
	job_ok(j, a);
}

/* --- what its QEMU can do --- */

void api_cpu_models(struct job *j)
{
	enum vendor { INTEL, AMD, NONE };
	static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD", "default"};
	static const struct {
		const char *name;
		enum vendor vendor;
		int since;
	} models[] = {
#define CPU_MODEL(name, vendor, since) {name, vendor, since},
#include "sim_cpu.def"
#undef CPU_MODEL
	};
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		struct jsn *o;

		if (models[i].since && !j->sim->v9)
			continue;
		o = jsn_new_object();
		jsn_put_str(o, "name", models[i].name);
		jsn_put_str(o, "vendor", vendors[models[i].vendor]);
		jsn_put_int(o, "custom", 0);
		if (j->sim->v9 && text_starts(models[i].name, "x86-64-"))
			jsn_put_int(o, "abstract", 1);
		jsn_push(a, o);
	}
	for (size_t i = 0;
	     auth_has(j->sim, &j->who, "/nodes", PRIV_BIT(SYS_AUDIT)) && i < j->sim->cpu_models.n;
	     i++) {
		struct jsn *o = jsn_new_object();
		_cleanup_str_ char *name = mem_printf("custom-%s", j->sim->cpu_models.v[i]);

		jsn_put_str(o, "name", name);
		jsn_put_str(o, "vendor", vendors[NONE]);
		jsn_put_int(o, "custom", 1);
		jsn_push(a, o);
	}
	job_ok(j, a);
}

void api_machines(struct job *j)
{
	static const char *const types[] = {"i440fx", "q35"};
	const char *qemu = j->sim->qemu, *dot = strchr(qemu, '.');
	size_t len = dot ? (size_t)(dot - qemu) + 1 + strcspn(dot + 1, ".") : strlen(qemu);
	_cleanup_str_ char *version = mem_strndup(qemu, len);
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct jsn *o = jsn_new_object();
		_cleanup_str_ char *id = mem_printf("pc-%s-%s", types[i], version);

		jsn_put_str(o, "id", id);
		jsn_put_str(o, "type", types[i]);
		jsn_put_str(o, "version", version);
		jsn_push(a, o);
	}
	job_ok(j, a);
}
