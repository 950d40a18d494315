#include "gitread.h"
#include "gitname.h"
#include "text.h"

#include <string.h>

/* Seconds that a commit may claim to be from, either way of 1970; far beyond any calendar. */
#define TIME_MAX ((int64_t)1 << 40)

struct reading {
	struct gitrepo *g;
	const struct gitread_job *job;
	git_odb *odb;
	int64_t bytes;
	bool full; /* the limit on the size of the whole was reached */
	bool gaps;
};

static int emit(struct reading *r, const struct gitlist_item *item, const char *skipped,
    struct gitproto_bytes data, struct err **err)
{
	char hex[GIT_OID_HEXSZ + 1];
	struct gitproto_msg file = {.type = GITPROTO_FILE,
	    .path = item->path,
	    .rev = git_oid_tostr(hex, sizeof(hex), &item->oid),
	    .skipped = skipped,
	    .data = data};
	return r->job->emit(r->job->arg, &file, err);
}

static int skip(
    struct reading *r, const struct gitlist_item *item, const char *why, struct err **err)
{
	return emit(r, item, why, (struct gitproto_bytes){0}, err);
}

/* An object that should be there: lost from the cache, or never sent by the server. */
static int lost(
    struct reading *r, const struct gitlist_item *item, const char *why, struct err **err)
{
	r->gaps = true;
	if (!r->job->what.strict)
		return skip(r, item, why, err);
	r->g->suspect = true;
	return err_set(err, ERR_PROTOCOL, "%s: %s", item->path, why);
}

static int read_item(struct reading *r, const struct gitlist_item *item, struct err **err)
{
	const struct gitproto_setup *setup = r->g->setup;
	git_blob *blob = NULL;
	git_object_t type;
	size_t len;

	if (item->why)
		return skip(r, item, item->why, err);
	/* The size stands in front of the content: a giant is never unpacked. */
	if (git_odb_read_header(&len, &type, r->odb, &item->oid) != 0)
		return lost(r, item, "missing in the repository", err);
	if (type != GIT_OBJECT_BLOB)
		return skip(r, item, "not a file", err);
	if ((int64_t)len > setup->max_file_bytes) {
		_cleanup_str_ char *size = text_bytes(len);
		_cleanup_str_ char *max = text_bytes((uint64_t)setup->max_file_bytes);
		_cleanup_str_ char *why = mem_printf("%s, larger than %s", size, max);
		return skip(r, item, why, err);
	}
	if (r->bytes + (int64_t)len > setup->max_total_bytes) {
		r->full = true;
		return 0;
	}
	if (git_blob_lookup(&blob, r->g->repo, &item->oid) != 0)
		return lost(r, item, "cannot be read from the repository", err);
	const char *data = git_blob_rawcontent(blob);
	int rc;
	if (gitname_is_lfs(data, len)) {
		rc = skip(r, item, "a pointer of Git LFS, not the file itself", err);
	} else {
		r->bytes += (int64_t)len;
		rc = emit(r, item, NULL, (struct gitproto_bytes){data, len}, err);
	}
	git_blob_free(blob);
	return rc;
}

/* --- all of it, or the difference --- */

/* Of a list that is not whole, or in which a path does not say which entry is meant, nobody can
 * tell what is different. */
static bool is_clear(const struct gitlist *l)
{
	return !l->full && !l->gaps && !l->missing && !gitlist_has_doubles(l);
}

static bool list_base(struct gitrepo *g, const struct gitread_job *job, struct gitlist *ret)
{
	struct gitlist_job what = job->what;
	_cleanup_err_ struct err *err = NULL;

	if (!job->base || what.only[0] || !gitrepo_has_commit(g, job->base))
		return false;
	git_oid_cpy(&what.rev, job->base);
	what.strict = false;
	if (gitlist_make(g, &what, ret, &err) != 0)
		return false;
	return is_clear(ret);
}

static bool is_same(const struct gitlist_item *a, const struct gitlist_item *b)
{
	return a->mode == b->mode && git_oid_equal(&a->oid, &b->oid) && text_eq(a->why, b->why);
}

static int read_new(
    struct reading *r, const struct gitlist *now, const struct gitlist *base, struct err **err)
{
	int rc = 0;

	for (size_t i = 0; i < now->n && rc == 0 && !r->full; i++) {
		const struct gitlist_item *old = base ? gitlist_find(base, now->v[i].path) : NULL;
		if (!old || !is_same(old, &now->v[i]))
			rc = read_item(r, &now->v[i], err);
	}
	return rc;
}

static int name_gone(
    struct reading *r, const struct gitlist *now, const struct gitlist *base, struct err **err)
{
	int rc = 0;

	for (size_t i = 0; i < base->n && rc == 0; i++) {
		struct gitproto_msg gone = {.type = GITPROTO_GONE, .path = base->v[i].path};
		if (!gitlist_find(now, base->v[i].path))
			rc = r->job->emit(r->job->arg, &gone, err);
	}
	return rc;
}

static int read_list(
    struct reading *r, const struct gitlist *now, bool *ret_on_base, struct err **err)
{
	struct gitlist base = {0};

	bool built = is_clear(now) && list_base(r->g, r->job, &base);
	int rc = read_new(r, now, built ? &base : NULL, err);
	if (rc == 0 && built)
		rc = name_gone(r, now, &base, err);
	gitlist_fini(&base);
	*ret_on_base = built;
	return rc;
}

/* Who made the commit, for reports. */
static void describe(git_commit *commit, struct gitread_result *ret)
{
	const char *subject = git_commit_summary(commit);
	int64_t at = git_commit_time(commit);

	at = at > TIME_MAX ? TIME_MAX : at < -TIME_MAX ? -TIME_MAX : at;
	ret->author = gitname_clean(git_commit_author(commit)->name, 200, false);
	ret->subject = gitname_clean(subject ? subject : "", 200, false);
	ret->commit_wall_ms = at * 1000;
}

int gitread_run(
    struct gitrepo *g, const struct gitread_job *job, struct gitread_result *ret, struct err **err)
{
	struct reading r = {.g = g, .job = job};
	struct gitread_result got = {0};
	struct gitlist now = {0};
	git_commit *commit = NULL;

	if (gitlist_make(g, &job->what, &now, err) != 0)
		return -1;
	int rc = git_commit_lookup(&commit, g->repo, &job->what.rev);
	if (rc == 0)
		rc = git_repository_odb(&r.odb, g->repo);
	int result = rc == 0 ? read_list(&r, &now, &got.on_base, err)
			     : gitrepo_fail(g, rc, err, "cannot read the commit");
	if (result == 0) {
		describe(commit, &got);
		got.truncated = now.full || r.full;
		got.path_missing = now.missing;
		got.gaps = now.gaps || r.gaps;
		*ret = got;
	}
	gitlist_fini(&now);
	git_odb_free(r.odb);
	git_commit_free(commit);
	return result;
}

void gitread_result_fini(struct gitread_result *r)
{
	mem_free_str(&r->author);
	mem_free_str(&r->subject);
}
