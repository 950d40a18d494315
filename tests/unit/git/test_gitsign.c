/* Commits signed with SSH keys, last good versions, and settings that cannot work. */
#include "gitsignfix.h"

static void test_head_ssh(void **state UNUSED)
{
	check_heads(SSH);
}

static void test_range_ssh(void **state UNUSED)
{
	check_ranges(SSH);
}

static void test_old(void **state UNUSED)
{
	_cleanup_str_ char *signed_one = history(SSH, "older", "c dora a");
	_cleanup_str_ char *plain = more(SSH, "older", "u b");
	_cleanup_str_ char *head = more(SSH, "older", "c dora c");
	struct fix f;
	init(&f, SSH, "older", "head");
	fix_read(&f, head);
	fix_ok(&f);
	gitport_read_old(f.port, signed_one, "a.yaml", fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	/* Whoever can write the status branch cannot make an unsigned version the last good one. */
	gitport_read_old(f.port, plain, "a.yaml", fix_got, &f);
	fix_wait(&f);
	fix_failed(&f, ERR_SIGNATURE, "is not signed");

	/* The list of signers counts as it is now: put in place by a rename, as people do. */
	fix_run("cp ssh/allowed ssh/saved; grep -v dora ssh/allowed >ssh/next; "
		"mv ssh/next ssh/allowed");
	fix_read(&f, head);
	fix_failed(&f, ERR_SIGNATURE, "not in git.verify.allowed_signers_file");
	fix_run("mv ssh/saved ssh/allowed");
	fix_read(&f, head);
	fix_ok(&f);
	fix_close(&f);
}

static void test_settings(void **state UNUSED)
{
	_cleanup_str_ char *head = history(SSH, "settings", "u a");
	struct fix f;
	init(&f, SSH, "settings", "none");
	fix_read(&f, head);
	fix_ok(&f);
	fix_close(&f);
	init(&f, SSH, "settings", "some");
	fix_read(&f, head);
	fix_failed(&f, ERR_CONFIG, "git.verify.mode");
	fix_close(&f);
	_cleanup_str_ char *saved = allowed;
	allowed = mem_strdup("/nowhere/allowed");
	init(&f, SSH, "settings", "head");
	fix_read(&f, head);
	fix_failed(&f, ERR_CONFIG, "allowed_signers_file cannot be read");
	fix_close(&f);
	mem_free_str(&allowed);
	allowed = TAKE(saved);

	init_settings(&f, "settings", "range");
	fix_open(&f);
	fix_read(&f, head);
	fix_failed(&f, ERR_CONFIG, "nobody may sign");
	assert_non_null(strstr(f.hint, "git.verify.keyring_file"));
	fix_close(&f);
	init_settings(&f, "settings", "range");
	f.opts.setup.keyring_file = "/nowhere/keyring";
	fix_open(&f);
	fix_read(&f, head);
	fix_failed(&f, ERR_CONFIG, "git.verify.keyring_file cannot be read");
	fix_close(&f);
}

FIX_MAIN(sign_run, cmocka_unit_test(test_head_ssh), cmocka_unit_test(test_range_ssh),
    cmocka_unit_test(test_old), cmocka_unit_test(test_settings))
