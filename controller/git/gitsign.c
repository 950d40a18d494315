#include "gitsign.h"
#include "gitname.h"
#include "gitsshproc.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERIFIED_REF "refs/ramet/verified"
#define RANGE_MAX 2000
#define PRINCIPALS_MAX 16
#define SIGNERS_BYTES ((size_t)4 << 20)
#define ANSWER_BYTES ((size_t)8192)
#define KEYGEN_MS 10000

#define ARMOUR_SSH "-----BEGIN SSH SIGNATURE-----"

static bool is_on(const struct gitproto_setup *s)
{
	return s->verify[0] && strcmp(s->verify, "none") != 0;
}

int gitsign_check_settings(const struct gitproto_setup *s, struct err **err)
{
	if (!is_on(s))
		return 0;
	if (strcmp(s->verify, "head") != 0 && strcmp(s->verify, "range") != 0)
		return err_set(err, ERR_CONFIG,
		    "git.verify.mode \"%s\" is none of none, head and range", s->verify);
	if (access(s->allowed_signers_file, R_OK) != 0) {
		err_set(err, ERR_CONFIG, "git.verify.allowed_signers_file cannot be read: %s",
		    strerror(errno));
		return err_hint(err, "without it no commit can be trusted; see ssh-keygen(1), "
				     "ALLOWED SIGNERS");
	}
	if (s->revoked_signers_file[0] && access(s->revoked_signers_file, R_OK) != 0)
		return err_set(
		    err, ERR_CONFIG, "git.verify.revoked_file cannot be read: %s", strerror(errno));
	return 0;
}

/* --- ssh-keygen --- */

struct keygen {
	struct buf out;
	int status;
	char *words;
};

static void keygen_fini(struct keygen *k)
{
	buf_fini(&k->out);
	mem_free_str(&k->words);
}

/* Runs it with input; whatever it answers is in *ret. */
static int keygen(
    const char *const *argv, const char *input, size_t len, struct keygen *ret, struct err **err)
{
	/* Times in the list of signers without a zone count as UTC. */
	static const char *const env[] = {
	    "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
	struct gitsshproc p;
	char chunk[1024];
	ssize_t n;

	*ret = (struct keygen){.status = 255};
	buf_init(&ret->out, ANSWER_BYTES);
	if (gitsshproc_start(&p, argv, env, err) != 0)
		return -1;
	/* It may end before it has read all: its status says why. */
	(void)gitsshproc_write(&p, input, len, KEYGEN_MS);
	gitsshproc_close_in(&p);
	while ((n = gitsshproc_read(&p, chunk, sizeof(chunk), KEYGEN_MS)) > 0)
		buf_add(&ret->out, chunk, (size_t)n);
	gitsshproc_stop(&p);
	if (n == 0 && WIFEXITED(p.status))
		ret->status = WEXITSTATUS(p.status);
	ret->words = gitname_clean(buf_str(&p.words), 300, false);
	gitsshproc_fini(&p);
	if (n < 0)
		return err_set(err, ERR_TIMEOUT, "ssh-keygen does not answer");
	if (ret->status == 127) {
		err_set(err, ERR_CONFIG, "there is no ssh-keygen on this machine");
		return err_hint(err, "install openssh-client: git.verify needs it");
	}
	return 0;
}

static int write_file(const char *path, const char *data, size_t len, struct err **err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd >= 0 && write(fd, data, len) == (ssize_t)len;
	int saved = errno;
	if (fd >= 0)
		close(fd);
	return good ? 0 : err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(saved));
}

static int read_file(const char *path, size_t max, struct buf *ret, struct err **err)
{
	char chunk[4096];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	buf_init(ret, max);
	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)n);
	int saved = errno;
	if (fd >= 0)
		close(fd);
	if (n == 0 && !ret->overflow)
		return 0;
	buf_fini(ret);
	return err_set(
	    err, ERR_CONFIG, "%s cannot be read: %s", path, n < 0 ? strerror(saved) : "too large");
}

/* --- one commit --- */

struct check {
	struct gitrepo *g;
	git_commit *commit;
	git_buf sig, data; /* the signature, and what it is for */
	char *sig_file, *at;
};

static int blame(struct check *c, struct err **err, const char *why, const char *hint)
{
	char hex[GIT_OID_HEXSZ + 1];
	const git_signature *by = git_commit_committer(c->commit);
	_cleanup_str_ char *who = gitname_clean(by->email ? by->email : "", 100, false);
	git_oid_tostr(hex, sizeof(hex), git_commit_id(c->commit));
	err_set(err, ERR_SIGNATURE, "commit %.12s by %s %s", hex, who, why);
	return err_hint(err, "%s", hint);
}

/* The names under which the list of signers knows the key, at the time of the commit; none when the
 * status is not 0. */
static int find_principals(
    struct check *c, const char *signers, const char *at, struct keygen *ret, struct err **err)
{
	const char *argv[] = {
	    "ssh-keygen", "-Y", "find-principals", "-s", c->sig_file, "-f", signers, at, NULL};
	return keygen(argv, "", 0, ret, err);
}

/* Takes valid-after="…" and valid-before="…" out of a list of signers. */
static void strip_times(struct buf *b)
{
	static const char *const words[] = {"valid-after=\"", "valid-before=\""};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (char *at = b->data; at && (at = strcasestr(at, words[i]));) {
			char *end = strchr(at + strlen(words[i]), '"');
			if (!end)
				return;
			/* One of the commas beside it goes with it. */
			end++;
			if (*end == ',')
				end++;
			else if (at > b->data && at[-1] == ',')
				at--;
			memset(at, ' ', (size_t)(end - at));
		}
	}
}

/* The key is not known for that time: is it known at all? */
static int blame_signer(struct check *c, struct err **err)
{
	const char *dir = c->g->setup->dir;
	_cleanup_str_ char *path = mem_printf("%s/signers", dir);
	struct keygen k;
	struct buf list;

	if (read_file(c->g->setup->allowed_signers_file, SIGNERS_BYTES, &list, err) != 0)
		return -1;
	strip_times(&list);
	int r = write_file(path, buf_str(&list), list.len, err);
	buf_fini(&list);
	if (r != 0 || find_principals(c, path, NULL, &k, err) != 0)
		return -1;
	bool known = k.status == 0;
	keygen_fini(&k);
	unlink(path);
	if (known)
		return blame(c, err, "is signed with a key that was not valid at that time",
		    "its signer renews the time in git.verify.allowed_signers_file, or signs anew "
		    "with "
		    "a valid key");
	return blame(c, err, "is signed with a key that is not in git.verify.allowed_signers_file",
	    "if its signer may do so, add the key there; if not, find out who pushed it");
}

static int verify_as(struct check *c, const char *principal, const char *revoked,
    struct keygen *ret, struct err **err)
{
	const char *argv[] = {"ssh-keygen", "-Y", "verify", "-n", "git", "-s", c->sig_file, "-f",
	    c->g->setup->allowed_signers_file, "-I", principal, c->at, revoked ? "-r" : NULL,
	    revoked, NULL};
	return keygen(argv, c->data.ptr, c->data.size, ret, err);
}

enum verdict { VERDICT_GOOD, VERDICT_OTHER_CONTENT, VERDICT_NOT_FOR_GIT, VERDICT_REVOKED };

static int judge(struct check *c, const char *principal, enum verdict *ret, struct err **err)
{
	const char *revoked = c->g->setup->revoked_signers_file;
	struct keygen k;

	if (verify_as(c, principal, revoked[0] ? revoked : NULL, &k, err) != 0)
		return -1;
	*ret = k.status == 0			      ? VERDICT_GOOD
	       : strcasestr(k.words, "not permitted") ? VERDICT_NOT_FOR_GIT
						      : VERDICT_OTHER_CONTENT;
	bool silent = k.status != 0 && !k.words[0];
	keygen_fini(&k);
	if (!silent || !revoked[0])
		return 0;
	/* Of a revoked key it says nothing: look whether the list makes the difference. */
	if (verify_as(c, principal, NULL, &k, err) != 0)
		return -1;
	if (k.status == 0)
		*ret = VERDICT_REVOKED;
	keygen_fini(&k);
	return 0;
}

static int blame_verdict(struct check *c, enum verdict verdict, struct err **err)
{
	switch (verdict) {
	case VERDICT_GOOD:
		return 0;
	case VERDICT_NOT_FOR_GIT:
		return blame(c, err, "is signed with a key that may not sign for git",
		    "add namespaces=\"git\" to its line in git.verify.allowed_signers_file, or "
		    "sign "
		    "with another key");
	case VERDICT_REVOKED:
		return blame(c, err, "is signed with a key that has been revoked",
		    "find out who pushed it; the same change signed with another key is accepted");
	case VERDICT_OTHER_CONTENT:
		break;
	}
	return blame(c, err, "has a signature that is not for this content",
	    "the commit was changed after it was signed: find out who pushed it");
}

static int verify_ssh(struct check *c, struct err **err)
{
	_cleanup_strs_ struct strs names = {0};
	enum verdict verdict = VERDICT_OTHER_CONTENT;
	struct keygen k;

	if (write_file(c->sig_file, c->sig.ptr, c->sig.size, err) != 0 ||
	    find_principals(c, c->g->setup->allowed_signers_file, c->at, &k, err) != 0)
		return -1;
	bool found = k.status == 0 &&
		     text_split(buf_str(&k.out), "\n", true, PRINCIPALS_MAX, &names) == 0 &&
		     names.n;
	keygen_fini(&k);
	if (!found)
		return blame_signer(c, err);
	for (size_t i = 0; i < names.n; i++) {
		if (judge(c, names.v[i], &verdict, err) != 0)
			return -1;
		if (verdict == VERDICT_GOOD)
			return 0;
	}
	return blame_verdict(c, verdict, err);
}

static int check_commit(struct gitrepo *g, const git_oid *oid, struct err **err)
{
	struct check c = {.g = g};
	git_oid id = *oid;
	int r;

	int rc = git_commit_lookup(&c.commit, g->repo, oid);
	if (rc != 0)
		return gitrepo_fail(g, rc, err, "cannot read a commit to be verified");
	rc = git_commit_extract_signature(&c.sig, &c.data, g->repo, &id, NULL);
	time_t when = git_commit_time(c.commit);
	struct tm tm;
	char at[32];
	if (!gmtime_r(&when, &tm) || !strftime(at, sizeof(at), "%Y%m%d%H%M%S", &tm))
		snprintf(at, sizeof(at), "19700101000000");
	c.at = mem_printf("-Overify-time=%s", at);
	c.sig_file = mem_printf("%s/signature", g->setup->dir);
	if (rc == GIT_ENOTFOUND)
		r = blame(&c, err, "is not signed",
		    "sign it: git commit -S, with gpg.format ssh; or set git.verify.mode to none");
	else if (rc != 0)
		r = gitrepo_fail(g, rc, err, "cannot read the signature of a commit");
	else if (!text_starts(c.sig.ptr, ARMOUR_SSH))
		r = blame(&c, err, "is signed with something else than an SSH key",
		    "sign with an SSH key: git config gpg.format ssh");
	else
		r = verify_ssh(&c, err);
	unlink(c.sig_file);
	mem_free_str(&c.sig_file);
	mem_free_str(&c.at);
	git_buf_dispose(&c.sig);
	git_buf_dispose(&c.data);
	git_commit_free(c.commit);
	git_error_clear();
	return r;
}

/* --- several --- */

static int check_range(struct gitrepo *g, const git_oid *rev, const git_oid *base, struct err **err)
{
	git_revwalk *walk = NULL;
	git_oid oid;
	size_t n = 0;
	int r = 0;

	int rc = git_revwalk_new(&walk, g->repo);
	if (rc == 0)
		rc = git_revwalk_push(walk, rev);
	if (rc == 0)
		rc = git_revwalk_hide(walk, base);
	while (rc == 0 && r == 0 && (rc = git_revwalk_next(&oid, walk)) == 0) {
		if (++n > RANGE_MAX) {
			err_set(err, ERR_LIMIT, "more than %d commits since the last one verified",
			    RANGE_MAX);
			r = err_hint(err, "let ramet see the branch more often, or set "
					  "git.verify.mode to head for once");
		} else {
			r = check_commit(g, &oid, err);
		}
	}
	git_revwalk_free(walk);
	if (rc != 0 && rc != GIT_ITEROVER)
		return gitrepo_fail(g, rc, err, "cannot list the commits to be verified");
	return r;
}

int gitsign_check(struct gitrepo *g, const git_oid *rev, bool old, struct err **err)
{
	git_reference *ref = NULL;
	git_oid base;
	bool range = strcmp(g->setup->verify, "range") == 0;

	if (!is_on(g->setup))
		return 0;
	bool known = git_reference_name_to_id(&base, g->repo, VERIFIED_REF) == 0;
	git_error_clear();
	/* The revision itself in any case: the list of signers may have changed since. */
	if (check_commit(g, rev, err) != 0)
		return -1;
	if (old)
		return 0;
	if (range && known && !git_oid_equal(&base, rev) && check_range(g, rev, &base, err) != 0)
		return -1;
	int rc = git_reference_create(&ref, g->repo, VERIFIED_REF, rev, true, NULL);
	git_reference_free(ref);
	return rc == 0 ? 0 : gitrepo_fail(g, rc, err, "cannot remember what was verified");
}
