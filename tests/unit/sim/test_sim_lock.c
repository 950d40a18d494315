/* Locks, their timeouts, the proxy's patience, nodes and quorum that go. */
#include "sim_client.h"

#define CONF "/nodes/pve2/qemu/101/config"

static int setup(void **state)
{
	static struct client c;

	client_init(&c, "9.2");
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	client_fini(*state);
	return 0;
}

static void file_lock_is_waited_for(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;
	int64_t start = sim_now(c->sim);

	assert_int_equal(sim_human_flock(c->sim, 101, 4000, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 200);
	assert_in_range(sim_now(c->sim) - start, 4000, 4500);

	start = sim_now(c->sim);
	assert_int_equal(sim_human_flock(c->sim, 101, 60000, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=b"), 500);
	assert_string_equal(
	    c->a.reason, "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout");
	assert_in_range(sim_now(c->sim) - start, 10000, 10500);
	/* Reading waits for nobody. */
	start = sim_now(c->sim);
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_in_range(sim_now(c->sim) - start, 0, 100);
}

static void proxy_gives_up_and_the_work_goes_on(void **state)
{
	static const char *const yaml =
	    "timing: {alloc: 40s}\n"
	    "nodes: [{name: n1}]\n"
	    "storages: [{name: slow, type: nfs, content: [images], size: 100G}]\n"
	    "users: [{name: root@pam, tokens: [{name: admin, "
	    "secret: 6f1c6e0c-5c1d-4f0e-9a59-000000000001, privsep: false}]}]\n"
	    "guests: [{id: 100, node: n1, config: {name: a}}]\n";
	const struct sim_opts o = {.seed_yaml = yaml, .seed_name = "slow"};
	struct client c = {0};
	struct err *e = NULL;
	int64_t start;

	(void)state;
	assert_int_equal(sim_new(&o, &c.sim, &e), 0);
	start = sim_now(c.sim);
	assert_int_equal(call(&c, "PUT", "/nodes/n1/qemu/100/config", "scsi0=slow:1"), 596);
	assert_string_equal(c.a.reason, "Connection timed out");
	assert_in_range(sim_now(c.sim) - start, 30000, 30500);
	assert_null(sim_guest_get(c.sim, 100, "scsi0"));
	sim_run_until(c.sim, start + 41000);
	assert_string_equal(
	    sim_guest_get(c.sim, 100, "scsi0"), "slow:100/vm-100-disk-0.raw,size=1G");
	client_fini(&c);
}

static void daemon_down(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_node_daemon(c->sim, "pve2", false, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 595);
	assert_string_equal(c->a.reason, "Connection refused");
	/* Reading the configuration needs no privileged process. */
	c->node = "pve2";
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_int_equal(sim_node_daemon(c->sim, "pve2", true, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 200);
}

static void without_quorum_nothing_is_written(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_node_quorum(c->sim, "pve2", false, &e), 0);
	c->node = "pve2";
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 500);
	assert_true(text_starts(
	    c->a.reason, "unable to open file '/etc/pve/nodes/pve2/qemu-server/101.conf.tmp."));
	assert_true(text_ends(c->a.reason, "' - Permission denied"));
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "legacy");
	assert_int_equal(call(c, "GET", "/cluster/status", NULL), 200);
	assert_int_equal(jsn_get_int(jsn_at(c->a.data, 0), "quorate", -1), 0);
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_int_equal(sim_node_quorum(c->sim, NULL, true, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 200);
}

static void dead_node_is_told(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;
	int64_t start;

	assert_int_equal(sim_node_power(c->sim, "pve2", false, &e), 0);
	start = sim_now(c->sim);
	assert_int_equal(call(c, "GET", CONF, NULL), 595);
	assert_string_equal(c->a.reason, "Connection timed out");
	assert_true(sim_now(c->sim) - start >= 30000);
	start = sim_now(c->sim); /* by now nobody knows its address any more */
	assert_int_equal(call(c, "GET", CONF, NULL), 595);
	assert_string_equal(c->a.reason, "No route to host");
	assert_true(sim_now(c->sim) - start >= 3000);
	c->node = "pve2";
	call(c, "GET", "/version", NULL);
	assert_int_equal(c->a.cut, SIM_CUT_REFUSED);
	c->node = NULL;
	assert_int_equal(sim_node_power(c->sim, "pve2", true, &e), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 120000);
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_false(sim_guest_running(c->sim, 101));
}

static void cut_off_node_is_alone(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_node_link(c->sim, "pve2", false, &e), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
	/* The two others go on. */
	assert_int_equal(call(c, "PUT", "/nodes/pve1/qemu/100/config", "tags=a"), 200);
	assert_int_equal(call(c, "GET", CONF, NULL), 595);
	assert_string_equal(c->a.reason, "No route to host");
	/* It can be read; a volume that it makes stays behind without a name. */
	c->node = "pve2";
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_int_equal(sim_volumes_of(c->sim, 101), 1);
	assert_int_equal(call(c, "PUT", CONF, "scsi1=local-lvm:1"), 500);
	assert_true(text_ends(c->a.reason, " - Permission denied"));
	assert_int_equal(sim_volumes_of(c->sim, 101), 2);
	assert_null(sim_guest_get(c->sim, 101, "scsi1"));
	assert_int_equal(sim_node_link(c->sim, "pve2", true, &e), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_int_equal(call(c, "PUT", CONF, "scsi1=shared:1"), 200);
}

/* 596 says nothing: what a frozen pvedaemon took it does when it thaws. */
static void frozen_daemon_does_it_later(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_node_freeze(c->sim, "pve2", "pvedaemon", true, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=later"), 596);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "legacy");
	assert_int_equal(sim_node_freeze(c->sim, "pve2", "pvedaemon", false, &e), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "later");
	assert_int_equal(sim_node_freeze(c->sim, "pve2", "pveproxy", true, &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=never"), 596);
	assert_int_equal(sim_node_freeze(c->sim, "pve2", "pveproxy", false, &e), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "later");
}

/* What runs a clone's source holds is shared by clones and alone for who writes. */
static void clones_run_beside_each_other(void **state)
{
	struct client *c = *state, d = {.sim = c->sim};
	int64_t start = sim_now(c->sim);

	assert_int_equal(call(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=200&full=1"), 200);
	assert_int_equal(call(&d, "POST", "/nodes/pve1/qemu/9000/clone", "newid=201&full=1"), 200);
	while (sim_tasks_running(c->sim))
		sim_run_until(c->sim, sim_next_event(c->sim));
	assert_in_range(sim_now(c->sim) - start, 1, 20000);
	assert_null(sim_guest_get(c->sim, 200, "lock"));
	assert_null(sim_guest_get(c->sim, 201, "lock"));
	answer_fini(&d.a);
}

static void second_clone_to_one_number(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=200"), "OK");
	assert_int_equal(call(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=200"), 500);
	assert_string_equal(c->a.reason, "unable to create VM 200: config file already exists");
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=200"), 400);
}

static void list_lags_behind(void **state)
{
	struct client *c = *state;
	bool seen = false;
	struct err *e = NULL;

	sim_run_until(c->sim, 30000);
	assert_int_equal(sim_node_statd(c->sim, "pve2", false, &e), 0);
	assert_int_equal(sim_human_power(c->sim, 101, false, &e), 0);
	sim_run_until(c->sim, 60000);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++) {
		const struct jsn *g = jsn_at(c->a.data, i);

		if (jsn_get_int(g, "vmid", 0) != 101)
			continue;
		seen = true;
		assert_string_equal(jsn_get_text(g, "status"), "running");
	}
	assert_true(seen);
}

/* The worker that started a task waits for a lock: the task's process is there although the task is
 * over, and its log says so. */
static void ended_task_is_not_looked_after(void **state)
{
	struct client *c = *state, other = {.sim = c->sim};
	_cleanup_str_ char *enc = NULL;
	_cleanup_str_ char *status = NULL;
	_cleanup_str_ char *log = NULL;
	struct err *e = NULL;

	assert_int_equal(sim_human_flock(c->sim, 101, 60000, &e), 0);
	assert_int_equal(call(c, "POST", "/nodes/pve2/qemu/101/status/start", NULL), 200);
	enc = text_url_encode(jsn_text(c->a.data));
	status = mem_printf("/nodes/pve2/tasks/%s/status", enc);
	log = mem_printf("/nodes/pve2/tasks/%s/log", enc);
	/* The same worker, as all are free, takes this one a moment later. */
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	client_send(&other, "PUT", CONF, "name=b");
	sim_run_until(c->sim, sim_now(c->sim) + 9500);
	assert_int_equal(call(c, "GET", log, NULL), 200);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 1), "t"),
	    "TASK ERROR: can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout");
	assert_int_equal(call(c, "GET", status, NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "status"), "running");
	assert_null(jsn_get(c->a.data, "exitstatus"));
	sim_run_until(c->sim, sim_now(c->sim) + 1500);
	assert_true(other.a.there);
	assert_int_equal(call(c, "GET", status, NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "status"), "stopped");
	answer_fini(&other.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(file_lock_is_waited_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(proxy_gives_up_and_the_work_goes_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(daemon_down, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_quorum_nothing_is_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(dead_node_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(cut_off_node_is_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(frozen_daemon_does_it_later, setup, teardown),
	    cmocka_unit_test_setup_teardown(clones_run_beside_each_other, setup, teardown),
	    cmocka_unit_test_setup_teardown(second_clone_to_one_number, setup, teardown),
	    cmocka_unit_test_setup_teardown(list_lags_behind, setup, teardown),
	    cmocka_unit_test_setup_teardown(ended_task_is_not_looked_after, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
