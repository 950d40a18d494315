/* Keys of all kinds against a real sshd; one to read and another to push. */
#include "gitsshhost.h"

/* Every kind of key, in each of the files that ssh-keygen writes, without and with a passphrase. */
static void test_key_types(void **state UNUSED)
{
	static const char *const types[] = {"ed25519", "rsa -b 1024", "ecdsa -b 256",
	    "ecdsa -b 384", "ecdsa -b 521", "ecdsa -b 256 -m PEM", "ecdsa -b 256 -m PKCS8"};
	_cleanup_str_ char *url = make_repo("types");
	_cleanup_str_ char *head = commit("types", "echo a >a.yaml");
	_cleanup_str_ char *passphrase = mem_printf("%s/srv/passphrase", fix_dir);
	for (size_t i = 0; i < 2 * ARRAY_LEN(types); i++) {
		bool locked = i % 2;
		_cleanup_str_ char *file = mem_printf("%s/srv/key_type%zu", fix_dir, i);
		fix_run("ssh-keygen -q -t %s -N '%s' -f %s; cat %s.pub >>srv/authorized_keys",
		    types[i / 2], locked ? "open sesame" : "", file, file);
		struct fix f;
		init(&f, url);
		f.opts.setup.ssh_key_file = file;
		if (locked)
			f.opts.setup.ssh_passphrase_file = passphrase;
		fix_open(&f);
		fix_list(&f);
		if (!f.ok)
			fail_msg("%s%s: %s", types[i / 2], locked ? ", locked" : "", f.msg);
		assert_string_equal(f.head, head);
		fix_close(&f);
	}
}

/* One key reads, another, with a passphrase, pushes. */
static void test_write_key(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("writekey");
	_cleanup_str_ char *head = commit("writekey", "echo a >a.yaml");
	fix_run("ssh-keygen -q -t ecdsa -N '' -f srv/key_reader\n"
		"echo 'command=\"test ${SSH_ORIGINAL_COMMAND%%%% *} = git-upload-pack && eval "
		"$SSH_ORIGINAL_COMMAND\" '\"$(cat srv/key_reader.pub)\" >>srv/authorized_keys");
	_cleanup_str_ char *reader = mem_printf("%s/srv/key_reader", fix_dir);
	_cleanup_str_ char *writer = mem_printf("%s/srv/key_locked", fix_dir);
	_cleanup_str_ char *passphrase = mem_printf("%s/srv/passphrase", fix_dir);
	struct fix f;
	init(&f, url);
	f.opts.setup.ssh_key_file = reader;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_publish(&f, "", "STATUS.md", "one\n");
	assert_false(f.ok);
	fix_close(&f);

	init(&f, url);
	f.opts.setup.ssh_key_file = reader;
	f.opts.setup.write_ssh_key_file = writer;
	f.opts.setup.write_ssh_passphrase_file = passphrase;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_ok(&f);
	fix_read_status(&f);
	fix_ok(&f);
	fix_has(&f, "STATUS.md", "one\n");
	fix_close(&f);

	/* Without its passphrase it is of no use, and the message says which key. */
	init(&f, url);
	f.opts.setup.write_ssh_key_file = writer;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	fix_publish(&f, f.status_head, "STATUS.md", "two\n");
	fix_failed(&f, ERR_AUTH, "does not accept the key");
	assert_non_null(strstr(f.hint, "git.write.ssh_key_file"));
	fix_close(&f);
}

FIX_MAIN(sshhost_run, cmocka_unit_test(test_key_types), cmocka_unit_test(test_write_key))
