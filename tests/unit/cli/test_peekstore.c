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

#include "cachedir.h"
#include "peekstore.h"
#include "store.h"

static int setup(void **state)
{
	char *dir = mem_strdup("/tmp/ramet-peek-XXXXXX");
	assert_non_null(mkdtemp(dir));
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	_cleanup_str_ char *command = mem_printf("rm -rf '%s'", (char *)*state);
	assert_int_equal(system(command), 0);
	free(*state);
	return 0;
}

static size_t lines(struct store *s, struct strs *ret)
{
	assert_int_equal(s->ops->load(s, ret, NULL), 0);
	return ret->n;
}

/* Beside a controller that holds the lock: what it wrote is seen, and nothing is written. */
static void test_looking_beside_the_owner(void **state)
{
	struct store *own = NULL, *peek = NULL;
	struct strs l = {0};
	assert_int_equal(store_open(*state, &own, NULL), 0);
	assert_int_equal(own->ops->append(own, "one", NULL), 0);
	assert_int_equal(own->ops->append(own, "two", NULL), 0);
	assert_int_equal(peekstore_open(*state, &peek, NULL), 0);
	assert_int_equal(lines(peek, &l), 2);
	assert_string_equal(l.v[1], "two");
	strs_fini(&l);
	assert_int_equal(peek->ops->append(peek, "three", NULL), 0);
	assert_int_equal(lines(peek, &l), 3);
	assert_int_equal(peek->ops->rewrite(peek, &(struct strs){0}, NULL), 0);
	strs_fini(&l);
	assert_int_equal(lines(peek, &l), 0);
	peekstore_close(&peek);
	strs_fini(&l);
	assert_int_equal(lines(own, &l), 2);
	strs_fini(&l);
	store_close(&own);
}

static void test_a_line_that_is_being_written(void **state)
{
	_cleanup_str_ char *path = mem_printf("%s/journal", (char *)*state);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("one\n\ntw", f);
	fclose(f);
	struct store *peek = NULL;
	struct strs l = {0};
	assert_int_equal(peekstore_open(*state, &peek, NULL), 0);
	assert_int_equal(lines(peek, &l), 1);
	assert_string_equal(l.v[0], "one");
	strs_fini(&l);
	peekstore_close(&peek);
}

static void test_no_state_directory(void **state)
{
	_cleanup_str_ char *dir = mem_printf("%s/none", (char *)*state);
	struct store *peek = NULL;
	struct strs l = {0};
	assert_int_equal(peekstore_open(dir, &peek, NULL), 0);
	assert_int_equal(lines(peek, &l), 0);
	peekstore_close(&peek);
	assert_int_not_equal(access(dir, F_OK), 0);
}

static void test_each_reader_has_its_own_folder(void **state)
{
	struct cachedir a = CACHEDIR_NONE, b = CACHEDIR_NONE, own = CACHEDIR_NONE;
	_cleanup_str_ char *first = mem_printf("%s/read-0", (char *)*state);
	_cleanup_str_ char *second = mem_printf("%s/read-1", (char *)*state);
	_cleanup_str_ char *controllers = mem_printf("%s/git", (char *)*state);
	assert_int_equal(cachedir_take(*state, false, NULL, &a, NULL), 0);
	assert_int_equal(cachedir_take(*state, false, NULL, &b, NULL), 0);
	assert_int_equal(cachedir_take(*state, true, NULL, &own, NULL), 0);
	assert_string_equal(a.path, first);
	assert_string_equal(b.path, second);
	assert_string_equal(own.path, controllers);
	cachedir_release(&a);
	assert_int_equal(cachedir_take(*state, false, NULL, &a, NULL), 0);
	assert_string_equal(a.path, first);
	cachedir_release(&a);
	cachedir_release(&b);
	cachedir_release(&own);
}

static void test_a_temporary_folder_leaves_nothing(void **state)
{
	struct cachedir c = CACHEDIR_NONE;
	_cleanup_str_ char *none = mem_printf("%s/none", (char *)*state);
	_cleanup_str_ char *tmpdir = mem_printf("TMPDIR=%s", (char *)*state);
	char *const env[] = {tmpdir, NULL};
	assert_int_equal(cachedir_take(none, false, env, &c, NULL), 0);
	assert_int_equal(strncmp(c.path, *state, strlen(*state)), 0);
	_cleanup_str_ char *path = mem_strdup(c.path);
	_cleanup_str_ char *inner = mem_printf("%s/x", path);
	_cleanup_str_ char *link = mem_printf("%s/x/link", path);
	assert_int_equal(mkdir(inner, 0700), 0);
	/* Of what a link leads to nothing is removed. */
	assert_int_equal(symlink(*state, link), 0);
	cachedir_release(&c);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(access(*state, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_looking_beside_the_owner, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_line_that_is_being_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_state_directory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_each_reader_has_its_own_folder, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_temporary_folder_leaves_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
