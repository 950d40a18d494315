/*
 * What a client of three nodes sees: the wrong node, moves, numbers taken twice, a node that is cut
 * off or dead. On clusters of any names and numbers; storage "all" is everybody's, "own" each
 * node's.
 */
#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define BLIND "PVEAPIToken=bot@pve!t=" SECRET
#define ROUNDS 4

struct three {
	const char *a, *b, *c; /* nodes */
	int64_t tmpl, here, up,
	    iso;      /* guests of a: a template, on "own", on "all" and up, with a disc */
	int64_t far;  /* of b, on "all" */
	int64_t next; /* a number nobody has */
	struct client cl;
};

static void draw(struct three *t, unsigned round)
{
	static const char *const names[] = {"lark", "wren", "tit", "owl-2", "rook"};
	_cleanup_str_ char *yaml = NULL;
	struct err *e = NULL;
	int64_t base = 1000 + 337 * round;
	struct sim_opts o = {
	    .seed_name = "three", .version = round % 2 ? "8.4" : "9.2", .random = round + 3};

	*t = (struct three){.a = names[round % 5],
	    .b = names[(round + 2) % 5],
	    .c = names[(round + 3) % 5],
	    .tmpl = base,
	    .here = base + 3,
	    .up = base + 4,
	    .iso = base + 11,
	    .far = base + 20,
	    .next = base + 40};
	yaml = mem_printf(
	    "cluster: {name: three}\n"
	    "timing: {bandwidth: 100M}\n"
	    "nodes: [{name: %s}, {name: %s}, {name: %s}]\n"
	    "storages:\n"
	    "  - {name: all, type: nfs, content: [images]}\n"
	    "  - {name: own, type: dir, content: [images, iso], iso: [{name: x.iso, size: 1M}]}\n"
	    "roles: [{name: Some, privs: [VM.Audit, VM.Clone, VM.Allocate, VM.Config.Options, "
	    "Datastore.AllocateSpace, SDN.Use]}]\n"
	    "users:\n"
	    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
	    "  - {name: bot@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
	    "acl: [{path: /vms, who: bot@pve, role: Some}, {path: /storage, who: bot@pve, role: "
	    "Some}]\n"
	    "pools: [crew]\n"
	    "guests:\n"
	    "  - {id: %lld, node: %s, template: true, config: {boot: \"order=scsi0\", scsi0: "
	    "\"all:20,format=qcow2\"}}\n"
	    "  - {id: %lld, node: %s, config: {cores: 3, scsi0: \"own:2\", scsi1: \"all:1\"}}\n"
	    "  - {id: %lld, node: %s, running: true, config: {scsi0: \"all:2\"}}\n"
	    "  - {id: %lld, node: %s, config: {ide2: \"own:iso/x.iso,media=cdrom\"}}\n"
	    "  - {id: %lld, node: %s, config: {scsi0: \"all:2\"}}\n",
	    t->a, t->b, t->c, (long long)t->tmpl, t->a, (long long)t->here, t->a, (long long)t->up,
	    t->a, (long long)t->iso, t->a, (long long)t->far, t->b);
	o.seed_yaml = yaml;
	if (sim_new(&o, &t->cl.sim, &e) < 0)
		fail_msg("%s", err_msg(e));
	t->cl.auth = ROOT;
	t->cl.node = t->a;
	sim_run_until(t->cl.sim, 60000);
}

static void drop(struct three *t)
{
	answer_fini(&t->cl.a);
	sim_free(&t->cl.sim);
}

static void later(struct three *t, int64_t s)
{
	sim_run_until(t->cl.sim, sim_now(t->cl.sim) + s * 1000);
}

static char *path_of(const char *node, int64_t vmid, const char *rest)
{
	return mem_printf("/nodes/%s/qemu/%lld%s", node, (long long)vmid, rest);
}

static void answers(struct three *t, const char *method, const char *node, int64_t vmid,
    const char *rest, const char *params, int status, const char *reason)
{
	_cleanup_str_ char *path = path_of(node, vmid, rest);
	int got = call(&t->cl, method, path, params);

	if (got != status || (reason && !strstr(t->cl.a.reason, reason)))
		fail_msg(
		    "%s %s %s: %d %s", method, path, params ? params : "", got, t->cl.a.reason);
}

static void ends(struct three *t, const char *method, const char *node, int64_t vmid,
    const char *rest, const char *params, const char *how)
{
	_cleanup_str_ char *path = path_of(node, vmid, rest);
	const char *got = call_task(&t->cl, method, path, params);

	if (!got || strncmp(got, how, strlen(how)) != 0)
		fail_msg("%s %s %s: %s", method, path, params ? params : "", got ? got : "(none)");
}

/* "key=number" and more; kept in *keep. */
static const char *with_id(char **keep, const char *key, int64_t id, const char *more)
{
	free(*keep);
	*keep = mem_printf("%s=%lld%s", key, (long long)id, more);
	return *keep;
}

/* --- the wrong node --- */

static void wrong_node(struct three *t)
{
	static const char *const reads[] = {
	    "/config", "/status/current", "/pending", "/snapshot", "/cloudinit"};
	_cleanup_str_ char *missing =
	    mem_printf("Configuration file 'nodes/%s/qemu-server/%lld.conf' does not exist", t->b,
		(long long)t->here);
	_cleanup_str_ char *unfound = mem_printf(
	    "unable to find configuration file for VM %lld on node '%s'", (long long)t->here, t->b);
	_cleanup_str_ char *p = NULL;

	for (size_t i = 0; i < ARRAY_LEN(reads); i++)
		answers(t, "GET", t->b, t->here, reads[i], NULL, 500, missing);
	answers(t, "PUT", t->b, t->here, "/config", "cores=1", 500, missing);
	answers(t, "POST", t->b, t->here, "/config", "cores=1", 500, missing);
	answers(t, "PUT", t->b, t->here, "/unlink", "idlist=unused0", 500, missing);
	answers(t, "DELETE", t->b, t->here, "", NULL, 500, missing);
	answers(t, "POST", t->b, t->here, "/migrate", "target=x", 500, "no such cluster node 'x'");
	free(p);
	p = mem_printf("target=%s", t->c);
	answers(t, "POST", t->b, t->here, "/migrate", p, 500, missing);
	answers(t, "POST", t->b, t->here, "/move_disk", "disk=scsi0&storage=all", 500, missing);
	answers(t, "POST", t->b, t->here, "/template", NULL, 500, missing);
	answers(t, "POST", t->b, t->here, "/agent/ping", NULL, 500, missing);
	answers(
	    t, "POST", t->b, t->here, "/clone", with_id(&p, "newid", t->next, ""), 500, unfound);
	answers(t, "GET", t->b, t->here, "/feature", "feature=clone", 500, unfound);
	ends(t, "POST", t->b, t->here, "/status/start", NULL, missing);
	ends(t, "PUT", t->b, t->here, "/resize", "disk=scsi0&size=5G", missing);
	ends(t, "POST", t->b, t->here, "/status/stop", NULL, unfound);
	ends(t, "POST", t->b, t->here, "/status/shutdown", NULL, unfound);
	answers(t, "GET", t->b, t->here, "", NULL, 200, NULL); /* proves nothing */
	answers(t, "GET", t->b, t->here, "/firewall/options", NULL, 200, NULL);
	answers(t, "GET", "node9", t->here, "/config", NULL, 500, "hostname lookup 'node9' failed");
	assert_string_equal(sim_guest_get(t->cl.sim, t->here, "cores"), "3");
	/* "localhost" is the node asked. */
	t->cl.node = t->b;
	answers(t, "GET", "localhost", t->far, "/config", NULL, 200, NULL);
}

/* --- moves --- */

static void moves(struct three *t)
{
	_cleanup_str_ char *to = mem_printf("target=%s", t->b), *live = NULL, *p = NULL;
	bool both = false;

	live = mem_printf("%s&online=1", to);
	answers(t, "POST", t->a, t->up, "/migrate", to, 500,
	    "can't migrate running VM without --online");
	free(p);
	p = mem_printf("target=%s", t->a);
	answers(t, "POST", t->a, t->up, "/migrate", p, 400, NULL);
	ends(t, "POST", t->a, t->iso, "/migrate", to, "migration aborted");
	/* A local disk is copied where nothing runs. */
	ends(t, "POST", t->a, t->here, "/migrate", to, "OK");
	assert_string_equal(sim_guest_node(t->cl.sim, t->here), t->b);
	ends(t, "POST", t->b, t->here, "/status/start", NULL, "OK");
	free(p);
	p = mem_printf("target=%s&online=1", t->c);
	ends(t, "POST", t->b, t->here, "/migrate", p, "migration aborted");
	assert_string_equal(sim_guest_node(t->cl.sim, t->here), t->b);
	/* The node changes before the lock goes. */
	answers(t, "POST", t->a, t->up, "/migrate", live, 200, NULL);
	while (sim_tasks_running(t->cl.sim)) {
		both = both || (!strcmp(sim_guest_node(t->cl.sim, t->up), t->b) &&
				   text_eq(sim_guest_get(t->cl.sim, t->up, "lock"), "migrate"));
		sim_run_until(t->cl.sim, sim_next_event(t->cl.sim));
	}
	assert_true(both);
	assert_null(sim_guest_get(t->cl.sim, t->up, "lock"));
	assert_true(sim_guest_running(t->cl.sim, t->up));
	/* A template with linked clones moves all the same. */
	ends(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->next, ""), "OK");
	ends(t, "POST", t->a, t->tmpl, "/migrate", to, "OK");
	answers(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->next + 1, ""), 500,
	    "unable to find configuration file for VM");
	ends(t, "POST", t->b, t->tmpl, "/clone", with_id(&p, "newid", t->next + 1, ""), "OK");
}

/* --- clones and numbers --- */

static void clones(struct three *t)
{
	_cleanup_str_ char *p = mem_printf("newid=%lld&target=%s", (long long)t->next, t->c),
			   *taken = NULL, *text = NULL;

	t->cl.node = t->b; /* through any node; it is the source's task */
	ends(t, "POST", t->a, t->tmpl, "/clone", p, "OK");
	assert_string_equal(sim_guest_node(t->cl.sim, t->next), t->c);
	ends(t, "POST", t->a, t->tmpl, "/clone",
	    with_id(&p, "newid", t->next + 1, "&target=localhost"), "OK");
	assert_string_equal(sim_guest_node(t->cl.sim, t->next + 1), t->a);
	/* A number of another node: only the task finds out; of the same: at once. */
	text = mem_printf("close (rename) atomic file '/etc/pve/nodes/%s/qemu-server/%lld.conf' "
			  "failed: File exists",
	    t->a, (long long)t->far);
	ends(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->far, ""), text);
	free(text);
	text = mem_printf("unable to create VM %lld: config file already exists", (long long)t->up);
	answers(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->up, ""), 500, text);
	taken = mem_printf("/nodes/%s/qemu", t->a);
	assert_int_equal(call(&t->cl, "POST", taken, with_id(&p, "vmid", t->far, "")), 500);
	free(text);
	text = mem_printf("unable to create VM %lld - VM %lld already exists on node '%s'",
	    (long long)t->far, (long long)t->far, t->b);
	assert_string_equal(t->cl.a.reason, text);
	assert_int_equal(sim_volumes_of(t->cl.sim, t->far), 1); /* the one who has it */
	/* From the placeholder on the number is taken, on all nodes. */
	answers(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->next + 2, "&full=1"),
	    200, NULL);
	t->cl.node = t->c;
	assert_int_equal(
	    call(&t->cl, "GET", "/cluster/nextid", with_id(&p, "vmid", t->next + 2, "")), 400);
	/* The pool goes meanwhile: nobody says so. */
	later(t, 120);
	answers(t, "POST", t->a, t->tmpl, "/clone",
	    with_id(&p, "newid", t->next + 3, "&full=1&pool=crew"), 200, NULL);
	assert_int_equal(call(&t->cl, "DELETE", "/pools/crew", NULL), 200);
	later(t, 120);
	assert_null(sim_guest_get(t->cl.sim, t->next + 3, "lock"));
	assert_null(sim_guest_pool(t->cl.sim, t->next + 3));
}

/* A target that is not there is not refused. */
static void lost_target(struct three *t)
{
	_cleanup_str_ char *p = mem_printf("newid=%lld&target=%s", (long long)t->next, t->c);

	assert_int_equal(sim_node_link(t->cl.sim, t->c, false, NULL), 0);
	later(t, 30);
	ends(t, "POST", t->a, t->tmpl, "/clone", p, "OK");
	assert_string_equal(sim_guest_node(t->cl.sim, t->next), t->c);
}

/* --- a node that is cut off --- */

static void minority(struct three *t)
{
	_cleanup_str_ char *p = mem_printf("target=%s", t->b), *pool = NULL;
	static const char denied[] = "unable to open file '/etc/pve/nodes/";
	int64_t start;

	assert_int_equal(sim_node_link(t->cl.sim, t->a, false, NULL), 0);
	later(t, 30);
	answers(
	    t, "POST", t->a, t->here, "/status/start", NULL, 500, "cluster not ready - no quorum?");
	answers(t, "POST", t->a, t->here, "/migrate", p, 500, "cluster not ready - no quorum?");
	answers(t, "GET", t->a, t->here, "/migrate", NULL, 500, "cluster not ready - no quorum?");
	answers(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->next, ""), 500,
	    "cluster not ready - no quorum?");
	answers(t, "PUT", t->a, t->here, "/unlink", "idlist=scsi1", 500, "Permission denied");
	ends(t, "POST", t->a, t->here, "/config", "cores=1", denied);
	ends(t, "POST", t->a, t->here, "/template", NULL, denied);
	/* It grows, and the configuration does not say so. */
	ends(t, "PUT", t->a, t->here, "/resize", "disk=scsi0&size=7G", denied);
	assert_non_null(strstr(sim_guest_get(t->cl.sim, t->here, "scsi0"), "size=2G"));
	assert_int_equal(sim_volume_size(t->cl.sim, t->a,
			     (pool = mem_strndup(sim_guest_get(t->cl.sim, t->here, "scsi0"),
				  strcspn(sim_guest_get(t->cl.sim, t->here, "scsi0"), ",")))),
	    (int64_t)7 << 30);
	start = sim_now(t->cl.sim);
	assert_int_equal(call(&t->cl, "POST", "/pools", "poolid=late"), 500);
	assert_string_equal(
	    t->cl.a.reason, "create pool failed: cfs-lock 'file-user_cfg' error: no quorum!");
	assert_true(sim_now(t->cl.sim) - start >= 9000);
	assert_int_equal(call(&t->cl, "GET", "/cluster/nextid", NULL), 200);
	/* Volumes of its own go with the guest, those of all stay, and so does its file. */
	ends(t, "DELETE", t->a, t->here, "", NULL, denied);
	assert_true(sim_guest_exists(t->cl.sim, t->here));
	assert_int_equal(sim_volumes_of(t->cl.sim, t->here), 1);
	ends(t, "POST", t->a, t->up, "/status/stop", NULL, "OK");
	assert_false(sim_guest_running(t->cl.sim, t->up));
	answers(
	    t, "POST", t->a, t->up, "/status/start", NULL, 500, "cluster not ready - no quorum?");
	/* The others do not see that. */
	t->cl.node = t->b;
	assert_int_equal(call(&t->cl, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(t->cl.a.data); i++)
		if (jsn_get_int(jsn_at(t->cl.a.data, i), "vmid", 0) == t->up)
			assert_string_equal(
			    jsn_get_text(jsn_at(t->cl.a.data, i), "status"), "running");
	later(t, 330);
	assert_int_equal(call(&t->cl, "GET", "/cluster/resources", "type=vm"), 200);
	for (size_t i = 0; i < jsn_len(t->cl.a.data); i++)
		if (jsn_get_int(jsn_at(t->cl.a.data, i), "vmid", 0) == t->up) {
			assert_string_equal(
			    jsn_get_text(jsn_at(t->cl.a.data, i), "status"), "unknown");
			assert_null(jsn_get(jsn_at(t->cl.a.data, i), "name"));
		}
	assert_int_equal(sim_node_link(t->cl.sim, t->a, true, NULL), 0);
	later(t, 30);
	t->cl.node = t->a;
	answers(t, "POST", t->a, t->up, "/status/start", NULL, 200, NULL);
}

/* --- a node that is dead --- */

static void power_loss(struct three *t)
{
	_cleanup_str_ char *p = NULL;
	size_t orphans;
	int64_t start;

	t->cl.node = t->b;
	answers(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->next, "&full=1"), 200,
	    NULL);
	later(t, 2);
	assert_int_equal(sim_node_power(t->cl.sim, t->a, false, NULL), 0);
	start = sim_now(t->cl.sim);
	answers(t, "GET", t->a, t->up, "/config", NULL, 595, "Connection timed out");
	assert_true(sim_now(t->cl.sim) - start >= 29000);
	later(t, 30);
	answers(t, "GET", t->a, t->up, "/config", NULL, 595, "No route to host");
	assert_int_equal(sim_node_power(t->cl.sim, t->a, true, NULL), 0);
	later(t, 60);
	assert_string_equal(sim_guest_get(t->cl.sim, t->next, "lock"), "clone");
	answers(t, "PUT", t->a, t->next, "/config", "cores=1", 500, "VM is locked (clone)");
	ends(t, "POST", t->a, t->next, "/status/start", NULL, "VM is locked (clone)");
	ends(t, "DELETE", t->a, t->next, "", "purge=1", "VM is locked (clone)");
	answers(t, "PUT", t->a, t->next, "/config", "delete=lock", 500,
	    "only root can set 'lock' config");
	answers(t, "PUT", t->a, t->next, "/config", "cores=1&skiplock=1", 400, NULL);
	assert_int_equal(sim_human_lock(t->cl.sim, t->next, NULL, NULL), 0);
	orphans = sim_volumes_of(t->cl.sim, t->next);
	assert_int_equal(orphans, 1);
	ends(t, "DELETE", t->a, t->next, "", "purge=1", "OK");
	assert_int_equal(sim_volumes_of(t->cl.sim, t->next), orphans);
	/* Who has the number next gets the next name. */
	ends(t, "POST", t->a, t->tmpl, "/clone", with_id(&p, "newid", t->next, "&full=1"), "OK");
	assert_non_null(strstr(sim_guest_get(t->cl.sim, t->next, "scsi0"), "-disk-1."));
}

static void unreachable(struct three *t)
{
	_cleanup_str_ char *version = mem_printf("/nodes/%s/version", t->a);
	int64_t start = sim_now(t->cl.sim);

	t->cl.node = t->c;
	assert_int_equal(sim_node_blackhole(t->cl.sim, t->a, true, NULL), 0);
	answers(t, "GET", t->a, t->up, "/config", NULL, 595, "Connection timed out");
	assert_true(sim_now(t->cl.sim) - start >= 29000);
	assert_int_equal(call(&t->cl, "GET", version, NULL), 595);
	assert_int_equal(sim_node_blackhole(t->cl.sim, t->a, false, NULL), 0);
	answers(t, "GET", t->a, t->up, "/config", NULL, 200, NULL);
	/* Who may not look at the cluster sees none of its tasks, but its own by its number. */
	t->cl.auth = BLIND;
	assert_int_equal(call(&t->cl, "GET", "/cluster/status", NULL), 403);
	assert_string_equal(t->cl.a.reason, "Permission check failed (/, Sys.Audit)");
	assert_int_equal(call(&t->cl, "GET", "/cluster/tasks", NULL), 200);
	assert_int_equal(jsn_len(t->cl.a.data), 0);
}

static void each(void (*fn)(struct three *t))
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct three t;

		draw(&t, i);
		fn(&t);
		drop(&t);
	}
}

#define TEST(f)                             \
	static void test_##f(void **unused) \
	{                                   \
		(void)unused;               \
		each(f);                    \
	}
TEST(wrong_node)
TEST(moves)
TEST(clones)
TEST(lost_target)
TEST(minority)
TEST(power_loss)
TEST(unreachable)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wrong_node),
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_clones),
	    cmocka_unit_test(test_lost_target),
	    cmocka_unit_test(test_minority),
	    cmocka_unit_test(test_power_loss),
	    cmocka_unit_test(test_unreachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
