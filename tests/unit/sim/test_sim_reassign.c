/* A disk that changes its guest, and when it does not. */
#include <inttypes.h>

#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define BOT "PVEAPIToken=bot@pve!t=" SECRET
#define MOVE(vmid) "/nodes/n/qemu/" #vmid "/move_disk"

static const char *const seed =
    "nodes: [{name: n}, {name: m}]\n"
    "storages:\n"
    "  - {name: files, type: dir, path: /srv, content: [images, iso], size: 900G, iso: [a.iso]}\n"
    "  - {name: thin, type: lvmthin, content: [images], size: 900G}\n"
    "roles:\n"
    "  - {name: Disks, privs: [VM.Config.Disk, VM.Audit]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl:\n"
    "  - {path: /vms/400, who: bot@pve, role: Disks}\n"
    "  - {path: /vms/401, who: bot@pve, role: Disks}\n"
    "  - {path: /storage/files, who: bot@pve, role: Room}\n"
    "guests:\n"
    "  - {id: 400, node: n, config: {name: from, boot: \"order=scsi1;scsi0\", scsi0: \"files:1\",\n"
    "      scsi1: \"files:2,format=qcow2,discard=on\", scsi2: \"thin:3\",\n"
    "      ide2: \"files:iso/a.iso,media=cdrom\"}}\n"
    "  - {id: 401, node: n, config: {name: to, scsi0: \"files:1\"}}\n"
    "  - {id: 402, node: m, config: {name: far}}\n"
    "  - {id: 403, node: n, running: true, config: {name: runs, scsi0: \"files:1\"}}\n"
    "  - {id: 404, node: n, template: true, config: {name: mold, scsi0: \"files:1\"}}\n";

static int setup_9(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static const char *conf(struct client *c, int64_t vmid, const char *key)
{
	return sim_guest_get(c->sim, vmid, key);
}

static void with_its_options_to_the_next_number(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "POST", MOVE(400), "disk=scsi1&target-vmid=401&target-disk=virtio3"),
	    "OK");
	assert_null(conf(c, 400, "scsi1"));
	assert_string_equal(conf(c, 400, "boot"), "order=scsi0");
	assert_string_equal(
	    conf(c, 401, "virtio3"), "files:401/vm-401-disk-1.qcow2,discard=on,size=2G");
	assert_int_equal(sim_volume_size(c->sim, "n", "files:400/vm-400-disk-1.qcow2"), -1);
	assert_true(
	    sim_volume_size(c->sim, "n", "files:401/vm-401-disk-1.qcow2") == INT64_C(2) << 30);
	assert_int_equal(sim_volumes_of(c->sim, 400), 2);
	assert_int_equal(sim_volumes_of(c->sim, 401), 2);
	/* What the task is called, and what it says. */
	assert_int_equal(call(c, "GET", "/nodes/n/tasks", "source=all&typefilter=qmmove"), 200);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "id"), "400-scsi1>401-virtio3");
	assert_int_equal(call(c, "GET", "/cluster/log", NULL), 200);
	assert_non_null(strstr(c->a.text, "update VM 401: -virtio3 files:401/vm-401-disk-1.qcow2"));
	/* It is the other guest's in every way. */
	assert_string_equal(call_task(c, "DELETE", "/nodes/n/qemu/401", NULL), "OK");
	assert_int_equal(sim_volume_size(c->sim, "n", "files:401/vm-401-disk-1.qcow2"), -1);
}

static void unused_ones_too(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", "/nodes/n/qemu/400/config", "delete=scsi2"), 200);
	assert_string_equal(call_task(c, "POST", MOVE(400), "disk=unused0&target-vmid=401"), "OK");
	assert_null(conf(c, 400, "unused0"));
	assert_string_equal(conf(c, 401, "unused0"), "thin:vm-401-disk-0");
	assert_string_equal(
	    call_task(c, "POST", MOVE(401), "disk=unused0&target-vmid=400&target-disk=scsi2"),
	    "OK");
	assert_string_equal(conf(c, 400, "scsi2"), "thin:vm-400-disk-0,size=3G");
	/* One that runs gives only what it does not use, and takes what can be plugged. */
	assert_int_equal(
	    call(c, "POST", MOVE(403), "disk=scsi0&target-vmid=401&target-disk=scsi9"), 500);
	assert_string_equal(c->a.reason,
	    "Cannot move disk to another VM while the source VM is running - detach first");
	assert_string_equal(
	    call_task(c, "POST", MOVE(400), "disk=scsi2&target-vmid=403&target-disk=scsi1"), "OK");
	assert_string_equal(conf(c, 403, "scsi1"), "thin:vm-403-disk-0,size=3G");
}

static void what_is_refused(void **state)
{
	struct client *c = *state;
	static const struct {
		const char *params, *why;
	} cases[] = {
	    {"disk=scsi1&target-vmid=499", "could not find target VM 499"},
	    {"disk=scsi1&target-vmid=402", "Both VMs need to be on the same node (n != m)"},
	    {"disk=scsi1&target-vmid=404", "Can't move disks from or to template VMs"},
	    {"disk=scsi7&target-vmid=401", "Disk 'scsi7' for VM '400' does not exist"},
	    {"disk=scsi0&target-vmid=401",
		"Target disk key 'scsi0' is already in use for VM '401'"},
	    {"disk=ide2&target-vmid=401", "CD drive contents can't be moved to another VM"},
	    {"disk=scsi1&target-vmid=401&digest=00",
		"VM 400: detected modified configuration - file changed by other user? Try again."},
	    {"disk=scsi1&target-vmid=401&target-digest=00",
		"VM 401: detected modified configuration - file changed by other user? Try again."},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(call(c, "POST", MOVE(400), cases[i].params), 500);
		assert_string_equal(c->a.reason, cases[i].why);
	}
	assert_int_equal(call(c, "POST", MOVE(400), "disk=scsi1&target-vmid=400"), 400);
	assert_string_equal(
	    param_error(c, "target-vmid"), "must be different than source VMID to reassign disk");
	assert_int_equal(
	    call(c, "POST", MOVE(400), "disk=scsi1&target-vmid=401&storage=thin"), 400);
	assert_string_equal(
	    param_error(c, "storage"), "either set 'storage' or 'target-vmid', but not both");
	assert_int_equal(sim_human_lock(c->sim, 401, "backup", NULL), 0);
	assert_int_equal(call(c, "POST", MOVE(400), "disk=scsi1&target-vmid=401"), 500);
	assert_string_equal(c->a.reason, "VM is locked (backup)");
	assert_int_equal(sim_human_lock(c->sim, 401, NULL, NULL), 0);
	/* It is looked again with both locks in hand. */
	assert_int_equal(sim_human_flock(c->sim, 401, 3000, NULL), 0);
	assert_int_equal(call(c, "POST", MOVE(400), "disk=scsi1&target-vmid=401"), 200);
	assert_int_equal(sim_human_lock(c->sim, 401, "backup", NULL), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 6000);
	assert_non_null(conf(c, 400, "scsi1"));
	assert_null(conf(c, 401, "scsi1"));
}

static void both_guests_must_be_allowed(void **state)
{
	struct client *c = *state;

	c->auth = BOT;
	assert_int_equal(call(c, "POST", MOVE(400), "disk=scsi1&target-vmid=403"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/vms/403, VM.Config.Disk)");
	assert_int_equal(call(c, "POST", MOVE(400), "disk=scsi2&target-vmid=401"), 403);
	assert_string_equal(
	    c->a.reason, "Permission check failed (/storage/thin, Datastore.AllocateSpace)");
	assert_string_equal(call_task(c, "POST", MOVE(400), "disk=scsi1&target-vmid=401"), "OK");
	assert_string_equal(
	    conf(c, 401, "scsi1"), "files:401/vm-401-disk-1.qcow2,discard=on,size=2G");
}

#define TEST(name, version) cmocka_unit_test_setup_teardown(name, setup_##version, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(with_its_options_to_the_next_number, 9),
	    TEST(with_its_options_to_the_next_number, 8),
	    TEST(unused_ones_too, 9),
	    TEST(unused_ones_too, 8),
	    TEST(what_is_refused, 9),
	    TEST(both_guests_must_be_allowed, 9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
