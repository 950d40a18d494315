/* What happens in a guest, of which the cluster's log has no line: the list of the VMs tells. */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)

static const char web_yaml[] =
    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n  started: true\n";

static int64_t vmid;

static bool is_up(struct world *w)
{
	return sim_guest_running(w->sim, vmid);
}

/* Nodes tell of their guests every ten seconds, and Ramet looks every fifteen; each full read is
 * minutes away. */
static void test_guest_that_shuts_itself_down(void **state)
{
	struct world *w = world_new(311, NULL);
	_cleanup_kv_ struct kv files = {0};

	(void)state;
	kv_set(&files, "web.yaml", web_yaml);
	memgit_commit(w->git, &files, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	vmid = world_find(w, "web-01", NULL);
	for (unsigned i = 0; i < 2; i++) { /* a third time is a fight */
		world_run(w, 17 * MINUTE, NULL, NULL);
		assert_true(is_up(w));
		assert_int_equal(sim_human_guest(w->sim, vmid, true, NULL), 0);
		assert_false(is_up(w));
		if (!world_run(w, i ? 3 * MINUTE : MINUTE, is_up, NULL))
			fail_msg("round %u: %s", i, buf_str(&w->story));
	}
	world_run(w, MINUTE, NULL, NULL);
	const struct drifts *l = &world_vmstat(w, "web-01")->corrected;
	assert_int_equal(l->n, 2);
	assert_string_equal(l->v[0].path, "started");
	assert_null(l->v[0].who); /* nobody is known to have done it, and nobody is named */
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_guest_that_shuts_itself_down),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
