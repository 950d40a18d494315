/* A full copy that takes its time: what its log tells, and what is left when it is cut off. */
#include "sim_client.h"

static const char seed[] =
    "timing: {bandwidth: 1G}\n"
    "nodes: [{name: alpha, ip: 10.4.4.1, bridges: [vmbr0]}]\n"
    "storages:\n"
    "  - {name: pile, type: dir, path: /pile, content: [images], size: 900G}\n"
    "  - {name: heap, type: dir, path: /heap, content: [images], size: 900G}\n"
    "users: [{name: root@pam, tokens: [{name: admin, privsep: false,\n"
    "  secret: 6f1c6e0c-5c1d-4f0e-9a59-000000000001}]}]\n"
    "guests:\n"
    "  - id: 500\n"
    "    template: true\n"
    "    config: {name: big, memory: 64, scsi3: \"pile:10,format=qcow2\", boot: order=scsi3}\n";

static void start(struct client *c, const char *version)
{
	const struct sim_opts o = {.seed_yaml = seed, .seed_name = "seed", .version = version};
	struct err *e = NULL;

	*c = (struct client){0};
	if (sim_new(&o, &c->sim, &e) < 0)
		fail_msg("%s", err_msg(e));
}

static char *task_path(struct client *c, const char *rest)
{
	_cleanup_str_ char *enc = text_url_encode(jsn_text(c->a.data));

	return mem_printf("/nodes/alpha/tasks/%s%s", enc, rest);
}

static const char *line(const struct client *c, size_t i)
{
	return jsn_get_text(jsn_at(c->a.data, i), "t");
}

/* A fifth of an image holds data: 2 GiB at 100 MiB a second. What is counted is 16 MiB ahead. */
static void progress_and_abort(void **state)
{
	struct client c;
	_cleanup_str_ char *status = NULL;
	_cleanup_str_ char *log = NULL;
	_cleanup_str_ char *task = NULL;
	int64_t asked;

	(void)state;
	start(&c, "8.4");
	assert_int_equal(call(&c, "POST", "/nodes/alpha/qemu/500/clone",
			     "newid=611&full=1&format=raw&storage=heap&bwlimit=102400"),
	    200);
	status = task_path(&c, "/status");
	log = task_path(&c, "/log");
	task = task_path(&c, "");
	sim_run_until(c.sim, sim_now(c.sim) + 3000);
	asked = sim_now(c.sim);
	assert_int_equal(call(&c, "DELETE", task, NULL), 200);
	/* The clean-up takes a second, and it is looked after once a second. */
	assert_true(c.a.at - asked >= 2000 && c.a.at - asked < 2100);
	assert_int_equal(call(&c, "GET", status, NULL), 200);
	assert_string_equal(jsn_get_text(c.a.data, "exitstatus"),
	    "clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n -r 102400K -f "
	    "qcow2 -O raw /pile/images/500/base-500-disk-0.qcow2 "
	    "zeroinit:/heap/images/611/vm-611-disk-0.raw' failed: interrupted by signal");
	assert_int_equal(call(&c, "GET", log, NULL), 200);
	/* About 2.8 s of 20.48 s, and 0.8 % ahead: 14 % was the last even figure. */
	assert_string_equal(line(&c, 2), "transferred 0.0 B of 10.0 GiB (0.00%)");
	assert_string_equal(line(&c, 9), "transferred 1.4 GiB of 10.0 GiB (14.00%)");
	assert_true(text_starts(line(&c, 10), "TASK ERROR: clone failed: copy failed: "));
	assert_false(sim_guest_exists(c.sim, 611));
	assert_int_equal(sim_volumes_of(c.sim, 611), 0);
	client_fini(&c);
}

static void waits_come_after_the_announcement(void **state)
{
	struct client c;
	_cleanup_str_ char *log = NULL;

	(void)state;
	start(&c, "9.2");
	assert_int_equal(call(&c, "POST", "/nodes/alpha/qemu/500/clone", "newid=620"), 200);
	assert_int_equal(call(&c, "POST", "/nodes/alpha/qemu/500/clone", "newid=621"), 200);
	log = task_path(&c, "/log");
	sim_run_until(c.sim, sim_now(c.sim) + 5000);
	assert_int_equal(call(&c, "GET", log, NULL), 200);
	assert_string_equal(line(&c, 0), "creating a clone of VM 500 with ID 621");
	assert_string_equal(
	    line(&c, 1), "create linked clone of drive scsi3 (pile:500/base-500-disk-0.qcow2)");
	assert_string_equal(line(&c, 2), "trying to acquire lock...");
	assert_string_equal(line(&c, 3), " OK");
	client_fini(&c);
}

static void lists_of_what_runs(void **state)
{
	struct client c;
	const struct jsn *row;

	(void)state;
	start(&c, "9.2");
	assert_int_equal(
	    call(&c, "POST", "/nodes/alpha/qemu/500/clone", "newid=611&full=1&bwlimit=102400"),
	    200);
	sim_run_until(c.sim, sim_now(c.sim) + 1000);
	assert_int_equal(call(&c, "GET", "/nodes/alpha/tasks", "source=active"), 200);
	assert_int_equal(jsn_len(c.a.data), 1);
	row = jsn_at(c.a.data, 0);
	assert_string_equal(jsn_get_text(row, "user"), "root@pam!admin");
	assert_null(jsn_get(row, "tokenid"));
	assert_string_equal(jsn_get_text(row, "saved"), "0");
	assert_string_equal(jsn_get_text(row, "status"), "RUNNING");
	sim_run_until(c.sim, sim_now(c.sim) + 60000);
	assert_int_equal(call(&c, "GET", "/nodes/alpha/tasks", "source=all"), 200);
	row = jsn_at(c.a.data, 0);
	assert_string_equal(jsn_get_text(row, "user"), "root@pam");
	assert_string_equal(jsn_get_text(row, "tokenid"), "admin");
	assert_null(jsn_get(row, "saved"));
	client_fini(&c);
}

static void log_of_no_task(void **state)
{
	static const char path[] =
	    "/nodes/alpha/tasks/UPID:alpha:00000002:00000003:00000004:qmstart:9:root@pam:/log";
	static const char text[] = "unable to open file - No such file or directory";
	struct client c;

	(void)state;
	start(&c, "9.2");
	assert_int_equal(call(&c, "GET", path, NULL), 200);
	assert_string_equal(line(&c, 0), text);
	client_fini(&c);
	start(&c, "8.4");
	assert_int_equal(call(&c, "GET", path, NULL), 200);
	assert_string_equal(jsn_get_text(c.a.data, "t"), text);
	client_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(progress_and_abort),
	    cmocka_unit_test(waits_come_after_the_announcement),
	    cmocka_unit_test(lists_of_what_runs),
	    cmocka_unit_test(log_of_no_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
