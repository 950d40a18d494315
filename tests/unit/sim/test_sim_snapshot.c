/*
 * Snapshots and what they do to disks and to what else a guest is. Each test names the function of
 * the real code that has the rule.
 */
#include <inttypes.h>

#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define KEEPER "PVEAPIToken=keeper@pve!t=" SECRET
#define GIB ((int64_t)1 << 30)

static const char seed[] =
    "timing: {snapshot: 4s, statd: 10s}\n"
    "nodes: [{name: n}]\n"
    "storages:\n"
    "  - {name: thin, type: lvmthin, content: [images], size: 100G}\n"
    "  - {name: pool, type: zfspool, content: [images], size: 100G}\n"
    "  - {name: files, type: dir, content: [images], size: 100G}\n"
    "roles: [{name: Snap, privs: [VM.Snapshot, VM.Audit]}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: keeper@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl: [{path: /vms, who: keeper@pve, role: Snap}]\n"
    "guests:\n"
    "  - {id: 100, config: {name: a, memory: 512, description: ours, scsi0: \"thin:2\"}}\n"
    "  - {id: 101, config: {name: b, scsi0: \"pool:2\"}}\n"
    "  - {id: 102, config: {name: c, ide2: \"thin:cloudinit\", scsi0: \"thin:1\"}}\n"
    "  - {id: 103, running: true, config: {name: d, memory: 1024, scsi0: "
    "\"files:1,format=qcow2\"}}\n"
    "  - {id: 104, config: {name: e, scsi0: \"files:1,format=raw\"}}\n";

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

#define G(n) "/nodes/n/qemu/" #n
#define TAKE_IT(c, n, name) \
	assert_string_equal(call_task(c, "POST", G(n) "/snapshot", "snapname=" name), "OK")
#define BACK_TO(c, n, name) call_task(c, "POST", G(n) "/snapshot/" name "/rollback", NULL)
#define DROP(c, n, name) call_task(c, "DELETE", G(n) "/snapshot/" name, NULL)

/* One of the list, NULL = none. */
static const struct jsn *listed(struct client *c, const char *path, const char *name)
{
	assert_int_equal(call(c, "GET", path, NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "name"), name))
			return jsn_at(c->a.data, i);
	return NULL;
}

/* __snapshot_apply_config: all goes back but the description and what is unused. */
static void going_back_keeps_the_description(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *gen = mem_strdup(sim_guest_get(c->sim, 100, "vmgenid"));
	_cleanup_str_ char *uuid = mem_strdup(sim_guest_get(c->sim, 100, "smbios1"));

	assert_string_equal(
	    call_task(c, "POST", G(100) "/snapshot", "snapname=s1&description=theirs"), "OK");
	assert_int_equal(
	    call(c, "PUT", G(100) "/config", "memory=1024&cores=3&description=later"), 200);
	assert_string_equal(BACK_TO(c, 100, "s1"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 100, "description"), "later");
	assert_string_equal(sim_guest_get(c->sim, 100, "memory"), "512");
	assert_null(sim_guest_get(c->sim, 100, "cores"));
	assert_null(sim_guest_get(c->sim, 100, "lock"));
	assert_string_equal(sim_guest_get(c->sim, 100, "parent"), "s1");
	/* __snapshot_rollback_hook: another generation of the same machine. */
	assert_string_equal(sim_guest_get(c->sim, 100, "smbios1"), uuid);
	assert_string_not_equal(sim_guest_get(c->sim, 100, "vmgenid"), gen);
	assert_int_equal(call(c, "GET", G(100) "/config", "snapshot=s1"), 200);
	assert_string_equal(jsn_get_text(c->a.data, "description"), "theirs");
	assert_string_equal(jsn_get_text(c->a.data, "vmgenid"), gen);
}

/* __snapshot_rollback_get_unused: a disk that came later is set aside, one that left is back. */
static void going_back_with_disks(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *first = mem_strdup(sim_guest_get(c->sim, 100, "scsi0"));
	_cleanup_str_ char *volid = mem_strndup(first, strcspn(first, ","));
	_cleanup_str_ char *added = NULL;

	TAKE_IT(c, 100, "s1");
	assert_string_equal(call_task(c, "PUT", G(100) "/resize", "disk=scsi0&size=5G"), "OK");
	assert_int_equal(call(c, "PUT", G(100) "/config", "scsi1=thin:3"), 200);
	added = mem_strndup(
	    sim_guest_get(c->sim, 100, "scsi1"), strcspn(sim_guest_get(c->sim, 100, "scsi1"), ","));
	assert_int_equal(call(c, "PUT", G(100) "/config", "delete=scsi0"), 200);
	assert_string_equal(sim_guest_get(c->sim, 100, "unused0"), volid);
	assert_int_equal(sim_volume_size(c->sim, "n", volid), 5 * GIB);
	assert_string_equal(BACK_TO(c, 100, "s1"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 100, "scsi0"), first);
	assert_int_equal(sim_volume_size(c->sim, "n", volid), 2 * GIB);
	assert_null(sim_guest_get(c->sim, 100, "scsi1"));
	/* What is in use again is not unused, what came later is. */
	assert_null(sim_guest_get(c->sim, 100, "unused0"));
	assert_string_equal(sim_guest_get(c->sim, 100, "unused1"), added);
	assert_int_equal(sim_volumes_of(c->sim, 100), 2);
}

/* add_unused_volume: a cloud-init drive that the snapshot has not is removed. */
static void going_back_without_cloudinit(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", G(102) "/config", "delete=ide2"), 200);
	TAKE_IT(c, 102, "s1");
	assert_int_equal(call(c, "PUT", G(102) "/config", "ide2=thin:cloudinit"), 200);
	assert_int_equal(sim_volumes_of(c->sim, 102), 2);
	assert_string_equal(BACK_TO(c, 102, "s1"), "OK");
	assert_null(sim_guest_get(c->sim, 102, "ide2"));
	assert_null(sim_guest_get(c->sim, 102, "unused0"));
	assert_int_equal(sim_volumes_of(c->sim, 102), 1);
}

/* ZFSPoolPlugin volume_rollback_is_possible */
static void only_the_newest_on_zfs(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *volid = mem_strndup(
	    sim_guest_get(c->sim, 101, "scsi0"), strcspn(sim_guest_get(c->sim, 101, "scsi0"), ","));
	_cleanup_str_ char *why =
	    mem_printf("can't rollback, 's1' is not most recent snapshot on '%s'", volid);

	TAKE_IT(c, 101, "s1");
	TAKE_IT(c, 101, "s2");
	assert_string_equal(BACK_TO(c, 101, "s1"), why);
	assert_null(sim_guest_get(c->sim, 101, "lock"));
	assert_string_equal(BACK_TO(c, 101, "s2"), "OK");
	assert_string_equal(DROP(c, 101, "s2"), "OK");
	assert_string_equal(BACK_TO(c, 101, "s1"), "OK");
}

/* __snapshot_rollback_vm_stop: it is off afterwards, and what was pending is gone. */
static void going_back_stops_the_guest(void **state)
{
	struct client *c = *state;

	TAKE_IT(c, 103, "s1");
	assert_int_equal(call(c, "PUT", G(103) "/config", "cores=4"), 200);
	assert_string_equal(sim_guest_pending(c->sim, 103, "cores"), "4");
	assert_string_equal(BACK_TO(c, 103, "s1"), "OK");
	assert_false(sim_guest_running(c->sim, 103));
	assert_null(sim_guest_pending(c->sim, 103, "cores"));
	assert_null(sim_guest_get(c->sim, 103, "cores"));
	assert_string_equal(call_task(c, "POST", G(103) "/snapshot/s1/rollback", "start=1"), "OK");
	sim_run_until(c->sim, sim_now(c->sim) + 5000);
	assert_true(sim_guest_running(c->sim, 103));
}

/* snapshot_delete: disks that only the snapshot had are set aside, and those that came from it
 * belong to the one before. */
static void removing_sets_disks_aside(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *volid = mem_strndup(
	    sim_guest_get(c->sim, 100, "scsi0"), strcspn(sim_guest_get(c->sim, 100, "scsi0"), ","));

	TAKE_IT(c, 100, "s1");
	TAKE_IT(c, 100, "s2");
	TAKE_IT(c, 100, "s3");
	assert_string_equal(jsn_get_text(listed(c, G(100) "/snapshot", "s3"), "parent"), "s2");
	assert_string_equal(DROP(c, 100, "s2"), "OK");
	assert_string_equal(jsn_get_text(listed(c, G(100) "/snapshot", "s3"), "parent"), "s1");
	assert_string_equal(sim_guest_get(c->sim, 100, "parent"), "s3");
	assert_string_equal(DROP(c, 100, "s3"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 100, "parent"), "s1");
	/* In use it stays in its slot alone. */
	assert_null(sim_guest_get(c->sim, 100, "unused0"));
	assert_int_equal(call(c, "PUT", G(100) "/config", "delete=scsi0"), 200);
	assert_string_equal(sim_guest_get(c->sim, 100, "unused0"), volid);
	assert_int_equal(call(c, "PUT", G(100) "/config", "delete=unused0"), 500);
	assert_string_equal(DROP(c, 100, "s1"), "OK");
	assert_null(sim_guest_get(c->sim, 100, "parent"));
	assert_string_equal(sim_guest_get(c->sim, 100, "unused0"), volid);
	assert_int_equal(call(c, "PUT", G(100) "/config", "delete=unused0"), 200);
	assert_int_equal(sim_volumes_of(c->sim, 100), 0);
}

/* Snapshots hold `lock`, not the file: who comes meanwhile is refused at once, and sees how far it
 * is. */
static void while_it_is_taken(void **state)
{
	struct client *c = *state;
	int64_t since;

	assert_int_equal(call(c, "POST", G(100) "/snapshot", "snapname=s1"), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_string_equal(sim_guest_get(c->sim, 100, "lock"), "snapshot");
	since = sim_now(c->sim);
	assert_int_equal(call(c, "PUT", G(100) "/config", "cores=2"), 500);
	assert_string_equal(c->a.reason, "VM is locked (snapshot)");
	assert_true(c->a.at - since < 500);
	assert_string_equal(
	    jsn_get_text(listed(c, G(100) "/snapshot", "s1"), "snapstate"), "prepare");
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_null(sim_guest_get(c->sim, 100, "lock"));
	assert_null(jsn_get(listed(c, G(100) "/snapshot", "s1"), "snapstate"));
	assert_int_equal(call(c, "DELETE", G(100) "/snapshot/s1", NULL), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_string_equal(sim_guest_get(c->sim, 100, "lock"), "snapshot-delete");
	assert_string_equal(
	    jsn_get_text(listed(c, G(100) "/snapshot", "s1"), "snapstate"), "delete");
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	TAKE_IT(c, 100, "s1");
	assert_int_equal(call(c, "POST", G(100) "/snapshot/s1/rollback", NULL), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_string_equal(sim_guest_get(c->sim, 100, "lock"), "rollback");
	sim_run_until(c->sim, sim_now(c->sim) + 10000);
	assert_null(sim_guest_get(c->sim, 100, "lock"));
}

/* A power loss leaves the lock and the half of it, from which nothing goes back. */
static void power_goes_while_it_is_taken(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "POST", G(100) "/snapshot", "snapname=s1"), 200);
	sim_run_until(c->sim, sim_now(c->sim) + 1000);
	assert_int_equal(sim_node_power(c->sim, "n", false, NULL), 0);
	assert_int_equal(sim_node_power(c->sim, "n", true, NULL), 0);
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
	assert_string_equal(sim_guest_get(c->sim, 100, "lock"), "snapshot");
	assert_string_equal(BACK_TO(c, 100, "s1"),
	    "unable to rollback to incomplete snapshot (snapstate = prepare)");
	assert_string_equal(DROP(c, 100, "s1"), "VM is locked (snapshot)");
	assert_int_equal(sim_human_lock(c->sim, 100, NULL, NULL), 0);
	assert_string_equal(DROP(c, 100, "s1"), "OK");
}

/* __snapshot_prepare and its order; the names that have a meaning. */
static void what_is_refused(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", G(104) "/snapshot", "snapname=s1"),
	    "snapshot feature is not available");
	assert_null(sim_guest_get(c->sim, 104, "lock"));
	assert_int_equal(call(c, "POST", G(100) "/snapshot", "snapname=current"), 500);
	assert_string_equal(c->a.reason, "unable to use snapshot name 'current' (reserved name)");
	assert_int_equal(call(c, "POST", G(100) "/snapshot", "snapname=Pending"), 500);
	assert_string_equal(c->a.reason, "unable to use snapshot name 'pending' (reserved name)");
	TAKE_IT(c, 100, "s1");
	assert_string_equal(call_task(c, "POST", G(100) "/snapshot", "snapname=s1"),
	    "snapshot name 's1' already used");
	assert_int_equal(sim_human_lock(c->sim, 100, "backup", NULL), 0);
	assert_string_equal(
	    call_task(c, "POST", G(100) "/snapshot", "snapname=s1"), "VM is locked (backup)");
	assert_string_equal(BACK_TO(c, 100, "s2"), "snapshot 's2' does not exist");
	assert_string_equal(DROP(c, 100, "s2"), "snapshot 's2' does not exist");
	assert_string_equal(DROP(c, 100, "s1"), "VM is locked (backup)");
	assert_string_equal(BACK_TO(c, 100, "s1"), "VM is locked (backup)");
}

/* __snapshot_save_vmstate: the memory is a volume of the guest, which goes with the snapshot. */
static void with_its_memory(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "POST", G(103) "/snapshot", "snapname=s1&vmstate=1"), "OK");
	assert_int_equal(sim_volumes_of(c->sim, 103), 2);
	/* Twice the memory and 500 MiB. */
	assert_int_equal(sim_volume_size(c->sim, "n", "files:103/vm-103-state-s1.raw"),
	    (int64_t)(2 * 1024 + 500) << 20);
	assert_int_equal(jsn_get_int(listed(c, G(103) "/snapshot", "s1"), "vmstate", 0), 1);
	assert_null(sim_guest_get(c->sim, 103, "vmstate"));
	/* Going back to it starts the guest. */
	assert_string_equal(call_task(c, "POST", G(103) "/status/stop", NULL), "OK");
	assert_string_equal(BACK_TO(c, 103, "s1"), "OK");
	assert_true(sim_guest_running(c->sim, 103));
	assert_null(sim_guest_get(c->sim, 103, "vmstate"));
	assert_null(sim_guest_get(c->sim, 103, "runningmachine"));
	assert_string_equal(DROP(c, 103, "s1"), "OK");
	assert_int_equal(sim_volumes_of(c->sim, 103), 1);
	/* Of a guest that is off there is none. */
	assert_string_equal(
	    call_task(c, "POST", G(100) "/snapshot", "snapname=s1&vmstate=1"), "OK");
	assert_int_equal(sim_volumes_of(c->sim, 100), 1);
}

/* get_snapshot_config, update_snapshot_config, snapshot_cmd_idx */
static void what_one_holds(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", G(100) "/config", "cipassword=secret"), 200);
	TAKE_IT(c, 100, "s1");
	c->auth = KEEPER;
	assert_int_equal(call(c, "GET", G(100) "/snapshot/s1/config", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "name"), "a");
	assert_string_equal(jsn_get_text(c->a.data, "cipassword"), "**********");
	assert_null(jsn_get(c->a.data, "digest"));
	assert_true(jsn_get_int(c->a.data, "snaptime", 0) > 0);
	assert_int_equal(call(c, "PUT", G(100) "/snapshot/s1/config", "description=why"), 200);
	assert_string_equal(
	    jsn_get_text(listed(c, G(100) "/snapshot", "s1"), "description"), "why");
	assert_int_equal(call(c, "PUT", G(100) "/snapshot/s2/config", "description=why"), 500);
	assert_string_equal(c->a.reason, "snapshot 's2' does not exist");
	assert_int_equal(call(c, "GET", G(100) "/snapshot/s2/config", NULL), 500);
	assert_int_equal(call(c, "GET", G(100) "/snapshot/s1", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	/* Who may go back may not start it by that (9). */
	assert_int_equal(call(c, "POST", G(100) "/snapshot/s1/rollback", "start=1"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/vms/100, VM.PowerMgmt)");
}

/* volume_has_feature: what clones hang on has no snapshots. */
static void base_images_have_none(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", G(100) "/feature", "feature=snapshot"), 200);
	assert_int_equal(jsn_get_int(c->a.data, "hasFeature", -1), 1);
	assert_string_equal(call_task(c, "POST", G(100) "/template", NULL), "OK");
	assert_int_equal(call(c, "GET", G(100) "/feature", "feature=snapshot"), 200);
	assert_int_equal(jsn_get_int(c->a.data, "hasFeature", -1), 0);
	assert_string_equal(call_task(c, "POST", G(100) "/snapshot", "snapname=s1"),
	    "you can't take a snapshot if it's a template");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, client_done)
#define BOTH(f) T(f), cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(going_back_keeps_the_description),
	    BOTH(going_back_with_disks),
	    BOTH(going_back_without_cloudinit),
	    BOTH(only_the_newest_on_zfs),
	    BOTH(going_back_stops_the_guest),
	    BOTH(removing_sets_disks_aside),
	    BOTH(while_it_is_taken),
	    BOTH(power_goes_while_it_is_taken),
	    BOTH(what_is_refused),
	    BOTH(with_its_memory),
	    T(what_one_holds),
	    BOTH(base_images_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
