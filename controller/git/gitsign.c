#include "gitsign.h"
#include "gitname.h"
#include "gitsigpgp.h"
#include "gitsigssh.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define VERIFIED_REF "refs/ramet/verified"
#define RANGE_MAX 2000

#define ARMOUR_SSH "-----BEGIN SSH SIGNATURE-----"
#define ARMOUR_PGP "-----BEGIN PGP SIGNATURE-----"

static bool is_on(const struct gitproto_setup *s)
{
	return s->verify[0] && strcmp(s->verify, "none") != 0;
}

int gitsign_check_settings(const struct gitproto_setup *s, struct err **err)
{
	const struct {
		const char *setting, *path;
	} files[] = {
	    {"git.verify.allowed_signers_file", s->allowed_signers_file},
	    {"git.verify.revoked_file", s->revoked_signers_file},
	    {"git.verify.keyring_file", s->keyring_file},
	};

	if (!is_on(s))
		return 0;
	if (strcmp(s->verify, "head") != 0 && strcmp(s->verify, "range") != 0)
		return err_set(err, ERR_CONFIG,
		    "git.verify.mode \"%s\" is none of none, head and range", s->verify);
	if (!s->allowed_signers_file[0] && !s->keyring_file[0]) {
		err_set(
		    err, ERR_CONFIG, "git.verify.mode is \"%s\", but nobody may sign", s->verify);
		return err_hint(err, "set git.verify.allowed_signers_file (SSH keys; see "
				     "ssh-keygen(1), ALLOWED SIGNERS) or git.verify.keyring_file "
				     "(OpenPGP keys)");
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i].path[0] && access(files[i].path, R_OK) != 0) {
			err_set(err, ERR_CONFIG, "%s cannot be read: %s", files[i].setting,
			    strerror(errno));
			return err_hint(err, "without it no commit can be trusted: check the "
					     "file's name and who may read it");
		}
	}
	return 0;
}

/* --- one commit --- */

static int blame(git_commit *commit, enum gitverdict verdict, struct err **err)
{
	char hex[GIT_OID_HEXSZ + 1];
	const git_signature *by = git_commit_committer(commit);
	_cleanup_str_ char *who = gitname_clean(by->email ? by->email : "", 100, false);

	if (verdict == GITVERDICT_GOOD)
		return 0;
	git_oid_tostr(hex, sizeof(hex), git_commit_id(commit));
	err_set(err, ERR_SIGNATURE, "commit %.12s by %s %s", hex, who, gitverdict_why(verdict));
	return err_hint(err, "%s", gitverdict_hint(verdict));
}

static int judge(const struct gitverdict_case *c, enum gitverdict *ret, struct err **err)
{
	if (!c->sig.ptr) {
		*ret = GITVERDICT_UNSIGNED;
		return 0;
	}
	bool ssh = text_starts(c->sig.ptr, ARMOUR_SSH), pgp = text_starts(c->sig.ptr, ARMOUR_PGP);
	if (ssh && c->setup->allowed_signers_file[0])
		return gitsigssh_judge(c, ret, err);
	if (pgp && c->setup->keyring_file[0])
		return gitsigpgp_judge(c, ret, err);
	*ret = ssh ? GITVERDICT_NO_SIGNERS : pgp ? GITVERDICT_NO_KEYRING : GITVERDICT_OTHER_KIND;
	return 0;
}

static int check_commit(struct gitrepo *g, const git_oid *oid, struct err **err)
{
	struct gitverdict_case c = {.setup = g->setup};
	enum gitverdict verdict = GITVERDICT_UNREADABLE;
	git_buf sig = {0}, data = {0};
	git_commit *commit = NULL;
	git_oid id = *oid;
	int r;

	int rc = git_commit_lookup(&commit, g->repo, oid);
	if (rc != 0)
		return gitrepo_fail(g, rc, err, "cannot read a commit to be verified");
	rc = git_commit_extract_signature(&sig, &data, g->repo, &id, NULL);
	c.at = git_commit_time(commit);
	if (rc == 0) {
		c.sig = (struct gitproto_bytes){sig.ptr, sig.size};
		c.data = (struct gitproto_bytes){data.ptr, data.size};
	}
	if (rc != 0 && rc != GIT_ENOTFOUND)
		r = gitrepo_fail(g, rc, err, "cannot read the signature of a commit");
	else if ((r = judge(&c, &verdict, err)) == 0)
		r = blame(commit, verdict, err);
	git_buf_dispose(&sig);
	git_buf_dispose(&data);
	git_commit_free(commit);
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
