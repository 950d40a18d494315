#include "gitwrite.h"
#include "gitname.h"
#include "gitseal.h"
#include "log.h"
#include "loop.h"
#include "text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEMS_MAX 1000000
#define OUTGOING_REF "refs/ramet/outgoing"
#define STATUS_REF "refs/ramet/status"

void gitwrite_init(struct gitwrite *w, struct gitrepo *g)
{
	*w = (struct gitwrite){.g = g};
}

void gitwrite_fini(struct gitwrite *w)
{
	for (size_t i = 0; i < w->n; i++)
		mem_free_str(&w->items[i].path);
	free(w->items);
	err_free(&w->err);
	if (w->target && w->target != w->g->repo)
		git_repository_free(w->target);
	*w = (struct gitwrite){.g = w->g};
}

/* While the branch of a repository on this machine is moved, a file beside the cache says so: who
 * is killed then leaves a lock behind that nobody else would ever remove. */
static char *moving_mark(const struct gitrepo *g)
{
	return mem_printf("%s.moving", g->dir);
}

static void set_mark(const struct gitrepo *g)
{
	_cleanup_str_ char *mark = moving_mark(g);
	int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		close(fd);
}

static void clear_mark(const struct gitrepo *g)
{
	_cleanup_str_ char *mark = moving_mark(g);
	unlink(mark);
}

static void sweep_lock(struct gitwrite *w)
{
	_cleanup_str_ char *mark = moving_mark(w->g);
	_cleanup_str_ char *lock =
	    mem_printf("%s%s.lock", git_repository_commondir(w->target), w->g->ref[GITREPO_STATUS]);
	struct stat marked, locked;

	if (stat(mark, &marked) != 0)
		return;
	/* One that was there before was not ours. */
	if (stat(lock, &locked) == 0 && locked.st_mtime >= marked.st_mtime && unlink(lock) == 0)
		log_warn("git", "removed %s, left by a killed worker", lock);
	unlink(mark);
}

static int open_target(struct gitwrite *w, struct err **err)
{
	if (w->target)
		return 0;
	if (!w->g->local) {
		w->target = w->g->repo;
		return 0;
	}
	int rc =
	    git_repository_open_ext(&w->target, w->g->local, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
	if (rc != 0) {
		_cleanup_str_ char *what = mem_printf("cannot write to %s", w->g->setup->url);
		gitrepo_fail(w->g, rc, err, what);
		return err_hint(err, "check that git.url names a repository, and who may write it");
	}
	sweep_lock(w);
	return 0;
}

static int add_item(struct gitwrite *w, const char *path, const git_oid *oid, struct err **err)
{
	const char *folder = w->g->setup->status_path;
	if (w->n >= ITEMS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d files in one report", ITEMS_MAX);
	MEM_PUSH_ROOM(w->items, w->n, w->cap);
	struct gitwrite_item *item = &w->items[w->n++];
	*item = (struct gitwrite_item){
	    .path = mem_printf("%s%s%s", folder, folder[0] ? "/" : "", path)};
	if (oid)
		git_oid_cpy(&item->oid, oid);
	return 0;
}

static int put(struct gitwrite *w, const char *path, const char *data, size_t len, struct err **err)
{
	git_oid oid;
	if (open_target(w, err) != 0)
		return -1;
	int rc = git_blob_create_from_buffer(&oid, w->target, data, len);
	if (rc != 0) {
		gitrepo_fail(w->g, rc, err, "cannot store a file of the report");
		return w->g->local ? err_hint(err, "check space and rights of the folder of the "
						   "repository")
				   : -1;
	}
	return add_item(w, path, &oid, err);
}

void gitwrite_put(struct gitwrite *w, const char *path, const char *data, size_t len)
{
	if (!w->err && put(w, path, data, len, &w->err) != 0 && !w->err)
		err_set(&w->err, ERR_INTERNAL, "cannot add %s", path);
}

void gitwrite_del(struct gitwrite *w, const char *path)
{
	if (!w->err && add_item(w, path, NULL, &w->err) != 0 && !w->err)
		err_set(&w->err, ERR_INTERNAL, "cannot remove %s", path);
}

/* --- the commit --- */

/* An index in memory that starts as the parent's tree: it sorts out files that become folders and
 * folders that become empty. */
static int build_tree(struct gitwrite *w, git_commit *parent, git_oid *ret, struct err **err)
{
	git_index *index = NULL;
	git_tree *tree = NULL;
	const char *what = "cannot make the tree of the report";

	int rc = git_index_new(&index);
	if (rc == 0 && parent)
		rc = git_commit_tree(&tree, parent);
	if (rc == 0 && parent)
		rc = git_index_read_tree(index, tree);
	for (size_t i = 0; i < w->n && rc == 0; i++) {
		struct gitwrite_item *item = &w->items[i];
		if (git_oid_is_zero(&item->oid)) {
			rc = git_index_remove(index, item->path, 0);
			if (rc == GIT_ENOTFOUND)
				rc = 0;
			continue;
		}
		git_index_entry e = {.mode = GIT_FILEMODE_BLOB, .path = item->path};
		git_oid_cpy(&e.id, &item->oid);
		rc = git_index_add(index, &e);
	}
	/* Otherwise each of the files that stay is opened, to see that it is there: ten thousand
	 * for a report of one. */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0);
	if (rc == 0)
		rc = git_index_write_tree_to(ret, index, w->target);
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
	git_tree_free(tree);
	git_index_free(index);
	return rc == 0 ? 0 : gitrepo_fail(w->g, rc, err, what);
}

static int new_signature(struct gitwrite *w, git_signature **ret, struct err **err)
{
	const struct gitproto_setup *o = w->g->setup;
	int rc = git_signature_new(ret, o->author_name, o->author_email, loop_wall_ms() / 1000, 0);
	if (rc == 0)
		return 0;
	gitrepo_fail(w->g, rc, err, "report.author_name or report.author_email is not usable");
	if (err)
		(*err)->code = ERR_CONFIG;
	return err_hint(err, "set both, without < and >");
}

static int store_commit(struct gitwrite *w, const git_buf *text, git_oid *ret, struct err **err)
{
	_cleanup_str_ char *seal = NULL;

	if (gitseal_is_on(w->g->setup) &&
	    gitseal_sign(w->g->setup, text->ptr, text->size, &seal, err) != 0)
		return -1;
	int rc = git_commit_create_with_signature(ret, w->target, text->ptr, seal, NULL);
	return rc == 0 ? 0 : gitrepo_fail(w->g, rc, err, "cannot make the commit of the report");
}

/* *ret is the parent itself when nothing would change. */
static int commit(
    struct gitwrite *w, git_commit *parent, const char *message, git_oid *ret, struct err **err)
{
	git_signature *sig = NULL;
	git_tree *tree = NULL;
	git_oid tree_oid;
	const git_commit *parents[] = {parent};

	if (build_tree(w, parent, &tree_oid, err) != 0)
		return -1;
	if (parent && git_oid_equal(&tree_oid, git_commit_tree_id(parent))) {
		git_oid_cpy(ret, git_commit_id(parent));
		return 0;
	}
	if (new_signature(w, &sig, err) != 0)
		return -1;
	git_buf text = {0};
	int rc = git_tree_lookup(&tree, w->target, &tree_oid);
	if (rc == 0)
		rc = git_commit_create_buffer(
		    &text, w->target, sig, sig, "UTF-8", message, tree, parent ? 1 : 0, parents);
	int r = rc == 0 ? store_commit(w, &text, ret, err)
			: gitrepo_fail(w->g, rc, err, "cannot make the commit of the report");
	git_buf_dispose(&text);
	git_tree_free(tree);
	git_signature_free(sig);
	return r;
}

/* --- its way to the remote --- */

static int moved(struct gitwrite *w, bool *ret_rejected, struct err **err)
{
	*ret_rejected = true;
	err_set(err, ERR_CONFLICT, "%s moved in the meantime", w->g->ref[GITREPO_STATUS]);
	return err_hint(err, "nothing to do: the report is made anew on the new head");
}

/* Whether `advertised` (NULL = no such branch) is what the report was built on. */
static bool is_parent(const git_oid *advertised, const git_commit *parent)
{
	if (!advertised || !parent)
		return !advertised && !parent;
	return git_oid_equal(advertised, git_commit_id(parent));
}

static int write_local(struct gitwrite *w, git_commit *parent, const git_oid *oid,
    bool *ret_rejected, struct err **err)
{
	const char *name = w->g->ref[GITREPO_STATUS];
	git_reference *ref = NULL, *head = NULL;
	bool checked_out = false;

	if (!git_repository_is_bare(w->target) &&
	    git_reference_lookup(&head, w->target, "HEAD") == 0) {
		const char *at = git_reference_symbolic_target(head);
		checked_out = at && strcmp(at, name) == 0;
	}
	git_reference_free(head);
	if (checked_out) {
		err_set(err, ERR_CONFLICT, "%s is checked out in %s", name, w->g->local);
		return err_hint(err, "check out another branch there, or use a bare repository");
	}
	set_mark(w->g);
	int rc = parent ? git_reference_create_matching(&ref, w->target, name, oid, true,
			      git_commit_id(parent), "ramet: report")
			: git_reference_create(&ref, w->target, name, oid, false, "ramet: report");
	git_reference_free(ref);
	clear_mark(w->g);
	if (rc == GIT_EMODIFIED || rc == GIT_EEXISTS || rc == GIT_ELOCKED || rc == GIT_ENOTFOUND)
		return moved(w, ret_rejected, err);
	return rc == 0 ? 0 : gitrepo_fail(w->g, rc, err, "cannot update the report's branch");
}

struct verdict {
	struct gitwrite *w;
	char *status; /* what the server says against it, or NULL */
	bool seen;
};

static int on_verdict(const char *ref, const char *status, void *arg)
{
	struct gitrepo *g = arg;
	struct verdict *v = (struct verdict *)g->verdict;
	if (v && strcmp(ref, g->ref[GITREPO_STATUS]) == 0) {
		v->seen = true;
		if (status)
			mem_replace(&v->status, status);
	}
	return 0;
}

static int declined(struct gitwrite *w, const char *status, struct err **err)
{
	_cleanup_str_ char *why = gitname_clean(status, 200, false);
	_cleanup_str_ char *said = gitname_clean(buf_str(&w->g->remarks), 2000, true);
	err_set(err, ERR_DECLINED, "the server declined the push to %s: %s%s%s",
	    w->g->ref[GITREPO_STATUS], why, *said ? ": " : "", said);
	return err_hint(err, "let the user of git.username push to this branch (branch protection, "
			     "hooks), or set report.branch to another one");
}

/* The words with which servers tell a lost race; what else they say is a refusal. */
static bool is_race(const char *status)
{
	static const char *const words[] = {"non-fast-forward", "fetch first",
	    "failed to update ref", "cannot lock", "failed to lock", "already exists", "stale info",
	    "incorrect old value"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasestr(status, words[i]))
			return true;
	}
	return false;
}

static int upload(struct gitwrite *w, git_remote *remote, bool *ret_rejected, struct err **err)
{
	_cleanup_str_ char *spec = mem_printf(OUTGOING_REF ":%s", w->g->ref[GITREPO_STATUS]);
	git_strarray specs = {&spec, 1};
	git_push_options opts;
	struct verdict v = {.w = w};

	git_push_options_init(&opts, GIT_PUSH_OPTIONS_VERSION);
	/* One thread: the worker is limited in what it may start. */
	opts.pb_parallelism = 1;
	gitrepo_callbacks(w->g, &opts.callbacks);
	opts.callbacks.push_update_reference = on_verdict;
	buf_reset(&w->g->remarks);
	w->g->verdict = &v;
	int rc = git_remote_upload(remote, &specs, &opts);
	w->g->verdict = NULL;
	_cleanup_str_ char *status = TAKE(v.status);
	if (rc == GIT_ENONFASTFORWARD)
		return moved(w, ret_rejected, err);
	/* The library counts a push that the server refused as done: only the status tells. */
	if (status)
		return is_race(status) ? moved(w, ret_rejected, err) : declined(w, status, err);
	if (rc != 0)
		return gitrepo_fail(w->g, rc, err, "cannot push the report");
	if (!v.seen)
		return err_set(
		    err, ERR_PROTOCOL, "the server did not say whether it took the push");
	return 0;
}

static int push(struct gitwrite *w, git_commit *parent, const git_oid *oid, bool *ret_rejected,
    struct err **err)
{
	git_remote *remote = NULL;
	git_reference *ref = NULL;
	git_oid at;

	if (gitrepo_connect_push(w->g, &remote, err) != 0)
		return -1;
	bool there = gitrepo_advertised(remote, w->g->ref[GITREPO_STATUS], &at);
	int r;
	if (!is_parent(there ? &at : NULL, parent)) {
		r = moved(w, ret_rejected, err);
	} else {
		int rc = git_reference_create(&ref, w->target, OUTGOING_REF, oid, true, NULL);
		git_reference_free(ref);
		r = rc == 0 ? upload(w, remote, ret_rejected, err)
			    : gitrepo_fail(w->g, rc, err, "cannot prepare the push");
	}
	git_remote_free(remote);
	if (r == 0 && git_reference_create(&ref, w->target, STATUS_REF, oid, true, NULL) == 0)
		git_reference_free(ref);
	return r;
}

int gitwrite_rehearse(
    struct gitwrite *w, git_remote *remote, const git_oid *at, bool *ret_rejected, struct err **err)
{
	git_reference *ref = NULL;
	git_oid head;
	bool exists;

	*ret_rejected = false;

	if (open_target(w, err) != 0)
		return -1;
	if (!gitrepo_has_commit(w->g, at) &&
	    gitrepo_fetch(w->g, GITREPO_STATUS, &head, &exists, err) != 0)
		return -1;
	int rc = git_reference_create(&ref, w->target, OUTGOING_REF, at, true, NULL);
	git_reference_free(ref);
	if (rc != 0)
		return gitrepo_fail(w->g, rc, err, "cannot prepare the push");
	return upload(w, remote, ret_rejected, err);
}

/* The parent as an object of the target; NULL for "". */
static int find_parent(
    struct gitwrite *w, const char *hex, git_commit **ret, bool *ret_rejected, struct err **err)
{
	git_oid oid, head;
	bool exists;

	*ret = NULL;
	if (!hex[0])
		return 0;
	if (git_oid_fromstr(&oid, hex) != 0)
		return err_set(err, ERR_INTERNAL, "the parent of the report is no object id");
	if (git_commit_lookup(ret, w->target, &oid) == 0)
		return 0;
	if (!w->g->local) {
		if (gitrepo_fetch(w->g, GITREPO_STATUS, &head, &exists, err) != 0)
			return -1;
		if (git_commit_lookup(ret, w->target, &oid) == 0)
			return 0;
	}
	/* The head it was built on is gone from the remote. */
	return moved(w, ret_rejected, err);
}

int gitwrite_publish(struct gitwrite *w, const char *parent, const char *message,
    char ret_head[GIT_OID_HEXSZ + 1], bool *ret_rejected, struct err **err)
{
	git_commit *base = NULL;
	git_oid oid;

	*ret_rejected = false;
	if (w->err)
		return err_pass(err, &w->err);
	if (open_target(w, err) != 0 || find_parent(w, parent, &base, ret_rejected, err) != 0)
		return -1;
	int r = commit(w, base, message, &oid, err);
	if (r == 0 && !(base && git_oid_equal(&oid, git_commit_id(base))))
		r = w->g->local ? write_local(w, base, &oid, ret_rejected, err)
				: push(w, base, &oid, ret_rejected, err);
	git_commit_free(base);
	if (r == 0)
		git_oid_tostr(ret_head, GIT_OID_HEXSZ + 1, &oid);
	return r;
}
