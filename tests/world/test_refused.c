/*
 * Steps that PVE refuses for lack of a right: what is told of them, and what goes on all the same.
 */
#include "log.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define HEAD(name)                                                                        \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n" \
	"  node_name: pve1\n  clone: { source_vm_id: 9000, full: false }\n"

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

static void commit(struct world *w, const char *yaml, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "all.yaml", yaml);
	memgit_commit(w->git, &files, subject);
}

static void tell(struct world *w)
{
	w->tell = getenv("RAMET_WORLD_TELL") != NULL;
}

static void must_be_ready(struct world *w)
{
	if (world_run(w, HOUR_MS, world_all_ready, NULL))
		return;
	fputs(buf_str(&w->story), stderr);
	fail_msg("not ready");
}

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
	tell(w);
	commit(w, HEAD("web-01") "  started: true\n", "first");
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	assert_has(world_vmstat(w, "web-01")->last_upid, ":qmstart:");
	sim_fault_add(w->sim, &f);
	commit(w, HEAD("web-01") "  started: true\n  description: Front\n", "second");
	world_run(w, 180000, NULL, NULL);
	v = world_vmstat(w, "web-01");
	assert_int_equal(v->reason, REASON_FORBIDDEN);
	assert_has(v->last_result, "Permission check failed");
	assert_null(v->last_upid);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_task_of_a_refused_call),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
