/* A VM that is pinned comes back to its node; one that is not stays where people put it. */
#include "support_judge.h"
#include "support_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANIFEST                                                                        \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n" \
	"  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"             \
	"  started: true\n  placement: "

static struct judge judge;

static void look(struct world *w)
{
	judge_look(&judge, w);
}

static struct world *moved_world(const char *placement)
{
	struct world *w = world_new(7, NULL);
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml", MANIFEST "%s\n", placement);
	memgit_commit(w->git, &files, "first");
	judge = (struct judge){0};
	judge_name(&judge, "web-01");
	world_start(w, CONTROLLER_RUN);
	if (!world_run(w, 900000, world_all_ready, look))
		fail_msg("not Ready: %s", buf_str(&w->story));
	world_run(w, 60000, NULL, look);
	assert_int_equal(sim_human_migrate(w->sim, world_find(w, "web-01", NULL), "pve3", NULL), 0);
	return w;
}

static void end_world(struct world *w)
{
	unsigned violations = w->violations;
	if (violations)
		fputs(buf_str(&w->story), stderr);
	judge_fini(&judge);
	world_free(&w);
	assert_int_equal(violations, 0);
}

static const char *node_of(struct world *w)
{
	return sim_guest_node(w->sim, world_find(w, "web-01", NULL));
}

static bool is_back(struct world *w)
{
	return strcmp(node_of(w), "pve2") == 0;
}

static void pinned(void **state)
{
	struct world *w = moved_world("pin");
	size_t n = 0;
	(void)state;
	assert_string_equal(node_of(w), "pve3");
	if (!world_run(w, 900000, is_back, look))
		fail_msg("not back: %s", buf_str(&w->story));
	assert_true(world_run(w, 300000, world_all_ready, look));
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	assert_true(sim_guest_running(w->sim, world_find(w, "web-01", NULL)));
	end_world(w);
}

static void following(void **state)
{
	struct world *w = moved_world("follow");
	(void)state;
	world_run(w, 900000, NULL, look);
	assert_string_equal(node_of(w), "pve3");
	assert_true(world_all_ready(w));
	end_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pinned),
	    cmocka_unit_test(following),
	};
	wire_watch(RAMET_SOURCE_DIR "/../shared/pve");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	wire_tell();
	return failed;
}
