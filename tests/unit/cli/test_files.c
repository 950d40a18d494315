#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

/* Every test runs in an empty folder of its own. */
static int setup(void **state)
{
	char *dir = mem_strdup("/tmp/ramet-files-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;
	assert_int_equal(chdir("/"), 0);
	_cleanup_str_ char *command = mem_printf("rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
	free(dir);
	return 0;
}

static void put(const char *path, const char *data)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(data, f);
	assert_int_equal(fclose(f), 0);
}

static void folder(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static struct files load(const char *const *paths, size_t n)
{
	struct files f;
	_cleanup_err_ struct err *err = NULL;
	if (files_load((char *const *)paths, n, &f, &err) != 0)
		fail_msg("%s", err_msg(err));
	return f;
}

static void test_a_folder_gives_its_manifests_sorted(void **state)
{
	(void)state;
	folder("vms");
	folder("vms/sub");
	folder("vms/.hidden");
	put("vms/b.yaml", "b");
	put("vms/a.yml", "aa");
	put("vms/sub/c.yaml", "");
	put("vms/notes.txt", "x");
	put("vms/.x.yaml", "x");
	put("vms/.hidden/d.yaml", "x");
	static const char *const paths[] = {"vms", "vms/"};
	for (size_t i = 0; i < 2; i++) {
		_cleanup_files_ struct files f = load(&paths[i], 1);
		assert_int_equal(f.n, 3);
		assert_string_equal(f.v[0].path, "vms/a.yml");
		assert_int_equal(f.v[0].len, 2);
		assert_memory_equal(f.v[0].data, "aa", 2);
		assert_string_equal(f.v[1].path, "vms/b.yaml");
		assert_string_equal(f.v[2].path, "vms/sub/c.yaml");
		assert_int_equal(f.v[2].len, 0);
		assert_null(f.v[2].skipped);
	}
}

static void test_almost_a_manifest_is_told_of(void **state)
{
	(void)state;
	folder("vms");
	folder("vms/c.YAML");
	put("vms/a.YAML", "a");
	put("vms/.b.YML", "b");
	put("vms/c.YAML/d.yaml", "d");
	static const char *const paths[] = {"vms"};
	_cleanup_files_ struct files f = load(paths, 1);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.v[0].path, "vms/a.YAML");
	assert_true(f.v[0].passed_over);
	assert_string_equal(f.v[1].path, "vms/c.YAML/d.yaml");
	assert_false(f.v[1].passed_over);
	/* Named, it is a manifest like any other. */
	static const char *const named[] = {"vms/a.YAML"};
	_cleanup_files_ struct files one = load(named, 1);
	assert_false(one.v[0].passed_over);
	assert_int_equal(one.v[0].len, 1);
}

static void test_a_file_is_taken_by_any_name_and_once(void **state)
{
	(void)state;
	put("manifest", "x");
	put("a.yaml", "y");
	static const char *const paths[] = {"manifest", "a.yaml", "manifest"};
	_cleanup_files_ struct files f = load(paths, 3);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.v[0].path, "a.yaml");
	assert_string_equal(f.v[1].path, "manifest");
}

static void test_what_cannot_be_read_is_not_silently_left_out(void **state)
{
	(void)state;
	folder("vms");
	put("target", "x");
	assert_int_equal(symlink("../target", "vms/link.yaml"), 0);
	assert_int_equal(mkfifo("vms/pipe.yaml", 0600), 0);
	FILE *big = fopen("vms/big.yaml", "w");
	assert_non_null(big);
	assert_int_equal(ftruncate(fileno(big), (1 << 20) + 1), 0);
	assert_int_equal(fclose(big), 0);
	static const char *const paths[] = {"vms"};
	_cleanup_files_ struct files f = load(paths, 1);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.v[0].skipped, "larger than 1 MiB");
	assert_string_equal(f.v[1].skipped, "a symbolic link");
	assert_string_equal(f.v[2].skipped, "no regular file");
	assert_null(f.v[0].data);
}

static void test_deep_folders_end(void **state)
{
	(void)state;
	struct buf path = {0};
	buf_adds(&path, "d");
	for (int i = 0; i < 40; i++) {
		folder(buf_str(&path));
		buf_adds(&path, "/d");
	}
	static const char *const paths[] = {"d"};
	_cleanup_files_ struct files f = load(paths, 1);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].skipped, "folders are nested too deep");
	buf_fini(&path);
}

static void test_a_missing_path(void **state)
{
	(void)state;
	static const char *const paths[] = {"none"};
	struct files f;
	_cleanup_err_ struct err *err = NULL;
	assert_int_equal(files_load((char *const *)paths, 1, &f, &err), -1);
	assert_int_equal(err->code, ERR_NOTFOUND);
	assert_string_equal(err->msg, "cannot open none: No such file or directory");
	assert_non_null(err->hint);
}

/* The nearest ignore file counts, whether a folder is named by itself or as a part; a file that is
 * named by itself is always taken. */
static void test_ignored(void **state)
{
	(void)state;
	static const char *const whole[] = {"vms"}, *const part[] = {"vms/lab/"},
				 *const file[] = {"vms/old/b.yaml"}, *const dot[] = {"."};
	folder(".git");
	folder("vms");
	folder("vms/old");
	folder("vms/lab");
	folder("vms/lab/tmp");
	put("vms/.rametignore", "# comment\nold/\n*.example.yaml\n!keep.example.yaml\n/lab/tmp\n");
	put("vms/a.yaml", "a");
	put("vms/a.example.yaml", "a");
	put("vms/keep.example.yaml", "k");
	put("vms/old/b.yaml", "b");
	put("vms/lab/c.yaml", "c");
	put("vms/lab/tmp/d.yaml", "d");
	put("vms/lab/x.example.yaml", "x");
	assert_int_equal(symlink("/nowhere", "vms/old/link.yaml"), 0);
	struct files f = load(whole, 1);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.v[0].path, "vms/a.yaml");
	assert_string_equal(f.v[1].path, "vms/keep.example.yaml");
	assert_string_equal(f.v[2].path, "vms/lab/c.yaml");
	files_fini(&f);
	f = load(part, 1);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.v[0].path, "vms/lab/c.yaml");
	files_fini(&f);
	f = load(file, 1);
	assert_int_equal(f.n, 1);
	files_fini(&f);
	/* Only the folder that is watched has one; this one is above it. */
	f = load(dot, 1);
	assert_int_equal(f.n, 8);
	files_fini(&f);
	/* One that is a bomb is told, not followed. */
	_cleanup_str_ char *line = mem_alloc(300);
	memset(line, 'a', 299);
	put("vms/.rametignore", line);
	struct err *err = NULL;
	assert_int_equal(files_load((char *const *)whole, 1, &f, &err), -1);
	assert_int_equal(err->code, ERR_LIMIT);
	assert_non_null(strstr(err->hint, "256 bytes"));
	err_free(&err);
	/* Outside of a working tree nothing above the folder counts. */
	put("vms/.rametignore", "*.yaml\n");
	assert_int_equal(rmdir(".git"), 0);
	f = load(part, 1);
	assert_int_equal(f.n, 3);
	files_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ignored, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_folder_gives_its_manifests_sorted, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_almost_a_manifest_is_told_of, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_file_is_taken_by_any_name_and_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_cannot_be_read_is_not_silently_left_out, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_deep_folders_end, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_missing_path, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
