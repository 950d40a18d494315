/*
 * gitsignfix: histories with signatures of all kinds, and the verdict on each; the same with SSH
 * keys and with OpenPGP keys. Keys: dora and eve may sign, the time of old is over, that of soon
 * has not come, gone is revoked, mallory is nobody; of SSH alone: files may sign but not for git.
 */
#ifndef RAMET_GITSIGNFIX_H
#define RAMET_GITSIGNFIX_H

#include "gitfix.h"

/* All commits of a history are of this time. The keys of OpenPGP are checked by the clock of the
 * machine, too: everything is well in the past. */
#define WHEN "2021-06-01T12:00:00Z"

enum kind { SSH, PGP, KIND__MAX };

static const char *const kind_words[KIND__MAX] = {[SSH] = "ssh", [PGP] = "pgp"};

static void make_ssh_keys(void)
{
	fix_run("mkdir -p ssh; cd ssh; for k in dora eve old soon files gone mallory; do "
		"ssh-keygen -q -t ed25519 -N '' -C $k@example.org -f $k; done\n"
		"line() { echo \"$1@example.org $2 $(cut -d' ' -f1,2 $1.pub)\"; }\n"
		"{ echo '# who may'; line dora 'namespaces=\"git\"'; line eve ''; line gone ''\n"
		"line old 'namespaces=\"git\",valid-before=\"20210101\"'; line soon "
		"'valid-after=\"20220101\"'\n"
		"line files 'namespaces=\"file\"'; } >allowed\n"
		"cp gone.pub revoked");
}

/* The program that signs for git, at the time of the commit, knows nothing of the end of a key:
 * that stands in the keyring only. Another keyring is in ASCII armour. */
static void make_pgp_keys(void)
{
	fix_run(
	    "mkdir -m 700 gnupg pgp; export GNUPGHOME=%s/gnupg; exec 2>pgp/log\n"
	    "key() { gpg --batch -q --passphrase '' --faked-system-time $2 --quick-gen-key "
	    "\"$1 <$1@example.org>\" $3 sign never; }\n"
	    "print() { gpg --batch --with-colons -k $1 | sed -n 's/^fpr:*\\([0-9A-F]*\\):/\\1/p'; "
	    "}\n"
	    "for k in dora gone mallory old; do key $k 20200101T000000 ed25519; done\n"
	    "key eve 20200101T000000 rsa2048; key soon 20220101T000000 ed25519\n"
	    "gpg --batch -q --armor --export dora >pgp/armoured\n"
	    "gpg --batch -q --armor --export eve >>pgp/armoured\n"
	    "sed 's/^:-----/-----/' gnupg/openpgp-revocs.d/$(print gone).rev >pgp/gone.rev\n"
	    "gpgconf --kill gpg-agent; cp -r gnupg aside; GNUPGHOME=%s/aside\n"
	    "gpg --batch -q --import pgp/gone.rev\n"
	    "gpg --batch -q --passphrase '' --faked-system-time 20200102T000000 --quick-set-expire "
	    "$(print old) 20210101T000000\n"
	    "gpg --batch -q --export dora eve old soon gone >pgp/keyring\n"
	    "printf '#!/bin/sh\\nexport GNUPGHOME=%s/gnupg\\nexec gpg --batch -q --no-tty "
	    "--ignore-time-conflict --faked-system-time "
	    "${FIX_WHEN:-20210601T120000} \"$@\"\\n' >pgp/sign; chmod +x pgp/sign",
	    fix_dir, fix_dir, fix_dir);
}

/* In a repository `name`; `script` makes the history with: c KEY FILE, a signed commit; u FILE, one
 * without a signature; at TIME …, a commit of another time; forge SCRIPT, the head anew by what the
 * script makes of it. Prints the head. */
static char *more(enum kind kind, const char *name, const char *script)
{
	return fix_sh(
	    "cd %s; kind=%s; export GIT_COMMITTER_DATE=" WHEN " GIT_AUTHOR_DATE=" WHEN "\n"
	    "key() { [ $kind = ssh ] && echo %s/ssh/$1 || echo $1@example.org; }\n"
	    "c() { echo $2 >$2.yaml; git add -A; "
	    "git -c user.signingkey=$(key $1) commit -q -S -m \"$2 by $1\"; }\n"
	    "u() { echo $1 >$1.yaml; git add -A; git commit -q -m \"$1\"; }\n"
	    "at() { GIT_COMMITTER_DATE=$1 FIX_WHEN=$(date -u -d $1 +%%Y%%m%%dT%%H%%M%%S) "
	    "\"${@:2}\"; }\n"
	    "merge() { git -c user.signingkey=$(key $1) merge -q -S -m merged $2; }\n"
	    "forge() { n=$(git cat-file commit HEAD | eval \"$1\" | git hash-object -w -t commit "
	    "--stdin); git reset -q --hard $n; }\n"
	    "exec 2>>../log\n%s\ngit push -q -f origin HEAD:main; git rev-parse HEAD",
	    name, kind_words[kind], fix_dir, script);
}

static char *history(enum kind kind, const char *name, const char *script)
{
	fix_run(
	    "git init -q --bare %s.git; git init -q %s; cd %s; git remote add origin ../%s.git; "
	    "git config gpg.format %s; git config gpg.program %s/pgp/sign",
	    name, name, name, name, kind == SSH ? "ssh" : "openpgp", fix_dir);
	return more(kind, name, script);
}

static char *url, *allowed, *revoked, *keyring;

static void init_settings(struct fix *f, const char *name, const char *mode)
{
	mem_free_str(&url);
	url = mem_printf("file://%s/%s.git", fix_dir, name);
	fix_init(f, url);
	f->opts.setup.verify = mode;
}

UNUSED static void init(struct fix *f, enum kind kind, const char *name, const char *mode)
{
	init_settings(f, name, mode);
	if (kind == PGP)
		f->opts.setup.keyring_file = keyring;
	f->opts.setup.allowed_signers_file = kind == SSH ? allowed : NULL;
	f->opts.setup.revoked_signers_file = kind == SSH ? revoked : NULL;
	fix_open(f);
}

#define NOT_SIGNED "is not signed"
#define NOT_FOR_THIS "has a signature that is not for this content"
#define REVOKED "is signed with a key that has been revoked"
#define STRANGER_SSH "is signed with a key that is not in git.verify.allowed_signers_file"
#define STRANGER_PGP "is signed with a key that is not in git.verify.keyring_file"

static const struct {
	const char *script;
	const char *in_msg[KIND__MAX]; /* NULL = accepted */
} heads[] = {
    {"c dora a", {NULL, NULL}},
    {"c eve a", {NULL, NULL}},
    {"u a", {NOT_SIGNED, NOT_SIGNED}},
    {"c mallory a", {STRANGER_SSH, STRANGER_PGP}},
    {"c old a", {"is signed with a key that was not valid at that time",
		    "is signed with a key that had expired"}},
    /* Of ssh the list says from when on; a key of OpenPGP says since when it is there. */
    {"c soon a", {"is signed with a key that was not valid at that time",
		     "has a signature that cannot be checked"}},
    {"at 2020-06-01T12:00:00Z c old a", {NULL, NULL}},
    {"c gone a", {REVOKED, REVOKED}},
    {"at 2020-06-01T12:00:00Z c gone a", {REVOKED, REVOKED}},
    {"u a; c dora b", {NULL, NULL}}, /* the head is what counts */
    {"c dora a; u b", {NOT_SIGNED, NOT_SIGNED}},
    /* The content was exchanged under the signature, then the message, then the parent. */
    {"c dora a; c dora b; forge \"sed 's/^tree .*/tree $(git rev-parse HEAD~1^{tree})/'\"",
	{NOT_FOR_THIS, NOT_FOR_THIS}},
    {"c dora a; forge \"sed 's/a by dora/b by dora/'\"", {NOT_FOR_THIS, NOT_FOR_THIS}},
    {"c dora a; c dora b; forge \"sed '/^parent/d'\"", {NOT_FOR_THIS, NOT_FOR_THIS}},
    /* The signature of another commit. */
    {"c dora a; c dora b; git cat-file commit HEAD~1 | sed -n '/^gpgsig/,/-----END/p' >../sig; "
     "forge "
     "\"sed '/^gpgsig/,\\$d'; cat ../sig; printf '\\\\nmixed\\\\n'\"",
	{NOT_FOR_THIS, NOT_FOR_THIS}},
    /* Rubbish within the right armour, and none. */
    {"u a; forge \"sed '/^\\$/,\\$d'; printf 'gpgsig -----BEGIN PGP SIGNATURE-----\\\\n \\\\n "
     "abc\\\\n -----END PGP SIGNATURE-----\\\\n\\\\npgp\\\\n'\"",
	{"is signed with an OpenPGP key, but no OpenPGP key may sign",
	    "has a signature that cannot be checked"}},
    {"u a; forge \"sed '/^\\$/,\\$d'; printf 'gpgsig -----BEGIN SSH SIGNATURE-----\\\\n AAAA\\\\n "
     "-----END SSH SIGNATURE-----\\\\n\\\\nrubbish\\\\n'\"",
	{STRANGER_SSH, "is signed with an SSH key, but no SSH key may sign"}},
    {"u a; forge \"sed '/^\\$/,\\$d'; printf 'gpgsig -----BEGIN SIGNED MESSAGE-----\\\\n "
     "AAAA\\\\n -----END SIGNED MESSAGE-----\\\\n\\\\nx509\\\\n'\"",
	{"is signed with something else than an SSH or OpenPGP key",
	    "is signed with something else than an SSH or OpenPGP key"}},
};

/* Those that only one kind of key can make. */
static const struct {
	enum kind kind;
	const char *script, *in_msg;
} special_heads[] = {
    {SSH, "c files a", "is signed with a key that may not sign for git"},
    {PGP,
	"cat >../expiring <<'E'\n#!/bin/sh\nexec %s/pgp/sign --default-sig-expire 1d \"$@\"\nE\n"
	"chmod +x ../expiring; git config gpg.program ../expiring; c dora a",
	"has a signature that has expired"},
    /* One good and one of a stranger, in one armour. */
    {PGP,
	"cat >../twice <<'E'\n#!/bin/sh\nexec %s/pgp/sign -u mallory@example.org \"$@\"\nE\n"
	"chmod +x ../twice; git config gpg.program ../twice; c dora a",
	"has more than one signature"},
};

static void check_head(enum kind kind, const char *name, const char *script, const char *in_msg)
{
	_cleanup_str_ char *head = history(kind, name, script);
	struct fix f;
	init(&f, kind, name, "head");
	fix_read(&f, head);
	if (!in_msg) {
		fix_ok(&f);
		assert_true(f.n_files >= 1);
	} else {
		fix_failed(&f, ERR_SIGNATURE, in_msg);
		assert_int_equal(f.n_files, 0);
		assert_non_null(f.hint);
		/* It names the commit. */
		_cleanup_str_ char *short_oid = mem_strndup(head, 12);
		assert_non_null(strstr(f.msg, short_oid));
	}
	fix_close(&f);
}

UNUSED static void check_heads(enum kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		_cleanup_str_ char *name = mem_printf("head-%s-%zu", kind_words[kind], i);
		check_head(kind, name, heads[i].script, heads[i].in_msg[kind]);
	}
	for (size_t i = 0; i < ARRAY_LEN(special_heads); i++) {
		_cleanup_str_ char *name = mem_printf("special-%s-%zu", kind_words[kind], i);
		_cleanup_strs_ struct strs parts = {0};
		if (special_heads[i].kind != kind)
			continue;
		assert_int_equal(text_split(special_heads[i].script, "%%", false, 2, &parts), 0);
		_cleanup_str_ char *script =
		    parts.n == 2 ? mem_printf("%s%s%s", parts.v[0], fix_dir, parts.v[1] + 1)
				 : mem_strdup(special_heads[i].script);
		check_head(kind, name, script, special_heads[i].in_msg);
	}
}

static const struct {
	const char *first, *then;
	const char *in_msg[KIND__MAX];
} ranges[] = {
    {"c dora a", "c eve b; c dora c", {NULL, NULL}},
    {"u a; c dora b", "c dora c", {NULL, NULL}}, /* before the first seen nothing counts */
    {"c dora a", "u b; c dora c", {NOT_SIGNED, NOT_SIGNED}},
    {"c dora a", "c mallory b; c dora c", {STRANGER_SSH, STRANGER_PGP}},
    {"c dora a", "c gone b; c dora c", {REVOKED, REVOKED}},
    {"c dora a", "c old b; c dora c", {"was not valid at that time", "had expired"}},
    {"c dora a", "c dora b; forge \"sed 's/b by dora/x by dora/'\"; c dora c",
	{NOT_FOR_THIS, NOT_FOR_THIS}},
    {"c dora a; c dora b", "git reset -q --hard HEAD~1", {NULL, NULL}}, /* back to a signed one */
    /* Merges: what comes in from the side counts as well. */
    {"c dora a",
	"git checkout -q -b side; c eve s; git checkout -q main; c dora b; merge dora side",
	{NULL, NULL}},
    {"c dora a", "git checkout -q -b side; u s; git checkout -q main; c dora b; merge dora side",
	{NOT_SIGNED, NOT_SIGNED}},
    {"c dora a",
	"git checkout -q -b side; c dora s; git checkout -q main; c dora b; git merge -q -m "
	"merged side",
	{NOT_SIGNED, NOT_SIGNED}},
    {"c dora a",
	"git checkout -q -b side; c dora s; git checkout -q main; c dora b; merge mallory side",
	{STRANGER_SSH, STRANGER_PGP}},
    /* Another history in its place. */
    {"c dora a", "git checkout -q --orphan new; c dora b", {NULL, NULL}},
    {"c dora a", "git checkout -q --orphan new; u b; c dora c", {NOT_SIGNED, NOT_SIGNED}},
};

UNUSED static void check_ranges(enum kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		_cleanup_str_ char *name = mem_printf("range-%s-%zu", kind_words[kind], i);
		_cleanup_str_ char *first = history(kind, name, ranges[i].first);
		const char *in_msg = ranges[i].in_msg[kind];
		struct fix f;
		init(&f, kind, name, "range");
		fix_read(&f, first);
		fix_ok(&f);
		_cleanup_str_ char *then = more(kind, name, ranges[i].then);
		fix_read(&f, then);
		if (in_msg) {
			fix_failed(&f, ERR_SIGNATURE, in_msg);
			/* It does not become true by asking again. */
			fix_read(&f, then);
			fix_failed(&f, ERR_SIGNATURE, in_msg);
			/* What was accepted before still is. */
			fix_read(&f, first);
			fix_ok(&f);
		} else {
			fix_ok(&f);
		}
		fix_close(&f);
	}
}

/* 0, or 77 when a program is not there. */
static int sign_begin(void)
{
	if (system("command -v ssh-keygen >/dev/null && command -v gpgv >/dev/null && "
		   "command -v gpg-agent >/dev/null") != 0) {
		fprintf(stderr, "not installed: one of ssh-keygen, gpg, gpg-agent, gpgv (Debian: "
				"openssh-client gpg gpg-agent gpgv)\n");
		return 77;
	}
	fix_begin();
	make_ssh_keys();
	make_pgp_keys();
	allowed = mem_printf("%s/ssh/allowed", fix_dir);
	revoked = mem_printf("%s/ssh/revoked", fix_dir);
	keyring = mem_printf("%s/pgp/keyring", fix_dir);
	return 0;
}

static void sign_end(void)
{
	mem_free_str(&url);
	mem_free_str(&allowed);
	mem_free_str(&revoked);
	mem_free_str(&keyring);
	fix_run("GNUPGHOME=%s/gnupg gpgconf --kill gpg-agent; GNUPGHOME=%s/aside gpgconf --kill "
		"gpg-agent",
	    fix_dir, fix_dir);
	fix_end();
}

/* Runs the tests with the keys; 77 when a program that makes them is not there. */
UNUSED static int sign_run(const struct CMUnitTest *tests, size_t n)
{
	int rc = sign_begin();
	if (rc != 0)
		return rc;
	int failed = _cmocka_run_group_tests("signatures", tests, n, NULL, NULL);
	sign_end();
	return failed;
}

#endif
