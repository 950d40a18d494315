/* Two who want different things of one VM, and of many of its settings: each setting is corrected
 * three times within a day and then left alone, however many there are. */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE ((int64_t)60 * 1000)
#define HOUR (60 * MINUTE)
#define ROUNDS 6

static const char web_yaml[] =
    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n  name: web-01\n"
    "  tags: [prod]\n  cpu: { cores: 4, sockets: 1, limit: 4, units: 200 }\n"
    "  memory: { size: 512, shares: 500, balloon: 256 }\n";

/* What the other one sets again and again. */
static const char *const theirs[][2] = {{"name", "theirs"}, {"tags", "mine"}, {"cores", "8"},
    {"sockets", "2"}, {"cpulimit", "2"}, {"cpuunits", "300"}, {"memory", "1024"}, {"shares", "100"},
    {"balloon", "128"}};

static void meddle(struct world *w, int64_t vmid)
{
	_cleanup_kv_ struct kv set = {0};

	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		kv_set(&set, theirs[i][0], theirs[i][1]);
	assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL), 0);
}

static bool is_theirs(struct world *w, int64_t vmid, size_t i)
{
	return text_eq(sim_guest_get(w->sim, vmid, theirs[i][0]), theirs[i][1]);
}

static size_t left_alone(struct world *w, int64_t vmid)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		n += is_theirs(w, vmid, i);
	return n;
}

static struct world *open_ready(uint64_t seed)
{
	struct world *w = world_new(seed, NULL);
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "web.yaml", web_yaml);
	memgit_commit(w->git, &files, "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	return w;
}

static void test_each_of_many_settings(void **state)
{
	struct world *w = open_ready(301);
	unsigned corrected[ARRAY_LEN(theirs)] = {0};
	_cleanup_kv_ struct kv files = {0};
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	for (unsigned k = 0; k < ROUNDS; k++) {
		meddle(w, vmid);
		world_run(w, 20 * MINUTE, NULL, NULL);
		for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
			corrected[i] += !is_theirs(w, vmid, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		if (corrected[i] != 3)
			fail_msg("%s was corrected %u times", theirs[i][0], corrected[i]);
	assert_int_equal(world_vmstat(w, "web-01")->drifts.n, ARRAY_LEN(theirs));
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++)
		assert_true(world_vmstat(w, "web-01")->drifts.v[i].fight);

	/* Another life knows it from the report. */
	world_kill(w);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 20 * MINUTE, NULL, NULL);
	assert_int_equal(left_alone(w, vmid), ARRAY_LEN(theirs));

	/* Who merges decides: with another manifest it begins anew. */
	_cleanup_str_ char *merged = mem_printf("%s  started: false\n", web_yaml);
	kv_set(&files, "web.yaml", merged);
	memgit_commit(w->git, &files, "second");
	world_run(w, 20 * MINUTE, NULL, NULL);
	assert_int_equal(left_alone(w, vmid), 0);
	world_free(&w);
}

static void test_a_day_later(void **state)
{
	struct world *w = open_ready(302);
	int64_t vmid = world_find(w, "web-01", NULL);

	(void)state;
	for (unsigned k = 0; k < ROUNDS; k++) {
		meddle(w, vmid);
		world_run(w, 20 * MINUTE, NULL, NULL);
	}
	assert_int_equal(left_alone(w, vmid), ARRAY_LEN(theirs));
	world_run(w, 25 * HOUR, NULL, NULL);
	assert_int_equal(left_alone(w, vmid), 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_of_many_settings),
	    cmocka_unit_test(test_a_day_later),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
