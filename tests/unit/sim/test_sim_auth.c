/* Who may what: tokens, privilege separation, pools, and what the refusals say. */
#include "sim_client.h"

static const char *const seed =
    "nodes: [{name: n1, bridges: [vmbr0]}, {name: n2, bridges: [vmbr0]}]\n"
    "storages: [{name: disks, type: nfs, content: [images], size: 100G}]\n"
    "pools: [{name: mine}, {name: theirs}]\n"
    "roles:\n"
    "  - {name: Look, privs: [VM.Audit]}\n"
    "  - {name: Work, privs: [VM.Audit, VM.Clone, VM.Config.CPU, VM.PowerMgmt, VM.Allocate]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace, Datastore.Audit]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - name: bot@pve\n"
    "    tokens:\n"
    "      - {name: same, secret: s-same, privsep: false}\n"
    "      - {name: less, secret: s-less, privsep: true}\n"
    "acl:\n"
    "  - {path: /pool/mine, who: bot@pve, role: Work}\n"
    "  - {path: /storage/disks, who: bot@pve, role: Room}\n"
    "  - {path: /vms/112, who: bot@pve, role: Look}\n"
    "  - {path: /pool/mine, who: \"bot@pve!less\", role: Look}\n"
    "guests:\n"
    "  - {id: 110, node: n1, pool: mine, config: {name: a, scsi0: \"disks:1\"}}\n"
    "  - {id: 111, node: n1, pool: theirs, config: {name: b}}\n"
    "  - {id: 112, node: n2, config: {name: c}}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"
#define SAME "PVEAPIToken=bot@pve!same=s-same"
#define LESS "PVEAPIToken=bot@pve!less=s-less"

static int setup(void **state)
{
	static struct client c;
	struct err *e = NULL;
	const struct sim_opts o = {.seed_yaml = seed, .seed_name = "seed", .random = 7};

	c = (struct client){.auth = SAME};
	if (sim_new(&o, &c.sim, &e) < 0)
		fail_msg("%s", err_msg(e));
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	client_fini(*state);
	return 0;
}

static void assert_forbidden(
    struct client *c, const char *method, const char *path, const char *params, const char *why)
{
	assert_int_equal(call(c, method, path, params), 403);
	assert_string_equal(c->a.reason, why);
}

static void pool_right_counts_for_its_guests(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "PUT", "/nodes/n1/qemu/110/config", "cores=2"), 200);
	assert_forbidden(c, "PUT", "/nodes/n1/qemu/110/config", "memory=512",
	    "Permission check failed (/vms/110, VM.Config.Memory)");
	assert_forbidden(c, "PUT", "/nodes/n1/qemu/111/config", "cores=2",
	    "Permission check failed (/vms/111, VM.Config.Disk|VM.Config.CDROM|VM.Config.CPU|"
	    "VM.Config.Memory|VM.Config.Network|VM.Config.HWType|VM.Config.Options|"
	    "VM.Config.Cloudinit)");
	assert_forbidden(c, "POST", "/nodes/n2/qemu/112/status/start", NULL,
	    "Permission check failed (/vms/112, VM.PowerMgmt)");
}

static void separated_token_has_the_less_of_both(void **state)
{
	struct client *c = *state;

	c->auth = LESS;
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/110/config", NULL), 200);
	assert_int_equal(call(c, "PUT", "/nodes/n1/qemu/110/config", "cores=2"), 403);
	/* The user may look at 112, the token was not given it. */
	assert_forbidden(c, "GET", "/nodes/n2/qemu/112/config", NULL,
	    "Permission check failed (/vms/112, VM.Audit)");
}

static void lists_show_what_may_be_seen(void **state)
{
	struct client *c = *state;

	sim_run_until(c->sim, 30000);
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	c->auth = ROOT;
	assert_int_equal(call(c, "GET", "/cluster/resources", "type=vm"), 200);
	assert_int_equal(jsn_len(c->a.data), 3);
}

static void create_needs_the_pool_named(void **state)
{
	struct client *c = *state;

	assert_forbidden(
	    c, "POST", "/nodes/n1/qemu", "vmid=120&cores=1", "Permission check failed");
	assert_string_equal(
	    call_task(c, "POST", "/nodes/n1/qemu", "vmid=120&cores=1&pool=mine"), "OK");
	assert_string_equal(sim_guest_pool(c->sim, 120), "mine");
}

static void tasks_of_others_are_hidden(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *upid = NULL;

	c->auth = ROOT;
	assert_int_equal(call(c, "POST", "/nodes/n1/qemu/111/status/start", NULL), 200);
	upid = text_url_encode(jsn_text(c->a.data));
	path = mem_printf("/nodes/n1/tasks/%s/status", upid);
	sim_run_until(c->sim, 60000);
	assert_int_equal(call(c, "GET", path, NULL), 200);
	c->auth = SAME;
	assert_forbidden(c, "GET", path, NULL, "Permission check failed (/nodes/n1, Sys.Audit)");
	assert_int_equal(call(c, "GET", "/nodes/n1/tasks", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_int_equal(call(c, "GET", "/cluster/log", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
}

static void bad_secret_is_told_late(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;
	int64_t start = sim_now(c->sim);

	c->auth = "PVEAPIToken=bot@pve!same=wrong";
	assert_int_equal(call(c, "GET", "/version", NULL), 401);
	assert_string_equal(c->a.reason, "Authentication failed!");
	assert_true(sim_now(c->sim) - start >= 3000);
	c->auth = "PVEAPIToken=bot@pve!none=x";
	assert_int_equal(call(c, "GET", "/version", NULL), 401);
	assert_string_equal(c->a.reason, "Authentication failed!");
	c->auth = "";
	start = sim_now(c->sim);
	assert_int_equal(call(c, "GET", "/version", NULL), 401);
	assert_string_equal(c->a.reason, "No ticket");
	c->auth = SAME;
	assert_int_equal(call(c, "GET", "/version", NULL), 200);
	assert_int_equal(sim_token_revoke(c->sim, "bot@pve!same", &e), 0);
	assert_int_equal(call(c, "GET", "/version", NULL), 401);
}

static void permissions_are_listed(void **state)
{
	struct client *c = *state;
	const struct jsn *p;

	assert_int_equal(call(c, "GET", "/access/permissions", NULL), 200);
	p = jsn_get(c->a.data, "/pool/mine");
	assert_int_equal(jsn_len(p), 5);
	assert_int_equal(jsn_get_int(p, "VM.Clone", -1), 1);
	assert_null(jsn_get(c->a.data, "/pool/theirs"));
}

/* compile_acl_path: no access is not made up for by a pool, and none by a pool takes all. */
static void no_access_wins(void **state)
{
	struct client *c = *state;
	const char *path = "/nodes/n1/qemu/110/config";

	assert_int_equal(call(c, "GET", path, NULL), 200);
	c->auth = ROOT;
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/vms/110&roles=NoAccess&users=bot@pve"), 200);
	c->auth = SAME;
	assert_int_equal(call(c, "GET", path, NULL), 403);
	c->auth = ROOT;
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/vms/110&roles=NoAccess&users=bot@pve&delete=1"),
	    200);
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/vms/111&roles=Look&users=bot@pve"), 200);
	c->auth = SAME;
	assert_int_equal(call(c, "GET", path, NULL), 200);
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/111/config", NULL), 200);
	c->auth = ROOT;
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/pool/theirs&roles=NoAccess&users=bot@pve"), 200);
	c->auth = SAME;
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/111/config", NULL), 403);
}

/* Storage content's index, check_volume_access: images are shown to whoever may use them. */
static void content_shows_what_may_be_used(void **state)
{
	struct client *c = *state;
	const char *path = "/nodes/n1/storage/disks/content";

	c->auth = ROOT;
	assert_int_equal(call(c, "GET", path, NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	c->auth = SAME;
	assert_int_equal(call(c, "GET", path, NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	c->auth = ROOT;
	assert_int_equal(call(c, "POST", "/access/roles", "roleid=Disk&privs=VM.Config.Disk"), 200);
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/vms/110&roles=Disk&users=bot@pve"), 200);
	c->auth = SAME;
	assert_int_equal(call(c, "GET", path, NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
}

/* read_pool: the right to look at the pool shows its members, whatever else there is. */
static void pool_shows_its_members(void **state)
{
	struct client *c = *state;

	c->auth = ROOT;
	assert_int_equal(call(c, "POST", "/access/roles", "roleid=Pools&privs=Pool.Audit"), 200);
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/pool/theirs&roles=Pools&users=bot@pve"), 200);
	c->auth = SAME;
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/111/config", NULL), 403);
	assert_int_equal(call(c, "GET", "/pools/theirs", NULL), 200);
	assert_int_equal(jsn_len(jsn_get(c->a.data, "members")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(pool_right_counts_for_its_guests, setup, teardown),
	    cmocka_unit_test_setup_teardown(separated_token_has_the_less_of_both, setup, teardown),
	    cmocka_unit_test_setup_teardown(lists_show_what_may_be_seen, setup, teardown),
	    cmocka_unit_test_setup_teardown(create_needs_the_pool_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(tasks_of_others_are_hidden, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_secret_is_told_late, setup, teardown),
	    cmocka_unit_test_setup_teardown(permissions_are_listed, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_access_wins, setup, teardown),
	    cmocka_unit_test_setup_teardown(content_shows_what_may_be_used, setup, teardown),
	    cmocka_unit_test_setup_teardown(pool_shows_its_members, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
