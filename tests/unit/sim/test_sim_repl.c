/*
 * Replication jobs, from the source alone: pve-manager's ReplicationConfig, and what qemu-server
 * does not do to a guest that has one. Each test names the function of the real code.
 */
#include "sim_client.h"

static const char *const seed =
    "nodes: [{name: n1}, {name: n2}, {name: n3}]\n"
    "storages:\n"
    "  - {name: tank, type: zfspool, content: [images], size: 100G}\n"
    "  - {name: far, type: nfs, content: [images, iso], size: 100G}\n"
    "  - {name: thin, type: lvmthin, content: [images], size: 100G}\n"
    "roles: [{name: Look, privs: [VM.Audit]}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: s-bot, privsep: false}]}\n"
    "acl: [{path: /vms/110, who: bot@pve, role: Look}]\n"
    "guests:\n"
    "  - {id: 110, node: n1, config: {name: a, scsi0: \"tank:1\", scsi1: \"far:1\",\n"
    "     ide2: \"far:cloudinit\"}}\n"
    "  - {id: 111, node: n1, replicate: n2, running: true, config: {name: b, scsi0: \"tank:1\"}}\n"
    "  - {id: 112, node: n1, config: {name: c, scsi0: \"tank:1\", scsi1: \"thin:1\"}}\n"
    "  - {id: 113, node: n1, config: {name: d, scsi0: \"far:1\"}}\n"
    "  - {id: 1110, node: n1, replicate: n3, config: {name: e, scsi0: \"tank:1\"}}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"
#define BOT "PVEAPIToken=bot@pve!t=s-bot"
#define G(id) "/nodes/n1/qemu/" #id
#define JOBS "/cluster/replication"

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

static void yes(struct client *c, const char *method, const char *path, const char *params)
{
	if (call(c, method, path, params) != 200)
		fail_msg("%s %s: %s", path, params, c->a.text);
}

static const char *member(struct client *c, const char *job, const char *key)
{
	_cleanup_str_ char *path = mem_printf(JOBS "/%s", job);

	yes(c, "GET", path, NULL);
	return jsn_get_text(c->a.data, key);
}

/* ReplicationConfig: create, read, index */
static void a_job_is_made_and_seen(void **state)
{
	struct client *c = *state;

	yes(c, "POST", JOBS, "id=110-3&type=local&target=n3&schedule=*/30&disable=1&comment=x");
	assert_string_equal(member(c, "110-3", "target"), "n3");
	assert_string_equal(jsn_get_text(c->a.data, "source"), "n1");
	assert_string_equal(jsn_get_text(c->a.data, "schedule"), "*/30");
	assert_string_equal(jsn_get_text(c->a.data, "type"), "local");
	assert_int_equal(jsn_get_int(c->a.data, "guest", 0), 110);
	assert_int_equal(jsn_get_int(c->a.data, "jobnum", 0), 3);
	assert_int_equal(jsn_get_int(c->a.data, "disable", 0), 1);
	assert_non_null(jsn_get_text(c->a.data, "digest"));
	yes(c, "GET", JOBS, NULL);
	assert_int_equal(jsn_len(c->a.data), 3);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "id"), "110-3");
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 1), "id"), "111-0");
	/* Of each guest only who may look at it hears. */
	c->auth = BOT;
	yes(c, "GET", JOBS, NULL);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_int_equal(call(c, "GET", JOBS "/111-0", NULL), 403);
	assert_int_equal(call(c, "DELETE", JOBS "/110-3", NULL), 403);
	assert_int_equal(call(c, "POST", JOBS, "id=110-4&type=local&target=n2"), 403);
}

/* ReplicationConfig: create, write_config; get_replicatable_volumes */
static void what_makes_no_job(void **state)
{
	struct client *c = *state;

	no(c, "POST", JOBS, "id=500-0&type=local&target=n2", "Guest '500' does not exist.");
	no(c, "POST", JOBS, "id=110-0&type=local&target=n9", "Target 'n9' does not exist.");
	no(c, "POST", JOBS, "id=110-0&type=local&target=n2&source=n3",
	    "Source 'n3' does not match current node of guest '110' (n1)");
	no(c, "POST", JOBS, "id=110-0&type=local&target=n1",
	    "Source and target must not be identical");
	no(c, "POST", JOBS, "id=112-0&type=local&target=n2",
	    "missing replicate feature on volume 'thin:vm-112-disk-0'");
	no(c, "POST", JOBS, "id=113-0&type=local&target=n2", "No replicatable volumes found");
	no(c, "POST", JOBS, "id=111-0&type=local&target=n3",
	    "replication job '111-0' already exists");
	no(c, "POST", JOBS, "id=111-1&type=local&target=n2",
	    "replication job for guest '111' to target 'local/n2' already exists");
	no(c, "GET", JOBS "/110-0", NULL, "no such replication job '110-0'");
	no(c, "DELETE", JOBS "/110-0", NULL, "no such job '110-0'");
	assert_int_equal(call(c, "POST", JOBS, "id=110&type=local&target=n2"), 400);
	assert_string_equal(
	    param_error(c, "id"), "invalid format - invalid replication job id '110'\n");
	assert_int_equal(call(c, "DELETE", JOBS "/111-0", "force=1&keep=1"), 400);
	assert_string_equal(param_error(c, "keep"), "conflicts with parameter 'force'");
	/* A disk that is to be left out does not count. */
	yes(c, "PUT", G(112) "/config", "scsi1=thin:vm-112-disk-0,replicate=0");
	yes(c, "POST", JOBS, "id=112-0&type=local&target=n2");
}

/* vm destroy: $early_checks, remove_vmid_jobs */
static void a_guest_with_a_job_stays(void **state)
{
	struct client *c = *state;

	no(c, "DELETE", G(1110), NULL,
	    "There is a replication job '1110-0' for guest '1110' - Please remove that first.");
	assert_string_equal(call_task(c, "DELETE", G(1110), "purge=1"), "OK");
	no(c, "GET", JOBS "/1110-0", NULL, "no such replication job '1110-0'");
	yes(c, "GET", JOBS "/111-0", NULL);
}

/* ReplicationConfig: delete; pvescheduler */
static void a_job_goes_in_its_time(void **state)
{
	struct client *c = *state;

	yes(c, "DELETE", JOBS "/1110-0", NULL);
	assert_string_equal(member(c, "1110-0", "remove_job"), "full");
	no(c, "DELETE", G(1110), NULL,
	    "There is a replication job '1110-0' for guest '1110' - Please remove that first.");
	sim_run_until(c->sim, sim_now(c->sim) + 60000);
	no(c, "GET", JOBS "/1110-0", NULL, "no such replication job '1110-0'");
	assert_string_equal(call_task(c, "DELETE", G(1110), NULL), "OK");
	yes(c, "DELETE", JOBS "/111-0", "keep=1");
	assert_string_equal(member(c, "111-0", "remove_job"), "local");
	yes(c, "DELETE", JOBS "/111-0", "force=1");
	no(c, "GET", JOBS "/111-0", NULL, "no such replication job '111-0'");
	/* Nobody is told that there was none. */
	yes(c, "DELETE", JOBS "/111-0", "force=1");
}

/* update_vm_api: $check_replication */
static void disks_that_cannot_be_copied(void **state)
{
	struct client *c = *state;

	no(c, "PUT", G(111) "/config", "scsi1=thin:1",
	    "cannot add non-replicatable volume to a replicated VM");
	no(c, "PUT", G(111) "/config", "scsi1=/dev/sdz",
	    "cannot add non-managed/pass-through volume to a replicated VM");
	yes(c, "PUT", G(111) "/config", "scsi1=thin:1,replicate=0");
	yes(c, "PUT", G(111) "/config", "scsi2=tank:1");
	yes(c, "PUT", G(111) "/config", "scsi3=far:1");
	yes(c, "PUT", G(111) "/config", "ide2=none,media=cdrom");
	yes(c, "PUT", G(110) "/config", "scsi4=thin:1");
}

/* QemuMigrate: prepare, switch_replication_job_target */
static void jobs_turn_with_a_migration(void **state)
{
	struct client *c = *state;

	yes(c, "POST", JOBS, "id=111-1&type=local&target=n3");
	assert_string_equal(
	    call_task(c, "POST", G(111) "/migrate", "target=n2&online=1&with-local-disks=1"), "OK");
	assert_string_equal(member(c, "111-0", "target"), "n1");
	assert_string_equal(jsn_get_text(c->a.data, "source"), "n2");
	assert_string_equal(member(c, "111-1", "target"), "n3");
	assert_string_equal(jsn_get_text(c->a.data, "source"), "n2");
	yes(c, "DELETE", JOBS "/1110-0", NULL);
	assert_string_equal(
	    call_task(c, "POST", G(1110) "/migrate", "target=n3"), "migration aborted");
	assert_string_equal(sim_guest_node(c->sim, 1110), "n1");
}

/* vm_start_migrate: elsewhere a running guest does not go */
static void runs_only_to_its_copies(void **state)
{
	struct client *c = *state;

	no(c, "POST", G(111) "/migrate", "target=n3&online=1&with-local-disks=1",
	    "Cannot live-migrate replicated VM to node 'n3' - not a replication target. Use "
	    "'force' to override.");
}

#define BOTH(f)                                                 \
	cmocka_unit_test_setup_teardown(f, setup, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(a_job_is_made_and_seen),
	    BOTH(what_makes_no_job),
	    BOTH(a_guest_with_a_job_stays),
	    BOTH(a_job_goes_in_its_time),
	    BOTH(disks_that_cannot_be_copied),
	    BOTH(jobs_turn_with_a_migration),
	    BOTH(runs_only_to_its_copies),
	};

	return cmocka_run_group_tests_name("sim_repl", tests, NULL, NULL);
}
