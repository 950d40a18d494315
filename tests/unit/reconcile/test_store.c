/* The journal's file and the report's directory. */
#include "outdir.h"
#include "store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char dir[64];
	char *journal;
};

static int setup(void **state)
{
	struct place *p = mem_alloc(sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/ramet-store-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	p->journal = mem_printf("%s/journal", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	_cleanup_str_ char *cmd = mem_printf("rm -rf '%s'", p->dir);
	int rc = system(cmd);

	free(p->journal);
	free(p);
	return rc;
}

static struct store *must_open(const char *dir)
{
	struct err *e = NULL;
	struct store *s = NULL;

	if (store_open(dir, &s, &e) < 0)
		fail_msg("%s", err_msg(e));
	return s;
}

static void assert_lines(struct store *s, const char *want)
{
	struct strs l = {0};
	_cleanup_str_ char *have = NULL;

	assert_int_equal(s->ops->load(s, &l, NULL), 0);
	have = strs_join(&l, "|");
	assert_string_equal(have, want);
	strs_fini(&l);
}

static void test_lines_come_back(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->dir);

	assert_lines(s, "");
	assert_int_equal(s->ops->append(s, "one", NULL), 0);
	assert_int_equal(s->ops->append(s, "two", NULL), 0);
	store_close(&s);
	assert_null(s);
	s = must_open(p->dir);
	assert_lines(s, "one|two");
	store_close(&s);
}

static void test_torn_tail_is_left_out(void **state)
{
	struct place *p = *state;
	struct store *s;
	FILE *f = fopen(p->journal, "w");

	assert_non_null(f);
	fputs("one\ntwo\n{\"half", f);
	fclose(f);
	s = must_open(p->dir);
	assert_lines(s, "one|two");
	/* The next line does not grow together with the torn one. */
	assert_int_equal(s->ops->append(s, "three", NULL), 0);
	assert_lines(s, "one|two|{\"half|three");
	store_close(&s);
}

static void test_rewrite_replaces_all(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->dir);
	struct strs l = {0};

	assert_int_equal(s->ops->append(s, "old", NULL), 0);
	strs_add(&l, "new");
	assert_int_equal(s->ops->rewrite(s, &l, NULL), 0);
	assert_int_equal(s->ops->append(s, "more", NULL), 0);
	assert_lines(s, "new|more");
	strs_fini(&l);
	store_close(&s);
}

/* Removed while it is open: what would be written then would stand alone, or nowhere. */
static void test_removed_journal(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->dir);
	struct strs all = {0};

	assert_int_equal(s->ops->append(s, "one", NULL), 0);
	assert_int_equal(unlink(p->journal), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(s->ops->append(s, "two", NULL), -1);
	assert_int_equal(access(p->journal, F_OK), -1);
	strs_add(&all, "one");
	assert_int_equal(s->ops->rewrite(s, &all, NULL), 0);
	assert_int_equal(s->ops->append(s, "two", NULL), 0);
	assert_lines(s, "one|two");
	/* The same between a rewrite and the next line. */
	assert_int_equal(s->ops->rewrite(s, &all, NULL), 0);
	assert_int_equal(unlink(p->journal), 0);
	assert_int_equal(s->ops->append(s, "two", NULL), -1);
	strs_fini(&all);
	store_close(&s);
}

static void test_second_process_is_told(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->dir), *second = NULL;
	_cleanup_err_ struct err *e = NULL;

	assert_int_equal(store_open(p->dir, &second, &e), -1);
	assert_int_equal(e->code, ERR_BUSY);
	assert_non_null(strstr(e->msg, "another ramet runs with the state directory"));
	assert_non_null(e->hint);
	assert_null(second);
	store_close(&s);
	s = must_open(p->dir); /* free again */
	store_close(&s);
}

static void test_missing_directories_are_made(void **state)
{
	struct place *p = *state;
	_cleanup_str_ char *deep = mem_printf("%s/a/b", p->dir);
	struct store *s = must_open(deep);

	assert_int_equal(s->ops->append(s, "x", NULL), 0);
	store_close(&s);
}

static void test_outdir(void **state)
{
	struct place *p = *state;
	_cleanup_str_ char *dir = mem_printf("%s/out", p->dir), *data = NULL, *have = NULL;
	struct outdir *o = NULL;
	struct strs l = {0};
	size_t len = 0;

	assert_int_equal(outdir_open(dir, true, &o, NULL), 0);
	assert_int_equal(o->ops->write(o, "STATUS.md", "a", 1, NULL), 0);
	assert_int_equal(o->ops->write(o, "vms/web.yaml", "bc", 2, NULL), 0);
	assert_int_equal(o->ops->list(o, &l, NULL), 0);
	have = strs_join(&l, "|");
	assert_string_equal(have, "STATUS.md|vms/web.yaml");
	assert_int_equal(o->ops->read(o, "vms/web.yaml", &data, &len, NULL), 0);
	assert_int_equal(len, 2);
	assert_string_equal(data, "bc");
	assert_int_equal(o->ops->remove(o, "vms/web.yaml", NULL), 0);
	assert_int_equal(o->ops->remove(o, "vms/web.yaml", NULL), 0);
	assert_int_equal(o->ops->write(o, "../evil", "x", 1, NULL), -1);
	assert_int_equal(o->ops->write(o, "/evil", "x", 1, NULL), -1);
	assert_int_equal(o->ops->write(o, "a//b", "x", 1, NULL), -1);
	strs_fini(&l);
	outdir_close(&o);
}

/* Whoever else may write into the report leads us nowhere with a link. */
static void test_outdir_links(void **state)
{
	struct place *p = *state;
	_cleanup_str_ char *dir = mem_printf("%s/out", p->dir), *away = mem_printf("%s/x", p->dir);
	_cleanup_str_ char *vms = mem_printf("%s/vms", dir), *page = mem_printf("%s/DRIFT.md", dir);
	_cleanup_str_ char *lost = mem_printf("%s/web.yaml", away), *data = NULL;
	struct outdir *o = NULL;
	size_t len;

	assert_int_equal(outdir_open(dir, true, &o, NULL), 0);
	assert_int_equal(mkdir(away, 0700), 0);
	assert_int_equal(symlink(away, vms), 0);
	assert_int_equal(o->ops->write(o, "vms/web.yaml", "bc", 2, NULL), -1);
	assert_int_equal(access(lost, F_OK), -1);
	assert_int_equal(close(open(lost, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(o->ops->read(o, "vms/web.yaml", &data, &len, NULL), -1);
	assert_int_equal(o->ops->remove(o, "vms/web.yaml", NULL), -1);
	assert_int_equal(access(lost, F_OK), 0);
	assert_int_equal(symlink(lost, page), 0);
	assert_int_equal(o->ops->read(o, "DRIFT.md", &data, &len, NULL), -1);
	/* What is written takes the place of a link. */
	assert_int_equal(o->ops->write(o, "DRIFT.md", "a", 1, NULL), 0);
	assert_int_equal(o->ops->read(o, "DRIFT.md", &data, &len, NULL), 0);
	assert_string_equal(data, "a");
	outdir_close(&o);
}

#define RACERS 8
#define ROUNDS 40
#define LOST 0x80000000u

static unsigned count_leases(const char *dir)
{
	_cleanup_str_ char *cmd = mem_printf("ls -A '%s' | grep -c '^.lease'", dir);
	FILE *f = popen(cmd, "r");
	unsigned n = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1); /* NOLINT(cert-err34-c) */
	pclose(f);
	return n;
}

/* A process of its own that claims when it is told to; says whether it got it. */
static void race(const char *dir, unsigned number, const int go[2], int said)
{
	struct outdir *o = NULL;
	_cleanup_str_ char *own = mem_printf("racer-%u", number), *who = NULL;
	char byte;

	close(go[1]);
	if (outdir_open(dir, true, &o, NULL) < 0 || read(go[0], &byte, 1) != 0 ||
	    o->ops->claim(o, own, &who, NULL) < 0)
		_exit(1);
	if (!text_eq(who, own))
		number |= LOST;
	_exit(write(said, &number, sizeof(number)) == sizeof(number) ? 0 : 1);
}

/* Several at the same moment: whoever has it in the end was told so, and whoever was told that he
 * did not get it never has it. */
static void test_lease_race(void **state)
{
	struct place *p = *state;
	unsigned told[RACERS];

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct outdir *o = NULL;
		_cleanup_str_ char *holder = NULL;
		unsigned won = 0;
		int go[2], said[2];

		assert_int_equal(pipe(go), 0);
		assert_int_equal(pipe(said), 0);
		for (unsigned i = 0; i < RACERS; i++)
			if (fork() == 0)
				race(p->dir, round * RACERS + i, go, said[1]);
		close(go[0]);
		close(go[1]); /* now */
		for (unsigned i = 0; i < RACERS; i++) {
			int status;

			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
		}
		assert_int_equal(read(said[0], told, sizeof(told)), sizeof(told));
		assert_int_equal(outdir_open(p->dir, true, &o, NULL), 0);
		holder = o->ops->holder(o);
		for (unsigned i = 0; i < RACERS; i++) {
			_cleanup_str_ char *name = mem_printf("racer-%u", told[i] & ~LOST);

			won += !(told[i] & LOST);
			if (text_eq(holder, name))
				assert_false(told[i] & LOST);
		}
		assert_true(won >= 1);
		assert_true(text_starts(holder, "racer-"));
		assert_int_equal(count_leases(p->dir), 1);
		outdir_close(&o);
		close(said[0]);
		close(said[1]);
	}
}

static char *claim_by(struct outdir *o, const char *who)
{
	char *holder = NULL;

	assert_int_equal(o->ops->claim(o, who, &holder, NULL), 0);
	return holder;
}

/* The newest has it; started again it has it still; whoever was replaced sees it. */
static void test_lease(void **state)
{
	struct place *p = *state;
	struct outdir *o = NULL;
	_cleanup_str_ char *a = NULL, *again = NULL, *b = NULL, *seen = NULL;

	assert_int_equal(outdir_open(p->dir, true, &o, NULL), 0);
	assert_null(o->ops->holder(o));
	a = claim_by(o, "a");
	again = claim_by(o, "a");
	assert_string_equal(a, "a");
	assert_string_equal(again, "a");
	b = claim_by(o, "b");
	assert_string_equal(b, "b");
	seen = o->ops->holder(o);
	assert_string_equal(seen, "b");
	assert_int_equal(count_leases(p->dir), 1);
	outdir_close(&o);
}

static void words_of_people(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->dir);
	_cleanup_strs_ struct strs none = {0}, some = {0}, again = {0};

	s->ops->words(s, &none);
	assert_int_equal(none.n, 0);
	assert_null(s->ops->word(s, "web-01"));
	assert_int_equal(store_leave_word(p->dir, "web-01", "1204 uuid", NULL), 0);
	assert_int_equal(s->ops->append(s, "no word", NULL), 0);
	s->ops->words(s, &some);
	assert_int_equal(some.n, 1);
	assert_string_equal(some.v[0], "web-01");
	s->ops->words(s, &again);
	assert_int_equal(again.n, 1);
	_cleanup_str_ char *word = s->ops->word(s, "web-01");
	assert_string_equal(word, "1204 uuid");
	assert_null(s->ops->word(s, "web-02"));
	assert_null(s->ops->word(s, "../web-01"));
	s->ops->drop_word(s, "web-01");
	assert_null(s->ops->word(s, "web-01"));
	strs_fini(&again);
	s->ops->words(s, &again);
	assert_int_equal(again.n, 0);
	s->ops->drop_word(s, "web-01");
	store_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lease_race, setup, teardown),
	    cmocka_unit_test_setup_teardown(words_of_people, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lines_come_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_torn_tail_is_left_out, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_rewrite_replaces_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_removed_journal, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_second_process_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_missing_directories_are_made, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_outdir, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_outdir_links, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
