/*
 * Last good versions of manifests that have findings: from older revisions, when Git does not
 * answer at once, when the manifest was away for a while, and when there is none any more. Whoever
 * is named by a version that nobody knows is not destroyed meanwhile.
 */
#include "support_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct vm base_there = {"base-01", ""};
static const struct vm base_absent = {"base-01", "  state: absent\n"};
static const struct vm app_good = {"app-01", "  depends_on: [base-01]\n  cpu: { cores: 3 }\n"};
static const struct vm app_bad = {"app-01", "  depends_on: [base-01]\n  cpus: 3\n"};

static struct world *open_both(uint64_t seed)
{
	const struct vm both[] = {base_there, app_good};
	struct world *w = end_open(seed, "", both, 2);

	/* Until its record is on the status branch as well. */
	world_run(w, 60000, NULL, end_look);
	return w;
}

static void merge_two(struct world *w, struct vm a, struct vm b)
{
	const struct vm both[] = {a, b};

	end_merge(w, both, 2, "merge");
}

static void restart(struct world *w)
{
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
}

static unsigned refusals;

static enum fate refuse_old(void *arg, enum touch kind, const char *what, const char *where)
{
	(void)arg, (void)where;
	if (kind != TOUCH_GIT || strcmp(what, "read-old") != 0 || refusals == 0)
		return FATE_NORMAL;
	refusals--;
	return FATE_FAIL;
}

static bool is_stale(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "app-01");

	return v && v->stale && v->verdict == PLAN_IN_SYNC;
}

/* A Git server that fails for a moment makes nobody forget the version in force. */
static void test_git_fails_for_a_while(void **state)
{
	struct world *w = open_both(1);
	int64_t base = world_find(w, "base-01", NULL);

	(void)state;
	merge_two(w, base_absent, app_bad);
	refusals = 3;
	world_set_fates(w, refuse_old, NULL);
	restart(w);
	if (!world_run(w, HOUR_MS, is_stale, end_look))
		end_close(w, "the last good version is not in force");
	assert_int_equal(refusals, 0);
	world_run(w, HOUR_MS, NULL, end_look);
	assert_true(sim_guest_exists(w->sim, base));
	assert_int_equal(world_vmstat(w, "base-01")->reason, REASON_DEPENDENTS);
	end_close(w, NULL);
}

/* It was away for one revision, and comes back with findings: the version before is the good one.
 */
static void test_away_and_back(void **state)
{
	const struct vm only[] = {base_there};
	struct world *w = open_both(2);
	int64_t base = world_find(w, "base-01", NULL);

	(void)state;
	end_merge(w, only, 1, "app-01 is away");
	world_run(w, 200000, NULL, end_look);
	assert_int_equal(world_vmstat(w, "app-01")->reason, REASON_ORPHANED);
	merge_two(w, base_absent, app_bad);
	if (!world_run(w, HOUR_MS, is_stale, end_look))
		end_close(w, "the last good version is not in force");
	world_run(w, HOUR_MS, NULL, end_look);
	assert_true(sim_guest_exists(w->sim, base));
	assert_int_equal(world_vmstat(w, "base-01")->reason, REASON_DEPENDENTS);
	end_close(w, NULL);
}

/* The good version cannot be read any more: it is told, and what it may have named stays until the
 * manifest is mended. */
static void test_nobody_knows(void **state)
{
	const struct vm other = {"base-01", "  cpu: { cores: 2 }\n"};
	struct world *w = open_both(3);
	int64_t base = world_find(w, "base-01", NULL), app = world_find(w, "app-01", NULL);
	_cleanup_str_ char *good = mem_strdup(memgit_head(w->git));
	const struct vmstat *v;

	(void)state;
	merge_two(w, other, app_good);
	world_run(w, 200000, NULL, end_look);
	world_kill(w);
	memgit_forget(w->git, good);
	merge_two(w, base_absent, app_bad);
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, end_look);
	v = world_vmstat(w, "app-01");
	assert_int_equal(v->verdict, PLAN_STALLED);
	assert_int_equal(v->reason, REASON_MANIFEST_INVALID);
	assert_non_null(strstr(v->message, "no good version of it is known"));
	assert_int_equal(v->findings.n, 1);
	assert_true(sim_guest_exists(w->sim, base));
	v = world_vmstat(w, "base-01");
	assert_int_equal(v->reason, REASON_DEPENDENTS);
	assert_non_null(strstr(v->message, "app-01 may depend on it"));
	/* Mended, and it names nobody: the other one goes. */
	end_allow(base);
	merge_two(w, base_absent, (struct vm){"app-01", ""});
	end_must_go(w, "base-01", base);
	assert_true(sim_guest_exists(w->sim, app));
	end_close(w, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_git_fails_for_a_while),
	    cmocka_unit_test(test_away_and_back),
	    cmocka_unit_test(test_nobody_knows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
