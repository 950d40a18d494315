/* Commits signed with OpenPGP keys, and histories with both kinds. */
#include "gitsignfix.h"

static void test_head_pgp(void **state UNUSED)
{
	check_heads(PGP);
}

static void test_range_pgp(void **state UNUSED)
{
	check_ranges(PGP);
}

/* Both kinds in one history, each judged by its own list; the keyring in ASCII armour. */
static void test_both(void **state UNUSED)
{
	_cleanup_str_ char *first = history(SSH, "both", "c dora a");
	_cleanup_str_ char *armoured = mem_printf("%s/pgp/armoured", fix_dir);
	_cleanup_str_ char *broken = mem_printf("%s/pgp/broken", fix_dir);
	struct fix f;
	init_settings(&f, "both", "range");
	f.opts.setup.allowed_signers_file = allowed;
	f.opts.setup.keyring_file = armoured;
	fix_open(&f);
	fix_read(&f, first);
	fix_ok(&f);
	_cleanup_str_ char *then =
	    more(PGP, "both", "git config gpg.format openpgp; c eve b; c dora c");
	fix_read(&f, then);
	fix_ok(&f);
	fix_close(&f);

	fix_run("sed '3s/./-/' pgp/armoured >pgp/broken");
	init_settings(&f, "both", "head");
	f.opts.setup.keyring_file = broken;
	fix_open(&f);
	fix_read(&f, then);
	fix_failed(&f, ERR_CONFIG, "git.verify.keyring_file has a broken key");
	fix_close(&f);
}

FIX_MAIN(sign_run, cmocka_unit_test(test_head_pgp), cmocka_unit_test(test_range_pgp),
    cmocka_unit_test(test_both))
