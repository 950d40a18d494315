/* Storages that are no folders: LUNs of a target, units that volumes are made of. */
#include <inttypes.h>

#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define BOT "PVEAPIToken=bot@pve!t=" SECRET
#define LUN "target:0.0.1.scsi-36001405"
#define CONF "/nodes/n/qemu/500/config"

static const char *const seed =
    "nodes: [{name: n}, {name: m}]\n"
    "storages:\n"
    "  - {name: target, type: iscsi, content: [images], luns: [{name: 0.0.1.scsi-36001405, size: "
    "7G}]}\n"
    "  - {name: group, type: lvm, content: [images], size: 900G}\n"
    "  - {name: thin, type: lvmthin, content: [images], size: 900G}\n"
    "  - {name: pool, type: zfspool, content: [images], size: 900G}\n"
    "  - {name: ceph, type: rbd, content: [images], size: 900G}\n"
    "  - {name: files, type: dir, content: [images], size: 900G}\n"
    "roles: [{name: Disks, privs: [VM.Config.Disk, VM.Audit, Datastore.AllocateSpace]}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl: [{path: /, who: bot@pve, role: Disks}]\n"
    "guests: [{id: 500, node: n, config: {name: a}}]\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static const char *conf(struct client *c, const char *key)
{
	return sim_guest_get(c->sim, 500, key);
}

static void luns_are_used_as_they_are(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/nodes/m/storage/target/content", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "volid"), LUN);
	assert_int_equal(jsn_get_int(jsn_at(c->a.data, 0), "vmid", -1), 0);
	assert_int_equal(call(c, "GET", "/nodes/n/storage/target/status", NULL), 200);
	assert_int_equal(jsn_get_int(c->a.data, "total", -1), 0);

	assert_int_equal(call(c, "PUT", CONF, "scsi0=" LUN), 200);
	assert_string_equal(conf(c, "scsi0"), LUN ",size=7G");
	assert_string_equal(call_task(c, "PUT", "/nodes/n/qemu/500/resize", "disk=scsi0&size=+1G"),
	    "volume resize is not possible on iscsi device");
	/* It is nobody's: it leaves no trace, and stays. */
	assert_int_equal(call(c, "PUT", CONF, "delete=scsi0&force=1"), 200);
	assert_null(conf(c, "scsi0"));
	assert_null(conf(c, "unused0"));
	assert_true(sim_volume_size(c->sim, "n", LUN) > 0);
	assert_string_equal(call_task(c, "DELETE", "/nodes/n/storage/target/content/" LUN, NULL),
	    "can't free space in iscsi storage");
	c->auth = BOT;
	assert_int_equal(call(c, "PUT", CONF, "scsi0=" LUN), 500);
	assert_string_equal(c->a.reason, "missing privileges to access " LUN);
}

static void nothing_is_made_on_a_target(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", CONF, "scsi0=target:8"), 500);
	assert_string_equal(c->a.reason, "can't allocate space in iscsi storage");
	assert_int_equal(call(c, "PUT", CONF, "scsi0=target:vm-500-disk-0"), 500);
	assert_string_equal(c->a.reason, "unable to parse iscsi volume name 'vm-500-disk-0'");
	/* A full clone goes somewhere else, a linked one nowhere. */
	assert_int_equal(call(c, "PUT", CONF, "scsi0=" LUN), 200);
	assert_string_equal(
	    call_task(c, "POST", "/nodes/n/qemu/500/clone", "newid=501&storage=pool"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 501, "scsi0"), "pool:vm-501-disk-0,size=7G");
	assert_string_equal(call_task(c, "POST", "/nodes/n/qemu/500/clone", "newid=502"),
	    "clone failed: can't allocate space in iscsi storage");
	assert_false(sim_guest_exists(c->sim, 502));
	assert_string_equal(call_task(c, "POST", "/nodes/n/qemu/500/template", NULL), "OK");
	assert_string_equal(conf(c, "scsi0"), LUN ",size=7G");
	assert_int_equal(call(c, "POST", "/nodes/n/qemu/500/clone", "newid=502"), 500);
	assert_string_equal(
	    c->a.reason, "Linked clone feature is not supported for '" LUN "' (scsi0)");
}

/* A volume is as large as the units that it takes: 0.5 MiB here, and 5 MiB there. */
static void volumes_are_made_of_units(void **state)
{
	struct client *c = *state;
	static const struct {
		const char *store;
		int64_t small, grown;
	} cases[] = {{"group", 4096, 8192}, {"thin", 4096, 8192}, {"pool", 1024, 6144},
	    {"ceph", 1024, 6144}, {"files", 512, 5632}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_str_ char *put = mem_printf("scsi%zu=%s:0.00048828125", i, cases[i].store);
		_cleanup_str_ char *resize = mem_printf("disk=scsi%zu&size=5632K", i);
		_cleanup_str_ char *key = mem_printf("scsi%zu", i);
		_cleanup_str_ char *volid = NULL;

		assert_int_equal(call(c, "PUT", CONF, put), 200);
		volid = mem_strndup(conf(c, key), strcspn(conf(c, key), ","));
		assert_int_equal(sim_volume_size(c->sim, "n", volid), cases[i].small << 10);
		assert_string_equal(strchr(conf(c, key), ','), ",size=512K");
		assert_string_equal(call_task(c, "PUT", "/nodes/n/qemu/500/resize", resize), "OK");
		assert_int_equal(sim_volume_size(c->sim, "n", volid), cases[i].grown << 10);
	}
	assert_int_equal(call(c, "PUT", CONF, "efidisk0=thin:1,efitype=4m"), 200);
	assert_non_null(strstr(conf(c, "efidisk0"), "size=4M"));
}

/* clone_image of each plugin: what a linked clone's volume is called; a storage without such clones
 * leaves a template's disk under its own name, and is refused. */
static void each_storage_has_its_clones(void **state)
{
	static const struct {
		const char *disk, *base, *linked, *full;
	} kinds[] = {
	    {"files:1,format=qcow2", "files:510/base-510-disk-0.qcow2",
		"files:510/base-510-disk-0.qcow2/610/vm-610-disk-0.qcow2",
		"files:710/vm-710-disk-0.qcow2"},
	    {"files:1", "files:511/base-511-disk-0.raw",
		"files:511/base-511-disk-0.raw/611/vm-611-disk-0.qcow2",
		"files:711/vm-711-disk-0.raw"},
	    {"thin:1", "thin:base-512-disk-0", "thin:vm-612-disk-0", "thin:vm-712-disk-0"},
	    {"pool:1", "pool:base-513-disk-0", "pool:base-513-disk-0/vm-613-disk-0",
		"pool:vm-713-disk-0"},
	    {"ceph:1", "ceph:base-514-disk-0", "ceph:base-514-disk-0/vm-614-disk-0",
		"ceph:vm-714-disk-0"},
	    {"group:1", "group:vm-515-disk-0", NULL, "group:vm-715-disk-0"},
	};
	struct client *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int id = 510 + (int)i;
		_cleanup_str_ char *make = mem_printf("vmid=%d&scsi0=%s", id, kinds[i].disk);
		_cleanup_str_ char *tmpl = mem_printf("/nodes/n/qemu/%d/template", id);
		_cleanup_str_ char *clone = mem_printf("/nodes/n/qemu/%d/clone", id);
		_cleanup_str_ char *linked = mem_printf("newid=%d", id + 100);
		_cleanup_str_ char *full = mem_printf("newid=%d&full=1", id + 200);
		_cleanup_str_ char *file = NULL;

		assert_string_equal(call_task(c, "POST", "/nodes/n/qemu", make), "OK");
		assert_string_equal(call_task(c, "POST", tmpl, NULL), "OK");
		file = mem_printf("%s,size=1G", kinds[i].base);
		assert_string_equal(sim_guest_get(c->sim, id, "scsi0"), file);
		assert_string_equal(call_task(c, "POST", clone, full), "OK");
		mem_free_str(&file);
		file = mem_printf("%s,size=1G", kinds[i].full);
		assert_string_equal(sim_guest_get(c->sim, id + 200, "scsi0"), file);
		mem_free_str(&file);
		if (kinds[i].linked) {
			assert_string_equal(call_task(c, "POST", clone, linked), "OK");
			file = mem_printf("%s,size=1G", kinds[i].linked);
			assert_string_equal(sim_guest_get(c->sim, id + 100, "scsi0"), file);
		} else {
			file = mem_printf("Linked clone feature is not supported for '%s' (scsi0)",
			    kinds[i].base);
			assert_int_equal(call(c, "POST", clone, linked), 500);
			assert_string_equal(c->a.reason, file);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(luns_are_used_as_they_are, setup, client_done),
	    cmocka_unit_test_setup_teardown(nothing_is_made_on_a_target, setup, client_done),
	    cmocka_unit_test_setup_teardown(volumes_are_made_of_units, setup, client_done),
	    cmocka_unit_test_setup_teardown(each_storage_has_its_clones, setup, client_done),
	    cmocka_unit_test_setup_teardown(each_storage_has_its_clones, setup_8, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
