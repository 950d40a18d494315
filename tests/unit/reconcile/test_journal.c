/* Intents and records, replayed. */
#include "journal.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct lines {
	struct store base;
	struct strs l;
	bool broken;
	unsigned writes, rewrites;
};

static int line_append(struct store *s, const char *line, struct err **err)
{
	struct lines *m = (struct lines *)s;

	if (m->broken)
		return err_set(err, ERR_IO, "the disk is full");
	m->writes++;
	strs_add(&m->l, line);
	return 0;
}

static int line_load(struct store *s, struct strs *ret, struct err **err)
{
	(void)err;
	strs_copy(ret, &((struct lines *)s)->l);
	return 0;
}

static int line_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	struct lines *m = (struct lines *)s;

	if (m->broken)
		return err_set(err, ERR_IO, "the disk is full");
	m->writes++;
	m->rewrites++;
	strs_fini(&m->l);
	strs_copy(&m->l, lines);
	return 0;
}

static const struct store_ops line_ops = {
    .append = line_append, .load = line_load, .rewrite = line_rewrite};

static struct journal *must_open(struct lines *m)
{
	_cleanup_err_ struct err *e = NULL;
	struct journal *j = NULL;

	m->base.ops = &line_ops;
	if (journal_open(&m->base, "homelab", false, &j, &e) < 0)
		fail_msg("%s", err_msg(e));
	return j;
}

static const struct intent web_intent = {.vmid = 1204,
    .nonce = (char *)"00112233aabbccdd",
    .source = 9000,
    .source_uuid = (char *)"u-9000",
    .source_node = (char *)"pve1",
    .target_node = (char *)"",
    .tries = 1,
    .wall_ms = 17,
    .restored = true};

static void test_intent_survives(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	const struct intent *in;

	(void)state;
	assert_false(journal_is_scanned(j));
	assert_int_equal(journal_set_scanned(j, true, NULL), 0);
	assert_null(journal_intent(j, "web-01"));
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), 0);
	assert_int_equal(journal_upid(j, "web-01", "UPID:x", NULL), 0);
	journal_free(&j);
	j = must_open(&m);
	assert_true(journal_is_scanned(j));
	/* another instance acted meanwhile: as if it had never been */
	assert_int_equal(journal_set_scanned(j, false, NULL), 0);
	assert_false(journal_is_scanned(j));
	journal_free(&j);
	j = must_open(&m);
	assert_false(journal_is_scanned(j));
	in = journal_intent(j, "web-01");
	assert_non_null(in);
	assert_int_equal(in->vmid, 1204);
	assert_string_equal(in->nonce, "00112233aabbccdd");
	assert_string_equal(in->source_node, "pve1");
	assert_string_equal(in->upid, "UPID:x");
	assert_int_equal(in->wall_ms, 17);
	assert_true(in->restored);
	assert_string_equal(journal_holder(j, 1204), "web-01");
	assert_true(journal_is_used(j, 1204));
	journal_free(&j);
	strs_fini(&m.l);
}

static void test_end_closes_and_keeps_the_record(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct record rec = {.vmid = 1204, .uuid = (char *)"u-1204", .proven = true, .whole = true};

	(void)state;
	kv_set(&rec.macs, "net0", "AA:BB");
	kv_set(&rec.loose, "fast", "scsi0");
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), 0);
	assert_int_equal(journal_end(j, "web-01", &rec, NULL), 0);
	assert_null(journal_intent(j, "web-01"));
	journal_free(&j);
	j = must_open(&m);
	assert_null(journal_intent(j, "web-01"));
	assert_non_null(journal_find(j, "web-01"));
	assert_true(record_eq(journal_find(j, "web-01"), &rec));
	/* The number stays used when the record is forgotten. */
	assert_int_equal(journal_forget(j, "web-01", NULL), 0);
	assert_null(journal_name(j, 0));
	assert_true(journal_is_used(j, 1204));
	journal_free(&j);
	kv_fini(&rec.loose);
	kv_fini(&rec.macs);
	strs_fini(&m.l);
}

static void test_given_up_number(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);

	(void)state;
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), 0);
	assert_int_equal(journal_end(j, "web-01", NULL, NULL), 0);
	journal_free(&j);
	j = must_open(&m);
	assert_null(journal_intent(j, "web-01"));
	assert_null(journal_find(j, "web-01"));
	assert_true(journal_is_used(j, 1204));
	assert_false(journal_is_used(j, 1205));
	journal_free(&j);
	strs_fini(&m.l);
}

static void falls(struct journal *j, uint32_t vmid, int64_t wall_ms)
{
	struct record rec = {.vmid = vmid};
	struct departure d = {.vmid = vmid, .deleting = true, .wall_ms = wall_ms};

	assert_int_equal(journal_record(j, "web-01", &rec, NULL), 0);
	assert_int_equal(journal_depart(j, "web-01", &d, NULL), 0);
	d.wall_ms += 60000; /* the call is tried again: still the same end */
	assert_int_equal(journal_depart(j, "web-01", &d, NULL), 0);
	assert_int_equal(journal_forget(j, "web-01", NULL), 0);
}

/* Two VMs of one name that had one number after the other are two ends, however often the journal
 * is read again and the report tells of them. */
static void test_two_ends(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	const struct fallen *f;

	(void)state;
	falls(j, 1204, 1000500);
	assert_int_equal(journal_fallen(j, &f), 1);
	assert_false(f[0].past);
	falls(j, 1204, 9000500);
	for (int life = 0; life < 3; life++) {
		assert_int_equal(journal_fallen(j, &f), 2);
		assert_int_equal(f[0].wall_ms, 1000500);
		assert_true(f[0].past);
		assert_int_equal(f[1].wall_ms, 9000500);
		assert_false(f[1].past);
		/* Whole seconds, as the report has them. */
		assert_int_equal(journal_add_fallen(j, "web-01", 1204, 1000000, NULL), 0);
		assert_int_equal(journal_add_fallen(j, "web-01", 1204, 9000000, NULL), 0);
		journal_free(&j);
		j = must_open(&m);
	}
	journal_free(&j);
	strs_fini(&m.l);
}

static int64_t date_of(struct journal *j, const char *boot, int64_t now_ms, int64_t wall_ms)
{
	const struct fallen *f;

	journal_set_boot(j, boot);
	journal_date(j, now_ms, wall_ms);
	assert_int_equal(journal_fallen(j, &f), 1);
	return f[0].at_ms;
}

#define AT 1790000000000
#define HOUR 3600000

/* When a VM fell is known to a later life on the same machine whatever its clock was set to; of an
 * earlier start of the machine only that it was before it. Whatever is in doubt is later. */
static void test_dating(void **state)
{
	static const struct {
		const char *boot;
		int64_t now, wall, at;
	} rows[] = {
	    {"one", 5000 + HOUR, AT + HOUR, 5000},
	    {"one", 5000 + HOUR, AT + 50 * HOUR, 5000}, /* the clock was set forward */
	    {"one", 5000 + HOUR, AT - 50 * HOUR, 5000}, /* and back */
	    {"two", 60000, AT + 50 * HOUR, 0},		/* not longer ago than the start */
	    {"two", 60000, AT + 20000, 40000},
	    {"two", 60000, AT - HOUR, 60000}, /* in the future is now */
	    {NULL, 2 * HOUR, AT + HOUR, HOUR},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int lives = 1; lives < 4; lives++) {
			struct lines m = {0};
			struct journal *j = must_open(&m);
			struct record rec = {.vmid = 1204};
			struct departure d = {.vmid = 1204,
			    .deleting = true,
			    .wall_ms = AT - 90 * (int64_t)HOUR,
			    .now_ms = 1000};

			journal_set_boot(j, "one");
			assert_int_equal(journal_record(j, "web-01", &rec, NULL), 0);
			assert_int_equal(journal_depart(j, "web-01", &d, NULL), 0);
			assert_int_equal(journal_stay(j, "web-01", NULL), 0);
			/* Asked for again much later: that is when it fell. */
			d.wall_ms = AT;
			d.now_ms = 5000;
			assert_int_equal(journal_depart(j, "web-01", &d, NULL), 0);
			assert_int_equal(date_of(j, "one", 6000, AT + 1000), 5000);
			for (int k = 0; k < lives; k++) {
				journal_free(&j);
				j = must_open(&m);
			}
			assert_int_equal(
			    date_of(j, rows[i].boot, rows[i].now, rows[i].wall), rows[i].at);
			journal_free(&j);
			strs_fini(&m.l);
		}
	}
}

static void test_equal_record_writes_nothing(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct record rec = {.vmid = 1204};
	size_t n;

	(void)state;
	assert_int_equal(journal_record(j, "web-01", &rec, NULL), 0);
	n = m.l.n;
	assert_int_equal(journal_record(j, "web-01", &rec, NULL), 0);
	assert_int_equal(m.l.n, n);
	journal_free(&j);
	strs_fini(&m.l);
}

static void test_failed_write_changes_nothing(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	_cleanup_err_ struct err *e = NULL;

	(void)state;
	m.broken = true;
	assert_int_equal(journal_begin(j, "web-01", &web_intent, &e), -1);
	assert_int_equal(e->code, ERR_IO);
	assert_null(journal_intent(j, "web-01"));
	assert_false(journal_is_used(j, 1204));
	journal_free(&j);
	strs_fini(&m.l);
}

static void test_gathered_changes_are_one_write(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	unsigned before = m.writes;

	(void)state;
	journal_gather(j);
	for (uint32_t i = 0; i < 1000; i++) {
		char name[16];
		struct record rec = {.vmid = 2000 + i, .uuid = (char *)"u", .proven = true};

		snprintf(name, sizeof(name), "vm-%u", i);
		assert_int_equal(journal_record(j, name, &rec, NULL), 0);
		assert_int_equal(journal_use(j, 4000 + i, NULL), 0);
	}
	assert_int_equal(m.writes, before);
	assert_int_equal(journal_settle(j, NULL), 0);
	assert_int_equal(m.writes, before + 1);
	journal_free(&j);
	j = must_open(&m);
	assert_int_equal(journal_find(j, "vm-999")->vmid, 2999);
	assert_true(journal_is_used(j, 4999));
	journal_free(&j);
	strs_fini(&m.l);
}

/* A merge of one file among ten thousand does not write ten thousand records. */
static void test_few_gathered_changes_are_added(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct record rec = {.vmid = 2000, .uuid = (char *)"u", .proven = true};
	unsigned before = m.writes, rewrites = m.rewrites;

	(void)state;
	journal_gather(j);
	assert_int_equal(journal_record(j, "db-01", &rec, NULL), 0);
	assert_int_equal(journal_use(j, 4000, NULL), 0);
	assert_int_equal(m.writes, before);
	assert_int_equal(journal_settle(j, NULL), 0);
	assert_int_equal(m.writes, before + 2);
	assert_int_equal(m.rewrites, rewrites);
	/* And not once more. */
	assert_int_equal(journal_settle(j, NULL), 0);
	assert_int_equal(m.writes, before + 2);
	journal_free(&j);
	j = must_open(&m);
	assert_int_equal(journal_find(j, "db-01")->vmid, 2000);
	assert_true(journal_is_used(j, 4000));
	journal_free(&j);
	strs_fini(&m.l);
}

/* What was gathered is not on disk: an intent must not get there before it. */
static void test_failed_settling_holds_up_what_follows(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct record rec = {.vmid = 2000, .uuid = (char *)"u", .proven = true};

	(void)state;
	journal_gather(j);
	assert_int_equal(journal_record(j, "db-01", &rec, NULL), 0);
	m.broken = true;
	assert_int_equal(journal_settle(j, NULL), -1);
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), -1);
	assert_null(journal_intent(j, "web-01"));
	m.broken = false;
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), 0);
	journal_free(&j);
	j = must_open(&m);
	assert_int_equal(journal_find(j, "db-01")->vmid, 2000);
	assert_int_equal(journal_intent(j, "web-01")->vmid, 1204);
	journal_free(&j);
	strs_fini(&m.l);
}

static void test_other_controller_is_refused(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m), *other = NULL;
	_cleanup_err_ struct err *e = NULL;

	(void)state;
	journal_free(&j);
	assert_int_equal(journal_open(&m.base, "office", false, &other, &e), -1);
	assert_int_equal(e->code, ERR_CONFIG);
	assert_non_null(strstr(e->msg, "homelab"));
	strs_fini(&m.l);
}

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

static void test_nonsense_is_left_out(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);

	(void)state;
	log_set_sink(drop_log, NULL);
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), 0);
	journal_free(&j);
	strs_add(&m.l, "{\"t\":\"intent\",\"name\":\"bad\",\"vmid\":1}");
	strs_add(&m.l, "{\"t\":\"record\",\"name\":\"bad\",\"vmid\":99999999999}");
	strs_add(&m.l, "not json at all");
	strs_add(&m.l, "[]");
	j = must_open(&m);
	assert_non_null(journal_intent(j, "web-01"));
	assert_null(journal_intent(j, "bad"));
	assert_null(journal_find(j, "bad"));
	journal_free(&j);
	log_set_sink(NULL, NULL);
	strs_fini(&m.l);
}

static void test_instance_stays(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	_cleanup_str_ char *first = mem_strdup(journal_instance(j));

	(void)state;
	assert_int_equal(strlen(first), 16);
	journal_free(&j);
	j = must_open(&m);
	assert_string_equal(journal_instance(j), first);
	journal_free(&j);
	strs_fini(&m.l);
}

static void test_compaction_keeps_everything(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct record rec = {.vmid = 1204};

	(void)state;
	assert_int_equal(journal_begin(j, "web-01", &web_intent, NULL), 0);
	for (unsigned i = 0; i < 5000; i++) {
		_cleanup_str_ char *rev = mem_printf("%u", i);

		rec.synced_rev = rev;
		assert_int_equal(journal_record(j, "db-01", &rec, NULL), 0);
		rec.synced_rev = NULL;
	}
	assert_in_range(m.l.n, 4, 2100);
	journal_free(&j);
	j = must_open(&m);
	assert_non_null(journal_intent(j, "web-01"));
	assert_string_equal(journal_find(j, "db-01")->synced_rev, "4999");
	journal_free(&j);
	strs_fini(&m.l);
}

/* A step stands there with its task until it has ended, over compaction and a new start. */
static void test_step(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct doing d = {.vmid = 1204,
	    .text = (char *)"move scsi0",
	    .boot = 1700000000,
	    .wall_ms = 1700000100000};

	(void)state;
	assert_null(journal_doing(j, "web-01"));
	assert_int_equal(journal_step(j, "web-01", &d, NULL), 0);
	assert_int_equal(journal_step_upid(j, "web-01", "UPID:x", NULL), 0);
	journal_free(&j);
	j = must_open(&m);
	journal_free(&j);
	j = must_open(&m);
	assert_int_equal(journal_doing(j, "web-01")->vmid, 1204);
	assert_string_equal(journal_doing(j, "web-01")->text, "move scsi0");
	assert_int_equal(journal_doing(j, "web-01")->boot, 1700000000);
	assert_int_equal(journal_doing(j, "web-01")->wall_ms, 1700000100000);
	assert_string_equal(journal_doing(j, "web-01")->upid, "UPID:x");
	assert_int_equal(journal_step_end(j, "web-01", NULL), 0);
	assert_null(journal_doing(j, "web-01"));
	journal_free(&j);
	j = must_open(&m);
	assert_null(journal_doing(j, "web-01"));
	journal_free(&j);
	strs_fini(&m.l);
}

/* What could not be written is told until it can be, and then stands there. */
static void test_problem(void **state)
{
	struct lines m = {0};
	struct journal *j = must_open(&m);
	struct doing d = {.vmid = 1204, .text = (char *)"move scsi0"};

	(void)state;
	assert_null(journal_problem(j));
	m.broken = true;
	assert_int_equal(journal_step(j, "web-01", &d, NULL), -1);
	assert_null(journal_doing(j, "web-01"));
	assert_string_equal(journal_problem(j), "the disk is full");
	assert_false(journal_try(j));
	m.broken = false;
	assert_true(journal_try(j));
	assert_null(journal_problem(j));
	journal_free(&j);
	strs_fini(&m.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_intent_survives),
	    cmocka_unit_test(test_end_closes_and_keeps_the_record),
	    cmocka_unit_test(test_given_up_number),
	    cmocka_unit_test(test_two_ends),
	    cmocka_unit_test(test_dating),
	    cmocka_unit_test(test_equal_record_writes_nothing),
	    cmocka_unit_test(test_failed_write_changes_nothing),
	    cmocka_unit_test(test_gathered_changes_are_one_write),
	    cmocka_unit_test(test_few_gathered_changes_are_added),
	    cmocka_unit_test(test_failed_settling_holds_up_what_follows),
	    cmocka_unit_test(test_other_controller_is_refused),
	    cmocka_unit_test(test_nonsense_is_left_out),
	    cmocka_unit_test(test_instance_stays),
	    cmocka_unit_test(test_compaction_keeps_everything),
	    cmocka_unit_test(test_step),
	    cmocka_unit_test(test_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
