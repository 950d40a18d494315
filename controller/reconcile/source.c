#include "source.h"

#include "history.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x53524345u
#define BACKOFF_MIN_MS 5000
#define BACKOFF_MAX_MS 120000

/* What was read of a revision: all files, or the difference to what is in force. */
struct files {
	struct bundle_file *v;
	size_t n, cap;
	struct strs gone;
	bool differ; /* it is the difference */
	bool gaps;   /* some are lost */
};

struct source {
	uint32_t magic;
	struct source_opts o;
	enum source_state state;
	gitport_job job;
	timer_id timer;
	struct bundle *bundle;
	bool gaps; /* some of its files were lost: the next revision is read as a whole */
	char *subject, *problem;
	char *doubt;	 /* about the history of what is in force */
	char *new_doubt; /* of the revision that is being read */
	bool compared;	 /* the doubt is an answer, and no failure to ask */
	unsigned failures;
	int64_t retry_ms; /* the server asked to be left alone for so long */
	bool again;
	/* of the revision that is being read */
	char *rev, *new_subject;
	struct files files;
	struct history *history;
};

static const char *const state_names[] = {
#define SOURCE(code, name, doc) name,
#include "source.def"
#undef SOURCE
};

static void enter(struct source *s, enum source_state next);

struct source *source_new(const struct source_opts *o)
{
	struct source *s = mem_alloc(sizeof(*s));

	s->magic = MAGIC;
	s->o = *o;
	return s;
}

static void files_fini(struct files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free((char *)f->v[i].path);
		free((char *)f->v[i].data);
		free((char *)f->v[i].skipped);
	}
	free(f->v);
	strs_fini(&f->gone);
	*f = (struct files){0};
}

/* Paths are told as people know them: from the root of the repository, not of the watched folder,
 * which is what the port speaks of. */
static char *outer_path(const struct source *s, const char *inner)
{
	const char *folder = s->o.folder ? s->o.folder : "";
	size_t len = strlen(folder);

	while (len > 0 && folder[len - 1] == '/')
		len--;
	return mem_printf("%.*s%s%s", (int)len, folder, len > 0 ? "/" : "", inner);
}

static const char *inner_path(const struct source *s, const char *outer)
{
	_cleanup_str_ char *prefix = outer_path(s, "");
	const char *inner = text_after(outer, prefix);

	return inner ? inner : outer;
}

static void files_add(struct source *s, const struct gitport_file *g)
{
	struct files *f = &s->files;

	MEM_PUSH_ROOM(f->v, f->n, f->cap);
	f->v[f->n++] = (struct bundle_file){.path = outer_path(s, g->path),
	    .data = g->data ? mem_strndup(g->data, g->len) : NULL,
	    .len = g->data ? g->len : 0,
	    .skipped = mem_strdup(g->skipped),
	    .passed_over = bundle_is_near_path(g->path)};
}

static void drop_reading(struct source *s)
{
	files_fini(&s->files);
	history_free(&s->history);
	mem_free_str(&s->rev);
	mem_free_str(&s->new_subject);
}

void source_free(struct source **sp)
{
	struct source *s = *sp;

	if (!s)
		return;
	CHECK_OBJ(s, MAGIC);
	clock_cancel(s->o.clock, &s->timer);
	if (s->job)
		s->o.git->ops->cancel(s->o.git, s->job);
	drop_reading(s);
	bundle_unref(&s->bundle);
	free(s->subject);
	free(s->problem);
	free(s->doubt);
	free(s->new_doubt);
	s->magic = 0;
	free(s);
	*sp = NULL;
}

/* NULL clears. Takes text over. */
static void set_problem(struct source *s, char *text)
{
	bool same = text_eq(text, s->problem);

	if (!same && text)
		log_warn("git", "%s", text);
	else if (!same)
		log_info("git", "the repository is well again");
	free(s->problem);
	s->problem = text;
	if (!same)
		s->o.on_problem(s->o.arg);
}

static const char *next_step(const struct err *e)
{
	switch (e->code) {
	case ERR_AUTH:
	case ERR_FORBIDDEN:
		return "check git.username and git.password_file";
	case ERR_TLS:
		return "check git.ca_file";
	case ERR_NOTFOUND:
		return "check git.url and git.branch";
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
		return "check git.url and the network";
	case ERR_INTERNAL:
	case ERR_USAGE:
	case ERR_CONFIG:
	case ERR_INPUT:
	case ERR_LIMIT:
	case ERR_IO:
	case ERR_BUSY:
	case ERR_CANCELLED:
	case ERR_CONFLICT:
	case ERR_DECLINED:
	case ERR_SIGNATURE:
	case ERR_PROTOCOL:
	case ERR_REMOTE:
	case ERR__MAX:
		break;
	}
	return "it is tried again by itself";
}

static void failed(struct source *s, const char *what, const struct err *e)
{
	s->failures++;
	s->retry_ms = e->retry_ms;
	set_problem(
	    s, mem_printf("%s: %s; %s", what, err_msg(e), e->hint ? e->hint : next_step(e)));
	drop_reading(s);
	enter(s, SOURCE_BACKOFF);
}

static void publish(struct source *s, struct bundle *b)
{
	bundle_unref(&s->bundle);
	s->bundle = b;
	s->gaps = s->files.gaps;
	mem_replace(&s->subject, s->new_subject);
	free(s->doubt);
	s->doubt = TAKE(s->new_doubt);
	if (s->doubt)
		log_warn("git", "%s", s->doubt);
	s->failures = 0;
	if (b->n_files == 0)
		set_problem(s, mem_printf("revision %.12s has no manifest in the watched folder; "
					  "check git.path",
				   b->rev));
	else
		set_problem(s, NULL);
	drop_reading(s);
	log_info("git", "revision %.12s is in force: %zu manifests, %zu files read, %zu findings",
	    b->rev, b->n, b->n_read, diags_errors(&b->diags) + diags_warnings(&b->diags));
	enter(s, SOURCE_IDLE);
	s->o.on_bundle(s->o.arg);
}

/* Last good versions that nothing in force has are read first. */
static void decode(struct source *s)
{
	_cleanup_err_ struct err *e = NULL;
	const struct bundle_change change = {.files = s->files.v,
	    .n = s->files.n,
	    .gone = (const char *const *)s->files.gone.v,
	    .n_gone = s->files.gone.n,
	    .all = !s->files.differ};
	struct bundle *b = NULL;

	if (bundle_update(s->rev, &change, s->bundle, &b, &e) < 0) {
		failed(s, "the new revision is not taken", e);
		return;
	}
	s->history = history_new(b, s->o.on_record, s->o.arg);
	if (!s->history) {
		publish(s, b);
		return;
	}
	bundle_unref(&b);
	enter(s, SOURCE_HISTORY);
}

static void on_old(void *arg, const struct gitport_result *res)
{
	_cleanup_err_ struct err *e = NULL;
	struct source *s = arg;

	s->job = 0;
	if (history_take(s->history, res, &e) != 0)
		failed(s, "the last good version of a manifest cannot be read", e);
	else
		enter(s, SOURCE_HISTORY);
}

static void read_history(struct source *s)
{
	const char *rev, *path;

	if (history_next(s->history, &rev, &path))
		s->job = s->o.git->ops->read_old(s->o.git, rev, inner_path(s, path), on_old, s);
	else
		publish(s, history_end(s->history, s->bundle));
}

static void on_files(void *arg, const struct gitport_result *res)
{
	struct source *s = arg;

	s->job = 0;
	if (res->err) {
		failed(s, "the manifests cannot be read", res->err);
		return;
	}
	bool differ = res->base && res->base[0];
	if (differ && (!s->bundle || strcmp(res->base, s->bundle->rev) != 0)) {
		struct err e = {.code = ERR_PROTOCOL,
		    .msg = (char *)"they are told as a difference to another revision"};

		failed(s, "the manifests cannot be read", &e);
		return;
	}
	if (res->truncated) {
		struct err e = {.code = ERR_LIMIT,
		    .msg = (char *)"the watched folder has too many or too large files",
		    .hint = (char *)"keep only manifests under git.path"};

		failed(s, "the new revision is not taken", &e);
		return;
	}
	mem_replace(&s->rev, res->rev);
	mem_replace(&s->new_subject, res->subject);
	for (size_t i = 0; i < res->n_files; i++)
		if (bundle_is_manifest_path(res->files[i].path) ||
		    bundle_is_near_path(res->files[i].path))
			files_add(s, &res->files[i]);
	for (size_t i = 0; i < res->n_gone; i++)
		strs_add_take(&s->files.gone, outer_path(s, res->gone[i]));
	s->files.differ = differ;
	s->files.gaps = res->gaps;
	enter(s, SOURCE_COMPARE);
}

/* The files of what is in force are known: only what is different is read. */
static void fetch(struct source *s)
{
	const char *base = s->bundle && !s->gaps ? s->bundle->rev : "";

	s->job = gitport_read_since(s->o.git, s->rev, base, on_files, s);
}

/* What is in force again, or further on, is followed from here on. */
static void go_on(struct source *s)
{
	if (s->bundle && text_eq(s->bundle->rev, s->rev)) { /* asked again for the same */
		free(s->doubt);
		s->doubt = TAKE(s->new_doubt);
		drop_reading(s);
		enter(s, SOURCE_IDLE);
	} else {
		decode(s);
	}
}

static void set_doubt(struct source *s, const char *base, enum gitport_relation r)
{
	static const char *const words[] = {
	    [GITPORT_UNKNOWN] = "is not a descendant of",
	    [GITPORT_BEHIND] = "was set back from",
	    [GITPORT_DIVERGED] = "was rewritten since",
	};

	s->compared = true;
	mem_replace(&s->new_doubt, NULL);
	if (r != GITPORT_SAME && r != GITPORT_AHEAD)
		s->new_doubt = mem_printf(
		    "the branch %s the revision %.12s, which was in force before", words[r], base);
	else if (s->o.on_followed)
		s->o.on_followed(s->o.arg, s->rev);
}

static void on_compare(void *arg, const struct gitport_result *res)
{
	struct source *s = arg;
	const char *base = s->o.followed ? s->o.followed(s->o.arg) : NULL;

	s->job = 0;
	if (res->err && res->err->code != ERR_NOTFOUND) {
		s->compared = false;
		free(s->new_doubt);
		s->new_doubt =
		    mem_printf("how the branch lies to what was in force before is not known: %s",
			err_msg(res->err));
	} else {
		set_doubt(s, base ? base : "", res->err ? GITPORT_UNKNOWN : res->relation);
	}
	go_on(s);
}

/* A revision that a person named is meant, and does not count as the branch. */
static void compare(struct source *s)
{
	const char *base = s->o.rev || !s->o.followed ? NULL : s->o.followed(s->o.arg);

	if (base && !text_eq(base, s->rev)) {
		s->job = gitport_compare(s->o.git, s->rev, base, on_compare, s);
		if (s->job)
			return;
	}
	if (base && !text_eq(base, s->rev))
		set_doubt(s, base, GITPORT_UNKNOWN);
	else if (!s->o.rev)
		set_doubt(s, "", GITPORT_SAME);
	go_on(s);
}

static void on_list(void *arg, const struct gitport_result *res)
{
	struct source *s = arg;

	s->job = 0;
	if (res->err) {
		failed(s, "the repository cannot be asked", res->err);
		return;
	}
	if (s->o.on_listed)
		s->o.on_listed(s->o.arg, res->status_head ? res->status_head : "");
	if (!res->head || !res->head[0]) {
		struct err e = {.code = ERR_NOTFOUND,
		    .msg = res->empty ? (char *)"it has no commit yet"
				      : (char *)"the branch does not exist",
		    .hint = res->empty ? (char *)"push a first commit with manifests"
				       : (char *)"push the branch, or correct git.branch"};

		_cleanup_str_ char *what = mem_printf(
		    "the repository has no branch \"%s\"", s->o.branch ? s->o.branch : "");

		failed(s, what, &e);
		return;
	}
	if (s->bundle && text_eq(s->bundle->rev, res->head)) {
		s->failures = 0;
		if (s->bundle->n_files)
			set_problem(s, NULL);
		mem_replace(&s->rev, res->head);
		enter(s, s->compared || s->o.rev ? SOURCE_IDLE : SOURCE_COMPARE);
		return;
	}
	mem_replace(&s->rev, res->head);
	enter(s, SOURCE_FETCH);
}

static void on_timer(void *arg)
{
	struct source *s = arg;

	s->timer = 0;
	s->again = false;
	if (s->o.rev) {
		mem_replace(&s->rev, s->o.rev);
		enter(s, SOURCE_FETCH);
	} else {
		enter(s, SOURCE_LIST);
	}
}

static void sleep_for(struct source *s, int64_t ms)
{
	ms += (int64_t)(clock_random(s->o.clock) % (uint64_t)(ms / 10 + 1));
	if (s->again)
		ms = 0;
	s->timer = clock_timer(s->o.clock, ms, on_timer, s);
}

static int64_t backoff(const struct source *s)
{
	int64_t ms = BACKOFF_MIN_MS;

	for (unsigned i = 1; i < s->failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	return ms > s->retry_ms ? ms : s->retry_ms;
}

static void enter(struct source *s, enum source_state next)
{
	const struct gitport_ops *git = s->o.git->ops;

	log_debug("source", "%s -> %s", state_names[s->state], state_names[next]);
	s->state = next;
	switch (next) {
	case SOURCE_IDLE:
		if (!s->bundle || !s->o.once)
			sleep_for(s, s->o.interval_ms);
		return;
	case SOURCE_LIST:
		s->job = git->list(s->o.git, on_list, s);
		return;
	case SOURCE_FETCH:
		fetch(s);
		return;
	case SOURCE_COMPARE:
		compare(s);
		return;
	case SOURCE_HISTORY:
		read_history(s);
		return;
	case SOURCE_BACKOFF:
		sleep_for(s, backoff(s));
		return;
	case SOURCE__MAX:
		break;
	}
}

void source_start(struct source *s)
{
	CHECK_OBJ(s, MAGIC);
	s->timer = clock_timer(s->o.clock, 0, on_timer, s);
}

void source_poke(struct source *s)
{
	CHECK_OBJ(s, MAGIC);
	if (s->state != SOURCE_IDLE && s->state != SOURCE_BACKOFF) {
		s->again = true;
		return;
	}
	/* A server that asked for a pause gets it, whoever is in a hurry. */
	if (s->state == SOURCE_BACKOFF && s->retry_ms)
		return;
	clock_cancel(s->o.clock, &s->timer);
	s->timer = clock_timer(s->o.clock, 0, on_timer, s);
}

struct bundle *source_bundle(const struct source *s)
{
	return s->bundle;
}

const char *source_subject(const struct source *s)
{
	return s->subject;
}

const char *source_problem(const struct source *s)
{
	return s->problem;
}

const char *source_doubt(const struct source *s)
{
	return s->doubt;
}

unsigned source_failures(const struct source *s)
{
	return s->failures;
}
