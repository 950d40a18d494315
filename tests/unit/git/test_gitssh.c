/* The port and its worker against a real sshd, and what its client's words mean. */
#include "gitsshhost.h"

#include "gitsshwords.h"

static void test_round(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("round");
	_cleanup_str_ char *head =
	    commit("round", "echo a >a.yaml; head -c 2000000 /dev/urandom >big.yaml");
	struct fix f;
	init(&f, url);
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	fix_skipped(&f, "big.yaml", "larger than 1");
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_ok(&f);
	_cleanup_str_ char *one = mem_strdup(f.new_head);
	fix_publish(&f, one, "STATUS.md", "two\n");
	fix_ok(&f);
	fix_read_status(&f);
	fix_ok(&f);
	fix_has(&f, "STATUS.md", "two\n");
	fix_publish(&f, one, "STATUS.md", "three\n");
	fix_failed(&f, ERR_CONFLICT, "moved in the meantime");
	assert_true(f.rejected);

	fix_run("printf '#!/bin/sh\\necho no reports >&2\\nexit 1\\n' "
		">repos/round.git/hooks/pre-receive; "
		"chmod +x repos/round.git/hooks/pre-receive");
	fix_list(&f);
	_cleanup_str_ char *now = mem_strdup(f.status_head);
	fix_publish(&f, now, "STATUS.md", "four\n");
	fix_failed(&f, ERR_DECLINED, "pre-receive hook declined: no reports");
	fix_close(&f);
	/* No ssh stays behind. */
	_cleanup_str_ char *left = fix_sh("pgrep -f '%s/[s]rv/known_hosts' || true", fix_dir);
	assert_string_equal(left, "");
}

static void test_keys(void **state UNUSED)
{
	free(make_repo("odd"));
	_cleanup_str_ char *head = commit("odd", "echo a >a.yaml");
	fix_run("mv repos/odd.git \"repos/it's; odd!.git\"");
	/* The URL writes them as percent signs. */
	_cleanup_str_ char *coded = mem_printf("%s/it%%27s;%%20odd!.git", base);
	static const struct {
		const char *key, *passphrase;
		enum err_code code;
		const char *in_msg;
	} cases[] = {
	    {"key", NULL, ERR__MAX, NULL},
	    {"key_rsa", NULL, ERR__MAX, NULL},
	    {"key_locked", "passphrase", ERR__MAX, NULL},
	    {"key_locked", "key.pub", ERR_AUTH, "does not accept the key"},
	    {"key_locked", NULL, ERR_AUTH, "does not accept the key"},
	    {"key_stranger", NULL, ERR_AUTH, "does not accept the key"},
	    {"key.pub", NULL, ERR_CONFIG, "git.ssh_key_file cannot be used"},
	    {"none", NULL, ERR_CONFIG, "git.ssh_key_file cannot be read"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_str_ char *file = mem_printf("%s/srv/%s", fix_dir, cases[i].key);
		_cleanup_str_ char *secret =
		    cases[i].passphrase ? mem_printf("%s/srv/%s", fix_dir, cases[i].passphrase)
					: NULL;
		struct fix f;
		init(&f, coded);
		f.opts.setup.ssh_key_file = file;
		f.opts.setup.ssh_passphrase_file = secret;
		fix_open(&f);
		fix_list(&f);
		if (cases[i].in_msg) {
			fix_failed(&f, cases[i].code, cases[i].in_msg);
			assert_non_null(f.hint);
			assert_true(!secret || strstr(f.hint, "git.ssh_passphrase_file"));
		} else {
			fix_ok(&f);
			assert_string_equal(f.head, head);
		}
		fix_close(&f);
	}
	fix_run("cp srv/key srv/key_open; chmod 644 srv/key_open");
	_cleanup_str_ char *open_key = mem_printf("%s/srv/key_open", fix_dir);
	struct fix f;
	init(&f, coded);
	f.opts.setup.ssh_key_file = open_key;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_CONFIG, "others may read git.ssh_key_file");
	assert_non_null(strstr(f.hint, "chmod 600"));
	fix_close(&f);
}

static void test_wrong_places(void **state UNUSED)
{
	_cleanup_str_ char *none = mem_printf("%s/nothing.git", base);
	struct fix f;
	init(&f, none);
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_NOTFOUND, "there is no repository");
	fix_close(&f);

	init(&f, "ssh://git@127.0.0.1:1/x.git");
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_UNREACHABLE, "no connection");
	fix_close(&f);
}

static void test_host_keys(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("hostkeys");
	_cleanup_str_ char *head = commit("hostkeys", "echo a >a.yaml");
	_cleanup_str_ char *file = mem_printf("%s/known", fix_dir);
	struct fix f;

	/* Unknown: never trusted, and not written down either. */
	fix_run(": >known");
	init(&f, url);
	f.opts.setup.known_hosts_file = file;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "no host key of this server is known");
	assert_non_null(strstr(f.hint, "ssh-keyscan"));
	_cleanup_str_ char *size = fix_sh("stat -c %%s known");
	assert_string_equal(size, "0");

	/* Hashed lines, and only the key of one type. */
	fix_run("grep ed25519 srv/known_hosts >known; ssh-keygen -q -H -f known 2>/dev/null; rm -f "
		"known.old");
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_run("grep rsa srv/known_hosts >known");
	fix_list(&f);
	fix_ok(&f);
	/* Keys of others and older ones of the same host beside it; a name pattern; a revoked one.
	 * Files that take the place of others are read at once. */
	fix_run(
	    "{ echo \"example.org $(cut -d' ' -f1,2 srv/key.pub)\"; echo \"[127.0.0.1]:$(cat "
	    "srv/port) $(cut -d' ' -f1,2 srv/key.pub)\"; grep ecdsa srv/known_hosts; "
	    "grep ed25519 srv/known_hosts; } >known; ssh-keygen -q -H -f known 2>/dev/null; rm -f "
	    "known.old");
	fix_list(&f);
	fix_ok(&f);
	fix_run(
	    "echo \"[127.0.0.*]:$(cat srv/port) $(cut -d' ' -f1,2 srv/host_ed25519.pub)\" >known");
	fix_list(&f);
	fix_ok(&f);
	fix_run("for t in ed25519 rsa ecdsa; do echo \"@revoked * $(cut -d' ' -f1,2 "
		"srv/host_$t.pub)\"; done >known; cat srv/known_hosts >>known");
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "marked as revoked");
	assert_non_null(strstr(f.hint, "do not trust this server"));

	/* One key rotated: the server proves itself by the other. */
	fix_run("cp srv/known_hosts known; %s rekey srv ed25519", server);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_read(&f, head);
	fix_ok(&f);
	fix_close(&f);

	/* All keys are others than the known ones. */
	fix_run("%s rekey srv rsa; %s rekey srv ecdsa", server, server);
	init(&f, url);
	f.opts.setup.known_hosts_file = file;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "the host key is not the known one");
	assert_non_null(strstr(f.hint, "compare the new fingerprint"));
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "the host key is not the known one");

	/* A person has put it right. */
	fix_run("cd srv; for t in ed25519 rsa ecdsa; do echo \"[127.0.0.1]:$(cat port) $(cut -d' ' "
		"-f1,2 "
		"host_$t.pub)\"; done >known_hosts; cp known_hosts ../known");
	fix_list(&f);
	fix_ok(&f);
	fix_close(&f);
}

/* Objects of the other length: told as what it is, when there is a commit and when there is none.
 */
static void test_sha256(void **state UNUSED)
{
	fix_run("git init -q --bare --object-format=sha256 repos/long.git; git init -q "
		"--object-format=sha256 "
		"long");
	_cleanup_str_ char *url = mem_printf("%s/long.git", base);
	for (int i = 0; i < 2; i++) {
		struct fix f;
		init(&f, url);
		fix_open(&f);
		/* An empty one says nothing at all to those who read. */
		fix_list(&f);
		if (i == 0) {
			assert_true(f.empty);
		} else {
			fix_failed(&f, ERR_CONFIG, "names its objects by SHA-256");
			assert_non_null(strstr(f.hint, "--object-format=sha1"));
		}
		fix_publish(&f, "", "STATUS.md", "one\n");
		fix_failed(&f, ERR_CONFIG, "names its objects by SHA-256");
		fix_close(&f);
		if (i == 0)
			fix_run("cd long; echo a >a.yaml; git add -A; git commit -q -m one; git "
				"push -q "
				"../repos/long.git HEAD:main");
	}
}

/* Host keys that an authority vouches for: the list knows the authority alone. */
static void test_host_certificates(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("certified");
	_cleanup_str_ char *head = commit("certified", "echo a >a.yaml");
	_cleanup_str_ char *file = mem_printf("%s/authorities", fix_dir);
	struct fix f;
	fix_run("%s certify srv -1h:+1d\n"
		"ca=$(cut -d' ' -f1,2 srv/ca.pub); echo \"@cert-authority [127.0.0.1]:* $ca\" "
		">authorities",
	    server);
	init(&f, url);
	f.opts.setup.known_hosts_file = file;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);

	/* Of another authority, of one for other hosts, and of one that is not trusted any more. */
	fix_run("echo \"@cert-authority * $(cut -d' ' -f1,2 srv/key.pub)\" >authorities");
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "no host key of this server is known");
	fix_run(
	    "echo \"@cert-authority *.example.org $(cut -d' ' -f1,2 srv/ca.pub)\" >authorities");
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "no host key of this server is known");
	fix_run("ca=$(cut -d' ' -f1,2 srv/ca.pub); echo \"@cert-authority * $ca\" >authorities\n"
		"echo \"@revoked * $ca\" >>authorities");
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "revoked");
	assert_non_null(f.hint);

	fix_run("%s certify srv -2d:-1d; echo \"@cert-authority * $(cut -d' ' -f1,2 srv/ca.pub)\" "
		">authorities",
	    server);
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "the certificate of the host key is not valid");
	assert_non_null(strstr(f.hint, "administrator"));
	fix_close(&f);
}

/* A server that says hello and then nothing: the worker itself gives up, or dies at the deadline
 * together with its ssh. */
static void test_silence(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("silent");
	fix_run(
	    "echo 'command=\"sleep 1000\" '\"$(cat srv/key_stranger.pub)\" >>srv/authorized_keys");
	_cleanup_str_ char *slow = mem_printf("%s/srv/key_stranger", fix_dir);
	struct fix f;
	init(&f, url);
	f.opts.setup.ssh_key_file = slow;
	f.opts.setup.stall_ms = 1500;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TIMEOUT, "the Git server is silent");
	fix_close(&f);

	init(&f, url);
	f.opts.setup.ssh_key_file = slow;
	f.opts.deadline_ms[GITWORK_LIST] = 700;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TIMEOUT, "listing the branches took longer");
	_cleanup_str_ char *left = fix_sh("pgrep -f '[U]serKnownHostsFile=.%s' || true", fix_dir);
	assert_string_equal(left, "");
	fix_close(&f);
}

static void test_words(void **state UNUSED)
{
	static const struct {
		const char *words;
		int status;
		enum err_code code;
		const char *in_msg;
	} cases[] = {
	    {"", 127, ERR_CONFIG, "there is no ssh program"},
	    {"ssh: Could not resolve hostname git.invalid: Name or service not known\r\n", 255,
		ERR_UNREACHABLE, "unknown"},
	    {"ssh: connect to host 192.0.2.1 port 22: Connection timed out\r\n", 255, ERR_TIMEOUT,
		"does not answer"},
	    {"git@h: Permission denied (publickey).\r\n", 255, ERR_AUTH, "does not accept the key"},
	    {"Load key \"/k\": error in libcrypto\r\ngit@h: Permission denied (publickey).\r\n",
		255, ERR_CONFIG, "cannot be used"},
	    {"ERROR: Repository not found.\n", 1, ERR_NOTFOUND, "no repository"},
	    {"bash: line 1: git-upload-pack: command not found\n", 127, ERR_REMOTE,
		"cannot serve Git: bash: line 1"},
	    {"something\x1b[2J else\n", 3, ERR_REMOTE, "status 3: something?[2J else"},
	    {"", 255, ERR_UNREACHABLE, "status 255"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_err_ struct err *err = NULL;
		gitsshwords_blame("h", cases[i].words, cases[i].status, &err);
		if (err->code != cases[i].code || !strstr(err->msg, cases[i].in_msg))
			fail_msg("%zu: %s %s", i, err_word(err->code), err->msg);
		assert_non_null(err->hint);
	}
	static const char changed[] =
	    "@@@@@@@@\r\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@@\r\n"
	    "The fingerprint for the RSA key sent by the remote host is\nSHA256:abc+/1.\r\n"
	    "Offending ED25519 key in /k:1\r\nHost key verification failed.\r\n";
	_cleanup_err_ struct err *err = NULL;
	assert_string_equal(gitsshwords_changed(changed), "*rsa*");
	assert_true(gitsshwords_is_hostkey(changed));
	gitsshwords_blame("h", changed, 255, &err);
	assert_string_equal(
	    err->msg, "h: the host key is not the known one: it shows RSA SHA256:abc+/1");
	assert_null(gitsshwords_changed("Host key verification failed."));
	assert_null(gitsshwords_changed(" key sent by the remote host is\n"));
}

FIX_MAIN(sshhost_run, cmocka_unit_test(test_words), cmocka_unit_test(test_round),
    cmocka_unit_test(test_keys), cmocka_unit_test(test_wrong_places),
    cmocka_unit_test(test_host_keys), cmocka_unit_test(test_host_certificates),
    cmocka_unit_test(test_sha256), cmocka_unit_test(test_silence))
