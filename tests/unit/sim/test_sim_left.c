/*
 * What a task leaves behind that fails late, is stopped or finds no room. Each test names the
 * function of the real code.
 */
#include "sim_client.h"

#define CLONE(vmid) "/nodes/n1/qemu/" #vmid "/clone"
#define BUSY "error: got lock request timeout"

static const char seed[] =
    "cluster: {name: c, image-data: 4G}\n"
    "timing: {statd: 2s, bandwidth: 1G}\n"
    "nodes: [{name: n1}, {name: n2}, {name: n3}]\n"
    "storages:\n"
    "  - {name: all, type: nfs, path: /mnt/all, content: [images], size: 900G}\n"
    "  - {name: here, type: dir, path: /here, content: [images], size: 900G}\n"
    "  - {name: tight, type: dir, path: /tight, content: [images], size: 3G}\n"
    "  - {name: thin, type: lvmthin, path: vg, content: [images], size: 3G}\n"
    "  - {name: tank, type: zfspool, path: tank, content: [images], size: 30G}\n"
    "pools: [{name: red}]\n"
    "users: [{name: root@pam, tokens: [{name: admin, privsep: false,\n"
    "  secret: 6f1c6e0c-5c1d-4f0e-9a59-000000000001}]}]\n"
    "guests:\n"
    "  - {id: 900, node: n1, template: true, config: {name: t, scsi0: \"all:20,format=raw\"}}\n"
    "  - {id: 901, node: n1, config: {name: u, scsi0: \"here:20,format=raw\"}}\n"
    "  - {id: 902, node: n1, pool: red, config: {name: v, tags: x, scsi0: \"here:1\"}}\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", NULL);
}

static void later(struct client *c, int64_t ms)
{
	sim_run_until(c->sim, sim_now(c->sim) + ms);
}

static char *task_path(const struct client *c)
{
	_cleanup_str_ char *enc = text_url_encode(jsn_text(c->a.data));

	return mem_printf("/nodes/n1/tasks/%s", enc);
}

static const char *ended(struct client *c, const char *task)
{
	_cleanup_str_ char *path = mem_printf("%s/status", task);

	assert_int_equal(call(c, "GET", path, NULL), 200);
	return jsn_get_text(c->a.data, "exitstatus");
}

/* clone_vm: a pool is entered last of all. Whoever is locked out takes the volumes away again, and
 * the file under its old path; one that was already given to its node stays, and names them. */
static void no_pool_and_no_disks(void **state)
{
	struct client *c = *state;

	sim_human_cfslock(c->sim, "file-user_cfg", 60000);
	assert_string_equal(call_task(c, "POST", CLONE(900), "newid=500&pool=red"),
	    "clone failed: can't add VM 500 to pool 'red': cfs-lock 'file-user_cfg' " BUSY);
	assert_false(sim_guest_exists(c->sim, 500));
	assert_int_equal(sim_volumes_of(c->sim, 500), 0);
	assert_string_equal(call_task(c, "POST", CLONE(900), "newid=501&pool=red&target=n2"),
	    "clone failed: can't add VM 501 to pool 'red': cfs-lock 'file-user_cfg' " BUSY);
	assert_string_equal(sim_guest_node(c->sim, 501), "n2");
	assert_null(sim_guest_get(c->sim, 501, "lock"));
	assert_null(sim_guest_pool(c->sim, 501));
	assert_non_null(strstr(sim_guest_get(c->sim, 501, "scsi0"), "vm-501-disk-0"));
	assert_int_equal(sim_volumes_of(c->sim, 501), 0);
	later(c, 60000);
	assert_string_equal(call_task(c, "POST", CLONE(900), "newid=502&pool=red&target=n2"), "OK");
	assert_string_equal(sim_guest_pool(c->sim, 502), "red");
}

/* add_vm_to_pool: one that was deleted meanwhile is left out without a word. */
static void pool_that_is_gone(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *task = NULL;

	assert_int_equal(call(c, "DELETE", "/pools/red", NULL), 500);
	assert_string_equal(
	    c->a.reason, "delete pool failed: pool 'red' is not empty (contains VM 902)");
	assert_int_equal(call(c, "PUT", "/pools/red", "vms=902&delete=1"), 200);
	assert_int_equal(call(c, "POST", CLONE(901), "newid=500&full=1&pool=red"), 200);
	task = task_path(c);
	assert_int_equal(call(c, "DELETE", "/pools/red", NULL), 200);
	later(c, 60000);
	assert_string_equal(ended(c, task), "OK");
	assert_null(sim_guest_pool(c->sim, 500));
}

/* clone_vm: the quorum goes while the pool's lock is waited for. Local volumes can be freed all the
 * same, the file cannot be removed. */
static void no_quorum_for_the_pool(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *task = NULL;
	struct err *e = NULL;

	sim_human_cfslock(c->sim, "file-user_cfg", 8000);
	assert_int_equal(call(c, "POST", CLONE(901), "newid=500&full=1&pool=red"), 200);
	task = task_path(c);
	later(c, 6000); /* the copy takes four seconds */
	assert_null(sim_guest_get(c->sim, 500, "lock"));
	assert_int_equal(sim_node_quorum(c->sim, "n1", false, &e), 0);
	later(c, 60000);
	assert_string_equal(ended(c, task),
	    "clone failed: can't add VM 500 to pool 'red': cfs-lock 'file-user_cfg' error: no "
	    "quorum!");
	assert_string_equal(sim_guest_get(c->sim, 500, "name"), "Copy-of-VM-u");
	assert_int_equal(sim_volumes_of(c->sim, 500), 0);
}

/* move_config_to_node: the quorum goes between the last write and the rename. What was made stays
 * under the source's node, whole if its disks lie where freeing them takes a lock of the cluster.
 */
static void no_quorum_for_the_rename(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *task = NULL;
	struct err *e = NULL;

	assert_int_equal(call(c, "POST", CLONE(900), "newid=500&full=1&target=n2&pool=red"), 200);
	task = task_path(c);
	while (!sim_guest_exists(c->sim, 500) || sim_guest_get(c->sim, 500, "lock"))
		sim_run_until(c->sim, sim_next_event(c->sim));
	assert_string_equal(sim_guest_node(c->sim, 500), "n1");
	assert_int_equal(sim_node_quorum(c->sim, "n1", false, &e), 0);
	later(c, 60000);
	assert_string_equal(ended(c, task),
	    "clone failed: Failed to move config to node 'n2' - rename failed: Permission denied");
	assert_string_equal(sim_guest_node(c->sim, 500), "n1");
	assert_string_equal(sim_guest_get(c->sim, 500, "name"), "Copy-of-VM-t");
	assert_null(sim_guest_get(c->sim, 500, "lock"));
	assert_null(sim_guest_pool(c->sim, 500));
	assert_int_equal(sim_volumes_of(c->sim, 500), 1);
}

/* clone_vmfw_conf comes after the first file and before anything is made good again. */
static void firewall_that_cannot_be_copied(void **state)
{
	struct client *c = *state;

	sim_human_cfslock(c->sim, "firewall-vm-500", 60000);
	assert_string_equal(
	    call_task(c, "POST", CLONE(900), "newid=500"), "cfs-lock 'firewall-vm-500' " BUSY);
	assert_string_equal(sim_guest_get(c->sim, 500, "lock"), "clone");
	assert_string_equal(sim_guest_get(c->sim, 500, "description"), " qmclone temporary file");
	assert_int_equal(sim_volumes_of(c->sim, 500), 0);
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=500"), 400);
}

/* clone_vm: what was stopped and now runs is not cloned. */
static void source_that_was_started(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *task = NULL;

	assert_int_equal(sim_human_flock(c->sim, 901, 500, NULL), 0);
	assert_int_equal(call(c, "POST", CLONE(901), "newid=500"), 200);
	task = task_path(c);
	assert_int_equal(sim_human_power(c->sim, 901, true, NULL), 0);
	later(c, 5000);
	assert_string_equal(ended(c, task), "unexpected state change");
	assert_false(sim_guest_exists(c->sim, 500));
}

/* fork_worker and move_vm_disk: who is stopped says so; a move takes its copy away. */
static void stopped_work(void **state)
{
	static const char move[] = "/nodes/n1/qemu/901/move_disk";
	struct client *c = *state;
	_cleanup_str_ char *task = NULL, *other = NULL;

	assert_int_equal(call(c, "POST", move, "disk=scsi0&storage=all&format=raw"), 200);
	task = task_path(c);
	later(c, 2000);
	assert_int_equal(sim_volumes_of(c->sim, 901), 2);
	assert_int_equal(call(c, "DELETE", task, NULL), 200);
	later(c, 2000);
	assert_string_equal(ended(c, task),
	    "storage migration failed: copy failed: command '/usr/bin/qemu-img convert -p -n -f "
	    "raw "
	    "-O raw /here/images/901/vm-901-disk-0.raw zeroinit:/mnt/all/images/901/"
	    "vm-901-disk-0.raw' failed: interrupted by signal");
	assert_int_equal(sim_volumes_of(c->sim, 901), 1);
	assert_null(sim_guest_get(c->sim, 901, "unused0"));

	assert_int_equal(sim_human_flock(c->sim, 901, 5000, NULL), 0);
	assert_int_equal(call(c, "POST", "/nodes/n1/qemu/901/config", "name=w"), 200);
	other = task_path(c);
	later(c, 1000);
	assert_int_equal(call(c, "DELETE", other, NULL), 200);
	later(c, 10000);
	assert_string_equal(ended(c, other), "received interrupt");
	assert_string_equal(sim_guest_get(c->sim, 901, "name"), "u");
}

static const char *log_line(struct client *c, const char *task, const char *begin)
{
	_cleanup_str_ char *path = mem_printf("%s/log", task);

	assert_int_equal(call(c, "GET", path, "limit=0"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_starts(jsn_get_text(jsn_at(c->a.data, i), "t"), begin))
			return jsn_get_text(jsn_at(c->a.data, i), "t");
	return NULL;
}

/* qemu_img_convert, run_command: what the program complains of stands in the log, how it ended in
 * the task's status. Four GiB of data find three. */
static void no_room_for_a_copy(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *task = NULL, *other = NULL;

	assert_int_equal(
	    call(c, "POST", CLONE(901), "newid=500&full=1&storage=tight&format=raw"), 200);
	task = task_path(c);
	later(c, 2000);
	assert_true(sim_guest_exists(c->sim, 500));
	later(c, 20000);
	assert_string_equal(ended(c, task),
	    "clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n -f raw -O raw "
	    "/here/images/901/vm-901-disk-0.raw zeroinit:/tight/images/500/vm-500-disk-0.raw' "
	    "failed: exit code 1");
	assert_true(text_ends(log_line(c, task, "qemu-img: error while writing at byte 32"),
	    ": No space left on device"));
	assert_false(sim_guest_exists(c->sim, 500));
	assert_int_equal(sim_volumes_of(c->sim, 500), 0);

	assert_int_equal(
	    call(c, "POST", "/nodes/n1/qemu/901/move_disk", "disk=scsi0&storage=thin"), 200);
	other = task_path(c);
	later(c, 20000);
	assert_string_equal(ended(c, other),
	    "storage migration failed: copy failed: command '/usr/bin/qemu-img convert -p -n -f "
	    "raw "
	    "-O raw /here/images/901/vm-901-disk-0.raw /dev/vg/vm-901-disk-0' failed: exit code 1");
	assert_non_null(log_line(c, other, "qemu-img: error"));
	assert_int_equal(sim_volumes_of(c->sim, 901), 1);
	assert_string_equal(
	    sim_guest_get(c->sim, 901, "scsi0"), "here:901/vm-901-disk-0.raw,size=20G");
}

/* zfs_create_zvol: space for all of a volume is set aside when it is made, beside clones. */
static void no_room_for_a_zvol(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", "/nodes/n1/qemu/901/config", "scsi1=tank:20"), 200);
	assert_int_equal(call(c, "PUT", "/nodes/n1/qemu/901/config", "scsi2=tank:20"), 500);
	assert_string_equal(
	    c->a.reason, "zfs error: cannot create 'tank/vm-901-disk-1': out of space");
	assert_null(sim_guest_get(c->sim, 901, "scsi2"));
}

/* destroy_vm: the volumes go first, then the file is emptied, then rights and pool; the file goes
 * last. Who is locked out of the list of users leaves a number that only root can free. */
static void emptied_file(void **state)
{
	struct client *c = *state;
	const struct jsn *d;

	sim_human_cfslock(c->sim, "file-user_cfg", 60000);
	assert_string_equal(call_task(c, "DELETE", "/nodes/n1/qemu/902", "purge=1"),
	    "access permissions cleanup for VM 902 failed: cfs-lock 'file-user_cfg' " BUSY);
	assert_int_equal(sim_volumes_of(c->sim, 902), 0);
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/902/config", NULL), 200);
	d = c->a.data;
	assert_string_equal(jsn_get_text(d, "lock"), "destroyed");
	assert_non_null(jsn_get(d, "digest"));
	assert_null(jsn_get(d, "name"));
	assert_null(jsn_get(d, "smbios1"));
	assert_null(jsn_get(d, "scsi0"));
	assert_string_equal(sim_guest_pool(c->sim, 902), "red");
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/902/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "name"), "VM 902");
	assert_string_equal(
	    call_task(c, "DELETE", "/nodes/n1/qemu/902", NULL), "VM is locked (destroyed)");
	assert_int_equal(call(c, "PUT", "/nodes/n1/qemu/902/config", "name=w"), 500);
	assert_string_equal(c->a.reason, "VM is locked (destroyed)");
	/* Otherwise it is so for a moment only. */
	later(c, 60000);
	assert_string_equal(call_task(c, "DELETE", "/nodes/n1/qemu/901", NULL), "OK");
	assert_false(sim_guest_exists(c->sim, 901));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, client_done)
	const struct CMUnitTest tests[] = {T(no_pool_and_no_disks), T(pool_that_is_gone),
	    T(no_quorum_for_the_pool), T(no_quorum_for_the_rename),
	    T(firewall_that_cannot_be_copied), T(source_that_was_started), T(stopped_work),
	    T(no_room_for_a_copy), T(no_room_for_a_zvol), T(emptied_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
