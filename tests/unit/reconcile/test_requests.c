/* What is sent to PVE for a step, word by word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pve/fakeport.h"
#include "bundle.h"
#include "ops.h"
#include "store.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define MARKER "ramet: homelab/web-01 vmid=1204 0011223344556677"

struct desk {
	struct vclock *v;
	struct fakeport port;
	struct pvereq *pve;
	struct inventory *inventory;
	struct journal *journal;
	struct bundle *bundle;
	struct obs_guest guest, source;
	struct record record;
	struct op *op;
	enum op_end end;
	bool over;
};

static void on_view(void *arg)
{
	(void)arg;
}

static void on_touched(void *arg, const uint32_t *vmids, size_t n)
{
	(void)arg;
	(void)vmids;
	(void)n;
}

static bool nobody_has(void *arg, uint32_t vmid, const char *name)
{
	(void)arg;
	(void)vmid;
	(void)name;
	return false;
}

static void on_end(void *arg, const struct op_result *r)
{
	struct desk *d = arg;

	d->end = r->end;
	d->over = true;
	op_cancel(&d->op);
}

static bool is_over(const void *arg)
{
	return ((const struct desk *)arg)->over;
}

static void open_desk_of(
    struct desk *d, const char *id, const char *clone, const struct fake_answer *script, size_t n)
{
	_cleanup_str_ char *yaml =
	    mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata:\n  name: web-01\n"
		       "spec:\n  node_name: pve1\n%s  clone: { source_vm_id: 9000%s }\n",
		id, clone);
	struct bundle_file file = {.path = "web.yaml", .data = yaml, .len = strlen(yaml)};

	*d = (struct desk){.v = vclock_new(1, 1800000000000)};
	fakeport_init(&d->port, d->v, script, n);
	d->pve = pvereq_new(&d->port.port, vclock_clock(d->v), 30000);
	struct inventory_opts o = {.clock = vclock_clock(d->v),
	    .pve = d->pve,
	    .tick_ms = 15000,
	    .on_view = on_view,
	    .on_touched = on_touched};
	d->inventory = inventory_new(&o);
	assert_int_equal(journal_open(store_null(), "homelab", false, &d->journal, NULL), 0);
	assert_int_equal(bundle_build("r", &file, 1, NULL, &d->bundle, NULL), 0);
	assert_int_equal(d->bundle->n, 1);
	d->guest =
	    (struct obs_guest){.vmid = 1204, .node = mem_strdup("pve1"), .uuid = mem_strdup(UUID)};
	kv_set(&d->guest.current, "description", MARKER);
	d->source =
	    (struct obs_guest){.vmid = 9000, .node = mem_strdup("pve1"), .uuid = mem_strdup(UUID)};
	d->record = (struct record){
	    .vmid = 1204, .uuid = mem_strdup(UUID), .nonce = mem_strdup("0011223344556677")};
	assert_int_equal(journal_record(d->journal, "web-01", &d->record, NULL), 0);
}

static void open_desk(struct desk *d, const char *clone, const struct fake_answer *script, size_t n)
{
	open_desk_of(d, "  id: 1204\n", clone, script, n);
}

/* Carries the step out; the last request that was sent. */
static const struct fake_seen *send(struct desk *d, const struct step *s)
{
	bool clone = s->kind == STEP_CLONE;
	struct op_env env = {.clock = vclock_clock(d->v),
	    .pve = d->pve,
	    .journal = d->journal,
	    .inventory = d->inventory,
	    .controller_id = "homelab",
	    .is_reserved = nobody_has,
	    .arg = d};
	struct op_job job = {.name = "web-01",
	    .step = s,
	    .want = d->bundle->v[0].res,
	    .record = clone ? NULL : &d->record,
	    .guest = clone ? NULL : &d->guest,
	    .source = clone ? &d->source : NULL};

	d->over = false;
	d->op = op_start(&env, &job, on_end, NULL, d);
	assert_true(vclock_run_to(d->v, clock_now(env.clock) + 60000, is_over, d));
	assert_true(d->port.n_seen > 0);
	return &d->port.seen[d->port.n_seen - 1];
}

static void close_desk(struct desk *d)
{
	op_cancel(&d->op);
	inventory_free(&d->inventory);
	journal_free(&d->journal);
	pvereq_free(&d->pve);
	fakeport_fini(&d->port);
	vclock_free(&d->v);
	bundle_unref(&d->bundle);
	obs_guest_fini(&d->guest);
	obs_guest_fini(&d->source);
	record_fini(&d->record);
}

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
