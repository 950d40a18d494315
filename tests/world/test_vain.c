/* A step that PVE carries out and that changes nothing is not carried out for ever. */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANIFEST                                                                        \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n" \
	"  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"

#define HOUR 3600000

/* The guest goes down again before anybody looks, as long as it is ill. */
struct illness {
	struct world *w;
	bool on;
	unsigned starts;
};

static void before(void *arg, const char *method, const char *path)
{
	struct illness *i = arg;

	if (!i->on)
		return;
	i->starts += text_eq(method, "POST") && text_ends(path, "/status/start");
	if (text_ends(path, "/status/current"))
		assert_int_equal(
		    sim_human_power(i->w->sim, world_find(i->w, "web-01", NULL), false, NULL), 0);
}

static void commit(struct world *w, const char *more, const char *what)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml", MANIFEST "%s", more);
	memgit_commit(w->git, &files, what);
}

static void a_guest_that_does_not_stay_up(void **state)
{
	struct world *w = world_new(7, NULL);
	struct illness i = {.w = w};

	(void)state;
	commit(w, "", "first");
	world_start(w, CONTROLLER_RUN);
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	i.on = true;
	simport_set_hook(w->port, before, &i);
	commit(w, "  started: true\n", "up");
	world_run(w, HOUR, NULL, NULL);
	/* A few times, with growing pauses; then a person is needed, and it is tried again with
	 * each full read, every five to ten minutes. */
	if (i.starts < 6 || i.starts > 6 + 12)
		fail_msg("started %u times in an hour", i.starts);
	assert_non_null(
	    strstr(buf_str(&w->story), "carried out again and again, and nothing changed"));
	/* Well again: the next full read is the end of it. */
	i.on = false;
	assert_true(world_run(w, HOUR, world_all_ready, NULL));
	assert_true(sim_guest_running(w->sim, world_find(w, "web-01", NULL)));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_guest_that_does_not_stay_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
