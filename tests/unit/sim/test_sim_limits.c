/*
 * What is short in a cluster: workers of pvedaemon, locks of storages, numbers; and what is left
 * when a volume cannot be removed.
 */
#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define G(n) "/nodes/n/qemu/" #n

static const char seed[] =
    "timing: {alloc: 8s, clone-image: 8s, link: 8s, bandwidth: 10T}\n"
    "nodes: [{name: n}, {name: m}]\n"
    "storages:\n"
    "  - {name: far, type: nfs, content: [images], size: 100G}\n"
    "  - {name: near, type: dir, content: [images], size: 100G}\n"
    "users: [{name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}]\n"
    "guests:\n"
    "  - {id: 100, node: n, config: {name: a}}\n"
    "  - {id: 101, node: n, config: {name: b}}\n"
    "  - {id: 102, node: n, config: {name: c}}\n"
    "  - {id: 103, node: n, config: {name: d}}\n"
    "  - {id: 110, node: n, template: true, config: {name: e, scsi0: \"far:1\"}}\n"
    "  - {id: 111, node: n, template: true, config: {name: f, scsi0: \"near:1\"}}\n"
    "  - {id: 112, node: n, config: {name: g, scsi0: \"near:1\"}}\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

/* Three requests that wait for a lock hold all workers of pvedaemon: what it would have to do waits
 * for the first of them, what pveproxy does itself does not, nor does another node. */
static void three_that_wait_hold_up_the_rest(void **state)
{
	static const char *const paths[] = {G(100) "/config", G(101) "/config", G(102) "/config"};
	struct client *c = *state;
	struct client others[3];
	int64_t start = sim_now(c->sim);

	for (int i = 0; i < 3; i++) {
		others[i] = (struct client){.sim = c->sim, .auth = ROOT};
		assert_int_equal(sim_human_flock(c->sim, 100 + i, 60000, NULL), 0);
		client_send(&others[i], "PUT", paths[i], "name=x");
	}
	sim_run_until(c->sim, start + 500);
	assert_int_equal(call(c, "GET", G(103) "/config", NULL), 200);
	assert_true(c->a.at - start < 1000);
	assert_int_equal(call(c, "PUT", G(103) "/config", "name=y"), 200);
	assert_in_range(c->a.at - start, 10000, 11000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(others[i].a.status, 500);
		assert_non_null(strstr(others[i].a.reason, " - got timeout"));
		answer_fini(&others[i].a);
	}
}

/* Ends of these tasks, one text for each. */
static void ends(struct client *c, const char *path, size_t n, unsigned *ret_ok, const char *why)
{
	struct strs upids = {0};

	*ret_ok = 0;
	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ char *p = mem_printf("newid=%zu", 500 + i);

		assert_int_equal(call(c, "POST", path, p), 200);
		strs_add(&upids, jsn_text(c->a.data));
	}
	sim_run_until(c->sim, sim_now(c->sim) + 120000);
	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ char *enc = text_url_encode(upids.v[i]);
		_cleanup_str_ char *p = mem_printf("/nodes/n/tasks/%s/status", enc);
		const char *end;

		assert_int_equal(call(c, "GET", p, NULL), 200);
		end = jsn_get_text(c->a.data, "exitstatus");
		if (text_eq(end, "OK"))
			++*ret_ok;
		else
			assert_string_equal(end, why);
		assert_true(sim_guest_exists(c->sim, 500 + (int64_t)i) == text_eq(end, "OK"));
	}
	strs_fini(&upids);
}

/* Each volume needs the lock of its storage within ten seconds: where making one takes eight, of
 * four clones at once two are too late, and leave nothing. */
static void some_come_late(struct client *c, const char *path, const char *why)
{
	unsigned ok;

	ends(c, path, 4, &ok, why);
	assert_in_range(ok, 1, 2);
}

static void clones_wait_for_their_storage(void **state)
{
	some_come_late(*state, G(111) "/clone",
	    "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-near' - got timeout");
}

static void clones_wait_for_the_cluster(void **state)
{
	some_come_late(*state, G(110) "/clone",
	    "clone failed: cfs-lock 'storage-far' error: got lock request timeout");
}

/* Cluster nextid */
static void numbers_come_from_a_range(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/cluster/nextid", NULL), 200);
	assert_string_equal(jsn_text(c->a.data), "104");
	assert_int_equal(call(c, "PUT", "/cluster/options", "next-id=lower=110,upper=114"), 200);
	assert_int_equal(call(c, "GET", "/cluster/nextid", NULL), 200);
	assert_string_equal(jsn_text(c->a.data), "113");
	assert_string_equal(call_task(c, "POST", "/nodes/m/qemu", "vmid=113"), "OK");
	assert_int_equal(call(c, "GET", "/cluster/nextid", NULL), 500);
	assert_string_equal(c->a.reason, "unable to get any free VMID in range [110, 114]");
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=113"), 400);
	assert_string_equal(param_error(c, "vmid"), "VM 113 already exists");
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=99"), 400);
}

/* destroy_vm: a volume that cannot be removed is a warning, which only 9 counts. */
static void what_cannot_be_removed_stays(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *version = NULL;
	bool nine;

	assert_int_equal(call(c, "GET", "/version", NULL), 200);
	version = mem_strdup(jsn_get_text(c->a.data, "version"));
	nine = *version == '9';
	assert_int_equal(sim_store_stuck(c->sim, "near", true, NULL), 0);
	assert_string_equal(call_task(c, "DELETE", G(112), "purge=1"), nine ? "WARNINGS: 1" : "OK");
	assert_false(sim_guest_exists(c->sim, 112));
	assert_int_equal(sim_volumes_of(c->sim, 112), 1);
	/* It waits there for whoever gets the number. */
	assert_int_equal(call(c, "GET", "/nodes/n/storage/near/content", "vmid=112"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_int_equal(sim_store_stuck(c->sim, "near", false, NULL), 0);
	assert_string_equal(call_task(c, "POST", "/nodes/n/qemu", "vmid=112&scsi0=near:1"), "OK");
	assert_non_null(strstr(sim_guest_get(c->sim, 112, "scsi0"), "vm-112-disk-1"));
	assert_string_equal(call_task(c, "DELETE", G(112), "destroy-unreferenced-disks=1"), "OK");
	assert_int_equal(sim_volumes_of(c->sim, 112), 0);
}

#define BOTH(f)                                                 \
	cmocka_unit_test_setup_teardown(f, setup, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(three_that_wait_hold_up_the_rest),
	    BOTH(clones_wait_for_their_storage),
	    BOTH(clones_wait_for_the_cluster),
	    BOTH(numbers_come_from_a_range),
	    BOTH(what_cannot_be_removed_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
