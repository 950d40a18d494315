/* A new head is read as its difference to the one before: what is opened and handed over, and when
 * everything is read after all. */
#include "gitfix.h"

static char *make_repo(const char *name)
{
	fix_run("git init -q %s; cd %s; mkdir vms", name, name);
	return mem_printf("file://%s/%s", fix_dir, name);
}

static char *commit(const char *name, const char *script)
{
	return fix_sh("cd %s; %s\ngit add -A; git commit -q --allow-empty -m 'A change'; "
		      "git rev-parse HEAD",
	    name, script);
}

static void open_port(struct fix *f, const char *url)
{
	fix_init(f, url);
	f->opts.setup.path = "vms";
	fix_open(f);
}

static void read_since(struct fix *f, const char *rev, const char *base)
{
	assert_true(gitport_read_since(f->port, rev, base, fix_got, f) != 0);
	fix_wait(f);
	fix_ok(f);
	assert_string_equal(f->rev, rev);
}

/* The last reading is the difference to `base`: so many files, and these paths are gone. */
static void expect(struct fix *f, const char *base, size_t n_files, const char *gone)
{
	_cleanup_str_ char *all = strs_join(&f->gone, " ");
	assert_string_equal(f->base, base);
	assert_int_equal(f->n_files, n_files);
	assert_string_equal(all, gone);
}

#define MANY 10000

/* Of ten thousand files one is changed: one is handed over. */
static void test_many(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("many");
	_cleanup_str_ char *one =
	    fix_sh("cd many; seq %d | sed 's/.*/blob\\nmark :&\\ndata <<E\\nn: &\\nE\\n/' >../in\n"
		   "printf 'commit refs/heads/main\\ncommitter D <d@example.org> 0 +0000\\ndata "
		   "3\\none\\n' "
		   ">>../in; seq %d | sed 's/.*/M 100644 :& vms\\/f&.yaml/' >>../in\n"
		   "git fast-import --quiet <../in; git reset -q --hard; git rev-parse HEAD",
		MANY, MANY);
	struct fix f;
	open_port(&f, url);
	fix_read(&f, one);
	fix_ok(&f);
	expect(&f, "", MANY, "");
	_cleanup_str_ char *two = commit("many", "echo changed >vms/f77.yaml");
	read_since(&f, two, one);
	expect(&f, one, 1, "");
	fix_has(&f, "f77.yaml", "changed\n");
	/* Nothing that is watched; then a file less and one more. */
	_cleanup_str_ char *three = commit("many", "echo x >README.md; echo x >vms/notes.txt");
	read_since(&f, three, two);
	expect(&f, two, 0, "");
	_cleanup_str_ char *four = commit("many", "git mv vms/f5.yaml vms/moved.yaml");
	read_since(&f, four, three);
	expect(&f, three, 1, "f5.yaml");
	fix_has(&f, "moved.yaml", "n: 5\n");
	/* Over several commits, and back. */
	read_since(&f, four, one);
	expect(&f, one, 2, "f5.yaml");
	read_since(&f, one, four);
	expect(&f, four, 2, "moved.yaml");
	fix_close(&f);
}

static char *blobs_in_cache(void)
{
	return fix_sh("git -C state/*.git cat-file --batch-all-objects --batch-check | "
		      "grep -c blob || true");
}

/* What did not change is not even opened: it is not there any more. */
static void test_unopened(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("closed");
	_cleanup_str_ char *one =
	    commit("closed", "for i in $(seq 50); do echo $i >vms/$i.yaml; done");
	_cleanup_str_ char *two = commit("closed", "echo new >vms/7.yaml");
	struct fix f;
	fix_run("rm -rf state");
	open_port(&f, url);
	fix_read(&f, one);
	fix_read(&f, two);
	fix_ok(&f);
	fix_close(&f);
	fix_run("cd state/*.git; mv objects/pack ../packs; mkdir objects/pack\n"
		"for p in ../packs/*.pack; do git unpack-objects -q <$p; done; rm -rf ../packs\n"
		"new=$(git rev-parse %s:vms/7.yaml)\n"
		"git cat-file --batch-all-objects --batch-check | while read oid kind size; do\n"
		"	[ $kind != blob ] || [ $oid = $new ] || rm -f objects/${oid:0:2}/${oid:2}\n"
		"done",
	    two);
	open_port(&f, url);
	read_since(&f, two, one);
	expect(&f, one, 1, "");
	fix_has(&f, "7.yaml", "new\n");
	_cleanup_str_ char *left = blobs_in_cache();
	assert_string_equal(left, "1");
	/* For the whole of it they are fetched again. */
	fix_read(&f, two);
	fix_ok(&f);
	expect(&f, "", 50, "");
	_cleanup_str_ char *again = blobs_in_cache();
	assert_true(strtol(again, NULL, 10) >= 50);
	fix_close(&f);
}

/* Where nobody can tell what is different, everything is given. */
static void test_whole(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("whole");
	_cleanup_str_ char *none = commit("whole", "echo a >out.yaml");
	_cleanup_str_ char *one = commit("whole", "mkdir -p vms; echo a >vms/a.yaml");
	_cleanup_str_ char *two = commit("whole", "echo b >vms/b.yaml");
	struct fix f;
	open_port(&f, url);
	read_since(&f, two, "");
	expect(&f, "", 2, "");
	/* A base that nobody knows, one without the folder, one that is no commit. */
	read_since(&f, two, "0123456789012345678901234567890123456789");
	expect(&f, "", 2, "");
	read_since(&f, two, none);
	expect(&f, "", 2, "");
	_cleanup_str_ char *tree = fix_sh("git -C whole rev-parse %s^{tree}", one);
	read_since(&f, two, tree);
	expect(&f, "", 2, "");
	/* The folder is gone: told as ever. */
	_cleanup_str_ char *moved = commit("whole", "git mv vms machines");
	read_since(&f, moved, two);
	expect(&f, "", 0, "");
	assert_true(f.path_missing);

	/* A name twice in its folder, before and after. */
	_cleanup_str_ char *twice =
	    fix_sh("cd whole; b=$(git rev-parse %s:vms/a.yaml); r=$(printf %%s $b | sed "
		   "'s/../\\\\x&/g')\n"
		   "{ printf '100644 a.yaml\\0'\"$r\"; printf '100644 a.yaml\\0'\"$r\"; printf "
		   "'100644 b.yaml\\0'\"$r\"; } >../tree\n"
		   "t=$(git hash-object -w --literally -t tree ../tree); t=$(printf '040000 tree "
		   "%%s\\tvms\\n' $t | git mktree)\n"
		   "c=$(git commit-tree -p HEAD -m twice $t); git update-ref refs/heads/main $c; "
		   "echo $c",
		two);
	read_since(&f, twice, two);
	expect(&f, "", 3, "");
	fix_skipped(&f, "a.yaml", "twice");
	read_since(&f, two, twice);
	expect(&f, "", 2, "");
	fix_has(&f, "a.yaml", "a\n");
	fix_close(&f);

	/* A limit on the number is one on all files, not on those that changed. */
	fix_init(&f, url);
	f.opts.setup.path = "vms";
	f.opts.setup.max_files = 2;
	fix_run("cd whole; git checkout -q -f %s; git branch -f main; git checkout -q main", two);
	_cleanup_str_ char *third = commit("whole", "echo c >vms/c.yaml");
	fix_open(&f);
	read_since(&f, third, two);
	assert_true(f.truncated);
	assert_string_equal(f.base, "");
	fix_close(&f);
}

/* What decides about a file beside its content: the ignore file, its kind, its name. */
static void test_kinds(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("kinds");
	_cleanup_str_ char *one = commit("kinds", "cd vms; mkdir old; for f in a b old/c old/d; do "
						  "echo $f >$f.yaml; done");
	struct fix f;
	open_port(&f, url);
	_cleanup_str_ char *two = commit("kinds", "echo old/ >vms/.rametignore");
	read_since(&f, two, one);
	expect(&f, one, 0, "old/c.yaml old/d.yaml");
	_cleanup_str_ char *three = commit("kinds", "printf 'old/*\\n!old/d.yaml\\n' "
						    ">vms/.rametignore");
	read_since(&f, three, two);
	expect(&f, two, 1, "");
	fix_has(&f, "old/d.yaml", "old/d\n");
	_cleanup_str_ char *four = commit("kinds", "git rm -q vms/.rametignore");
	read_since(&f, four, three);
	expect(&f, three, 1, "");
	fix_has(&f, "old/c.yaml", "old/c\n");

	/* The same bytes as a program, as a link, as a folder. */
	_cleanup_str_ char *five = commit("kinds", "chmod +x vms/a.yaml");
	read_since(&f, five, four);
	expect(&f, four, 1, "");
	fix_has(&f, "a.yaml", "a\n");
	_cleanup_str_ char *six = commit("kinds", "rm vms/a.yaml; ln -s b.yaml vms/a.yaml");
	read_since(&f, six, five);
	expect(&f, five, 1, "");
	fix_skipped(&f, "a.yaml", "symbolic link");
	_cleanup_str_ char *seven =
	    commit("kinds", "rm vms/a.yaml; mkdir vms/a.yaml; echo in >vms/a.yaml/b.yaml");
	read_since(&f, seven, six);
	expect(&f, six, 1, "a.yaml");
	fix_has(&f, "a.yaml/b.yaml", "in\n");
	_cleanup_str_ char *eight = commit("kinds", "rm -r vms/a.yaml; echo a >vms/a.yaml");
	read_since(&f, eight, seven);
	expect(&f, seven, 1, "a.yaml/b.yaml");
	/* A folder gets another name. */
	_cleanup_str_ char *nine = commit("kinds", "git mv vms/old vms/new");
	read_since(&f, nine, eight);
	expect(&f, eight, 2, "old/c.yaml old/d.yaml");
	fix_close(&f);
}

FIX_MAIN(fix_run_tests, cmocka_unit_test(test_many), cmocka_unit_test(test_unopened),
    cmocka_unit_test(test_whole), cmocka_unit_test(test_kinds))
