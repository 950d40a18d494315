/* One controller after the other with one id and state directories of their own: what one began
 * when it died, and what it did while another was away, the next one takes up. */
#include "support_judge.h"
#include "support_rival.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000

static struct rival second, third;

static void end(struct world *w)
{
	rival_free(&second);
	rival_free(&third);
	world_free(&w);
}

static const struct vmstat *told_by(struct controller *c)
{
	const struct status *s = controller_status(c);

	return s->n_vms ? s->vms[0] : NULL;
}

static bool is_gone(struct world *w)
{
	return world_find(w, "web-01", NULL) == 0;
}

static bool is_made(struct world *w)
{
	return told_by(second.controller)->verdict == PLAN_IN_SYNC && !is_gone(w);
}

/* What the other one made anew under a number is the VM of that number, also for the older one,
 * which knows another one of it. */
static void made_anew_by_the_other(void **state)
{
	static const char there[] = "  id: 1040\n", absent[] = "  id: 1040\n  state: absent\n";
	struct world *w = world_new(3, NULL);
	size_t entries;

	(void)state;
	world_merge_web(w, there, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR_MS, world_all_ready, NULL));
	world_run(w, 60000, NULL, NULL);
	rival_start(&second, w, false);
	world_run(w, 300000, NULL, NULL);
	world_kill(w); /* with its record */
	world_merge_web(w, absent, "absent");
	assert_true(world_run(w, HOUR_MS, is_gone, NULL));
	world_run(w, 120000, NULL, NULL);
	world_merge_web(w, there, "again");
	assert_true(world_run(w, HOUR_MS, is_made, NULL));
	world_run(w, 120000, NULL, NULL);
	rival_stop(&second);
	entries = sim_journal_len(w->sim);
	world_start(w, CONTROLLER_RUN);
	if (!world_run(w, HOUR_MS, world_all_ready, NULL))
		fail_msg("%s: %s", reason_word(world_vmstat(w, "web-01")->reason),
		    world_vmstat(w, "web-01")->message);
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_false(world_vmstat(w, "web-01")->record.proven);
	world_run(w, 300000, NULL, NULL);
	/* Its end as well: that of the first one is another one's. */
	assert_int_equal(sim_human_delete(w->sim, 1040, "ops@pam", NULL), 0);
	world_run(w, 600000, NULL, NULL);
	assert_false(sim_guest_exists(w->sim, 1040));
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_MISSING);
	end(w);
}

/* The second one dies so long after it began, before or after its first report and its first call,
 * while the first one goes on or is dead as well; then a third one begins, with a manifest that
 * changed meanwhile. */
static void dies_while_it_takes_over(int64_t after, bool first_lives, bool back)
{
	struct world *w = world_new(80, NULL);
	_cleanup_kv_ struct kv none = {0};
	size_t n = 0;

	kv_set(&none, "README", "nothing");
	memgit_commit(w->git, &none, "begin");
	world_start(w, CONTROLLER_RUN);
	world_run(w, 120000, NULL, NULL);
	rival_start(&second, w, false);
	world_run(w, after / 2, NULL, NULL);
	world_merge_web(w, "  cpu: { cores: 2 }\n", "merge");
	world_run(w, after - after / 2, NULL, NULL);
	rival_stop(&second);
	if (!first_lives)
		world_kill(w);
	rival_start(&third, w, false);
	world_run(w, back ? 1000 : 90000, NULL, NULL);
	if (back) /* and the second one after it: it is the newest then */
		rival_start(&second, w, false);
	world_merge_web(w, "  cpu: { cores: 3 }\n", "merge");
	world_run(w, 1800000, NULL, NULL);
	world_find(w, "web-01", &n);
	if (n != 1 || told_by((back ? &second : &third)->controller)->verdict != PLAN_IN_SYNC)
		fail_msg("%zu VMs, with a death after %lld ms", n, (long long)after);
	assert_string_equal(sim_guest_get(w->sim, world_find(w, "web-01", NULL), "cores"), "3");
	end(w);
}

static void third_after_a_death(void **state)
{
	(void)state;
	for (int64_t after = 0; after < 120000; after += after < 6000 ? 400 : 7000)
		for (int k = 0; k < 4; k++)
			dies_while_it_takes_over(after, k & 1, k & 2);
}

static bool is_struck(struct world *w)
{
	return sim_fault_struck(w->sim) > 0;
}

/* The older one asks for a clone, the newer one takes over and looks; then the token is refused,
 * the clone comes, and the time in which the older one may act ends. Whoever is started again has
 * not seen all guests since, and looks first: the VM, which it may not read by now, is not doubled.
 */
static void unseen_at_the_end_of_a_takeover(void **state)
{
	struct sim_fault late = {
	    .kind = SIM_FAULT_DELAY, .path = "*/clone", .nth = 1, .delay_ms = 60000};
	struct sim_fault refused = {.kind = SIM_FAULT_UNAUTHORIZED, .probability = 1};
	struct world *w = world_new(45, NULL);
	_cleanup_kv_ struct kv none = {0};
	size_t n = 0;

	(void)state;
	kv_set(&none, "README", "nothing");
	memgit_commit(w->git, &none, "begin");
	world_start(w, CONTROLLER_RUN);
	world_run(w, 120000, NULL, NULL);
	world_merge_web(w, "", "first");
	sim_fault_add(w->sim, &late);
	assert_true(world_run(w, HOUR_MS, is_struck, NULL));
	rival_start(&second, w, false);
	world_run(w, 30000, NULL, NULL);
	sim_fault_add(w->sim, &refused);
	world_run(w, 200000, NULL, NULL);
	rival_stop(&second);
	sim_fault_clear(w->sim);
	world_find(w, "web-01", &n);
	assert_int_equal(n, 1);
	_cleanup_str_ char *path =
	    mem_printf("/nodes/*/qemu/%lld/*", (long long)world_find(w, "web-01", NULL));
	struct sim_fault forbidden = {.kind = SIM_FAULT_FORBIDDEN, .path = path, .probability = 1};
	sim_fault_add(w->sim, &forbidden);
	rival_start(&second, w, false);
	world_run(w, 600000, NULL, NULL);
	world_find(w, "web-01", &n);
	if (n != 1)
		fail_msg("%zu VMs: %s", n, buf_str(&w->story));
	sim_fault_clear(w->sim);
	world_run(w, 600000, NULL, NULL);
	assert_int_equal(told_by(second.controller)->verdict, PLAN_IN_SYNC);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(made_anew_by_the_other),
	    cmocka_unit_test(unseen_at_the_end_of_a_takeover),
	    cmocka_unit_test(third_after_a_death),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
