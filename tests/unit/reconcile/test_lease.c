/* Of several instances the newest acts. Times are in milliseconds, the pause is 90 s. */
#include "lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOLD 90000

static void test_first_of_all(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "one", HOLD);
	assert_false(lease_may(&l, 0)); /* the report was not read yet */
	lease_begin(&l, NULL, false, 1000);
	assert_true(lease_is_taking_over(&l, 2000));
	lease_claim(&l, 3000);
	assert_true(lease_may(&l, 3000)); /* there was nobody to wait for */
	assert_false(lease_look(&l, "one"));
	assert_false(lease_look(&l, NULL));
	assert_true(lease_may(&l, 4000));
	lease_fini(&l);
}

static void test_started_again(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "one", HOLD);
	lease_begin(&l, "one", false, 1000);
	assert_true(lease_may(&l, 1000));
	assert_false(lease_is_late_possible(&l, 1000, 60000));
	assert_int_equal(lease_alone_since(&l), 0); /* there was no other one */
	lease_fini(&l);
}

/* The report was lost: another one that was announced in it may act. */
static void test_report_is_lost(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "one", HOLD);
	lease_doubt(&l); /* not before it was read */
	lease_begin(&l, "one", false, 1000);
	assert_true(lease_may(&l, 1000));
	lease_doubt(&l);
	assert_false(lease_may(&l, 2000));
	lease_claim(&l, 3000);
	assert_false(lease_may(&l, 3000 + HOLD - 1));
	assert_true(lease_may(&l, 3000 + HOLD));
	/* What it asked for may be seen later still, whoever it was. */
	assert_true(lease_is_late_possible(&l, 3000 + HOLD + 59999, 60000));
	assert_false(lease_is_late_possible(&l, 3000 + HOLD + 60000, 60000));
	/* Of two that see it the one whose report comes first goes on. */
	lease_doubt(&l);
	assert_true(lease_look(&l, "two"));
	assert_false(lease_may(&l, 1000000));
	lease_fini(&l);
	/* Whoever cannot report goes on all the same: nobody else is known, or was seen since. */
	lease_init(&l, "one", HOLD);
	lease_begin(&l, NULL, false, 1000);
	lease_doubt(&l);
	assert_false(lease_may(&l, 2000));
	lease_fail(&l, 3000);
	assert_false(lease_may(&l, 3000 + HOLD - 1));
	assert_true(lease_may(&l, 3000 + HOLD));
	lease_fini(&l);
}

/* It died while it took over: nobody knows whether the other one has seen it. */
static void test_started_again_too_soon(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "two", HOLD);
	lease_begin(&l, "two", true, 1000);
	assert_false(lease_may(&l, 1000 + HOLD - 1));
	assert_true(lease_may(&l, 1000 + HOLD));
	assert_int_equal(lease_alone_since(&l), 1000 + HOLD);
	assert_true(lease_is_late_possible(&l, 1000 + HOLD, 1));
	assert_null(l.before); /* nobody knows which one */
	lease_fini(&l);
}

static void test_takes_over(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "two", HOLD);
	lease_begin(&l, "one", false, 1000);
	assert_false(lease_look(&l, "one")); /* it goes on reporting until it sees us */
	assert_false(lease_may(&l, 1000));
	assert_int_equal(lease_alone_since(&l), 0); /* that one acts still */
	lease_claim(&l, 2000);
	assert_false(lease_may(&l, 2000 + HOLD - 1));
	lease_claim(&l, 50000); /* another report does not begin it anew */
	assert_int_equal(lease_alone_since(&l), 2000 + HOLD);
	assert_true(lease_may(&l, 2000 + HOLD));
	/* What the other one asked for may be seen later still. */
	assert_true(lease_is_late_possible(&l, 2000 + HOLD, 60000));
	assert_true(lease_is_late_possible(&l, 2000 + HOLD + 59999, 60000));
	assert_false(lease_is_late_possible(&l, 2000 + HOLD + 60000, 60000));
	assert_true(lease_look(&l, "three"));
	assert_false(lease_look(&l, "three")); /* told once */
	assert_false(lease_may(&l, 1000000));
	assert_false(lease_is_taking_over(&l, 1000000));
	lease_fini(&l);
}

static void test_somebody_was_quicker(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "two", HOLD);
	lease_begin(&l, "one", false, 1000);
	assert_true(lease_look(&l, "three"));
	assert_false(lease_may(&l, 2000));
	lease_claim(&l, 3000);
	assert_false(lease_may(&l, 3000 + HOLD));
	lease_fini(&l);
}

static void test_cannot_report(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "one", HOLD);
	lease_begin(&l, NULL, false, 1000);
	lease_fail(&l, 2000);
	assert_false(lease_may(&l, 2000 + HOLD - 1)); /* two may have begun at the same time */
	assert_true(lease_may(&l, 2000 + HOLD));
	lease_fini(&l);
}

/* The one before may be alive, and sees nothing of a report that is not there. */
static void test_successor_cannot_report(void **state)
{
	struct lease l;

	(void)state;
	lease_init(&l, "two", HOLD);
	lease_begin(&l, "one", false, 1000);
	lease_fail(&l, 2000);
	assert_false(lease_may(&l, 2000));
	lease_fail(&l, 300000); /* another failure does not begin it anew */
	assert_false(lease_may(&l, 2000 + LEASE_PATIENCE_MS - 1));
	assert_true(lease_may(&l, 2000 + LEASE_PATIENCE_MS));
	assert_false(lease_look(&l, "one")); /* known since the beginning */
	assert_true(lease_look(&l, "three"));
	assert_false(lease_may(&l, 3000 + LEASE_PATIENCE_MS));
	lease_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_of_all),
	    cmocka_unit_test(test_started_again),
	    cmocka_unit_test(test_report_is_lost),
	    cmocka_unit_test(test_started_again_too_soon),
	    cmocka_unit_test(test_takes_over),
	    cmocka_unit_test(test_somebody_was_quicker),
	    cmocka_unit_test(test_cannot_report),
	    cmocka_unit_test(test_successor_cannot_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
