/*
 * The HA manager: what it was asked it does in its rounds, what fails it looks after, and what a
 * node had that is gone goes to another. Each test names the function of the real code.
 */
#include <inttypes.h>

#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define MAKER "PVEAPIToken=maker@pve!t=" SECRET

static const char seed[] =
    "timing: {ha: 10s, fence: 60s, statd: 10s}\n"
    "nodes: [{name: n1}, {name: n2}, {name: n3}]\n"
    "storages:\n"
    "  - {name: shared, type: rbd, content: [images], size: 100G}\n"
    "  - {name: own, type: dir, content: [images], size: 100G}\n"
    "roles: [{name: Make, privs: [VM.Allocate, VM.Audit, VM.Config.Options]}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: maker@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl: [{path: /vms, who: maker@pve, role: Make}]\n"
    "guests:\n"
    "  - {id: 100, node: n1, running: true, config: {scsi0: \"shared:1\"}}\n"
    "  - {id: 101, node: n1, running: true, config: {scsi0: \"own:1\"}}\n"
    "  - {id: 102, node: n2, config: {scsi0: \"shared:1\"}}\n"
    "  - {id: 103, node: n2, running: true, config: {scsi0: \"shared:1\"}}\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static void later(struct client *c, int seconds)
{
	sim_run_until(c->sim, sim_now(c->sim) + (int64_t)seconds * 1000);
}

/* hastate in the list of the cluster; "" when there is none. */
static const char *hastate(struct client *c, int64_t vmid)
{
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (jsn_get_int(jsn_at(c->a.data, i), "vmid", 0) == vmid) {
			const char *s = jsn_get_text(jsn_at(c->a.data, i), "hastate");

			return s ? s : "";
		}
	return "";
}

static void add(struct client *c, const char *sid, const char *state)
{
	_cleanup_str_ char *p = mem_printf("sid=%s&state=%s", sid, state);

	assert_int_equal(call(c, "POST", "/cluster/ha/resources", p), 200);
}

/* Resources create and read; Config get_service_status: before its first round the manager has no
 * state of it, and the list shows what is wanted. */
static void a_resource_is_taken_over(void **state)
{
	struct client *c = *state;
	const struct jsn *ha;

	add(c, "vm:102", "started");
	assert_string_equal(hastate(c, 102), "started");
	assert_int_equal(call(c, "GET", "/nodes/n2/qemu/102/status/current", NULL), 200);
	ha = jsn_get(c->a.data, "ha");
	assert_int_equal(jsn_get_int(ha, "managed", 0), 1);
	assert_null(jsn_get_text(ha, "state"));
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/102", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "sid"), "vm:102");
	assert_string_equal(jsn_get_text(c->a.data, "state"), "started");
	/* What is wanted to run is started. */
	assert_false(sim_guest_running(c->sim, 102));
	later(c, 30);
	assert_true(sim_guest_running(c->sim, 102));
	assert_int_equal(call(c, "GET", "/nodes/n2/qemu/102/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(jsn_get(c->a.data, "ha"), "state"), "started");
	/* What is there is not added, what is not there is neither. */
	assert_int_equal(call(c, "POST", "/cluster/ha/resources", "sid=vm:102"), 500);
	assert_string_equal(
	    c->a.reason, "create resource failed: resource ID 'vm:102' already defined");
	assert_int_equal(call(c, "POST", "/cluster/ha/resources", "sid=vm:999"), 500);
	assert_string_equal(c->a.reason, "resource 'vm:999' does not exist in cluster");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/vm:100", NULL), 500);
	assert_string_equal(c->a.reason, "no such resource 'vm:100'");
}

/* next_state_started, next_state_request_stop: an order is in force a round later. */
static void states_on_the_way(void **state)
{
	struct client *c = *state;

	add(c, "vm:103", "started");
	later(c, 30);
	assert_string_equal(
	    call_task(c, "POST", "/nodes/n2/qemu/103/status/shutdown", "timeout=40"), "OK");
	assert_string_equal(hastate(c, 103), "started");
	assert_int_equal(sim_human_deaf(c->sim, 103, true, NULL), 0);
	later(c, 15);
	assert_string_equal(hastate(c, 103), "request_stop");
	assert_true(sim_guest_running(c->sim, 103));
	later(c, 70);
	assert_string_equal(hastate(c, 103), "stopped");
	assert_false(sim_guest_running(c->sim, 103));
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:103", "state=started"), 200);
	later(c, 30);
	assert_true(sim_guest_running(c->sim, 103));
	/* Ignored: as if there were no manager. */
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:103", "state=ignored"), 200);
	later(c, 30);
	assert_string_equal(hastate(c, 103), "ignored");
	assert_int_equal(call(c, "GET", "/nodes/n2/qemu/103/status/current", NULL), 200);
	assert_int_equal(jsn_get_int(jsn_get(c->a.data, "ha"), "managed", -1), 0);
	assert_string_equal(call_task(c, "POST", "/nodes/n2/qemu/103/status/stop", NULL), "OK");
	assert_false(sim_guest_running(c->sim, 103));
	later(c, 60);
	assert_false(sim_guest_running(c->sim, 103));
}

/* next_state_started: what went down by itself is started again. */
static void what_went_down_comes_back(void **state)
{
	struct client *c = *state;

	add(c, "vm:100", "started");
	later(c, 30);
	assert_int_equal(sim_human_guest(c->sim, 100, true, NULL), 0);
	assert_false(sim_guest_running(c->sim, 100));
	later(c, 30);
	assert_true(sim_guest_running(c->sim, 100));
	/* Without the manager it stays down. */
	assert_int_equal(call(c, "DELETE", "/cluster/ha/resources/vm:100", NULL), 200);
	assert_int_equal(sim_human_guest(c->sim, 100, true, NULL), 0);
	later(c, 60);
	assert_false(sim_guest_running(c->sim, 100));
	assert_string_equal(hastate(c, 100), "");
}

/* recover_fenced_service: a minute after the loss it is fenced, after another one it is taken over
 * and started by the node with the fewest; what it was locked by is gone only if a backup had. */
static void a_lost_node_is_fenced(void **state)
{
	struct client *c = *state;

	add(c, "vm:100", "started");
	add(c, "vm:103", "started"); /* so that n2 has one */
	later(c, 30);
	assert_int_equal(sim_human_lock(c->sim, 100, "backup", NULL), 0);
	assert_int_equal(sim_node_power(c->sim, "n1", false, NULL), 0);
	c->node = "n3";
	later(c, 40);
	assert_string_equal(hastate(c, 100), "started");
	later(c, 45);
	assert_string_equal(hastate(c, 100), "fence");
	assert_string_equal(sim_guest_node(c->sim, 100), "n1");
	later(c, 60);
	assert_string_equal(sim_guest_node(c->sim, 100), "n3");
	later(c, 30);
	assert_true(sim_guest_running(c->sim, 100));
	assert_null(sim_guest_get(c->sim, 100, "lock"));
	assert_string_equal(hastate(c, 100), "started");
	/* Who is no resource stays where it was. */
	assert_string_equal(sim_guest_node(c->sim, 101), "n1");
	/* The node comes back and has it no longer. */
	assert_int_equal(sim_node_power(c->sim, "n1", true, NULL), 0);
	later(c, 60);
	assert_string_equal(sim_guest_node(c->sim, 100), "n3");
}

/* A node that is only cut off is reset by its watchdog: nothing runs twice. */
static void a_node_without_quorum_resets_itself(void **state)
{
	struct client *c = *state;

	add(c, "vm:100", "started");
	later(c, 30);
	assert_int_equal(sim_node_link(c->sim, "n1", false, NULL), 0);
	later(c, 50);
	assert_true(sim_guest_running(c->sim, 100));
	c->node = "n2";
	later(c, 160);
	assert_string_equal(sim_guest_node(c->sim, 100), "n2");
	assert_true(sim_guest_running(c->sim, 100));
	assert_false(sim_guest_running(c->sim, 101));
	/* Back in time nothing is moved. */
	add(c, "vm:103", "started");
	later(c, 30);
	assert_int_equal(sim_node_power(c->sim, "n2", false, NULL), 0);
	later(c, 30);
	assert_int_equal(sim_node_power(c->sim, "n2", true, NULL), 0);
	c->node = "n3";
	later(c, 150);
	assert_string_equal(sim_guest_node(c->sim, 103), "n2");
	assert_true(sim_guest_running(c->sim, 103));
}

/* A disk that only the lost node has: it is taken over and cannot start. Then it is to be disabled
 * first (check_service_state). */
static void what_cannot_start_is_an_error(void **state)
{
	struct client *c = *state;

	add(c, "vm:101", "started");
	later(c, 30);
	assert_int_equal(sim_node_power(c->sim, "n1", false, NULL), 0);
	c->node = "n3";
	later(c, 240);
	assert_string_not_equal(sim_guest_node(c->sim, 101), "n1");
	assert_false(sim_guest_running(c->sim, 101));
	assert_string_equal(hastate(c, 101), "error");
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:101", "state=started"), 500);
	assert_string_equal(
	    c->a.reason, "service 'vm:101' in error state, must be disabled and fixed first");
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:101", "state=disabled"), 200);
	later(c, 30);
	assert_string_equal(hastate(c, 101), "stopped");
}

/* next_state_migrate_relocate */
static void it_is_moved_by_order(void **state)
{
	struct client *c = *state;

	add(c, "vm:100", "started");
	later(c, 30);
	assert_int_equal(call(c, "POST", "/cluster/ha/resources/vm:100/migrate", "node=n3"), 200);
	later(c, 13);
	assert_string_equal(hastate(c, 100), "migrate");
	later(c, 60);
	assert_string_equal(sim_guest_node(c->sim, 100), "n3");
	assert_string_equal(hastate(c, 100), "started");
	assert_true(sim_guest_running(c->sim, 100));
	assert_int_equal(call(c, "POST", "/cluster/ha/resources/vm:102/migrate", "node=n3"), 500);
	assert_string_equal(c->a.reason, "resource 'vm:102' is not HA managed");
}

/* Status status: a row for each resource. */
static void the_status_names_services(void **state)
{
	struct client *c = *state;
	const struct jsn *found = NULL;

	add(c, "vm:103", "started");
	later(c, 30);
	assert_int_equal(call(c, "GET", "/cluster/ha/status/current", NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "id"), "service:vm:103"))
			found = jsn_at(c->a.data, i);
	assert_non_null(found);
	assert_string_equal(jsn_get_text(found, "node"), "n2");
	assert_string_equal(jsn_get_text(found, "crm_state"), "started");
	assert_string_equal(jsn_get_text(found, "request_state"), "started");
	assert_string_equal(jsn_get_text(found, "status"), "vm:103 (n2, started)");
}

/* create_vm in 9: made as a resource, by who may change the manager's; started at once by who may
 * start. */
static void made_as_a_resource(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "POST", "/nodes/n1/qemu", "vmid=300&ha-managed=1&start=1"), "OK");
	later(c, 30);
	assert_string_equal(hastate(c, 300), "started");
	assert_true(sim_guest_running(c->sim, 300));
	assert_string_equal(call_task(c, "POST", "/nodes/n1/qemu", "vmid=301&ha-managed=1"), "OK");
	later(c, 30);
	assert_string_equal(hastate(c, 301), "stopped");
	c->auth = MAKER;
	assert_int_equal(call(c, "POST", "/nodes/n1/qemu", "vmid=302&ha-managed=1"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/, Sys.Console)");
	assert_int_equal(call(c, "POST", "/nodes/n1/qemu", "vmid=302&start=1"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/vms/302, VM.PowerMgmt)");
	assert_string_equal(call_task(c, "POST", "/nodes/n1/qemu", "vmid=302"), "OK");
	assert_int_equal(call(c, "POST", "/cluster/ha/resources", "sid=vm:302"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/, Sys.Console)");
}

/* delete_vm with purge */
static void a_purge_removes_the_resource(void **state)
{
	struct client *c = *state;

	add(c, "vm:102", "stopped");
	later(c, 30);
	assert_int_equal(call(c, "DELETE", "/nodes/n2/qemu/102", NULL), 500);
	assert_string_equal(c->a.reason,
	    "unable to remove VM 102 - used in HA resources and purge parameter not set.");
	assert_string_equal(call_task(c, "DELETE", "/nodes/n2/qemu/102", "purge=1"), "OK");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, client_done)
#define BOTH(f) T(f), cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(a_resource_is_taken_over),
	    BOTH(states_on_the_way),
	    BOTH(what_went_down_comes_back),
	    BOTH(a_lost_node_is_fenced),
	    BOTH(a_node_without_quorum_resets_itself),
	    BOTH(what_cannot_start_is_an_error),
	    BOTH(it_is_moved_by_order),
	    BOTH(the_status_names_services),
	    T(made_as_a_resource),
	    BOTH(a_purge_removes_the_resource),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
