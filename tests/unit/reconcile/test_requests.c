/* What is sent to PVE for a step, word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "desk.h"

/* ---- pools ---- */

#define PENDING                                               \
	"{\"data\":[{\"key\":\"digest\",\"value\":\"abc\"},"  \
	"{\"key\":\"description\",\"value\":\"" MARKER "\"}," \
	"{\"key\":\"smbios1\",\"value\":\"uuid=" UUID "\"}]}"

static void test_pools(void **state)
{
	/* The guest is looked at once more: nothing in the request says which one is meant. */
	static const struct fake_answer ok[] = {
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = PENDING},
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":null}"}};
	struct step s = {.kind = STEP_POOL, .pool = (char *)"prod", .text = (char *)"pool"};
	struct desk d;
	const struct fake_seen *r;

	(void)state;
	open_desk(&d, "", ok, 2);
	r = send(&d, &s);
	assert_int_equal(d.end, OP_DONE);
	assert_string_equal(r->method, "PUT");
	assert_string_equal(r->path, "/pools/prod");
	assert_string_equal(kv_get(&r->params, "vms"), "1204");
	close_desk(&d);
	/* A pool within another one has a slash in its name, and no path has a place for that: PVE
	 * would say that there is no such call. */
	s.pool = (char *)"teams/web";
	open_desk(&d, "", ok, 2);
	r = send(&d, &s);
	assert_string_equal(r->method, "PUT");
	assert_string_equal(r->path, "/pools");
	assert_string_equal(kv_get(&r->params, "poolid"), "teams/web");
	assert_string_equal(kv_get(&r->params, "vms"), "1204");
	close_desk(&d);
}

/* ---- clones ---- */

#define STATUS \
	"{\"data\":[{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1,\"nodeid\":0}]}"

/* The number is free, the node is there, and the clone is refused. */
static const struct fake_answer clone_script[] = {
    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":\"1204\"}"},
    {.transport = CLUSTER_REPLIED, .status = 200, .body = STATUS},
    {.transport = CLUSTER_REPLIED,
	.status = 500,
	.reason = "VM is locked (backup)",
	.body = "{\"data\":null}"}};

static void assert_limit(const char *listed, const char *want)
{
	struct step s = {.kind = STEP_CLONE};
	struct desk d;
	const struct fake_seen *r;

	open_desk(&d, listed, clone_script, ARRAY_LEN(clone_script));
	r = send(&d, &s);
	assert_int_equal(d.end, OP_FAILED);
	assert_string_equal(r->method, "POST");
	assert_string_equal(r->path, "/nodes/pve1/qemu/9000/clone");
	assert_string_equal(kv_get(&r->params, "newid"), "1204");
	assert_string_equal(kv_get(&r->params, "full"), "1");
	if (want)
		assert_string_equal(kv_get(&r->params, "bwlimit"), want);
	else
		assert_false(kv_has(&r->params, "bwlimit"));
	close_desk(&d);
}

/* KiB/s; none at all is another thing than the datacenter's. */
static void test_bandwidth(void **state)
{
	(void)state;
	assert_limit("", NULL);
	assert_limit(", bandwidth_limit: 100", "102400");
	assert_limit(", bandwidth_limit: 0", "0");
}

struct asked {
	const char *key, *value; /* value NULL: it is not sent */
};

static void assert_asked(const struct fake_seen *r, const struct asked *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *sent = kv_get(&r->params, v[i].key);

		if (!text_eq(sent, v[i].value))
			fail_msg("%s is %s, not %s", v[i].key, sent ? sent : "not sent",
			    v[i].value ? v[i].value : "left out");
	}
}

/* What the block clone says goes into the call, and nothing that it does not say. */
static void test_clone_says_what_is_listed(void **state)
{
	static const struct asked least[] = {{"newid", "1204"}, {"name", "web-01"}, {"full", "1"},
	    {"pool", NULL}, {"snapname", NULL}, {"storage", NULL}, {"format", NULL},
	    {"target", NULL}, {"bwlimit", NULL}};
	static const struct asked full[] = {{"name", "front"}, {"full", "1"}, {"pool", "prod"},
	    {"snapname", "before"}, {"storage", "ceph"}, {"format", "raw"}, {"target", "pve1"}};
	static const struct asked linked[] = {
	    {"full", "0"}, {"storage", NULL}, {"format", NULL}, {"target", NULL}};
	/* Whether there is quorum is asked of the node that will do it: that of the source. */
	static const char there[] = "{\"data\":[{\"type\":\"node\",\"name\":\"pve2\","
				    "\"local\":1,\"online\":1,\"nodeid\":0}]}";
	struct fake_answer elsewhere[ARRAY_LEN(clone_script)];
	struct step s = {.kind = STEP_CLONE};
	struct desk d;

	(void)state;
	memcpy(elsewhere, clone_script, sizeof(elsewhere));
	elsewhere[1].body = there;
	open_desk(&d, "", clone_script, ARRAY_LEN(clone_script));
	assert_asked(send(&d, &s), least, ARRAY_LEN(least));
	close_desk(&d);
	open_desk_of(&d, "  id: 1204\n  name: front\n",
	    ", pool_id: prod, snapshot_name: before, target_datastore: ceph, target_format: raw",
	    elsewhere, ARRAY_LEN(elsewhere));
	mem_replace(&d.source.node, "pve2");
	const struct fake_seen *r = send(&d, &s);
	assert_string_equal(r->path, "/nodes/pve2/qemu/9000/clone");
	assert_string_equal(d.port.seen[1].path, "/cluster/status");
	assert_string_equal(d.port.seen[1].node, "pve2");
	assert_asked(r, full, ARRAY_LEN(full));
	close_desk(&d);
	open_desk(&d, ", full: false", clone_script, ARRAY_LEN(clone_script));
	assert_asked(send(&d, &s), linked, ARRAY_LEN(linked));
	close_desk(&d);
}

static void assert_notes(const char *listed, const char *inherited, const char *want)
{
	static const char own[] = "ramet: homelab/web-01 vmid=1204 ";
	_cleanup_str_ char *spec = mem_printf("  id: 1204\n%s", listed);
	struct step s = {.kind = STEP_CLONE};
	struct desk d;

	open_desk_of(&d, spec, "", clone_script, ARRAY_LEN(clone_script));
	kv_set(&d.source.current, "description", inherited);
	const char *text = kv_get(&send(&d, &s)->params, "description");
	assert_non_null(text);
	/* One marker, in the last line, with a nonce that was drawn for it. */
	const char *marker = strstr(text, "ramet: ");
	assert_non_null(marker);
	assert_null(strstr(marker + 1, "ramet: "));
	assert_true(text_starts(marker, own));
	assert_int_equal(strlen(marker), strlen(own) + 16);
	assert_int_equal(strspn(marker + strlen(own), "0123456789abcdef"), 16);
	_cleanup_str_ char *before = mem_strndup(text, (size_t)(marker - text));
	before[strcspn(before, "\n")] = '\0';
	assert_string_equal(before, want);
	close_desk(&d);
}

/* The VM carries the marker from its first moment: it goes with the call. */
static void test_clone_brings_its_marker(void **state)
{
	static const char old[] = "A golden one\nramet: homelab/tmpl vmid=9000 00112233aabbccdd";

	(void)state;
	assert_notes("", "", "");
	assert_notes("", "A golden one", "A golden one");
	assert_notes("", old, "A golden one");
	assert_notes("  description: Front end\n", old, "Front end");
	assert_notes("  description: null\n", old, "");
}

/* ---- other steps ---- */

#define CONFIRMED                                                           \
	{                                                                   \
		.transport = CLUSTER_REPLIED, .status = 200, .body = STATUS \
	}
#define REFUSED                                                                   \
	{                                                                         \
		.transport = CLUSTER_REPLIED, .status = 500, .reason = "refused", \
		.body = "{\"data\":null}"                                         \
	}

/* Somebody else's change in between is noticed by PVE, of whatever can carry the digest. */
static void test_digest_goes_along(void **state)
{
	static const struct fake_answer script[] = {CONFIRMED, CONFIRMED, REFUSED};
	static const struct asked resize[] = {
	    {"disk", "scsi0"}, {"size", "60G"}, {"digest", "abc"}};
	static const struct asked move[] = {{"disk", "scsi0"}, {"storage", "ceph"},
	    {"format", "raw"}, {"delete", "1"}, {"digest", "abc"}};
	static const struct asked config[] = {
	    {"cores", "4"}, {"delete", "net1"}, {"digest", "abc"}};
	struct step steps[] = {{.kind = STEP_RESIZE,
				   .allocates = true,
				   .slot = (char *)"scsi0",
				   .size_gb = 60,
				   .text = (char *)"grow"},
	    {.kind = STEP_MOVE,
		.allocates = true,
		.slot = (char *)"scsi0",
		.storage = (char *)"ceph",
		.format = (char *)"raw",
		.text = (char *)"move"},
	    {.kind = STEP_CONFIG, .allocates = true, .task = true, .text = (char *)"set"}};
	const struct {
		const char *method, *path;
		const struct asked *v;
		size_t n;
	} want[] = {{"PUT", "/nodes/pve1/qemu/1204/resize", resize, ARRAY_LEN(resize)},
	    {"POST", "/nodes/pve1/qemu/1204/move_disk", move, ARRAY_LEN(move)},
	    {"POST", "/nodes/pve1/qemu/1204/config", config, ARRAY_LEN(config)}};
	struct desk d;

	(void)state;
	kv_set(&steps[2].set, "cores", "4");
	strs_add(&steps[2].del, "net1");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		open_desk(&d, "", script, ARRAY_LEN(script));
		const struct fake_seen *r = send(&d, &steps[i]);
		assert_string_equal(r->method, want[i].method);
		assert_string_equal(r->path, want[i].path);
		assert_asked(r, want[i].v, want[i].n);
		close_desk(&d);
	}
	kv_fini(&steps[2].set);
	strs_fini(&steps[2].del);
}

static void assert_shutdown(const char *listed, const char *seconds)
{
	static const struct fake_answer script[] = {
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = PENDING}, REFUSED};
	const struct asked want[] = {{"timeout", seconds}};
	_cleanup_str_ char *spec = mem_printf("  id: 1204\n%s", listed);
	struct step s = {.kind = STEP_SHUTDOWN, .text = (char *)"shut down"};
	struct desk d;

	open_desk_of(&d, spec, "", script, ARRAY_LEN(script));
	const struct fake_seen *r = send(&d, &s);
	assert_string_equal(r->path, "/nodes/pve1/qemu/1204/status/shutdown");
	assert_asked(r, want, ARRAY_LEN(want));
	close_desk(&d);
}

/* Half of the time for an update; PVE holds the guest's lock meanwhile, so never very long. */
static void test_shutdown_has_its_time(void **state)
{
	(void)state;
	assert_shutdown("", "180");
	assert_shutdown("  timeouts: { update: 2m }\n", "60");
}

/* ---- the end ---- */

static const struct fake_answer destroy_script[] = {
    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":[]}"}, CONFIRMED,
    {.transport = CLUSTER_REPLIED,
	.status = 200,
	.body = "{\"data\":{\"status\":\"stopped\",\"qmpstatus\":\"stopped\"}}"},
    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":[]}"},
    {.transport = CLUSTER_REPLIED, .status = 200, .body = PENDING}, REFUSED};

static void assert_destroy(bool purge, bool unreferenced, const char *p, const char *u)
{
	const struct asked want[] = {{"purge", p}, {"destroy-unreferenced-disks", u}};
	struct step s = {.kind = STEP_DESTROY,
	    .parting = true,
	    .purge = purge,
	    .unreferenced = unreferenced,
	    .text = (char *)"destroy"};
	struct desk d;

	open_desk(&d, "", destroy_script, ARRAY_LEN(destroy_script));
	d.record.proven = true;
	const struct fake_seen *r = send(&d, &s);
	assert_string_equal(r->method, "DELETE");
	assert_string_equal(r->path, "/nodes/pve1/qemu/1204");
	assert_asked(r, want, ARRAY_LEN(want));
	/* Jobs that copy it, the node's quorum, HA, and at the very last who it is. */
	assert_string_equal(d.port.seen[0].path, "/cluster/replication");
	assert_string_equal(d.port.seen[1].path, "/cluster/status");
	assert_string_equal(d.port.seen[2].path, "/nodes/pve1/qemu/1204/status/current");
	assert_string_equal(d.port.seen[4].path, "/nodes/pve1/qemu/1204/pending");
	close_desk(&d);
}

static void test_destroying_says_what_is_listed(void **state)
{
	(void)state;
	assert_destroy(true, false, "1", "0");
	assert_destroy(false, true, "0", "1");
}

static void assert_parting(const char *listed, int64_t most)
{
	static const struct fake_answer script[] = {
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":[]}"}, CONFIRMED,
	    REFUSED};
	_cleanup_str_ char *spec = mem_printf("  id: 1204\n%s", listed);
	struct step s = {.kind = STEP_SHUTDOWN, .parting = true, .text = (char *)"shut down"};
	struct desk d;
	int64_t seconds;

	open_desk_of(&d, spec, "", script, ARRAY_LEN(script));
	d.record.proven = true;
	const struct fake_seen *r = send(&d, &s);
	assert_string_equal(r->path, "/nodes/pve1/qemu/1204/status/shutdown");
	assert_int_equal(text_to_int(kv_get(&r->params, "timeout"), 1, most, &seconds), 0);
	close_desk(&d);
}

/* A quarter of timeouts.delete at least is left for what comes after the shutdown. */
static void test_shutdown_leaves_time_to_destroy(void **state)
{
	(void)state;
	assert_parting("  timeouts: { delete: 100s }\n", 75);
	assert_parting("  timeouts: { delete: 20s }\n", 15);
}

/* ---- numbers ---- */

static bool has_looked(const void *arg)
{
	return inventory_looks(((const struct desk *)arg)->inventory) == 1;
}

/* The first number that is asked for, in a datacenter with these options. */
static int64_t number_in(const char *options)
{
#define OK(data) {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":" data "}"}
	_cleanup_str_ char *body = mem_printf("{\"data\":%s}", options);
	const struct fake_answer script[] = {
	    OK("{\"release\":\"9.2\",\"version\":\"9.2.11\"}"),
	    OK("[]"),
	    OK("[{\"type\":\"node\",\"node\":\"pve1\",\"status\":\"online\"}]"),
	    OK("[{\"type\":\"node\",\"name\":\"pve1\",\"local\":1,\"online\":1}]"),
	    OK("[]"),
	    OK("[]"),
	    OK("[]"),
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = body},
	    OK("[]"),
	    {.transport = CLUSTER_REPLIED, .status = 500, .reason = "ipcc_send_rec failed"},
	};
#undef OK
	struct step s = {.kind = STEP_CLONE};
	struct desk d;
	int64_t number = 0;

	open_desk_of(&d, "", "", script, ARRAY_LEN(script));
	inventory_start(d.inventory);
	assert_true(vclock_run_to(d.v, 10000, has_looked, &d));
	const struct fake_seen *r = send(&d, &s);
	assert_string_equal(r->path, "/cluster/nextid");
	assert_int_equal(text_to_int(kv_get(&r->params, "vmid"), 1, 999999999, &number), 0);
	close_desk(&d);
	return number;
}

/* Where nothing is configured, the datacenter says where to look. */
static void test_range(void **state)
{
	int64_t n = number_in("{\"mac_prefix\":\"BC:24:11\"}");

	(void)state;
	assert_in_range(n, 100, 9999);
	n = number_in("{\"next-id\":{\"lower\":\"500000\",\"upper\":\"500010\"}}");
	assert_in_range(n, 500000, 500009);
	n = number_in("{\"next-id\":{\"lower\":\"500000\"}}");
	assert_in_range(n, 500000, 509899);
	n = number_in("{\"next-id\":{\"upper\":\"110\"}}");
	assert_in_range(n, 100, 109);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pools),
	    cmocka_unit_test(test_bandwidth),
	    cmocka_unit_test(test_clone_says_what_is_listed),
	    cmocka_unit_test(test_clone_brings_its_marker),
	    cmocka_unit_test(test_digest_goes_along),
	    cmocka_unit_test(test_shutdown_has_its_time),
	    cmocka_unit_test(test_destroying_says_what_is_listed),
	    cmocka_unit_test(test_shutdown_leaves_time_to_destroy),
	    cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
