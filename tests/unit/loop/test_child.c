/* The supervised worker process: this program itself, run again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

#define WORD "child-test"
#define FRAME_MAX ((size_t)8 << 20)

extern char **environ;

/* --- the worker --- */

static void reply(int fd, const char *text)
{
	if (child_worker_write(fd, text, strlen(text), NULL) != 0)
		_exit(9);
}

/* What it inherited: environment, descriptors, limits. */
static void describe(int fd)
{
	struct buf b;
	struct rlimit core;
	buf_init(&b, 0);
	for (char **e = environ; *e; e++)
		buf_addf(&b, "env %s\n", *e);
	for (int i = 0; i < 1024; i++) {
		if (fcntl(i, F_GETFD) >= 0)
			buf_addf(&b, "fd %d\n", i);
	}
	getrlimit(RLIMIT_CORE, &core);
	buf_addf(&b, "core %llu\nsession %d\n", (unsigned long long)core.rlim_cur,
	    getsid(0) == getpid());
	reply(fd, buf_str(&b));
	buf_fini(&b);
}

static int worker(int fd)
{
	struct buf b;
	int r;

	child_worker_init();
	buf_init(&b, FRAME_MAX);
	while ((r = child_worker_read(fd, FRAME_MAX, &b, NULL)) > 0) {
		const char *cmd = buf_str(&b);
		if (strcmp(cmd, "describe") == 0) {
			describe(fd);
		} else if (strcmp(cmd, "hang") == 0) {
			pause();
		} else if (strcmp(cmd, "helper") == 0) {
			/* A process of its own, as ssh would be, and then silence. */
			pid_t pid = fork();
			if (pid == 0)
				pause();
			char text[32];
			snprintf(text, sizeof(text), "%ld", (long)pid);
			reply(fd, text);
			pause();
		} else if (strcmp(cmd, "crash") == 0) {
			signal(SIGSEGV, SIG_DFL);
			raise(SIGSEGV);
		} else if (strcmp(cmd, "giant") == 0) {
			(void)!write(fd, "\xff\xff\xff\xff", 4);
			pause();
		} else if (child_worker_write(fd, b.data, b.len, NULL) != 0) {
			break;
		}
	}
	buf_fini(&b);
	return r == 0 ? 7 : 8;
}

/* --- the tests --- */

struct fix {
	struct loop *loop;
	struct child *child;
	struct buf last;
	unsigned frames, ends;
	enum child_end why;
	int status;
};

static void on_frame(void *arg, const void *data, size_t len)
{
	struct fix *f = arg;
	buf_reset(&f->last);
	buf_add(&f->last, data, len);
	f->frames++;
}

static void on_end(void *arg, enum child_end why, int status)
{
	struct fix *f = arg;
	f->ends++;
	f->why = why;
	f->status = status;
}

static void init(struct fix *f)
{
	*f = (struct fix){0};
	buf_init(&f->last, FRAME_MAX);
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	f->child = child_new(f->loop, &(struct child_opts){.name = "echo",
					  .word = WORD,
					  .exe = getenv("FIX_EXE"), /* see gitfix.h */
					  .frame_max = FRAME_MAX,
					  .on_frame = on_frame,
					  .on_end = on_end,
					  .arg = f});
	assert_int_equal(child_start(f->child, NULL), 0);
}

static void fini(struct fix *f)
{
	child_free(&f->child);
	loop_free(&f->loop);
	buf_fini(&f->last);
}

static void turn_until(struct fix *f, unsigned frames, unsigned ends)
{
	while (f->frames < frames || f->ends < ends)
		assert_int_equal(loop_turn(f->loop, NULL), 0);
}

static void say(struct fix *f, const char *text)
{
	assert_int_equal(child_send(f->child, text, strlen(text), NULL), 0);
}

static bool is_gone(long pid)
{
	return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void test_echo(void **state UNUSED)
{
	struct fix f;
	init(&f);
	say(&f, "");
	say(&f, "one");
	turn_until(&f, 2, 0);
	assert_string_equal(buf_str(&f.last), "one");
	/* As long as allowed, both ways. */
	char *big = mem_alloc(FRAME_MAX + 1);
	memset(big, 'x', FRAME_MAX);
	assert_int_equal(child_send(f.child, big, FRAME_MAX, NULL), 0);
	turn_until(&f, 3, 0);
	assert_int_equal(f.last.len, FRAME_MAX);
	assert_memory_equal(f.last.data, big, FRAME_MAX);
	say(&f, "two");
	turn_until(&f, 4, 0);
	assert_string_equal(buf_str(&f.last), "two");
	struct err *err = NULL;
	assert_int_equal(child_send(f.child, big, FRAME_MAX + 1, &err), -1);
	assert_int_equal(err->code, ERR_LIMIT);
	err_free(&err);
	free(big);
	/* A second start changes nothing; asked to finish, it ends by itself. */
	long pid = child_pid(f.child);
	assert_int_equal(child_start(f.child, NULL), 0);
	assert_int_equal(child_pid(f.child), pid);
	child_finish(f.child);
	turn_until(&f, 4, 1);
	assert_int_equal(f.why, CHILD_EXITED);
	assert_true(WIFEXITED(f.status));
	assert_int_equal(WEXITSTATUS(f.status), 7);
	assert_false(child_is_running(f.child));
	assert_int_equal(child_send(f.child, "x", 1, &err), -1);
	assert_int_equal(err->code, ERR_IO);
	err_free(&err);
	fini(&f);
}

static void test_bare(void **state UNUSED)
{
	/* Neither a descriptor nor a variable of this process reaches the worker. */
	int null = open("/dev/null", O_RDONLY);
	int fd = fcntl(null, F_DUPFD, 10);
	assert_true(fd >= 10);
	setenv("RAMET_CLUSTER_TOKEN", "secret", 1);
	struct fix f;
	init(&f);
	say(&f, "describe");
	turn_until(&f, 1, 0);
	assert_string_equal(buf_str(&f.last), "env PATH=/usr/local/bin:/usr/bin:/bin\n"
					      "fd 0\nfd 1\nfd 2\nfd 3\ncore 0\nsession 1\n");
	fini(&f);
	close(fd);
	close(null);
}

static void test_deadline(void **state UNUSED)
{
	struct fix f;
	init(&f);
	long pid = child_pid(f.child);
	say(&f, "hang");
	child_deadline(f.child, 50);
	turn_until(&f, 0, 1);
	assert_int_equal(f.why, CHILD_OVERDUE);
	assert_true(is_gone(pid));
	/* Being late is no reason for a pause. */
	assert_int_equal(child_pause(f.child), 0);
	assert_int_equal(child_start(f.child, NULL), 0);
	child_deadline(f.child, 60000);
	say(&f, "again");
	turn_until(&f, 1, 1);
	child_deadline(f.child, 0);
	fini(&f);
}

static void test_helpers_die(void **state UNUSED)
{
	struct fix f;
	init(&f);
	say(&f, "helper");
	turn_until(&f, 1, 0);
	long helper = strtol(buf_str(&f.last), NULL, 10);
	assert_true(helper > 1);
	child_kill(f.child);
	assert_int_equal(f.ends, 0);
	/* The helper is somebody else's child now: it is gone or about to be. */
	while (!is_gone(helper)) {
		char path[64], st = 0;
		snprintf(path, sizeof(path), "/proc/%ld/stat", helper);
		FILE *p = fopen(path, "r");
		if (!p)
			break;
		if (fscanf(p, "%*d %*s %c", &st) != 1)
			st = 'Z';
		fclose(p);
		if (st == 'Z' || st == 'X')
			break;
	}
	fini(&f);
}

static void test_losses(void **state UNUSED)
{
	struct fix f;
	struct err *err = NULL;
	init(&f);
	struct clock *clock = loop_clock(f.loop);
	for (unsigned i = 1; i <= 3; i++) {
		int64_t begin = clock_now(clock);
		say(&f, "crash");
		turn_until(&f, 0, i);
		assert_int_equal(f.why, CHILD_EXITED);
		assert_true(WIFSIGNALED(f.status));
		/* 100, 200, 400 ms from the loss on. */
		assert_true(child_pause(f.child) <= 100 << (i - 1));
		while (child_start(f.child, &err) != 0) {
			assert_int_equal(err->code, ERR_BUSY);
			err_free(&err);
		}
		assert_true(clock_now(clock) - begin >= 100 << (i - 1));
	}
	/* One that proved itself begins anew. */
	child_trust(f.child);
	say(&f, "crash");
	turn_until(&f, 0, 4);
	assert_true(child_pause(f.child) <= 100);
	fini(&f);
}

static void test_giant(void **state UNUSED)
{
	struct fix f;
	init(&f);
	long pid = child_pid(f.child);
	say(&f, "giant");
	turn_until(&f, 0, 1);
	assert_int_equal(f.why, CHILD_BROKEN);
	assert_int_equal(f.frames, 0);
	assert_true(is_gone(pid));
	fini(&f);
}

static void test_not_typed(void **state UNUSED)
{
	/* By hand the word is no worker: descriptor 3 is not a socket there. */
	char *argv[] = {(char[]){"ramet"}, (char[]){WORD}, NULL};
	int saved = fcntl(3, F_DUPFD_CLOEXEC, 10);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(null >= 0 && dup2(null, 3) == 3);
	assert_int_equal(child_worker_fd(2, argv, WORD), -1);
	assert_int_equal(child_worker_fd(1, argv, WORD), -1);
	assert_int_equal(child_worker_fd(2, argv, "other"), -1);
	if (saved >= 0) {
		dup2(saved, 3);
		close(saved);
	} else {
		close(3);
	}
	if (null != 3)
		close(null);
}

int main(int argc, char **argv)
{
	int fd = child_worker_fd(argc, argv, WORD);
	if (fd >= 0)
		return worker(fd);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_not_typed),
	    cmocka_unit_test(test_echo),
	    cmocka_unit_test(test_bare),
	    cmocka_unit_test(test_deadline),
	    cmocka_unit_test(test_helpers_die),
	    cmocka_unit_test(test_losses),
	    cmocka_unit_test(test_giant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
