/* The agent in a guest: whether it answers, and what it says of the guest. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"

static bool agent_wanted(const struct guest *g)
{
	const char *v = kv_get(&g->conf, "agent");

	return v && (*v == '1' || strstr(v, "enabled=1"));
}

static bool agent_up(const struct sim *s, const struct guest *g)
{
	return g->inside.agent && !text_eq(g->qmp, "paused") &&
	       s->now - g->started >= g->inside.boot;
}

/* --- answers --- */

static struct jsn *say_nothing(struct job *j, const struct guest *g)
{
	(void)j;
	(void)g;
	return jsn_new_object();
}

static struct jsn *say_info(struct job *j, const struct guest *g)
{
	static const struct {
		const char *name;
		bool enabled, answers;
	} commands[] = {
#define AGENT(name, enabled, answers) {name, enabled, answers},
#include "sim_agent.def"
#undef AGENT
	};
	struct jsn *d = jsn_new_object(), *a = jsn_new_array();

	(void)j;
	jsn_put_str(d, "version", g->inside.agent);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct jsn *c = jsn_new_object();

		jsn_put_str(c, "name", commands[i].name);
		jsn_put(c, "enabled", jsn_new_bool(commands[i].enabled));
		jsn_put(c, "success-response", jsn_new_bool(commands[i].answers));
		jsn_push(a, c);
	}
	jsn_put(d, "supported_commands", a);
	return d;
}

static struct jsn *say_osinfo(struct job *j, const struct guest *g)
{
	struct jsn *d = jsn_new_object();

	(void)j;
	KV_FOREACH (i, &g->inside.os)
		jsn_put_str(d, i->key, i->value);
	return d;
}

static struct jsn *say_name(struct job *j, const struct guest *g)
{
	struct jsn *d = jsn_new_object();
	const char *name = kv_get(&g->live, "name");

	(void)j;
	jsn_put_str(d, "host-name", name ? name : "localhost");
	return d;
}

static struct jsn *address(const char *ip, bool v6, int prefix)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "ip-address", ip);
	jsn_put_str(o, "ip-address-type", v6 ? "ipv6" : "ipv4");
	jsn_put_int(o, "prefix", prefix);
	return o;
}

static struct jsn *interface(const char *name, const char *mac, struct jsn *addresses)
{
	static const char *const counters[] = {"rx-bytes", "rx-dropped", "rx-errs", "rx-packets",
	    "tx-bytes", "tx-dropped", "tx-errs", "tx-packets"};
	struct jsn *o = jsn_new_object(), *n = jsn_new_object();

	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		jsn_put_int(n, counters[i], 0);
	jsn_put_str(o, "name", name);
	jsn_put_str(o, "hardware-address", mac);
	jsn_put(o, "ip-addresses", addresses);
	jsn_put(o, "statistics", n);
	return o;
}

/* Each NIC has the link-local address that its hardware address makes. */
static struct jsn *nic(struct sim *s, const char *key, const char *value)
{
	_cleanup_kv_ struct kv p = {0};
	unsigned b[6];
	const char *mac;
	struct jsn *a;

	if (!net_parse(s, key, value, &p))
		return NULL;
	mac = kv_get(&p, "macaddr");
	if (!mac || strlen(mac) != 17)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(b); i++)
		b[i] = (unsigned)strtoul(mac + 3 * i, NULL, 16);
	a = jsn_new_array();
	{
		_cleanup_str_ char *ip = mem_printf("fe80::%x:%xff:fe%02x:%x",
		    (b[0] ^ 2) << 8 | b[1], b[2], b[3], b[4] << 8 | b[5]);
		_cleanup_str_ char *low =
		    mem_printf("%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
		_cleanup_str_ char *name = mem_printf("eth%s", key + strlen("net"));

		jsn_push(a, address(ip, true, 64));
		return interface(name, low, a);
	}
}

static struct jsn *say_interfaces(struct job *j, const struct guest *g)
{
	struct jsn *all = jsn_new_array(), *lo = jsn_new_array();

	jsn_push(lo, address("127.0.0.1", false, 8));
	jsn_push(lo, address("::1", true, 128));
	jsn_push(all, interface("lo", "00:00:00:00:00:00", lo));
	KV_FOREACH (i, &g->live) {
		struct jsn *n = prop_is_net(i->key) ? nic(j->sim, i->key, i->value) : NULL;

		if (n)
			jsn_push(all, n);
	}
	return all;
}

/* --- the calls --- */

static void agent_answer(struct job *j)
{
	const struct guest *g = guest_find(j->sim, j->vmid);
	struct jsn *(*say)(struct job * j, const struct guest *g) = NULL;
	static const struct {
		const char *last;
		struct jsn *(*say)(struct job *j, const struct guest *g);
	} calls[] = {{"/ping", say_nothing}, {"/info", say_info}, {"/get-osinfo", say_osinfo},
	    {"/get-host-name", say_name}, {"/network-get-interfaces", say_interfaces}};
	struct jsn *d;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (text_ends(j->path, calls[i].last))
			say = calls[i].say;
	if (!g || !g->running || !agent_up(j->sim, g) || !say) {
		job_die(j, "QEMU guest agent is not running");
		return;
	}
	d = jsn_new_object();
	jsn_put(d, "result", say(j, g));
	job_ok(j, d);
}

/* It is greeted first, and given some time to greet back. */
void api_agent(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	const struct guest *g = conf_load(j, j->vmid, &o);

	if (!g)
		job_oops(j, &o);
	else if (!agent_wanted(g))
		job_die(j, "No QEMU guest agent configured");
	else if (!g->running)
		job_die(j, "VM %" PRId64 " is not running", j->vmid);
	else if (agent_up(j->sim, g))
		agent_answer(j);
	else
		job_next(j, j->sim->timing[TIMING_AGENT], agent_answer);
}
