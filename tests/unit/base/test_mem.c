#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void zeroed_and_never_null(void **state UNUSED)
{
	char *p = mem_alloc(64);
	for (int i = 0; i < 64; i++)
		assert_int_equal(p[i], 0);
	free(p);
	p = mem_alloc(0);
	assert_non_null(p);
	free(p);
	p = mem_calloc(0, 8);
	assert_non_null(p);
	free(p);
	p = mem_grow(NULL, 0, 8);
	assert_non_null(p);
	free(p);
}

static void push_room_keeps_elements(void **state UNUSED)
{
	int *v = NULL;
	size_t n = 0, cap = 0;
	for (int i = 0; i < 100; i++) {
		MEM_PUSH_ROOM(v, n, cap);
		v[n++] = i * 3;
	}
	assert_true(cap >= 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(v[i], i * 3);
	free(v);
}

static void copies(void **state UNUSED)
{
	assert_null(mem_strdup(NULL));
	_cleanup_str_ char *a = mem_strdup("abc");
	assert_string_equal(a, "abc");
	_cleanup_str_ char *b = mem_strndup("a\0c", 3);
	assert_memory_equal(b, "a\0c", 4);
	_cleanup_str_ char *c = mem_strndup(NULL, 0);
	assert_string_equal(c, "");
	_cleanup_str_ char *d = mem_printf("%s-%d", "x", 7);
	assert_string_equal(d, "x-7");
}

static void replace_may_take_its_own_tail(void **state UNUSED)
{
	_cleanup_str_ char *s = mem_strdup("prefix/name");
	mem_replace(&s, s + 7);
	assert_string_equal(s, "name");
	mem_replace(&s, NULL);
	assert_null(s);
}

static void take_leaves_null(void **state UNUSED)
{
	char *s = mem_strdup("x");
	_cleanup_str_ char *t = TAKE(s);
	assert_null(s);
	assert_string_equal(t, "x");
	char *secret = mem_strdup("token");
	mem_free_secret(&secret);
	assert_null(secret);
	mem_free_secret(&secret);
	mem_free_str(&secret);
}

/* Runs fn in a child and gives the signal that ended it. */
static int signal_of(void (*fn)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL); /* not cmocka's handler */
		fn();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

struct thing {
	uint32_t magic;
};

static void use_wrong_magic(void)
{
	struct thing t = {.magic = 1};
	CHECK_OBJ(&t, 2u);
}

static void use_right_magic(void)
{
	struct thing t = {.magic = 2};
	CHECK_OBJ(&t, 2u);
}

static void grow_beyond_everything(void)
{
	free(mem_grow(NULL, SIZE_MAX / 2, 4));
}

static void bugs_end_the_process(void **state UNUSED)
{
	assert_int_equal(signal_of(use_wrong_magic), SIGABRT);
	assert_int_equal(signal_of(use_right_magic), 0);
	assert_int_equal(signal_of(grow_beyond_everything), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(zeroed_and_never_null),
	    cmocka_unit_test(push_room_keeps_elements),
	    cmocka_unit_test(copies),
	    cmocka_unit_test(replace_may_take_its_own_tail),
	    cmocka_unit_test(take_leaves_null),
	    cmocka_unit_test(bugs_end_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
