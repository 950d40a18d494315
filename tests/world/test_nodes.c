/* Nodes that were removed from the cluster, or have another name now. */
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define MANIFEST(name)                                                                    \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n" \
	"  node_name: pve1\n  clone: { source_vm_id: 9000, full: false }\n"

static void commit(struct world *w, const char *name, const char *yaml)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, name, yaml);
	memgit_commit(w->git, &files, name);
}

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("no \"%s\" in \"%s\"", part, text ? text : "");
}

/* The guest whose configuration lies elsewhere. */
struct stray {
	int64_t vmid;
	bool on;
};

static char *say(void *arg, const char *path, const char *body)
{
	const struct stray *s = arg;
	_cleanup_str_ char *id = mem_printf("\"vmid\":%lld,", (long long)s->vmid);
	const char *at = s->on && text_eq(path, "/cluster/resources") ? strstr(body, id) : NULL;
	const char *from = at, *node;

	while (from && from > body && *from != '{')
		from--;
	node = from ? strstr(from, "\"pve1\"") : NULL;
	return node ? mem_printf("%.*s\"old-1\"%s", (int)(node - body), body, node + 6) : NULL;
}

static struct world *open_world(uint64_t seed, struct stray *s)
{
	struct world *w = world_new(seed, NULL);

	commit(w, "web.yaml", MANIFEST("web-01"));
	world_start(w, CONTROLLER_RUN);
	simport_set_mouth(w->port, say, s);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	return w;
}

static bool is_told(struct world *w)
{
	return world_vmstat(w, "web-01")->reason == REASON_NODE_UNKNOWN;
}

/* Nobody can read it there, now or later: a person moves its configuration. */
static void test_a_vm_of_a_node_that_is_none(void **state)
{
	struct stray s = {0};
	struct world *w = open_world(1, &s);
	const struct vmstat *v;
	size_t commits;

	(void)state;
	s.vmid = world_find(w, "web-01", NULL);
	s.on = true;
	assert_true(world_run(w, HOUR_MS, is_told, NULL));
	v = world_vmstat(w, "web-01");
	assert_has(v->message, "old-1");
	assert_has(v->hint, "/etc/pve/nodes/old-1/qemu-server/");
	world_run(w, 60000, NULL, NULL);
	commits = memgit_status_commits(w->git);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(memgit_status_commits(w->git), commits);
	/* As soon as it is moved, all is well. */
	s.on = false;
	assert_true(world_run(w, 60000, world_all_ready, NULL));
	world_free(&w);
}

/* The same of a template. */
static void test_a_template_of_a_node_that_is_none(void **state)
{
	struct stray s = {.vmid = 9000};
	struct world *w = open_world(2, &s);

	(void)state;
	s.on = true;
	world_run(w, 60000, NULL, NULL);
	commit(w, "web.yaml", MANIFEST("web-01") "---\n" MANIFEST("db-01"));
	world_run(w, 300000, NULL, NULL);
	assert_int_equal(world_vmstat(w, "db-01")->reason, REASON_NODE_UNKNOWN);
	assert_has(world_vmstat(w, "db-01")->message, "the template 9000");
	assert_int_equal(world_find(w, "db-01", NULL), 0);
	s.on = false;
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_free(&w);
}

/* One that is lost for good and taken out of the cluster while it is off: what it had stays in the
 * list, on a node that nobody knows. It is neither missing nor made anew. */
static void test_a_node_that_was_taken_out(void **state)
{
	struct world *w = world_new(4, NULL);
	int64_t vmid;
	size_t n = 0;

	(void)state;
	commit(w, "web.yaml", MANIFEST("web-01") "  on_missing: recreate\n");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	vmid = world_find(w, "web-01", NULL);
	assert_int_equal(sim_human_migrate(w->sim, vmid, "pve3", NULL), 0);
	world_run(w, 300000, NULL, NULL);
	assert_true(world_all_ready(w));
	assert_int_equal(sim_node_power(w->sim, "pve3", false, NULL), 0);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_NODE_OFFLINE);
	assert_int_equal(sim_node_leave(w->sim, "pve3", NULL), 0);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_true(is_told(w));
	assert_has(world_vmstat(w, "web-01")->hint, "/etc/pve/nodes/pve3/qemu-server/");
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
	world_free(&w);
}

#define FROZEN 24

/* Readings of its VMs hang until they are given up. The others go on, and as soon as the node
 * answers again, all of its own are read. */
static void test_a_frozen_node(void **state)
{
	struct sim_fault f = {.kind = SIM_FAULT_DELAY,
	    .path = "/nodes/pve1/qemu/*/status/current",
	    .probability = 1,
	    .delay_ms = HOUR_MS};
	struct world *w = world_new(3, NULL);
	_cleanup_kv_ struct kv files = {0};
	size_t told = 0;

	(void)state;
	for (size_t i = 0; i < FROZEN; i++) {
		_cleanup_str_ char *path = mem_printf("vm-%zu.yaml", i);
		_cleanup_str_ char *yaml =
		    mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: vm-%zu "
			       "}\nspec:\n  node_name: %s\n  clone: { source_vm_id: 9000, full: "
			       "false }\n",
			i, i == 0 ? "pve2" : "pve1");
		kv_set(&files, path, yaml);
	}
	memgit_commit(w->git, &files, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	sim_fault_add(w->sim, &f);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(world_vmstat(w, "vm-0")->verdict, PLAN_IN_SYNC);
	for (size_t i = 1; i < FROZEN; i++) {
		_cleanup_str_ char *name = mem_printf("vm-%zu", i);
		enum reason r = world_vmstat(w, name)->reason;
		assert_true(r == REASON_NODE_OFFLINE || r == REASON_RETRYING);
		told += r == REASON_NODE_OFFLINE;
	}
	assert_true(told > 0);
	sim_fault_clear(w->sim);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_vm_of_a_node_that_is_none),
	    cmocka_unit_test(test_a_template_of_a_node_that_is_none),
	    cmocka_unit_test(test_a_node_that_was_taken_out),
	    cmocka_unit_test(test_a_frozen_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
