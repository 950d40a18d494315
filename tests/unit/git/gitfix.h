/*
 * gitfix: what the tests of the git layer share: a folder of their own, real repositories made with
 * the git program, a real server, and a port whose results are kept for looking at.
 */
#ifndef RAMET_GITFIX_H
#define RAMET_GITFIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "gitwork.h"
#include "gitworker.h"
#include "loop.h"
#include "text.h"

/* First line of main: the port runs this very program as its worker. */
#define FIX_BE_WORKER(argc, argv)                                              \
	do {                                                                   \
		int fix_fd_ = child_worker_fd((argc), (argv), GITWORKER_WORD); \
		if (fix_fd_ >= 0)                                              \
			return gitworker_main(fix_fd_);                        \
	} while (0)

/* The whole main: `run` takes the tests and gives the exit status. */
#define FIX_MAIN(run, ...)                                       \
	int main(int argc, char **argv)                          \
	{                                                        \
		FIX_BE_WORKER(argc, argv);                       \
		const struct CMUnitTest tests[] = {__VA_ARGS__}; \
		return run(tests, ARRAY_LEN(tests));             \
	}

UNUSED static char fix_dir[64];

/* Runs a shell script in the test's folder and gives what it printed, without the last line end. */
UNUSED PRINTF(1, 2) static char *fix_sh(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *script = mem_vprintf(fmt, ap);
	va_end(ap);
	char *all = mem_printf("set -e; cd %s\n%s", fix_dir, script);
	setenv("FIX_SCRIPT", all, 1);
	FILE *p = popen("exec bash -c \"$FIX_SCRIPT\"", "r");
	assert_non_null(p);
	struct buf out;
	buf_init(&out, 0);
	char chunk[4096];
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), p)) > 0;)
		buf_add(&out, chunk, n);
	int status = pclose(p);
	if (status != 0)
		fail_msg("script failed (%d): %s", status, script);
	free(all);
	free(script);
	char *s = buf_take(&out);
	if (!s)
		s = mem_strdup("");
	text_trim_right(s);
	return s;
}

UNUSED PRINTF(1, 2) static void fix_run(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *script = mem_vprintf(fmt, ap);
	va_end(ap);
	char *out = fix_sh("%s", script);
	free(out);
	free(script);
}

/* A folder that goes away at the end, and an environment in which git and TLS depend on nothing of
 * the machine's. */
UNUSED static void fix_begin(void)
{
	static const char *const gone[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
	    "GIT_SSL_CAINFO", "GIT_DIR", "GIT_CONFIG_PARAMETERS", "http_proxy", "https_proxy",
	    "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		unsetenv(gone[i]);
	strcpy(fix_dir, "/tmp/ramet-git-XXXXXX");
	if (!mkdtemp(fix_dir))
		abort();
	setenv("HOME", fix_dir, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	fix_run("git config --global user.name Dora; git config --global user.email d@example.org\n"
		"git config --global init.defaultBranch main; "
		"git config --global advice.detachedHead false");
}

UNUSED static void fix_end(void)
{
	char *cmd = mem_printf("rm -rf %s", fix_dir);
	if (system(cmd) != 0)
		abort();
	free(cmd);
}

/* For tests that need nothing but the folder. */
UNUSED static int fix_run_tests(const struct CMUnitTest *tests, size_t n)
{
	fix_begin();
	int failed = _cmocka_run_group_tests("git", tests, n, NULL, NULL);
	fix_end();
	return failed;
}

/* --- a port and its last result --- */

struct got_file {
	char *path, *data, *oid, *skipped;
	size_t len;
};

struct fix {
	struct loop *loop;
	struct gitwork *work;
	struct gitport *port;
	struct gitwork_opts opts;
	char *state;
	/* the last result */
	unsigned calls;
	bool ok, empty, truncated, path_missing, gaps, rejected;
	enum err_code code;
	char *msg, *hint, *head, *status_head, *note, *rev, *base, *author, *subject, *new_head;
	int64_t commit_wall_ms, retry_ms;
	struct got_file *files;
	size_t n_files;
	struct strs gone;
};

static void fix_forget(struct fix *f)
{
	char **texts[] = {&f->msg, &f->hint, &f->head, &f->status_head, &f->note, &f->rev, &f->base,
	    &f->author, &f->subject, &f->new_head};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		mem_free_str(texts[i]);
	for (size_t i = 0; i < f->n_files; i++) {
		mem_free_str(&f->files[i].path);
		mem_free_str(&f->files[i].data);
		mem_free_str(&f->files[i].oid);
		mem_free_str(&f->files[i].skipped);
	}
	free(f->files);
	strs_fini(&f->gone);
	f->files = NULL;
	f->n_files = 0;
}

UNUSED static void fix_got(void *arg, const struct gitport_result *r)
{
	struct fix *f = arg;
	fix_forget(f);
	f->calls++;
	f->ok = !r->err;
	f->code = r->err ? r->err->code : ERR__MAX;
	f->msg = mem_strdup(r->err ? r->err->msg : NULL);
	f->hint = mem_strdup(r->err ? r->err->hint : NULL);
	f->retry_ms = r->err ? r->err->retry_ms : 0;
	f->head = mem_strdup(r->head);
	f->status_head = mem_strdup(r->status_head);
	f->note = mem_strdup(r->note);
	f->rev = mem_strdup(r->rev);
	f->base = mem_strdup(r->base);
	f->author = mem_strdup(r->author);
	f->subject = mem_strdup(r->subject);
	f->new_head = mem_strdup(r->new_head);
	f->empty = r->empty;
	f->truncated = r->truncated;
	f->path_missing = r->path_missing;
	f->gaps = r->gaps;
	f->rejected = r->rejected;
	for (size_t i = 0; i < r->n_gone; i++)
		strs_add(&f->gone, r->gone[i]);
	f->commit_wall_ms = r->commit_wall_ms;
	f->files = mem_calloc(r->n_files, sizeof(*f->files));
	f->n_files = r->n_files;
	for (size_t i = 0; i < r->n_files; i++) {
		const struct gitport_file *file = &r->files[i];
		f->files[i] = (struct got_file){
		    .path = mem_strdup(file->path),
		    .oid = mem_strdup(file->oid),
		    .skipped = mem_strdup(file->skipped),
		    .data = file->data ? mem_strndup(file->data, file->len) : NULL,
		    .len = file->len,
		};
	}
}

/* Settings first, then fix_open. */
UNUSED static void fix_init(struct fix *f, const char *url)
{
	*f = (struct fix){0};
	gitwork_defaults(&f->opts);
	f->state = mem_printf("%s/state", fix_dir);
	f->opts.setup.dir = f->state;
	f->opts.setup.url = url;
	f->opts.exe = getenv("FIX_EXE"); /* valgrind is not the program it runs */
}

UNUSED static void fix_open(struct fix *f)
{
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	struct err *err = NULL;
	if (gitwork_new(&f->work, f->loop, &f->opts, &err) != 0)
		fail_msg("%s", err_msg(err));
	f->port = gitwork_port(f->work);
}

/* Lets the worker end by itself, so that its leak check runs, and demands that it was content. */
UNUSED static void fix_close(struct fix *f)
{
	if (f->work && gitwork_pid(f->work)) {
		int status = -1;
		gitwork_finish(f->work, &status);
		while (status == -1)
			assert_int_equal(loop_turn(f->loop, NULL), 0);
		assert_int_equal(status, 0);
	}
	gitwork_free(&f->work);
	if (f->loop)
		loop_free(&f->loop);
	fix_forget(f);
	mem_free_str(&f->state);
}

/* --- whether the loop goes on meanwhile --- */

UNUSED static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct ticks {
	struct loop *loop;
	int64_t last, longest;
	timer_id timer;
	unsigned n;
};

UNUSED static void tick(void *arg)
{
	struct ticks *t = arg;
	int64_t now = now_ms();
	if (t->n++ && now - t->last > t->longest)
		t->longest = now - t->last;
	t->last = now;
	t->timer = clock_timer(loop_clock(t->loop), 5, tick, t);
}

UNUSED static void fix_nothing(void *arg UNUSED)
{
}

/* Turns until one more result has come. */
UNUSED static void fix_wait(struct fix *f)
{
	unsigned before = f->calls;
	while (f->calls == before)
		assert_int_equal(loop_turn(f->loop, NULL), 0);
}

UNUSED static void fix_list(struct fix *f)
{
	assert_true(gitport_list(f->port, fix_got, f) != 0);
	fix_wait(f);
}

UNUSED static void fix_read(struct fix *f, const char *rev)
{
	assert_true(gitport_read(f->port, rev, fix_got, f) != 0);
	fix_wait(f);
}

UNUSED static void fix_read_status(struct fix *f)
{
	assert_true(gitport_read_status(f->port, fix_got, f) != 0);
	fix_wait(f);
}

UNUSED static void fix_can_push(struct fix *f)
{
	assert_true(gitport_can_push(f->port, fix_got, f) != 0);
	fix_wait(f);
}

/* One file on the status branch. */
UNUSED static void fix_publish(
    struct fix *f, const char *parent, const char *path, const char *data)
{
	struct gitport_put put = {path, data, strlen(data)};
	struct gitport_publish pub = {
	    .parent = parent, .put = &put, .n_put = 1, .message = "status: one file\n"};
	assert_true(gitport_publish(f->port, &pub, fix_got, f) != 0);
	fix_wait(f);
}

UNUSED static void fix_ok(struct fix *f)
{
	if (!f->ok)
		fail_msg("%s: %s", err_word(f->code), f->msg);
}

UNUSED static void fix_failed(struct fix *f, enum err_code code, const char *in_msg)
{
	assert_false(f->ok);
	if (f->code != code || !strstr(f->msg, in_msg))
		fail_msg("got %s \"%s\", not %s \"…%s…\"", err_word(f->code), f->msg,
		    err_word(code), in_msg);
}

UNUSED static struct got_file *fix_file(struct fix *f, const char *path)
{
	for (size_t i = 0; i < f->n_files; i++) {
		if (strcmp(f->files[i].path, path) == 0)
			return &f->files[i];
	}
	fail_msg("no file %s", path);
	return NULL;
}

UNUSED static void fix_has(struct fix *f, const char *path, const char *data)
{
	struct got_file *file = fix_file(f, path);
	assert_null(file->skipped);
	assert_int_equal(file->len, strlen(data));
	assert_memory_equal(file->data, data, file->len);
}

UNUSED static void fix_skipped(struct fix *f, const char *path, const char *why)
{
	struct got_file *file = fix_file(f, path);
	assert_null(file->data);
	assert_non_null(file->skipped);
	if (!strstr(file->skipped, why))
		fail_msg("%s: \"%s\", not \"…%s…\"", path, file->skipped, why);
}

#endif
