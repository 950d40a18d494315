/* The port and its worker against repositories on this machine. */
#include "gitfix.h"

static char *make_repo(const char *name)
{
	fix_run("git init -q --bare %s.git; git init -q %s; cd %s; git remote add origin ../%s.git",
	    name, name, name, name);
	return mem_printf("file://%s/%s.git", fix_dir, name);
}

static char *commit(const char *name, const char *script)
{
	return fix_sh(
	    "cd %s; %s\ngit add -A; git commit -q -m 'A change'; git push -q origin HEAD:main; "
	    "git rev-parse HEAD",
	    name, script);
}

static void test_list_read(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("plain");
	_cleanup_str_ char *one =
	    commit("plain", "mkdir -p vms/prod; echo a: 1 >vms/a.yaml; "
			    "echo b >vms/prod/b.yml; echo x >vms/notes.txt; "
			    "echo out >out.yaml; printf 'a\\0b' >vms/bin.yaml");
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.path = "/vms/";
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, one);
	assert_string_equal(f.status_head, "");
	assert_string_equal(f.note, "");
	assert_false(f.empty);

	fix_read(&f, one);
	fix_ok(&f);
	assert_string_equal(f.rev, one);
	assert_int_equal(f.n_files, 3);
	assert_string_equal(f.files[0].path, "a.yaml");
	assert_string_equal(f.files[1].path, "bin.yaml");
	assert_string_equal(f.files[2].path, "prod/b.yml");
	fix_has(&f, "a.yaml", "a: 1\n");
	fix_has(&f, "prod/b.yml", "b\n");
	assert_int_equal(f.files[1].len, 3);
	assert_memory_equal(f.files[1].data, "a\0b", 3);
	assert_string_equal(f.author, "Dora");
	assert_string_equal(f.subject, "A change");
	_cleanup_str_ char *at = fix_sh("git -C plain log -1 --format=%%ct");
	assert_int_equal(f.commit_wall_ms, strtoll(at, NULL, 10) * 1000);
	_cleanup_str_ char *oid = fix_sh("git -C plain rev-parse HEAD:vms/a.yaml");
	assert_string_equal(fix_file(&f, "a.yaml")->oid, oid);
	assert_false(f.truncated);
	assert_false(f.path_missing);

	/* A later head, then the older one again, and one file of it. */
	_cleanup_str_ char *two =
	    commit("plain", "echo a: 2 >vms/a.yaml; git rm -q vms/prod/b.yml");
	fix_list(&f);
	assert_string_equal(f.head, two);
	fix_read(&f, two);
	fix_ok(&f);
	assert_int_equal(f.n_files, 2);
	fix_has(&f, "a.yaml", "a: 2\n");
	fix_read(&f, one);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a: 1\n");
	gitport_read_old(f.port, one, "prod/b.yml", fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	assert_int_equal(f.n_files, 1);
	fix_has(&f, "prod/b.yml", "b\n");
	gitport_read_old(f.port, two, "prod/b.yml", fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	assert_true(f.path_missing);
	assert_int_equal(f.n_files, 0);

	fix_read(&f, "0123456789012345678901234567890123456789");
	fix_failed(&f, ERR_NOTFOUND, "is not in the history of refs/heads/main");
	assert_non_null(f.hint);
	fix_close(&f);
}

static void test_missing(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("missing");
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_true(f.empty);
	assert_string_equal(f.head, "");
	assert_non_null(strstr(f.note, "the repository is empty"));
	fix_read_status(&f);
	fix_ok(&f);
	assert_string_equal(f.rev, "");
	assert_int_equal(f.n_files, 0);

	_cleanup_str_ char *one = commit("missing", "echo a >a.yaml");
	fix_run("cd missing; git push -q origin HEAD:develop HEAD:prod; "
		"git -C ../missing.git update-ref -d refs/heads/main");
	fix_list(&f);
	fix_ok(&f);
	assert_false(f.empty);
	assert_string_equal(f.head, "");
	assert_non_null(strstr(f.note, "no branch \"main\"; there are: develop, prod"));
	fix_close(&f);

	/* The folder is not there: no error, but not the same as an empty one. */
	fix_init(&f, url);
	f.opts.setup.branch = "refs/heads/prod";
	f.opts.setup.path = "vms";
	fix_open(&f);
	fix_list(&f);
	assert_string_equal(f.head, one);
	fix_read(&f, one);
	fix_ok(&f);
	assert_true(f.path_missing);
	fix_close(&f);

	_cleanup_str_ char *nowhere = mem_printf("file://%s/nowhere.git", fix_dir);
	fix_init(&f, nowhere);
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_NOTFOUND, "no repository at");
	assert_string_equal(f.hint, "check git.url");
	fix_close(&f);

	fix_run("mkdir -p folder");
	_cleanup_str_ char *folder = mem_printf("file://%s/folder", fix_dir);
	fix_init(&f, folder);
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_NOTFOUND, "folder");
	assert_non_null(f.hint);
	fix_close(&f);
}

static void test_tag_and_space(void **state UNUSED)
{
	fix_run("mkdir -p 'with space'; git init -q --bare 'with space/r.git'; git init -q tagged; "
		"cd tagged; git remote add origin '../with space/r.git'");
	_cleanup_str_ char *one = commit("tagged", "echo a >a.yaml");
	fix_run("cd tagged; git tag -a -m rel v1; git push -q origin v1");
	_cleanup_str_ char *url = mem_printf("file://%s/with%%20space/r.git", fix_dir);
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.branch = "refs/tags/v1";
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, one);
	fix_read(&f, one);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	fix_close(&f);
}

static void test_hostile_tree(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("hostile");
	free(make_repo("sub"));
	free(commit("sub", "echo s >s.yaml"));
	_cleanup_str_ char *head = commit("hostile",
	    "echo good >good.yaml; ln -s good.yaml link.yaml; "
	    "head -c 1048577 /dev/zero >huge.yaml; head -c 1048576 /dev/zero >fits.yaml\n"
	    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:0\\nsize 3\\n' "
	    ">lfs.yaml\n"
	    "printf x >$'line\\nfeed.yaml'; printf x >$'bad\\xff.yaml'; "
	    "printf x >$'e\\xcc\\x81.yaml'; printf x >$'\\xc3\\xa9.yaml'\n"
	    "d=.; for i in $(seq 100); do d=$d/d; done; mkdir -p $d; echo deep >$d/deep.yaml\n"
	    "git -c protocol.file.allow=always submodule --quiet add ../sub.git module");
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "good.yaml", "good\n");
	fix_has(&f, "\xc3\xa9.yaml", "x");
	assert_int_equal(fix_file(&f, "fits.yaml")->len, 1048576);
	fix_skipped(&f, "link.yaml", "symbolic link");
	fix_skipped(&f, "huge.yaml", "larger than 1");
	fix_skipped(&f, "lfs.yaml", "Git LFS");
	fix_skipped(&f, "module", "submodule");
	fix_skipped(&f, "line\\x0afeed.yaml", "control character");
	fix_skipped(&f, "bad\\xff.yaml", "not UTF-8");
	fix_skipped(&f, "e\xcc\x81.yaml", "combining character");
	struct buf deep;
	buf_init(&deep, 0);
	for (int i = 0; i < 65; i++)
		buf_addf(&deep, "%sd", i ? "/" : "");
	fix_skipped(&f, buf_str(&deep), "nested deeper than 64");
	buf_fini(&deep);
	assert_int_equal(f.n_files, 11);
	assert_false(f.truncated);
	fix_close(&f);
}

/* Trees that no client makes: names with slashes and dots, twice the same, folders in folders in
 * numbers that would never end. */
static void test_forged_tree(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("forged");
	_cleanup_str_ char *head =
	    fix_sh("cd forged.git; b=$(echo x | git hash-object -w --stdin); r=$(printf %%s $b | "
		   "sed 's/../\\\\x&/g')\n"
		   "e=$(git mktree </dev/null | sed 's/../\\\\x&/g')\n"
		   "{ printf '100644 ..\\0'\"$r\"; printf '100644 a.yaml\\0'\"$r\"; "
		   "printf '100644 a.yaml\\0'\"$r\"; printf '100644 b/../../c.yaml\\0'\"$r\"; "
		   "printf '40000 .GIT\\0'\"$e\"; printf '100644 ok.yaml\\0'\"$r\"; } >../tree\n"
		   "t=$(git hash-object -w --literally -t tree ../tree)\n"
		   "c=$(git commit-tree -m forged $t); git update-ref refs/heads/main $c; echo $c");
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "ok.yaml", "x\n");
	fix_skipped(&f, ".GIT", "disguise");
	fix_skipped(&f, "a.yaml", "twice");
	fix_skipped(&f, "b/../../c.yaml", "slash");
	fix_close(&f);

	/* Ten times the same folder, ten levels deep: ten thousand million paths from eleven
	 * objects. */
	_cleanup_str_ char *bomb =
	    fix_sh("cd forged.git; b=$(echo x | git hash-object -w --stdin)\n"
		   "t=$(printf '100644 blob %%s\\tx.yaml\\n' $b | git mktree)\n"
		   "for l in $(seq 10); do t=$(for i in $(seq 10); do printf '040000 tree "
		   "%%s\\td%%d\\n' $t $i; "
		   "done | git mktree); done\n"
		   "c=$(git commit-tree -m bomb $t); git update-ref refs/heads/main $c; echo $c");
	fix_init(&f, url);
	f.opts.setup.max_files = 1000;
	fix_open(&f);
	fix_read(&f, bomb);
	fix_ok(&f);
	assert_true(f.truncated);
	assert_true(f.n_files <= 1000);
	fix_close(&f);
}

static void test_limits(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("limits");
	_cleanup_str_ char *head =
	    commit("limits", "for i in $(seq 100 130); do head -c 1000 /dev/zero >f$i.yaml; done");
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.max_files = 30;
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_true(f.truncated);
	assert_int_equal(f.n_files, 30);
	fix_close(&f);

	fix_init(&f, url);
	f.opts.setup.max_total_bytes = 5500;
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_true(f.truncated);
	assert_int_equal(f.n_files, 5);
	fix_close(&f);

	fix_init(&f, url);
	f.opts.setup.max_files = 31;
	f.opts.setup.max_total_bytes = 31000;
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_false(f.truncated);
	assert_int_equal(f.n_files, 31);
	fix_close(&f);
}

static enum gitport_relation relation;

static void got_relation(void *arg, const struct gitport_result *r)
{
	relation = r->relation;
	fix_got(arg, r);
}

static enum gitport_relation compare(struct fix *f, const char *rev, const char *base)
{
	assert_true(gitport_compare(f->port, rev, base, got_relation, f) != 0);
	fix_wait(f);
	return f->ok ? relation : GITPORT_RELATION__MAX;
}

static void test_compare(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("compare");
	_cleanup_str_ char *one = commit("compare", "echo 1 >a.yaml");
	_cleanup_str_ char *two = commit("compare", "echo 2 >a.yaml");
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	assert_int_equal(compare(&f, two, one), GITPORT_AHEAD);
	assert_int_equal(compare(&f, one, two), GITPORT_BEHIND);
	assert_int_equal(compare(&f, two, two), GITPORT_SAME);
	/* The branch is rewritten; the older head is still in the cache. */
	_cleanup_str_ char *other =
	    fix_sh("cd compare; git reset -q --hard %s; echo 3 >a.yaml; git commit -q -a -m other; "
		   "git push -q -f origin HEAD:main; git rev-parse HEAD",
		one);
	assert_int_equal(compare(&f, other, two), GITPORT_DIVERGED);
	assert_int_equal(compare(&f, other, one), GITPORT_AHEAD);
	fix_close(&f);

	/* After a loss of the cache nobody knows it any more. */
	fix_run("rm -rf state; git -C compare.git reflog expire --expire=now --all; git -C "
		"compare.git gc "
		"-q --prune=now");
	fix_init(&f, url);
	fix_open(&f);
	assert_int_equal(compare(&f, other, two), GITPORT_UNKNOWN);
	assert_int_equal(compare(&f, two, one), GITPORT_RELATION__MAX);
	fix_failed(&f, ERR_NOTFOUND, "is not in the history");
	fix_close(&f);
}

/* What the ignore file names is not there, neither as a file nor as a finding. */
static void test_ignored(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("ignored");
	_cleanup_str_ char *head = commit("ignored",
	    "mkdir -p vms/old/deep vms/lab/tmp vms/keep; cd vms\n"
	    "for f in a b.example x.tmp old/1 old/deep/2 lab/3 lab/tmp/4 lab/b.example keep/old; "
	    "do "
	    "echo $f >$f.yaml; done\n"
	    "head -c 2000000 /dev/zero >old/huge.yaml; ln -s a.yaml lab/tmp/link.yaml\n"
	    "printf '# "
	    "comment\\n\\nold/\\n*.example.yaml\\n!lab/b.example.yaml\\n/lab/tmp\\n*.tmp.yaml\\n' "
	    ">.rametignore; cd ..; printf 'vms\\n' >.rametignore");
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.path = "vms";
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_int_equal(f.n_files, 4);
	fix_has(&f, "a.yaml", "a\n");
	fix_has(&f, "lab/3.yaml", "lab/3\n");
	fix_has(&f, "lab/b.example.yaml", "lab/b.example\n");
	fix_has(&f, "keep/old.yaml", "keep/old\n");
	/* One that was taken in earlier can still be read by its name. */
	gitport_read_old(f.port, head, "old/1.yaml", fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	fix_has(&f, "old/1.yaml", "old/1\n");

	/* The rules of one revision do not linger. */
	_cleanup_str_ char *without = commit("ignored", "git rm -q vms/.rametignore");
	fix_read(&f, without);
	fix_ok(&f);
	assert_int_equal(f.n_files, 11);

	_cleanup_str_ char *wild =
	    commit("ignored", "head -c 300 /dev/zero | tr '\\0' a >vms/.rametignore");
	fix_read(&f, wild);
	fix_failed(&f, ERR_LIMIT, ".rametignore has a line that is too long");
	assert_non_null(f.hint);
	_cleanup_str_ char *giant = commit("ignored", "head -c 100000 /dev/zero >vms/.rametignore");
	fix_read(&f, giant);
	fix_failed(&f, ERR_LIMIT, ".rametignore is too large");

	/* No link out of the folder, as on a disk, and no folder. */
	_cleanup_str_ char *link = commit("ignored", "ln -sf ../.rametignore vms/.rametignore");
	fix_read(&f, link);
	fix_failed(&f, ERR_LIMIT, ".rametignore is no file");
	assert_non_null(f.hint);
	fix_close(&f);
}

/* One more than a reading may have; the worker stays small and the rest goes on. */
static void test_very_many(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("many");
	_cleanup_str_ char *head =
	    fix_sh("cd many.git; b=$(echo a | git hash-object -w --stdin)\n"
		   "t=$(seq 100001 | sed \"s/.*/100644 blob $b\\tf&.yaml/\" | git mktree)\n"
		   "t=$(printf '040000 tree %%s\\tvms\\n' $t | git mktree)\n"
		   "c=$(git commit-tree -m many $t); git update-ref refs/heads/main $c; echo $c");
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.path = "vms";
	fix_open(&f);
	fix_read(&f, head);
	fix_ok(&f);
	assert_true(f.truncated);
	assert_int_equal(f.n_files, 100000);
	fix_has(&f, "f1.yaml", "a\n");
	fix_list(&f);
	fix_ok(&f);
#if !defined(__SANITIZE_ADDRESS__)
	_cleanup_str_ char *kib =
	    fix_sh("awk '/^VmHWM/ {print $2}' /proc/%ld/status", gitwork_pid(f.work));
	print_message("worker: %s KiB at most\n", kib);
	assert_true(strtol(kib, NULL, 10) < 200 * 1024);
#endif
	fix_close(&f);
}

static void test_publish(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("pub");
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.status_path = "reports/lab";
	f.opts.setup.author_name = "Robot";
	f.opts.setup.author_email = "robot@example.org";
	fix_open(&f);

	/* The branch does not exist yet: a root commit. */
	struct gitport_put put[] = {
	    {"STATUS.md", "# ok\n", 5}, {"vms/a.yaml", "a\n", 2}, {"vms/b.yaml", "b\n", 2}};
	struct gitport_publish pub = {
	    .parent = "", .put = put, .n_put = 3, .message = "status: first\n\nTwo VMs.\n"};
	gitport_publish(f.port, &pub, fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	_cleanup_str_ char *one = mem_strdup(f.new_head);
	_cleanup_str_ char *seen = fix_sh("git -C pub.git log -1 "
					  "--format='%%H|%%P|%%an|%%ae|%%cn|%%B' ramet/status");
	_cleanup_str_ char *want =
	    mem_printf("%s||Robot|robot@example.org|Robot|status: first\n\nTwo VMs.", one);
	assert_string_equal(seen, want);
	_cleanup_str_ char *tree = fix_sh("git -C pub.git ls-tree -r --name-only ramet/status");
	assert_string_equal(
	    tree, "reports/lab/STATUS.md\nreports/lab/vms/a.yaml\nreports/lab/vms/b.yaml");

	/* One file changes, one goes, one that never was goes; what is not named stays. */
	struct gitport_put change[] = {{"vms/a.yaml", "a2\n", 3}};
	const char *const del[] = {"vms/b.yaml", "vms/never.yaml"};
	pub = (struct gitport_publish){
	    .parent = one, .put = change, .n_put = 1, .del = del, .n_del = 2, .message = "second"};
	gitport_publish(f.port, &pub, fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	_cleanup_str_ char *two = mem_strdup(f.new_head);
	fix_read_status(&f);
	fix_ok(&f);
	assert_string_equal(f.rev, two);
	assert_int_equal(f.n_files, 2);
	fix_has(&f, "STATUS.md", "# ok\n");
	fix_has(&f, "vms/a.yaml", "a2\n");

	/* Nothing differs: no commit. */
	gitport_publish(f.port,
	    &(struct gitport_publish){.parent = two, .put = change, .n_put = 1, .message = "none"},
	    fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	assert_string_equal(f.new_head, two);
	_cleanup_str_ char *count = fix_sh("git -C pub.git rev-list --count ramet/status");
	assert_string_equal(count, "2");

	/* Built on an old head, on none, on one that nobody knows: the branch is left alone. */
	fix_publish(&f, one, "STATUS.md", "stale\n");
	fix_failed(&f, ERR_CONFLICT, "moved in the meantime");
	assert_true(f.rejected);
	fix_publish(&f, "", "STATUS.md", "stale\n");
	fix_failed(&f, ERR_CONFLICT, "moved in the meantime");
	assert_true(f.rejected);
	fix_publish(&f, "0123456789012345678901234567890123456789", "STATUS.md", "stale\n");
	fix_failed(&f, ERR_CONFLICT, "moved in the meantime");
	assert_true(f.rejected);
	_cleanup_str_ char *still = fix_sh("git -C pub.git rev-parse ramet/status");
	assert_string_equal(still, two);

	/* Somebody put a folder where our file belongs, and a file where our folder belongs. */
	_cleanup_str_ char *odd =
	    fix_sh("git clone -q -b ramet/status pub.git odd; cd odd; "
		   "git rm -q -r reports; mkdir -p reports/lab/STATUS.md; "
		   "echo x >reports/lab/STATUS.md/x; echo y >reports/lab/vms; git add -A; "
		   "git commit -q -m odd; git push -q; git rev-parse HEAD");
	gitport_publish(f.port,
	    &(struct gitport_publish){.parent = odd, .put = put, .n_put = 3, .message = "again"},
	    fix_got, &f);
	fix_wait(&f);
	fix_ok(&f);
	fix_read_status(&f);
	assert_int_equal(f.n_files, 3);
	fix_has(&f, "STATUS.md", "# ok\n");

	/* A path that no repository may hold is refused, not written. */
	fix_publish(&f, f.rev, "../../.git/config", "x");
	assert_false(f.ok);
	_cleanup_str_ char *fsck =
	    fix_sh("git -C pub.git fsck --strict 2>/dev/null | grep -v dangling || true");
	assert_string_equal(fsck, "");
	fix_close(&f);
}

/* Of the files that stay none is opened, so their number costs a report of one nothing: it is made
 * also while one of them is out of reach. */
static void test_report_opens_no_other_file(void **state UNUSED)
{
	fix_run("git init -q --bare alone.git");
	_cleanup_str_ char *url = mem_printf("file://%s/alone.git", fix_dir);
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_publish(&f, "", "vms/b.yaml", "b\n");
	fix_ok(&f);
	_cleanup_str_ char *one = mem_strdup(f.new_head);
	fix_run("cd alone.git; o=$(git rev-parse ramet/status:vms/b.yaml); "
		"mv objects/${o%%\"${o#??}\"}/${o#??} ../b; echo objects/${o%%\"${o#??}\"}/${o#??} "
		">../at");
	fix_publish(&f, one, "vms/a.yaml", "a\n");
	fix_ok(&f);
	fix_run("cd alone.git; mv ../b $(cat ../at); git fsck --strict");
	fix_read_status(&f);
	fix_has(&f, "vms/b.yaml", "b\n");
	fix_close(&f);
}

static void test_checked_out(void **state UNUSED)
{
	fix_run(
	    "git init -q -b ramet/status out; cd out; echo a >a; git add a; git commit -q -m a");
	_cleanup_str_ char *head = fix_sh("git -C out rev-parse HEAD");
	_cleanup_str_ char *url = mem_printf("file://%s/out", fix_dir);
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_publish(&f, head, "a", "b\n");
	fix_failed(&f, ERR_CONFLICT, "is checked out");
	assert_false(f.rejected);
	assert_non_null(f.hint);
	fix_close(&f);
}

/* Each job calls back once, in order; a cancelled one never. */
static void test_queue(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("queue");
	_cleanup_str_ char *head = commit("queue", "echo a >a.yaml");
	struct fix a, b;
	fix_init(&a, url);
	fix_open(&a);
	b = (struct fix){.loop = a.loop};
	gitport_list(a.port, fix_got, &a);
	gitport_job gone = gitport_list(a.port, fix_got, &b);
	gitport_read(a.port, head, fix_got, &a);
	assert_int_equal(a.calls, 0);
	gitport_cancel(a.port, &gone);
	assert_int_equal(gone, 0);
	fix_wait(&a);
	assert_string_equal(a.head, head);
	fix_wait(&a);
	fix_has(&a, "a.yaml", "a\n");
	assert_int_equal(b.calls, 0);

	/* The running one: the worker is replaced and the next job is served. */
	gitport_job running = gitport_read(a.port, head, fix_got, &b);
	while (!gitwork_pid(a.work))
		assert_int_equal(loop_turn(a.loop, NULL), 0);
	long pid = gitwork_pid(a.work);
	assert_int_equal(loop_turn(a.loop, NULL), 0);
	if (b.calls == 0) {
		gitport_cancel(a.port, &running);
		fix_list(&a);
		fix_ok(&a);
		assert_int_equal(b.calls, 0);
		assert_true(gitwork_pid(a.work) != pid);
	}

	/* Beyond the limit jobs are refused, those before are served. */
	for (int i = 0; i < 70; i++)
		gitport_list(a.port, fix_got, &a);
	unsigned before = a.calls;
	for (int i = 0; i < 64; i++) {
		fix_wait(&a);
		fix_ok(&a);
	}
	fix_wait(&a);
	fix_failed(&a, ERR_BUSY, "waiting already");
	while (a.calls < before + 70)
		fix_wait(&a);
	fix_forget(&b);
	fix_close(&a);
}

FIX_MAIN(fix_run_tests, cmocka_unit_test(test_list_read), cmocka_unit_test(test_missing),
    cmocka_unit_test(test_tag_and_space), cmocka_unit_test(test_hostile_tree),
    cmocka_unit_test(test_forged_tree), cmocka_unit_test(test_limits),
    cmocka_unit_test(test_compare), cmocka_unit_test(test_ignored),
    cmocka_unit_test(test_very_many), cmocka_unit_test(test_publish),
    cmocka_unit_test(test_report_opens_no_other_file), cmocka_unit_test(test_checked_out),
    cmocka_unit_test(test_queue))
