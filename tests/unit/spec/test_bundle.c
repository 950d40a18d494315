/* Bundles: what is in force when some of it is broken, doubled or gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle.h"

/* One manifest; `more` are further lines of spec. */
static char *manifest(const char *name, const char *more)
{
	return mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\n"
			  "spec:\n  node_name: pve1\n  clone: { source_vm_id: 9000 }\n%s",
	    name, more);
}

#define MAX_FILES 8

struct tree {
	struct bundle_file v[MAX_FILES];
	char *owned[MAX_FILES];
	size_t n;
};

static void put(struct tree *t, const char *path, char *data)
{
	assert_true(t->n < MAX_FILES);
	t->owned[t->n] = data;
	t->v[t->n++] = (struct bundle_file){.path = path, .data = data, .len = strlen(data)};
}

static void put_one(struct tree *t, const char *path, const char *name, const char *more)
{
	put(t, path, manifest(name, more));
}

/* Builds and forgets the texts: a bundle must not need them. */
static struct bundle *build(struct tree *t, const char *rev, const struct bundle *last)
{
	struct bundle *b = NULL;
	assert_int_equal(bundle_build(rev, t->v, t->n, last, &b, NULL), 0);
	for (size_t i = 0; i < t->n; i++)
		free(t->owned[i]);
	*t = (struct tree){0};
	return b;
}

static int64_t cores(const struct bundle *b, const char *name)
{
	const struct bundle_entry *e = bundle_find(b, name);
	return e ? resource_int(e->res, ATTR_cpu_cores) : -1;
}

static size_t count(const struct bundle *b, enum diag_code code)
{
	size_t n = 0;
	for (size_t i = 0; i < b->diags.n; i++)
		n += b->diags.v[i].code == code;
	return n;
}

static struct bundle *first(void)
{
	struct tree t = {0};
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 1 }\n");
	put_one(&t, "b.yaml", "b", "  cpu: { cores: 2 }\n");
	return build(&t, "r1", NULL);
}

/* What has not changed is taken over and not decoded again; rules between manifests are asked
 * again all the same, and what was found is found again. */
static void same_bytes(void **state)
{
	(void)state;
	struct bundle *b = first();
	struct tree t = {0};
	put_one(&t, "c.yaml", "b", "");
	put_one(&t, "b.yaml", "b", "  cpu: { cores: 2 }\n");
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 3 }\n");
	struct bundle *doubled = build(&t, "r2", b);
	assert_int_equal(cores(doubled, "a"), 3);
	assert_ptr_equal(bundle_find(doubled, "b")->res, bundle_find(b, "b")->res);
	assert_int_equal(count(doubled, DIAG_DUPLICATE_NAME), 2);
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 3 }\n");
	put_one(&t, "b.yaml", "b", "  cpus: 2\n");
	struct bundle *broken = build(&t, "r3", doubled);
	assert_ptr_equal(bundle_find(broken, "a")->res, bundle_find(doubled, "a")->res);
	assert_int_equal(count(broken, DIAG_UNKNOWN_KEY), 1);
	bundle_unref(&doubled);
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 3 }\n");
	put_one(&t, "b.yaml", "b", "  cpus: 2\n");
	struct bundle *still = build(&t, "r4", broken);
	bundle_unref(&broken);
	bundle_unref(&b);
	assert_int_equal(count(still, DIAG_UNKNOWN_KEY), 1);
	assert_int_equal(cores(still, "a"), 3);
	assert_int_equal(cores(still, "b"), 2);
	assert_string_equal(bundle_find(still, "a")->rev, "r2");
	bundle_unref(&still);
}

static void all_good(void **state)
{
	(void)state;
	struct bundle *b = first();
	assert_int_equal(b->n, 2);
	assert_int_equal(b->diags.n, 0);
	assert_false(b->incomplete);
	assert_int_equal(b->n_files, 2);
	assert_string_equal(b->rev, "r1");
	assert_int_equal(cores(b, "a"), 1);
	assert_int_equal(cores(b, "b"), 2);
	assert_null(bundle_find(b, "c"));
	assert_string_equal(b->v[0].rev, "r1");
	struct bundle *again = bundle_ref(b);
	bundle_unref(&b);
	assert_null(b);
	assert_int_equal(cores(again, "a"), 1);
	bundle_unref(&again);
}

static void unchanged_content_keeps_its_revision(void **state)
{
	(void)state;
	struct bundle *last = first();
	struct tree t = {0};
	/* Other layout, other file, same meaning. */
	put(&t, "moved.yaml",
	    mem_printf("# comment\napiVersion: ramet.dev/v1\nkind: ClonedVM\nspec:\n"
		       "  cpu:\n    cores: 1\n  clone:\n    source_vm_id: 9000\n"
		       "  node_name: \"pve1\"\nmetadata:\n  name: a\n"));
	put_one(&t, "b.yaml", "b", "  cpu: { cores: 4 }\n");
	struct bundle *b = build(&t, "r2", last);
	assert_string_equal(bundle_find(b, "a")->rev, "r1");
	assert_string_equal(bundle_find(b, "a")->res->file, "moved.yaml");
	assert_string_equal(bundle_find(b, "b")->rev, "r2");
	assert_string_not_equal(b->hash, last->hash);
	bundle_unref(&last);
	assert_int_equal(cores(b, "b"), 4);
	bundle_unref(&b);
}

static void broken_manifest_keeps_last_good(void **state)
{
	(void)state;
	static const char *const wrong[] = {"  cpu: { cores: 0 }\n", "  cpu: { coers: 3 }\n",
	    "  cpu: { flags: [+aes] }\n", "  cpu: &x { cores: 3 }\n"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct bundle *last = first();
		struct tree t = {0};
		put_one(&t, "a.yaml", "a", wrong[i]);
		put_one(&t, "b.yaml", "b", "  cpu: { cores: 8 }\n");
		struct bundle *b = build(&t, "r2", last);
		bundle_unref(&last);
		assert_int_equal(diags_errors(&b->diags), 1);
		assert_string_equal(b->diags.v[0].object, "a");
		assert_int_equal(b->n, 2);
		assert_int_equal(cores(b, "a"), 1);
		assert_true(bundle_find(b, "a")->stale);
		assert_string_equal(bundle_find(b, "a")->rev, "r1");
		assert_int_equal(cores(b, "b"), 8);
		assert_false(bundle_find(b, "b")->stale);
		/* Its name was to be read, so nobody else can be missing. */
		assert_false(b->incomplete);
		/* And again: the good version survives any number of broken ones. */
		put_one(&t, "a.yaml", "a", wrong[i]);
		struct bundle *third = build(&t, "r3", b);
		bundle_unref(&b);
		assert_int_equal(cores(third, "a"), 1);
		assert_string_equal(bundle_find(third, "a")->rev, "r1");
		assert_null(bundle_find(third, "b"));
		bundle_unref(&third);
	}
}

static void broken_without_history_is_not_in_force(void **state)
{
	(void)state;
	struct tree t = {0};
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 0 }\n");
	put_one(&t, "b.yaml", "b", "  depends_on: [a]\n");
	struct bundle *b = build(&t, "r1", NULL);
	assert_int_equal(b->n, 1);
	assert_null(bundle_find(b, "a"));
	/* It exists, though it cannot be used: no word about an unknown dependency. */
	assert_int_equal(count(b, DIAG_UNKNOWN_DEPENDENCY), 0);
	bundle_unref(&b);
}

static void vanished_manifest_is_gone(void **state)
{
	(void)state;
	struct bundle *last = first();
	struct tree t = {0};
	put_one(&t, "b.yaml", "b", "");
	struct bundle *b = build(&t, "r2", last);
	assert_null(bundle_find(b, "a"));
	assert_false(b->incomplete);
	bundle_unref(&b);
	bundle_unref(&last);
}

static void unreadable_file_keeps_what_came_from_it(void **state)
{
	(void)state;
	struct bundle *last = first();
	struct tree t = {0};
	put_one(&t, "b.yaml", "b", "");
	t.v[t.n++] = (struct bundle_file){.path = "a.yaml", .skipped = "larger than 1 MiB"};
	struct bundle *b = build(&t, "r2", last);
	assert_true(b->incomplete);
	assert_int_equal(count(b, DIAG_UNREADABLE), 1);
	assert_int_equal(cores(b, "a"), 1);
	assert_true(bundle_find(b, "a")->stale);
	bundle_unref(&b);
	bundle_unref(&last);
}

static void broken_stream(void **state)
{
	(void)state;
	struct tree t = {0};
	_cleanup_str_ char *a = manifest("a", "  cpu: { cores: 1 }\n"),
			   *b = manifest("b", "  cpu: { cores: 2 }\n"),
			   *c = manifest("c", "  cpu: { cores: 3 }\n"),
			   *a2 = manifest("a", "  cpu: { cores: 5 }\n");
	put(&t, "all.yaml", mem_printf("%s---\n%s---\n%s", a, b, c));
	struct bundle *last = build(&t, "r1", NULL);
	assert_int_equal(last->n, 3);
	/* The first document is new and good, the second breaks off, the third is not seen. */
	put(&t, "all.yaml", mem_printf("%s---\n%s  oops: [\n---\n%s", a2, b, c));
	struct bundle *next = build(&t, "r2", last);
	assert_true(next->incomplete);
	assert_int_equal(diags_errors(&next->diags), 1);
	assert_int_equal(cores(next, "a"), 5);
	assert_false(bundle_find(next, "a")->stale);
	assert_int_equal(cores(next, "b"), 2);
	assert_true(bundle_find(next, "b")->stale);
	assert_int_equal(cores(next, "c"), 3);
	assert_true(bundle_find(next, "c")->stale);
	bundle_unref(&next);
	bundle_unref(&last);
}

static void nameless_broken_document(void **state)
{
	(void)state;
	struct bundle *last = first();
	struct tree t = {0};
	put(&t, "a.yaml", mem_strdup("apiVersion: ramet.dev/v1\nkind: ClonedVM\nspec: {}\n"));
	put_one(&t, "b.yaml", "b", "");
	struct bundle *b = build(&t, "r2", last);
	/* It may be a: a stays, and nothing counts as gone. */
	assert_true(b->incomplete);
	assert_int_equal(cores(b, "a"), 1);
	assert_true(bundle_find(b, "a")->stale);
	bundle_unref(&b);
	/* a lives elsewhere now: the broken file keeps nobody alive. */
	put(&t, "a.yaml", mem_strdup("apiVersion: ramet.dev/v1\nkind: ClonedVM\nspec: {}\n"));
	put_one(&t, "c.yaml", "a", "  cpu: { cores: 7 }\n");
	b = build(&t, "r3", last);
	assert_int_equal(cores(b, "a"), 7);
	assert_false(bundle_find(b, "a")->stale);
	bundle_unref(&b);
	bundle_unref(&last);
}

static void doubled_name(void **state)
{
	(void)state;
	struct bundle *last = first();
	struct tree t = {0};
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 1 }\n");
	put_one(&t, "x.yaml", "a", "  cpu: { cores: 9 }\n");
	put_one(&t, "y.yaml", "new", "");
	put_one(&t, "z.yaml", "new", "");
	struct bundle *b = build(&t, "r2", last);
	assert_int_equal(count(b, DIAG_DUPLICATE_NAME), 4);
	assert_string_equal(b->diags.v[0].file, "a.yaml");
	assert_int_equal(b->diags.v[0].mark.line, 3);
	assert_int_equal(b->diags.v[0].mark.col, 19);
	assert_non_null(b->diags.v[0].line);
	assert_string_equal(b->diags.v[1].file, "x.yaml");
	assert_int_equal(cores(b, "a"), 1);
	assert_true(bundle_find(b, "a")->stale);
	assert_null(bundle_find(b, "new"));
	bundle_unref(&b);
	/* The other one is broken: nobody can tell which is meant. */
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 3 }\n");
	put_one(&t, "x.yaml", "a", "  cpu: { cores: 0 }\n");
	b = build(&t, "r2", last);
	assert_int_equal(count(b, DIAG_DUPLICATE_NAME), 1);
	assert_int_equal(cores(b, "a"), 1);
	bundle_unref(&b);
	bundle_unref(&last);
}

static void doubled_vmid(void **state)
{
	(void)state;
	struct tree t = {0};
	put_one(&t, "a.yaml", "a", "  id: 500\n  cpu: { cores: 1 }\n");
	struct bundle *last = build(&t, "r1", NULL);
	put_one(&t, "a.yaml", "a", "  id: 500\n  cpu: { cores: 2 }\n");
	put_one(&t, "b.yaml", "b", "  id: 500\n");
	struct bundle *b = build(&t, "r2", last);
	assert_int_equal(count(b, DIAG_DUPLICATE_VMID), 2);
	assert_int_equal(cores(b, "a"), 1);
	assert_true(bundle_find(b, "a")->stale);
	assert_null(bundle_find(b, "b"));
	bundle_unref(&b);
	bundle_unref(&last);
}

/* a is to give its number to b, but the new a is broken: the old a still has the number. */
static void old_version_clashes_with_new_one(void **state)
{
	(void)state;
	struct tree t = {0};
	put_one(&t, "a.yaml", "a", "  id: 500\n");
	struct bundle *last = build(&t, "r1", NULL);
	put_one(&t, "a.yaml", "a", "  id: 99\n");
	put_one(&t, "b.yaml", "b", "  id: 500\n");
	struct bundle *b = build(&t, "r2", last);
	assert_int_equal(b->n, 1);
	assert_non_null(bundle_find(b, "a"));
	assert_true(count(b, DIAG_DUPLICATE_VMID) >= 1);
	bundle_unref(&b);
	/* Clash only after a fall-back: b clashes with c, falls back to 501, which d has now. */
	put_one(&t, "b.yaml", "b", "  id: 501\n");
	struct bundle *two = build(&t, "r1", NULL);
	put_one(&t, "b.yaml", "b", "  id: 502\n");
	put_one(&t, "c.yaml", "c", "  id: 502\n");
	put_one(&t, "d.yaml", "d", "  id: 501\n");
	b = build(&t, "r2", two);
	assert_int_equal(b->n, 1);
	assert_int_equal(resource_int(bundle_find(b, "b")->res, ATTR_id), 501);
	bool told = false;
	for (size_t i = 0; i < b->diags.n; i++)
		told = told || text_eq(b->diags.v[i].object, "d");
	assert_true(told);
	bundle_unref(&b);
	bundle_unref(&two);
	bundle_unref(&last);
}

static void order_of_files_does_not_matter(void **state)
{
	(void)state;
	static const char *const names[] = {"a", "b", "c", "d"};
	char *hashes[2];
	for (int turn = 0; turn < 2; turn++) {
		struct tree t = {0};
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			size_t k = turn ? ARRAY_LEN(names) - 1 - i : i;
			put_one(&t, names[k], names[k], k == 2 ? "  id: 1\n" : "");
		}
		struct bundle *b = build(&t, "r1", NULL);
		hashes[turn] = mem_strdup(b->hash);
		assert_int_equal(b->n, 3);
		assert_int_equal(b->diags.n, 1);
		bundle_unref(&b);
	}
	assert_string_equal(hashes[0], hashes[1]);
	free(hashes[0]);
	free(hashes[1]);
}

static void one_bad_file_does_not_hide_others(void **state)
{
	(void)state;
	struct tree t = {0};
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: a }\nspec:\n");
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "  wrong%d: 1\n", i);
	put(&t, "a.yaml", buf_take(&b));
	put_one(&t, "z.yaml", "z", "  id: 1\n");
	struct bundle *bundle = build(&t, "r1", NULL);
	assert_true(bundle->diags.n < 300);
	assert_int_equal(count(bundle, DIAG_OUT_OF_RANGE), 1);
	assert_int_equal(diags_errors(&bundle->diags), 5003); /* and node_name, clone, id */
	bundle_unref(&bundle);
}

static void gathering(void **state)
{
	(void)state;
	struct bundle *one = first();
	struct tree t = {0};
	put_one(&t, "a.yaml", "a", "  cpu: { cores: 6 }\n");
	struct bundle *two = build(&t, "r2", NULL);
	struct bundle *const from[] = {two, one, one};
	static const char *const names[] = {"a", "b", "gone"};
	struct bundle *b = bundle_gather(from, names, 3);
	bundle_unref(&one);
	bundle_unref(&two);
	assert_int_equal(b->n, 2);
	assert_int_equal(cores(b, "a"), 6);
	assert_string_equal(bundle_find(b, "a")->rev, "r2");
	assert_int_equal(cores(b, "b"), 2);
	assert_string_equal(bundle_find(b, "b")->rev, "r1");
	bundle_unref(&b);
}

static void limits(void **state)
{
	(void)state;
	struct bundle *b = NULL;
	_cleanup_err_ struct err *err = NULL;
	struct bundle_file huge = {.path = "a", .data = "", .len = (size_t)257 << 20};
	assert_int_equal(bundle_build("r", &huge, 1, NULL, &b, &err), -1);
	assert_int_equal(err->code, ERR_LIMIT);
	assert_null(b);
}

static void manifest_paths(void **state)
{
	(void)state;
	static const char *const yes[] = {
	    "a.yaml", "a/b.yml", "./a.yaml", "../x/a.yaml", "a.b.yaml"};
	static const char *const no[] = {"a.json", "a.yaml.bak", ".a.yaml", "a/.git/b.yaml",
	    ".x/a.yaml", "", "yaml", "a/..b/c.yaml"};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(bundle_is_manifest_path(yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(bundle_is_manifest_path(no[i]));
	static const char *const near[] = {"a.YAML", "a/b.Yml", "../x.yaml/a.YML"};
	for (size_t i = 0; i < ARRAY_LEN(near); i++)
		assert_true(bundle_is_near_path(near[i]) && !bundle_is_manifest_path(near[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(bundle_is_near_path(no[i]));
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_false(bundle_is_near_path(yes[i]));
	assert_false(bundle_is_near_path(".a.YAML"));
}

/* It is told of, and hides nothing: what is absent elsewhere is absent. */
static void passed_over(void **state)
{
	(void)state;
	const struct bundle_file f[] = {
	    {.path = "a.YAML", .passed_over = true},
	    {.path = "b.YML", .skipped = "a symbolic link", .passed_over = true},
	};
	struct bundle *b = NULL, *next = NULL;
	assert_int_equal(bundle_build("r1", f, 2, NULL, &b, NULL), 0);
	assert_int_equal(b->n, 0);
	assert_false(b->incomplete);
	assert_int_equal(diags_errors(&b->diags), 0);
	assert_int_equal(diags_warnings(&b->diags), 2);
	assert_int_equal(b->diags.v[0].code, DIAG_PASSED_OVER);
	assert_string_equal(b->diags.v[0].file, "a.YAML");
	/* Not told anew for the next revision, and gone with the file. */
	const char *const gone[] = {"b.YML"};
	const struct bundle_change c = {.gone = gone, .n_gone = 1};
	assert_int_equal(bundle_update("r2", &c, b, &next, NULL), 0);
	assert_int_equal(diags_warnings(&next->diags), 1);
	bundle_unref(&b);
	bundle_unref(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_bytes),
	    cmocka_unit_test(all_good),
	    cmocka_unit_test(unchanged_content_keeps_its_revision),
	    cmocka_unit_test(broken_manifest_keeps_last_good),
	    cmocka_unit_test(broken_without_history_is_not_in_force),
	    cmocka_unit_test(vanished_manifest_is_gone),
	    cmocka_unit_test(unreadable_file_keeps_what_came_from_it),
	    cmocka_unit_test(broken_stream),
	    cmocka_unit_test(nameless_broken_document),
	    cmocka_unit_test(doubled_name),
	    cmocka_unit_test(doubled_vmid),
	    cmocka_unit_test(old_version_clashes_with_new_one),
	    cmocka_unit_test(order_of_files_does_not_matter),
	    cmocka_unit_test(one_bad_file_does_not_hide_others),
	    cmocka_unit_test(gathering),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(manifest_paths),
	    cmocka_unit_test(passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
