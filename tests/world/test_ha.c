/* What the HA manager does with a VM by itself: it moves it, and back, gives up on it, takes it
 * over from a node that is lost. Ramet follows and leaves it alone. */
#include "support_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000
#define MANIFEST(more)                                                                  \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n" \
	"  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"             \
	"  started: true\n" more

static int64_t vmid;
static int answer;

static void on_answer(void *arg, const struct sim_reply *reply)
{
	(void)arg;
	answer = reply->status;
}

static bool is_answered(struct world *w)
{
	(void)w;
	return answer != 0;
}

/* What an administrator asks for; params: "state=started&group=far". */
static void ask(struct world *w, const char *method, const char *path, const char *params)
{
	_cleanup_kv_ struct kv p = {0};
	_cleanup_strs_ struct strs words = {0};
	struct sim_req q = {.method = method,
	    .path = path,
	    .params = &p,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222",
	    .node = "pve1"};

	assert_int_equal(text_split(params, "&", true, 16, &words), 0);
	for (size_t i = 0; i < words.n; i++) {
		char *value = strchr(words.v[i], '=');

		*value = '\0';
		kv_set(&p, words.v[i], value + 1);
	}
	answer = 0;
	(void)sim_submit(w->sim, &q, on_answer, NULL);
	assert_true(world_run(w, MINUTE, is_answered, NULL));
	if (answer != 200)
		fail_msg("%s %s: %d", method, path, answer);
}

/* What Ramet itself did to guests since then: "start", "stop", "node". */
static size_t done_by_us(struct world *w, size_t since, const char *effect)
{
	size_t n = 0;

	for (size_t i = since; i < sim_journal_len(w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		n += strcmp(e.user, WORLD_USER) == 0 && strcmp(e.effect, effect) == 0;
	}
	return n;
}

static void must_have_left_it_alone(struct world *w, size_t since)
{
	size_t n = 0;

	assert_int_equal(done_by_us(w, since, "start"), 0);
	assert_int_equal(done_by_us(w, since, "stop"), 0);
	assert_int_equal(done_by_us(w, since, "node"), 0);
	assert_int_equal(world_find(w, "web-01", &n), vmid);
	assert_int_equal(n, 1);
}

static bool is_up(struct world *w)
{
	return sim_guest_running(w->sim, vmid);
}

static bool is_at(struct world *w, const char *node)
{
	return strcmp(sim_guest_node(w->sim, vmid), node) == 0;
}

static bool is_home(struct world *w)
{
	return is_at(w, "pve2");
}

static bool is_away(struct world *w)
{
	return !is_home(w);
}

/* An odd seed is a cluster of 9.2, an even one of 8.4. */
static struct world *open_world(uint64_t seed, const char *more)
{
	_cleanup_str_ char *yaml = mem_printf(MANIFEST("%s"), more);
	struct world *w = world_new(seed, NULL);

	case_merge(w, yaml, "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	vmid = world_find(w, "web-01", NULL);
	assert_true(is_up(w));
	return w;
}

static void give_to_ha(struct world *w, const char *more)
{
	_cleanup_str_ char *p = mem_printf("sid=vm:%lld&state=started%s", (long long)vmid, more);

	ask(w, "POST", "/cluster/ha/resources", p);
}

static void must_be_ready_at_last(struct world *w)
{
	world_run(w, 2 * MINUTE, NULL, NULL);
	case_must_be_ready(w);
	world_run(w, 20 * MINUTE, NULL, NULL);
	case_must_be_ready(w);
}

/* What is merged while it is on its way is written where it is then. */
static void moved_by_its_group(bool v9)
{
	struct world *w = open_world(v9 ? 21 : 20, "");
	_cleanup_str_ char *res = mem_printf("/cluster/ha/resources/vm:%lld", (long long)vmid);
	_cleanup_str_ char *rule =
	    mem_printf("rule=far&type=node-affinity&resources=vm:%lld&nodes=pve3", (long long)vmid);
	size_t since;

	give_to_ha(w, "");
	must_be_ready_at_last(w);
	assert_true(is_home(w));
	since = sim_journal_len(w->sim);
	if (v9) {
		ask(w, "POST", "/cluster/ha/rules", rule);
	} else {
		ask(w, "POST", "/cluster/ha/groups", "group=far&nodes=pve3");
		ask(w, "PUT", res, "group=far");
	}
	case_merge(w, MANIFEST("  cpu: { cores: 3 }\n  description: there\n"), "more");
	assert_true(world_run(w, 10 * MINUTE, is_away, NULL));
	assert_true(is_at(w, "pve3"));
	must_be_ready_at_last(w);
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "there"));
	assert_string_equal(sim_guest_pending(w->sim, vmid, "cores"), "3");
	must_have_left_it_alone(w, since);
	assert_true(is_at(w, "pve3") && is_up(w));
	world_free(&w);
}

static void test_group(void **state)
{
	(void)state;
	moved_by_its_group(false);
	moved_by_its_group(true);
}

/* Its node is cleared, and it comes back by itself when that is over. */
static void test_maintenance(void **state)
{
	(void)state;
	for (uint64_t seed = 22; seed < 24; seed++) {
		struct world *w = open_world(seed, "");
		size_t since;

		give_to_ha(w, "");
		must_be_ready_at_last(w);
		since = sim_journal_len(w->sim);
		assert_int_equal(sim_node_maintenance(w->sim, "pve2", true, NULL), 0);
		assert_true(world_run(w, 10 * MINUTE, is_away, NULL));
		must_be_ready_at_last(w);
		assert_true(is_away(w));
		assert_int_equal(sim_node_maintenance(w->sim, "pve2", false, NULL), 0);
		assert_true(world_run(w, 10 * MINUTE, is_home, NULL));
		must_be_ready_at_last(w);
		must_have_left_it_alone(w, since);
		assert_true(is_up(w));
		world_free(&w);
	}
}

static void assert_string_ends(const char *text, const char *end)
{
	if (!text || !text_ends(text, end))
		fail_msg("\"%s\" does not end in \"%s\"", text ? text : "", end);
}

static unsigned migrations;

/* Somebody gives it to the HA manager in the moment before Ramet asks for the way back. */
static void before(void *arg, const char *method, const char *path)
{
	struct world *w = arg;

	if (strcmp(method, "POST") != 0 || !text_ends(path, "/migrate"))
		return;
	migrations++;
	assert_int_equal(sim_human_ha(w->sim, vmid, true, NULL), 0);
}

static bool is_for_ha(struct world *w)
{
	return world_vmstat(w, "web-01")->reason == REASON_HA_MANAGED;
}

/* A rule keeps it away from its node: the task fails, and it is not asked for again. */
static void test_kept_away(void **state)
{
	struct world *w = open_world(25, "  placement: pin\n");
	_cleanup_str_ char *res = mem_printf("/cluster/ha/resources/vm:%lld", (long long)vmid);
	_cleanup_str_ char *rule = mem_printf(
	    "rule=far&type=node-affinity&resources=vm:%lld&nodes=pve3&strict=1", (long long)vmid);

	(void)state;
	give_to_ha(w, "");
	ask(w, "POST", "/cluster/ha/rules", rule);
	assert_true(world_run(w, 10 * MINUTE, is_for_ha, NULL));
	assert_true(is_at(w, "pve3"));
	ask(w, "PUT", res, "state=ignored");
	migrations = 0;
	simport_set_hook(w->port, before, w);
	assert_int_equal(sim_human_ha(w->sim, vmid, false, NULL), 0);
	world_run(w, 60 * MINUTE, NULL, NULL);
	assert_int_equal(migrations, 1);
	assert_string_ends(world_vmstat(w, "web-01")->last_result, "failed: exit code 255");
	assert_true(is_for_ha(w));
	assert_true(is_at(w, "pve3") && is_up(w));
	/* Taken away from it, the VM comes home. */
	simport_set_hook(w->port, NULL, NULL);
	assert_int_equal(sim_human_ha(w->sim, vmid, false, NULL), 0);
	assert_true(world_run(w, 60 * MINUTE, is_home, NULL));
	case_must_be_ready(w);
	world_free(&w);
}

/* A disk is left behind on the node that is lost: it cannot be started elsewhere, and the HA
 * manager gives up. Nobody else starts it; what is merged then is written all the same. */
static void test_error(void **state)
{
	(void)state;
	for (uint64_t seed = 26; seed < 28; seed++) {
		struct world *w =
		    open_world(seed, "  disk: { scsi1: { datastore_id: local, size_gb: 1 } }\n");
		_cleanup_str_ char *res =
		    mem_printf("/cluster/ha/resources/vm:%lld", (long long)vmid);
		size_t since;

		give_to_ha(w, "");
		must_be_ready_at_last(w);
		since = sim_journal_len(w->sim);
		assert_int_equal(sim_node_power(w->sim, "pve2", false, NULL), 0);
		assert_true(world_run(w, 10 * MINUTE, is_away, NULL));
		world_run(w, 30 * MINUTE, NULL, NULL);
		assert_false(is_up(w));
		assert_true(is_for_ha(w));
		assert_non_null(strstr(world_vmstat(w, "web-01")->message, "(error)"));
		assert_int_equal(sim_node_power(w->sim, "pve2", true, NULL), 0);
		case_merge(w, MANIFEST("  description: there\n"), "more");
		world_run(w, 30 * MINUTE, NULL, NULL);
		assert_false(is_up(w));
		assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "there"));
		must_have_left_it_alone(w, since);
		/* A person brings it back, and the HA manager starts it. */
		ask(w, "PUT", res, "state=disabled");
		world_run(w, MINUTE, NULL, NULL);
		assert_int_equal(sim_human_migrate(w->sim, vmid, "pve2", NULL), 0);
		ask(w, "PUT", res, "state=started");
		assert_true(world_run(w, 10 * MINUTE, is_up, NULL));
		must_be_ready_at_last(w);
		must_have_left_it_alone(w, since);
		world_free(&w);
	}
}

/* Its node is lost in the middle of a backup: it runs elsewhere, without the lock, some minutes
 * later, and never is another one made. */
static void test_fenced(void **state)
{
	(void)state;
	for (uint64_t seed = 28; seed < 30; seed++) {
		struct world *w = open_world(seed, "");
		size_t since;

		give_to_ha(w, "");
		must_be_ready_at_last(w);
		since = sim_journal_len(w->sim);
		assert_int_equal(sim_human_lock(w->sim, vmid, "backup", NULL), 0);
		assert_int_equal(sim_node_power(w->sim, "pve2", false, NULL), 0);
		case_merge(w, MANIFEST("  description: there\n"), "more");
		world_run(w, MINUTE, NULL, NULL);
		assert_int_equal(world_vmstat(w, "web-01")->reason, REASON_NODE_OFFLINE);
		assert_true(world_run(w, 10 * MINUTE, is_away, NULL));
		assert_true(world_run(w, 10 * MINUTE, is_up, NULL));
		must_be_ready_at_last(w);
		assert_null(sim_guest_get(w->sim, vmid, "lock"));
		assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "there"));
		must_have_left_it_alone(w, since);
		world_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_group),
	    cmocka_unit_test(test_maintenance),
	    cmocka_unit_test(test_kept_away),
	    cmocka_unit_test(test_error),
	    cmocka_unit_test(test_fenced),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
