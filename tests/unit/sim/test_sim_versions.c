/*
 * What a controller of clones meets, said without the recordings, and where 8 and 9 part: who waits
 * for whom, what is refused with which words, which keys and rights there are.
 */
#include "sim_client.h"

#define BOT "PVEAPIToken=bot@pve!t=s-bot"
#define EYE "PVEAPIToken=eye@pve!t=s-eye"
#define OF(id) "/nodes/n1/qemu/" #id
#define UNKNOWN "UPID:n1:00000001:00000001:5F000000:qmclone:1:bot@pve!t:"
#define LOCKED(id) "can't lock file '/var/lock/qemu-server/lock-" #id ".conf' - got timeout"

static const char seed[] =
    "cluster: {name: c, image-data: 5G}\n"
    "timing: {statd: 10s, bandwidth: 1G}\n"
    "nodes: [{name: n1, bridges: [vmbr0]}, {name: n2, bridges: [vmbr0]}, {name: n3}]\n"
    "storages:\n"
    "  - {name: all, type: nfs, path: /all, content: [images, iso], size: 900G}\n"
    "  - {name: here, type: dir, path: /here, content: [images, iso], size: 900G,\n"
    "     iso: [{name: x.iso, size: 1M}]}\n"
    "  - {name: off, type: nfs, path: /off, content: [images], size: 9G, disabled: true}\n"
    "  - {name: far, type: dir, path: /far, content: [images], size: 9G, nodes: [n2]}\n"
    "pools: [{name: red}]\n"
    "roles:\n"
    "  - {name: Work, privs: [VM.Audit, VM.Clone, VM.Config.Options, VM.Config.Disk,\n"
    "     VM.Config.HWType, VM.PowerMgmt]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: admin, privsep: false,\n"
    "     secret: 6f1c6e0c-5c1d-4f0e-9a59-000000000001}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: s-bot, privsep: false}]}\n"
    "  - {name: eye@pve, tokens: [{name: t, secret: s-eye, privsep: false}]}\n"
    "acl:\n"
    "  - {path: /vms/900, who: bot@pve, role: Work}\n"
    "  - {path: /vms/901, who: bot@pve, role: Work}\n"
    "  - {path: /storage/all, who: bot@pve, role: Room}\n"
    "guests:\n"
    "  - {id: 900, node: n1, template: true, config: {name: t, scsi0: \"all:10,format=raw\"}}\n"
    "  - {id: 901, node: n1, config: {name: u, scsi0: \"here:10,format=raw\"}}\n"
    "  - {id: 902, node: n1, running: true, config: {name: v, agent: \"1\", scsi0: \"all:1\"}}\n"
    "  - {id: 903, node: n1, config: {name: w, scsi0: \"all:2,format=raw\",\n"
    "     ide2: \"here:iso/x.iso,media=cdrom\"}}\n";

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", NULL);
}

static int setup_9(void **state)
{
	return client_of_seed(state, seed, "9.2", NULL);
}

static bool nine(struct client *c)
{
	assert_int_equal(call(c, "GET", "/version", NULL), 200);
	return text_starts(jsn_get_text(c->a.data, "version"), "9");
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

static bool logged(struct client *c, const char *task, const char *line)
{
	_cleanup_str_ char *path = mem_printf("%s/log", task);

	assert_int_equal(call(c, "GET", path, "limit=0"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "t"), line))
			return true;
	return false;
}

static void refused(struct client *c, const char *method, const char *path, const char *params,
    int status, const char *why)
{
	assert_int_equal(call(c, method, path, params), status);
	assert_string_equal(c->a.reason, why);
}

static void bad_param(struct client *c, const char *params, const char *key, const char *why)
{
	refused(c, "PUT", OF(901) "/config", params, 400, "Parameter verification failed.");
	assert_string_equal(param_error(c, key), why);
}

/* --- who waits for whom --- */

/* A guest that is being made: 8 waits for its file before it looks at the lock in it, 9 looks
 * first. The copy takes five seconds, so that 8 is let in. */
static void config_of_a_clone_under_way(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);
	int64_t start;

	assert_int_equal(call(c, "POST", OF(901) "/clone", "newid=500&full=1"), 200);
	later(c, 1000);
	start = sim_now(c->sim);
	if (v9) {
		refused(c, "PUT", OF(500) "/config", "name=x", 500, "VM is locked (clone)");
		refused(c, "POST", OF(500) "/config", "name=x", 500, "VM is locked (clone)");
		assert_true(sim_now(c->sim) - start < 1000);
		return;
	}
	assert_int_equal(call(c, "PUT", OF(500) "/config", "name=x"), 200);
	assert_true(sim_now(c->sim) - start >= 3000);
	assert_string_equal(sim_guest_get(c->sim, 500, "name"), "x");
}

/* The file lock is held and the configuration is not locked: a POST of 8 waits itself, that of 9
 * has a task wait. */
static void config_while_the_file_is_locked(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);
	_cleanup_str_ char *task = NULL;
	int64_t start;

	assert_int_equal(sim_human_flock(c->sim, 901, 60000, NULL), 0);
	start = sim_now(c->sim);
	if (!v9) {
		refused(c, "POST", OF(901) "/config", "name=x", 500, LOCKED(901));
		assert_in_range(sim_now(c->sim) - start, 10000, 11000);
		return;
	}
	assert_int_equal(call(c, "POST", OF(901) "/config", "name=x"), 200);
	assert_true(sim_now(c->sim) - start < 1000);
	task = task_path(c);
	later(c, 11000);
	assert_string_equal(ended(c, task), LOCKED(901));
}

/* background_delay: what ends in time is answered as if there were no task. */
static void answer_in_time(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);
	int64_t start;

	assert_int_equal(call(c, "POST", OF(901) "/config", "name=x&background_delay=5"), 200);
	assert_true(jsn_is_null(c->a.data));
	assert_string_equal(sim_guest_get(c->sim, 901, "name"), "x");
	assert_int_equal(sim_human_flock(c->sim, 901, 4000, NULL), 0);
	start = sim_now(c->sim);
	assert_int_equal(call(c, "POST", OF(901) "/config", "name=y&background_delay=3"), 200);
	if (v9) { /* its task waits still */
		assert_true(text_starts(jsn_text(c->a.data), "UPID:n1:"));
		assert_in_range(sim_now(c->sim) - start, 3000, 3500);
	} else {
		assert_true(jsn_is_null(c->a.data));
		assert_in_range(sim_now(c->sim) - start, 4000, 4500);
	}
	later(c, 5000);
	assert_string_equal(sim_guest_get(c->sim, 901, "name"), "y");
}

/* A guest that shut itself down and was started at once: 9 looks after its end for half a minute
 * with the file locked. */
static void looking_after_a_guest_that_is_back(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);

	assert_string_equal(
	    call_task(c, "POST", OF(902) "/status/start", NULL), "VM 902 already running");
	assert_int_equal(call(c, "PUT", OF(902) "/config", "delete=agent"), 200);
	assert_string_equal(call_task(c, "POST", OF(902) "/status/shutdown", "timeout=60"), "OK");
	assert_int_equal(call(c, "POST", OF(902) "/status/start", NULL), 200);
	later(c, 2000);
	if (!v9) {
		assert_int_equal(call(c, "PUT", OF(902) "/config", "name=x"), 200);
		return;
	}
	refused(c, "PUT", OF(902) "/config", "name=x", 500, LOCKED(902));
	later(c, 20000);
	assert_int_equal(call(c, "PUT", OF(902) "/config", "name=x"), 200);
}

/* A removal that is asked for while the clone is made waits: of one that ends in time nothing is
 * left, one that does not is not removed. */
static void removal_of_a_clone_under_way(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *clone = NULL;

	assert_int_equal(call(c, "POST", OF(901) "/clone", "newid=500&full=1"), 200);
	clone = task_path(c);
	later(c, 1000);
	assert_string_equal(call_task(c, "DELETE", OF(500), NULL), "OK");
	assert_string_equal(ended(c, clone), "OK");
	assert_false(sim_guest_exists(c->sim, 500));
	assert_int_equal(sim_volumes_of(c->sim, 500), 0);
	assert_int_equal(call(c, "POST", OF(901) "/clone", "newid=501&full=1&bwlimit=102400"), 200);
	later(c, 1000);
	assert_string_equal(call_task(c, "DELETE", OF(501), NULL), LOCKED(501));
	assert_true(sim_guest_exists(c->sim, 501));
}

/* --- a clone --- */

/* What others hear of it, and who: its pool comes last. */
static void clone_as_others_see_it(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);
	_cleanup_str_ char *task = NULL;
	const struct jsn *g = NULL;

	assert_int_equal(
	    call(c, "POST", OF(901) "/clone", "newid=500&full=1&pool=red&name=z"), 200);
	task = task_path(c);
	later(c, 100);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (jsn_get_int(jsn_at(c->a.data, i), "vmid", 0) == 500)
			g = jsn_at(c->a.data, i);
	assert_string_equal(jsn_get_text(g, "status"), "unknown");
	assert_string_equal(jsn_get_text(g, "lock"), "clone");
	assert_null(jsn_get(g, "name"));
	assert_null(jsn_get(g, "pool"));
	assert_int_equal(call(c, "GET", OF(500) "/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "name"), "VM 500");
	assert_null(sim_guest_pool(c->sim, 500));
	later(c, 20000);
	assert_string_equal(ended(c, task), "OK");
	assert_string_equal(sim_guest_pool(c->sim, 500), "red");
	assert_true(logged(c, task, "creating a clone of VM 901 with ID 500") == v9);
	assert_true(logged(c, task, "allocated target volume 'here:500/vm-500-disk-0.raw'") == v9);
	assert_true(
	    logged(c, task, "create full clone of drive scsi0 (here:901/vm-901-disk-0.raw)"));
}

static void clone_that_is_refused(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	refused(c, "POST", OF(901) "/clone", "newid=500&full=1&storage=off", 500,
	    "storage 'off' is disabled");
	refused(c, "POST", OF(901) "/clone", "newid=500&full=1&storage=far", 500,
	    "storage 'far' is not available on node 'n1'");
	refused(c, "POST", OF(901) "/clone", "newid=500&full=1&storage=none", 500,
	    "storage 'none' does not exist");
	/* A disc on storage of this node alone keeps the guest here as well. */
	refused(c, "POST", OF(903) "/clone", "newid=500&target=n2", 500,
	    "can't clone VM to node 'n2' (VM uses local storage)");
	refused(c, "POST", OF(900) "/clone", "newid=500&full=1&storage=here&target=n2", 500,
	    "can't clone to non-shared storage 'here'");
	refused(c, "POST", OF(900) "/clone", "newid=500&name=a_b", 400,
	    "Parameter verification failed.");
	assert_int_equal(sim_human_lock(c->sim, 900, "backup", &e), 0);
	refused(c, "POST", OF(900) "/clone", "newid=500", 500, "VM is locked (backup)");
	assert_int_equal(sim_human_lock(c->sim, 900, NULL, &e), 0);
	/* One of two rights that would do is missing: it is not said which. */
	c->auth = BOT;
	refused(c, "POST", OF(900) "/clone", "newid=500", 403, "Permission check failed");
	refused(c, "POST", OF(902) "/clone", "newid=500", 403,
	    "Permission check failed (/vms/902, VM.Clone)");
	assert_false(sim_guest_exists(c->sim, 500));
}

/* Where it is to go is looked at as a name only. */
static void clone_to_a_node(void **state)
{
	struct client *c = *state;

	assert_string_equal(
	    call_task(c, "POST", OF(900) "/clone", "newid=500&target=localhost"), "OK");
	assert_string_equal(sim_guest_node(c->sim, 500), "n1");
	assert_string_equal(call_task(c, "POST", OF(903) "/clone", "newid=501&target=n1"), "OK");
	assert_int_equal(sim_node_power(c->sim, "n3", false, NULL), 0);
	later(c, 60000);
	assert_string_equal(call_task(c, "POST", OF(900) "/clone", "newid=502&target=n3"), "OK");
	assert_string_equal(sim_guest_node(c->sim, 502), "n3");
	assert_int_equal(call(c, "GET", "/nodes/n3/qemu/502/config", NULL), 595);
}

/* --- who may and what there is --- */

static void root_alone(void **state)
{
	struct client *c = *state;

	/* A token of root's is not root. */
	assert_int_equal(sim_human_lock(c->sim, 901, "clone", NULL), 0);
	bad_param(c, "name=x&skiplock=1", "skiplock", "Only root may use this option.");
	refused(c, "PUT", OF(901) "/config", "delete=lock", 500, "only root can set 'lock' config");
	refused(c, "DELETE", OF(901), "skiplock=1", 400, "Parameter verification failed.");
	assert_string_equal(sim_guest_get(c->sim, 901, "lock"), "clone");
}

static void without_a_right_on_the_whole(void **state)
{
	struct client *c = *state;

	c->auth = EYE;
	refused(c, "GET", "/cluster/status", NULL, 403, "Permission check failed (/, Sys.Audit)");
	/* What is there is hidden; whether a number is free is for all to know. */
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	refused(
	    c, "GET", OF(901) "/config", NULL, 403, "Permission check failed (/vms/901, VM.Audit)");
	refused(
	    c, "GET", OF(999) "/config", NULL, 403, "Permission check failed (/vms/999, VM.Audit)");
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=901"), 400);
	assert_string_equal(param_error(c, "vmid"), "VM 901 already exists");
	assert_int_equal(call(c, "GET", "/cluster/nextid", "vmid=999"), 200);
}

/* Its own tasks a token sees at their node, not in the cluster's list. */
static void own_tasks(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *upid = NULL;

	c->auth = BOT;
	assert_int_equal(call(c, "POST", OF(901) "/config", "name=x"), 200);
	upid = mem_strdup(jsn_text(c->a.data));
	later(c, 20000);
	assert_int_equal(call(c, "GET", "/nodes/n1/tasks", "source=all"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	assert_string_equal(jsn_get_text(jsn_at(c->a.data, 0), "upid"), upid);
	assert_int_equal(call(c, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_int_equal(call(c, "GET", "/nodes/n1/tasks/" UNKNOWN "/status", NULL), 400);
	assert_string_equal(param_error(c, "upid"), "no such task");
	/* Of one that was not its own it hears the same, but not what was logged. */
	c->auth = EYE;
	assert_int_equal(call(c, "GET", "/nodes/n1/tasks/" UNKNOWN "/status", NULL), 400);
	assert_int_equal(call(c, "DELETE", "/nodes/n1/tasks/" UNKNOWN, NULL), 400);
	assert_int_equal(call(c, "GET", "/nodes/n1/tasks/" UNKNOWN "/log", NULL), 403);
	c->auth = BOT;
	assert_int_equal(call(c, "GET", "/nodes/n1/tasks/" UNKNOWN "/log", NULL), 200);
}

static void privileges_of_each(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);

	assert_int_equal(
	    call(c, "POST", "/access/roles", "roleid=A&privs=VM.Monitor"), v9 ? 400 : 200);
	if (v9)
		assert_string_equal(
		    param_error(c, "privs"), "invalid format - invalid privilege 'VM.Monitor'\n");
	assert_int_equal(
	    call(c, "POST", "/access/roles", "roleid=B&privs=VM.GuestAgent.Audit"), v9 ? 200 : 400);
	assert_int_equal(
	    call(c, "PUT", "/access/users/bot@pve/token/t", "regenerate=1"), v9 ? 200 : 400);
	if (v9)
		assert_non_null(jsn_get_text(c->a.data, "value"));
}

/* Keys that one of them does not know make the whole request fail. */
static void keys_of_each(void **state)
{
	static const struct {
		const char *params;
		bool in_8, in_9;
	} v[] = {{"allow-ksm=0", false, true}, {"agent=true", false, true},
	    {"agent=enabled=true", true, true}, {"agent=1,freeze-fs=0", false, true},
	    {"scsi0=here:901/vm-901-disk-0.raw,trans=lba", true, false},
	    {"delete=allow-ksm", false, true}, {"net1=virtio", false, true},
	    {"ha-managed=1", false, false}, {"name=a_b", false, false}};
	struct client *c = *state;
	bool v9 = nine(c);

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		int got = call(c, "PUT", OF(901) "/config", v[i].params);

		if ((got == 200) != (v9 ? v[i].in_9 : v[i].in_8))
			fail_msg("%s: %d %s", v[i].params, got, c->a.text);
	}
	/* It reads back as it was written. */
	assert_string_equal(
	    sim_guest_get(c->sim, 901, "agent"), v9 ? "1,freeze-fs=0" : "enabled=true");
	bad_param(c, "ipconfig0=gw=10.0.0.1", "ipconfig0",
	    v9 ? "invalid format - format error\nipconfig0.ip: missing property required by "
		 "'ipconfig0.gw'\n"
	       : "invalid format - format error\nipconfig0.ip: missing property - 'ipconfig0.gw' "
		 "requires this property\n");
	refused(c, "PUT", OF(901) "/config", "", 500, "no options specified");
}

static void rows_of_each(void **state)
{
	struct client *c = *state;
	bool v9 = nine(c);
	size_t sdn = 0, network = 0;

	later(c, 20000);
	assert_int_equal(call(c, "GET", "/cluster/resources", NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++) {
		const struct jsn *r = jsn_at(c->a.data, i);
		const char *type = jsn_get_text(r, "type");

		sdn += text_eq(type, "sdn");
		network += text_eq(type, "network");
		if (text_eq(type, "qemu"))
			assert_true((jsn_get(r, "memhost") != NULL) == v9);
	}
	assert_true(v9 ? !sdn && network : sdn && !network);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=sdn"), 200);
	assert_true((jsn_len(c->a.data) > 0) == !v9);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=network"), 400);
	assert_int_equal(call(c, "GET", OF(902) "/status/current", NULL), 200);
	assert_true((jsn_get(c->a.data, "memhost") != NULL) == v9);
}

/* --- what a task ends with --- */

static void tasks_that_refuse(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", OF(900) "/status/start", NULL),
	    "you can't start a vm if it's a template");
	assert_string_equal(call_task(c, "PUT", OF(901) "/resize", "disk=scsi0&size=10G"), "OK");
	assert_string_equal(call_task(c, "PUT", OF(901) "/resize", "disk=scsi0&size=9G"),
	    "shrinking disks is not supported");
	assert_string_equal(call_task(c, "POST", OF(900) "/clone", "newid=500"), "OK");
	assert_string_equal(call_task(c, "DELETE", OF(900), NULL),
	    "base volume 'all:900/base-900-disk-0.raw' is still in use by linked cloned");
	assert_true(sim_guest_exists(c->sim, 900));
	/* Rights for a resize are asked in the task. */
	c->auth = BOT;
	assert_string_equal(call_task(c, "PUT", OF(901) "/resize", "disk=scsi0&size=11G"),
	    "403 Permission check failed (/storage/here, Datastore.AllocateSpace)");
}

/* Early checks of a removal, in their order. */
static void removal_that_is_refused(void **state)
{
	struct client *c = *state;

	refused(c, "DELETE", OF(902), NULL, 500, "VM 902 is running - destroy failed");
	assert_int_equal(sim_human_ha(c->sim, 901, true, NULL), 0);
	refused(c, "DELETE", OF(901), NULL, 500,
	    "unable to remove VM 901 - used in HA resources and purge parameter not set.");
	assert_int_equal(call(c, "PUT", OF(901) "/config", "protection=1"), 200);
	refused(
	    c, "DELETE", OF(901), "purge=1", 500, "can't remove VM 901 - protection mode enabled");
	refused(c, "DELETE", OF(999), NULL, 500,
	    "Configuration file 'nodes/n1/qemu-server/999.conf' does not exist");
}

/* A wrong node is harmless, and some calls say so in their task only. */
static void wrong_node(void **state)
{
	static const char there[] = "/nodes/n2/qemu/901";
	struct client *c = *state;
	_cleanup_str_ char *config = mem_printf("%s/config", there),
			   *clone = mem_printf("%s/clone", there),
			   *resize = mem_printf("%s/resize", there),
			   *start = mem_printf("%s/status/start", there),
			   *stop = mem_printf("%s/status/stop", there);

	refused(c, "GET", config, NULL, 500,
	    "Configuration file 'nodes/n2/qemu-server/901.conf' does not exist");
	refused(c, "PUT", config, "name=x", 500,
	    "Configuration file 'nodes/n2/qemu-server/901.conf' does not exist");
	refused(c, "POST", clone, "newid=500", 500,
	    "unable to find configuration file for VM 901 on node 'n2'");
	refused(c, "DELETE", there, NULL, 500,
	    "Configuration file 'nodes/n2/qemu-server/901.conf' does not exist");
	assert_string_equal(call_task(c, "PUT", resize, "disk=scsi0&size=20G"),
	    "Configuration file 'nodes/n2/qemu-server/901.conf' does not exist");
	assert_string_equal(call_task(c, "POST", start, NULL),
	    "Configuration file 'nodes/n2/qemu-server/901.conf' does not exist");
	assert_string_equal(call_task(c, "POST", stop, NULL),
	    "unable to find configuration file for VM 901 on node 'n2'");
	assert_string_equal(sim_guest_get(c->sim, 901, "name"), "u");
}

#define BOTH(f)                                                   \
	cmocka_unit_test_setup_teardown(f, setup_8, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_9, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(config_of_a_clone_under_way),
	    BOTH(config_while_the_file_is_locked), BOTH(answer_in_time),
	    BOTH(looking_after_a_guest_that_is_back), BOTH(removal_of_a_clone_under_way),
	    BOTH(clone_as_others_see_it), BOTH(clone_that_is_refused), BOTH(clone_to_a_node),
	    BOTH(root_alone), BOTH(without_a_right_on_the_whole), BOTH(own_tasks),
	    BOTH(privileges_of_each), BOTH(keys_of_each), BOTH(rows_of_each),
	    BOTH(tasks_that_refuse), BOTH(removal_that_is_refused), BOTH(wrong_node)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
