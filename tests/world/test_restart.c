/* A restart that Ramet asked for ends with a guest that runs, also when the guest takes so long to
 * shut down that PVE has given up on it. */
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
	"  max_disruption: reboot\n"

#define MINUTE 60000

/* Requests for a restart, and when the last one was. */
struct orders {
	struct world *w;
	unsigned reboots, starts;
};

static struct orders orders;

static void before(void *arg, const char *method, const char *path)
{
	struct orders *o = arg;

	o->reboots += text_eq(method, "POST") && text_ends(path, "/status/reboot");
	o->starts += text_eq(method, "POST") && text_ends(path, "/status/start");
}

static void commit(struct world *w, int cores, const char *what)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml", MANIFEST "  cpu: { cores: %d }\n", cores);
	memgit_commit(w->git, &files, what);
}

static int64_t vmid(struct world *w)
{
	return world_find(w, "web-01", NULL);
}

static bool is_up(struct world *w)
{
	return sim_guest_running(w->sim, vmid(w));
}

static bool is_ordered(struct world *w)
{
	(void)w;
	return orders.reboots > 0;
}

/* A guest that runs and is to be restarted, and that does not listen. */
static struct world *deaf_world(void)
{
	struct world *w = world_new(11, NULL);

	orders = (struct orders){.w = w};
	commit(w, 1, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, 60 * MINUTE, world_all_ready, NULL));
	assert_int_equal(sim_human_power(w->sim, vmid(w), true, NULL), 0);
	assert_int_equal(sim_human_deaf(w->sim, vmid(w), true, NULL), 0);
	simport_set_hook(w->port, before, &orders);
	commit(w, 2, "more cores");
	assert_true(world_run(w, 60 * MINUTE, is_ordered, NULL));
	return w;
}

static void a_guest_that_goes_down_late(void **state)
{
	struct world *w = deaf_world();

	(void)state;
	/* PVE gives up, then the guest is through with its updates. */
	world_run(w, 10 * MINUTE, NULL, NULL);
	assert_true(is_up(w));
	assert_int_equal(sim_human_deaf(w->sim, vmid(w), false, NULL), 0);
	assert_int_equal(sim_human_power(w->sim, vmid(w), false, NULL), 0);
	assert_false(is_up(w));
	assert_true(world_run(w, 20 * MINUTE, is_up, NULL));
	assert_true(world_run(w, 20 * MINUTE, world_all_ready, NULL));
	assert_string_equal(sim_guest_get(w->sim, vmid(w), "cores"), "2");
	world_free(&w);
}

/* Whoever stops it much later means it. */
static void a_guest_that_is_stopped_by_a_person(void **state)
{
	struct world *w = deaf_world();

	(void)state;
	world_run(w, 10 * MINUTE, NULL, NULL);
	assert_int_equal(sim_human_deaf(w->sim, vmid(w), false, NULL), 0);
	assert_true(world_run(w, 60 * MINUTE, world_all_ready, NULL));
	assert_true(is_up(w));
	assert_string_equal(sim_guest_get(w->sim, vmid(w), "cores"), "2");
	world_run(w, 2 * MINUTE, NULL, NULL);
	unsigned before_it = orders.starts;
	assert_int_equal(sim_human_power(w->sim, vmid(w), false, NULL), 0);
	world_run(w, 60 * MINUTE, NULL, NULL);
	assert_false(is_up(w));
	assert_int_equal(orders.starts, before_it);
	world_free(&w);
}

/* How often it went down because it was to be restarted. */
static unsigned restarts(struct world *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < sim_journal_len(w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		n += strcmp(e.effect, "stop") == 0 && text_ends(e.path, "/status/reboot");
	}
	return n;
}

/* PVE carries the call out when nobody waits for its answer any more: there is no second one
 * before, not even of a controller that was killed meanwhile. What was never carried out is asked
 * for again. */
static void call_is_late(int minutes, bool dies, int64_t jump)
{
	struct world *w = world_new(12, NULL);
	struct sim_fault f = {.kind = minutes ? SIM_FAULT_DELAY : SIM_FAULT_RESET_BEFORE,
	    .path = "*/status/reboot",
	    .nth = 1,
	    .times = 1,
	    .delay_ms = minutes * MINUTE};

	orders = (struct orders){.w = w};
	commit(w, 1, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, 60 * MINUTE, world_all_ready, NULL));
	assert_int_equal(sim_human_power(w->sim, vmid(w), true, NULL), 0);
	world_run(w, MINUTE, NULL, NULL);
	sim_fault_add(w->sim, &f);
	simport_set_hook(w->port, before, &orders);
	commit(w, 2, "more cores");
	assert_true(world_run(w, 60 * MINUTE, is_ordered, NULL));
	assert_int_equal(orders.reboots, 1);
	if (dies) {
		world_kill(w);
		vclock_jump_wall(w->vclock, jump);
		world_start(w, CONTROLLER_RUN);
		simport_set_hook(w->port, before, &orders);
	}
	world_run(w, 2 * MINUTE, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_UNCONFIRMED);
	world_run(w, 58 * MINUTE, NULL, NULL);
	assert_true(world_all_ready(w));
	assert_string_equal(sim_guest_get(w->sim, vmid(w), "cores"), "2");
	assert_int_equal(restarts(w), 1);
	assert_int_equal(orders.reboots, minutes ? 1 : 2);
	/* It is over: the next change is asked for at once. */
	commit(w, 3, "even more");
	assert_true(world_run(w, 5 * MINUTE, world_all_ready, NULL));
	world_run(w, 5 * MINUTE, NULL, NULL);
	assert_string_equal(sim_guest_get(w->sim, vmid(w), "cores"), "3");
	assert_int_equal(restarts(w), 2);
	world_free(&w);
}

static void a_call_that_comes_late(void **state)
{
	(void)state;
	call_is_late(8, false, 0);
	call_is_late(8, true, 0);
	call_is_late(0, false, 0);
	call_is_late(0, true, 0);
}

/* The clock was set while it was dead. */
static void a_call_that_comes_late_by_another_clock(void **state)
{
	static const int64_t jumps[] = {20000, 60 * MINUTE, -20000, -60 * MINUTE};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++)
		call_is_late(8, true, jumps[i]);
}

static void order(struct world *w, bool on, const char *what)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml", MANIFEST "  started: %s\n", on ? "true" : "false");
	memgit_commit(w->git, &files, what);
}

static unsigned switched(struct world *w, size_t since, const char *effect)
{
	unsigned n = 0;

	for (size_t i = since; i < sim_journal_len(w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		n += e.vmid == vmid(w) && strcmp(e.effect, effect) == 0;
	}
	return n;
}

/* The same of a start or a shutdown. Nobody can call it back when the order is taken back
 * meanwhile: when it comes, the guest is set right at once, once, and is as the last order says. */
static void order_is_late(bool on, bool taken_back)
{
	struct world *w = world_new(13, NULL);
	struct sim_fault f = {.kind = SIM_FAULT_DELAY,
	    .path = on ? "*/status/start" : "*/status/shutdown",
	    .nth = 1,
	    .times = 1,
	    .delay_ms = 8 * MINUTE};
	size_t since;

	orders = (struct orders){.w = w};
	order(w, !on, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, 60 * MINUTE, world_all_ready, NULL));
	world_run(w, MINUTE, NULL, NULL);
	assert_int_equal(is_up(w), !on);
	since = sim_journal_len(w->sim);
	sim_fault_add(w->sim, &f);
	order(w, on, "the order");
	world_run(w, 3 * MINUTE, NULL, NULL);
	if (taken_back)
		order(w, !on, "and back");
	world_run(w, 60 * MINUTE, NULL, NULL);
	assert_true(world_all_ready(w));
	assert_int_equal(is_up(w), on != taken_back);
	assert_in_range(switched(w, since, "start"), on, 2);
	assert_in_range(switched(w, since, "stop"), !on, 2);
	world_free(&w);
}

static void an_order_that_comes_late(void **state)
{
	(void)state;
	order_is_late(true, false);
	order_is_late(true, true);
	order_is_late(false, false);
	order_is_late(false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_guest_that_goes_down_late),
	    cmocka_unit_test(a_guest_that_is_stopped_by_a_person),
	    cmocka_unit_test(a_call_that_comes_late),
	    cmocka_unit_test(a_call_that_comes_late_by_another_clock),
	    cmocka_unit_test(an_order_that_comes_late),
	};
	wire_watch(RAMET_SOURCE_DIR "/../shared/pve");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	wire_tell();
	return failed;
}
