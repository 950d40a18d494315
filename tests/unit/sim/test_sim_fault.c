/* What goes wrong on purpose, who did what, and that the same seed tells the same story. */
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

static void strike(struct client *c, enum sim_fault_kind kind, int status)
{
	const struct sim_fault f = {
	    .kind = kind, .method = "PUT", .path = "/nodes/*/config", .nth = 1, .status = status};

	sim_fault_clear(c->sim);
	sim_fault_add(c->sim, &f);
}

static void before_and_after(void **state)
{
	struct client *c = *state;

	strike(c, SIM_FAULT_REFUSE, 0);
	call(c, "PUT", CONF, "name=a");
	assert_int_equal(c->a.cut, SIM_CUT_REFUSED);
	strike(c, SIM_FAULT_RESET_BEFORE, 0);
	call(c, "PUT", CONF, "name=a");
	assert_int_equal(c->a.cut, SIM_CUT_RESET);
	strike(c, SIM_FAULT_STATUS, 595);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 595);
	strike(c, SIM_FAULT_UNAUTHORIZED, 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 401);
	strike(c, SIM_FAULT_FORBIDDEN, 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 403);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "legacy");

	strike(c, SIM_FAULT_RESET_AFTER, 0);
	call(c, "PUT", CONF, "name=b");
	assert_int_equal(c->a.cut, SIM_CUT_RESET);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "b");
	strike(c, SIM_FAULT_STATUS_AFTER, 596);
	assert_int_equal(call(c, "PUT", CONF, "name=d"), 596);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "d");
	strike(c, SIM_FAULT_TRUNCATE, 0);
	call(c, "PUT", CONF, "name=e");
	assert_int_equal(c->a.cut, SIM_CUT_SHORT);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "e");
	/* The rule is used up. */
	assert_int_equal(call(c, "PUT", CONF, "name=f"), 200);
	assert_int_equal(sim_fault_struck(c->sim), 8);
}

static void delays(void **state)
{
	struct client *c = *state;
	struct sim_fault f = {.kind = SIM_FAULT_DELAY_ANSWER, .method = "PUT", .nth = 1};
	int64_t start;

	f.delay_ms = 7000;
	sim_fault_add(c->sim, &f);
	start = sim_now(c->sim);
	client_send(c, "PUT", CONF, "name=a");
	sim_run_until(c->sim, start + 1000);
	assert_false(c->a.there);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "a");
	sim_run_until(c->sim, start + 8000);
	assert_true(c->a.there);

	sim_fault_clear(c->sim);
	f.kind = SIM_FAULT_DELAY;
	sim_fault_add(c->sim, &f);
	start = sim_now(c->sim);
	client_send(c, "PUT", CONF, "name=b");
	sim_run_until(c->sim, start + 6000);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "a");
	sim_run_until(c->sim, start + 8000);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "b");
}

static unsigned n_held;

static void on_held(void *arg, const char *method, const char *path)
{
	_cleanup_str_ char *what = mem_printf("%s %s", method, path);

	n_held++;
	assert_string_equal(what, arg);
}

/* Said in words, from now on: nothing comes of the one, nothing is heard of the other. */
static void holds(void **state)
{
	struct client *c = *state;
	size_t before = sim_requests(c->sim);
	struct err *e = NULL;

	n_held = 0;
	sim_fault_watch(c->sim, on_held, (void *)"PUT " CONF);
	assert_int_equal(call(c, "PUT", CONF, "name=before"), 200);
	assert_int_equal(sim_fault_add_text(c->sim, "hold,method=PUT,nth=2", &e), 0);
	assert_int_equal(call(c, "PUT", CONF, "name=a"), 200);
	client_send(c, "PUT", CONF, "name=b");
	sim_run_until(c->sim, sim_now(c->sim) + 600000);
	assert_false(c->a.there);
	assert_int_equal(n_held, 1);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "a");

	sim_fault_clear(c->sim);
	assert_int_equal(sim_fault_add_text(c->sim, "hold-answer,nth=1", &e), 0);
	client_send(c, "PUT", CONF, "name=c");
	sim_run_until(c->sim, sim_now(c->sim) + 600000);
	assert_false(c->a.there);
	assert_int_equal(n_held, 2);
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "c");
	assert_int_equal(sim_requests(c->sim) - before, 4);

	assert_int_equal(sim_fault_add_text(c->sim, "hold,nth=x", &e), -1);
	assert_string_equal(err_msg(e), "fault hold,nth=x: \"nth=x\" is not understood");
	err_free(&e);
}

/* A task stands still once its work has begun, and goes on when the faults end. */
static void tasks_stand_still(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	n_held = 0;
	sim_fault_watch(c->sim, on_held, (void *)"POST /nodes/pve1/qemu/9000/clone");
	assert_int_equal(sim_fault_add_text(c->sim, "task-hold,method=POST,nth=1", &e), 0);
	c->auth = CTL;
	assert_int_equal(call(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=200"), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 600000);
	assert_int_equal(n_held, 1);
	assert_string_equal(sim_guest_get(c->sim, 200, "lock"), "clone");
	sim_fault_clear(c->sim);
	sim_run_until(c->sim, sim_now(c->sim) + 600000);
	assert_null(sim_guest_get(c->sim, 200, "lock"));
	assert_non_null(sim_guest_get(c->sim, 200, "scsi0"));
}

/* A worker that stands still is in the middle of its work, its files locked: who comes next waits
 * in vain (move_vm_disk, clone_vm, update_vm_api and the like lock around all they do). */
static void lock_stays_with_whoever_stands(const char *kind)
{
	static const char *const busy =
	    "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout";
	struct client c;
	struct err *e = NULL;
	int64_t start;

	client_init(&c, "9.2");
	assert_int_equal(sim_fault_add_text(c.sim, kind, &e), 0);
	assert_int_equal(
	    call(&c, "POST", "/nodes/pve1/qemu/100/move_disk", "disk=scsi0&storage=shared"), 200);
	start = sim_now(c.sim);
	assert_string_equal(call_task(&c, "POST", "/nodes/pve1/qemu/100/move_disk",
				"disk=scsi0&storage=local&delete=1"),
	    busy);
	assert_true(sim_now(c.sim) - start >= 10000);
	start = sim_now(c.sim);
	assert_string_equal(
	    call_task(&c, "POST", "/nodes/pve1/qemu/100/clone", "newid=210&full=1"), busy);
	assert_in_range(sim_now(c.sim) - start, 1000, 2000);
	assert_int_equal(call(&c, "PUT", "/nodes/pve1/qemu/100/config", "cores=3"), 500);
	assert_string_equal(c.a.reason, busy);
	assert_true(text_starts(sim_guest_get(c.sim, 100, "scsi0"), "local-lvm:"));
	client_fini(&c);
}

static void who_stands_still_keeps_its_locks(void **state)
{
	(void)state;
	lock_stays_with_whoever_stands("task-hold,path=*/move_disk,nth=1");
	lock_stays_with_whoever_stands("task-hang,path=*/move_disk,nth=1");
}

/* What hangs is in the middle of its work: a clone has put its file down and keeps the files
 * locked; that faults end does not help it. Whoever stops it has PVE clean up. */
static void hung_clone_is_there(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_fault_add_text(c->sim, "task-hang,path=*/clone,nth=1", &e), 0);
	assert_int_equal(call(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=220"), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 600000);
	assert_string_equal(sim_guest_get(c->sim, 220, "lock"), "clone");
	sim_fault_clear(c->sim);
	sim_run_until(c->sim, sim_now(c->sim) + 600000);
	assert_string_equal(sim_guest_get(c->sim, 220, "lock"), "clone");
	assert_int_equal(call(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=220"), 500);
	/* Other clones of a template share its lock. */
	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=221"), "OK");
	assert_int_equal(sim_human_stop_tasks(c->sim), 1);
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_int_equal(sim_tasks_running(c->sim), 0);
	assert_false(sim_guest_exists(c->sim, 220));
	assert_int_equal(sim_volumes_of(c->sim, 220), 0);
	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=220"), "OK");
}

static void tasks_fail(void **state)
{
	struct client *c = *state;
	const char *clone = "/nodes/pve1/qemu/100/clone";
	struct sim_fault f = {.kind = SIM_FAULT_TASK_ERROR, .path = "*/clone", .nth = 1};
	_cleanup_str_ char *upid = NULL;
	_cleanup_str_ char *status = NULL;

	f.text = "disk full";
	sim_fault_add(c->sim, &f);
	assert_string_equal(call_task(c, "POST", clone, "newid=200"), "disk full");
	assert_false(sim_guest_exists(c->sim, 200));

	sim_fault_clear(c->sim);
	f.kind = SIM_FAULT_TASK_ERROR_AFTER;
	sim_fault_add(c->sim, &f);
	assert_string_equal(call_task(c, "POST", clone, "newid=201"), "disk full");
	assert_true(sim_guest_exists(c->sim, 201));

	sim_fault_clear(c->sim);
	f.kind = SIM_FAULT_TASK_HANG;
	sim_fault_add(c->sim, &f);
	assert_int_equal(call(c, "POST", clone, "newid=202"), 200);
	upid = text_url_encode(jsn_text(c->a.data));
	status = mem_printf("/nodes/pve1/tasks/%s", upid);
	sim_run_until(c->sim, sim_now(c->sim) + 3600000);
	assert_int_equal(sim_tasks_running(c->sim), 1);
	/* A person ends it. */
	assert_int_equal(call(c, "DELETE", status, NULL), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_int_equal(sim_tasks_running(c->sim), 0);
}

static void chance_comes_from_the_seed(void **state)
{
	struct client *c = *state, d;
	const struct sim_fault f = {
	    .kind = SIM_FAULT_STATUS, .method = "GET", .probability = 0.3, .status = 503};
	size_t struck = 0;

	client_init(&d, "9.2");
	sim_fault_add(c->sim, &f);
	sim_fault_add(d.sim, &f);
	for (int i = 0; i < 100; i++) {
		int one = call(c, "GET", "/version", NULL), two = call(&d, "GET", "/version", NULL);

		assert_int_equal(one, two);
		assert_true(one == 200 || one == 503);
		struck += one == 503;
	}
	assert_in_range(struck, 15, 45);
	client_fini(&d);
}

static void journal_names_the_one(void **state)
{
	struct client *c = *state;
	struct sim_entry e;
	struct kv set = {0};
	struct err *err = NULL;
	size_t n;

	c->auth = CTL;
	assert_int_equal(call(c, "PUT", CONF, "cores=4&name=x"), 200);
	assert_true(sim_journal_len(c->sim) >= 2);
	n = sim_journal_len(c->sim);
	sim_journal_at(c->sim, n - 1, &e);
	assert_string_equal(e.user, "ramet@pve!ctl");
	assert_string_equal(e.node, "pve2");
	assert_string_equal(e.method, "PUT");
	assert_string_equal(e.path, CONF);
	assert_int_equal(e.vmid, 101);
	kv_set(&set, "onboot", "1");
	assert_int_equal(sim_human_edit(c->sim, 101, "eve@pam", &set, "cores", &err), 0);
	kv_fini(&set);
	assert_true(sim_journal_len(c->sim) > n);
	sim_journal_at(c->sim, sim_journal_len(c->sim) - 1, &e);
	assert_string_equal(e.user, "eve@pam");
	/* And the cluster log tells it too. */
	c->auth = ADMIN;
	assert_int_equal(call(c, "GET", "/cluster/log", "max=1"), 200);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "user"), "eve@pam");
	assert_string_equal(
	    jsn_get_text(jsn_at(c->a.data, 0), "msg"), "update VM 101: -delete cores -onboot 1");
}

static void same_seed_same_world(void **state)
{
	struct client *c = *state, d;

	client_init(&d, "9.2");
	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=200"), "OK");
	assert_string_equal(
	    call_task(&d, "POST", "/nodes/pve1/qemu/9000/clone", "newid=200"), "OK");
	assert_true(sim_now(c->sim) == sim_now(d.sim));
	assert_string_equal(sim_guest_get(c->sim, 200, "net0"), sim_guest_get(d.sim, 200, "net0"));
	assert_string_equal(
	    sim_guest_get(c->sim, 200, "smbios1"), sim_guest_get(d.sim, 200, "smbios1"));
	client_fini(&d);
}

static const char *listed(struct client *c, int64_t vmid)
{
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (jsn_get_int(jsn_at(c->a.data, i), "vmid", 0) == vmid)
			return jsn_get_text(jsn_at(c->a.data, i), "status");
	return "";
}

/* One worker of pveproxy is behind the others, for up to two seconds. */
static void workers_of_different_age(void **state)
{
	struct client *c = *state;
	const struct sim_fault f = {
	    .kind = SIM_FAULT_OLD_COPY, .method = "GET", .path = "/cluster/resources", .nth = 1};

	sim_run_until(c->sim, 30000);
	assert_string_equal(listed(c, 101), "running");
	assert_int_equal(sim_human_power(c->sim, 101, false, NULL), 0);
	while (!strcmp(listed(c, 101), "running"))
		sim_run_until(c->sim, sim_now(c->sim) + 100);
	assert_string_equal(listed(c, 101), "stopped");
	sim_fault_add(c->sim, &f);
	assert_string_equal(listed(c, 101), "running");
	assert_string_equal(listed(c, 101), "stopped");
	sim_run_until(c->sim, sim_now(c->sim) + 2500);
	sim_fault_add(c->sim, &f);
	assert_string_equal(listed(c, 101), "stopped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(before_and_after, setup, teardown),
	    cmocka_unit_test_setup_teardown(workers_of_different_age, setup, teardown),
	    cmocka_unit_test_setup_teardown(delays, setup, teardown),
	    cmocka_unit_test_setup_teardown(holds, setup, teardown),
	    cmocka_unit_test_setup_teardown(tasks_stand_still, setup, teardown),
	    cmocka_unit_test(who_stands_still_keeps_its_locks),
	    cmocka_unit_test_setup_teardown(hung_clone_is_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(tasks_fail, setup, teardown),
	    cmocka_unit_test_setup_teardown(chance_comes_from_the_seed, setup, teardown),
	    cmocka_unit_test_setup_teardown(journal_names_the_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(same_seed_same_world, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
