/* What a person is told about a refusal, from the texts of PVE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest_int.h"

static void assert_says(enum pve_reason why, const char *text, const char *words)
{
	const char *hint = guest_hint(why, text);

	if (!words)
		assert_null(hint);
	else if (!hint || !strstr(hint, words))
		fail_msg("%s: no word of %s", text, words);
}

static void hints(void **state)
{
	(void)state;
	assert_says(PVE_FORBIDDEN,
	    "Permission check failed (/, Sys.Modify for modifying tag 'ramet')", "cluster.tag");
	/* What the reason says is enough. */
	assert_says(PVE_FORBIDDEN, "Permission check failed (/vms/1204, VM.Config.CPU)", NULL);
	assert_says(PVE_NO_SHUTDOWN, "VM quit/powerdown failed - got timeout", "agent");
	assert_says(PVE_OTHER,
	    "clone failed: lvcreate 'pve/vm-105-cloudinit' error:   Logical Volume "
	    "\"vm-105-cloudinit\" already exists in volume group \"pve\"",
	    "pvesm free");
	assert_says(PVE_NO_VOLUME, "volume 'local:iso/debian-13.iso' does not exist", "pvesm list");
	assert_says(PVE_NO_VOLUME, "volume 'local:snippets/user.yaml' does not exist", "manifest");
	assert_says(PVE_PARAMETER,
	    "Parameter verification failed. (cpu: invalid format - Custom cputype 'custom-web' not "
	    "found)",
	    "cpu-models.conf");
	assert_says(PVE_PARAMETER, "Parameter verification failed. (cores: ...)", NULL);
	assert_says(PVE_OTHER, "clone failed: copy failed: exit code 1", NULL);
	assert_says(PVE_LOCKED, "VM is locked (backup)", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hints)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
