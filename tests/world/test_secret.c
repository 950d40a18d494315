/* A password from a file: in the guest, and nowhere else. */
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST "correct-horse-battery"
#define SECOND "staple-of-another-kind"

static char dir[] = "/tmp/ramet-secret-XXXXXX";

static char *file(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void put(const char *name, const char *text, mode_t mode)
{
	_cleanup_str_ char *path = file(name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void commit(struct world *w, const char *path)
{
	_cleanup_kv_ struct kv files = {0};
	kv_setf(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	    "  node_name: pve1\n  clone: { source_vm_id: 9000 }\n"
	    "  initialization: { user_account: { username: admin, password_file: %s } }\n",
	    path);
	memgit_commit(w->git, &files, "secret");
}

/* Orders to write it: PVE keeps no trace of one that changes nothing. */
static size_t writes(struct world *w)
{
	size_t n = 0;
	for (const char *s = buf_str(&w->story); (s = strstr(s, ": set cipassword=")); s++)
		n++;
	return n;
}

static void run(struct world *w)
{
	world_run(w, 1000000, NULL, NULL); /* Git, and a full read */
	world_run(w, 900000, world_all_ready, NULL);
}

/* Neither the durable lines nor the reports nor the story have it. */
static void expect_nowhere(struct world *w, const char *secret)
{
	struct store *s = memstore_port(w->store);
	struct strs lines = {0};
	static const char *const reports[] = {
	    "STATUS.md", "DRIFT.md", "summary.json", "vms/web-01.yaml"};

	assert_int_equal(s->ops->load(s, &lines, NULL), 0);
	assert_true(lines.n > 0);
	for (size_t i = 0; i < lines.n; i++)
		assert_null(strstr(lines.v[i], secret));
	strs_fini(&lines);
	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		const char *text = memgit_status_file(w->git, reports[i]);
		assert_true(!text || !strstr(text, secret));
		/* What is remembered of it stays on this host as well. */
		assert_true(!text || !strstr(text, "secrets:"));
	}
	assert_null(strstr(buf_str(&w->story), secret));
}

static struct world *world_with(const char *password)
{
	_cleanup_str_ char *extra =
	    mem_printf("policy: { vmid_range: 1000-1099, secrets_directory: %s }\n", dir);
	_cleanup_str_ char *path = file("web-01");
	struct world *w = world_new(1, extra);

	put("web-01", password, 0600);
	commit(w, path);
	world_start(w, CONTROLLER_RUN);
	run(w);
	return w;
}

static void written_once_and_when_it_changes(void **state)
{
	struct world *w = world_with(FIRST);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t before;

	(void)state;
	assert_true(world_all_ready(w));
	assert_non_null(sim_guest_get(w->sim, vmid, "cipassword"));
	before = writes(w);
	assert_int_equal(before, 1);
	expect_nowhere(w, FIRST);
	run(w);
	assert_int_equal(writes(w), before);

	put("web-01", SECOND, 0600);
	run(w);
	assert_int_equal(writes(w), before + 1);
	expect_nowhere(w, SECOND);
	assert_null(strstr(buf_str(&w->story), "drift:"));
	run(w);
	assert_int_equal(writes(w), before + 1);

	/* The state is lost: once more, since nobody can know. */
	world_kill(w);
	memstore_drop(w->store);
	world_start(w, CONTROLLER_RUN);
	run(w);
	assert_int_equal(writes(w), before + 2);
	run(w);
	assert_int_equal(writes(w), before + 2);
	assert_int_equal(w->violations, 0);
	world_free(&w);
}

static void only_what_may_be_read(void **state)
{
	struct world *w = world_with(FIRST);
	_cleanup_str_ char *loose = file("loose"), *up = mem_printf("%s/../passwd", dir),
			   *gone = file("gone");
	const char *const paths[] = {"/etc/passwd", loose, up, gone};
	size_t before = writes(w);

	(void)state;
	put("loose", SECOND, 0644);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		commit(w, paths[i]);
		run(w);
		const struct vmstat *s = world_vmstat(w, "web-01");
		assert_non_null(s);
		if (s->reason != REASON_SECRET_UNREADABLE)
			print_error("%s: %s\n", paths[i], reason_word(s->reason));
		assert_int_equal(s->reason, REASON_SECRET_UNREADABLE);
		assert_int_equal(writes(w), before);
	}
	expect_nowhere(w, SECOND);
	world_free(&w);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"web-01", "loose"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_str_ char *path = file(names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(written_once_and_when_it_changes),
	    cmocka_unit_test(only_what_may_be_read),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
