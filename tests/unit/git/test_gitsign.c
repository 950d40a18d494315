/* Histories with signatures of all kinds, and the verdict on each. Keys: dora and eve may sign, the
 * time of old is over, that of soon has not come, files may sign but not for git, gone is revoked,
 * mallory is nobody. */
#include "gitfix.h"

/* All commits of a history are of 2026-06-01 12:00 UTC. */
#define WHEN "2026-06-01T12:00:00Z"

static void make_keys(void)
{
	fix_run("mkdir -p keys; cd keys; for k in dora eve old soon files gone mallory; do "
		"ssh-keygen -q -t ed25519 -N '' -C $k@example.org -f $k; done\n"
		"line() { echo \"$1@example.org $2 $(cut -d' ' -f1,2 $1.pub)\"; }\n"
		"{ echo '# who may'; line dora 'namespaces=\"git\"'; line eve ''; line gone ''\n"
		"line old 'namespaces=\"git\",valid-before=\"20260101\"'; line soon "
		"'valid-after=\"20270101\"'\n"
		"line files 'namespaces=\"file\"'; } >allowed\n"
		"cp gone.pub revoked");
}

/* A new repository; `script` makes the history with: c KEY FILE, a signed commit; u FILE, one
 * without a signature. Prints the head. */
static char *history(const char *name, const char *script)
{
	fix_run(
	    "git init -q --bare %s.git; git init -q %s; cd %s; git remote add origin ../%s.git; "
	    "git config gpg.format ssh",
	    name, name, name, name);
	return fix_sh("cd %s; export GIT_COMMITTER_DATE=%s GIT_AUTHOR_DATE=%s\n"
		      "c() { echo $2 >$2.yaml; git add -A; "
		      "git -c user.signingkey=%s/keys/$1 commit -q -S -m \"$2 by $1\"; }\n"
		      "u() { echo $1 >$1.yaml; git add -A; git commit -q -m \"$1\"; }\n"
		      "%s\ngit push -q -f origin HEAD:main; git rev-parse HEAD",
	    name, WHEN, WHEN, fix_dir, script);
}

/* More of it. */
static char *more(const char *name, const char *script)
{
	return fix_sh("cd %s; export GIT_COMMITTER_DATE=%s GIT_AUTHOR_DATE=%s\n"
		      "c() { echo $2 >$2.yaml; git add -A; "
		      "git -c user.signingkey=%s/keys/$1 commit -q -S -m \"$2 by $1\"; }\n"
		      "u() { echo $1 >$1.yaml; git add -A; git commit -q -m \"$1\"; }\n"
		      "%s\ngit push -q -f origin HEAD:main; git rev-parse HEAD",
	    name, WHEN, WHEN, fix_dir, script);
}

static char *url, *allowed, *revoked;

static void init(struct fix *f, const char *name, const char *mode)
{
	mem_free_str(&url);
	url = mem_printf("file://%s/%s.git", fix_dir, name);
	fix_init(f, url);
	f->opts.setup.verify = mode;
	f->opts.setup.allowed_signers_file = allowed;
	f->opts.setup.revoked_signers_file = revoked;
	fix_open(f);
}

static const struct {
	const char *script;
	const char *in_msg; /* NULL = accepted */
} heads[] = {
    {"c dora a", NULL},
    {"c eve a", NULL},
    {"u a", "is not signed"},
    {"c mallory a", "is signed with a key that is not in git.verify.allowed_signers_file"},
    {"c files a", "is signed with a key that may not sign for git"},
    {"c old a", "is signed with a key that was not valid at that time"},
    {"c soon a", "is signed with a key that was not valid at that time"},
    {"GIT_COMMITTER_DATE=2025-06-01T12:00:00Z c old a", NULL},
    {"c gone a", "is signed with a key that has been revoked"},
    {"u a; c dora b", NULL}, /* the head is what counts */
    {"c dora a; u b", "is not signed"},
    /* The content was exchanged under the signature, then the message. */
    {"c dora a; c dora b; n=$(git cat-file commit HEAD | sed \"s/^tree .*/tree $(git rev-parse "
     "HEAD~1^{tree})/\" | git hash-object -w -t commit --stdin); git reset -q --hard $n",
	"has a signature that is not for this content"},
    {"c dora a; n=$(git cat-file commit HEAD | sed 's/a by dora/b by dora/' | git hash-object -w "
     "-t "
     "commit --stdin); git reset -q --hard $n",
	"has a signature that is not for this content"},
    /* The signature of another commit. */
    {"c dora a; c dora b; n=$({ git cat-file commit HEAD | sed '/^gpgsig/,$d'; git cat-file commit "
     "HEAD~1 | sed -n '/^gpgsig/,/END SSH/p'; printf '\\nmixed\\n'; } | git hash-object -w -t "
     "commit "
     "--stdin); git reset -q --hard $n",
	"has a signature that is not for this content"},
    {"u a; n=$({ git cat-file commit HEAD | sed '/^$/,$d'; printf 'gpgsig -----BEGIN PGP "
     "SIGNATURE-----\\n \\n abc\\n -----END PGP SIGNATURE-----\\n\\npgp\\n'; } | git hash-object "
     "-w "
     "-t commit --stdin); git reset -q --hard $n",
	"is signed with something else than an SSH key"},
    {"u a; n=$({ git cat-file commit HEAD | sed '/^$/,$d'; printf 'gpgsig -----BEGIN SSH "
     "SIGNATURE-----\\n AAAA\\n -----END SSH SIGNATURE-----\\n\\nrubbish\\n'; } | git hash-object "
     "-w "
     "-t commit --stdin); git reset -q --hard $n",
	"is signed with a key that is not in git.verify.allowed_signers_file"},
};

static void test_head(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		_cleanup_str_ char *name = mem_printf("head%zu", i);
		_cleanup_str_ char *head = history(name, heads[i].script);
		struct fix f;
		init(&f, name, "head");
		fix_read(&f, head);
		if (!heads[i].in_msg) {
			fix_ok(&f);
			assert_true(f.n_files >= 1);
		} else {
			fix_failed(&f, ERR_SIGNATURE, heads[i].in_msg);
			assert_int_equal(f.n_files, 0);
			assert_non_null(f.hint);
			/* It names the commit. */
			_cleanup_str_ char *short_oid = mem_strndup(head, 12);
			assert_non_null(strstr(f.msg, short_oid));
		}
		fix_close(&f);
	}
}

static const struct {
	const char *first, *then;
	const char *in_msg;
} ranges[] = {
    {"c dora a", "c eve b; c dora c", NULL},
    {"u a; c dora b", "c dora c", NULL}, /* before the first seen nothing counts */
    {"c dora a", "u b; c dora c", "is not signed"},
    {"c dora a", "c mallory b; c dora c", "is signed with a key that is not in"},
    {"c dora a", "c gone b; c dora c", "has been revoked"},
    {"c dora a; c dora b", "git reset -q --hard HEAD~1", NULL}, /* back to a signed one */
    /* Merges: what comes in from the side counts as well. */
    {"c dora a",
	"git checkout -q -b side; c eve s; git checkout -q main; c dora b; git -c "
	"user.signingkey=../keys/dora merge -q -S -m merged side",
	NULL},
    {"c dora a",
	"git checkout -q -b side; u s; git checkout -q main; c dora b; git -c "
	"user.signingkey=../keys/dora merge -q -S -m merged side",
	"is not signed"},
    {"c dora a",
	"git checkout -q -b side; c dora s; git checkout -q main; c dora b; git merge -q -m "
	"merged side",
	"is not signed"},
    /* Another history in its place. */
    {"c dora a", "git checkout -q --orphan new; c dora b", NULL},
    {"c dora a", "git checkout -q --orphan new; u b; c dora c", "is not signed"},
};

static void test_range(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		_cleanup_str_ char *name = mem_printf("range%zu", i);
		_cleanup_str_ char *first = history(name, ranges[i].first);
		struct fix f;
		init(&f, name, "range");
		fix_read(&f, first);
		fix_ok(&f);
		_cleanup_str_ char *then = more(name, ranges[i].then);
		fix_read(&f, then);
		if (ranges[i].in_msg) {
			fix_failed(&f, ERR_SIGNATURE, ranges[i].in_msg);
			/* It does not become true by asking again. */
			fix_read(&f, then);
			fix_failed(&f, ERR_SIGNATURE, ranges[i].in_msg);
			/* What was accepted before still is. */
			fix_read(&f, first);
			fix_ok(&f);
		} else {
			fix_ok(&f);
		}
		fix_close(&f);
	}
}

static void test_old(void **state UNUSED)
{
	_cleanup_str_ char *signed_one = history("older", "c dora a");
	_cleanup_str_ char *plain = more("older", "u b");
	_cleanup_str_ char *head = more("older", "c dora c");
	struct fix f;
	init(&f, "older", "head");
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
	fix_run("cp keys/allowed keys/saved; grep -v dora keys/allowed >keys/next; "
		"mv keys/next keys/allowed");
	fix_close(&f);
	init(&f, "older", "head");
	fix_read(&f, head);
	fix_failed(&f, ERR_SIGNATURE, "not in git.verify.allowed_signers_file");
	fix_run("mv keys/saved keys/allowed");
	fix_read(&f, head);
	fix_ok(&f);
	fix_close(&f);
}

static void test_settings(void **state UNUSED)
{
	_cleanup_str_ char *head = history("settings", "u a");
	struct fix f;
	init(&f, "settings", "none");
	fix_read(&f, head);
	fix_ok(&f);
	fix_close(&f);
	init(&f, "settings", "some");
	fix_read(&f, head);
	fix_failed(&f, ERR_CONFIG, "git.verify.mode");
	fix_close(&f);
	_cleanup_str_ char *saved = allowed;
	allowed = mem_strdup("/nowhere/allowed");
	init(&f, "settings", "head");
	fix_read(&f, head);
	fix_failed(&f, ERR_CONFIG, "allowed_signers_file cannot be read");
	fix_close(&f);
	mem_free_str(&allowed);
	allowed = TAKE(saved);
}

int main(int argc, char **argv)
{
	FIX_BE_WORKER(argc, argv);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_head),
	    cmocka_unit_test(test_range),
	    cmocka_unit_test(test_old),
	    cmocka_unit_test(test_settings),
	};
	if (system("command -v ssh-keygen >/dev/null") != 0) {
		fprintf(stderr, "ssh-keygen is not installed (Debian: openssh-client)\n");
		return 77;
	}
	fix_begin();
	make_keys();
	allowed = mem_printf("%s/keys/allowed", fix_dir);
	revoked = mem_printf("%s/keys/revoked", fix_dir);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	mem_free_str(&url);
	mem_free_str(&allowed);
	mem_free_str(&revoked);
	fix_end();
	return failed;
}
