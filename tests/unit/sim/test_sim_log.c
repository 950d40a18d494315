/* The log of the cluster: who logged in, what was changed before which task, what failed. */
#include "sim_client.h"

static const char *const seed =
    "nodes: [{name: alpha, bridges: [vmbr0], portless: true}]\n"
    "storages: [{name: disks, type: dir, content: [images], size: 100G}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - {name: eve@pve, password: hush-hush}\n"
    "guests: [{id: 310, config: {memory: 64, net2: \"e1000,bridge=vmbr0,tag=7\"}}]\n";

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", "PVEAPIToken=root@pam!all=s-root");
}

static int setup_9(void **state)
{
	return client_of_seed(state, seed, "9.2", "PVEAPIToken=root@pam!all=s-root");
}

/* The nth line from the end. */
static const char *line(struct client *c, size_t n)
{
	assert_int_equal(call(c, "GET", "/cluster/log", "max=10"), 200);
	return jsn_get_text(jsn_at(c->a.data, n), "msg");
}

static void a_login_is_told(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "POST", "/access/ticket", "username=eve@pve&password=wrong"), 401);
	assert_int_equal(
	    call(c, "POST", "/access/ticket", "username=eve@pve&password=hush-hush"), 200);
	assert_string_equal(line(c, 0), "successful auth for user 'eve@pve'");
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "user"), "root@pam");
	assert_int_equal(jsn_len(c->a.data), 1);
}

#define CONFIG "/nodes/alpha/qemu/310/config"

static void a_change_is_told_before_its_task(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", CONFIG, "cores=5"), "OK");
	assert_string_equal(line(c, 2), "update VM 310: -cores 5");
	assert_true(text_starts(line(c, 1), "starting task UPID:alpha:"));
}

static void a_change_is_told_by_its_task(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", CONFIG, "cores=5"), "OK");
	assert_true(text_starts(line(c, 2), "starting task UPID:alpha:"));
	assert_string_equal(line(c, 1), "update VM 310: -cores 5");
}

/* The bridge has no port, so the script of the NIC fails and QEMU with it. */
static void a_vlan_that_goes_nowhere(void **state)
{
	struct client *c = *state;
	static const char start[] = "/nodes/alpha/qemu/310/status/start";

	assert_string_equal(
	    call_task(c, "POST", start, NULL), "start failed: QEMU exited with code 1");
	assert_false(sim_guest_running(c->sim, 310));
	assert_true(text_ends(line(c, 0), ": start failed: QEMU exited with code 1"));
	assert_int_equal(jsn_get_int(jsn_at(c->a.data, 0), "pri", 0), 3);
	assert_int_equal(call(c, "PUT", CONFIG, "net2=e1000,bridge=vmbr0"), 200);
	assert_string_equal(call_task(c, "POST", start, NULL), "OK");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_login_is_told, setup_9, client_done),
	    cmocka_unit_test_setup_teardown(a_change_is_told_before_its_task, setup_8, client_done),
	    cmocka_unit_test_setup_teardown(a_change_is_told_by_its_task, setup_9, client_done),
	    cmocka_unit_test_setup_teardown(a_vlan_that_goes_nowhere, setup_9, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
