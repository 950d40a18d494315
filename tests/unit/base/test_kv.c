#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "kv.h"

#include <string.h>

static void sorted_and_unique(void **state UNUSED)
{
	_cleanup_kv_ struct kv m = {0};
	static const char *const keys[] = {"net0", "cores", "scsi0", "memory", "cores", "a", "Z"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		kv_setf(&m, keys[i], "%zu", i);
	static const char *const want[] = {"Z", "a", "cores", "memory", "net0", "scsi0"};
	assert_int_equal(m.n, ARRAY_LEN(want));
	size_t at = 0;
	KV_FOREACH (item, &m)
		assert_string_equal(item->key, want[at++]);
	assert_int_equal(at, 6);
	assert_string_equal(kv_get(&m, "cores"), "4");
	assert_null(kv_get(&m, "core"));
	assert_true(kv_has(&m, "Z"));
	assert_false(kv_has(&m, "z"));
}

static void delete_and_own_memory(void **state UNUSED)
{
	_cleanup_kv_ struct kv m = {0};
	kv_set(&m, "a", "1");
	kv_set(&m, "b", kv_get(&m, "a"));
	kv_set(&m, "a", kv_get(&m, "a"));
	assert_string_equal(kv_get(&m, "a"), "1");
	assert_true(kv_del(&m, "a"));
	assert_false(kv_del(&m, "a"));
	assert_int_equal(m.n, 1);
	assert_string_equal(kv_get(&m, "b"), "1");
}

static void copy_and_equal(void **state UNUSED)
{
	_cleanup_kv_ struct kv a = {0};
	_cleanup_kv_ struct kv b = {0};
	assert_true(kv_eq(&a, &b));
	kv_set(&a, "x", "1");
	kv_set(&a, "y", "2");
	assert_false(kv_eq(&a, &b));
	kv_copy(&b, &a);
	assert_true(kv_eq(&a, &b));
	kv_set(&b, "x", "3");
	assert_string_equal(kv_get(&a, "x"), "1");
	assert_false(kv_eq(&a, &b));
	kv_set(&b, "w", "0");
	kv_set(&b, "z", "0");
	assert_string_equal(kv_get(&b, "w"), "0");
	_cleanup_kv_ struct kv empty = {0};
	_cleanup_kv_ struct kv copy = {0};
	kv_copy(&copy, &empty);
	kv_set(&copy, "k", "v");
	assert_int_equal(copy.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sorted_and_unique),
	    cmocka_unit_test(delete_and_own_memory),
	    cmocka_unit_test(copy_and_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
