/* Hundreds of VMs that have to be written down at the same moment. */
#include "support_world.h"
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define VMS 400
#define MOST 40 /* the controller's own bound, and what others write meanwhile */

static struct world *world;

/* Lines of the journal since the loop turned last: whatever else waits for its turn, /healthz for
 * one, waits for all of them. */
static struct {
	unsigned lines, most, all;
	bool armed;
} turn;

static void on_turn(void *arg)
{
	(void)arg;
	turn.lines = 0;
	turn.armed = false;
}

static enum fate on_touch(void *arg, enum touch kind, const char *what, const char *where)
{
	(void)arg;
	(void)what;
	if (kind != TOUCH_JOURNAL || !strstr(where, "\"t\":\"record\""))
		return FATE_NORMAL;
	if (!turn.armed)
		clock_timer(world->clock, 0, on_turn, NULL);
	turn.armed = true;
	turn.all++;
	if (++turn.lines > turn.most)
		turn.most = turn.lines;
	return FATE_NORMAL;
}

static void test_records_lost(void **state)
{
	_cleanup_kv_ struct kv files = {0};
	_cleanup_buf_ struct buf yaml;

	(void)state;
	buf_init(&yaml, 0);
	buf_adds(&yaml, world_cluster_yaml);
	for (unsigned i = 0; i < VMS; i++) {
		_cleanup_str_ char *name = mem_printf("vm-%03u", i);
		_cleanup_str_ char *file = mem_printf("%s.yaml", name);

		buf_addf(&yaml,
		    "  - { id: %u, node: pve1, config: { name: %s, cores: \"2\", ostype: l26, "
		    "scsi0: \"shared:4\", smbios1: \"uuid=00000000-0000-4000-8000-%012u\", "
		    "tags: ramet, description: \"ramet: " WORLD_ID "/%s vmid=%u %016x\" } }\n",
		    2000 + i, name, i + 1, name, 2000 + i, i + 1);
		kv_setf(&files, file,
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n"
		    "  node_name: pve1\n  clone: { source_vm_id: 9000 }\n  cpu: { cores: 2 }\n",
		    name);
	}
	world = world_new_on(1, "policy: { vmid_range: 2000-2999 }\n", buf_str(&yaml));
	memgit_commit(world->git, &files, "many");
	world_set_fates(world, on_touch, NULL);
	world_start(world, CONTROLLER_RUN);
	if (!world_run(world, HOUR_MS, world_all_ready, NULL))
		fail_msg("not Ready: %s", buf_str(&world->story));
	assert_in_range(turn.all, VMS, 10 * VMS);
	assert_in_range(turn.most, 1, MOST);
	assert_int_equal(world->violations, 0);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_records_lost)};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
