/*
 * Calls that start tasks, where the recordings did not go: guests of the HA manager, moves and
 * growth of disks, migration, templates, destroying. Each test names the function of the real code
 * that has the rule.
 */
#include "sim_client.h"

static const char *const seed =
    "nodes: [{name: n1, bridges: [vmbr0], cpus: 4}, {name: n2, bridges: [vmbr0], cpus: 4}]\n"
    "storages:\n"
    "  - {name: disks, type: nfs, content: [images], size: 100G}\n"
    "  - {name: here, type: dir, content: [images, iso], nodes: [n1], size: 100G}\n"
    "  - {name: pool, type: zfspool, content: [images], size: 100G}\n"
    "  - {name: media, type: nfs, content: [iso], size: 100G}\n"
    "roles:\n"
    "  - {name: Work, privs: [VM.Audit, VM.Clone, VM.Allocate, VM.Migrate, VM.PowerMgmt,\n"
    "     VM.Config.Disk, Datastore.AllocateSpace]}\n"
    "  - {name: Map, privs: [Mapping.Use]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: s-bot, privsep: false}]}\n"
    "acl: [{path: /, who: bot@pve, role: Work}]\n"
    "guests:\n"
    "  - {id: 110, node: n1, config: {name: a, cores: 2, scsi0: \"disks:1\"}}\n"
    "  - {id: 111, node: n1, running: true, config: {name: b, scsi0: \"disks:1\"}}\n"
    "  - {id: 112, node: n1, config: {name: c, scsi0: \"here:1\", scsi1: \"disks:1\"}}\n"
    "  - {id: 113, node: n1, config: {name: d, scsi0: \"pool:1\"}}\n"
    "  - {id: 114, node: n1, config: {name: e, usb0: \"mapping=stick\"}}\n"
    "  - {id: 115, node: n1, config: {name: f, hostpci0: \"01:00.0\"}}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"
#define BOT "PVEAPIToken=bot@pve!t=s-bot"
#define G(id) "/nodes/n1/qemu/" #id

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static void no(
    struct client *c, const char *method, const char *path, const char *params, const char *why)
{
	assert_int_equal(call(c, method, path, params), 500);
	assert_string_equal(c->a.reason, why);
}

/* The type of the newest task of this guest, and who started it. */
static void last_task(struct client *c, const char *type, const char *user)
{
	const struct jsn *t;

	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	t = jsn_at(c->a.data, 0);
	assert_string_equal(jsn_get_text(t, "type"), type);
	assert_string_equal(jsn_get_text(t, "user"), user);
}

static void later(struct client *c)
{
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
}

/* --- the HA manager --- */

/* vm_start, vm_shutdown, vm_stop: with a resource of the manager they only ask it. */
static void manager_switches_later(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_human_ha(c->sim, 110, true, &e), 0);
	assert_string_equal(call_task(c, "POST", G(110) "/status/start", NULL), "OK");
	last_task(c, "hastart", "root@pam");
	assert_false(sim_guest_running(c->sim, 110));
	assert_int_equal(call(c, "GET", G(110) "/status/current", NULL), 200);
	assert_string_equal(
	    jsn_get_text(jsn_get(c->a.data, "ha"), "state"), "stopped"); /* until its round */
	later(c);
	assert_true(sim_guest_running(c->sim, 110));
	last_task(c, "qmstart", "root@pam");
	assert_string_equal(call_task(c, "POST", G(110) "/status/shutdown", "timeout=5"), "OK");
	last_task(c, "hastop", "root@pam");
	assert_true(sim_guest_running(c->sim, 110));
	later(c);
	assert_false(sim_guest_running(c->sim, 110));
	assert_int_equal(call(c, "POST", G(110) "/status/stop", "overrule-shutdown=1"), 400);
	assert_string_equal(
	    param_error(c, "overrule-shutdown"), "Not applicable for HA resources.");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources", NULL), 200);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "sid"), "vm:110");
	assert_int_equal(call(c, "DELETE", "/cluster/ha/resources/vm:110", NULL), 200);
	assert_string_equal(call_task(c, "POST", G(110) "/status/start", NULL), "OK");
	assert_true(sim_guest_running(c->sim, 110));
}

/* migrate_vm; resources */
static void manager_moves_later(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;
	bool seen = false;

	assert_int_equal(sim_human_ha(c->sim, 111, true, &e), 0);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (jsn_get_int(jsn_at(c->a.data, i), "vmid", 0) == 111) {
			seen = true;
			assert_string_equal(
			    jsn_get_text(jsn_at(c->a.data, i), "hastate"), "started");
		}
	assert_true(seen);
	assert_string_equal(call_task(c, "POST", G(111) "/migrate", "target=n2&online=1"), "OK");
	last_task(c, "hamigrate", "root@pam");
	assert_string_equal(sim_guest_node(c->sim, 111), "n1");
	later(c);
	assert_string_equal(sim_guest_node(c->sim, 111), "n2");
	assert_true(sim_guest_running(c->sim, 111));
}

/* --- power --- */

/* vm_shutdown: a paused guest does not hear the button. */
static void paused_guest_is_stopped(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", G(111) "/status/suspend", NULL), "OK");
	no(c, "POST", G(111) "/status/shutdown", NULL, "VM is paused - cannot shutdown");
	assert_string_equal(call_task(c, "POST", G(111) "/status/shutdown", "forceStop=1"), "OK");
	assert_false(sim_guest_running(c->sim, 111));
	assert_int_equal(call(c, "POST", G(111) "/status/stop", "keepActive=1"), 400);
	assert_string_equal(param_error(c, "keepActive"), "Only root may use this option.");
}

/* config_to_command */
static void start_looks_at_the_hardware(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", G(110) "/config", "cores=4&sockets=2"), 200);
	assert_string_equal(call_task(c, "POST", G(110) "/status/start", NULL),
	    "MAX 4 vcpus allowed per VM on this node");
	assert_int_equal(
	    call(c, "PUT", G(110) "/config", "cores=2&delete=sockets&hotplug=memory"), 200);
	assert_string_equal(call_task(c, "POST", G(110) "/status/start", NULL),
	    "NUMA needs to be enabled for memory hotplug");
	assert_int_equal(call(c, "PUT", G(110) "/config", "numa=1&memory=1024"), 200);
	assert_string_equal(call_task(c, "POST", G(110) "/status/start", NULL), "OK");
}

static void not_with(struct client *c, const char *params, const char *why)
{
	assert_int_equal(call(c, "PUT", G(110) "/config", params), 200);
	assert_string_equal(call_task(c, "POST", G(110) "/status/start", NULL), why);
}

static void memory_becomes(struct client *c, const char *params, const char *memory)
{
	assert_int_equal(call(c, "PUT", G(110) "/config", params), 200);
	assert_string_equal(sim_guest_get(c->sim, 110, "memory"), memory);
}

/* Memory::config */
static void memory_of_a_start(void **state)
{
	struct client *c = *state;

	not_with(c, "numa=1&hotplug=memory&memory=700", "minimum memory must be 1024MB");
	not_with(c, "memory=1324", "memory size (1324) must be aligned to 512 for hotplugging");
	/* 32 modules of 512 MiB, then such of 1024 */
	not_with(c, "memory=17920", "memory size (17920) must be aligned to 1024 for hotplugging");
	not_with(c, "memory=2048&numa0=cpus=0-1,memory=2048",
	    "cannot enable memory hotplugging with custom NUMA topology");
	not_with(c, "hotplug=disk&memory=1024",
	    "total memory for NUMA nodes must be equal to vm static memory");
	not_with(c, "numa0=cpus=0-1", "missing NUMA node0 memory value");
	not_with(c, "delete=numa0", "OK");
}

/* Memory::qemu_memory_hotplug */
static void memory_comes_in_modules(void **state)
{
	struct client *c = *state;

	not_with(c, "numa=1&hotplug=memory&memory=2048", "OK");
	memory_becomes(c, "memory=2100", "2560");
	memory_becomes(c, "memory=1600", "1536");
	memory_becomes(c, "memory=1024", "1024");
	/* 1024 and 32 times 512 are 17408; one more has 1024. */
	memory_becomes(c, "memory=17409", "18432");
	memory_becomes(c, "memory=18000", "17408");
	assert_int_equal(call(c, "PUT", G(110) "/config", "memory=1023"), 400);
	assert_true(text_starts(
	    param_error(c, "memory"), "hotplug problem - memory can't be lower than 1024 MB at "));
	assert_int_equal(call(c, "PUT", G(110) "/config", "memory=600000"), 400);
	assert_string_equal(param_error(c, "memory"),
	    "hotplug problem - you cannot add more memory than max mem 524288 MB!\n");
	assert_string_equal(sim_guest_get(c->sim, 110, "memory"), "17408");
}

/* --- disks --- */

/* resize_vm: a size that is there already changes nothing and is told to nobody. */
static void resize_to_the_same_is_nothing(void **state)
{
	struct client *c = *state;
	const char *why = "update VM 110: resize --disk scsi0 --size ";

	assert_string_equal(call_task(c, "PUT", G(110) "/resize", "disk=scsi0&size=1G"), "OK");
	assert_string_equal(call_task(c, "PUT", G(110) "/resize", "disk=scsi0&size=1M"),
	    "shrinking disks is not supported");
	assert_int_equal(call(c, "GET", "/cluster/log", NULL), 200);
	assert_null(strstr(c->a.text, why));
	assert_string_equal(call_task(c, "PUT", G(110) "/resize", "disk=scsi0&size=2G"), "OK");
	assert_int_equal(call(c, "GET", "/cluster/log", NULL), 200);
	assert_non_null(strstr(c->a.text, why));
}

/* The log of the task that was followed last. */
static const char *log_text(struct client *c)
{
	const char *upid = jsn_get_text(c->a.data, "upid");
	_cleanup_str_ char *node = mem_strndup(upid + 5, strcspn(upid + 5, ":"));
	_cleanup_str_ char *enc = text_url_encode(upid);
	_cleanup_str_ char *path = mem_printf("/nodes/%s/tasks/%s/log", node, enc);

	assert_int_equal(call(c, "GET", path, "limit=500"), 200);
	return c->a.text;
}

/* move_vm_disk */
static void disk_moves_where_it_can(void **state)
{
	struct client *c = *state;
	const char *url = G(112) "/move_disk", *log;
	bool v9;
	_cleanup_str_ char *old = mem_strdup(sim_guest_get(c->sim, 112, "scsi0"));

	assert_int_equal(call(c, "GET", "/version", NULL), 200);
	v9 = text_starts(jsn_get_text(c->a.data, "version"), "9");
	assert_int_equal(call(c, "POST", url, "disk=scsi0"), 400);
	assert_string_equal(param_error(c, "storage"),
	    "both 'storage' and 'target-vmid' missing, either needs to be set");
	assert_string_equal(param_error(c, "target-vmid"), param_error(c, "storage"));
	no(c, "POST", url, "disk=scsi0&storage=here",
	    "you can't move to the same storage with same format");
	assert_int_equal(call(c, "POST", url, "disk=scsi0&storage=media"), 400);
	assert_string_equal(
	    param_error(c, "storage"), "storage 'media' does not support vm images");
	assert_string_equal(call_task(c, "POST", url, "disk=scsi0&storage=disks"), "OK");
	log = log_text(c);
	assert_non_null(strstr(log, "create full clone of drive scsi0"));
	assert_non_null(strstr(log, "(100.00%)"));
	assert_int_equal(strstr(log, "as 'unused0' to config") != NULL, v9);
	assert_true(text_starts(sim_guest_get(c->sim, 112, "scsi0"), "disks:"));
	assert_true(text_starts(old, sim_guest_get(c->sim, 112, "unused0")));
	assert_string_equal(call_task(c, "POST", url, "disk=scsi0&storage=here&delete=1"), "OK");
	log = log_text(c);
	assert_null(strstr(log, "to config"));
	assert_int_equal(strstr(log, "after successful copy") != NULL, v9);
	assert_null(sim_guest_get(c->sim, 112, "unused1"));
}

/* move_vm_disk, is_volume_in_use: only a snapshot that has this disk counts. */
static void snapshot_keeps_a_moved_disk(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", G(113) "/snapshot", "snapname=s1"), "OK");
	assert_int_equal(call(c, "PUT", G(113) "/config", "scsi1=pool:1"), 200);
	no(c, "POST", G(113) "/move_disk", "disk=scsi0&storage=disks&delete=1",
	    "you can't move a disk with snapshots and delete the source");
	assert_string_equal(
	    call_task(c, "POST", G(113) "/move_disk", "disk=scsi1&storage=disks&delete=1"), "OK");
}

/* --- clones --- */

/* clone_vm, volume_has_feature("copy"): of a snapshot on ZFS there is no copy. */
static void some_snapshots_cannot_be_copied(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *why = NULL;

	assert_string_equal(call_task(c, "POST", G(113) "/snapshot", "snapname=s1"), "OK");
	why = mem_printf("Full clone feature is not supported for a snapshot of '%.*s' (scsi0)",
	    (int)strcspn(sim_guest_get(c->sim, 113, "scsi0"), ","),
	    sim_guest_get(c->sim, 113, "scsi0"));
	no(c, "POST", G(113) "/clone", "newid=200&full=1&snapname=s1", why);
	assert_string_equal(call_task(c, "POST", G(113) "/clone", "newid=200&full=1"), "OK");
}

/* check_mapping_access: devices that a clone would take along */
static void clone_needs_the_mapping(void **state)
{
	struct client *c = *state;

	c->auth = BOT;
	assert_int_equal(call(c, "POST", G(114) "/clone", "newid=200&full=1"), 403);
	assert_string_equal(
	    c->a.reason, "Permission check failed (/mapping/usb/stick, Mapping.Use)");
	no(c, "POST", G(115) "/clone", "newid=200&full=1",
	    "only root can set 'hostpci0' config for non-mapped devices");
	c->auth = ROOT;
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/mapping/usb/stick&roles=Map&users=bot@pve"), 200);
	c->auth = BOT;
	assert_string_equal(call_task(c, "POST", G(114) "/clone", "newid=200&full=1"), "OK");
}

/* --- migration --- */

/* migrate_vm, check_storage_availability, check_storage_access_migrate */
static void migration_asks_before_the_fork(void **state)
{
	struct client *c = *state;

	no(c, "POST", G(112) "/migrate", "target=n2",
	    "storage 'here' is not available on node 'n2'");
	assert_int_equal(call(c, "POST", G(110) "/migrate", "target=n2&force=1"), 400);
	assert_string_equal(param_error(c, "force"), "Only root may use this option.");
	no(c, "POST", G(112) "/migrate", "target=n2&targetstorage=media",
	    "storage 'media' does not support vm images");
	assert_string_equal(call_task(c, "POST", G(110) "/migrate", "target=n2"), "OK");
	assert_string_equal(sim_guest_node(c->sim, 110), "n2");
}

/* --- storages --- */

/* storage_info: without a kind of content all are told, those of other nodes as disabled. */
static void storages_of_other_nodes_are_told(void **state)
{
	struct client *c = *state;
	const struct jsn *row;

	assert_int_equal(call(c, "GET", "/nodes/n2/storage", "storage=here"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	row = jsn_at(c->a.data, 0);
	assert_int_equal(jsn_get_int(row, "enabled", -1), 0);
	assert_int_equal(jsn_get_int(row, "active", -1), 0);
	assert_int_equal(jsn_get_int(row, "total", -1), 0);
	assert_null(jsn_get(row, "used_fraction"));
	assert_int_equal(call(c, "GET", "/nodes/n2/storage", "content=images"), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	assert_int_equal(call(c, "GET", "/nodes/n2/storage", "storage=here&content=images"), 400);
	assert_string_equal(param_error(c, "storage"), "No such storage.");
	assert_int_equal(call(c, "GET", "/nodes/n1/storage", "storage=here&content=images"), 200);
	assert_int_equal(jsn_get_int(jsn_at(c->a.data, 0), "enabled", -1), 1);
}

/* --- pools --- */

/* update_pool, lock_user_config: all of it or nothing, and refusals are told as its failure. */
static void pool_takes_all_or_nothing(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "POST", "/pools", "poolid=p1"), 200);
	assert_int_equal(call(c, "PUT", "/pools/p1", "vms=111"), 200);
	no(c, "PUT", "/pools/p1", "vms=110,111&comment=x",
	    "update pools failed: VM 111 is already a pool member");
	assert_int_equal(call(c, "GET", "/pools/p1", NULL), 200);
	assert_int_equal(jsn_len(jsn_get(c->a.data, "members")), 1);
	assert_null(jsn_get_text(c->a.data, "comment"));
	no(c, "PUT", "/pools/p1", "vms=112,112",
	    "update pools failed: VM 112 is already a pool member");
	assert_int_equal(call(c, "POST", "/access/roles", "roleid=Pools&privs=Pool.Allocate"), 200);
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/pool/p1&roles=Pools&users=bot@pve"), 200);
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/vms/112&roles=NoAccess&users=bot@pve"), 200);
	c->auth = BOT;
	assert_int_equal(call(c, "PUT", "/pools/p1", "vms=110"), 200);
	no(c, "PUT", "/pools/p1", "vms=112",
	    "update pools failed: 403 Permission check failed (/vms/112, "
	    "Permissions.Modify|VM.Allocate)");
}

/* --- what is checked again in the task --- */

/* destroy_vm: $early_checks */
static void destroying_looks_twice(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	assert_int_equal(sim_human_replicate(c->sim, 110, true, &e), 0);
	no(c, "DELETE", G(110), NULL,
	    "There is a replication job '110-0' for guest '110' - Please remove that first.");
	assert_int_equal(sim_human_replicate(c->sim, 110, false, &e), 0);
	/* Protected between the answer and the task's look at it. */
	kv_set(&set, "protection", "1");
	assert_int_equal(call(c, "DELETE", G(110), NULL), 200);
	assert_int_equal(sim_human_edit(c->sim, 110, "alice@pam", &set, NULL, &e), 0);
	later(c);
	assert_true(sim_guest_exists(c->sim, 110));
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "status"),
	    "can't remove VM 110 - protection mode enabled");
}

/* template: $load_and_check */
static void template_looks_twice(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(call(c, "POST", G(110) "/template", NULL), 200);
	assert_int_equal(sim_human_power(c->sim, 110, true, &e), 0);
	later(c);
	assert_null(sim_guest_get(c->sim, 110, "template"));
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "status"),
	    "you can't convert a VM to template if VM is running");
}

#define BOTH(f)                                                 \
	cmocka_unit_test_setup_teardown(f, setup, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(manager_switches_later),
	    BOTH(manager_moves_later),
	    BOTH(paused_guest_is_stopped),
	    BOTH(start_looks_at_the_hardware),
	    BOTH(resize_to_the_same_is_nothing),
	    BOTH(memory_of_a_start),
	    BOTH(memory_comes_in_modules),
	    BOTH(disk_moves_where_it_can),
	    BOTH(snapshot_keeps_a_moved_disk),
	    BOTH(some_snapshots_cannot_be_copied),
	    BOTH(clone_needs_the_mapping),
	    BOTH(migration_asks_before_the_fork),
	    BOTH(storages_of_other_nodes_are_told),
	    BOTH(pool_takes_all_or_nothing),
	    BOTH(destroying_looks_twice),
	    BOTH(template_looks_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
