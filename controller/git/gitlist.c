#include "gitlist.h"
#include "gitignore.h"
#include "gitname.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4096
/* Entries looked at for each file that may be read: the rest of a tree is other people's. */
#define VISITS_PER_FILE 10

struct walk {
	struct gitrepo *g;
	const struct gitlist_job *job;
	struct gitlist list;
	struct buf path; /* of the entry at hand, relative to the folder */
	int64_t visits, depth;
	struct gitignore *ignores; /* NULL = none */
};

/* The entry whose path is w->path; `why` it is not to be read, or NULL. */
static void add(struct walk *w, const git_oid *oid, git_filemode_t mode, const char *why)
{
	struct gitlist *l = &w->list;

	if ((int64_t)l->n >= w->g->setup->max_files) {
		l->full = true;
		return;
	}
	struct buf printable;
	buf_init(&printable, 4 * PATH_BYTES);
	gitname_add_printable(&printable, buf_str(&w->path));
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	struct gitlist_item *item = &l->v[l->n++];
	*item = (struct gitlist_item){
	    .path = buf_take(&printable), .mode = mode, .why = mem_strdup(why)};
	git_oid_cpy(&item->oid, oid);
}

/* Without its rules files would be taken that nobody meant to be taken: whatever is wrong with them
 * fails the whole. */
static int ignores_lost(struct walk *w, struct err **err)
{
	w->g->suspect = w->g->suspect || w->job->strict;
	return err_set(err, ERR_PROTOCOL, "%s cannot be read from the repository", GITIGNORE_FILE);
}

static int ignores_odd(const char *what, const char *hint, struct err **err)
{
	err_set(err, ERR_LIMIT, "%s %s", GITIGNORE_FILE, what);
	return err_hint(err, "%s", hint);
}

static int read_ignores(struct walk *w, const git_oid *oid, struct err **err)
{
	git_odb *odb = NULL;
	git_blob *blob = NULL;
	git_object_t type;
	size_t len = 0;
	int r;

	/* The size stands in front of the content: a giant is never unpacked. */
	bool there = git_repository_odb(&odb, w->g->repo) == 0 &&
		     git_odb_read_header(&len, &type, odb, oid) == 0;
	if (there && len > GITIGNORE_BYTES)
		r = ignores_odd("is too large", "keep the rules few and short", err);
	else if (!there || git_blob_lookup(&blob, w->g->repo, oid) != 0)
		r = ignores_lost(w, err);
	else
		r = gitignore_new(&w->ignores, git_blob_rawcontent(blob), len, err);
	git_blob_free(blob);
	git_odb_free(odb);
	return r;
}

static int load_ignores(struct walk *w, const git_oid *folder, struct err **err)
{
	git_tree *tree = NULL;
	int r = 0;

	if (git_tree_lookup(&tree, w->g->repo, folder) != 0)
		return 0; /* the walk will find that out, too */
	const git_tree_entry *e = git_tree_entry_byname(tree, GITIGNORE_FILE);
	git_filemode_t mode = e ? git_tree_entry_filemode(e) : GIT_FILEMODE_UNREADABLE;
	if (mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE)
		r = read_ignores(w, git_tree_entry_id(e), err);
	else if (e)
		r = ignores_odd("is no file", "write the rules into a file of that name", err);
	git_tree_free(tree);
	return r;
}

static int walk_tree(struct walk *w, const git_oid *oid, struct err **err);

static int visit_folder(struct walk *w, const git_oid *oid, struct err **err)
{
	if (w->depth >= w->g->setup->max_depth) {
		_cleanup_str_ char *why =
		    mem_printf("folder nested deeper than %lld", (long long)w->depth);
		add(w, oid, GIT_FILEMODE_TREE, why);
		return 0;
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
		if (!fault)
			return visit_folder(w, oid, err);
		add(w, oid, mode, fault);
		return 0;
	case GIT_FILEMODE_COMMIT:
		add(w, oid, mode, fault ? fault : "a submodule");
		return 0;
	case GIT_FILEMODE_LINK:
		if (wanted)
			add(w, oid, mode, fault ? fault : "a symbolic link");
		return 0;
	case GIT_FILEMODE_BLOB:
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		if (wanted)
			add(w, oid, mode, fault);
		return 0;
	case GIT_FILEMODE_UNREADABLE:
		break;
	}
	add(w, oid, mode, "an entry of unknown kind");
	return 0;
}

static int walk_tree(struct walk *w, const git_oid *oid, struct err **err)
{
	git_tree *tree = NULL;
	size_t base = w->path.len;
	int r = 0;

	if (git_tree_lookup(&tree, w->g->repo, oid) != 0) {
		static const char why[] = "folder cannot be read from the repository";
		if (w->job->strict) {
			w->g->suspect = true;
			return err_set(err, ERR_PROTOCOL, "%s: %s", buf_str(&w->path), why);
		}
		w->list.gaps = true;
		add(w, oid, GIT_FILEMODE_TREE, why);
		return 0;
	}
	size_t n = git_tree_entrycount(tree);
	for (size_t i = 0; i < n && r == 0 && !w->list.full; i++) {
		const git_tree_entry *e = git_tree_entry_byindex(tree, i);
		const char *name = git_tree_entry_name(e);
		if (++w->visits > VISITS_PER_FILE * w->g->setup->max_files) {
			w->list.full = true;
			break;
		}
		if (base + strlen(name) + 1 > PATH_BYTES) {
			add(w, git_tree_entry_id(e), GIT_FILEMODE_TREE, "a path in it is too long");
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

static int list_root(struct walk *w, git_tree *root, struct err **err)
{
	const struct gitlist_job *job = w->job;
	const char *sep = job->folder[0] && job->only[0] ? "/" : "";
	_cleanup_str_ char *path = mem_printf("%s%s%s", job->folder, sep, job->only);
	git_oid oid;
	git_filemode_t mode;

	w->list.missing = find_entry(root, path, &oid, &mode) == 0;
	if (!w->list.missing && !job->only[0] && mode != GIT_FILEMODE_TREE)
		w->list.missing = true; /* a file stands where the folder should be */
	if (w->list.missing)
		return 0;
	if (!job->only[0] && job->ignores && load_ignores(w, &oid, err) != 0)
		return -1;
	if (!job->only[0])
		return walk_tree(w, &oid, err);
	const char *slash = strrchr(job->only, '/');
	buf_adds(&w->path, job->only);
	return visit(w, slash ? slash + 1 : job->only, mode, &oid, err);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(
	    ((const struct gitlist_item *)a)->path, ((const struct gitlist_item *)b)->path);
}

int gitlist_make(
    struct gitrepo *g, const struct gitlist_job *job, struct gitlist *ret, struct err **err)
{
	struct walk w = {.g = g, .job = job};
	git_commit *commit = NULL;
	git_tree *root = NULL;

	buf_init(&w.path, 2 * PATH_BYTES);
	int rc = git_commit_lookup(&commit, g->repo, &job->rev);
	if (rc == 0)
		rc = git_commit_tree(&root, commit);
	int r =
	    rc == 0 ? list_root(&w, root, err) : gitrepo_fail(g, rc, err, "cannot read the commit");
	buf_fini(&w.path);
	gitignore_free(&w.ignores);
	git_tree_free(root);
	git_commit_free(commit);
	if (r != 0) {
		gitlist_fini(&w.list);
		return -1;
	}
	if (w.list.n > 1)
		qsort(w.list.v, w.list.n, sizeof(*w.list.v), by_path);
	*ret = w.list;
	return 0;
}

void gitlist_fini(struct gitlist *l)
{
	for (size_t i = 0; i < l->n; i++) {
		mem_free_str(&l->v[i].path);
		mem_free_str(&l->v[i].why);
	}
	free(l->v);
	*l = (struct gitlist){0};
}

bool gitlist_has_doubles(const struct gitlist *l)
{
	for (size_t i = 1; i < l->n; i++) {
		if (strcmp(l->v[i - 1].path, l->v[i].path) == 0)
			return true;
	}
	return false;
}

const struct gitlist_item *gitlist_find(const struct gitlist *l, const char *path)
{
	const struct gitlist_item key = {.path = (char *)(uintptr_t)path};
	return l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), by_path) : NULL;
}
