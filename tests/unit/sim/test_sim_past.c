/* What was there before the start, and what is heard of guests for a while after they are gone. */
#include "sim_client.h"

static const char *const seed =
    "timing: {statd: 10s}\n"
    "nodes: [{name: alpha, bridges: [vmbr0], statd-at: 4s}]\n"
    "storages: [{name: disks, type: dir, content: [images], size: 100G}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - {name: eve@pve, tokens: [{name: t, secret: s-eve, privsep: false}]}\n"
    "roles: [{name: Look, privs: [VM.Audit]}]\n"
    "acl: [{path: /vms/310, who: eve@pve, role: Look}]\n"
    "guests:\n"
    "  - {id: 310, config: {memory: 64, tags: \"z;b;Z\"}}\n"
    "  - {id: 311, new: true, config: {memory: 64, tags: other}}\n"
    "heard: [{id: 312, status: running, name: late, memory: 1G, cpus: 3}]\n"
    "volumes: [{storage: disks, name: 377/vm-377-disk-1.raw, size: 5M}]\n"
    "past:\n"
    "  - {task: qmclone, id: 310, user: \"ops@pam!x\", ago: 10m, count: 30, uid: 41}\n"
    "  - {log: \"update VM 310: -cores 2\", user: ops@pam, ago: 9m}\n"
    "  - {task: qmstart, id: 310, user: ops@pam, status: no luck, ago: 8m}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static const struct jsn *row(struct client *c, const char *path, const char *key, int64_t value)
{
	assert_int_equal(call(c, "GET", path, NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (jsn_get_int(jsn_at(c->a.data, i), key, -1) == value)
			return jsn_at(c->a.data, i);
	return NULL;
}

static void tasks_and_lines(void **state)
{
	struct client *c = *state;
	const struct jsn *d;
	char since[64];

	assert_int_equal(call(c, "GET", "/nodes/alpha/tasks", "limit=1"), 200);
	assert_int_equal(jsn_get_int(c->a.body, "total", 0), 31);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "status"), "no luck");
	snprintf(since, sizeof(since), "since=%lld", (long long)(sim_wall(c->sim) / 1000 - 9 * 60));
	assert_int_equal(call(c, "GET", "/nodes/alpha/tasks", since), 200);
	assert_int_equal(jsn_get_int(c->a.body, "total", 0), 1);
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 25);
	/* Two lines for each task, one of its own, and the number before them all. */
	assert_int_equal(call(c, "GET", "/cluster/log", "max=3"), 200);
	d = c->a.data;
	assert_string_equal(jsn_get_text(jsn_at(d, 0), "id"), "103:alpha");
	assert_int_equal(jsn_get_int(jsn_at(d, 0), "pri", 0), 3);
	assert_true(text_ends(jsn_get_text(jsn_at(d, 0), "msg"), " no luck"));
	assert_string_equal(jsn_get_text(jsn_at(d, 2), "msg"), "update VM 310: -cores 2");
	assert_string_equal(jsn_get_text(jsn_at(d, 2), "user"), "ops@pam");
}

static void a_volume_left_behind(void **state)
{
	struct client *c = *state;
	const struct jsn *v = row(c, "/nodes/alpha/storage/disks/content", "vmid", 377);

	assert_string_equal(jsn_get_text(v, "volid"), "disks:377/vm-377-disk-1.raw");
	assert_int_equal(jsn_get_int(v, "size", 0), 5 * 1024 * 1024);
}

/* A number is shown with what was heard under it last, until the next broadcast. */
static void an_echo_of_the_one_before(void **state)
{
	struct client *c = *state;
	const struct jsn *r = row(c, "/cluster/resources", "vmid", 311);

	assert_string_equal(jsn_get_text(r, "status"), "unknown");
	assert_string_equal(
	    call_task(c, "POST", "/nodes/alpha/qemu", "vmid=312&memory=32&name=mine"), "OK");
	r = row(c, "/cluster/resources", "vmid", 312);
	assert_string_equal(jsn_get_text(r, "name"), "late");
	assert_string_equal(jsn_get_text(r, "status"), "running");
	assert_int_equal(jsn_get_int(r, "maxcpu", 0), 3);
	sim_run_until(c->sim, 4100);
	r = row(c, "/cluster/resources", "vmid", 312);
	assert_string_equal(jsn_get_text(r, "name"), "mine");
	assert_string_equal(jsn_get_text(r, "status"), "stopped");
	assert_string_equal(
	    jsn_get_text(row(c, "/cluster/resources", "vmid", 311), "status"), "stopped");
	/* Gone and made again at once: what it was is what one sees; after five minutes nothing. */
	assert_string_equal(call_task(c, "DELETE", "/nodes/alpha/qemu/312", NULL), "OK");
	assert_null(row(c, "/cluster/resources", "vmid", 312));
	assert_string_equal(
	    call_task(c, "POST", "/nodes/alpha/qemu", "vmid=312&memory=32&name=again"), "OK");
	assert_string_equal(
	    jsn_get_text(row(c, "/cluster/resources", "vmid", 312), "name"), "mine");
	assert_string_equal(call_task(c, "DELETE", "/nodes/alpha/qemu/312", NULL), "OK");
	sim_run_until(c->sim, sim_now(c->sim) + 400 * 1000);
	while ((sim_now(c->sim) - 4000) % 10000 < 100 || (sim_now(c->sim) - 4000) % 10000 > 2000)
		sim_run_until(c->sim, sim_now(c->sim) + 50);
	assert_string_equal(
	    call_task(c, "POST", "/nodes/alpha/qemu", "vmid=312&memory=32&name=anew"), "OK");
	assert_null(jsn_get_text(row(c, "/cluster/resources", "vmid", 312), "name"));
}

static void the_last_task_is_marked_by_a_number(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", "/nodes/alpha/qemu", "vmid=350&memory=32"), "OK");
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_false(jsn_is_string(jsn_get(jsn_at(c->a.data, 0), "saved")));
	assert_true(jsn_is_string(jsn_get(jsn_at(c->a.data, 1), "saved")));
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_true(jsn_is_string(jsn_get(jsn_at(c->a.data, 0), "saved")));
}

static const char *allowed(struct client *c, const char *auth)
{
	static char text[256];
	char *all;

	c->auth = auth;
	assert_int_equal(call(c, "GET", "/cluster/options", NULL), 200);
	all = jsn_print(jsn_get(c->a.data, "allowed-tags"), false);
	snprintf(text, sizeof(text), "%s", all);
	free(all);
	return text;
}

static void tags_of_guests_one_sees(void **state)
{
	struct client *c = *state;

	assert_string_equal(allowed(c, ROOT), "[\"b\",\"other\",\"z\"]");
	assert_string_equal(allowed(c, "PVEAPIToken=eve@pve!t=s-eve"), "[\"b\",\"z\"]");
}

static void tags_as_they_came(void **state)
{
	struct client *c = *state;

	assert_string_equal(sim_guest_get(c->sim, 310, "tags"), "z;b;Z");
}

static void tags_in_order(void **state)
{
	struct client *c = *state;

	assert_string_equal(sim_guest_get(c->sim, 310, "tags"), "b;z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tasks_and_lines, setup, client_done),
	    cmocka_unit_test_setup_teardown(a_volume_left_behind, setup, client_done),
	    cmocka_unit_test_setup_teardown(an_echo_of_the_one_before, setup, client_done),
	    cmocka_unit_test_setup_teardown(
		the_last_task_is_marked_by_a_number, setup, client_done),
	    cmocka_unit_test_setup_teardown(tags_of_guests_one_sees, setup, client_done),
	    cmocka_unit_test_setup_teardown(tags_as_they_came, setup_8, client_done),
	    cmocka_unit_test_setup_teardown(tags_in_order, setup, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
