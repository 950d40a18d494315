/* The power goes, or a write fails, at every step that the state directory's store takes: what it
 * said to be durable is there afterwards. */
#include "journal.h"
#include "log.h"
#include "store.h"
#include "support_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUMBERS 12 /* of what chance keeps */
#define STEPS 60   /* more than there are */

typedef int (*deed)(struct store *s);

static int append(struct store *s, const char *line)
{
	return s->ops->append(s, line, NULL);
}

static int anew(struct store *s, const char *a, const char *b)
{
	struct strs l = {0};
	int rc;

	strs_add(&l, a);
	if (b)
		strs_add(&l, b);
	rc = s->ops->rewrite(s, &l, NULL);
	strs_fini(&l);
	return rc;
}

static int begins(struct store *s)
{
	return anew(s, "{\"t\":\"ramet\",\"instance\":\"first\"}", NULL);
}

static int one(struct store *s)
{
	return append(s, "{\"t\":\"intent\",\"name\":\"web-01\",\"vmid\":1204}");
}

static int two(struct store *s)
{
	return append(s, "{\"t\":\"upid\",\"name\":\"web-01\"}");
}

static int shrinks(struct store *s)
{
	return anew(s, "{\"t\":\"ramet\",\"instance\":\"first\",\"of\":\"two\"}",
	    "{\"t\":\"record\",\"name\":\"web-01\"}");
}

static int three(struct store *s)
{
	return append(s, "{\"t\":\"end\",\"name\":\"web-01\",\"why\":\"it is there\"}");
}

static int four(struct store *s)
{
	return append(s, "{\"t\":\"forget\",\"name\":\"web-01\"}");
}

static const deed deeds[] = {begins, one, two, shrinks, three, four, shrinks, one};

static void must_be_whole(struct memstore *m, const char *what, unsigned step)
{
	_cleanup_str_ char *wrong = NULL;

	memstore_set_dead(m, false);
	wrong = memstore_wrong(m);
	if (wrong)
		fail_msg("%s at step %u: %s", what, step, wrong);
	/* And it can be written on. */
	assert_int_equal(two(memstore_port(m)), 0);
	memstore_set_dead(m, false);
	wrong = memstore_wrong(m);
	if (wrong)
		fail_msg("%s at step %u, later: %s", what, step, wrong);
}

/* The power goes at that step of it all. */
static bool cut(unsigned step, enum disk_keeps keeps, uint64_t number)
{
	struct memstore *m = memstore_new();
	bool off = false;

	memstore_set_dead(m, false);
	assert_int_equal(memstore_lines(m), 0); /* makes the folder */
	disk_cut_at(memstore_disk(m), step);
	for (size_t i = 0; i < ARRAY_LEN(deeds) && !off; i++) {
		(void)deeds[i](memstore_port(m));
		off = disk_is_off(memstore_disk(m));
	}
	memstore_power(m, keeps, number);
	must_be_whole(m, "without power", step);
	memstore_free(&m);
	return off;
}

static void test_power_goes_anywhere(void **state)
{
	unsigned step = 1;

	(void)state;
	for (enum disk_keeps k = 0; k < DISK_KEEPS__MAX; k++)
		for (step = 1; cut(step, k, 0); step++)
			for (uint64_t n = 1; k == DISK_CHANCE && n < NUMBERS; n++)
				(void)cut(step, k, n);
	assert_in_range(step, 25, STEPS);
}

/* That step fails, the process goes on, and at the end the power goes. */
static void test_a_step_fails(void **state)
{
	(void)state;
	for (unsigned step = 1; step < STEPS; step++)
		for (enum disk_keeps k = 0; k < DISK_KEEPS__MAX; k++) {
			struct memstore *m = memstore_new();

			memstore_set_dead(m, false);
			assert_int_equal(memstore_lines(m), 0);
			disk_fail_at(memstore_disk(m), step);
			for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
				(void)deeds[i](memstore_port(m));
			memstore_power(m, k, step);
			must_be_whole(m, "after a failure", step);
			memstore_free(&m);
		}
}

/* The same, and the process dies while the power stays. */
static void test_a_step_fails_and_it_dies(void **state)
{
	(void)state;
	for (unsigned step = 1; step < STEPS; step++) {
		struct memstore *m = memstore_new();

		memstore_set_dead(m, false);
		assert_int_equal(memstore_lines(m), 0);
		disk_fail_at(memstore_disk(m), step);
		for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
			(void)deeds[i](memstore_port(m));
		must_be_whole(m, "killed after a failure", step);
		memstore_free(&m);
	}
}

/* No file was ever written anew: the first line makes it. */
static void test_the_first_line_makes_the_file(void **state)
{
	(void)state;
	for (unsigned step = 1; step < 8; step++) {
		struct memstore *m = memstore_new();

		memstore_set_dead(m, false);
		assert_int_equal(memstore_lines(m), 0);
		disk_fail_at(memstore_disk(m), step);
		(void)one(memstore_port(m));
		(void)two(memstore_port(m));
		(void)three(memstore_port(m));
		memstore_power(m, DISK_NOTHING, 0);
		must_be_whole(m, "after a failure", step);
		memstore_free(&m);
	}
}

/* A state directory that was made just now does not vanish with what was said to be in it. */
static void test_a_new_folder_stays(void **state)
{
	struct disk *d = disk_new();
	_cleanup_str_ char *dir = mem_printf("%s/var/lib/ramet", disk_root(d));
	struct store *s = NULL;
	struct strs l = {0};

	(void)state;
	assert_int_equal(store_open(dir, &s, NULL), 0);
	assert_int_equal(one(s), 0);
	store_close(&s);
	disk_power(d, DISK_NOTHING, 0);
	assert_int_equal(store_open(dir, &s, NULL), 0);
	assert_int_equal(s->ops->load(s, &l, NULL), 0);
	assert_int_equal(l.n, 1);
	strs_fini(&l);
	store_close(&s);
	disk_free(&d);
}

static void test_words_of_people(void **state)
{
	struct disk *d = disk_new();
	_cleanup_str_ char *dir = mem_printf("%s/ramet", disk_root(d)), *word = NULL;
	struct store *s = NULL;

	(void)state;
	assert_int_equal(store_open(dir, &s, NULL), 0);
	assert_int_equal(store_leave_word(dir, "web-01", "1204 uuid", NULL), 0);
	store_close(&s);
	disk_power(d, DISK_NOTHING, 0);
	assert_int_equal(store_open(dir, &s, NULL), 0);
	word = s->ops->word(s, "web-01");
	assert_string_equal(word, "1204 uuid");
	s->ops->drop_word(s, "web-01");
	store_close(&s);
	disk_power(d, DISK_NOTHING, 0);
	assert_int_equal(store_open(dir, &s, NULL), 0);
	assert_null(s->ops->word(s, "web-01"));
	store_close(&s);
	disk_free(&d);
}

/* The word by which instances know each other is on the disk before anybody hears it, and what is
 * on record of a VM is what was on record. */
static void test_who_it_is_and_what_it_has(void **state)
{
	struct memstore *m = memstore_new();
	struct journal *j = NULL;
	struct record rec = {.vmid = 1204, .uuid = mem_strdup("0f3c"), .proven = true};
	struct departure d = {.vmid = 1204, .deleting = true, .wall_ms = 5};
	_cleanup_str_ char *instance = NULL;

	(void)state;
	memstore_set_dead(m, false);
	assert_int_equal(journal_open(memstore_port(m), "homelab", false, &j, NULL), 0);
	instance = mem_strdup(journal_instance(j));
	assert_int_equal(journal_record(j, "web-01", &rec, NULL), 0);
	assert_int_equal(journal_depart(j, "web-01", &d, NULL), 0);
	journal_free(&j);
	for (enum disk_keeps k = 0; k < DISK_KEEPS__MAX; k++) {
		memstore_power(m, k, k);
		memstore_set_dead(m, false);
		assert_int_equal(journal_open(memstore_port(m), "homelab", false, &j, NULL), 0);
		assert_string_equal(journal_instance(j), instance);
		assert_int_equal(journal_find(j, "web-01")->vmid, 1204);
		assert_true(journal_departure(j, "web-01")->deleting);
		journal_free(&j);
	}
	record_fini(&rec);
	memstore_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_power_goes_anywhere),
	    cmocka_unit_test(test_a_step_fails),
	    cmocka_unit_test(test_a_step_fails_and_it_dies),
	    cmocka_unit_test(test_the_first_line_makes_the_file),
	    cmocka_unit_test(test_a_new_folder_stays),
	    cmocka_unit_test(test_words_of_people),
	    cmocka_unit_test(test_who_it_is_and_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
