/*
 * Where the HA manager has guests: groups of 8, rules of 9, what 9 makes of groups, maintenance of
 * a node, and what it does with one that does not start. Each test names the function of the real
 * code.
 */
#include <inttypes.h>

#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define MAKER "PVEAPIToken=maker@pve!t=" SECRET

#define CLUSTER                                                                           \
	"timing: {ha: 10s, fence: 60s, statd: 10s}\n"                                     \
	"nodes: [{name: oak}, {name: elm}, {name: ash}, {name: fir}]\n"                   \
	"storages:\n"                                                                     \
	"  - {name: pool1, type: rbd, content: [images], size: 100G}\n"                   \
	"  - {name: own, type: dir, content: [images], size: 100G}\n"                     \
	"  - {name: there, type: dir, content: [images], size: 100G, nodes: [ash]}\n"     \
	"users:\n"                                                                        \
	"  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n" \
	"  - {name: maker@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"

static const char plain[] = CLUSTER "guests:\n"
				    "  - {id: 210, node: oak, running: true, ha: started, config: "
				    "{scsi0: \"pool1:1\"}}\n"
				    "  - {id: 211, node: elm, running: true, ha: started, config: "
				    "{scsi0: \"pool1:1\"}}\n"
				    "  - {id: 212, node: ash, running: true, ha: started, config: "
				    "{scsi0: \"pool1:1\"}}\n"
				    "  - {id: 213, node: ash, ha: stopped, config: {scsi0: "
				    "\"pool1:1\"}}\n"
				    "  - {id: 214, node: ash, config: {scsi0: \"pool1:1\"}}\n";

static const char grouped[] =
    CLUSTER "ha:\n"
	    "  groups:\n"
	    "    - {name: west, nodes: \"elm:2,oak:1\", restricted: true}\n"
	    "    - {name: any, nodes: [fir], nofailback: true, comment: of old}\n"
	    "guests:\n"
	    "  - {id: 220, node: oak, running: true, ha: {group: west}, config: {scsi0: "
	    "\"pool1:1\"}}\n"
	    "  - {id: 221, node: oak, running: true, ha: {group: any}, config: {scsi0: "
	    "\"pool1:1\"}}\n";

static int setup(void **state)
{
	return client_of_seed(state, plain, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, plain, "8.4", ROOT);
}

static int setup_grouped(void **state)
{
	return client_of_seed(state, grouped, "9.2", ROOT);
}

static int setup_grouped_8(void **state)
{
	return client_of_seed(state, grouped, "8.4", ROOT);
}

static void later(struct client *c, int seconds)
{
	sim_run_until(c->sim, sim_now(c->sim) + (int64_t)seconds * 1000);
}

static void at(struct client *c, int64_t vmid, const char *node)
{
	assert_string_equal(sim_guest_node(c->sim, vmid), node);
}

static const char *crm_state(struct client *c, int64_t vmid)
{
	_cleanup_str_ char *sid = mem_printf("vm:%" PRId64, vmid);

	assert_int_equal(call(c, "GET", "/cluster/ha/status/current", NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "sid"), sid))
			return jsn_get_text(jsn_at(c->a.data, i), "crm_state");
	return NULL;
}

static void rule(struct client *c, const char *params)
{
	if (call(c, "POST", "/cluster/ha/rules", params) != 200)
		fail_msg("%s: %s", params, c->a.text);
}

static void rule_fails(struct client *c, const char *params, int status, const char *reason)
{
	assert_int_equal(call(c, "POST", "/cluster/ha/rules", params), status);
	assert_string_equal(c->a.reason, reason);
}

/* select_service_node of 8: the highest priority that is there; back as soon as it is again. */
static void a_group_moves_its_guests(void **state)
{
	struct client *c = *state;

	assert_int_equal(
	    call(c, "POST", "/cluster/ha/groups", "group=south&nodes=ash:5,fir:9,elm"), 200);
	assert_int_equal(call(c, "GET", "/cluster/ha/groups/south", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "nodes"), "ash:5,elm,fir:9");
	assert_string_equal(jsn_get_text(c->a.data, "type"), "group");
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:210", "group=nobody"), 500);
	assert_string_equal(c->a.reason, "HA group 'nobody' does not exist");
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:210", "group=south"), 200);
	later(c, 60);
	at(c, 210, "fir");
	assert_true(sim_guest_running(c->sim, 210));
	assert_int_equal(call(c, "GET", "/nodes/fir/qemu/210/status/current", NULL), 200);
	assert_string_equal(jsn_get_text(jsn_get(c->a.data, "ha"), "group"), "south");
	/* Its node dies: to the next best, and back when it is there again. */
	assert_int_equal(sim_node_power(c->sim, "fir", false, NULL), 0);
	later(c, 180);
	at(c, 210, "ash");
	assert_int_equal(sim_node_power(c->sim, "fir", true, NULL), 0);
	later(c, 60);
	at(c, 210, "fir");
	/* Out of the group by order: the manager brings it back. */
	assert_non_null(call_task(c, "POST", "/nodes/fir/qemu/210/migrate", "target=oak&online=1"));
	later(c, 60);
	at(c, 210, "fir");
	/* nofailback: where it is is good enough. */
	assert_int_equal(call(c, "PUT", "/cluster/ha/groups/south", "nofailback=1"), 200);
	assert_non_null(call_task(c, "POST", "/nodes/fir/qemu/210/migrate", "target=elm&online=1"));
	later(c, 60);
	at(c, 210, "elm");
	assert_int_equal(call(c, "DELETE", "/cluster/ha/groups/south", NULL), 500);
	assert_string_equal(
	    c->a.reason, "delete ha group failed: ha group is used by service 'vm:210'");
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:210", "delete=group"), 200);
	assert_int_equal(call(c, "DELETE", "/cluster/ha/groups/south", NULL), 200);
	assert_int_equal(call(c, "GET", "/cluster/ha/groups", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 0);
	assert_int_equal(call(c, "GET", "/cluster/ha/rules", NULL), 501);
}

/* next_state_recovery: nobody else may have it; it waits for its own node, and then is there. */
static void a_restricted_group_waits(void **state)
{
	struct client *c = *state;

	assert_int_equal(
	    call(c, "POST", "/cluster/ha/groups", "group=one&nodes=ash&restricted=1"), 200);
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:212", "group=one"), 200);
	assert_int_equal(sim_node_power(c->sim, "ash", false, NULL), 0);
	later(c, 200);
	at(c, 212, "ash");
	assert_string_equal(crm_state(c, 212), "recovery");
	at(c, 213, "fir"); /* whoever is only stopped is taken over, by who has none */
	at(c, 214, "ash");
	assert_int_equal(sim_node_power(c->sim, "ash", true, NULL), 0);
	later(c, 60);
	at(c, 212, "ash");
	assert_string_equal(crm_state(c, 212), "started");
	assert_true(sim_guest_running(c->sim, 212));
}

/* NodeAffinity: plugin_compile, get_node_affinity */
static void a_rule_moves_its_guests(void **state)
{
	struct client *c = *state;
	const struct jsn *r;

	rule(c, "rule=keep&type=node-affinity&resources=vm:212,vm:210&nodes=elm:3,fir:1,ash:0&"
		"strict=1");
	assert_int_equal(call(c, "GET", "/cluster/ha/rules/keep", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "resources"), "vm:210,vm:212");
	assert_string_equal(jsn_get_text(c->a.data, "nodes"), "ash,elm:3,fir:1");
	assert_string_equal(jsn_get_text(c->a.data, "affinity"), "positive");
	assert_int_equal(jsn_get_int(c->a.data, "strict", 0), 1);
	assert_int_equal(jsn_get_int(c->a.data, "order", 0), 1);
	later(c, 60);
	at(c, 210, "elm");
	at(c, 212, "elm");
	/* Away from where it is wanted only as far as the rule lets it. */
	assert_int_equal(call(c, "GET", "/nodes/elm/qemu/210/migrate", NULL), 200);
	assert_int_equal(jsn_len(jsn_get(c->a.data, "allowed_nodes")), 0);
	r = jsn_at(jsn_get(jsn_get(jsn_get(c->a.data, "not_allowed_nodes"), "oak"),
		       "blocking-ha-resources"),
	    0);
	assert_string_equal(jsn_get_text(r, "sid"), "vm:210");
	assert_string_equal(jsn_get_text(r, "cause"), "node-affinity");
	assert_string_equal(
	    call_task(c, "POST", "/nodes/elm/qemu/210/migrate", "target=oak&online=1"),
	    "command 'ha-manager migrate vm:210 oak' failed: exit code 255");
	assert_int_equal(call(c, "POST", "/cluster/ha/resources/vm:210/migrate", "node=oak"), 200);
	assert_int_equal(jsn_len(jsn_get(c->a.data, "blocking-resources")), 1);
	later(c, 60);
	at(c, 210, "elm");
	/* Without failback it may go wherever the rule lets it. */
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:210", "failback=0"), 200);
	assert_string_equal(
	    call_task(c, "POST", "/nodes/elm/qemu/210/migrate", "target=fir&online=1"), "OK");
	later(c, 60);
	at(c, 210, "fir");
	/* All that may have them are gone. */
	assert_int_equal(sim_node_power(c->sim, "elm", false, NULL), 0);
	later(c, 180);
	at(c, 212, "fir");
	assert_int_equal(call(c, "PUT", "/cluster/ha/rules/keep", "nodes=oak&delete=strict"), 200);
	later(c, 60);
	at(c, 212, "oak");
	at(c, 210, "fir");
	assert_int_equal(call(c, "DELETE", "/cluster/ha/rules/keep", NULL), 200);
	assert_int_equal(call(c, "GET", "/cluster/ha/rules/keep", NULL), 500);
	assert_string_equal(c->a.reason, "no such ha rule 'keep'");
}

/* ResourceAffinity: apply_positive_resource_affinity, apply_negative_resource_affinity */
static void guests_together_and_apart(void **state)
{
	struct client *c = *state;

	rule(c, "rule=pair&type=resource-affinity&affinity=positive&resources=vm:210,vm:211");
	later(c, 60);
	assert_string_equal(sim_guest_node(c->sim, 210), sim_guest_node(c->sim, 211));
	rule(c, "rule=apart&type=resource-affinity&affinity=negative&resources=vm:211,vm:212");
	assert_int_equal(call(c, "POST", "/cluster/ha/resources/vm:210/migrate", "node=fir"), 200);
	assert_string_equal(
	    jsn_text(jsn_at(jsn_get(c->a.data, "comigrated-resources"), 0)), "vm:211");
	later(c, 60);
	at(c, 210, "fir");
	at(c, 211, "fir");
	assert_int_equal(call(c, "POST", "/cluster/ha/resources/vm:212/migrate", "node=fir"), 200);
	assert_string_equal(
	    jsn_get_text(jsn_at(jsn_get(c->a.data, "blocking-resources"), 0), "cause"),
	    "resource-affinity");
	later(c, 60);
	at(c, 212, "ash");
	/* Who is not looked after has no part in it. */
	assert_int_equal(call(c, "DELETE", "/cluster/ha/resources/vm:211", NULL), 200);
	assert_int_equal(call(c, "GET", "/cluster/ha/rules/apart", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "resources"), "vm:212");
	assert_string_equal(jsn_text(jsn_at(jsn_get(jsn_get(c->a.data, "errors"), "resources"), 0)),
	    "rule is ineffective as there are less than two resources");
}

/* API2::HA::Rules create_rule: what is refused */
static void impossible_rules(void **state)
{
	struct client *c = *state;

	rule_fails(c, "rule=a1&type=node-affinity&resources=vm:214,vm:210&nodes=oak", 500,
	    "create ha rule failed: cannot use unmanaged resource(s) vm:214.");
	rule_fails(c, "rule=a1&type=node-affinity&resources=vm:210&nodes=oak,yew:3", 500,
	    "create ha rule failed: cannot use non-existant node(s) yew.");
	rule_fails(c, "rule=a1&type=node-affinity&resources=vm:210", 400,
	    "Parameter verification failed.");
	rule_fails(c, "rule=a1&type=node-affinity&resources=210&nodes=oak", 400,
	    "Parameter verification failed.");
	rule_fails(c, "rule=a1&type=resource-affinity&affinity=negative&resources=vm:210&nodes=oak",
	    400, "Parameter verification failed.");
	rule_fails(c, "rule=a1&type=resource-affinity&affinity=positive&resources=vm:210", 500,
	    "create ha rule failed: 400 Rule 'a1' is invalid.");
	rule(c, "rule=a1&type=node-affinity&resources=vm:210&nodes=oak");
	rule_fails(c, "rule=a1&type=node-affinity&resources=vm:211&nodes=oak", 500,
	    "create ha rule failed: HA rule 'a1' already defined");
	rule_fails(c, "rule=b2&type=node-affinity&resources=vm:210,vm:211&nodes=elm", 500,
	    "create ha rule failed: 400 Rule 'b2' is invalid.");
	rule(c, "rule=b2&type=node-affinity&resources=vm:210,vm:211&nodes=elm&disable=1");
	rule_fails(c, "rule=c3&type=resource-affinity&affinity=negative&resources=vm:210,vm:1", 500,
	    "create ha rule failed: cannot use unmanaged resource(s) vm:1.");
	rule(c, "rule=c3&type=resource-affinity&affinity=negative&resources=vm:210,vm:212");
	rule_fails(c, "rule=d4&type=resource-affinity&affinity=positive&resources=vm:210,vm:212",
	    500, "create ha rule failed: 400 Rule 'd4' is invalid.");
	assert_int_equal(call(c, "PUT", "/cluster/ha/rules/a1", "nodes=oak:1,elm:2"), 500);
	assert_string_equal(c->a.reason, "update HA rules failed: 400 Rule 'a1' is invalid.");
	assert_int_equal(call(c, "PUT", "/cluster/ha/rules/a1", "delete=nodes"), 500);
	assert_int_equal(call(c, "PUT", "/cluster/ha/rules/a1", "digest=1&comment=x"), 500);
	assert_string_equal(c->a.reason,
	    "update HA rules failed: detected modified configuration - file changed by other "
	    "user? Try again.");
	assert_int_equal(call(c, "GET", "/cluster/ha/rules", "type=node-affinity"), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	assert_int_equal(call(c, "GET", "/cluster/ha/rules", "resource=vm:212"), 200);
	assert_int_equal(jsn_len(c->a.data), 1);
	c->auth = MAKER;
	assert_int_equal(call(c, "GET", "/cluster/ha/rules", NULL), 403);
	assert_int_equal(call(c, "DELETE", "/cluster/ha/rules/a1", NULL), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/, Sys.Console)");
}

/* migrate_groups_to_rules, try_persistent_group_migration: in force at once, and then rules. */
static void groups_become_rules(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/cluster/ha/groups", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	assert_int_equal(call(c, "GET", "/cluster/ha/rules/ha-group-west", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "nodes"), "elm:2,oak:1");
	assert_string_equal(jsn_get_text(c->a.data, "comment"), "Generated from HA group 'west'.");
	assert_int_equal(jsn_get_int(c->a.data, "strict", 0), 1);
	later(c, 90);
	at(c, 220, "elm");
	at(c, 221, "oak"); /* nofailback */
	assert_int_equal(call(c, "GET", "/cluster/ha/groups", NULL), 500);
	assert_string_equal(
	    c->a.reason, "cannot index groups: ha groups have been migrated to rules");
	assert_int_equal(call(c, "GET", "/cluster/ha/rules/ha-group-any", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "comment"), "of old");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/vm:221", NULL), 200);
	assert_null(jsn_get(c->a.data, "group"));
	assert_int_equal(jsn_get_int(c->a.data, "failback", -1), 0);
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:221", "group=any"), 500);
	assert_string_equal(
	    c->a.reason, "invalid parameter 'group': ha groups have been migrated to rules");
	assert_int_equal(call(c, "POST", "/cluster/ha/groups", "group=new&nodes=oak"), 500);
	assert_string_equal(
	    c->a.reason, "cannot create group: ha groups have been migrated to rules");
}

/* With a node missing they stay groups (assert_cluster_can_migrate_ha_groups); in 8 for good. */
static void groups_stay(void **state)
{
	struct client *c = *state;

	assert_int_equal(sim_node_power(c->sim, "fir", false, NULL), 0);
	later(c, 200);
	assert_int_equal(call(c, "GET", "/cluster/ha/groups", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	at(c, 220, "elm");
}

/* next_state_started with a node in maintenance: what runs goes, and comes back afterwards. */
static void a_maintenance(void **state)
{
	struct client *c = *state;

	assert_int_equal(sim_node_maintenance(c->sim, "ash", true, NULL), 0);
	later(c, 90);
	assert_string_not_equal(sim_guest_node(c->sim, 212), "ash");
	assert_true(sim_guest_running(c->sim, 212));
	at(c, 213, "ash");
	at(c, 214, "ash");
	assert_int_equal(call(c, "GET", "/cluster/ha/status/manager_status", NULL), 200);
	assert_string_equal(
	    jsn_get_text(jsn_get(jsn_get(c->a.data, "manager_status"), "node_status"), "ash"),
	    "maintenance");
	assert_int_equal(sim_node_maintenance(c->sim, "ash", false, NULL), 0);
	later(c, 90);
	at(c, 212, "ash");
}

/* record_service_failed_on_node: tried twice, then elsewhere, then given up (max_relocate). */
static void what_does_not_start_goes_elsewhere(void **state)
{
	struct client *c = *state;
	_cleanup_kv_ struct kv set = {0};

	/* A bridge that no node has. */
	kv_set(&set, "net0", "virtio,bridge=vmbr77");
	assert_int_equal(sim_human_edit(c->sim, 213, "ops@pam", &set, NULL, NULL), 0);
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:213", "state=started"), 200);
	later(c, 300);
	assert_string_equal(crm_state(c, 213), "error");
	assert_string_not_equal(sim_guest_node(c->sim, 213), "ash");
	assert_false(sim_guest_running(c->sim, 213));
	/* An order to such a one fails (check_service_state). */
	{
		_cleanup_str_ char *path =
		    mem_printf("/nodes/%s/qemu/213/status/start", sim_guest_node(c->sim, 213));

		assert_string_equal(call_task(c, "POST", path, NULL),
		    "command 'ha-manager set vm:213 --state started' failed: exit code 255");
	}
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:213", "state=disabled"), 200);
	later(c, 30);
	assert_string_equal(crm_state(c, 213), "stopped");
}

/* $fence_recovery_cleanup: the locks of what ended with the node. */
static void locks_end_with_the_node(void **state)
{
	struct client *c = *state;

	assert_int_equal(sim_human_lock(c->sim, 212, "snapshot-delete", NULL), 0);
	assert_int_equal(sim_human_lock(c->sim, 213, "create", NULL), 0);
	assert_int_equal(sim_node_power(c->sim, "ash", false, NULL), 0);
	later(c, 200);
	assert_null(sim_guest_get(c->sim, 212, "lock"));
	assert_string_equal(sim_guest_get(c->sim, 213, "lock"), "create");
	assert_string_not_equal(sim_guest_node(c->sim, 213), "ash");
}

/* relocate: down, over there, and on again */
static void relocated(void **state)
{
	struct client *c = *state;
	size_t stops = 0;

	assert_int_equal(call(c, "POST", "/cluster/ha/resources/vm:211/relocate", "node=oak"), 200);
	later(c, 120);
	at(c, 211, "oak");
	assert_true(sim_guest_running(c->sim, 211));
	assert_int_equal(call(c, "GET", "/nodes/elm/tasks", "vmid=211"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		stops += text_eq(jsn_get_text(jsn_at(c->a.data, i), "type"), "qmshutdown");
	assert_int_equal(stops, 1);
}

/* update_crm_commands: an order to stop is in force from the next round on; the request too. */
static void an_order_waits_for_the_round(void **state)
{
	struct client *c = *state;

	assert_string_equal(call_task(c, "POST", "/nodes/oak/qemu/210/status/stop", NULL), "OK");
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/vm:210", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "state"), "started");
	later(c, 30);
	assert_int_equal(call(c, "GET", "/cluster/ha/resources/vm:210", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "state"), "stopped");
	assert_false(sim_guest_running(c->sim, 210));
}

/* Status status, manager_status */
static void the_whole_status(void **state)
{
	struct client *c = *state;
	size_t lrm = 0;

	assert_int_equal(call(c, "GET", "/cluster/ha/status", NULL), 200);
	assert_int_equal(jsn_len(c->a.data), 2);
	assert_int_equal(call(c, "PUT", "/cluster/ha/resources/vm:213", "state=disabled"), 200);
	assert_int_equal(
	    call(c, "PUT", "/cluster/ha/resources/vm:211", "comment=db&max_restart=3"), 200);
	assert_int_equal(sim_node_power(c->sim, "oak", false, NULL), 0);
	c->node = "elm";
	later(c, 50);
	assert_int_equal(call(c, "GET", "/cluster/ha/status/current", NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++) {
		const struct jsn *o = jsn_at(c->a.data, i);
		const char *id = jsn_get_text(o, "id"), *text = jsn_get_text(o, "status");

		lrm += text_starts(id, "lrm:");
		if (!strcmp(id, "lrm:oak"))
			assert_non_null(strstr(text, "old timestamp - dead?"));
		if (!strcmp(id, "lrm:elm"))
			assert_non_null(strstr(text, "elm (active, "));
		if (!strcmp(id, "lrm:fir"))
			assert_non_null(strstr(text, "fir (idle, "));
		if (!strcmp(id, "service:vm:213"))
			assert_string_equal(jsn_get_text(o, "state"), "disabled");
		if (!strcmp(id, "service:vm:211")) {
			assert_string_equal(jsn_get_text(o, "comment"), "db");
			assert_int_equal(jsn_get_int(o, "max_restart", 0), 3);
			assert_int_equal(jsn_get_int(o, "max_relocate", 0), 1);
		}
	}
	assert_int_equal(lrm, 4);
	assert_int_equal(call(c, "GET", "/cluster/ha/status/manager_status", NULL), 200);
	assert_string_equal(
	    jsn_get_text(jsn_get(c->a.data, "manager_status"), "master_node"), "elm");
	assert_string_equal(
	    jsn_get_text(jsn_get(jsn_get(c->a.data, "manager_status"), "node_status"), "oak"),
	    "unknown");
	assert_string_equal(
	    jsn_get_text(
		jsn_get(jsn_get(jsn_get(c->a.data, "manager_status"), "service_status"), "vm:211"),
		"node"),
	    "elm");
	assert_string_equal(
	    jsn_get_text(jsn_get(jsn_get(c->a.data, "lrm_status"), "elm"), "mode"), "active");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, client_done)
#define T8(f) cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T8(a_group_moves_its_guests),
	    T8(a_restricted_group_waits),
	    T(a_rule_moves_its_guests),
	    T(guests_together_and_apart),
	    T(impossible_rules),
	    cmocka_unit_test_setup_teardown(groups_become_rules, setup_grouped, client_done),
	    cmocka_unit_test_setup_teardown(groups_stay, setup_grouped, client_done),
	    cmocka_unit_test_setup_teardown(groups_stay, setup_grouped_8, client_done),
	    T(a_maintenance),
	    T8(a_maintenance),
	    T(what_does_not_start_goes_elsewhere),
	    T8(what_does_not_start_goes_elsewhere),
	    T(locks_end_with_the_node),
	    T8(locks_end_with_the_node),
	    T(relocated),
	    T8(an_order_waits_for_the_round),
	    T(an_order_waits_for_the_round),
	    T(the_whole_status),
	    T8(the_whole_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
