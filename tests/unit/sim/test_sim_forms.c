/*
 * What values of a configuration may look like and what becomes of old ones, where the recordings
 * did not go. Each test names the function of the real code that has the rule.
 */
#include "sim_client.h"

static const char *const seed =
    "nodes: [{name: n1, cpus: 8, hardware: {sockets: 2}}]\n"
    "storages: [{name: disks, type: dir, content: [images], size: 100G}]\n"
    "users: [{name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}]\n"
    "guests:\n"
    "  - {id: 110, node: n1, config: {name: a, cores: 2}}\n"
    "  - {id: 111, node: n1, running: true, config: {name: b, cores: 2}}\n"
    "  - {id: 112, node: n1, bare: true, config: {name: c, smp: 9, cores: 1}}\n"
    "  - {id: 113, node: n1, config: {name: d, scsi0: \"disks:1,format=qcow2\"}}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"
#define G(id) "/nodes/n1/qemu/" #id

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static void put(struct client *c, const char *path, const char *params)
{
	if (call(c, "PUT", path, params) != 200)
		fail_msg("%s: %d %s %s", params, c->a.status, c->a.reason, c->a.text);
}

static void taken(struct client *c, const char *key, const char *value)
{
	_cleanup_str_ char *params = mem_printf("%s=%s", key, value);

	put(c, G(110) "/config", params);
	assert_string_equal(sim_guest_get(c->sim, 110, key), value);
}

static void refused(struct client *c, const char *key, const char *value, const char *why)
{
	_cleanup_str_ char *params = mem_printf("%s=%s", key, value);

	assert_int_equal(call(c, "PUT", G(110) "/config", params), 400);
	assert_string_equal(param_error(c, key), why);
}

/* pve_verify_cidrv4, pve_verify_cidrv6, pve_verify_ipv4_config, pve_verify_ipv6_config */
static void addresses_have_a_prefix(void **state)
{
#define BAD(part, v)                                     \
	"invalid format - format error\nipconfig0." part \
	": invalid format - value does not look like a valid ip" v " network configuration\n\n"
	static const char *const good4[] = {
	    "dhcp", "manual", "10.0.0.1/8", "10.0.0.1/32", "0.0.0.0/08"};
	static const char *const bad4[] = {"10.0.0.1/7", "10.0.0.1/0", "10.0.0.1/33", "10.0.0.1",
	    "10.0.0/24", "10.0.0.256/24", "10.0.0.1/", "10.0.0.1/-8", "10.0.0.01/24", "auto",
	    "fd00::1/64", "DHCP"};
	static const char *const good6[] = {"dhcp", "auto", "manual", "fd00::1/8", "fd00::1/128"};
	static const char *const bad6[] = {
	    "fd00::1/7", "fd00::1/129", "fd00::1", "10.0.0.1/24", "fd00:::1/64"};
	struct client *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(good4) + ARRAY_LEN(good6); i++) {
		bool six = i >= ARRAY_LEN(good4);
		_cleanup_str_ char *v = mem_printf(
		    "ip%s=%s", six ? "6" : "", six ? good6[i - ARRAY_LEN(good4)] : good4[i]);

		taken(c, "ipconfig0", v);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad4) + ARRAY_LEN(bad6); i++) {
		bool six = i >= ARRAY_LEN(bad4);
		_cleanup_str_ char *v = mem_printf(
		    "ip%s=%s", six ? "6" : "", six ? bad6[i - ARRAY_LEN(bad4)] : bad4[i]);

		refused(c, "ipconfig0", v, six ? BAD("ip6", "v6") : BAD("ip", "v4"));
	}
#undef BAD
}

/* pve_parse_startup_order: a value that is nothing to Perl is no order. */
static void startup_is_an_order(void **state)
{
	static const char *const good[] = {
	    "order=0", "1", "up=5", "order=1,up=0,down=60", "3,order=4", "order=1,,up=2", "00"};
	static const char *const bad[] = {
	    "0", "order=", "order=x", "up=-1", "order=1;up=2", "late=3", "order=1.5"};
	struct client *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		taken(c, "startup", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(c, "startup", bad[i], "invalid format - unable to parse startup options\n");
}

/* write_vm_config: "smp" was the number of sockets, each of one core. */
static void smp_becomes_sockets(void **state)
{
	struct client *c = *state;

	put(c, G(110) "/config", "smp=3");
	assert_null(sim_guest_get(c->sim, 110, "smp"));
	assert_null(sim_guest_get(c->sim, 110, "cores"));
	assert_string_equal(sim_guest_get(c->sim, 110, "sockets"), "3");
	put(c, G(110) "/config", "smp=4&cores=2");
	assert_null(sim_guest_get(c->sim, 110, "smp"));
	assert_string_equal(sim_guest_get(c->sim, 110, "cores"), "2");
	assert_string_equal(sim_guest_get(c->sim, 110, "sockets"), "3");
	/* It waits under its own name. */
	put(c, G(111) "/config", "smp=2");
	assert_string_equal(sim_guest_pending(c->sim, 111, "smp"), "2");
	assert_string_equal(sim_guest_get(c->sim, 111, "cores"), "2");
	assert_string_equal(call_task(c, "POST", G(111) "/status/stop", NULL), "OK");
	assert_null(sim_guest_get(c->sim, 111, "smp"));
	assert_string_equal(sim_guest_get(c->sim, 111, "sockets"), "2");
	assert_string_equal(call_task(c, "POST", "/nodes/n1/qemu", "vmid=120&smp=2&cores=4"), "OK");
	assert_null(sim_guest_get(c->sim, 120, "smp"));
	assert_null(sim_guest_get(c->sim, 120, "cores"));
	assert_string_equal(sim_guest_get(c->sim, 120, "sockets"), "2");
}

/* config_to_command, write_vm_config: what nobody wrote to since is read as it is. */
static void smp_counts_until_then(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", G(112) "/status/start", NULL),
	    "MAX 8 vcpus allowed per VM on this node");
	assert_string_equal(sim_guest_get(c->sim, 112, "smp"), "9");
	put(c, G(112) "/config", "onboot=1");
	assert_null(sim_guest_get(c->sim, 112, "smp"));
	assert_string_equal(sim_guest_get(c->sim, 112, "sockets"), "9");
	put(c, G(112) "/config", "sockets=2&cores=4");
	assert_string_equal(call_task(c, "POST", G(112) "/status/start", NULL), "OK");
}

/* vm_config, load_snapshot_config */
static void a_snapshot_or_what_is(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", G(113) "/snapshot", "snapname=before"), "OK");
	put(c, G(113) "/config", "name=after");
	assert_int_equal(call(c, "GET", G(113) "/config", "snapshot=before&current=0"), 200);
	assert_string_equal(jsn_get_text(c->a.data, "name"), "d");
	assert_int_equal(call(c, "GET", G(113) "/config", "snapshot=never"), 500);
	assert_string_equal(c->a.reason, "snapshot 'never' does not exist");
	/* Both are wrong, whether there is one or not, or such a guest. */
	for (int i = 0; i < 3; i++) {
		static const char *const of[] = {
		    G(113) "/config", G(113) "/config", G(999) "/config"};

		assert_int_equal(
		    call(c, "GET", of[i],
			i == 1 ? "snapshot=never&current=1" : "snapshot=before&current=1"),
		    400);
		assert_string_equal(c->a.reason, "Parameter verification failed.");
		assert_string_equal(
		    param_error(c, "snapshot"), "cannot use 'snapshot' parameter with 'current'");
		assert_string_equal(
		    param_error(c, "current"), "cannot use 'snapshot' parameter with 'current'");
	}
}

static void starts_with(struct client *c, const char *params, const char *why)
{
	const char *end;

	put(c, G(110) "/config", params);
	end = call_task(c, "POST", G(110) "/status/start", NULL);
	/* Where the message has no end of line, Perl adds the place. */
	if (!text_starts(end, why) || (why[strlen(why) - 1] != ' ' && strlen(end) != strlen(why)))
		fail_msg("%s: %s", params, end);
}

/* Memory::config, print_numa_hostnodes */
static void numa_nodes_lie_on_the_hosts(void **state)
{
	struct client *c = *state;

	starts_with(c, "numa=1&memory=1024&numa0=cpus=0-1,memory=1024,hostnodes=0-1",
	    "you need to define a policy for hostnode 0-1");
	starts_with(c, "numa0=cpus=0-1,memory=1024,hostnodes=0;1",
	    "you need to define a policy for hostnode 0,1");
	starts_with(c, "numa0=cpus=0-1,memory=1024,hostnodes=1-4,policy=bind",
	    "host NUMA node2 doesn't exist");
	starts_with(c, "numa0=cpus=0-1,memory=1024,hostnodes=5", "host NUMA node5 doesn't exist");
	starts_with(c, "numa0=cpus=0-1,memory=1024,hostnodes=1,policy=bind", "OK");
}

/* Only root himself may, not a token of his. */
static void pages(struct client *c, const char *size)
{
	_cleanup_kv_ struct kv set = {0};
	struct err *e = NULL;

	kv_set(&set, "hugepages", size);
	assert_int_equal(sim_human_edit(c->sim, 110, "root@pam", &set, NULL, &e), 0);
}

/* Memory::config, hugepages_size, hugepages_topology */
static void huge_pages_are_of_one_host_node(void **state)
{
	struct client *c = *state;

	pages(c, "2");
	starts_with(c, "memory=1024", "numa needs to be enabled to use hugepages at ");
	starts_with(c, "numa=1&numa0=cpus=0-1,memory=1024",
	    "numa hostnodes need to be defined to use hugepages at ");
	starts_with(c, "numa0=cpus=0-1,memory=1024,hostnodes=0",
	    "you need to define a policy for hostnode 0");
	starts_with(c, "numa0=cpus=0-1,memory=1024,hostnodes=0-1,policy=bind",
	    "more than 1 hostnode value in numa node is not supported when hugepages are enabled "
	    "at ");
	starts_with(c, "memory=1023&numa0=cpus=0-1,memory=1023,hostnodes=0,policy=bind",
	    "memory size '1023' is not a positive even integer; cannot use for hugepages");
	pages(c, "1024");
	starts_with(c, "memory=1536&numa0=cpus=0-1,memory=1536,hostnodes=0,policy=bind",
	    "Memory size 1536 is not a multiple of the requested hugepages size 1024");
	/* Without such nodes each socket is one. */
	starts_with(c, "delete=numa0&sockets=3&memory=3072", "host NUMA node2 doesn't exist");
	starts_with(c, "sockets=2",
	    "Memory size 1536 is not a multiple of the requested hugepages size 1024");
	starts_with(c, "memory=2048", "OK");
}

#define BOTH(f)                                                 \
	cmocka_unit_test_setup_teardown(f, setup, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(addresses_have_a_prefix),
	    BOTH(startup_is_an_order),
	    BOTH(smp_becomes_sockets),
	    BOTH(smp_counts_until_then),
	    BOTH(a_snapshot_or_what_is),
	    BOTH(numa_nodes_lie_on_the_hosts),
	    BOTH(huge_pages_are_of_one_host_node),
	};

	return cmocka_run_group_tests_name("sim_forms", tests, NULL, NULL);
}
