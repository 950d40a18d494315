/* Backups, as others see them: the lock, what runs meanwhile, the archive, who may. */
#include "sim_client.h"

#define NODE "/nodes/n1"
#define OF(id) NODE "/qemu/" #id

static const char *const seed =
    "timing: {start: 400, shutdown: 2s, bandwidth: 100M}\n"
    "nodes: [{name: n1, bridges: [vmbr0]}, {name: n2}]\n"
    "storages:\n"
    "  - {name: local, type: dir, content: [images], size: 100G}\n"
    "  - {name: bak, type: dir, content: [images, backup], size: 100G}\n"
    "roles:\n"
    "  - {name: Saver, privs: [VM.Backup, VM.Audit]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: admin, secret: "
    "6f1c6e0c-5c1d-4f0e-9a59-000000000001, privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: s-bot, privsep: false}]}\n"
    "acl:\n"
    "  - {path: /storage/bak, who: bot@pve, role: Room}\n"
    "  - {path: /vms/110, who: bot@pve, role: Saver}\n"
    "guests:\n"
    "  - {id: 110, node: n1, running: true, config: {name: up, ostype: l26, boot: \"order=scsi0\", "
    "scsi0: \"local:10\", scsi1: \"local:1,backup=0\"}}\n"
    "  - {id: 111, node: n1, config: {name: down, boot: \"order=scsi0\", scsi0: \"local:10\"}}\n"
    "  - {id: 112, node: n1, config: {name: held, lock: snapshot, scsi0: \"local:1\"}}\n"
    "  - {id: 113, node: n2, config: {name: far}}\n"
    "  - {id: 114, node: n1, template: true, config: {name: gold, scsi0: \"local:10\"}}\n";

static int setup(void **state)
{
	static struct client c;

	client_of(&c, seed, "vzdump", "9.2");
	c.node = "n1";
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	client_fini(*state);
	return 0;
}

static char *begin(struct client *c, const char *params)
{
	if (call(c, "POST", NODE "/vzdump", params) != 200)
		fail_msg("%s: %d %s %s", params, c->a.status, c->a.reason, c->a.text);
	return mem_strdup(jsn_text(c->a.data));
}

static void later(struct client *c, int64_t ms)
{
	sim_run_until(c->sim, sim_now(c->sim) + ms);
}

static void end(struct client *c, const char *upid)
{
	while (sim_task_running(c->sim, upid)) {
		assert_true(sim_next_event(c->sim) >= 0);
		sim_run_until(c->sim, sim_next_event(c->sim));
	}
}

static const char *told(struct client *c, const char *upid, const char *what)
{
	_cleanup_str_ char *enc = text_url_encode(upid);
	_cleanup_str_ char *path = mem_printf(NODE "/tasks/%s/%s", enc, what);

	bool log = !strcmp(what, "log");

	assert_int_equal(call(c, "GET", path, log ? "limit=500" : NULL), 200);
	return log ? c->a.text : jsn_get_text(c->a.data, "exitstatus");
}

static const char *state_of(struct client *c, const char *path, const char *key)
{
	assert_int_equal(call(c, "GET", path, NULL), 200);
	return jsn_get_text(c->a.data, key);
}

static void what_runs_is_locked_meanwhile(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = begin(c, "vmid=110&storage=bak&compress=zstd");
	const char *log;

	assert_non_null(strstr(upid, ":vzdump:110:"));
	later(c, 1000);
	assert_string_equal(state_of(c, OF(110) "/status/current", "lock"), "backup");
	assert_string_equal(jsn_get_text(c->a.data, "qmpstatus"), "running");
	assert_int_equal(call(c, "PUT", OF(110) "/config", "cores=2"), 500);
	assert_string_equal(c->a.reason, "VM is locked (backup)");
	end(c, upid);
	assert_null(sim_guest_get(c->sim, 110, "lock"));
	assert_true(sim_guest_running(c->sim, 110));
	assert_string_equal(told(c, upid, "status"), "OK");
	log = told(c, upid, "log");
	assert_non_null(strstr(log, "INFO: status = running"));
	assert_non_null(strstr(log, "include disk 'scsi0' 'local:"));
	assert_non_null(strstr(log, "exclude disk 'scsi1' 'local:"));
	assert_non_null(strstr(log, "INFO: backup mode: snapshot"));
	assert_int_equal(call(c, "GET", NODE "/storage/bak/content", "content=backup"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_int_equal(jsn_get_int(jsn_at(c->a.data, 0), "vmid", 0), 110);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "format"), "vma.zst");
}

/* vm_start: who starts what runs for its backup only lets it go on. */
static void what_is_stopped_stands_in_prelaunch(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = begin(c, "vmid=111&storage=bak");
	_cleanup_str_ char *again = NULL;

	later(c, 1000);
	assert_string_equal(state_of(c, OF(111) "/status/current", "qmpstatus"), "prelaunch");
	assert_string_equal(jsn_get_text(c->a.data, "status"), "running");
	end(c, upid);
	assert_false(sim_guest_running(c->sim, 111));
	assert_non_null(strstr(told(c, upid, "log"), "INFO: stopping kvm after backup task"));
	later(c, 60000); /* for another name */
	again = begin(c, "vmid=111&storage=bak");
	later(c, 1000);
	assert_string_equal(call_task(c, "POST", OF(111) "/status/start", NULL), "OK");
	assert_string_equal(state_of(c, OF(111) "/status/current", "qmpstatus"), "running");
	end(c, again);
	assert_true(sim_guest_running(c->sim, 111));
	assert_null(sim_guest_get(c->sim, 111, "lock"));
}

static void template_does_not_run(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = begin(c, "vmid=114&storage=bak");

	later(c, 1000);
	assert_string_equal(sim_guest_get(c->sim, 114, "lock"), "backup");
	assert_false(sim_guest_running(c->sim, 114));
	assert_int_equal(call(c, "POST", OF(114) "/clone", "newid=200"), 500);
	assert_string_equal(c->a.reason, "VM is locked (backup)");
	end(c, upid);
	assert_string_equal(told(c, upid, "status"), "OK");
}

/* A guest that is stopped for it is shut down and started again. */
static void stop_starts_anew(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = NULL;
	int64_t before, uptime;

	later(c, 100000);
	upid = begin(c, "vmid=110&storage=bak&mode=stop");
	before = sim_now(c->sim);
	end(c, upid);
	assert_int_equal(call(c, "GET", OF(110) "/status/current", NULL), 200);
	uptime = jsn_get_int(c->a.data, "uptime", -1);
	assert_in_range(uptime, 0, (sim_now(c->sim) - before) / 1000);
	assert_string_equal(jsn_get_text(c->a.data, "qmpstatus"), "running");
}

/* getlock, exec_backup: one after the other; what fails does not keep the next from its turn. */
static void one_at_a_time(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *first = begin(c, "all=1&storage=bak");
	_cleanup_str_ char *second = begin(c, "vmid=110&storage=bak");
	const char *log;

	assert_non_null(strstr(first, ":vzdump::"));
	end(c, first);
	assert_string_equal(told(c, first, "status"), "job errors");
	log = told(c, first, "log");
	assert_non_null(strstr(log, "INFO: skip external VMs: 113"));
	assert_non_null(strstr(log, "ERROR: Backup of VM 112 failed - VM is locked (snapshot)"));
	assert_non_null(strstr(log, "INFO: Finished Backup of VM 114"));
	assert_string_equal(sim_guest_get(c->sim, 112, "lock"), "snapshot");
	end(c, second);
	assert_string_equal(told(c, second, "status"), "OK");
	assert_non_null(strstr(told(c, second, "log"), "trying to get global lock - waiting..."));
}

static void stopped_it_leaves_nothing(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid =
	    begin(c, "vmid=111,110&storage=bak&fleecing=enabled=1,storage=bak");
	_cleanup_str_ char *enc = text_url_encode(upid);
	_cleanup_str_ char *path = mem_printf(NODE "/tasks/%s", enc);

	later(c, 1000); /* at 110 */
	assert_string_equal(sim_guest_get(c->sim, 110, "lock"), "backup");
	assert_int_equal(call(c, "GET", NODE "/storage/bak/content", "content=images"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_non_null(strstr(jsn_get_text(jsn_at(c->a.data, 0), "volid"), "/vm-110-fleece-0."));
	assert_int_equal(call(c, "DELETE", path, NULL), 200);
	end(c, upid);
	assert_string_equal(told(c, upid, "status"), "interrupted by signal");
	assert_null(sim_guest_get(c->sim, 110, "lock"));
	assert_null(sim_guest_get(c->sim, 111, "lock"));
	assert_int_equal(call(c, "GET", NODE "/storage/bak/content", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	/* The node's one place is free again. */
	assert_string_equal(call_task(c, "POST", NODE "/vzdump", "vmid=110&storage=bak"), "OK");
}

/* A node that loses its power leaves the lock behind. */
static void lock_outlives_the_power(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "POST", NODE "/vzdump", "vmid=110&storage=bak"), 200);
	later(c, 1000);
	assert_int_equal(sim_node_power(c->sim, "n1", false, NULL), 0);
	assert_int_equal(sim_node_power(c->sim, "n1", true, NULL), 0);
	later(c, 60000);
	assert_string_equal(sim_guest_get(c->sim, 110, "lock"), "backup");
}

static void wrong(struct client *c, const char *params, const char *key, const char *why)
{
	assert_int_equal(call(c, "POST", NODE "/vzdump", params), 400);
	assert_string_equal(param_error(c, key), why);
}

static void what_is_asked(void **state)
{
	struct client *c = *state;

	wrong(c, "storage=bak", "vmid", "property is missing");
	wrong(c, "vmid=110&all=1", "all", "option conflicts with option 'vmid'");
	wrong(c, "vmid=110&pool=p", "pool", "option conflicts with option 'vmid'");
	wrong(c, "vmid=110&tmpdir=/tmp", "tmpdir", "Only root may set this option.");
	assert_int_equal(call(c, "POST", NODE "/vzdump", "vmid=110&protected=1"), 400);
	assert_int_equal(call(c, "POST", NODE "/vzdump", "vmid=110&mode=quick"), 400);
	/* Nothing to do here. */
	assert_int_equal(call(c, "POST", NODE "/vzdump", "vmid=113"), 200);
	assert_string_equal(jsn_text(c->a.data), "OK");
	assert_string_equal(call_task(c, "POST", NODE "/vzdump", "vmid=110"),
	    "could not get storage information for 'local': can't use storage 'local' for backups "
	    "- wrong content type");
	assert_string_equal(
	    call_task(c, "POST", NODE "/vzdump", "vmid=999&storage=bak"), "job errors");
}

static void who_may(void **state)
{
	struct client *c = *state;

	c->auth = "PVEAPIToken=bot@pve!t=s-bot";
	assert_int_equal(call(c, "POST", NODE "/vzdump", "vmid=110"), 403);
	assert_string_equal(
	    c->a.reason, "Permission check failed (/storage/local, Datastore.AllocateSpace)");
	assert_int_equal(call(c, "POST", NODE "/vzdump", "vmid=110&storage=bak&bwlimit=1"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/, Sys.Modify)");
	assert_int_equal(
	    call(c, "POST", NODE "/vzdump", "vmid=110&storage=bak&prune-backups=keep-last=1"), 403);
	assert_string_equal(call_task(c, "POST", NODE "/vzdump", "vmid=111&storage=bak"),
	    "Permission check failed (/vms/111, VM.Backup)");
	assert_string_equal(call_task(c, "POST", NODE "/vzdump", "vmid=110&storage=bak"), "OK");
	assert_string_equal(call_task(c, "POST", NODE "/vzdump", "all=1&storage=bak"), "OK");
	c->auth = NULL;
	assert_int_equal(call(c, "GET", NODE "/storage/bak/content", "content=backup"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		assert_int_equal(jsn_get_int(jsn_at(c->a.data, i), "vmid", 0), 110);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(what_runs_is_locked_meanwhile),
	    T(what_is_stopped_stands_in_prelaunch),
	    T(template_does_not_run),
	    T(stop_starts_anew),
	    T(one_at_a_time),
	    T(stopped_it_leaves_nothing),
	    T(lock_outlives_the_power),
	    T(what_is_asked),
	    T(who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
