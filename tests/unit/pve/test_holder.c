/* Which of a node's tasks holds a lock. */
#include "holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

/* 1795284323 s is 2026-11-21T18:05:23Z. */
#define TASK(type, id)                                                      \
	"{\"type\":\"" type "\",\"id\":\"" id "\",\"user\":\"root@pam!t\"," \
	"\"starttime\":1795284323,\"status\":\"RUNNING\",\"node\":\"pve1\"}"

static void assert_holder(const char *tasks, const char *lock, const char *want)
{
	_cleanup_jsn_ struct jsn *j = NULL;
	_cleanup_str_ char *got = NULL;

	assert_int_equal(jsn_parse(tasks, strlen(tasks), &j, NULL), 0);
	got = holder_find(j, lock, 1204);
	if (!text_eq(got, want))
		fail_msg("%s: %s, not %s", lock, got ? got : "none", want ? want : "none");
}

static void test_kinds(void **state)
{
#define SINCE " by root@pam!t since 2026-11-21T18:05:23Z"
	(void)state;
	assert_holder("[" TASK("vzdump", "1204") "]", "backup", "vzdump" SINCE);
	/* A job for many guests bears no number. */
	assert_holder("[" TASK("vzdump", "") "]", "backup", "vzdump" SINCE);
	assert_holder("[" TASK("vzdump", "1205") "]", "backup", NULL);
	assert_holder("[" TASK("qmsnapshot", "1204") "]", "snapshot", "qmsnapshot" SINCE);
	assert_holder("[" TASK("qmsnapshot", "") "]", "snapshot", NULL);
	assert_holder("[" TASK("qmstart", "1204") "," TASK("qmigrate", "1204") "]", "migrate",
	    "qmigrate" SINCE);
	/* A clone bears the number of its source. */
	assert_holder("[" TASK("qmclone", "9000") "]", "clone", "qmclone" SINCE);
	assert_holder("[" TASK("qmrestore", "1204") "]", "create", "qmrestore" SINCE);
	assert_holder("[]", "backup", NULL);
	assert_holder("null", "backup", NULL);
	/* It is over. */
	assert_holder(
	    "[{\"type\":\"vzdump\",\"id\":\"1204\",\"endtime\":1795284324}]", "backup", NULL);
	/* Nobody holds it: a hibernated guest has it for itself. */
	assert_holder("[" TASK("qmsuspend", "1204") "]", "suspended", NULL);
}

static void test_what_is_missing(void **state)
{
	(void)state;
	assert_holder("[{\"type\":\"vzdump\"}]", "backup", "vzdump by somebody");
	assert_holder("[{\"type\":\"vzdump\",\"user\":\"a\\u0007b\"}]", "backup", "vzdump by a b");
	/* Its milliseconds are beyond 64 bits. */
	assert_holder("[{\"type\":\"vzdump\",\"user\":\"a\",\"starttime\":9223372036854775807}]",
	    "backup", "vzdump by a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
