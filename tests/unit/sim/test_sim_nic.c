/*
 * What the NICs of a guest count that nothing in it drives. By the kernel's and QEMU's own rules: a
 * bridge without a port of the host reports its two groups (MLDv2, 110 bytes) when a first NIC
 * gives it a carrier; QEMU reads one packet that nobody takes, and one more once a pause has
 * emptied its queue; after a migration it announces itself five times (60 bytes each).
 */
#include "sim_client.h"

static const char *const seed =
    "cluster: {name: lab}\n"
    "timing: {statd: 20s, request: 1, start: 10, nic: 0, migrate: 50}\n"
    "nodes:\n"
    "  - {name: lima, bridges: [vmbr3, vmbr4], portless: true, statd-at: 7s}\n"
    "  - {name: mike, bridges: [vmbr3, vmbr4], portless: true}\n"
    "  - {name: november, bridges: [vmbr3, vmbr4]}\n"
    "storages: [{name: common, type: nfs, content: [images], size: 90G}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "guests:\n"
    "  - {id: 511, node: lima, config: {memory: 64, net2: \"virtio,bridge=vmbr3\",\n"
    "     net3: \"e1000,bridge=vmbr3\", net7: \"virtio,bridge=vmbr3,firewall=1\"}}\n"
    "  - {id: 512, node: lima, config: {memory: 64, net0: \"virtio,bridge=vmbr3\"}}\n"
    "  - {id: 513, node: november, config: {memory: 64, net0: \"virtio,bridge=vmbr3\"}}\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, NULL, "PVEAPIToken=root@pam!all=s-root");
}

static void power(struct client *c, const char *node, int vmid, const char *what)
{
	_cleanup_str_ char *path = mem_printf("/nodes/%s/qemu/%d/status/%s", node, vmid, what);

	assert_string_equal(call_task(c, "POST", path, NULL), "OK");
}

/* Of one NIC, or of the whole guest when tap is NULL. */
static int64_t counted(
    struct client *c, const char *node, int vmid, const char *tap, const char *key)
{
	_cleanup_str_ char *path = mem_printf("/nodes/%s/qemu/%d/status/current", node, vmid);

	assert_int_equal(call(c, "GET", path, NULL), 200);
	return jsn_get_int(tap ? jsn_get(jsn_get(c->a.data, "nics"), tap) : c->a.data, key, -1);
}

/* The first port of a bridge, be it vmbr3's or that of a firewall's own bridge. */
static void the_first_port_takes_one_report(void **state)
{
	struct client *c = *state;

	power(c, "lima", 511, "start");
	assert_int_equal(counted(c, "lima", 511, "tap511i2", "netin"), 110);
	assert_int_equal(counted(c, "lima", 511, "tap511i3", "netin"), 0);
	assert_int_equal(counted(c, "lima", 511, "tap511i7", "netin"), 110);
	assert_int_equal(counted(c, "lima", 511, NULL, "netin"), 220);
	assert_int_equal(counted(c, "lima", 511, NULL, "netout"), 0);
	power(c, "lima", 512, "start");
	assert_int_equal(counted(c, "lima", 512, NULL, "netin"), 0);
	/* It is the first when it comes again and nobody else is there. */
	power(c, "lima", 512, "stop");
	assert_int_equal(counted(c, "lima", 512, NULL, "netin"), 0);
	power(c, "lima", 511, "stop");
	power(c, "lima", 512, "start");
	assert_int_equal(counted(c, "lima", 512, NULL, "netin"), 110);
}

static void a_bridge_with_a_port_had_its_carrier_before(void **state)
{
	struct client *c = *state;

	power(c, "november", 513, "start");
	assert_int_equal(counted(c, "november", 513, NULL, "netin"), 0);
}

static void a_pause_lets_in_one_more(void **state)
{
	struct client *c = *state;

	power(c, "lima", 511, "start");
	power(c, "lima", 511, "suspend");
	assert_int_equal(counted(c, "lima", 511, "tap511i2", "netin"), 220);
	assert_int_equal(counted(c, "lima", 511, "tap511i3", "netin"), 0);
	assert_int_equal(counted(c, "lima", 511, "tap511i7", "netin"), 220);
	power(c, "lima", 511, "resume");
	power(c, "lima", 511, "suspend");
	assert_int_equal(counted(c, "lima", 511, "tap511i2", "netin"), 220);
}

static void a_nic_that_comes_later_and_goes(void **state)
{
	struct client *c = *state;

	power(c, "lima", 512, "start");
	assert_int_equal(
	    call(c, "PUT", "/nodes/lima/qemu/512/config", "net5=virtio,bridge=vmbr4"), 200);
	assert_int_equal(counted(c, "lima", 512, "tap512i5", "netin"), 110);
	assert_int_equal(counted(c, "lima", 512, NULL, "netin"), 220);
	assert_int_equal(call(c, "PUT", "/nodes/lima/qemu/512/config", "delete=net5"), 200);
	assert_int_equal(counted(c, "lima", 512, NULL, "netin"), 110);
}

static void who_comes_from_another_node_announces_itself(void **state)
{
	struct client *c = *state;

	power(c, "lima", 511, "start");
	assert_string_equal(
	    call_task(c, "POST", "/nodes/lima/qemu/511/migrate", "target=mike&online=1"), "OK");
	assert_int_equal(counted(c, "mike", 511, "tap511i2", "netin"), 110);
	assert_int_equal(counted(c, "mike", 511, "tap511i2", "netout"), 300);
	assert_int_equal(counted(c, "mike", 511, "tap511i3", "netout"), 300);
	assert_int_equal(counted(c, "mike", 511, NULL, "netout"), 900);
}

/* The others hear of it in the next round: at 7 s, 27 s, … */
static void others_hear_it_from_pvestatd(void **state)
{
	struct client *c = *state;

	sim_run_until(c->sim, 8000);
	power(c, "lima", 512, "start");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
		for (size_t i = 0; i < jsn_len(c->a.data); i++)
			if (jsn_get_int(jsn_at(c->a.data, i), "vmid", 0) == 512)
				assert_int_equal(
				    jsn_get_int(jsn_at(c->a.data, i), "netin", -1), round * 110);
		sim_run_until(c->sim, 27001);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_first_port_takes_one_report, setup, client_done),
	    cmocka_unit_test_setup_teardown(
		a_bridge_with_a_port_had_its_carrier_before, setup, client_done),
	    cmocka_unit_test_setup_teardown(a_pause_lets_in_one_more, setup, client_done),
	    cmocka_unit_test_setup_teardown(a_nic_that_comes_later_and_goes, setup, client_done),
	    cmocka_unit_test_setup_teardown(
		who_comes_from_another_node_announces_itself, setup, client_done),
	    cmocka_unit_test_setup_teardown(others_hear_it_from_pvestatd, setup, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
