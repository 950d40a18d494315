/* Backups that are restored: over a guest, as a new one, by whom. create_vm with an archive. */
#include "sim_client.h"

#define NODE "/nodes/birch"
#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define BOT "PVEAPIToken=bot@pve!t=" SECRET

static const char seed[] =
    "timing: {bandwidth: 100M}\n"
    "nodes: [{name: birch}, {name: maple}]\n"
    "storages:\n"
    "  - {name: disks, type: dir, content: [images], size: 100G}\n"
    "  - {name: fast, type: lvmthin, content: [images], size: 100G}\n"
    "  - {name: bak, type: dir, content: [backup], size: 100G}\n"
    "roles:\n"
    "  - {name: Saver, privs: [VM.Backup, VM.Audit]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl:\n"
    "  - {path: /storage, who: bot@pve, role: Room}\n"
    "  - {path: /vms/540, who: bot@pve, role: Saver}\n"
    "pools: [team]\n"
    "guests:\n"
    "  - id: 540\n"
    "    node: birch\n"
    "    pool: team\n"
    "    config:\n"
    "      {name: web, cores: 2, tags: a, description: first, boot: \"order=scsi0\",\n"
    "       net0: \"virtio=BC:24:11:00:00:01,bridge=vmbr0\",\n"
    "       scsi0: \"disks:6,format=qcow2\", scsi1: \"disks:1,backup=0,format=qcow2\"}\n"
    "  - {id: 541, node: birch, config: {name: kept, protection: 1}}\n"
    "  - {id: 542, node: birch, running: true, config: {name: up}}\n"
    "  - {id: 543, node: maple, config: {name: far}}\n"
    "  - {id: 544, node: birch, config: {name: busy, lock: snapshot}}\n"
    "  - id: 545\n"
    "    node: birch\n"
    "    template: true\n"
    "    config: {name: gold, boot: \"order=scsi0\", scsi0: \"disks:3\"}\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

/* A backup; its volume. */
static char *save(struct client *c, const char *vmid)
{
	_cleanup_str_ char *p = mem_printf("vmid=%s&storage=bak&compress=zstd", vmid);
	const struct jsn *last;

	assert_string_equal(call_task(c, "POST", NODE "/vzdump", p), "OK");
	assert_int_equal(call(c, "GET", NODE "/storage/bak/content", "content=backup"), 200);
	assert_true(jsn_len(c->a.data) > 0);
	last = jsn_at(c->a.data, jsn_len(c->a.data) - 1);
	return mem_strdup(jsn_get_text(last, "volid"));
}

static const char *restore(struct client *c, const char *archive, const char *more)
{
	_cleanup_str_ char *p = mem_printf("archive=%s&%s", archive, more);

	return call_task(c, "POST", NODE "/qemu", p);
}

static void refused(
    struct client *c, const char *archive, const char *more, int status, const char *reason)
{
	_cleanup_str_ char *p = mem_printf("archive=%s&%s", archive, more);

	assert_int_equal(call(c, "POST", NODE "/qemu", p), status);
	assert_string_equal(c->a.reason, reason);
}

static char *kept(struct client *c, int64_t vmid, const char *key)
{
	return mem_strdup(sim_guest_get(c->sim, vmid, key));
}

/* restore_merge_config, restore_cleanup_oldconf */
static void over_a_guest(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *archive = save(c, "540"), *uuid = kept(c, 540, "smbios1"),
			   *gen = kept(c, 540, "vmgenid"), *net = kept(c, 540, "net0"),
			   *apart = kept(c, 540, "scsi1");

	assert_int_equal(call(c, "PUT", NODE "/qemu/540/config",
			     "cores=7&tags=b&description=second&delete=net0"),
	    200);
	assert_string_equal(call_task(c, "POST", NODE "/qemu/540/snapshot", "snapname=late"), "OK");
	refused(c, archive, "vmid=540", 500,
	    "unable to restore VM 540 - VM 540 already exists on node 'birch'");
	assert_string_equal(restore(c, archive, "vmid=540&force=1"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 540, "cores"), "2");
	assert_string_equal(sim_guest_get(c->sim, 540, "tags"), "a");
	assert_string_equal(sim_guest_get(c->sim, 540, "description"), "first");
	assert_string_equal(sim_guest_get(c->sim, 540, "net0"), net);
	assert_string_equal(sim_guest_get(c->sim, 540, "smbios1"), uuid);
	assert_string_not_equal(sim_guest_get(c->sim, 540, "vmgenid"), gen);
	assert_null(sim_guest_get(c->sim, 540, "lock"));
	assert_null(sim_guest_get(c->sim, 540, "parent"));
	assert_string_equal(sim_guest_pool(c->sim, 540), "team");
	/* What was not in the archive is set aside. */
	assert_null(sim_guest_get(c->sim, 540, "scsi1"));
	assert_memory_equal(sim_guest_get(c->sim, 540, "unused0"), apart, strcspn(apart, ","));
	assert_int_equal(sim_volumes_of(c->sim, 540), 2);
	assert_int_equal(call(c, "GET", NODE "/qemu/540/snapshot", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 1); /* "current" alone */
}

static void as_a_new_one(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *archive = save(c, "540"), *gold = NULL;

	assert_string_equal(
	    restore(c, archive, "vmid=560&storage=fast&unique=1&name=copy&start=1"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 560, "name"), "copy");
	assert_int_equal(strncmp(sim_guest_get(c->sim, 560, "scsi0"), "fast:vm-560-disk-0", 18), 0);
	assert_non_null(strstr(sim_guest_get(c->sim, 560, "net0"), ",bridge=vmbr0"));
	assert_null(strstr(sim_guest_get(c->sim, 560, "net0"), "BC:24:11:00:00:01"));
	assert_string_not_equal(
	    sim_guest_get(c->sim, 560, "smbios1"), sim_guest_get(c->sim, 540, "smbios1"));
	assert_null(sim_guest_pool(c->sim, 560));
	gold = save(c, "545");
	assert_string_equal(restore(c, gold, "vmid=561&pool=team"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 561, "template"), "1");
	assert_non_null(strstr(sim_guest_get(c->sim, 561, "scsi0"), "base-561-disk-0"));
	assert_string_equal(sim_guest_pool(c->sim, 561), "team");
}

/* restorefn: the HA manager is asked last, to take the guest or to want something else of it. */
static void looked_after_from_then_on(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *archive = save(c, "540");

	assert_string_equal(restore(c, archive, "vmid=562&start=1&ha-managed=1"), "OK");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/vm:562", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "state"), "started");
	assert_int_equal(
	    call(c, "POST", "/cluster/ha/resources", "sid=vm:540&state=ignored&comment=mine"), 200);
	assert_string_equal(restore(c, archive, "vmid=540&force=1&ha-managed=1"), "OK");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/vm:540", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "state"), "stopped");
	assert_string_equal(jsn_get_text(c->a.data, "comment"), "mine");
}

static void what_is_refused(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *archive = save(c, "540");

	refused(c, archive, "vmid=543&force=1", 500,
	    "unable to restore VM 543 - close (rename) atomic file "
	    "'/etc/pve/nodes/birch/qemu-server/543.conf' failed: File exists");
	refused(c, archive, "vmid=544&force=1", 500,
	    "unable to restore VM 544 - VM is locked (snapshot)");
	refused(c, "bak:backup/vzdump-qemu-1-2026_01_01-00_00_00.vma", "vmid=570", 500,
	    "volume 'bak:backup/vzdump-qemu-1-2026_01_01-00_00_00.vma' does not exist");
	refused(c, archive, "vmid=570&scsi0=disks:1", 400, "Parameter verification failed.");
	assert_string_equal(jsn_get_text(jsn_get(c->a.body, "errors"), "scsi0"),
	    "option conflicts with option 'archive'");
	assert_string_equal(restore(c, archive, "vmid=541&force=1"),
	    "unable to restore VM 541 - - protection mode enabled");
	assert_null(sim_guest_get(c->sim, 541, "lock"));
	assert_string_equal(
	    restore(c, archive, "vmid=542&force=1"), "unable to restore VM 542 - vm is running");
	assert_true(sim_guest_running(c->sim, 542));
	/* Over one's own with VM.Backup, nothing else. */
	c->auth = BOT;
	refused(c, archive, "vmid=571", 403, "Permission check failed");
	refused(c, archive, "vmid=541&force=1", 403, "Permission check failed");
	assert_string_equal(restore(c, archive, "vmid=540&force=1"), "OK");
}

/* By hand, while somebody else is responsible for the guest. */
static void by_a_person(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *gen = kept(c, 540, "vmgenid"), *uuid = kept(c, 540, "smbios1");
	_cleanup_kv_ struct kv set = {0};

	kv_set(&set, "description", "of long ago");
	assert_int_equal(sim_human_restore(c->sim, 540, "ops@pam", &set, NULL), 0);
	assert_string_equal(sim_guest_get(c->sim, 540, "description"), "of long ago");
	assert_string_equal(sim_guest_get(c->sim, 540, "smbios1"), uuid);
	assert_string_not_equal(sim_guest_get(c->sim, 540, "vmgenid"), gen);
	assert_int_equal(sim_volumes_of(c->sim, 540), 2);
	assert_int_equal(sim_human_restore(c->sim, 542, "ops@pam", NULL, NULL), 0);
	assert_false(sim_guest_running(c->sim, 542));
	assert_int_equal(sim_human_restore(c->sim, 999, "ops@pam", NULL, NULL), -1);
}

#define BOTH(f)                                                 \
	cmocka_unit_test_setup_teardown(f, setup, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(over_a_guest),
	    BOTH(as_a_new_one),
	    cmocka_unit_test_setup_teardown(looked_after_from_then_on, setup, client_done),
	    BOTH(what_is_refused),
	    BOTH(by_a_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
