/* Which number a new VM gets: none that another manifest asks for, and none that was ever used. */
#include "log.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000

static void put(struct kv *files, const char *name, const char *more)
{
	_cleanup_str_ char *path = mem_printf("%s.yaml", name);

	kv_setf(files, path,
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n%s",
	    name, more);
}

static void must_be_ready(struct world *w)
{
	if (world_run(w, HOUR_MS, world_all_ready, NULL))
		return;
	fputs(buf_str(&w->story), stderr);
	fail_msg("not ready");
}

/* Two numbers, and whichever the one manifest asks for, the other one gets the other. */
static void test_what_another_manifest_asks_for(void **state)
{
	(void)state;
	for (int64_t id = 1000; id < 1002; id++) {
		struct world *w = world_new(331, "policy: { vmid_range: 1000-1001 }\n");
		_cleanup_str_ char *line = mem_printf("  id: %lld\n", (long long)id);
		_cleanup_kv_ struct kv files = {0};

		put(&files, "any", "");
		put(&files, "this", line);
		memgit_commit(w->git, &files, "first");
		world_start(w, CONTROLLER_RUN);
		must_be_ready(w);
		assert_int_equal(world_find(w, "this", NULL), id);
		assert_int_equal(world_find(w, "any", NULL), id == 1000 ? 1001 : 1000);
		world_free(&w);
	}
}

static bool is_exhausted(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "third");

	return v && v->reason == REASON_VMID_EXHAUSTED;
}

static bool is_destroyed(struct world *w)
{
	return world_find(w, "first", NULL) == 0;
}

/* A number that was given back may stand in somebody's backup, job or mind. Journal and report know
 * it, and each of them may be lost. */
static void test_what_was_used_before(void **state)
{
	(void)state;
	for (int lost = 0; lost < 3; lost++) {
		struct world *w = world_new(332, "policy: { vmid_range: 1000-1001 }\n");
		_cleanup_kv_ struct kv files = {0};
		int64_t first;

		put(&files, "first", "");
		memgit_commit(w->git, &files, "one");
		world_start(w, CONTROLLER_RUN);
		must_be_ready(w);
		first = world_find(w, "first", NULL);
		assert_true(first == 1000 || first == 1001);
		put(&files, "first", "  state: absent\n");
		memgit_commit(w->git, &files, "none");
		assert_true(world_run(w, HOUR_MS, is_destroyed, NULL));
		world_run(w, 120000, NULL, NULL); /* told as well */
		world_kill(w);
		if (lost == 1)
			memstore_drop(w->store);
		if (lost == 2)
			memgit_drop_status(w->git);
		world_start(w, CONTROLLER_RUN);
		put(&files, "second", "");
		memgit_commit(w->git, &files, "another");
		must_be_ready(w);
		assert_int_equal(world_find(w, "second", NULL), first == 1000 ? 1001 : 1000);
		put(&files, "third", "");
		memgit_commit(w->git, &files, "one too many");
		assert_true(world_run(w, HOUR_MS, is_exhausted, NULL));
		assert_false(sim_guest_exists(w->sim, first));
		world_free(&w);
	}
}

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_another_manifest_asks_for),
	    cmocka_unit_test(test_what_was_used_before),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
