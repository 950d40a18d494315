/* What an earlier life's report tells a new one. */
#include "reportread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char told[256];

static void on_vm(void *arg, const struct vmstat *v)
{
	size_t len = strlen(told);

	(void)arg;
	snprintf(told + len, sizeof(told) - len, "%s=%u ", v->name, v->record.vmid);
}

static void restore(const char *path, const char *name, uint32_t vmid)
{
	struct reporter_opts o = {.on_vm = on_vm};
	struct vmstat v = {.name = (char *)name, .record = {.vmid = vmid}};
	_cleanup_str_ char *text = tree_render_vm(&v);

	reportread_restore(&o, path, text, strlen(text));
}

/* A person's copy of a file beside it is older than the file, and comes before it. */
static void test_a_copy_is_nobodys(void **state)
{
	(void)state;
	restore("vms/web-01-old.yaml", "web-01", 1100);
	restore("vms/old/web-01.yaml", "web-01", 1101);
	restore("vms/web-01.yaml", "web-01", 1204);
	restore("vms/web-02.yaml", "web-02", 1205);
	assert_string_equal(told, "web-01=1204 web-02=1205 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_copy_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
