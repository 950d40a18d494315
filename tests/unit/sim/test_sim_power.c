/* A running guest: what takes effect at once, what waits, and the power button. */
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

static void some_keys_wait(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", CONF, "cores=4&name=new&onboot=1"), 200);
	assert_string_equal(sim_guest_get(c->sim, 101, "cores"), "2");
	assert_string_equal(sim_guest_pending(c->sim, 101, "cores"), "4");
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "new");
	assert_string_equal(sim_guest_get(c->sim, 101, "onboot"), "1");
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "name"), "new");
	assert_int_equal(jsn_get_int(c->a.data, "cores", 0), 4);
	assert_int_equal(call(c, "GET", CONF, "current=1"), 200);
	assert_int_equal(jsn_get_int(c->a.data, "cores", 0), 2);
	assert_int_equal(call(c, "PUT", CONF, "revert=cores"), 200);
	assert_null(sim_guest_pending(c->sim, 101, "cores"));
}

static void stop_applies_what_waits(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", CONF, "memory=2048&cores=4"), 200);
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/stop", NULL), "OK");
	assert_false(sim_guest_running(c->sim, 101));
	assert_string_equal(sim_guest_get(c->sim, 101, "memory"), "2048");
	assert_string_equal(sim_guest_get(c->sim, 101, "cores"), "4");
	assert_null(sim_guest_pending(c->sim, 101, "cores"));
}

static void nics_and_disks_are_plugged(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", CONF, "net1=virtio,bridge=vmbr1"), 200);
	assert_non_null(sim_guest_get(c->sim, 101, "net1"));
	assert_int_equal(call(c, "PUT", CONF, "scsi1=local-lvm:1"), 200);
	assert_string_equal(sim_guest_get(c->sim, 101, "scsi1"), "local-lvm:vm-101-disk-1,size=1G");
	assert_int_equal(call(c, "PUT", CONF, "delete=net1"), 200);
	assert_null(sim_guest_get(c->sim, 101, "net1"));
	/* Without hotplug for networks it waits. */
	assert_int_equal(call(c, "PUT", CONF, "hotplug=disk"), 200);
	assert_int_equal(call(c, "PUT", CONF, "net1=virtio,bridge=vmbr1"), 200);
	assert_null(sim_guest_get(c->sim, 101, "net1"));
	assert_non_null(sim_guest_pending(c->sim, 101, "net1"));
}

static void shutdown_takes_its_time(void **state)
{
	struct client *c = *state;
	int64_t start = sim_now(c->sim);

	assert_string_equal(
	    call_task(c, "POST", "/nodes/pve2/qemu/101/status/shutdown", NULL), "OK");
	assert_true(sim_now(c->sim) - start >= 3000);
	assert_false(sim_guest_running(c->sim, 101));
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/start", NULL), "OK");
	assert_true(sim_guest_running(c->sim, 101));
	/* qmeventd looks after the guest that went down and waits for the one that runs. */
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/start", NULL),
	    "can't lock file '/var/lock/qemu-server/lock-101.conf' - got timeout");
	sim_run_until(c->sim, sim_now(c->sim) + 30000);
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/start", NULL),
	    "VM 101 already running");
}

static void deaf_guest_needs_force(void **state)
{
	struct client *c = *state;
	int64_t start;

	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu",
				"vmid=300&scsi0=local:1&boot=order=scsi0&start=1"),
	    "OK");
	sim_run_until(c->sim, sim_now(c->sim) + 5000);
	assert_true(sim_guest_running(c->sim, 300));
	start = sim_now(c->sim);
	assert_string_equal(
	    call_task(c, "POST", "/nodes/pve1/qemu/300/status/shutdown", "timeout=20"),
	    "VM quit/powerdown failed - got timeout");
	assert_true(sim_now(c->sim) - start >= 20000);
	assert_string_equal(
	    call_task(c, "POST", "/nodes/pve1/qemu/300/status/shutdown", "timeout=5&forceStop=1"),
	    "OK");
	assert_false(sim_guest_running(c->sim, 300));
}

/* How many tasks of a kind there were of a guest, by whom. */
static int tasks_of(struct client *c, const char *type, const char *who)
{
	_cleanup_str_ char *filter = mem_printf("source=all&vmid=101&typefilter=%s", type);
	int n = 0;

	assert_int_equal(call(c, "GET", "/nodes/pve2/tasks", filter), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		n += text_eq(jsn_get_text(jsn_at(c->a.data, i), "user"), who) &&
		     !jsn_has(jsn_at(c->a.data, i), "tokenid");
	return n;
}

static void reboot_is_a_shutdown_and_a_start(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", CONF, "cores=4"), 200);
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/reboot", NULL), "OK");
	/* The task is over when the guest is down. */
	assert_false(sim_guest_running(c->sim, 101));
	assert_string_equal(sim_guest_get(c->sim, 101, "cores"), "4");
	assert_int_equal(tasks_of(c, "qmstart", "root@pam"), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 5000);
	assert_true(sim_guest_running(c->sim, 101));
	assert_int_equal(tasks_of(c, "qmstart", "root@pam"), 1);
	assert_int_equal(tasks_of(c, "qmreboot", "root@pam"), 0); /* that one is the token's */
}

/* The guest does not hear: it runs on, and who shuts it down afterwards does not start it. */
static void reboot_that_failed_is_forgotten(void **state)
{
	struct client *c = *state;
	int64_t start = sim_now(c->sim);

	assert_int_equal(sim_human_deaf(c->sim, 101, true, NULL), 0);
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/reboot", "timeout=7"),
	    "VM quit/powerdown failed - got timeout");
	assert_true(sim_now(c->sim) - start >= 7000);
	assert_true(sim_guest_running(c->sim, 101));
	assert_int_equal(sim_human_guest(c->sim, 101, true, NULL), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
	assert_false(sim_guest_running(c->sim, 101));
	assert_int_equal(tasks_of(c, "qmstart", "root@pam"), 0);
}

/* It goes down of itself while somebody waits for it. */
static void reboot_sees_the_guest_go(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = NULL;

	assert_int_equal(sim_human_deaf(c->sim, 101, true, NULL), 0);
	assert_int_equal(call(c, "POST", "/nodes/pve2/qemu/101/status/reboot", "timeout=60"), 200);
	upid = mem_strdup(jsn_text(c->a.data));
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_true(sim_task_running(c->sim, upid));
	assert_int_equal(sim_human_guest(c->sim, 101, true, NULL), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 1500);
	assert_false(sim_task_running(c->sim, upid));
	sim_run_until(c->sim, sim_now(c->sim) + 5000);
	assert_true(sim_guest_running(c->sim, 101));
}

/* One that has gone by the time the task holds the lock is not started. */
static void reboot_of_one_that_is_gone(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = NULL;

	assert_int_equal(sim_human_flock(c->sim, 101, 4000, NULL), 0);
	assert_int_equal(call(c, "POST", "/nodes/pve2/qemu/101/status/reboot", NULL), 200);
	upid = mem_strdup(jsn_text(c->a.data));
	assert_int_equal(sim_human_guest(c->sim, 101, true, NULL), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 9000);
	assert_false(sim_task_running(c->sim, upid));
	assert_false(sim_guest_running(c->sim, 101));
}

static void states_are_told(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/nodes/pve2/qemu/101/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "status"), "running");
	assert_string_equal(
	    call_task(c, "POST", "/nodes/pve2/qemu/101/status/suspend", NULL), "OK");
	assert_int_equal(call(c, "GET", "/nodes/pve2/qemu/101/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "qmpstatus"), "paused");
	assert_string_equal(call_task(c, "POST", "/nodes/pve2/qemu/101/status/resume", NULL), "OK");
	assert_int_equal(call(c, "GET", "/nodes/pve2/qemu/101/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "qmpstatus"), "running");
}

static void running_guest_cannot_go(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "DELETE", "/nodes/pve2/qemu/101", NULL), 500);
	assert_string_equal(c->a.reason, "VM 101 is running - destroy failed");
}

static void disk_grows_only(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "PUT", "/nodes/pve2/qemu/101/resize", "disk=scsi0&size=+2G"), "OK");
	assert_string_equal(
	    sim_guest_get(c->sim, 101, "scsi0"), "local-lvm:vm-101-disk-0,size=10G");
	assert_string_equal(
	    call_task(c, "PUT", "/nodes/pve2/qemu/101/resize", "disk=scsi0&size=12G"), "OK");
	assert_true(
	    sim_volume_size(c->sim, "pve2", "local-lvm:vm-101-disk-0") == (int64_t)12 << 30);
	assert_string_equal(
	    call_task(c, "PUT", "/nodes/pve2/qemu/101/resize", "disk=scsi0&size=4G"),
	    "shrinking disks is not supported");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(some_keys_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(stop_applies_what_waits, setup, teardown),
	    cmocka_unit_test_setup_teardown(nics_and_disks_are_plugged, setup, teardown),
	    cmocka_unit_test_setup_teardown(shutdown_takes_its_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(deaf_guest_needs_force, setup, teardown),
	    cmocka_unit_test_setup_teardown(reboot_is_a_shutdown_and_a_start, setup, teardown),
	    cmocka_unit_test_setup_teardown(reboot_that_failed_is_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(reboot_sees_the_guest_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(reboot_of_one_that_is_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(states_are_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(running_guest_cannot_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(disk_grows_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
