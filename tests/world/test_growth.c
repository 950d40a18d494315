/*
 * Ten thousand reconciles: what the controller holds, memory and descriptors, is what it held after
 * the first thousand. Both lives see as many merges, because who changed what is remembered of the
 * last thousands of changes.
 */
#include "support_world.h"

#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VMS 8
#define SLACK ((size_t)64 << 10)
#define MERGES 25

#if defined(__SANITIZE_ADDRESS__)
#define FEW 200
#define MANY 1000
#else
#define FEW 1000
#define MANY 10000
#endif

static unsigned reads;

static enum fate count(void *arg, enum touch kind, const char *what, const char *where)
{
	(void)arg, (void)what;
	if (kind == TOUCH_CLUSTER && text_ends(where, "/pending"))
		reads++;
	return FATE_NORMAL;
}

static size_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void merge(struct world *w, unsigned edit)
{
	_cleanup_kv_ struct kv files = {0};

	for (unsigned i = 0; i < VMS; i++) {
		_cleanup_str_ char *path = mem_printf("vms/vm-%u.yaml", i);

		kv_setf(&files, path,
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: vm-%u }\nspec:\n"
		    "  node_name: pve1\n  clone: { source_vm_id: 9001, full: false }\n"
		    "  description: edit %05u\n  started: true\n",
		    i, edit);
	}
	memgit_commit(w->git, &files, "merge");
}

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd; /* large pieces are mapped at first, and later not */
}

/* What goes back when the controller is gone. */
static size_t held_after(struct world *w, unsigned n, size_t *ret_fds)
{
	unsigned from = reads;
	size_t before, after;

	world_start(w, CONTROLLER_RUN);
	for (unsigned edit = 0; edit < MERGES; edit++) {
		merge(w, edit);
		assert_true(world_run(w, 1800000, world_all_ready, NULL));
	}
	while (reads - from < n)
		world_step(w);
	world_run(w, 120000, NULL, NULL);
	*ret_fds = descriptors();
	before = in_use();
	world_kill(w);
	after = in_use();
	return before > after ? before - after : 0;
}

static void test_growth(void **state)
{
	struct world *w = world_new(
	    5, "policy: { vmid_range: 1000-1099 }\nreconcile: { tick: 60s, full_read: 60s }\n");
	size_t fds[2], first, last;

	(void)state;
	world_set_fates(w, count, NULL);
	first = held_after(w, FEW, &fds[0]);
	last = held_after(w, MANY, &fds[1]);
	printf("growth: %u reconciles, %zu bytes held after %u and %zu after %u, descriptors %zu "
	       "and %zu\n",
	    reads, first, FEW, last, MANY, fds[0], fds[1]);
	assert_int_equal(fds[0], fds[1]);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(first > 0);
	assert_true(last <= first + SLACK);
#endif
	assert_int_equal(w->violations, 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_growth)};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
