#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "slots.h"

static void finds_until_deleted(void **state UNUSED)
{
	struct slots s = {0};
	int a, b, c;
	assert_null(slots_find(&s, 0));
	slot_id ia = slots_add(&s, &a), ib = slots_add(&s, &b);
	assert_true(ia != 0 && ib != 0 && ia != ib);
	assert_ptr_equal(slots_find(&s, ia), &a);
	slots_del(&s, ia);
	assert_null(slots_find(&s, ia));
	assert_int_equal(s.used, 1);
	slot_id ic = slots_add(&s, &c);
	/* The place is used again, but the old number still finds nothing. */
	assert_int_equal(s.n, 2);
	assert_true(ic != ia);
	assert_null(slots_find(&s, ia));
	slots_del(&s, ia);
	assert_ptr_equal(slots_find(&s, ic), &c);
	assert_ptr_equal(slots_find(&s, ib), &b);
	assert_null(slots_find(&s, UINT64_MAX));
	assert_null(slots_find(&s, ib + 1));
	slots_fini(&s);
	assert_null(slots_find(&s, ib));
}

static void never_gives_a_number_twice(void **state UNUSED)
{
	struct slots s = {0};
	int obj;
	slot_id last = 0;
	for (int i = 0; i < 1000; i++) {
		slot_id id = slots_add(&s, &obj);
		assert_true(id > last);
		slots_del(&s, id);
		last = id;
	}
	assert_int_equal(s.n, 1);
	assert_int_equal(s.used, 0);
	slots_fini(&s);
}

static void many_at_once(void **state UNUSED)
{
	enum { N = 500 };
	struct slots s = {0};
	int obj[N];
	slot_id id[N];
	for (int i = 0; i < N; i++)
		id[i] = slots_add(&s, &obj[i]);
	for (int i = 0; i < N; i += 2)
		slots_del(&s, id[i]);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(slots_find(&s, id[i]), i % 2 ? &obj[i] : NULL);
	assert_int_equal(s.used, N / 2);
	slots_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_until_deleted),
	    cmocka_unit_test(never_gives_a_number_twice),
	    cmocka_unit_test(many_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
