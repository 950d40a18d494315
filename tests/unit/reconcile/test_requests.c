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

static void assert_limit(const char *listed, const char *want)
{
	static const struct fake_answer script[] = {
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = "{\"data\":\"1204\"}"},
	    {.transport = CLUSTER_REPLIED, .status = 200, .body = STATUS},
	    {.transport = CLUSTER_REPLIED,
		.status = 500,
		.reason = "VM is locked (backup)",
		.body = "{\"data\":null}"}};
	struct step s = {.kind = STEP_CLONE};
	struct desk d;
	const struct fake_seen *r;

	open_desk(&d, listed, script, ARRAY_LEN(script));
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
	    cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
