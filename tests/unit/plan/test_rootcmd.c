/* What root is told to type, also for names that mean harm. */
#include "rootcmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	free(got);
}

static void words(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
	    {"local-lvm:vm-1000-disk-0", "local-lvm:vm-1000-disk-0"},
	    {"nfs:9000/base-9000-disk-0.qcow2/1000/vm-1000-disk-0.qcow2",
		"nfs:9000/base-9000-disk-0.qcow2/1000/vm-1000-disk-0.qcow2"},
	    {"local:x;reboot", "'local:x;reboot'"}, {"local:$(reboot)", "'local:$(reboot)'"},
	    {"local:a b", "'local:a b'"}, {"local:it's", "'local:it'\\''s'"}, {"~root", "'~root'"},
	    {"--force", "'--force'"}, {"", "''"},
	    {"local:`reboot`", NULL}, /* would end the quotation of the report */
	    {"local:a\nreboot", NULL}, {"local:\033[2K", NULL},
	    {"local:\xe2\x80\xaex", NULL}, /* shown from right to left */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(rootcmd_word(rows[i].text), rows[i].word);
}

static void commands(void **state)
{
	(void)state;
	expect(rootcmd_clear("pve1", 1000, "clone task runs", true),
	    "as root on pve1, after making sure that no clone task runs: `qm unlock 1000 && qm "
	    "destroy 1000 --purge`");
	expect(rootcmd_clear("pve1", 1000, "task destroys it", false),
	    "as root on pve1, after making sure that no task destroys it: `qm unlock 1000 && qm "
	    "destroy 1000`");
	expect(rootcmd_destroy("pve1", 1000), "as root on pve1: `qm destroy 1000 --purge`");
	expect(rootcmd_free("pve1", "fast:vm-1000-disk-0"),
	    "as root on pve1: pvesm free fast:vm-1000-disk-0");
	expect(rootcmd_free(NULL, "fast:a;b"), "as root on its node: pvesm free 'fast:a;b'");
	expect(rootcmd_free("pve1", "fast:a\nb"), "as root on pve1: pvesm free …");
	expect(rootcmd_set("pve1", 1000, "args", "-x 'y'"),
	    "as root on pve1: `qm set 1000 --args '-x '\\''y'\\'''`");
	expect(rootcmd_set("pve1", 1000, "args", NULL),
	    "as root on pve1: `qm set 1000 --delete args`");
	expect(rootcmd_set("pve1", 1000, "args", "a`b"), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words),
	    cmocka_unit_test(commands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
