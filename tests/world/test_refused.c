/*
 * Steps that PVE refuses for lack of a right: what is told of them, and what goes on all the same.
 */
#include "needs.h"
#include "support_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD(name)                                                                        \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n" \
	"  node_name: pve1\n  clone: { source_vm_id: 9000, full: false }\n"

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text ? text : "");
}

/* The task is of the call that is told of, not of the one before. */
static void test_no_task_of_a_refused_call(void **state)
{
	struct world *w = world_new(401, NULL);
	struct sim_fault f = {
	    .kind = SIM_FAULT_FORBIDDEN, .method = "PUT", .path = "*/config", .probability = 1.0};
	const struct vmstat *v;

	(void)state;
	case_merge(w, HEAD("web-01") "  started: true\n", "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	assert_has(world_vmstat(w, "web-01")->last_upid, ":qmstart:");
	sim_fault_add(w->sim, &f);
	case_merge(w, HEAD("web-01") "  started: true\n  description: Front\n", "second");
	world_run(w, 180000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_FORBIDDEN);
	assert_has(v->last_result, "Permission check failed");
	assert_null(v->last_upid);
	world_free(&w);
}

/* The cluster of all worlds with options of the datacenter. */
static struct world *world_with(uint64_t seed, const char *options)
{
	static const char head[] = "cluster: { name: world }\n";
	_cleanup_str_ char *yaml = NULL;

	assert_memory_equal(world_cluster_yaml, head, strlen(head));
	yaml = mem_printf("cluster: { name: world, options: { %s } }\n%s", options,
	    world_cluster_yaml + strlen(head));
	return world_new_on(seed, NULL, yaml);
}

/* Ramet's tag is decoration: what it is refused for is done without it, and that is told. */
static void tag_is_refused(uint64_t seed, const char *options)
{
	struct world *w = world_with(seed, options);
	const struct vmstat *v;
	int64_t vmid;

	case_merge(w, HEAD("web-01") "  cpu: { cores: 4 }\n  started: true\n", "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	vmid = world_find(w, "web-01", NULL);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	assert_true(sim_guest_running(w->sim, vmid));
	assert_string_equal(sim_guest_get(w->sim, vmid, "tags"), "golden");
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_TAG_FORBIDDEN);
	assert_has(v->message, "the tag ramet");
	assert_has(memgit_status_file(w->git, "vms/web-01.yaml"), "user-tag-access");
	/* And so it stays, without a call to the cluster. */
	size_t lines = memstore_lines(w->store);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(memstore_lines(w->store), lines);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_TAG_FORBIDDEN);
	world_free(&w);
}

static void test_tag_is_refused(void **state)
{
	(void)state;
	tag_is_refused(411, "registered-tags: \"ramet;prod\"");
	tag_is_refused(412, "user-tag-access: \"user-allow=none\"");
}

static void drop_reply(void *arg, const struct sim_reply *r)
{
	*(int *)arg = r->status;
}

/* Somebody writes the options of the datacenter. */
static void set_option(struct world *w, const char *key, const char *value)
{
	_cleanup_kv_ struct kv params = {0};
	int status = 0;
	struct sim_req q = {.node = "pve1",
	    .method = "PUT",
	    .path = "/cluster/options",
	    .params = &params,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222"};

	kv_set(&params, key, value);
	(void)sim_submit(w->sim, &q, drop_reply, &status);
	world_run(w, 5000, NULL, NULL);
	assert_int_equal(status, 200);
}

/* A tag that is listed and that PVE refuses keeps nothing else from being done, and is told; when
 * the datacenter allows it, it is put on. */
static void test_listed_tag_is_refused(void **state)
{
	struct world *w = world_with(413, "registered-tags: \"prod;golden\"");
	const struct vmstat *v;
	int64_t vmid;
	size_t lines, commits;

	(void)state;
	case_merge(w, HEAD("web-01") "  tags: [web, prod]\n  cpu: { cores: 4 }\n  started: true\n",
	    "first");
	world_start(w, CONTROLLER_RUN);
	world_run(w, 900000, NULL, NULL);
	vmid = world_find(w, "web-01", NULL);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	assert_string_equal(sim_guest_get(w->sim, vmid, "tags"), "golden;ramet;web");
	assert_true(sim_guest_running(w->sim, vmid));
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->verdict, PLAN_STALLED);
	assert_int_equal(v->reason, REASON_FORBIDDEN);
	assert_has(v->message, "golden, prod");
	assert_has(v->hint, "registered-tags");
	/* And so it stays, without a write. */
	lines = memstore_lines(w->store);
	commits = memgit_status_commits(w->git);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(memstore_lines(w->store), lines);
	assert_int_equal(memgit_status_commits(w->git), commits);
	set_option(w, "registered-tags", "other");
	case_must_be_ready(w);
	assert_string_equal(sim_guest_get(w->sim, vmid, "tags"), "prod;ramet;web");
	world_free(&w);
}

/* The cluster of all worlds, and the token's role without one privilege. */
static struct world *world_without(uint64_t seed, const char *privilege)
{
	_cleanup_str_ char *item = mem_printf(" %s,", privilege);
	const char *at = strstr(world_cluster_yaml, item);
	_cleanup_str_ char *yaml = NULL;

	assert_non_null(at);
	yaml = mem_printf(
	    "%.*s%s", (int)(at - world_cluster_yaml), world_cluster_yaml, at + strlen(item));
	return world_new_on(seed, NULL, yaml);
}

#define PLAIN HEAD("plain-01") "---\n"
static const struct {
	const char *privilege, *yaml;
	const char *lack, *path; /* in the message; where it is to be given */
	const char *then;	 /* a later manifest, or NULL */
} lacks[] = {
    {"VM.Clone", PLAIN, "VM.Clone on /vms/9000", "/vms/9000"},
    {"VM.Allocate", PLAIN, "VM.Allocate on /vms/10", "/vms"},
    {"Datastore.AllocateSpace", PLAIN, "Datastore.AllocateSpace on /storage/shared",
	"/storage/shared"},
    {"SDN.Use", PLAIN, "SDN.Use on /sdn/zones/localnetwork/vmbr0", "/sdn/zones/localnetwork/vmbr0"},
    {"VM.Config.CPU", PLAIN HEAD("web-01") "  cpu: { cores: 4 }\n", "VM.Config.CPU on /vms/10",
	"/vms"},
    {"VM.Config.Memory", PLAIN HEAD("web-01") "  id: 1077\n  memory: { size: 1024 }\n",
	"VM.Config.Memory on /vms/1077", "/vms/1077"},
    {"VM.Config.Network", PLAIN HEAD("web-01") "  network: { net0: { tag: 5 } }\n",
	"VM.Config.Network on /vms/10", "/vms"},
    {"VM.Config.Disk", PLAIN HEAD("web-01") "  disk: { scsi0: { size_gb: 25 } }\n",
	"VM.Config.Disk on /vms/10", "/vms"},
    {"VM.PowerMgmt", PLAIN HEAD("web-01") "  started: true\n", "VM.PowerMgmt on /vms/10", "/vms"},
    {"VM.Migrate", PLAIN HEAD("web-01") "  placement: pin\n", "VM.Migrate on /vms/10", "/vms"},
    {"Pool.Allocate", PLAIN HEAD("web-01"), "Pool.Allocate on /pool/lab", "/pool/lab",
	PLAIN "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	      "  node_name: pve1\n"
	      "  clone: { source_vm_id: 9000, full: false, pool_id: lab }\n"},
};

/* Which right is missing, where, and the command that gives it; the others go on. */
static void test_lacks_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lacks); i++) {
		struct world *w = world_without(420 + i, lacks[i].privilege);
		bool others = strstr(lacks[i].yaml, "web-01") != NULL;
		const char *name = others ? "web-01" : "plain-01";
		_cleanup_str_ char *acl =
		    mem_printf("pveum acl modify %s --roles Ramet-", lacks[i].path);
		const char *privs;
		const struct vmstat *v;

		case_merge(w, lacks[i].yaml, "first");
		world_start(w, CONTROLLER_RUN);
		world_run(w, 900000, NULL, NULL);
		if (strstr(lacks[i].yaml, "pin"))
			assert_int_equal(
			    sim_human_migrate(w->sim, world_find(w, name, NULL), "pve2", NULL), 0);
		if (lacks[i].then)
			case_merge(w, lacks[i].then, "second");
		world_run(w, 300000, NULL, NULL);
		v = world_vmstat(w, name);
		if (v->reason != REASON_FORBIDDEN)
			fail_msg(
			    "%s: %s: %s", lacks[i].privilege, reason_word(v->reason), v->message);
		assert_has(v->message, "the token lacks ");
		assert_has(v->message, lacks[i].lack);
		assert_has(v->hint, acl);
		assert_has(v->hint, "--users ramet@pve --tokens 'ramet@pve!ctl'");
		privs = strstr(v->hint, "--privs ");
		assert_has(privs, lacks[i].privilege);
		assert_has(memgit_status_file(w->git, "STATUS.md"), "pveum acl modify");
		if (others)
			assert_int_equal(world_vmstat(w, "plain-01")->verdict, PLAN_IN_SYNC);
		world_free(&w);
	}
}

/* However much others need: what is given on a path replaces what it would inherit, so that the
 * command has to name all that its VM needs. */
static void test_lacks_beside_many(void **state)
{
	static const char *const needed[] = {
	    "VM.Allocate", "VM.Audit", "VM.Config.Memory", "VM.Config.Options"};
	struct world *w = world_without(431, "VM.Config.Memory");
	_cleanup_buf_ struct buf yaml = {0};
	const struct vmstat *v;

	(void)state;
	for (int i = 0; i * 32 <= NEEDS_MAX; i++) {
		buf_addf(&yaml, HEAD("many-%03d") "  depends_on: [web-01]\n  network:\n", i);
		for (int k = 0; k < 32; k++)
			buf_addf(&yaml, "    net%d: { bridge: b%dx%d }\n", k, i, k);
		buf_adds(&yaml, "---\n");
	}
	buf_adds(&yaml, HEAD("web-01") "  id: 1077\n  memory: { size: 1024 }\n");
	case_merge(w, buf_str(&yaml), "first");
	world_start(w, CONTROLLER_RUN);
	world_run(w, 900000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_FORBIDDEN);
	const char *privs = strstr(v->hint, "--privs ");
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		assert_has(privs, needed[i]);
	world_free(&w);
}

/* The second half of a conversion fails for good: told, with what a person looks at. */
static void test_half_a_template(void **state)
{
	struct world *w = world_new(451, NULL);
	struct sim_fault f = {.kind = SIM_FAULT_TASK_ERROR,
	    .method = "POST",
	    .path = "*/template",
	    .probability = 1.0,
	    .text = "no such volume"};
	_cleanup_kv_ struct kv set = {0};
	const struct vmstat *v;
	int64_t vmid;

	(void)state;
	case_merge(w, HEAD("web-01"), "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	vmid = world_find(w, "web-01", NULL);
	kv_set(&set, "template", "1");
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
	sim_fault_add(w->sim, &f);
	case_merge(w, HEAD("web-01") "  template: true\n", "second");
	world_run(w, HOUR_MS, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_REJECTED);
	assert_has(v->message, "no such volume");
	_cleanup_str_ char *look = mem_printf("pvesm list shared --vmid %lld", (long long)vmid);
	_cleanup_str_ char *set_it = mem_printf("/base-%lld-disk-0", (long long)vmid);
	assert_has(v->hint, look);
	assert_has(v->hint, set_it);
	sim_fault_clear(w->sim);
	case_merge(w, HEAD("web-01") "  template: true\n  description: x\n", "third");
	case_must_be_ready(w);
	assert_has(sim_guest_get(w->sim, vmid, "scsi0"), set_it);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_task_of_a_refused_call),
	    cmocka_unit_test(test_tag_is_refused),
	    cmocka_unit_test(test_listed_tag_is_refused),
	    cmocka_unit_test(test_lacks_are_named),
	    cmocka_unit_test(test_lacks_beside_many),
	    cmocka_unit_test(test_half_a_template),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
