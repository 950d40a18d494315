#include "gitsigssh.h"
#include "gitprog.h"
#include "gitsigners.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PRINCIPALS_MAX 16
#define SIGNERS_BYTES ((size_t)4 << 20)

struct check {
	const struct gitverdict_case *c;
	char *sig_file, *at;
};

/* The names under which the list of signers knows the key, at the time of the commit; none when the
 * status is not 0. */
static int find_principals(
    struct check *k, const char *signers, const char *at, struct gitprog *ret, struct err **err)
{
	const char *argv[] = {
	    "ssh-keygen", "-Y", "find-principals", "-s", k->sig_file, "-f", signers, at, NULL};
	return gitprog_run(argv, NULL, &(struct gitproto_bytes){"", 0}, ret, err);
}

/* The key is not known for that time: is it known at all? */
static int judge_signer(struct check *k, enum gitverdict *ret, struct err **err)
{
	const struct gitproto_setup *s = k->c->setup;
	_cleanup_str_ char *path = mem_printf("%s/" GITPROG_SIGNERS, s->dir);
	_cleanup_gitprog_ struct gitprog p = {0};
	struct buf list;

	if (gitprog_read(s->allowed_signers_file, SIGNERS_BYTES, &list, err) != 0)
		return -1;
	gitsigners_strip_times(&list);
	int r = gitprog_write(path, buf_str(&list), list.len, err);
	buf_fini(&list);
	if (r == 0)
		r = find_principals(k, path, NULL, &p, err);
	unlink(path);
	if (r != 0)
		return -1;
	*ret = p.status == 0 ? GITVERDICT_NOT_VALID_THEN : GITVERDICT_NOT_SIGNER;
	return 0;
}

static int verify_as(struct check *k, const char *principal, const char *revoked,
    struct gitprog *ret, struct err **err)
{
	const char *argv[] = {"ssh-keygen", "-Y", "verify", "-n", "git", "-s", k->sig_file, "-f",
	    k->c->setup->allowed_signers_file, "-I", principal, k->at, revoked ? "-r" : NULL,
	    revoked, NULL};
	return gitprog_run(argv, NULL, &k->c->data, ret, err);
}

static int judge_as(struct check *k, const char *principal, enum gitverdict *ret, struct err **err)
{
	const char *revoked = k->c->setup->revoked_signers_file;
	_cleanup_gitprog_ struct gitprog p = {0}, again = {0};

	if (verify_as(k, principal, revoked[0] ? revoked : NULL, &p, err) != 0)
		return -1;
	*ret = p.status == 0			      ? GITVERDICT_GOOD
	       : strcasestr(p.words, "not permitted") ? GITVERDICT_NOT_FOR_GIT
						      : GITVERDICT_OTHER_CONTENT;
	if (p.status == 0 || p.words[0] || !revoked[0])
		return 0;
	/* Of a revoked key it says nothing: look whether the list makes the difference. */
	if (verify_as(k, principal, NULL, &again, err) != 0)
		return -1;
	if (again.status == 0)
		*ret = GITVERDICT_REVOKED;
	return 0;
}

static int judge(struct check *k, enum gitverdict *ret, struct err **err)
{
	const struct gitproto_setup *s = k->c->setup;
	_cleanup_gitprog_ struct gitprog p = {0};
	_cleanup_strs_ struct strs names = {0};

	if (gitprog_write(k->sig_file, k->c->sig.ptr, k->c->sig.len, err) != 0 ||
	    find_principals(k, s->allowed_signers_file, k->at, &p, err) != 0)
		return -1;
	bool found = p.status == 0 &&
		     text_split(buf_str(&p.out), "\n", true, PRINCIPALS_MAX, &names) == 0 &&
		     names.n;
	if (!found)
		return judge_signer(k, ret, err);
	for (size_t i = 0; i < names.n; i++) {
		if (judge_as(k, names.v[i], ret, err) != 0)
			return -1;
		if (*ret == GITVERDICT_GOOD)
			return 0;
	}
	return 0;
}

int gitsigssh_judge(const struct gitverdict_case *c, enum gitverdict *ret, struct err **err)
{
	struct check k = {.c = c};
	time_t when = (time_t)c->at;
	char at[32];
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(at, sizeof(at), "%Y%m%d%H%M%S", &tm))
		snprintf(at, sizeof(at), "19700101000000");
	k.at = mem_printf("-Overify-time=%s", at);
	k.sig_file = mem_printf("%s/" GITPROG_SIGNATURE, c->setup->dir);
	int r = judge(&k, ret, err);
	unlink(k.sig_file);
	mem_free_str(&k.sig_file);
	mem_free_str(&k.at);
	return r;
}
