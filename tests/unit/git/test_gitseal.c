/* Our own commits signed: by ssh-keygen and by gpg, as Git itself finds them good; and when that
 * fails, nothing is pushed. */
#include "gitsignfix.h"

static char *in_dir(const char *name)
{
	return name ? mem_printf("%s/%s", fix_dir, name) : NULL;
}

/* With a key and the file of its passphrase, both in the test's folder; NULL = none. */
static void open_port(struct fix *f, char *key, char *passphrase)
{
	init_settings(f, "sealed", "none");
	f->opts.setup.signing_key_file = key;
	f->opts.setup.signing_passphrase_file = passphrase;
	fix_open(f);
}

static char *status_head(void)
{
	return fix_sh("git -C sealed.git rev-parse -q --verify ramet/status || true");
}

/* Git with the lists of those who may sign. */
static const char verify[] =
    "verify() { GNUPGHOME=%s/gnupg git -c gpg.ssh.allowedSignersFile=%s/ssh/allowed -C sealed.git "
    "verify-commit --raw $1 2>&1; }\n";

static void check_good(const char *key_name, const char *passphrase_name, const char *in_words)
{
	_cleanup_str_ char *key = in_dir(key_name), *passphrase = in_dir(passphrase_name);
	_cleanup_str_ char *parent = status_head(), *define = mem_printf(verify, fix_dir, fix_dir);
	struct fix f;
	open_port(&f, key, passphrase);
	for (int i = 0; i < 2; i++) {
		_cleanup_str_ char *data = mem_printf("%s %d\n", key_name, i);
		fix_publish(&f, parent, "STATUS.md", data);
		fix_ok(&f);
		mem_replace(&parent, f.new_head);
		_cleanup_str_ char *words = fix_sh("%sverify %s", define, parent);
		if (!strstr(words, in_words))
			fail_msg("%s: %s", key_name, words);
	}
	fix_run("git -C sealed.git fsck --strict --no-dangling");
	fix_close(&f);
}

/* Nothing unsigned leaves, and the message has its next step. */
static void check_bad(
    const char *key_name, const char *passphrase_name, const char *in_msg, const char *in_hint)
{
	_cleanup_str_ char *key = in_dir(key_name), *passphrase = in_dir(passphrase_name);
	_cleanup_str_ char *before = status_head();
	struct fix f;
	open_port(&f, key, passphrase);
	for (int i = 0; i < 2; i++) {
		fix_publish(&f, before, "STATUS.md", "unsigned\n");
		fix_failed(&f, ERR_CONFIG, in_msg);
		assert_false(f.rejected);
		assert_non_null(f.hint);
		if (!strstr(f.hint, in_hint))
			fail_msg("%s: %s", key_name, f.hint);
	}
	fix_close(&f);
	_cleanup_str_ char *after = status_head();
	assert_string_equal(after, before);
}

static void no_helper_left(void)
{
	/* It goes when its folder or the program that it was started for is gone. */
	fix_run("for i in $(seq 600); do pgrep -f 'gpg-agent.*%s/[s]tate' >/dev/null || exit 0; "
		"sleep 0.1; done; pgrep -af 'gpg-agent.*%s/[s]tate' >&2; exit 1",
	    fix_dir, fix_dir);
	fix_run("! test -e state/gnupg");
}

static void test_ssh(void **state UNUSED)
{
	free(history(SSH, "sealed", "u a"));
	fix_run(
	    "cd ssh; ssh-keygen -q -t ed25519 -N 'open sesame' -C locked -f locked; ssh-keygen -q "
	    "-t rsa -b 2048 -N '' -f rsa; ssh-keygen -q -t ecdsa -m PEM -N 'open sesame' -f pem\n"
	    "for k in locked rsa pem; do echo \"$k@example.org $(cut -d' ' -f1,2 $k.pub)\" "
	    ">>allowed; done; echo 'open sesame' >passphrase; echo 'open barley' >wrong");
	check_good("ssh/dora", NULL, "Good \"git\" signature for dora");
	check_good("ssh/locked", "ssh/passphrase", "Good \"git\" signature for locked");
	check_good("ssh/rsa", NULL, "Good \"git\" signature for rsa");
	check_good("ssh/pem", "ssh/passphrase", "Good \"git\" signature for pem");
	/* A key that has none is none the worse for one. */
	check_good("ssh/dora", "ssh/passphrase", "Good \"git\" signature for dora");

	check_bad("ssh/locked", NULL, "report.signing_key_file cannot sign",
	    "report.signing_passphrase_file");
	check_bad("ssh/locked", "ssh/wrong", "incorrect passphrase",
	    "report.signing_passphrase_file opens the key");
	check_bad("ssh/dora.pub", NULL, "report.signing_key_file cannot sign",
	    "private SSH or OpenPGP key");
	check_bad("ssh/none", NULL, "report.signing_key_file cannot be read", "who may read it");
	check_bad("ssh/locked", "ssh/none", "report.signing_passphrase_file cannot be read",
	    "who may read it");
}

static void test_pgp(void **state UNUSED)
{
	fix_run(
	    "export GNUPGHOME=%s/gnupg; cd pgp; exec 2>>log\n"
	    "make() { gpg --batch -q --pinentry-mode loopback --passphrase \"$2\" --quick-gen-key "
	    "\"$1 <$1@example.org>\" $3 sign ${4:-never}; gpg --batch -q --pinentry-mode loopback "
	    "--passphrase \"$2\" --armor --export-secret-keys $1@example.org >$1; }\n"
	    "make plain '' ed25519; make locked 'open sesame' rsa2048\n"
	    "gpg --batch -q --dearmor <plain >binary; gpg --batch -q --armor --export plain "
	    ">public\n"
	    "gpg --batch -q --passphrase '' --faked-system-time 20200101T000000 --quick-gen-key "
	    "'over <over@example.org>' ed25519 sign 20210101T000000\n"
	    "gpg --batch -q --armor --export-secret-keys over@example.org >over\n"
	    "echo 'open sesame' >passphrase; echo 'open barley' >wrong; sed '3s/./-/' plain >torn",
	    fix_dir);
	check_good("pgp/plain", NULL, "GOODSIG");
	check_good("pgp/binary", NULL, "GOODSIG");
	check_good("pgp/locked", "pgp/passphrase", "GOODSIG");

	check_bad("pgp/locked", "pgp/wrong", "Bad passphrase",
	    "report.signing_passphrase_file opens the key");
	check_bad("pgp/locked", NULL, "report.signing_key_file cannot sign",
	    "report.signing_passphrase_file");
	check_bad("pgp/over", NULL, "report.signing_key_file cannot sign", "not expired");
	check_bad("pgp/torn", NULL, "report.signing_key_file cannot sign", "--export-secret-keys");
	check_bad("pgp/public", NULL, "the public half", "gpg --export-secret-keys");
	no_helper_left();
}

/* The file of a security key is the name of a key, not the key: nobody is there to touch it. */
static void test_hardware(void **state UNUSED)
{
	fix_run(
	    "cat >sk.py <<'E'\n"
	    "import base64, struct\n"
	    "s = lambda b: struct.pack('>I', len(b)) + b\n"
	    "kind = b'sk-ssh-ed25519@openssh.com'\n"
	    "public = s(kind) + s(b'k' * 32) + s(b'ssh:')\n"
	    "private = b'aaaabbbb'[:4] * 2 + public + b'\\x01' + s(b'handle' * 10) + s(b'') + "
	    "s(b'sk')\n"
	    "private += bytes(range(1, 1 + -len(private) %% 8))\n"
	    "key = b'openssh-key-v1\\0' + s(b'none') + s(b'none') + s(b'') + struct.pack('>I', 1) "
	    "+ s(public) + s(private)\n"
	    "text = base64.b64encode(key).decode()\n"
	    "print('-----BEGIN OPENSSH PRIVATE KEY-----')\n"
	    "for i in range(0, len(text), 70):\n"
	    "    print(text[i:i + 70])\n"
	    "print('-----END OPENSSH PRIVATE KEY-----')\n"
	    "E\n"
	    "python3 sk.py >ssh/touched; chmod 600 ssh/touched; touch known\n"
	    /* ssh-keygen takes it for one of these, too. */
	    "ssh-keygen -y -f ssh/touched | grep -q sk-ssh-ed25519");
	check_bad("ssh/touched", NULL, "report.signing_key_file stands for a key in a security key",
	    "ssh-keygen -t ed25519");

	_cleanup_str_ char *key = in_dir("ssh/touched"), *good = in_dir("ssh/dora");
	_cleanup_str_ char *known = in_dir("known");
	static const char *const names[] = {"git.ssh_key_file", "git.write.ssh_key_file"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct fix f;
		fix_init(&f, "ssh://git@127.0.0.1/x.git");
		f.opts.setup.known_hosts_file = known;
		f.opts.setup.ssh_key_file = i ? good : key;
		f.opts.setup.write_ssh_key_file = i ? key : NULL;
		fix_open(&f);
		fix_list(&f);
		fix_failed(&f, ERR_CONFIG, "stands for a key in a security key");
		assert_non_null(strstr(f.msg, names[i]));
		assert_non_null(strstr(f.hint, "touched by a person"));
		fix_close(&f);
	}
}

/* A worker that is killed while gpg is at work leaves neither keys nor helpers behind. */
static void test_killed(void **state UNUSED)
{
	_cleanup_str_ char *key = in_dir("pgp/plain"), *parent = status_head();
	struct fix f;
	open_port(&f, key, NULL);
	fix_list(&f);
	fix_ok(&f);
	struct gitport_put put = {"STATUS.md", "never\n", 6};
	struct gitport_publish pub = {
	    .parent = parent, .put = &put, .n_put = 1, .message = "status: killed\n"};
	unsigned before = f.calls;
	gitport_publish(f.port, &pub, fix_got, &f);
	_cleanup_str_ char *home = in_dir("state/gnupg");
	bool seen = false;
	while (f.calls == before && !seen) {
		/* A turn waits for something to happen: let time pass for the look. */
		timer_id timer = clock_timer(loop_clock(f.loop), 1, fix_nothing, NULL);
		assert_int_equal(loop_turn(f.loop, NULL), 0);
		clock_cancel(loop_clock(f.loop), &timer);
		seen = access(home, F_OK) == 0;
	}
	assert_true(seen);
	kill((pid_t)gitwork_pid(f.work), SIGKILL);
	fix_wait(&f);
	fix_failed(&f, ERR_IO, "killed by signal 9");
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.status_head, parent);
	fix_close(&f);
	no_helper_left();
}

FIX_MAIN(sign_run, cmocka_unit_test(test_ssh), cmocka_unit_test(test_pgp),
    cmocka_unit_test(test_hardware), cmocka_unit_test(test_killed))
