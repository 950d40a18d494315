/* What a machine is told that is to become a node, and which certificate it is to expect. */
#include "sim_client.h"

#define FP                                                 \
	"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:" \
	"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static const char *const three =
    "cluster: {name: lab}\n"
    "nodes:\n"
    "  - {name: a, ip: 192.0.2.1}\n"
    "  - {name: b, ip: 192.0.2.2, fingerprint: \"" FP "\"}\n"
    "  - {name: c, ip: 192.0.2.3}\n"
    "storages: [{name: disks, type: nfs, content: [images], size: 100G}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - {name: nobody@pve, tokens: [{name: t, secret: s-none, privsep: false}]}\n"
    "guests: []\n";

static const char *const alone =
    "nodes: [{name: a}]\n"
    "storages: [{name: disks, type: dir, content: [images], size: 100G}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "guests: []\n";

static int setup(void **state)
{
	return client_of_seed(state, three, "9.2", "PVEAPIToken=root@pam!all=s-root");
}

static int setup_alone(void **state)
{
	return client_of_seed(state, alone, "8.4", "PVEAPIToken=root@pam!all=s-root");
}

static const struct jsn *node_row(const struct jsn *rows, const char *name)
{
	for (size_t i = 0; i < jsn_len(rows); i++)
		if (text_eq(jsn_get_text(jsn_at(rows, i), "name"), name) ||
		    text_eq(jsn_get_text(jsn_at(rows, i), "node"), name))
			return jsn_at(rows, i);
	return NULL;
}

static void all_nodes_with_their_certificates(void **state)
{
	struct client *c = *state;
	const struct jsn *list, *b;
	_cleanup_str_ char *digest = NULL, *of_a = NULL;

	c->node = "c";
	assert_int_equal(call(c, "GET", "/cluster/config/join", NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "preferred_node"), "c");
	assert_string_equal(jsn_get_text(jsn_get(c->a.data, "totem"), "cluster_name"), "lab");
	assert_string_equal(jsn_get_text(jsn_get(c->a.data, "totem"), "config_version"), "3");
	list = jsn_get(c->a.data, "nodelist");
	assert_int_equal(jsn_len(list), 3);
	b = node_row(list, "b");
	assert_string_equal(jsn_get_text(b, "nodeid"), "2");
	assert_string_equal(jsn_get_text(b, "pve_addr"), "192.0.2.2");
	assert_string_equal(jsn_get_text(b, "ring0_addr"), "192.0.2.2");
	assert_string_equal(jsn_get_text(b, "pve_fp"), FP);
	/* Who is given none has one of its own. */
	of_a = mem_strdup(jsn_get_text(node_row(list, "a"), "pve_fp"));
	assert_int_equal(strlen(of_a), strlen(FP));
	assert_string_not_equal(of_a, jsn_get_text(node_row(list, "c"), "pve_fp"));
	digest = mem_strdup(jsn_get_text(c->a.data, "config_digest"));
	assert_int_equal(strlen(digest), 40);

	/* All nodes say the same, and the list of nodes knows the certificates, too. */
	c->node = "a";
	assert_int_equal(call(c, "GET", "/cluster/config/join", "node=b"), 200);
	assert_string_equal(jsn_get_text(c->a.data, "preferred_node"), "b");
	assert_string_equal(jsn_get_text(c->a.data, "config_digest"), digest);
	assert_int_equal(call(c, "GET", "/nodes", NULL), 200);
	assert_string_equal(jsn_get_text(node_row(c->a.data, "b"), "ssl_fingerprint"), FP);
	assert_string_equal(jsn_get_text(node_row(c->a.data, "a"), "ssl_fingerprint"), of_a);
	sim_certificate(c->sim, FP);
	assert_int_equal(call(c, "GET", "/nodes", NULL), 200);
	assert_string_equal(jsn_get_text(node_row(c->a.data, "a"), "ssl_fingerprint"), FP);
}

static void through_whom_and_for_whom(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/cluster/config/join", "node=z"), 500);
	assert_string_equal(c->a.reason, "unknown node 'z'");
	c->auth = "PVEAPIToken=nobody@pve!t=s-none";
	assert_int_equal(call(c, "GET", "/cluster/config/join", NULL), 403);
}

static void one_node_is_no_cluster(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/cluster/config/join", NULL), 500);
	assert_string_equal(c->a.reason, "node is not in a cluster, no join info available!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_nodes_with_their_certificates, setup, client_done),
	    cmocka_unit_test_setup_teardown(through_whom_and_for_whom, setup, client_done),
	    cmocka_unit_test_setup_teardown(one_node_is_no_cluster, setup_alone, client_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
