/* Texts are those of PVE::RPCEnvironment, and where it has none, the calls' own permissions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grant.h"

static void assert_lack(
    const struct grant_call *call, const char *text, const char *privileges, const char *path)
{
	_cleanup_strs_ struct strs got = {0};
	_cleanup_str_ char *at = NULL, *names = NULL;

	assert_int_equal(grant_lack(call, text, &got, &at), 0);
	names = strs_join(&got, " ");
	assert_string_equal(names, privileges);
	assert_string_equal(at, path);
}

static void by_the_text(void **state)
{
	struct grant_call call = {.endpoint = ENDPOINT_CONFIG_POST, .vmid = 7};

	(void)state;
	assert_lack(&call, "Permission check failed (/vms/1204, VM.Config.CPU)", "VM.Config.CPU",
	    "/vms/1204");
	assert_lack(&call, "Permission check failed (/vms/1204, VM.Config.Disk|VM.Config.CDROM)\n",
	    "VM.Config.Disk VM.Config.CDROM", "/vms/1204");
	assert_lack(&call, "Permission check failed (/, Sys.Modify for modifying tag 'prod, web')",
	    "Sys.Modify", "/");
	assert_lack(&call,
	    "update pools failed: 403 Permission check failed (/vms/1204, "
	    "Permissions.Modify|VM.Allocate)",
	    "Permissions.Modify VM.Allocate", "/vms/1204");
	assert_lack(&call, "Permission check failed (/sdn/zones/localnetwork/vmbr0/7, SDN.Use)",
	    "SDN.Use", "/sdn/zones/localnetwork/vmbr0/7");
}

static void by_the_call(void **state)
{
	static const char bare[] = "Permission check failed";
	_cleanup_strs_ struct strs leaves = {0};
	struct grant_call config = {
	    .endpoint = ENDPOINT_CONFIG_PUT, .vmid = 1204, .privileges = &leaves};

	(void)state;
	strs_add(&leaves, "VM.Config.CPU");
	strs_add(&leaves, "VM.Config.Memory");
	assert_lack(&config, bare, "VM.Config.CPU VM.Config.Memory", "/vms/1204");
	/* It becomes a command for root: what is no path or no privilege of PVE's counts for none.
	 */
	assert_lack(&config, "Permission check failed (/vms/1;reboot, VM.Config.CPU)",
	    "VM.Config.CPU VM.Config.Memory", "/vms/1204");
	assert_lack(&config, "Permission check failed (/vms/$(reboot), VM.Config.CPU)",
	    "VM.Config.CPU VM.Config.Memory", "/vms/1204");
	assert_lack(&config, "Permission check failed (/vms/1204, VM.Config.CPU;reboot)",
	    "VM.Config.CPU VM.Config.Memory", "/vms/1204");
	assert_lack(&(struct grant_call){.endpoint = ENDPOINT_CLONE, .vmid = 9000, .newid = 1204},
	    bare, "VM.Allocate", "/vms/1204");
	assert_lack(&(struct grant_call){.endpoint = ENDPOINT_START, .vmid = 1204}, bare,
	    "VM.PowerMgmt", "/vms/1204");
	assert_lack(&(struct grant_call){.endpoint = ENDPOINT_POOL_PUT, .vmid = 1, .pool = "lab"},
	    bare, "Pool.Allocate", "/pool/lab");
	assert_lack(&(struct grant_call){.endpoint = ENDPOINT_MIGRATE, .vmid = 1204}, bare,
	    "VM.Migrate", "/vms/1204");
	assert_lack(&(struct grant_call){.endpoint = ENDPOINT_TEMPLATE, .vmid = 1204}, bare,
	    "VM.Allocate", "/vms/1204");
	assert_lack(&(struct grant_call){.endpoint = ENDPOINT_DESTROY, .vmid = 1204}, bare,
	    "VM.Allocate", "/vms/1204");
}

static void nobody_knows(void **state)
{
	static const char *const texts[] = {"Permission check failed", "",
	    "Permission check failed (", "Permission check failed (/)",
	    "Permission check failed (/vms/1, )",
	    "Permission check failed (pool 'x' does not exist), y",
	    "Permission check failed (/a b"};
	struct grant_call call = {.endpoint = ENDPOINT_VERSION};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_strs_ struct strs got = {0};
		_cleanup_str_ char *at = NULL;

		assert_int_equal(grant_lack(&call, texts[i], &got, &at), -1);
		assert_null(at);
	}
}

static const struct need *need_at(const struct needs *l, const char *privilege, const char *path)
{
	_cleanup_strs_ struct strs one = {0};

	strs_add(&one, privilege);
	return grant_need(l, &one, path);
}

/* What is given further up reaches down, along whole names only. */
static void what_covers_it(void **state)
{
	_cleanup_needs_ struct needs l = {0};

	(void)state;
	needs_add_path(&l, "VM.Config.CPU", "/vms", "");
	needs_add_path(&l, "SDN.Use", "/sdn/zones/localnetwork/vmbr1", "");
	assert_string_equal(need_at(&l, "VM.Config.CPU", "/vms/1204")->path, "/vms");
	assert_string_equal(need_at(&l, "SDN.Use", "/sdn/zones/localnetwork/vmbr1/7")->path,
	    "/sdn/zones/localnetwork/vmbr1");
	assert_null(need_at(&l, "SDN.Use", "/sdn/zones/localnetwork/vmbr10"));
	assert_null(need_at(&l, "VM.Clone", "/vms/1204"));
	assert_null(need_at(&l, "VM.Config.CPU", "/pool/lab"));
}

static void the_command(void **state)
{
	_cleanup_needs_ struct needs l = {0};
	_cleanup_str_ char *vms = NULL, *root = NULL;

	(void)state;
	needs_add_path(&l, "VM.Audit", "/vms", "");
	needs_add_path(&l, "Sys.Audit", "/", "");
	needs_add_path(&l, "VM.Clone", "/vms", "");
	vms = grant_command(&l, "/vms", "ramet@pve!ctl");
	assert_string_equal(vms,
	    "as root on a node: `pveum role add Ramet-vms; pveum role modify Ramet-vms --append 1 "
	    "--privs VM.Audit,VM.Clone; pveum acl modify /vms --roles Ramet-vms --users ramet@pve "
	    "--tokens 'ramet@pve!ctl'`");
	root = grant_command(&l, "/", NULL);
	assert_string_equal(root,
	    "as root on a node: `pveum role add Ramet-root; pveum role modify Ramet-root --append "
	    "1 "
	    "--privs Sys.Audit; pveum acl modify / --roles Ramet-root --users user@realm --tokens "
	    "'user@realm!name' --propagate 0`");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_the_text),
	    cmocka_unit_test(by_the_call),
	    cmocka_unit_test(nobody_knows),
	    cmocka_unit_test(what_covers_it),
	    cmocka_unit_test(the_command),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
