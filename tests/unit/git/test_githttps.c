/* The port and its worker against git-http-backend behind nginx: TLS 1.3 only, a certificate for an
 * address, an authority of its own, basic authentication. */
#include "gitfix.h"

#include "githost.h"

static void open_port(struct fix *f, const char *url)
{
	init(f, url);
	fix_open(f);
}

/* So many came before this call. A line may be written after the answer was sent: a request of our
 * own, the only worker's next, tells that all are there. */
static long requests(void)
{
	static int mark;
	_cleanup_str_ char *n = fix_sh("curl -sk -o mark.out %s/mark-%d-end\n"
				       "for ((i = 0; i < 3000; i++)); do\n"
				       "	! grep -q mark-%d-end srv/access.log || break\n"
				       "	sleep 0.01\n"
				       "done\n"
				       "grep -vc /mark- srv/access.log || true",
	    host.base, mark, mark);
	mark++;
	return strtol(n, NULL, 10);
}

static void test_round(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("round");
	struct fix f;
	open_port(&f, url);
	fix_list(&f);
	fix_ok(&f);
	assert_true(f.empty);
	assert_non_null(strstr(f.note, "empty"));

	_cleanup_str_ char *one = commit("round", "echo a: 1 >a.yaml");
	_cleanup_str_ char *two = commit("round", "echo a: 2 >a.yaml; echo b >b.yaml");
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, two);
	fix_read(&f, two);
	fix_ok(&f);
	assert_int_equal(f.n_files, 2);
	fix_has(&f, "a.yaml", "a: 2\n");
	gitport_read_old(f.port, one, "a.yaml", fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a: 1\n");

	/* A poll is one request, and what is known is not asked for again. */
	long before = requests();
	for (int i = 0; i < 5; i++)
		fix_list(&f);
	assert_int_equal(requests() - before, 5);
	fix_read(&f, two);
	fix_ok(&f);
	assert_int_equal(requests() - before, 5);

	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_ok(&f);
	_cleanup_str_ char *pub = mem_strdup(f.new_head);
	_cleanup_str_ char *seen =
	    fix_sh("git -C srv/repos/round.git log -1 --format='%%H %%an %%s' "
		   "ramet/status; git -C srv/repos/round.git show "
		   "ramet/status:STATUS.md");
	_cleanup_str_ char *want = mem_printf("%s Ramet status: one file\none", pub);
	assert_string_equal(seen, want);
	fix_list(&f);
	assert_string_equal(f.status_head, pub);
	fix_publish(&f, pub, "vms/a.yaml", "x\n");
	fix_ok(&f);
	_cleanup_str_ char *pub2 = mem_strdup(f.new_head);
	fix_read_status(&f);
	fix_ok(&f);
	assert_string_equal(f.rev, pub2);
	assert_int_equal(f.n_files, 2);
	fix_has(&f, "vms/a.yaml", "x\n");
	fix_has(&f, "STATUS.md", "one\n");

	/* The password is in nobody's arguments or environment. */
	_cleanup_str_ char *leaks =
	    fix_sh("cat /proc/%ld/cmdline /proc/%ld/environ 2>/dev/null | tr '\\0' ' ' | "
		   "grep -c -F '%s' || true",
		gitwork_pid(f.work), gitwork_pid(f.work), host.password);
	assert_string_equal(leaks, "0");
	fix_close(&f);
}

static void test_missing_branch(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("branches");
	free(commit("branches", "echo a >a.yaml"));
	struct fix f;
	init(&f, url);
	f.opts.setup.branch = "mian";
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, "");
	assert_false(f.empty);
	assert_non_null(strstr(f.note, "no branch \"mian\"; there are: main"));
	fix_close(&f);
}

static void test_credentials(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("secret");
	struct fix f;
	init(&f, url);
	f.opts.setup.password = "wrong";
	fix_open(&f);
	long before = requests();
	fix_list(&f);
	fix_failed(&f, ERR_AUTH, "does not accept the password of user \"ramet\"");
	assert_non_null(strstr(f.hint, "git.password_file"));
	assert_int_equal(requests() - before, 1);
	fix_close(&f);

	init(&f, url);
	f.opts.setup.password = NULL;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_AUTH, "wants a password");
	assert_non_null(strstr(f.hint, "git.username and git.password_file"));
	fix_close(&f);

	/* The user may stand in the URL. */
	_cleanup_str_ char *with_user = mem_printf("https://ramet@%s", url + strlen("https://"));
	init(&f, with_user);
	f.opts.setup.username = NULL;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_true(f.empty);
	fix_close(&f);
}

static void test_certificates(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("tls");
	struct fix f;
	init(&f, url);
	f.opts.setup.ca_file = NULL; /* the system's */
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "cannot be trusted");
	assert_non_null(strstr(f.hint, "git.ca_file"));
	fix_close(&f);

	fix_run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "
		"other.key -out other.pem -days 3 -subj '/CN=ramet test CA' 2>/dev/null");
	_cleanup_str_ char *other = mem_printf("%s/other.pem", fix_dir);
	init(&f, url);
	f.opts.setup.ca_file = other;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "cannot be trusted");
	fix_close(&f);

	_cleanup_str_ char *none = mem_printf("%s/none.pem", fix_dir);
	init(&f, url);
	f.opts.setup.ca_file = none;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_CONFIG, "git.ca_file cannot be used");
	fix_close(&f);

	/* A name for which the certificate was not made: it has 127.0.0.1 and localhost. */
	_cleanup_str_ char *port = mem_strdup(strrchr(host.base, ':'));
	_cleanup_str_ char *name = mem_printf("https://ip6-localhost%s/tls.git", port);
	_cleanup_str_ char *hosts =
	    fix_sh("getent ahostsv4 ip6-localhost >/dev/null && echo yes || true");
	if (*hosts) {
		init(&f, name);
		fix_open(&f);
		fix_list(&f);
		fix_failed(&f, ERR_TLS, "cannot be trusted");
		fix_close(&f);
	}
}

static void test_wrong_addresses(void **state UNUSED)
{
	struct fix f;
	_cleanup_str_ char *none = mem_printf("%s/nothing.git", host.base);
	open_port(&f, none);
	fix_list(&f);
	fix_failed(&f, ERR_NOTFOUND, "there is no repository at");
	assert_non_null(strstr(f.hint, "git.url"));
	fix_close(&f);

	_cleanup_str_ char *page = mem_printf("%s/page/x.git", host.base);
	open_port(&f, page);
	fix_list(&f);
	fix_failed(&f, ERR_PROTOCOL, "not as a Git server");
	assert_non_null(strstr(f.hint, "git.url"));
	fix_close(&f);

	/* Nobody listens on the port. */
	open_port(&f, "https://127.0.0.1:1/x.git");
	fix_list(&f);
	fix_failed(&f, ERR_UNREACHABLE, "no connection to the Git server");
	assert_non_null(f.hint);
	fix_close(&f);

	/* TLS is spoken there. */
	_cleanup_str_ char *clear = mem_printf("http%s/x.git", host.base + strlen("https"));
	open_port(&f, clear);
	fix_list(&f);
	fix_failed(&f, ERR_PROTOCOL, "status 400");
	fix_close(&f);
}

static void test_redirects(void **state UNUSED)
{
	free(make_repo("target"));
	_cleanup_str_ char *head = commit("target", "echo a >a.yaml");
	_cleanup_str_ char *moved = mem_printf("%s/moved/target.git", host.base);
	struct fix f;
	open_port(&f, moved);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	fix_publish(&f, "", "STATUS.md", "moved\n");
	fix_ok(&f);
	fix_close(&f);

	/* To another host the password is not carried. */
	_cleanup_str_ char *away = mem_printf("%s/away/target.git", host.base);
	open_port(&f, away);
	fix_list(&f);
	fix_failed(&f, ERR_PROTOCOL, "redirect (301) to another place");
	assert_non_null(strstr(f.hint, "set git.url"));
	fix_close(&f);
}

static void test_hooks(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("hooks");
	fix_run("printf '%%s\\n' '#!/bin/sh' 'echo \"no reports\" >&2' "
		"'printf \"on \\\\033[31mFridays\\\\007\\\\n\" >&2' 'exit 1' "
		">srv/repos/hooks.git/hooks/pre-receive; chmod +x "
		"srv/repos/hooks.git/hooks/pre-receive");
	struct fix f;
	open_port(&f, url);
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_failed(&f, ERR_DECLINED, "pre-receive hook declined");
	assert_false(f.rejected);
	assert_non_null(strstr(f.msg, "no reports\non ?[31mFridays?"));
	assert_non_null(f.hint);
	_cleanup_str_ char *refs = fix_sh("git -C srv/repos/hooks.git for-each-ref");
	assert_string_equal(refs, "");

	/* Never more of it than a person can read. */
	fix_run(
	    "printf '%%s\\n' '#!/bin/sh' 'head -c 1000000 /dev/zero | tr \"\\\\0\" y >&2' 'exit 1' "
	    ">srv/repos/hooks.git/hooks/pre-receive");
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_failed(&f, ERR_DECLINED, "pre-receive hook declined");
	assert_true(strlen(f.msg) < 4096);

	/* One branch is refused by the update hook, then nothing is. */
	fix_run("cd srv/repos/hooks.git/hooks; rm pre-receive; printf '%%s\\n' '#!/bin/sh' 'exit "
		"1' >update; "
		"chmod +x update");
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_failed(&f, ERR_DECLINED, "hook declined");
	fix_run("rm srv/repos/hooks.git/hooks/update");
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_ok(&f);
	fix_close(&f);
}

static void test_race(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("race");
	_cleanup_str_ char *other_state = mem_printf("%s/state-b", fix_dir);
	struct fix a, b;
	open_port(&a, url);
	init(&b, url);
	b.opts.setup.dir = other_state;
	fix_open(&b);
	fix_publish(&a, "", "STATUS.md", "a0\n");
	fix_ok(&a);
	_cleanup_str_ char *parent = mem_strdup(a.new_head);

	/* Both build on the same head: one gets it, the other rebuilds. */
	fix_publish(&b, parent, "b.md", "b1\n");
	fix_ok(&b);
	_cleanup_str_ char *winner = mem_strdup(b.new_head);
	fix_publish(&a, parent, "a.md", "a1\n");
	fix_failed(&a, ERR_CONFLICT, "moved in the meantime");
	assert_true(a.rejected);
	fix_read_status(&a);
	fix_ok(&a);
	assert_string_equal(a.rev, winner);
	fix_publish(&a, winner, "a.md", "a1\n");
	fix_ok(&a);
	_cleanup_str_ char *tree =
	    fix_sh("git -C srv/repos/race.git ls-tree --name-only ramet/status");
	assert_string_equal(tree, "STATUS.md\na.md\nb.md");

	/* The branch moves while the server already looks at our push. */
	_cleanup_str_ char *third = mem_strdup(a.new_head);
	fix_run("cd srv/repos/race.git; printf '%%s\\n' '#!/bin/sh' "
		"'git update-ref refs/heads/ramet/status %s' >hooks/update; chmod +x hooks/update",
	    winner);
	fix_publish(&a, third, "a.md", "a2\n");
	fix_failed(&a, ERR_CONFLICT, "moved in the meantime");
	assert_true(a.rejected);
	fix_run("rm srv/repos/race.git/hooks/update");
	fix_publish(&a, winner, "a.md", "a3\n");
	fix_ok(&a);

	/* It was deleted: nobody brings it back by accident. */
	_cleanup_str_ char *last = mem_strdup(a.new_head);
	fix_run("git -C srv/repos/race.git update-ref -d refs/heads/ramet/status");
	fix_publish(&a, last, "a.md", "a4\n");
	fix_failed(&a, ERR_CONFLICT, "moved in the meantime");
	assert_true(a.rejected);
	fix_publish(&a, "", "a.md", "a5\n");
	fix_ok(&a);
	fix_close(&a);
	fix_close(&b);
}

/* Whether we may push is asked while a controller reports: its push in between is no refusal. */
static void test_rehearsal(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("rehearsal");
	struct fix f;
	open_port(&f, url);
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_ok(&f);
	_cleanup_str_ char *first = mem_strdup(f.new_head);
	fix_publish(&f, first, "STATUS.md", "two\n");
	fix_ok(&f);
	_cleanup_str_ char *second = mem_strdup(f.new_head);
	fix_can_push(&f);
	fix_ok(&f);
	assert_string_equal(f.new_head, second);

	/* The hook moves the branch as often as the file `left` says. */
	fix_run("cd srv/repos/rehearsal.git; printf '%%s\n' '#!/bin/sh' 'read -r n <left' "
		"'[ $n -gt 0 ] || exit 0' 'echo $((n - 1)) >left' "
		"'[ $2 = %s ] && to=%s || to=%s' 'git update-ref refs/heads/ramet/status $to' "
		">hooks/update; chmod +x hooks/update; echo 1 >left",
	    first, second, first);
	fix_can_push(&f);
	fix_ok(&f);
	assert_string_equal(f.new_head, first);
	_cleanup_str_ char *left = fix_sh("cat srv/repos/rehearsal.git/left");
	assert_string_equal(left, "0");

	/* Without an end it is given up, and nothing was changed by us. */
	fix_run("echo 1000000 >srv/repos/rehearsal.git/left");
	fix_can_push(&f);
	fix_failed(&f, ERR_CONFLICT, "moved each of the 5 times");
	assert_non_null(strstr(f.hint, "report.branch"));

	/* A refusal is told at once. */
	fix_run("printf '#!/bin/sh\nexit 1\n' >srv/repos/rehearsal.git/hooks/update");
	fix_can_push(&f);
	fix_failed(&f, ERR_DECLINED, "hook declined");
	fix_close(&f);
}

/* Objects of the other length: told as what it is, when there is a commit and when there is none.
 */
static void test_sha256(void **state UNUSED)
{
	fix_run("git init -q --bare --object-format=sha256 srv/repos/long.git; git init -q "
		"--object-format=sha256 "
		"long");
	_cleanup_str_ char *url = mem_printf("%s/long.git", host.base);
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
				"../srv/repos/long.git HEAD:main");
	}
}

static void test_large(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("large");
	_cleanup_str_ char *head =
	    commit("large", "head -c 8000000 /dev/urandom >big.yaml; echo a >a.yaml");
	struct fix f;
	open_port(&f, url);
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	fix_skipped(&f, "big.yaml", "larger than 1");

	/* A push that does not fit into one piece. */
	size_t len = (size_t)3 << 20;
	char *noise = mem_alloc(len);
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		noise[i] = (char)x;
	}
	struct gitport_put put[] = {{"one.bin", noise, len}, {"two.bin", noise + 1, len - 1}};
	gitport_publish(f.port,
	    &(struct gitport_publish){.parent = "", .put = put, .n_put = 2, .message = "large"},
	    fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	_cleanup_str_ char *size =
	    fix_sh("git -C srv/repos/large.git cat-file -s ramet/status:one.bin; "
		   "git -C srv/repos/large.git cat-file -s ramet/status:two.bin; "
		   "git -C srv/repos/large.git fsck 2>&1 | grep -c error || true");
	assert_string_equal(size, "3145728\n3145727\n0");
	free(noise);
	fix_close(&f);

	/* The same repository within a limit that it exceeds. */
	_cleanup_str_ char *other = mem_printf("%s/state-c", fix_dir);
	init(&f, url);
	f.opts.setup.dir = other;
	f.opts.setup.max_pack_bytes = 5 << 20;
	fix_open(&f);
	fix_read(&f, head);
	fix_failed(&f, ERR_LIMIT, "sends more than 5");
	assert_non_null(f.hint);
	fix_list(&f);
	fix_ok(&f);
	fix_close(&f);
}

FIX_MAIN(githost_run, cmocka_unit_test(test_round), cmocka_unit_test(test_missing_branch),
    cmocka_unit_test(test_credentials), cmocka_unit_test(test_certificates),
    cmocka_unit_test(test_wrong_addresses), cmocka_unit_test(test_redirects),
    cmocka_unit_test(test_hooks), cmocka_unit_test(test_race), cmocka_unit_test(test_rehearsal),
    cmocka_unit_test(test_sha256), cmocka_unit_test(test_large))
