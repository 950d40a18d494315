/* Copies take as long as the options of the data center allow; what a slow one holds up. */
#include "sim_client.h"

static const char *const seed =
    "timing: {bandwidth: 1G, request: 1, alloc: 0, work: 0, fork: 1}\n"
    "nodes: [{name: alpha, bridges: [vmbr0]}]\n"
    "storages:\n"
    "  - {name: disks, type: dir, content: [images, import], size: 900G,\n"
    "     import: [{name: os.qcow2, size: 160M, virtual: 160M}]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "guests: [{id: 310, config: {memory: 64}}]\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, NULL, "PVEAPIToken=root@pam!all=s-root");
}

#define CONFIG "/nodes/alpha/qemu/310/config"
#define IMPORT "=disks:0,import-from=disks:import/os.qcow2"

/* 160 MiB at 4096 KiB/s are 40 s: longer than pveproxy waits for an answer. */
static void a_slow_import_is_cut_and_goes_on(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", "/cluster/options", "bwlimit=clone=4096,move=1"), 200);
	assert_int_equal(call(c, "PUT", CONFIG, "scsi3" IMPORT), 596);
	assert_in_range(c->a.at, 30000, 30100);
	assert_null(sim_guest_get(c->sim, 310, "scsi3"));
	/* It still has the file lock. */
	assert_int_equal(call(c, "PUT", CONFIG, "cores=3"), 200);
	assert_in_range(c->a.at, 40000, 40200);
	assert_non_null(sim_guest_get(c->sim, 310, "scsi3"));
}

static void others_wait_for_it_ten_seconds(void **state)
{
	struct client *c = *state, other = {.sim = c->sim, .auth = c->auth};

	assert_int_equal(call(c, "PUT", "/cluster/options", "bwlimit=default=8192"), 200);
	client_send(c, "PUT", CONFIG, "scsi3" IMPORT);
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_int_equal(call(&other, "PUT", CONFIG, "cores=3"), 500);
	assert_non_null(strstr(other.a.reason, "lock-310.conf' - got timeout"));
	answer_fini(&other.a);
	while (!c->a.there)
		sim_run_until(c->sim, sim_next_event(c->sim));
	assert_int_equal(c->a.status, 200);
	assert_in_range(c->a.at, 20000, 20200);
}

static void without_a_limit(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", CONFIG, "scsi3" IMPORT), 200);
	assert_in_range(c->a.at, 150, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_slow_import_is_cut_and_goes_on, setup, client_done),
	    cmocka_unit_test_setup_teardown(others_wait_for_it_ten_seconds, setup, client_done),
	    cmocka_unit_test_setup_teardown(without_a_limit, setup, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
