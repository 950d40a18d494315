#include "reporter.h"

#include "log.h"
#include "reportdiff.h"
#include "reportpace.h"
#include "reportread.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x52455054u
#define BACKOFF_MIN_MS 5000
#define BACKOFF_MAX_MS 300000
#define REBUILDS_MAX 5
#define COLLECT_MS 1000
#define EVENTS_MAX 500

struct reporter {
	uint32_t magic;
	struct reporter_opts o;
	enum reporter_state state;
	timer_id timer;
	gitport_job job;
	char *head;	 /* of the status branch; "" = it does not exist */
	struct kv known; /* path → digest of what is published */
	struct kv sent;	 /* the same of what is being published */
	struct treememo memo;
	struct strs events, sent_events;
	struct strs sent_paths; /* of it, those about one VM */
	char *message;
	bool dirty, restored;
	bool muted; /* the report is another one's */
	int64_t dirty_since, last_at;
	unsigned failures, rebuilds;
	int64_t retry_ms; /* the server asked to be left alone for so long */
	char *problem;
	struct reportpace pace;
	bool held;    /* all that waits changes too often: not before the slow interval is over */
	bool at_once; /* no pace counts: somebody waits for the report */
	char *note;   /* what the pace has to say, or NULL */
};

static const char *const state_names[] = {
#define REPORTER(code, name, doc) name,
#include "reporter.def"
#undef REPORTER
};

static void enter(struct reporter *r, enum reporter_state next);

struct reporter *reporter_new(const struct reporter_opts *o)
{
	struct reporter *r = mem_alloc(sizeof(*r));

	r->magic = MAGIC;
	r->o = *o;
	r->head = mem_strdup("");
	r->memo.seed = clock_random(o->clock);
	r->last_at = INT64_MIN / 2;
	return r;
}

void reporter_free(struct reporter **rp)
{
	struct reporter *r = *rp;

	if (!r)
		return;
	CHECK_OBJ(r, MAGIC);
	clock_cancel(r->o.clock, &r->timer);
	if (r->job)
		r->o.git->ops->cancel(r->o.git, r->job);
	free(r->head);
	free(r->message);
	free(r->problem);
	free(r->note);
	reportpace_fini(&r->pace);
	kv_fini(&r->known);
	kv_fini(&r->sent);
	treememo_fini(&r->memo);
	strs_fini(&r->events);
	strs_fini(&r->sent_events);
	strs_fini(&r->sent_paths);
	r->magic = 0;
	free(r);
	*rp = NULL;
}

static void set_problem(struct reporter *r, char *text, bool told)
{
	bool same = text_eq(text, r->problem);

	if (!same && text && told)
		log_debug("report", "%s", text);
	else if (!same && text)
		log_warn("report", "%s", text);
	free(r->problem);
	r->problem = text;
	if (!same)
		r->o.on_report(r->o.arg, NULL);
}

/* A file about one VM, not one of the tables about all. */
static bool is_subject(const char *path)
{
	return text_starts(path, "vms/");
}

static void note_file(struct reporter *r, const char *path, const char *data, size_t len)
{
	char hex[CRYPT_HEX_LEN];

	if (!reportread_is_ours(path) || !data)
		return;
	crypt_sha256_hex(data, len, hex);
	kv_set(&r->known, path, hex);
	if (!r->restored)
		reportread_restore(&r->o, path, data, len);
	if (strcmp(path, REPORTREAD_SUMMARY) == 0)
		reportread_instance(&r->o, data, len);
}

/* From here to restored() nothing can fail. */
static void restoring(struct reporter *r)
{
	if (!r->restored)
		r->o.on_restoring(r->o.arg);
}

static void restored(struct reporter *r)
{
	bool first = !r->restored;

	r->restored = true;
	/* A push that fails again and again is not well because the branch can be read. */
	if (first || !r->dirty)
		r->failures = 0;
	if (r->muted) /* no report follows that would show it to be over */
		mem_free_str(&r->problem);
	enter(r, r->dirty ? REPORTER_DIRTY : REPORTER_IDLE);
	if (first)
		r->o.on_restored(r->o.arg);
}

static void failed(struct reporter *r, const char *what, const struct err *e)
{
	/* The source asks the same server and says the same: people are told once. */
	bool told = r->o.git && (e->code == ERR_UNREACHABLE || e->code == ERR_TLS ||
				    (e->code == ERR_AUTH && !r->restored));

	r->failures++;
	r->retry_ms = e->retry_ms;
	set_problem(r,
	    mem_printf("%s: %s%s%s", what, err_msg(e), e->hint ? "; " : "", e->hint ? e->hint : ""),
	    told);
	enter(r, REPORTER_BACKOFF);
}

static void on_status_tree(void *arg, const struct gitport_result *res)
{
	struct reporter *r = arg;

	r->job = 0;
	if (res->err && res->err->code != ERR_NOTFOUND) {
		failed(r, "the last report cannot be read", res->err);
		return;
	}
	kv_fini(&r->known);
	mem_replace(&r->head, res->err || !res->rev ? "" : res->rev);
	restoring(r);
	for (size_t i = 0; !res->err && i < res->n_files; i++)
		note_file(r, res->files[i].path, res->files[i].data, res->files[i].len);
	if (!kv_has(&r->known, REPORTREAD_SUMMARY))
		r->o.on_instance(r->o.arg, NULL, false);
	restored(r);
}

static int read_outdir(struct reporter *r, struct err **err)
{
	struct outdir *o = r->o.outdir;
	struct strs paths = {0};

	if (o->ops->list(o, &paths, err) < 0)
		return -1;
	restoring(r);
	for (size_t i = 0; i < paths.n; i++) {
		_cleanup_str_ char *data = NULL;
		size_t len = 0;

		if (reportread_is_ours(paths.v[i]) &&
		    o->ops->read(o, paths.v[i], &data, &len, NULL) == 0)
			note_file(r, paths.v[i], data, len);
	}
	strs_fini(&paths);
	return 0;
}

static void restore(struct reporter *r)
{
	_cleanup_err_ struct err *e = NULL;

	if (r->o.outdir) {
		if (read_outdir(r, &e) < 0)
			failed(r, "the last report cannot be read", e);
		else
			restored(r);
	} else if (r->o.git) {
		r->job = r->o.git->ops->read_status(r->o.git, on_status_tree, r);
	} else {
		restored(r);
	}
}

static void published(struct reporter *r)
{
	kv_fini(&r->known);
	r->known = r->sent;
	r->sent = (struct kv){0};
	strs_fini(&r->sent_events);
	for (size_t i = 0; i < r->sent_paths.n; i++)
		reportpace_count(&r->pace, r->sent_paths.v[i], clock_now(r->o.clock));
	strs_fini(&r->sent_paths);
	r->failures = r->rebuilds = 0;
	r->last_at = clock_now(r->o.clock);
	set_problem(r, NULL, false);
	r->o.on_report(r->o.arg, r->message);
	enter(r, r->dirty ? REPORTER_DIRTY : REPORTER_IDLE);
}

/* The events of what could not be published belong to the next report. */
static void unsend(struct reporter *r)
{
	struct strs all = r->sent_events;

	for (size_t i = 0; i < r->events.n && all.n < EVENTS_MAX; i++)
		strs_add(&all, r->events.v[i]);
	strs_fini(&r->events);
	r->events = all;
	r->sent_events = (struct strs){0};
	strs_fini(&r->sent_paths);
	kv_fini(&r->sent);
	r->dirty = true;
}

static void on_published(void *arg, const struct gitport_result *res)
{
	struct reporter *r = arg;

	r->job = 0;
	if (!res->err) {
		mem_replace(&r->head, res->new_head);
		published(r);
		return;
	}
	unsend(r);
	if (res->rejected && ++r->rebuilds <= REBUILDS_MAX) {
		enter(r, REPORTER_REREAD);
		return;
	}
	r->rebuilds = 0;
	failed(r, "the report cannot be published", res->err);
}

/* Whether there is something new to be said about what is held back. */
static bool note_pace(struct reporter *r)
{
	char *note = reportpace_note(&r->pace, clock_now(r->o.clock));
	bool same = text_eq(note, r->note);

	if (!same) {
		if (note)
			log_warn("report", "%s", note);
		else
			log_info("report", "no file of the report is held back any more");
	}
	free(r->note);
	r->note = note;
	return !same;
}

/* What is published counts, not what is tried. */
static void note_subjects(struct reporter *r, const struct gitport_publish *p)
{
	for (size_t i = 0; i < p->n_put; i++)
		if (is_subject(p->put[i].path))
			strs_add(&r->sent_paths, p->put[i].path);
	for (size_t i = 0; i < p->n_del; i++)
		if (is_subject(p->del[i]))
			strs_add(&r->sent_paths, p->del[i]);
}

/* Whether all that changed changes all the time. Tables follow what they are about; where only they
 * changed, it is a problem that began or ended. */
static bool is_flapping(const struct reporter *r, const struct gitport_publish *p)
{
	bool any = false;

	for (size_t i = 0; i < p->n_put; i++) {
		if (!is_subject(p->put[i].path))
			continue;
		if (!reportpace_is_often(&r->pace, p->put[i].path))
			return false;
		any = true;
	}
	for (size_t i = 0; i < p->n_del; i++)
		if (is_subject(p->del[i]))
			return false;
	return any;
}

static bool hold(struct reporter *r, const struct gitport_publish *p)
{
	if (r->at_once || !is_flapping(r, p) ||
	    clock_now(r->o.clock) - r->last_at >= REPORTPACE_SLOW_MS)
		return false;
	kv_fini(&r->sent);
	r->dirty = r->held = true;
	enter(r, REPORTER_DIRTY);
	return true;
}

static int write_outdir(struct reporter *r, const struct gitport_publish *p, struct err **err)
{
	struct outdir *o = r->o.outdir;

	for (size_t i = 0; i < p->n_put; i++)
		if (o->ops->write(o, p->put[i].path, p->put[i].data, p->put[i].len, err) < 0)
			return -1;
	for (size_t i = 0; i < p->n_del; i++)
		if (o->ops->remove(o, p->del[i], err) < 0)
			return -1;
	return 0;
}

static void send_tree(struct reporter *r, struct gitport_publish *p)
{
	_cleanup_err_ struct err *e = NULL;

	if (!r->o.outdir) {
		r->job = r->o.git->ops->publish(r->o.git, p, on_published, r);
		return;
	}
	if (write_outdir(r, p, &e) < 0) {
		unsend(r);
		failed(r, "the report cannot be written", e);
	} else {
		published(r);
	}
}

static void publish(struct reporter *r)
{
	const struct status *s;
	_cleanup_(reportdiff_fini) struct reportdiff d = {0};
	struct gitport_publish p = {.parent = r->head};
	char *problem;

	r->dirty = r->held = false;
	reporter_look(r);
	if (r->muted) {
		enter(r, REPORTER_IDLE);
		return;
	}
	(void)note_pace(r);
	/* Whoever reads it there reads it published: it does not say that it cannot be. */
	problem = TAKE(r->problem);
	s = r->o.status(r->o.arg);
	r->problem = problem;
	reportdiff_make(&d, s, &r->known, r->o.partial, &r->memo);
	kv_fini(&r->sent);
	r->sent = d.files;
	d.files = (struct kv){0};
	p.put = d.put;
	p.n_put = d.n_put;
	p.del = d.del;
	p.n_del = d.n_del;
	if ((p.n_put || p.n_del) && hold(r, &p))
		return;
	if (p.n_put || p.n_del) {
		note_subjects(r, &p);
		free(r->message);
		r->message = tree_message(&r->events, s);
		p.message = r->message;
		r->sent_events = r->events;
		r->events = (struct strs){0};
		send_tree(r, &p);
	} else {
		kv_fini(&r->sent);
		strs_fini(&r->events);
		r->failures = 0;
		set_problem(r, NULL, false);
		enter(r, REPORTER_IDLE);
	}
}

static void on_timer(void *arg)
{
	struct reporter *r = arg;
	int64_t now = clock_now(r->o.clock);

	r->timer = 0;
	switch (r->state) {
	case REPORTER_RESTORE:
		restore(r);
		return;
	case REPORTER_DIRTY:
		if (now - r->last_at < r->o.interval_ms ||
		    (r->o.busy(r->o.arg) && now - r->dirty_since < r->o.interval_ms))
			enter(r, REPORTER_DIRTY);
		else
			enter(r, REPORTER_PUBLISH);
		return;
	case REPORTER_BACKOFF:
		enter(r, r->restored ? REPORTER_REREAD : REPORTER_RESTORE);
		return;
	case REPORTER_REREAD:
		r->job = r->o.git->ops->read_status(r->o.git, on_status_tree, r);
		return;
	case REPORTER_IDLE:
	case REPORTER_PUBLISH:
	case REPORTER__MAX:
		break;
	}
}

static int64_t pause(const struct reporter *r)
{
	int64_t now = clock_now(r->o.clock), ms = BACKOFF_MIN_MS, left;

	switch (r->state) {
	case REPORTER_DIRTY:
		left = r->last_at + (r->held ? REPORTPACE_SLOW_MS : r->o.interval_ms) - now;
		return left > COLLECT_MS ? left : COLLECT_MS;
	case REPORTER_REREAD: /* two who push by turns must not stay in step */
		return (int64_t)(clock_random(r->o.clock) % (200u << r->rebuilds));
	case REPORTER_BACKOFF:
		for (unsigned i = 1; i < r->failures && ms < BACKOFF_MAX_MS; i++)
			ms *= 2;
		ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
		ms = ms > r->retry_ms ? ms : r->retry_ms;
		return ms + (int64_t)(clock_random(r->o.clock) % (uint64_t)(ms / 4 + 1));
	case REPORTER_RESTORE:
	case REPORTER_IDLE:
	case REPORTER_PUBLISH:
	case REPORTER__MAX:
		break;
	}
	return 0;
}

static void enter(struct reporter *r, enum reporter_state next)
{
	if (next != r->state)
		log_debug("report", "%s -> %s", state_names[r->state], state_names[next]);
	if (next == REPORTER_REREAD && r->o.outdir) /* nobody else writes there */
		next = REPORTER_DIRTY;
	r->state = next;
	clock_cancel(r->o.clock, &r->timer);
	switch (next) {
	case REPORTER_IDLE:
		return;
	case REPORTER_PUBLISH:
		publish(r);
		return;
	case REPORTER_RESTORE:
	case REPORTER_DIRTY:
	case REPORTER_REREAD:
	case REPORTER_BACKOFF:
		r->timer = clock_timer(r->o.clock, pause(r), on_timer, r);
		return;
	case REPORTER__MAX:
		break;
	}
}

void reporter_start(struct reporter *r)
{
	CHECK_OBJ(r, MAGIC);
	enter(r, REPORTER_RESTORE);
}

static void add_event(struct reporter *r, const char *event)
{
	for (size_t i = 0; i < r->events.n; i++) {
		if (text_starts(event, r->events.v[i])) {
			mem_replace(&r->events.v[i], event);
			return;
		}
	}
	if (r->events.n < EVENTS_MAX)
		strs_add(&r->events, event);
}

void reporter_dirty(struct reporter *r, const char *event)
{
	if (r->o.readonly || r->muted || (!r->o.git && !r->o.outdir))
		return;
	if (event)
		add_event(r, event);
	if (!r->dirty)
		r->dirty_since = clock_now(r->o.clock);
	r->dirty = true;
	/* What waits for the slow interval does not hold up something new. */
	if (r->state == REPORTER_IDLE || (r->state == REPORTER_DIRTY && r->held)) {
		r->held = false;
		enter(r, REPORTER_DIRTY);
	}
}

void reporter_seen(struct reporter *r, const char *head)
{
	if (note_pace(r))
		reporter_dirty(r, NULL);
	/* Who waits for its turn looks all the same: another instance may have taken over. */
	if (r->o.readonly || !r->o.git || r->o.outdir ||
	    (r->state != REPORTER_IDLE && r->state != REPORTER_DIRTY) || text_eq(head, r->head))
		return;
	log_info("report", "the status branch is not what was published, looking at it");
	if (!r->dirty)
		r->dirty_since = clock_now(r->o.clock);
	r->dirty = true;
	enter(r, REPORTER_REREAD);
}

void reporter_mute(struct reporter *r)
{
	r->muted = true;
	mem_free_str(&r->problem); /* of a report that is another one's now */
}

void reporter_look(struct reporter *r)
{
	_cleanup_str_ char *data = NULL;
	struct outdir *o = r->o.outdir;
	size_t len = 0;

	if (o && r->restored && o->ops->read(o, REPORTREAD_SUMMARY, &data, &len, NULL) == 0)
		reportread_instance(&r->o, data, len);
}

void reporter_flush(struct reporter *r)
{
	if (r->state != REPORTER_DIRTY)
		return;
	r->at_once = true;
	enter(r, REPORTER_PUBLISH);
	r->at_once = false;
}

bool reporter_is_restored(const struct reporter *r)
{
	return r->restored;
}

bool reporter_is_idle(const struct reporter *r)
{
	return r->state == REPORTER_IDLE || (r->state == REPORTER_BACKOFF && r->failures >= 3);
}

bool reporter_is_quiet(const struct reporter *r)
{
	return r->state == REPORTER_IDLE || r->state == REPORTER_BACKOFF ||
	       r->state == REPORTER_RESTORE;
}

const char *reporter_problem(const struct reporter *r)
{
	return r->problem ? r->problem : r->note;
}
