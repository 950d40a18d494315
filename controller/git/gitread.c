#include "gitread.h"
#include "gitignore.h"
#include "gitname.h"
#include "text.h"

#include <string.h>

#define PATH_BYTES 4096
/* Entries looked at for each file that may be read: the rest of a tree is other people's. */
#define VISITS_PER_FILE 10
/* Seconds that a commit may claim to be from, either way of 1970; far beyond any calendar. */
#define TIME_MAX ((int64_t)1 << 40)

struct walk {
	struct gitrepo *g;
	const struct gitread_job *job;
	git_odb *odb;
	struct buf path; /* of the entry at hand, relative to the folder */
	int64_t visits, files, bytes, depth;
	struct gitignore *ignores; /* NULL = none */
	bool full;		   /* a limit on the whole was reached */
};

static int emit(struct walk *w, const git_oid *oid, const char *skipped, const char *data,
    size_t len, struct err **err)
{
	char hex[GIT_OID_HEXSZ + 1];
	struct buf printable;
	struct gitproto_msg file = {.type = GITPROTO_FILE};

	if (w->files++ >= w->g->setup->max_files) {
		w->full = true;
		return 0;
	}
	git_oid_tostr(hex, sizeof(hex), oid);
	buf_init(&printable, 4 * PATH_BYTES);
	gitname_add_printable(&printable, buf_str(&w->path));
	file.path = buf_str(&printable);
	file.rev = hex;
	file.skipped = skipped;
	file.data = (struct gitproto_bytes){data, len};
	int r = w->job->emit(w->job->arg, &file, err);
	buf_fini(&printable);
	return r;
}

static int skip(struct walk *w, const git_oid *oid, const char *why, struct err **err)
{
	return emit(w, oid, why, NULL, 0, err);
}

/* An object that should be there: lost from the cache, or never sent by the server. */
static int lost(struct walk *w, const git_oid *oid, const char *why, struct err **err)
{
	if (!w->job->strict)
		return skip(w, oid, why, err);
	w->g->suspect = true;
	return err_set(err, ERR_PROTOCOL, "%s: %s", buf_str(&w->path), why);
}

static int read_blob(struct walk *w, const git_oid *oid, struct err **err)
{
	git_blob *blob = NULL;
	git_object_t type;
	size_t len;

	/* The size stands in front of the content: a giant is never unpacked. */
	if (git_odb_read_header(&len, &type, w->odb, oid) != 0)
		return lost(w, oid, "missing in the repository", err);
	if (type != GIT_OBJECT_BLOB)
		return skip(w, oid, "not a file", err);
	if ((int64_t)len > w->g->setup->max_file_bytes) {
		_cleanup_str_ char *size = text_bytes(len);
		_cleanup_str_ char *max = text_bytes((uint64_t)w->g->setup->max_file_bytes);
		_cleanup_str_ char *why = mem_printf("%s, larger than %s", size, max);
		return skip(w, oid, why, err);
	}
	if (w->bytes + (int64_t)len > w->g->setup->max_total_bytes) {
		w->full = true;
		return 0;
	}
	if (git_blob_lookup(&blob, w->g->repo, oid) != 0)
		return lost(w, oid, "cannot be read from the repository", err);
	const char *data = git_blob_rawcontent(blob);
	int r;
	if (gitname_is_lfs(data, len)) {
		r = skip(w, oid, "a pointer of Git LFS, not the file itself", err);
	} else {
		w->bytes += (int64_t)len;
		r = emit(w, oid, NULL, data, len, err);
	}
	git_blob_free(blob);
	return r;
}

static int load_ignores(struct walk *w, const git_oid *folder, struct err **err)
{
	git_tree *tree = NULL;
	git_blob *blob = NULL;
	int r = 0;

	const git_tree_entry *e = NULL;
	if (git_tree_lookup(&tree, w->g->repo, folder) == 0)
		e = git_tree_entry_byname(tree, GITIGNORE_FILE);
	if (e && git_tree_entry_type(e) == GIT_OBJECT_BLOB &&
	    git_blob_lookup(&blob, w->g->repo, git_tree_entry_id(e)) == 0)
		r = gitignore_new(
		    &w->ignores, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), err);
	git_blob_free(blob);
	git_tree_free(tree);
	return r;
}

static int walk_tree(struct walk *w, const git_oid *oid, struct err **err);

static int visit_folder(struct walk *w, const git_oid *oid, struct err **err)
{
	if (w->depth >= w->g->setup->max_depth) {
		_cleanup_str_ char *why =
		    mem_printf("folder nested deeper than %lld", (long long)w->depth);
		return skip(w, oid, why, err);
	}
	w->depth++;
	int r = walk_tree(w, oid, err);
	w->depth--;
	return r;
}

/* The entry whose path is w->path. */
static int visit(
    struct walk *w, const char *name, git_filemode_t mode, const git_oid *oid, struct err **err)
{
	const char *fault = gitname_fault(name);
	bool wanted = gitname_has_suffix(name, w->job->suffixes), ignored;
	bool folder = mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_COMMIT;

	if (gitignore_covers(w->ignores, buf_str(&w->path), folder, &ignored, err) != 0)
		return -1;
	if (ignored)
		return 0;
	switch (mode) {
	case GIT_FILEMODE_TREE:
		return fault ? skip(w, oid, fault, err) : visit_folder(w, oid, err);
	case GIT_FILEMODE_COMMIT:
		return skip(w, oid, fault ? fault : "a submodule", err);
	case GIT_FILEMODE_LINK:
		return wanted ? skip(w, oid, fault ? fault : "a symbolic link", err) : 0;
	case GIT_FILEMODE_BLOB:
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		if (!wanted)
			return 0;
		return fault ? skip(w, oid, fault, err) : read_blob(w, oid, err);
	case GIT_FILEMODE_UNREADABLE:
		break;
	}
	return skip(w, oid, "an entry of unknown kind", err);
}

static int walk_tree(struct walk *w, const git_oid *oid, struct err **err)
{
	git_tree *tree = NULL;
	size_t base = w->path.len;
	int r = 0;

	if (git_tree_lookup(&tree, w->g->repo, oid) != 0)
		return lost(w, oid, "folder cannot be read from the repository", err);
	size_t n = git_tree_entrycount(tree);
	for (size_t i = 0; i < n && r == 0 && !w->full; i++) {
		const git_tree_entry *e = git_tree_entry_byindex(tree, i);
		const char *name = git_tree_entry_name(e);
		if (++w->visits > VISITS_PER_FILE * w->g->setup->max_files) {
			w->full = true;
			break;
		}
		if (base + strlen(name) + 1 > PATH_BYTES) {
			r = skip(w, git_tree_entry_id(e), "a path in it is too long", err);
			continue;
		}
		buf_addf(&w->path, "%s%s", base ? "/" : "", name);
		r = visit(w, name, git_tree_entry_filemode(e), git_tree_entry_id(e), err);
		buf_cut(&w->path, base);
	}
	git_tree_free(tree);
	return r;
}

/* The entry at path in the tree of the commit. 1 found, 0 not there. */
static int find_entry(git_tree *root, const char *path, git_oid *ret_oid, git_filemode_t *ret_mode)
{
	git_tree_entry *e = NULL;
	if (!path[0]) {
		git_oid_cpy(ret_oid, git_tree_id(root));
		*ret_mode = GIT_FILEMODE_TREE;
		return 1;
	}
	if (git_tree_entry_bypath(&e, root, path) != 0) {
		git_error_clear();
		return 0;
	}
	git_oid_cpy(ret_oid, git_tree_entry_id(e));
	*ret_mode = git_tree_entry_filemode(e);
	git_tree_entry_free(e);
	return 1;
}

static int read_root(struct walk *w, git_tree *root, bool *ret_missing, struct err **err)
{
	const struct gitread_job *job = w->job;
	const char *sep = job->folder[0] && job->only[0] ? "/" : "";
	_cleanup_str_ char *path = mem_printf("%s%s%s", job->folder, sep, job->only);
	git_oid oid;
	git_filemode_t mode;

	*ret_missing = find_entry(root, path, &oid, &mode) == 0;
	if (!*ret_missing && !job->only[0] && mode != GIT_FILEMODE_TREE)
		*ret_missing = true; /* a file stands where the folder should be */
	if (*ret_missing)
		return 0;
	if (!job->only[0] && job->ignores && load_ignores(w, &oid, err) != 0)
		return -1;
	if (!job->only[0])
		return walk_tree(w, &oid, err);
	const char *slash = strrchr(job->only, '/');
	buf_adds(&w->path, job->only);
	return visit(w, slash ? slash + 1 : job->only, mode, &oid, err);
}

int gitread_run(
    struct gitrepo *g, const struct gitread_job *job, struct gitread_result *ret, struct err **err)
{
	struct walk w = {.g = g, .job = job};
	git_commit *commit = NULL;
	git_tree *root = NULL;
	bool missing = false;

	buf_init(&w.path, 2 * PATH_BYTES);
	int rc = git_commit_lookup(&commit, g->repo, &job->rev);
	if (rc == 0)
		rc = git_commit_tree(&root, commit);
	if (rc == 0)
		rc = git_repository_odb(&w.odb, g->repo);
	int r = rc == 0 ? read_root(&w, root, &missing, err)
			: gitrepo_fail(g, rc, err, "cannot read the commit");
	if (r == 0) {
		const char *subject = git_commit_summary(commit);
		int64_t at = git_commit_time(commit);
		at = at > TIME_MAX ? TIME_MAX : at < -TIME_MAX ? -TIME_MAX : at;
		*ret = (struct gitread_result){
		    .author = gitname_clean(git_commit_author(commit)->name, 200, false),
		    .subject = gitname_clean(subject ? subject : "", 200, false),
		    .commit_wall_ms = at * 1000,
		    .truncated = w.full,
		    .path_missing = missing,
		};
	}
	buf_fini(&w.path);
	gitignore_free(&w.ignores);
	git_odb_free(w.odb);
	git_tree_free(root);
	git_commit_free(commit);
	return r;
}

void gitread_result_fini(struct gitread_result *r)
{
	mem_free_str(&r->author);
	mem_free_str(&r->subject);
}
