#include "gitrepo.h"
#include "crypt.h"
#include "gitname.h"
#include "gitprog.h"
#include "gitseal.h"
#include "gitsign.h"
#include "log.h"
#include "loop.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMARKS_MAX 4096
#define NAMED_BRANCHES 10
/* Beyond these the cache is made anew: packs, and loose objects in one of 256 folders. */
#define PACKS_MAX 500
#define SAMPLE_MAX 200
#define RENEW_EVERY_MS ((int64_t)3600 * 1000)
/* Object cache of libgit2 and its windows into packs: small, as trees are read once. */
#define CACHE_BYTES ((ssize_t)16 << 20)
#define WINDOW_BYTES ((size_t)16 << 20)
#define MAPPED_BYTES ((size_t)512 << 20)

static const char *const local_ref[GITREPO_BRANCH__MAX] = {
    [GITREPO_WATCHED] = "refs/ramet/watched",
    [GITREPO_STATUS] = "refs/ramet/status",
};

/* --- errors --- */

static enum err_code code_of(int rc, int klass)
{
	switch (rc) {
	case GIT_ENOTFOUND:
		return ERR_NOTFOUND;
	case GIT_EAUTH:
		return ERR_AUTH;
	case GIT_ECERTIFICATE:
		return ERR_TLS;
	case GIT_ELOCKED:
	case GIT_EMODIFIED:
	case GIT_ENONFASTFORWARD:
		return ERR_CONFLICT;
	case GIT_EINVALIDSPEC:
		return ERR_CONFIG;
	default: /* an int of a library, not an enum of ours */
		break;
	}
	switch (klass) {
	case GIT_ERROR_NOMEMORY:
		return ERR_LIMIT;
	case GIT_ERROR_OS:
	case GIT_ERROR_FILESYSTEM:
		return ERR_IO;
	case GIT_ERROR_NET:
	case GIT_ERROR_HTTP:
	case GIT_ERROR_SSH:
		return ERR_UNREACHABLE;
	case GIT_ERROR_REPOSITORY:
		return ERR_NOTFOUND;
	case GIT_ERROR_SSL:
		return ERR_TLS;
	case GIT_ERROR_INDEXER:
	case GIT_ERROR_ZLIB:
	case GIT_ERROR_ODB:
	case GIT_ERROR_OBJECT:
	case GIT_ERROR_TREE:
		return ERR_PROTOCOL;
	default:
		return ERR_REMOTE;
	}
}

/* Failures that a torn or lost file of the cache would show as. */
static bool may_be_cache(int klass)
{
	switch (klass) {
	case GIT_ERROR_ODB:
	case GIT_ERROR_ZLIB:
	case GIT_ERROR_OBJECT:
	case GIT_ERROR_TREE:
	case GIT_ERROR_REFERENCE:
	case GIT_ERROR_CONFIG:
	case GIT_ERROR_OS:
	case GIT_ERROR_FILESYSTEM:
		return true;
	default:
		return false;
	}
}

int gitrepo_fail(struct gitrepo *g, int rc, struct err **err, const char *what)
{
	if (g->cause) {
		err_pass(err, &g->cause);
		return err_wrap(err, "%s", what);
	}
	const git_error *e = git_error_last();
	if (e && e->message && strstr(e->message, "extensions.objectformat")) {
		(void)gitname_blame_sha256(err);
		return err_wrap(err, "%s", what);
	}
	int klass = e ? e->klass : GIT_ERROR_NONE;
	_cleanup_str_ char *said = gitname_clean(e && e->message ? e->message : "", 400, false);
	/* Fetching everything again would need all the more room. */
	bool full = strstr(said, strerror(ENOSPC)) || strstr(said, strerror(EDQUOT));
	g->suspect = g->suspect || (may_be_cache(klass) && !full);
	bool large = e && e->message && strstr(e->message, "overly large object");
	if (klass == GIT_ERROR_NOMEMORY || large) {
		err_set(err, ERR_LIMIT,
		    "%s: something in the repository is too large for the git worker", what);
		return err_hint(
		    err, "keep manifests in a repository of their own, without large files");
	}
	err_set(
	    err, code_of(rc, klass), "%s: %s", what, *said ? said : "the library gives no reason");
	if (full)
		return err_hint(err, "free space in controller.state_dir, where the clone of the "
				     "repository is");
	return -1;
}

/* --- the cache --- */

/* Temporary files and locks of the library. The cache is ours alone: whoever made them is dead. */
static bool is_leftover(const char *name)
{
	return strstr(name, "_git2_") || text_ends(name, ".lock");
}

static int sweep_entry(const char *path, const struct stat *st UNUSED, int kind, struct FTW *ftw)
{
	if (kind == FTW_F && is_leftover(path + ftw->base) && unlink(path) == 0)
		log_debug("git", "removed %s, left by a killed worker", path + ftw->base);
	return 0;
}

static size_t count_entries(const char *dir, const char *suffix)
{
	size_t n = 0;
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));)
		n += text_ends(e->d_name, suffix);
	if (d)
		closedir(d);
	return n;
}

/* Removes what a killed worker left behind; true when so much has piled up that a new cache is
 * better: the library never packs anything again. */
static bool sweep(const char *dir)
{
	_cleanup_str_ char *packs = mem_printf("%s/objects/pack", dir);
	_cleanup_str_ char *sample = mem_printf("%s/objects/17", dir);

	nftw(dir, sweep_entry, 16, FTW_PHYS | FTW_MOUNT);
	return count_entries(packs, ".pack") > PACKS_MAX || count_entries(sample, "") > SAMPLE_MAX;
}

static int remove_entry(
    const char *path, const struct stat *st UNUSED, int kind UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static int remove_tree(const char *path)
{
	return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int make_dirs(const char *path, struct err **err)
{
	_cleanup_str_ char *part = mem_strdup(path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return err_set(err, ERR_IO, "cannot make %s: %s", part, strerror(errno));
		*p = '/';
	}
	if (mkdir(part, 0700) != 0 && errno != EEXIST)
		return err_set(err, ERR_IO, "cannot make %s: %s", part, strerror(errno));
	return 0;
}

/* A folder per URL: what another repository held never counts as known here. */
static char *cache_dir(const struct gitproto_setup *setup)
{
	char hex[CRYPT_HEX_LEN];
	crypt_sha256_hex(setup->url, strlen(setup->url), hex);
	return mem_printf("%s/%.16s.git", setup->dir, hex);
}

/* Only one worker may use a cache: two would sweep each other's files. The lock goes with the
 * process. */
static int lock_cache(struct gitrepo *g, struct err **err)
{
	_cleanup_str_ char *path = mem_printf("%s.lock", g->dir);
	g->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (g->lock < 0)
		return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	if (flock(g->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err_set(err, ERR_BUSY, "another process uses the cache in %s", g->dir);
	return err_hint(err, "give each controller a state_dir of its own");
}

static int open_repo(struct gitrepo *g, struct err **err)
{
	int rc = git_repository_open_bare(&g->repo, g->dir);
	if (rc != 0)
		rc = git_repository_init(&g->repo, g->dir, true);
	return rc == 0 ? 0 : gitrepo_fail(g, rc, err, "cannot open the cache of the repository");
}

/* Moved aside first: a kill in the middle leaves no half of a repository under its name. */
static int drop_cache(struct gitrepo *g, struct err **err)
{
	_cleanup_str_ char *aside = mem_printf("%s.old", g->dir);

	git_repository_free(g->repo);
	g->repo = NULL;
	remove_tree(aside);
	if (rename(g->dir, aside) != 0 && errno != ENOENT)
		return err_set(err, ERR_IO, "cannot replace %s: %s", g->dir, strerror(errno));
	remove_tree(aside);
	return 0;
}

static int open_cache(struct gitrepo *g, struct err **err)
{
	_cleanup_str_ char *aside = mem_printf("%s.old", g->dir);

	if (lock_cache(g, err) != 0)
		return -1;
	gitprog_sweep(g->setup->dir);
	if (access(aside, F_OK) == 0)
		remove_tree(aside);
	if (sweep(g->dir) && drop_cache(g, err) != 0)
		return -1;
	return open_repo(g, err);
}

bool gitrepo_renew(struct gitrepo *g)
{
	_cleanup_err_ struct err *err = NULL;
	int64_t ms = loop_wall_ms();

	if (!g->suspect || (g->renewed_ms && ms - g->renewed_ms < RENEW_EVERY_MS))
		return false;
	g->renewed_ms = ms;
	g->suspect = false;
	log_warn("git", "the cache %s cannot be read, fetching everything again", g->dir);
	if (drop_cache(g, &err) == 0 && open_repo(g, &err) == 0)
		return true;
	log_error("git", "%s", err_msg(err));
	return false;
}

static void prepare_library(void)
{
	static const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
	    GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL};

	git_libgit2_init();
	/* Nobody's configuration but ours counts: it could redirect URLs. */
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
	git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_BYTES);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_BYTES);
	/* The owner matters to programs that a repository's settings can make run something; the
	 * library runs nothing, and a repository on this machine often belongs to a git user. */
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

static int set_ref(char **ret, const char *branch, const char *setting, struct err **err)
{
	int valid = 0;
	char *ref =
	    text_starts(branch, "refs/") ? mem_strdup(branch) : mem_printf("refs/heads/%s", branch);
	*ret = ref;
	if (git_reference_name_is_valid(&valid, ref) != 0 || !valid) {
		err_set(
		    err, ERR_CONFIG, "%s \"%s\" cannot be the name of a branch", setting, branch);
		return err_hint(err, "set %s to a name such as main", setting);
	}
	return 0;
}

static int open_transport(struct gitrepo *g, struct err **err)
{
	const char *fault = gitaddr_parse(g->setup->url, &g->addr);
	if (fault)
		return err_set(err, ERR_CONFIG, "git.url \"%s\": %s", g->setup->url, fault);
	switch (g->addr.scheme) {
	case GITADDR_FILE:
		g->local = g->addr.path;
		return 0;
	case GITADDR_HTTP:
	case GITADDR_HTTPS:
		return githttp_new(&g->http, g->setup, &g->cause, err);
	case GITADDR_SSH:
		return gitssh_new(&g->ssh, g->setup, &g->addr, &g->cause, err);
	case GITADDR_SCHEME__MAX:
		break;
	}
	return err_set(err, ERR_INTERNAL, "no way to talk to %s", g->setup->url);
}

int gitrepo_open(struct gitrepo *g, const struct gitproto_setup *setup, struct err **err)
{
	*g = (struct gitrepo){.setup = setup, .lock = -1};
	buf_init(&g->remarks, REMARKS_MAX);
	prepare_library();
	g->dir = cache_dir(setup);
	if (set_ref(&g->ref[GITREPO_WATCHED], setup->branch, "git.branch", err) != 0 ||
	    set_ref(&g->ref[GITREPO_STATUS], setup->status_branch, "report.branch", err) != 0)
		return -1;
	if (gitsign_check_settings(setup, err) != 0 || gitseal_check_settings(setup, err) != 0 ||
	    make_dirs(setup->dir, err) != 0 || open_transport(g, err) != 0)
		return -1;
	return open_cache(g, err);
}

void gitrepo_close(struct gitrepo *g)
{
	git_repository_free(g->repo);
	githttp_free(&g->http);
	gitssh_free(&g->ssh);
	gitaddr_fini(&g->addr);
	mem_free_str(&g->dir);
	for (size_t i = 0; i < GITREPO_BRANCH__MAX; i++)
		mem_free_str(&g->ref[i]);
	err_free(&g->cause);
	buf_fini(&g->remarks);
	if (g->lock >= 0)
		close(g->lock);
	git_libgit2_shutdown();
}

void gitrepo_begin(struct gitrepo *g)
{
	err_free(&g->cause);
	buf_reset(&g->remarks);
	g->suspect = false;
	git_error_clear();
}

/* --- the remote --- */

static int on_remark(const char *str, int len, void *arg)
{
	struct gitrepo *g = arg;
	if (len > 0 && g->remarks.len + (size_t)len <= REMARKS_MAX)
		buf_add(&g->remarks, str, (size_t)len);
	return 0;
}

static int on_progress(const git_indexer_progress *stats, void *arg)
{
	struct gitrepo *g = arg;
	if ((int64_t)stats->received_bytes <= g->setup->max_pack_bytes)
		return 0;
	err_free(&g->cause);
	_cleanup_str_ char *max = text_bytes((uint64_t)g->setup->max_pack_bytes);
	err_set(&g->cause, ERR_LIMIT, "the server sends more than %s", max);
	err_hint(&g->cause, "keep manifests in a repository of their own, without large files");
	return GIT_EUSER;
}

void gitrepo_callbacks(struct gitrepo *g, git_remote_callbacks *ret)
{
	ret->sideband_progress = on_remark;
	ret->transfer_progress = on_progress;
	ret->payload = g;
}

static int remote_connect(
    struct gitrepo *g, git_direction direction, git_remote **ret, struct err **err)
{
	git_remote_create_options create;
	git_remote_connect_options connect;
	git_remote *remote = NULL;

	if (g->local && access(g->local, F_OK) != 0) {
		err_set(err, ERR_NOTFOUND, "no repository at %s: %s", g->local, strerror(errno));
		return err_hint(err, "check git.url");
	}
	git_remote_create_options_init(&create, GIT_REMOTE_CREATE_OPTIONS_VERSION);
	create.repository = g->repo;
	/* Without these the library consults the configuration and loses memory on each call. */
	create.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
	int rc = git_remote_create_with_opts(&remote, g->setup->url, &create);
	if (rc != 0)
		return gitrepo_fail(g, rc, err, "cannot use git.url");
	git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
	gitrepo_callbacks(g, &connect.callbacks);
	rc = git_remote_connect_ext(remote, direction, &connect);
	/* The library finds nothing wrong with an empty repository of another kind. */
	if (rc != 0 || g->cause) {
		_cleanup_str_ char *what = mem_printf("cannot read %s", g->setup->url);
		gitrepo_fail(g, rc, err, what);
		git_remote_free(remote);
		if (g->local && err && !(*err)->hint)
			err_hint(err, "check that git.url names a repository, and who may read it");
		return -1;
	}
	*ret = remote;
	return 0;
}

int gitrepo_connect_push(struct gitrepo *g, git_remote **ret, struct err **err)
{
	return remote_connect(g, GIT_DIRECTION_PUSH, ret, err);
}

bool gitrepo_advertised(git_remote *remote, const char *ref, git_oid *ret)
{
	const git_remote_head **heads;
	size_t n, len = strlen(ref);
	bool found = false;

	if (git_remote_ls(&heads, &n, remote) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *name = heads[i]->name;
		if (strncmp(name, ref, len) != 0)
			continue;
		/* An annotated tag comes twice: itself, then the commit it stands for. */
		if ((!name[len] && !found) || strcmp(name + len, "^{}") == 0) {
			git_oid_cpy(ret, &heads[i]->oid);
			found = true;
		}
	}
	return found;
}

static char *branches_note(struct gitrepo *g, git_remote *remote, bool *ret_empty)
{
	const git_remote_head **heads;
	size_t n = 0, named = 0;
	struct buf b;

	buf_init(&b, 900);
	if (git_remote_ls(&heads, &n, remote) != 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		const char *branch = text_after(heads[i]->name, "refs/heads/");
		if (!branch)
			continue;
		if (named++ >= NAMED_BRANCHES)
			continue;
		_cleanup_str_ char *clean = gitname_clean(branch, 60, false);
		buf_addf(&b, "%s%s", named > 1 ? ", " : "", clean);
	}
	if (named > NAMED_BRANCHES)
		buf_addf(&b, " and %zu more", named - NAMED_BRANCHES);
	*ret_empty = named == 0;
	char *note = named ? mem_printf("there is no branch \"%s\"; there are: %s; set git.branch "
					"or push that branch",
				 g->setup->branch, buf_str(&b))
			   : mem_printf("the repository is empty; push a first commit to \"%s\"",
				 g->setup->branch);
	buf_fini(&b);
	return note;
}

int gitrepo_list(struct gitrepo *g, struct gitrepo_heads *ret, struct err **err)
{
	git_remote *remote;
	git_oid oid;

	if (remote_connect(g, GIT_DIRECTION_FETCH, &remote, err) != 0)
		return -1;
	*ret = (struct gitrepo_heads){0};
	for (size_t i = 0; i < GITREPO_BRANCH__MAX; i++) {
		if (gitrepo_advertised(remote, g->ref[i], &oid))
			git_oid_tostr(ret->head[i], sizeof(ret->head[i]), &oid);
	}
	_cleanup_str_ char *note = branches_note(g, remote, &ret->empty);
	if (!ret->head[GITREPO_WATCHED][0])
		ret->note = TAKE(note);
	git_remote_free(remote);
	return 0;
}

bool gitrepo_has_commit(struct gitrepo *g, const git_oid *oid)
{
	git_commit *c = NULL;
	bool has = git_commit_lookup(&c, g->repo, oid) == 0;
	git_commit_free(c);
	git_error_clear();
	return has;
}

static int download(struct gitrepo *g, git_remote *remote, enum gitrepo_branch branch,
    const git_oid *head, struct err **err)
{
	git_fetch_options opts;
	_cleanup_str_ char *spec = mem_printf("+%s:%s", g->ref[branch], local_ref[branch]);
	git_strarray specs = {&spec, 1};
	git_reference *ref = NULL;
	_cleanup_str_ char *what = mem_printf("cannot fetch %s", g->ref[branch]);

	git_fetch_options_init(&opts, GIT_FETCH_OPTIONS_VERSION);
	gitrepo_callbacks(g, &opts.callbacks);
	opts.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	opts.update_fetchhead = 0;
	int rc = gitrepo_has_commit(g, head) ? 0 : git_remote_download(remote, &specs, &opts);
	if (rc == 0 && !gitrepo_has_commit(g, head)) {
		g->suspect = true;
		return err_set(err, ERR_PROTOCOL, "%s: the server did not send it", what);
	}
	/* The ref makes the next negotiation short. */
	if (rc == 0)
		rc = git_reference_create(&ref, g->repo, local_ref[branch], head, true, NULL);
	git_reference_free(ref);
	return rc == 0 ? 0 : gitrepo_fail(g, rc, err, what);
}

int gitrepo_fetch(struct gitrepo *g, enum gitrepo_branch branch, git_oid *ret_head,
    bool *ret_exists, struct err **err)
{
	git_remote *remote;
	git_oid head;

	if (remote_connect(g, GIT_DIRECTION_FETCH, &remote, err) != 0)
		return -1;
	bool exists = gitrepo_advertised(remote, g->ref[branch], &head);
	int r = exists ? download(g, remote, branch, &head, err) : 0;
	git_remote_free(remote);
	if (r != 0)
		return -1;
	if (exists)
		git_oid_cpy(ret_head, &head);
	*ret_exists = exists;
	return 0;
}
