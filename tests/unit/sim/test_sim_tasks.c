/* Lists of tasks: the cluster's, a node's, and what they say after a power loss. */
#include "buf.h"
#include "sim_client.h"

static const char head[] =
    "cluster: {name: c}\n"
    "timing: {request: 1, statd: 10s, clone-start: 50, bandwidth: 10M}\n"
    "nodes: [{name: anna}, {name: berta}, {name: carl}]\n"
    "storages: [{name: disks, type: dir, shared: true, content: [images], size: 100G}]\n"
    "users: [{name: root@pam, tokens: [{name: admin, secret: "
    "6f1c6e0c-5c1d-4f0e-9a59-000000000001, privsep: false}]}]\n"
    "guests:\n"
    "  - {id: 500, node: berta, template: true, config: {scsi0: \"disks:1,format=qcow2\"}}\n"
    "  - {id: 501, node: anna, config: {name: first, memory: 32}}\n"
    "past:\n";

/* 40 tasks of anna, a second apart, the last one failed. */
static char *seed(void)
{
	struct buf b;

	buf_init(&b, 0);
	buf_adds(&b, head);
	for (int i = 0; i < 40; i++)
		buf_addf(&b,
		    "  - {node: anna, task: qmstart, id: \"%d\", user: \"root@pam!admin\", "
		    "at: %d, status: \"%s\"}\n",
		    1000 + i, 1700000000 + i, i < 39 ? "OK" : "no such disk");
	return buf_take(&b);
}

static int setup(void **state)
{
	static struct client c;
	_cleanup_str_ char *yaml = seed();

	client_of(&c, yaml, "tasks", "9.2");
	c.node = "anna";
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	client_fini(*state);
	return 0;
}

static const struct jsn *row_of(const struct client *c, const char *type, const char *id)
{
	for (size_t i = 0; i < jsn_len(c->a.data); i++) {
		const struct jsn *row = jsn_at(c->a.data, i);

		if (text_eq(jsn_get_text(row, "type"), type) &&
		    text_eq(jsn_get_text(row, "id"), id))
			return row;
	}
	return NULL;
}

static void newest_of_each_node(void **state)
{
	struct client *c = *state;
	const struct jsn *row;

	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 25);
	assert_null(row_of(c, "qmstart", "1014"));
	row = row_of(c, "qmstart", "1039");
	assert_string_equal(jsn_get_text(row, "status"), "no such disk");
	assert_string_equal(jsn_get_text(row, "saved"), "1");
	assert_int_equal(call(c, "GET", "/nodes/anna/tasks", "limit=3"), 200);
	assert_int_equal(jsn_len(c->a.data), 3);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "id"), "1039");
	assert_int_equal(jsn_get_int(c->a.body, "total", 0), 40);
	assert_int_equal(call(c, "GET", "/nodes/anna/tasks", "errors=1"), 200);
	assert_int_equal(jsn_get_int(c->a.body, "total", 0), 1);
	/* Of none there is no number. */
	assert_int_equal(call(c, "GET", "/nodes/carl/tasks", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_null(jsn_get(c->a.body, "total"));
}

/* Who writes the list of a node has a number in "saved", who reads it later a text. */
static void saved_is_a_number_first(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "PUT", "/nodes/anna/qemu/501/resize", "disk=scsi0&size=1G"),
	    "disk 'scsi0' does not exist");
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_get_int(row_of(c, "resize", "501"), "saved", 0), 1);
	assert_false(jsn_is_string(jsn_get(row_of(c, "resize", "501"), "saved")));
	sim_run_until(c->sim, sim_now(c->sim) + 11000);
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_string_equal(jsn_get_text(row_of(c, "resize", "501"), "saved"), "1");
}

static void power_loss(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = NULL;
	_cleanup_str_ char *enc = NULL;
	_cleanup_str_ char *path = NULL;

	assert_int_equal(call(c, "POST", "/nodes/berta/qemu/500/clone", "newid=600&full=1"), 200);
	upid = mem_strdup(jsn_text(c->a.data));
	enc = text_url_encode(upid);
	path = mem_printf("/nodes/berta/tasks/%s/status", enc);
	sim_run_until(c->sim, sim_now(c->sim) + 3000);
	assert_int_equal(sim_node_power(c->sim, "berta", false, NULL), 0);
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_non_null(row_of(c, "qmclone", "500"));
	assert_null(jsn_get(row_of(c, "qmclone", "500"), "endtime"));
	assert_int_equal(sim_node_power(c->sim, "berta", true, NULL), 0);
	/* Right after the start the file of active tasks is what it was. */
	assert_int_equal(sim_node_round(c->sim, "berta", 5000, NULL), 0);
	assert_int_equal(call(c, "GET", "/nodes/berta/tasks", "source=active"), 200);
	assert_string_equal(jsn_get_text(row_of(c, "qmclone", "500"), "status"), "RUNNING");
	assert_string_equal(jsn_get_text(row_of(c, "qmclone", "500"), "user"), "root@pam!admin");
	assert_int_equal(call(c, "GET", "/nodes/berta/tasks", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_int_equal(call(c, "GET", path, NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "status"), "stopped");
	assert_string_equal(jsn_get_text(c->a.data, "exitstatus"), "unexpected status");
	/* pvestatd finds that nothing runs. */
	sim_run_until(c->sim, sim_now(c->sim) + 6000);
	assert_int_equal(call(c, "GET", "/nodes/berta/tasks", "source=active"), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_int_equal(call(c, "GET", "/nodes/berta/tasks", NULL), 200);
	assert_string_equal(
	    jsn_get_text(row_of(c, "qmclone", "500"), "status"), "unexpected status");
}

/* What was said of a number stays until it is said anew. */
static void name_of_who_was_there_before(void **state)
{
	struct client *c = *state;

	assert_int_equal(sim_human_delete(c->sim, 501, "ops@pam", NULL), 0);
	assert_int_equal(sim_human_create(c->sim, 501, "carl", "ops@pam", NULL, NULL), 0);
	assert_int_equal(sim_node_round(c->sim, "carl", 5000, NULL), 0);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++) {
		const struct jsn *row = jsn_at(c->a.data, i);

		if (jsn_get_int(row, "vmid", 0) != 501)
			continue;
		assert_string_equal(jsn_get_text(row, "node"), "carl");
		assert_string_equal(jsn_get_text(row, "name"), "first");
		return;
	}
	fail();
}

/* node_tasks, upid_normalize_status_type */
/* A list of more than 50,000 bytes takes the place of the one before, and a new one is begun. A
 * line is the number of 65 bytes, the end in 8, "OK", two spaces and its end: 78 bytes. 642 of them
 * are too many, so that of 1,500 the second 642 and the last 216 are left. */
static void old_ones_are_forgotten(void **state)
{
	static const char *const upid =
	    "UPID:anna:00000000:00000000:00000000:qmstart:1000:root@pam!admin:";
	_cleanup_str_ char *yaml = mem_printf(
	    "%s  - {node: anna, task: qmstart, id: \"1000\", user: \"root@pam!admin\", "
	    "ago: 4m, count: 1500}\n"
	    "  - {node: berta, task: qmstart, id: \"1000\", user: \"root@pam!admin\", ago: 4m}\n",
	    head);
	struct client c;

	(void)state;
	assert_int_equal(strlen(upid), 65);
	client_of(&c, yaml, "many", "9.2");
	c.node = "anna";
	assert_int_equal(call(&c, "GET", "/nodes/anna/tasks", "limit=0"), 200);
	assert_int_equal(jsn_len(c.a.data), 858);
	assert_int_equal(jsn_get_int(c.a.body, "total", 0), 858);
	assert_int_equal(call(&c, "GET", "/nodes/berta/tasks", "limit=0"), 200);
	assert_int_equal(jsn_len(c.a.data), 1);
	/* One more, and it is the newest. */
	assert_string_equal(call_task(&c, "DELETE", "/nodes/anna/qemu/501", NULL), "OK");
	assert_int_equal(call(&c, "GET", "/nodes/anna/tasks", "limit=0"), 200);
	assert_int_equal(jsn_len(c.a.data), 859);
	assert_string_equal(jsn_get_text(jsn_at(c.a.data, 0), "type"), "qmdestroy");
	client_fini(&c);
}

static void tasks_by_their_end(void **state)
{
	struct client *c = *state;
	const char *path = "/nodes/anna/tasks";

	assert_int_equal(call(c, "GET", path, "limit=100&errors=1"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "id"), "1039");
	assert_int_equal(call(c, "GET", path, "limit=100&statusfilter=ok"), 200);
	assert_int_equal(jsn_len(c->a.data), 39);
	assert_int_equal(call(c, "GET", path, "limit=100&statusfilter=error,warning"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_int_equal(call(c, "GET", path, "limit=100&statusfilter=unknown"), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_int_equal(call(c, "GET", path, "limit=100&userfilter=ROOT"), 200);
	assert_int_equal(jsn_len(c->a.data), 40);
}

/* 30 began in one second of whom each ended before the one before it; two more run on another node.
 */
static void of_one_second_the_last_to_end(void **state)
{
	struct buf b;
	struct client c;
	_cleanup_str_ char *yaml = NULL;

	(void)state;
	buf_init(&b, 0);
	buf_adds(&b, head);
	for (int i = 0; i < 30; i++)
		buf_addf(&b,
		    "  - {node: anna, task: qmclone, id: \"%d\", user: \"root@pam!admin\", "
		    "at: 1700000000, took: %d}\n",
		    2000 + i, 100 - i);
	yaml = buf_take(&b);
	client_of(&c, yaml, "second", "9.2");
	c.node = "berta";
	assert_int_equal(call(&c, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_len(c.a.data), 25);
	assert_string_equal(jsn_get_text(jsn_at(c.a.data, 0), "id"), "2000");
	assert_string_equal(jsn_get_text(jsn_at(c.a.data, 24), "id"), "2024");
	/* What runs stands in the order in which it began. */
	for (int i = 0; i < 2; i++) {
		const char *id = i ? "newid=601&full=1" : "newid=600&full=1";

		assert_int_equal(call(&c, "POST", "/nodes/berta/qemu/500/clone", id), 200);
	}
	sim_run_until(c.sim, sim_now(c.sim) + 1000);
	c.node = "anna";
	assert_int_equal(call(&c, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_len(c.a.data), 27);
	for (size_t i = 25; i < 27; i++)
		assert_null(jsn_get(jsn_at(c.a.data, i), "endtime"));
	assert_true(jsn_get_int(jsn_at(c.a.data, 25), "pid", 0) <
		    jsn_get_int(jsn_at(c.a.data, 26), "pid", 0));
	client_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(newest_of_each_node, setup, teardown),
	    cmocka_unit_test_setup_teardown(saved_is_a_number_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(power_loss, setup, teardown),
	    cmocka_unit_test_setup_teardown(name_of_who_was_there_before, setup, teardown),
	    cmocka_unit_test(old_ones_are_forgotten),
	    cmocka_unit_test_setup_teardown(tasks_by_their_end, setup, teardown),
	    cmocka_unit_test(of_one_second_the_last_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
