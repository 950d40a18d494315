/* Cloning as a client sees it. */
#include "sim_client.h"

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

static void full_clone_to_lvm(void **state)
{
	struct client *c = *state;
	const struct kv *conf;

	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu/100/clone",
				"newid=200&full=1&name=web-1&description=d&pool=production"),
	    "OK");
	conf = sim_guest_conf(c->sim, 200);
	assert_non_null(conf);
	assert_string_equal(kv_get(conf, "name"), "web-1");
	assert_string_equal(kv_get(conf, "description"), "d");
	assert_string_equal(kv_get(conf, "scsi0"), "local-lvm:vm-200-disk-0,iothread=1,size=20G");
	assert_string_equal(kv_get(conf, "ide2"), "local:iso/debian-13.iso,media=cdrom,size=700M");
	assert_string_equal(kv_get(conf, "tags"), "debian;template");
	assert_null(kv_get(conf, "template"));
	assert_null(kv_get(conf, "lock"));
	assert_string_not_equal(kv_get(conf, "net0"), sim_guest_get(c->sim, 100, "net0"));
	assert_string_not_equal(kv_get(conf, "smbios1"), sim_guest_get(c->sim, 100, "smbios1"));
	assert_string_equal(sim_guest_pool(c->sim, 200), "production");
	assert_true(
	    sim_volume_size(c->sim, "pve1", "local-lvm:vm-200-disk-0") == (int64_t)20 << 30);
}

static void linked_clone_names_its_base(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=9200"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 9200, "scsi0"),
	    "shared:9000/base-9000-disk-0.qcow2/9200/"
	    "vm-9200-disk-0.qcow2,discard=on,size=10G,ssd=1");
	assert_string_equal(sim_guest_get(c->sim, 9200, "virtio1"),
	    "shared:9000/base-9000-disk-0.raw/9200/vm-9200-disk-1.qcow2,backup=0,size=4G");
	assert_string_equal(sim_guest_get(c->sim, 9200, "ide2"),
	    "shared:9200/vm-9200-cloudinit.qcow2,media=cdrom,size=4M");
	assert_string_equal(sim_guest_get(c->sim, 9200, "name"), "Copy-of-VM-tmpl");
}

static void phases(void **state)
{
	struct client *c = *state;
	const char *upid;

	/* 20 GiB at 1 GiB a second. */
	assert_int_equal(call(c, "POST", "/nodes/pve1/qemu/100/clone",
			     "newid=201&full=1&bwlimit=1048576&target=pve1"),
	    200);
	upid = jsn_text(c->a.data);
	assert_true(text_starts(upid, "UPID:pve1:"));
	assert_true(text_ends(upid, ":qmclone:100:root@pam!admin:"));
	sim_run_until(c->sim, sim_now(c->sim) + 60);
	assert_int_equal(call(c, "GET", "/nodes/pve1/qemu/201/config", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "description"), " qmclone temporary file");
	assert_string_equal(jsn_get_text(c->a.data, "lock"), "clone");
	assert_string_equal(
	    jsn_get_text(c->a.data, "digest"), "eb54fb9d9f120ba0c3bdf694f73b10002c375c38");
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=201"), 400);
	assert_string_equal(param_error(c, "vmid"), "VM 201 already exists");
	assert_int_equal(call(c, "PUT", "/nodes/pve1/qemu/201/config", "cores=2"), 500);
	assert_string_equal(c->a.reason, "VM is locked (clone)");
	sim_run_until(c->sim, sim_now(c->sim) + 21000);
	assert_null(sim_guest_get(c->sim, 201, "lock"));
	assert_int_equal(sim_tasks_running(c->sim), 0);
}

static void early_refusals(void **state)
{
	struct client *c = *state;
	static const struct {
		const char *path, *params;
		int status;
		const char *reason;
	} v[] = {
	    {"/nodes/pve1/qemu/9000/clone", "newid=210&storage=shared", 500,
		"parameter 'storage' not allowed for linked clones"},
	    {"/nodes/pve1/qemu/9000/clone", "newid=101&target=pve9", 500,
		"no such cluster node 'pve9'"},
	    {"/nodes/pve1/qemu/100/clone", "newid=210&target=pve2", 500,
		"can't clone VM to node 'pve2' (VM uses local storage)"},
	    {"/nodes/pve1/qemu/9000/clone", "newid=210&full=1&storage=local&target=pve2", 500,
		"can't clone to non-shared storage 'local'"},
	    {"/nodes/pve1/qemu/9000/clone", "newid=100", 500,
		"unable to create VM 100: config file already exists"},
	    {"/nodes/pve1/qemu/9000/clone", "newid=210&pool=none", 403,
		"Permission check failed (pool 'none' does not exist)"},
	    {"/nodes/pve2/qemu/9000/clone", "newid=210", 500,
		"unable to find configuration file for VM 9000 on node 'pve2'"},
	    {"/nodes/pve1/qemu/9000/clone", "newid=210&snapname=s1", 500,
		"snapshot 's1' does not exist"},
	    {"/nodes/pve1/qemu/9000/clone", "newid=99", 400, "Parameter verification failed."},
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(call(c, "POST", v[i].path, v[i].params), v[i].status);
		assert_string_equal(c->a.reason, v[i].reason);
	}
	assert_false(sim_guest_exists(c->sim, 210));
}

static void collision_on_another_node_fails_in_the_task(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=101"),
	    "close (rename) atomic file '/etc/pve/nodes/pve1/qemu-server/101.conf' failed: File "
	    "exists");
	assert_string_equal(sim_guest_get(c->sim, 101, "name"), "legacy");
}

static void target_moves_the_new_guest(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=220&target=pve3&name=a"),
	    "OK");
	assert_string_equal(sim_guest_node(c->sim, 220), "pve3");
}

static void stopped_task_cleans_up(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *enc = NULL;

	assert_int_equal(
	    call(c, "POST", "/nodes/pve1/qemu/100/clone", "newid=230&full=1&bwlimit=1024"), 200);
	enc = text_url_encode(jsn_text(c->a.data));
	path = mem_printf("/nodes/pve1/tasks/%s", enc);
	sim_run_until(c->sim, sim_now(c->sim) + 2000);
	assert_true(sim_guest_exists(c->sim, 230));
	assert_int_equal(call(c, "DELETE", path, NULL), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 2000);
	assert_false(sim_guest_exists(c->sim, 230));
	assert_int_equal(sim_volumes_of(c->sim, 230), 0);
}

static void power_loss_leaves_debris(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *enc = NULL;

	assert_int_equal(
	    call(c, "POST", "/nodes/pve1/qemu/100/clone", "newid=231&full=1&bwlimit=1024"), 200);
	enc = text_url_encode(jsn_text(c->a.data));
	path = mem_printf("/nodes/pve1/tasks/%s/status", enc);
	sim_run_until(c->sim, sim_now(c->sim) + 2000);
	assert_int_equal(sim_node_power(c->sim, "pve1", false, NULL), 0);
	c->node = "pve2";
	assert_int_equal(call(c, "GET", path, NULL), 595);
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
	assert_int_equal(sim_node_power(c->sim, "pve1", true, NULL), 0);
	assert_int_equal(call(c, "GET", path, NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "exitstatus"), "unexpected status");
	assert_string_equal(sim_guest_get(c->sim, 231, "lock"), "clone");
	assert_int_equal(sim_volumes_of(c->sim, 231), 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {T(full_clone_to_lvm), T(linked_clone_names_its_base),
	    T(phases), T(early_refusals), T(collision_on_another_node_fails_in_the_task),
	    T(target_moves_the_new_guest), T(stopped_task_cleans_up), T(power_loss_leaves_debris)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
