/* What a node tells of its hardware, its network and its QEMU. */
#include "sim_client.h"

static const char *const seed =
    "cluster: {qemu: 9.2.0}\n"
    "nodes:\n"
    "  - name: alpha\n"
    "    cpus: 24\n"
    "    memory: 96G\n"
    "    disk: 400G\n"
    "    cgroup: 1\n"
    "    bridges: [br0, br1]\n"
    "    addresses: [192.0.2.5/25]\n"
    "    interfaces: [ens7]\n"
    "    hardware: {model: Epyc, sockets: 2, mhz: 1000.5, vendor: AuthenticAMD, family: 25,\n"
    "      release: 6.8.1, boot: efi}\n"
    "storages: [{name: disks, type: nfs, content: [images], size: 100G}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "guests: []\n";

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", "PVEAPIToken=root@pam!all=s-root");
}

static int setup_9(void **state)
{
	return client_of_seed(state, seed, "9.2", "PVEAPIToken=root@pam!all=s-root");
}

static const struct jsn *status(struct client *c)
{
	assert_int_equal(call(c, "GET", "/nodes/alpha/status", NULL), 200);
	return c->a.data;
}

static void hardware(void **state)
{
	const struct jsn *s = status(*state), *cpu = jsn_get(s, "cpuinfo");

	assert_int_equal(jsn_get_int(cpu, "cpus", 0), 24);
	assert_int_equal(jsn_get_int(cpu, "cores", 0), 12);
	assert_int_equal(jsn_get_int(cpu, "sockets", 0), 2);
	assert_string_equal(jsn_get_text(cpu, "model"), "Epyc");
	assert_string_equal(jsn_get_text(cpu, "mhz"), "1000.5");
	assert_string_equal(jsn_get_text(cpu, "vendor"), "AuthenticAMD");
	assert_string_equal(jsn_get_text(cpu, "family"), "25");
	assert_string_equal(jsn_get_text(jsn_get(s, "boot-info"), "mode"), "efi");
	assert_string_equal(jsn_get_text(jsn_get(s, "current-kernel"), "release"), "6.8.1");
	assert_true(text_starts(jsn_get_text(s, "kversion"), "Linux 6.8.1 "));
	assert_true(jsn_has(jsn_get(s, "memory"), "available"));
	assert_int_equal(
	    jsn_get_int(jsn_get(s, "rootfs"), "total", 0), INT64_C(400) * 1024 * 1024 * 1024);
}

static void hardware_in_8(void **state)
{
	const struct jsn *s = status(*state);

	assert_false(jsn_has(jsn_get(s, "cpuinfo"), "vendor"));
	assert_false(jsn_has(jsn_get(s, "cpuinfo"), "family"));
	assert_false(jsn_has(jsn_get(s, "memory"), "available"));
	assert_non_null(strstr(jsn_get_text(s, "pveversion"), "pve-manager/8.4."));
}

static const struct jsn *row(const struct jsn *rows, const char *key, const char *value)
{
	for (size_t i = 0; i < jsn_len(rows); i++)
		if (text_eq(jsn_get_text(jsn_at(rows, i), key), value))
			return jsn_at(rows, i);
	return NULL;
}

static void network(void **state)
{
	struct client *c = *state;
	const struct jsn *r;

	assert_int_equal(call(c, "GET", "/nodes/alpha/network", NULL), 200);
	r = row(c->a.data, "iface", "br0");
	assert_string_equal(jsn_get_text(r, "address"), "192.0.2.5");
	assert_string_equal(jsn_get_text(r, "netmask"), "25");
	assert_string_equal(jsn_get_text(row(c->a.data, "iface", "br1"), "method"), "manual");
	r = row(c->a.data, "iface", "ens7");
	assert_int_equal(jsn_get_int(r, "exists", 0), 1);
	assert_false(jsn_has(r, "autostart"));
	assert_int_equal(call(c, "GET", "/nodes/alpha/network", "type=any_bridge"), 200);
	assert_null(row(c->a.data, "iface", "ens7"));
	assert_int_equal(jsn_len(c->a.data), 2);
}

static void what_qemu_can_do(void **state)
{
	struct client *c = *state;
	const struct jsn *r;

	assert_int_equal(call(c, "GET", "/nodes/alpha/capabilities/qemu/cpu", NULL), 200);
	assert_string_equal(
	    jsn_get_text(row(c->a.data, "name", "Opteron_G3"), "vendor"), "AuthenticAMD");
	assert_string_equal(
	    jsn_get_text(row(c->a.data, "name", "KnightsMill"), "vendor"), "GenuineIntel");
	assert_non_null(row(c->a.data, "name", "EPYC-Turin"));
	r = row(c->a.data, "name", "x86-64-v3");
	assert_string_equal(jsn_get_text(r, "vendor"), "default");
	assert_int_equal(jsn_get_int(r, "abstract", 0), 1);
	assert_int_equal(call(c, "GET", "/nodes/alpha/capabilities/qemu/machines", NULL), 200);
	assert_string_equal(jsn_get_text(row(c->a.data, "id", "pc-q35-9.2"), "version"), "9.2");
}

static void what_it_could_before(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/nodes/alpha/capabilities/qemu/cpu", NULL), 200);
	assert_null(row(c->a.data, "name", "EPYC-Turin"));
	assert_false(jsn_has(row(c->a.data, "name", "x86-64-v3"), "abstract"));
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=node"), 200);
	assert_int_equal(jsn_get_int(jsn_at(c->a.data, 0), "cgroup-mode", 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(hardware, setup_9, client_done),
	    cmocka_unit_test_setup_teardown(hardware_in_8, setup_8, client_done),
	    cmocka_unit_test_setup_teardown(network, setup_9, client_done),
	    cmocka_unit_test_setup_teardown(what_qemu_can_do, setup_9, client_done),
	    cmocka_unit_test_setup_teardown(what_it_could_before, setup_8, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
