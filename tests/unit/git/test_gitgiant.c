/* Objects that claim to be of 10 GB, references that go round in circles, packs of nothing: a
 * finding in bounded time, and nothing else is affected. */
#include "gitfix.h"

#include "githost.h"

/* A pack of one blob that claims 10 GiB and has the data that `script` prints, deflated; then the
 * commit and the tree of the repository as they are. */
static void serve_claim(const char *content)
{
	fix_run("cat >claim.py <<'E'\n"
		"import hashlib, struct, subprocess, sys, zlib\n"
		"size = 10 << 30\n"
		"first = 3 << 4 | size & 15\n"
		"size >>= 4\n"
		"head = bytearray()\n"
		"while size:\n"
		"    head.append(first | 128)\n"
		"    first = size & 127\n"
		"    size >>= 7\n"
		"head.append(first)\n"
		"pack = struct.pack('>4sII', b'PACK', 2, 1) + bytes(head) + zlib.compress(%s)\n"
		"sys.stdout.buffer.write(pack + hashlib.sha1(pack).digest())\n"
		"E\n"
		"python3 claim.py >claim.pack; printf '#!/bin/sh\\ncat %s/claim.pack\\n' >hook; "
		"chmod +x "
		"hook; git config -f srv/.gitconfig uploadpack.packObjectsHook %s/hook",
	    content, fix_dir, fix_dir);
}

static void test_claimed_giant(void **state UNUSED)
{
	_cleanup_str_ char *url = githost_repo(&host, "giant");
	_cleanup_str_ char *head =
	    fix_sh("cd giant; echo a >a.yaml; git add -A; git commit -q -m one; git push -q origin "
		   "HEAD:main; git rev-parse HEAD");
	static const char *const contents[] = {"b'short'", "b'x' * (64 << 20)"};
	struct fix f;
	githost_settings(&host, &f, url);
	fix_open(&f);
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		serve_claim(contents[i]);
		fix_read(&f, head);
		assert_false(f.ok);
		assert_non_null(f.msg);
		if (f.code != ERR_PROTOCOL && f.code != ERR_LIMIT && f.code != ERR_REMOTE &&
		    f.code != ERR_IO && f.code != ERR_UNREACHABLE)
			fail_msg("%s: %s", err_word(f.code), f.msg);
	}
#if !defined(__SANITIZE_ADDRESS__)
	if (gitwork_pid(f.work)) {
		_cleanup_str_ char *kib =
		    fix_sh("awk '/^VmHWM/ {print $2}' /proc/%ld/status", gitwork_pid(f.work));
		assert_true(strtol(kib, NULL, 10) < 200 * 1024);
	}
#endif
	fix_run("rm srv/.gitconfig");
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	fix_close(&f);
}

/* A loose object in a repository on this machine that says 10 GiB in its first bytes: it is beside
 * the manifests, then one of them. */
static void test_claimed_loose(void **state UNUSED)
{
#if defined(__SANITIZE_ADDRESS__) /* whose workers have no limit on memory, see gitjail.c */
	skip();
#endif
	fix_run(
	    "git init -q --bare loose.git; cat >loose.py <<'E'\n"
	    "import hashlib, os, subprocess, zlib\n"
	    "fake = b'blob %%d\\0' %% (10 << 30) + b'x' * 1000\n"
	    "oid = hashlib.sha1(fake).hexdigest()\n"
	    "os.makedirs('loose.git/objects/' + oid[:2], exist_ok=True)\n"
	    "open('loose.git/objects/%%s/%%s' %% (oid[:2], oid[2:]), "
	    "'wb').write(zlib.compress(fake))\n"
	    "print(oid)\n"
	    "E\n"
	    "cd loose.git; b=$(echo a | git hash-object -w --stdin); g=$(cd ..; python3 loose.py)\n"
	    "t=$({ printf '100644 blob %%s\\ta.yaml\\n' $b; printf '100644 blob %%s\\tg.yaml\\n' "
	    "$g; "
	    "} | git mktree --missing)\n"
	    "git update-ref refs/heads/main $(git commit-tree -m giant $t)");
	_cleanup_str_ char *url = mem_printf("file://%s/loose.git", fix_dir);
	_cleanup_str_ char *head = fix_sh("git -C loose.git rev-parse main");
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_read(&f, head);
	assert_false(f.ok);
	if (f.code == ERR_TIMEOUT)
		fail_msg("%s", f.msg);
	fix_list(&f);
	fix_ok(&f);
	fix_close(&f);
}

static void test_loops(void **state UNUSED)
{
	fix_run("git init -q --bare loops.git; cd loops.git; printf 'ref: refs/heads/b\\n' "
		">refs/heads/main; printf 'ref: refs/heads/main\\n' >refs/heads/b; "
		"printf 'ref: refs/heads/self\\n' >refs/heads/self; ln -s x refs/heads/x");
	_cleanup_str_ char *url = mem_printf("file://%s/loops.git", fix_dir);
	struct fix f;
	fix_init(&f, url);
	f.opts.deadline_ms[GITWORK_LIST] = 60000;
	fix_open(&f);
	fix_list(&f);
	/* There is nothing at the end of them: no head, or a plain failure; never a hang. */
	assert_true(f.ok ? !*f.head : f.code != ERR_TIMEOUT);
	fix_close(&f);

	free(githost_repo(&host, "loops"));
	_cleanup_str_ char *served = mem_printf("%s/loops.git", host.base);
	fix_run("cd srv/repos/loops.git; printf 'ref: refs/heads/b\\n' >refs/heads/main; printf "
		"'ref: refs/heads/main\\n' >refs/heads/b");
	githost_settings(&host, &f, served);
	fix_open(&f);
	fix_list(&f);
	assert_true(f.ok ? !*f.head : f.code != ERR_TIMEOUT);
	fix_close(&f);
}

/* Files that change their place, with their folder or alone, are there under the new name, and what
 * they were before can still be read where they were. */
static void test_moved(void **state UNUSED)
{
	_cleanup_str_ char *url = githost_repo(&host, "moved");
	_cleanup_str_ char *one = fix_sh(
	    "cd moved; mkdir -p vms/prod; echo a >vms/prod/a.yaml; echo b >vms/prod/b.yaml; git "
	    "add -A; git commit -q -m one; git push -q origin HEAD:main; git rev-parse HEAD");
	struct fix f;
	githost_settings(&host, &f, url);
	f.opts.setup.path = "vms";
	fix_open(&f);
	fix_read(&f, one);
	fix_ok(&f);
	_cleanup_str_ char *two = fix_sh(
	    "cd moved; git mv vms/prod vms/live; git mv vms/live/b.yaml vms/c.yaml; git commit "
	    "-q -m two; git push -q origin HEAD:main; git rev-parse HEAD");
	fix_read(&f, two);
	fix_ok(&f);
	assert_int_equal(f.n_files, 2);
	fix_has(&f, "live/a.yaml", "a\n");
	fix_has(&f, "c.yaml", "b\n");
	gitport_read_old(f.port, one, "prod/b.yaml", fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	fix_has(&f, "prod/b.yaml", "b\n");
	/* The watched folder itself: told, not taken for an empty one. */
	_cleanup_str_ char *three =
	    fix_sh("cd moved; git mv vms machines; git commit -q -m three; git push -q origin "
		   "HEAD:main; git rev-parse HEAD");
	fix_read(&f, three);
	fix_ok(&f);
	assert_true(f.path_missing);
	fix_close(&f);
}

/* Objects of the other length: told as what it is, when there is a commit and when there is none.
 */
static void test_sha256(void **state UNUSED)
{
	fix_run("git init -q --bare --object-format=sha256 long2.git; git init -q "
		"--object-format=sha256 "
		"long");
	_cleanup_str_ char *url = mem_printf("file://%s/long2.git", fix_dir);
	for (int i = 0; i < 2; i++) {
		struct fix f;
		fix_init(&f, url);
		fix_open(&f);
		fix_list(&f);
		fix_failed(&f, ERR_CONFIG, "names its objects by SHA-256");
		assert_non_null(strstr(f.hint, "--object-format=sha1"));
		fix_publish(&f, "", "STATUS.md", "one\n");
		fix_failed(&f, ERR_CONFIG, "names its objects by SHA-256");
		fix_close(&f);
		if (i == 0)
			fix_run("cd long; echo a >a.yaml; git add -A; git commit -q -m one; git "
				"push -q "
				"../long2.git HEAD:main");
	}
}

/* From now on the server answers with a pack of these objects of the repository `name`. */
static void serve_pack(const char *name, const char *objects)
{
	fix_run("cd %s; git rev-parse %s | git pack-objects -q --stdout >../gaps.pack; printf "
		"'#!/bin/sh\ncat >/dev/null\ncat %s/gaps.pack\n' >../hook; chmod +x ../hook; "
		"git config -f ../srv/.gitconfig uploadpack.packObjectsHook %s/hook",
	    name, objects, fix_dir, fix_dir);
}

/* A pack without one of the files: it is told as missing, the rest is read, and nothing is built on
 * such a reading. */
static void test_gaps(void **state UNUSED)
{
	_cleanup_str_ char *url = githost_repo(&host, "gaps");
	_cleanup_str_ char *head =
	    fix_sh("cd gaps; echo a >a.yaml; echo b >b.yaml; git add -A; git commit -q -m one; "
		   "git push -q origin HEAD:main; git rev-parse HEAD");
	serve_pack("gaps", "HEAD HEAD^{tree} HEAD:a.yaml");
	struct fix f;
	githost_settings(&host, &f, url);
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_true(f.gaps);
	assert_int_equal(f.n_files, 2);
	fix_has(&f, "a.yaml", "a\n");
	fix_skipped(&f, "b.yaml", "missing in the repository");
	fix_close(&f);
	fix_run("rm srv/.gitconfig");
}

/* A pack without the ignore file: what it left out would be taken for manifests, so nothing is. */
static void test_no_ignores(void **state UNUSED)
{
	_cleanup_str_ char *url = githost_repo(&host, "rules");
	_cleanup_str_ char *head =
	    fix_sh("cd rules; echo a >a.yaml; echo b >b.yaml; echo b.yaml >.rametignore; git add "
		   "-A; git commit -q -m one; git push -q origin HEAD:main; git rev-parse HEAD");
	serve_pack("rules", "HEAD HEAD^{tree} HEAD:a.yaml HEAD:b.yaml");
	struct fix f;
	githost_settings(&host, &f, url);
	fix_open(&f);
	fix_read(&f, head);
	fix_failed(&f, ERR_PROTOCOL, ".rametignore cannot be read from the repository");
	fix_close(&f);
	fix_run("rm srv/.gitconfig");
	githost_settings(&host, &f, url);
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_int_equal(f.n_files, 1);
	fix_has(&f, "a.yaml", "a\n");
	fix_close(&f);
}

FIX_MAIN(githost_run, cmocka_unit_test(test_claimed_giant), cmocka_unit_test(test_claimed_loose),
    cmocka_unit_test(test_loops), cmocka_unit_test(test_moved), cmocka_unit_test(test_sha256),
    cmocka_unit_test(test_gaps), cmocka_unit_test(test_no_ignores))
