#include "rowlives.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char cluster_yaml[] =
    "cluster: { name: rows }\n"
    "timing: { bandwidth: 90000M }\n"
    "nodes:\n"
    "  - { name: pve1, ip: 10.0.0.1, cpus: 128, bridges: [vmbr0, vmbr1, vmbr2, vnet] }\n"
    "storages:\n"
    "  - { name: ceph, type: rbd, content: [images], shared: true, size: 90000G }\n"
    "  - { name: local-lvm, type: lvmthin, content: [images], size: 90000G }\n"
    "  - { name: local, type: dir, content: [images, iso, snippets], size: 5000G, iso: [{ name: "
    "a.iso, size: 600M }, { name: b.iso, size: 10M }] }\n"
    "pools: [lab, other]\n" WORLD_USERS_YAML(
	", Sys.Modify, Mapping.Use") "guests:\n"
				     "  - { id: 1003, node: pve1, config: { name: stranger, cores: "
				     "\"1\", scsi0: \"local:2\" } }\n";

struct world *rowlives_world(uint64_t seed)
{
	struct world *w = world_new_on(seed,
	    "policy: { vmid_range: 1100-4999 }\nreport: { interval: 15m }\nreconcile: { tick: 60s "
	    "}\n",
	    cluster_yaml);

	return w;
}

struct life {
	uint64_t seed;
	bool running;
};

static void (*live_one)(uint64_t seed, bool running);

static void life(void **state)
{
	const struct life *l = *state;
	live_one(l->seed, l->running);
}

int rowlives_run(void (*live)(uint64_t seed, bool running))
{
	static struct life lives[] = {{1, false}, {1, true}, {2, false}, {2, true}};
	const struct CMUnitTest tests[] = {
	    {"stopped_9", life, NULL, NULL, &lives[0]},
	    {"running_9", life, NULL, NULL, &lives[1]},
	    {"stopped_8", life, NULL, NULL, &lives[2]},
	    {"running_8", life, NULL, NULL, &lives[3]},
	};

	live_one = live;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

void rowlives_add_leaf(
    struct buf *b, const char *path, const char *yaml, char indent[static ROWLIVES_INDENT])
{
	_cleanup_strs_ struct strs words = {0};

	assert_int_equal(text_split(path, ".", true, 10, &words), 0);
	(void)snprintf(indent, ROWLIVES_INDENT, "  ");
	for (size_t i = 0; i + 1 < words.n; i++) {
		buf_addf(b, "%s%s:\n", indent, words.v[i]);
		strncat(indent, "  ", ROWLIVES_INDENT - strlen(indent) - 1);
	}
	buf_addf(b, "%s%s: %s\n", indent, words.v[words.n - 1], yaml);
}
