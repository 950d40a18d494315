#include "statusload.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "progress.h"
#include "setup.h"
#include "tree.h"

static void add_vm(struct statusload *l, const struct gitport_file *f)
{
	_cleanup_err_ struct err *err = NULL;
	struct vmstat v;
	if (f->skipped) {
		strs_add_take(&l->problems, mem_printf("%s: %s", f->path, f->skipped));
		return;
	}
	if (tree_parse_vm(f->data, f->len, &v, &err) != 0) {
		strs_add_take(&l->problems, mem_printf("%s: %s", f->path, err_msg(err)));
		return;
	}
	_cleanup_str_ char *path = tree_vm_path(v.name);
	if (strcmp(path, f->path) != 0) {
		strs_add_take(&l->problems, mem_printf("%s: it is about %s", f->path, v.name));
		vmstat_fini(&v);
		return;
	}
	MEM_PUSH_ROOM(l->vms, l->n, l->cap);
	l->vms[l->n++] = v;
}

static void add_summary(struct statusload *l, const struct gitport_file *f)
{
	_cleanup_err_ struct err *err = NULL;
	if (f->skipped || tree_parse_status(f->data, f->len, &l->status, &err) != 0)
		strs_add_take(&l->problems,
		    mem_printf("%s: %s", f->path, f->skipped ? f->skipped : err_msg(err)));
}

static int compare(const void *pa, const void *pb)
{
	const struct vmstat *a = pa, *b = pb;
	return strcmp(a->name, b->name);
}

void statusload_files(const struct gitport_file *files, size_t n, struct statusload *ret)
{
	struct statusload l = {0};
	for (size_t i = 0; i < n; i++) {
		if (strcmp(files[i].path, "summary.json") == 0)
			add_summary(&l, &files[i]);
		else if (text_starts(files[i].path, "vms/") && text_ends(files[i].path, ".yaml"))
			add_vm(&l, &files[i]);
	}
	if (l.n > 0)
		qsort(l.vms, l.n, sizeof(*l.vms), compare);
	l.status.vms = mem_calloc(l.n ? l.n : 1, sizeof(*l.status.vms));
	l.status.n_vms = l.n;
	for (size_t i = 0; i < l.n; i++)
		l.status.vms[i] = &l.vms[i];
	*ret = l;
}

void statusload_fini(struct statusload *l)
{
	status_fini(&l->status);
	for (size_t i = 0; i < l->n; i++)
		vmstat_fini(&l->vms[i]);
	free(l->vms);
	strs_fini(&l->problems);
	*l = (struct statusload){0};
}

const struct vmstat *statusload_find(const struct statusload *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->vms[i].name, name) == 0)
			return &l->vms[i];
	return NULL;
}

/* ---- from the directory ---- */

static int nothing_yet(struct err **err, const char *where)
{
	(void)err_set(err, ERR_NOTFOUND, "no status was ever reported to %s", where);
	return err_hint(err, "start the controller with \"ramet run\", or look at report.* in the "
			     "configuration");
}

static int from_directory(struct setup *s, struct statusload *ret, struct err **err)
{
	struct outdir *dir = s->outdir;
	_cleanup_strs_ struct strs paths = {0};
	if (dir->ops->list(dir, &paths, err) != 0)
		return -1;
	if (paths.n == 0)
		return nothing_yet(err, s->config->report_directory);
	struct gitport_file *files = mem_calloc(paths.n, sizeof(*files));
	for (size_t i = 0; i < paths.n; i++) {
		char *data = NULL;
		files[i] = (struct gitport_file){.path = paths.v[i]};
		if (dir->ops->read(dir, paths.v[i], &data, &files[i].len, NULL) != 0)
			files[i].skipped = "it cannot be read";
		files[i].data = data;
	}
	statusload_files(files, paths.n, ret);
	for (size_t i = 0; i < paths.n; i++)
		free((void *)files[i].data);
	free(files);
	return 0;
}

/* ---- from the branch ---- */

struct fetch {
	struct loop *loop;
	struct statusload load;
	struct err *err;
	int64_t within_ms;
	bool done, found;
};

static void on_status(void *arg, const struct gitport_result *res)
{
	struct fetch *f = arg;
	f->done = true;
	if (res->err) {
		(void)err_set(&f->err, res->err->code, "%s", res->err->msg);
		if (res->err->hint)
			(void)err_hint(&f->err, "%s", res->err->hint);
	} else {
		f->found = res->n_files > 0;
		statusload_files(res->files, res->n_files, &f->load);
	}
	loop_stop(f->loop);
}

static void on_late(void *arg)
{
	struct fetch *f = arg;
	(void)err_set(&f->err, ERR_TIMEOUT, "Git has not answered within %lld s",
	    (long long)(f->within_ms / 1000));
	(void)err_hint(&f->err, "look at git.url and at its server; \"ramet status\" waits for as "
				"long as git.timeout says");
	loop_stop(f->loop);
}

static char *summary(void *arg)
{
	(void)arg;
	return mem_strdup("reading from Git what was reported");
}

static int from_branch(struct setup *s, int64_t within_ms, struct statusload *ret, struct err **err)
{
	struct fetch f = {.loop = s->loop, .within_ms = within_ms};
	struct gitport *git = s->ports.git;
	struct progress_opts po = progress_stderr(s->cli, s->ports.clock);
	po.summary = summary;
	_cleanup_progress_ struct progress *progress = po.live ? progress_new(&po) : NULL;
	(void)progress; /* is there until the answer is */
	timer_id late =
	    within_ms ? clock_timer(s->ports.clock, within_ms, on_late, &f) : (timer_id)0;
	gitport_job job = git->ops->read_status(git, on_status, &f);
	int rc = loop_run(s->loop, err);
	clock_cancel(s->ports.clock, &late);
	if (!f.done)
		gitport_cancel(git, &job);
	if (rc != 0 || f.err || !f.found) {
		statusload_fini(&f.load);
		if (rc != 0)
			return -1;
		return f.err ? err_pass(err, &f.err) : nothing_yet(err, s->config->report_branch);
	}
	*ret = f.load;
	return 0;
}

int statusload_get(struct setup *s, int64_t within_ms, struct statusload *ret, struct err **err)
{
	return s->outdir ? from_directory(s, ret, err) : from_branch(s, within_ms, ret, err);
}

/* ---- for commands ---- */

int statusload_open(const struct cli *c, int64_t within_ms, struct statusload *ret)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_err_ struct err *err = NULL;
	int rc = setup_open(c, SETUP_STATUS, &s);
	if (rc != CLI_OK)
		return rc;
	if (statusload_get(&s, within_ms, ret, &err) != 0)
		return cli_fail(c, err);
	for (size_t i = 0; i < ret->problems.n; i++)
		log_warn("status", "%s, ignoring", ret->problems.v[i]);
	return CLI_OK;
}

int statusload_unknown(const struct cli *c, const struct statusload *l, const char *name)
{
	_cleanup_err_ struct err *err = NULL;
	const char **names = mem_calloc(l->n ? l->n : 1, sizeof(*names));
	for (size_t i = 0; i < l->n; i++)
		names[i] = l->vms[i].name;
	const char *near = text_nearest(name, names, l->n);
	(void)err_set(&err, ERR_NOTFOUND, "the controller reports no VM named %s", name);
	if (diags_errors(&l->status.findings) > 0)
		(void)err_hint(&err,
		    "%s%s%sits manifest may have errors: STATUS.md lists those of all manifests",
		    near ? "did you mean " : "", near ? near : "", near ? "? Or " : "");
	else if (near)
		(void)err_hint(&err, "did you mean %s?", near);
	else
		(void)err_hint(&err, "\"ramet status\" lists all; a manifest is reported once its "
				     "revision has been read");
	free(names);
	return cli_fail(c, err);
}
