/* PVE's answers as observed values. Bodies as PVE 8.4 and 9.2 send them, shortened. */
#include "observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct jsn *parse(const char *text)
{
	struct jsn *j = NULL;

	assert_int_equal(jsn_parse(text, strlen(text), &j, NULL), 0);
	return j;
}

static char *answer(const struct jsn *data)
{
	_cleanup_str_ char *text = data ? jsn_print(data, false) : mem_strdup("null");

	return mem_printf("{\"data\":%s}", text);
}

static int pending(const struct jsn *data, struct obs_guest *g)
{
	_cleanup_str_ char *list = answer(data);

	return observe_pending(list, strlen(list), g, NULL);
}

static int rows_of(const struct jsn *data, struct obs_cluster *c)
{
	_cleanup_str_ char *list = answer(data);

	return observe_rows(list, strlen(list), c, NULL);
}

static void test_pending(void **state)
{
	_cleanup_jsn_ struct jsn *j = parse(
	    "[{\"key\":\"cores\",\"value\":2,\"pending\":4},{\"key\":\"memory\",\"value\":\"2048\"}"
	    ","
	    "{\"key\":\"net1\",\"value\":\"virtio=AA:BB:CC:DD:EE:FF,bridge=vmbr0\",\"delete\":1},"
	    "{\"key\":\"scsi3\",\"pending\":\"shared:vm-1-disk-3,size=1G\"},"
	    "{\"key\":\"digest\",\"value\":\"abc\"},{\"key\":\"lock\",\"value\":\"backup\"},"
	    "{\"key\":\"template\",\"value\":1},"
	    "{\"key\":\"smbios1\",\"value\":\"uuid=146C71C0-4a29-40e4-82ec-f4f6cca66daa,base64=1\"}"
	    "]");
	struct obs_guest g = {0};

	(void)state;
	assert_int_equal(pending(j, &g), 0);
	assert_string_equal(kv_get(&g.current, "cores"), "2");
	assert_string_equal(kv_get(&g.pending, "cores"), "4");
	assert_string_equal(kv_get(&g.pending, "memory"), "2048");
	assert_true(kv_has(&g.current, "net1"));
	assert_false(kv_has(&g.pending, "net1"));
	assert_false(kv_has(&g.current, "scsi3"));
	assert_string_equal(kv_get(&g.pending, "scsi3"), "shared:vm-1-disk-3,size=1G");
	assert_int_equal(g.pending_keys.n, 3);
	assert_string_equal(g.pending_keys.v[0], "cores");
	assert_string_equal(g.pending_keys.v[1], "net1");
	assert_string_equal(g.pending_keys.v[2], "scsi3");
	assert_string_equal(g.digest, "abc");
	assert_string_equal(g.lock, "backup");
	assert_false(kv_has(&g.current, "digest"));
	assert_false(kv_has(&g.current, "lock"));
	assert_true(g.template);
	assert_string_equal(g.uuid, "146c71c0-4a29-40e4-82ec-f4f6cca66daa");
	obs_guest_fini(&g);
}

static void assert_range(const char *text, uint32_t lower, uint32_t upper)
{
	_cleanup_jsn_ struct jsn *j = parse(text);
	struct obs_cluster c = {.vmid_lower = 1, .vmid_upper = 1};

	assert_int_equal(observe_options(j, &c, NULL), 0);
	assert_int_equal(c.vmid_lower, lower);
	assert_int_equal(c.vmid_upper, upper);
	obs_cluster_fini(&c);
}

/* PVE stops before the upper end. */
static void test_options(void **state)
{
	_cleanup_jsn_ struct jsn *list = parse("[]");
	struct obs_cluster c = {0};

	(void)state;
	assert_range(
	    "{\"mac_prefix\":\"BC:24:11\",\"next-id\":{\"lower\":500,\"upper\":600}}", 500, 599);
	assert_range("{\"next-id\":{\"lower\":\"500\",\"upper\":\"600\"}}", 500, 599);
	assert_range("{\"next-id\":\"lower=500,upper=600\"}", 500, 599);
	assert_range("{\"next-id\":{\"lower\":5000}}", 5000, 0);
	assert_range("{\"next-id\":{\"upper\":1000000000}}", 0, 999999999);
	assert_range("{\"next-id\":{\"lower\":-1,\"upper\":\"x\"}}", 0, 0);
	assert_range("{\"next-id\":{\"upper\":-9223372036854775808}}", 0, 0);
	assert_range("{\"allowed-tags\":[]}", 0, 0);
	assert_int_equal(observe_options(list, &c, NULL), -1);
}

static void test_pending_without_digest_is_no_answer(void **state)
{
	_cleanup_jsn_ struct jsn *j = parse("[{\"key\":\"cores\",\"value\":2}]");
	_cleanup_jsn_ struct jsn *o = parse("{\"cores\":2}");
	struct obs_guest g = {0};

	(void)state;
	assert_int_equal(pending(j, &g), -1);
	assert_int_equal(pending(o, &g), -1);
	assert_int_equal(pending(NULL, &g), -1);
	obs_guest_fini(&g);
}

static void assert_power(const char *json, enum obs_power want)
{
	_cleanup_jsn_ struct jsn *j = parse(json);
	struct obs_guest g = {0};

	assert_int_equal(observe_status(j, 1000000, &g, NULL), 0);
	assert_int_equal(g.power, want);
	obs_guest_fini(&g);
}

static void test_power(void **state)
{
	(void)state;
	assert_power("{\"status\":\"running\",\"qmpstatus\":\"running\"}", OBS_POWER_RUNNING);
	assert_power("{\"status\":\"stopped\",\"qmpstatus\":\"stopped\"}", OBS_POWER_STOPPED);
	assert_power("{\"status\":\"running\",\"qmpstatus\":\"paused\"}", OBS_POWER_PAUSED);
	assert_power("{\"status\":\"running\",\"qmpstatus\":\"io-error\"}", OBS_POWER_PAUSED);
	assert_power("{\"status\":\"running\",\"qmpstatus\":\"prelaunch\"}", OBS_POWER_PAUSED);
	/* A backup of a guest that is down, and one of a guest that somebody paused. */
	assert_power("{\"status\":\"running\",\"qmpstatus\":\"prelaunch\",\"lock\":\"backup\"}",
	    OBS_POWER_STOPPED);
	assert_power("{\"status\":\"running\",\"qmpstatus\":\"paused\",\"lock\":\"backup\"}",
	    OBS_POWER_PAUSED);
	assert_power("{\"status\":\"stopped\",\"lock\":\"suspended\"}", OBS_POWER_HIBERNATED);
	assert_power("{\"status\":\"unknown\"}", OBS_POWER_UNKNOWN);
}

static void test_status_details(void **state)
{
	_cleanup_jsn_ struct jsn *j =
	    parse("{\"status\":\"running\",\"qmpstatus\":\"running\",\"uptime\":"
		  "400,\"ha\":{\"managed\":1,\"state\":\"started\"}}");
	_cleanup_jsn_ struct jsn *bad = parse("{}");
	struct obs_guest g = {0};

	(void)state;
	assert_int_equal(observe_status(j, 1000000, &g, NULL), 0);
	assert_int_equal(g.started_s, 600);
	assert_true(g.ha_managed);
	assert_string_equal(g.ha_state, "started");
	assert_int_equal(observe_status(bad, 0, &g, NULL), -1);
	obs_guest_fini(&g);
}

static void test_snapshots(void **state)
{
	_cleanup_jsn_ struct jsn *none = parse("[{\"name\":\"current\",\"digest\":\"x\"}]");
	_cleanup_jsn_ struct jsn *one =
	    parse("[{\"name\":\"before\"},{\"name\":\"half\",\"snapstate\":\"prepare\"},"
		  "{\"name\":\"current\"}]");
	struct obs_guest g = {0};

	(void)state;
	assert_int_equal(observe_snapshots(one, &g, NULL), 0);
	assert_true(g.snapshots);
	assert_true(g.snapshots_known);
	assert_int_equal(g.snapshot_names.n, 1); /* one that is being made is none yet */
	assert_string_equal(g.snapshot_names.v[0], "before");
	assert_int_equal(observe_snapshots(none, &g, NULL), 0);
	assert_false(g.snapshots);
	assert_int_equal(g.snapshot_names.n, 0);
	obs_guest_fini(&g);
}

static void test_cluster(void **state)
{
	_cleanup_jsn_ struct jsn *rows = parse(
	    "[{\"type\":\"qemu\",\"vmid\":200,\"node\":\"b\",\"tags\":\"x;ramet\",\"lock\":"
	    "\"clone\"},"
	    "{\"type\":\"lxc\",\"vmid\":\"100\",\"node\":\"a\"},{\"type\":\"node\",\"node\":\"a\"},"
	    "{\"type\":\"qemu\",\"vmid\":5,\"node\":\"a\"},{\"type\":\"qemu\",\"vmid\":300},7]");
	_cleanup_jsn_ struct jsn *nodes = parse(
	    "[{\"type\":\"node\",\"node\":\"a\",\"status\":\"online\",\"maxcpu\":4},{\"node\":"
	    "\"b\",\"status\":"
	    "\"offline\"},{\"node\":\"c\",\"status\":\"unknown\"}]");
	_cleanup_jsn_ struct jsn *stores =
	    parse("[{\"type\":\"storage\",\"storage\":\"s\",\"node\":\"a\",\"plugintype\":\"rbd\","
		  "\"shared\":1,"
		  "\"status\":\"available\",\"content\":\"images\",\"maxdisk\":100,\"disk\":30},"
		  "{\"storage\":\"t\",\"node\":\"a\",\"maxdisk\":100,\"disk\":100},"
		  "{\"storage\":\"u\",\"node\":\"a\",\"status\":\"unknown\"}]");
	_cleanup_jsn_ struct jsn *version = parse("{\"version\":\"8.4.21\",\"release\":\"8.4\"}");
	struct obs_cluster c = {0};

	(void)state;
	assert_int_equal(rows_of(rows, &c), 0);
	assert_int_equal(c.n_rows, 2);
	assert_false(obs_cluster_row(&c, 100)->qemu);
	assert_string_equal(obs_cluster_row(&c, 200)->lock, "clone");
	assert_null(obs_cluster_row(&c, 300));
	assert_int_equal(observe_nodes(nodes, &c, NULL), 0);
	assert_true(obs_cluster_node(&c, "a")->online);
	assert_int_equal(obs_cluster_node(&c, "a")->cpus, 4);
	assert_int_equal(obs_cluster_node(&c, "b")->cpus, 0);
	assert_false(obs_cluster_node(&c, "b")->online);
	assert_true(obs_cluster_node(&c, "c")->online);
	assert_int_equal(observe_storages(stores, 5000, &c, NULL), 0);
	assert_true(obs_cluster_storage(&c, "s", "a")->active);
	assert_int_equal(obs_cluster_storage(&c, "s", "a")->silent_since, 0);
	assert_int_equal(obs_cluster_storage(&c, "s", "a")->avail, 70);
	assert_false(obs_cluster_storage(&c, "s", "a")->full);
	assert_true(obs_cluster_storage(&c, "t", "a")->full);
	assert_false(obs_cluster_storage(&c, "u", "a")->full);
	assert_int_equal(observe_version(version, &c, NULL), 0);
	assert_int_equal(c.version_major, 8);
	assert_int_equal(c.version_minor, 4);
	obs_cluster_fini(&c);
}

/* Without a tree: types and forms as with one, and nothing is changed by what cannot be read. */
static void test_list(void **state)
{
	static const char good[] =
	    "{\"data\":[{\"type\":\"qemu\",\"vmid\":\"200\",\"node\":\"b\",\"lock\":\"clone\","
	    "\"tags\":\"\",\"cpu\":0.1,\"template\":1},{\"type\":\"lxc\",\"vmid\":100.0,"
	    "\"node\":\"a\",\"hastate\":\"started\"},{\"type\":\"qemu\",\"vmid\":99,\"node\":"
	    "\"a\"},{\"type\":\"storage\",\"vmid\":300,\"node\":\"a\"},{\"type\":\"qemu\","
	    "\"vmid\":301},null]}";
	static const char *const bad[] = {"{\"data\":null}", "{\"data\":[{\"type\":\"qemu\"}",
	    "{\"data\":[{\"type\":\"qemu\",\"vmid\":500,\"node\":\"a\"}],}"};
	struct obs_cluster c = {0};

	(void)state;
	assert_int_equal(observe_rows(good, strlen(good), &c, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		assert_int_equal(observe_rows(bad[i], strlen(bad[i]), &c, &e), -1);
		assert_int_equal(c.n_rows, 2);
	}
	assert_int_equal(c.rows[0].vmid, 100);
	assert_false(c.rows[0].qemu);
	assert_string_equal(c.rows[0].ha_state, "started");
	assert_string_equal(obs_cluster_row(&c, 200)->lock, "clone");
	assert_null(obs_cluster_row(&c, 200)->tags);
	assert_true(obs_cluster_row(&c, 200)->template);
	obs_cluster_fini(&c);
}

/* Since when a storage is silent is the first look that showed it so, until it speaks. */
static void test_silent_storages(void **state)
{
	static const struct {
		const char *status;
		int64_t now, since;
	} looks[] = {{"unknown", 1000, 1000}, {"unknown", 2000, 1000}, {"available", 3000, 0},
	    {"unknown", 4000, 4000}};
	struct obs_cluster c = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		_cleanup_str_ char *text =
		    mem_printf("[{\"type\":\"storage\",\"storage\":\"s\",\"node\":\"a\","
			       "\"status\":\"%s\"}]",
			looks[i].status);
		_cleanup_jsn_ struct jsn *data = parse(text);

		assert_int_equal(observe_storages(data, looks[i].now, &c, NULL), 0);
		assert_int_equal(obs_cluster_storage(&c, "s", "a")->silent_since, looks[i].since);
	}
	obs_cluster_fini(&c);
}

static void test_quorum(void **state)
{
	_cleanup_jsn_ struct jsn *lost =
	    parse("[{\"type\":\"cluster\",\"quorate\":0},{\"type\":\"node\"}]");
	_cleanup_jsn_ struct jsn *well =
	    parse("[{\"type\":\"node\"},{\"type\":\"cluster\",\"quorate\":1}]");
	_cleanup_jsn_ struct jsn *alone = parse("[{\"type\":\"node\",\"online\":1}]");
	_cleanup_jsn_ struct jsn *empty = parse("[]");
	bool q = true;

	(void)state;
	assert_int_equal(observe_quorum(lost, &q, NULL), 0);
	assert_false(q);
	assert_int_equal(observe_quorum(well, &q, NULL), 0);
	assert_true(q);
	assert_int_equal(observe_quorum(alone, &q, NULL), 0);
	assert_true(q);
	assert_int_equal(observe_quorum(empty, &q, NULL), -1);
	assert_int_equal(observe_quorum(NULL, &q, NULL), -1);
}

/* Quorum is asked of one node: of the one that answers, or of one that it sees. */
static void test_quorum_of_a_node(void **state)
{
	_cleanup_jsn_ struct jsn *view =
	    parse("[{\"type\":\"cluster\",\"quorate\":1},"
		  "{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1},"
		  "{\"type\":\"node\",\"name\":\"pve2\",\"local\":0,\"online\":1},"
		  "{\"type\":\"node\",\"name\":\"pve3\",\"local\":0,\"online\":0}]");
	_cleanup_jsn_ struct jsn *lost =
	    parse("[{\"type\":\"cluster\",\"quorate\":0},"
		  "{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1}]");
	_cleanup_jsn_ struct jsn *bare = parse("[{\"type\":\"cluster\",\"quorate\":1}]");
	static const struct {
		const char *node;
		bool quorate;
	} rows[] = {{"pve1", true}, {"pve2", true}, {"pve3", false}, {"pve4", false}};
	bool q = true;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(observe_quorum_of(view, rows[i].node, &q, NULL), 0);
		assert_int_equal(q, rows[i].quorate);
	}
	assert_int_equal(observe_quorum_of(lost, "pve1", &q, NULL), 0);
	assert_false(q);
	assert_int_equal(observe_quorum_of(bare, "pve1", &q, NULL), 0);
	assert_true(q);
	assert_int_equal(observe_quorum_of(NULL, "pve1", &q, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pending),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_pending_without_digest_is_no_answer),
	    cmocka_unit_test(test_power),
	    cmocka_unit_test(test_status_details),
	    cmocka_unit_test(test_snapshots),
	    cmocka_unit_test(test_cluster),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_silent_storages),
	    cmocka_unit_test(test_quorum),
	    cmocka_unit_test(test_quorum_of_a_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
