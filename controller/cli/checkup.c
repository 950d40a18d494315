#include "checkup_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "httpd.h"
#include "status.h"

#define STATE_MIN ((uint64_t)16 << 20) /* bytes that a folder should have left */

void checkup_say(
    struct look *k, enum checkup_verdict v, const char *what, char *text, const char *next)
{
	struct checkup *c = k->c;
	MEM_PUSH_ROOM(c->v, c->n, c->cap);
	c->v[c->n++] = (struct checkup_item){
	    .verdict = v, .what = what, .text = text, .next = mem_strdup(next)};
	c->failed |= v == CHECKUP_FAILED;
}

int checkup_wait(struct look *k, struct err **err)
{
	while (!k->answered)
		if (loop_turn(k->s->loop, err) != 0)
			return -1;
	return 0;
}

/* ---- folders ---- */

/* The nearest folder above that is there. */
static char *nearest(const char *path)
{
	char *at = mem_strdup(path);
	for (char *slash; access(at, F_OK) != 0 && (slash = strrchr(at, '/')) && slash > at;)
		*slash = '\0';
	return at;
}

/* Whether something can be made there: also where the mode allows it the file system may not. */
static bool can_make(const char *folder)
{
	_cleanup_str_ char *probe = mem_printf("%s/.ramet-check.XXXXXX", folder);
	return mkdtemp(probe) && rmdir(probe) == 0;
}

static void look_folder(struct look *k, const char *what, const char *setting, const char *path)
{
	_cleanup_str_ char *there = nearest(path);
	struct statvfs fs;
	if (access(there, W_OK | X_OK) != 0 || (!text_eq(path, there) && !can_make(there))) {
		_cleanup_str_ char *next = mem_printf(
		    "make it, and let the user that runs the controller write it; or change %s",
		    setting);
		checkup_say(
		    k, CHECKUP_FAILED, what, mem_printf("%s: %s", path, strerror(errno)), next);
		return;
	}
	if (statvfs(there, &fs) == 0 && fs.f_blocks > 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < STATE_MIN) {
		_cleanup_str_ char *next = mem_printf("free some, or change %s", setting);
		checkup_say(k, CHECKUP_FAILED, what,
		    mem_printf("%s: %llu MiB are free", path,
			(unsigned long long)((uint64_t)fs.f_bavail * fs.f_frsize >> 20)),
		    next);
		return;
	}
	checkup_say(k, CHECKUP_OK, what,
	    mem_printf("%s %s", path, text_eq(path, there) ? "can be written" : "can be made"),
	    NULL);
}

/* ---- the listener ---- */

/* Listened on for a moment. Loopback is nothing that a forge reaches. */
static void look_listener(struct look *k)
{
	const struct config *f = k->s->config;
	const struct httpd_opts o = {.listen = f->http_listen};
	bool hook = f->http_webhook_secret.value != NULL;
	_cleanup_httpd_ struct httpd *httpd = NULL;
	_cleanup_err_ struct err *err = NULL;
	if (!*f->http_listen && !hook)
		return;
	if (!*f->http_listen) {
		checkup_say(k, CHECKUP_REMARK, "webhook",
		    mem_strdup("there is a secret for push events, and nothing listens"),
		    "set http.listen");
	} else if (httpd_new(k->s->loop, &o, &httpd, &err) == 0) {
		checkup_say(k, CHECKUP_OK, "http",
		    mem_printf("%s can be listened on%s", f->http_listen,
			hook ? ", push events are taken" : ""),
		    NULL);
	} else if (strstr(err_msg(err), strerror(EADDRINUSE))) {
		checkup_say(k, CHECKUP_REMARK, "http", mem_printf("%s is in use", f->http_listen),
		    "nothing, when this controller runs already; else set another http.listen");
	} else {
		checkup_say(
		    k, CHECKUP_FAILED, "http", mem_strdup(err_msg(err)), err ? err->hint : NULL);
	}
	if (hook && (text_starts(f->http_listen, "127.") || text_starts(f->http_listen, "[::1]")))
		checkup_say(k, CHECKUP_REMARK, "webhook",
		    mem_printf("%s is reached from this machine only", f->http_listen),
		    "let a proxy here pass push events on, or set http.listen to an address that "
		    "the forge reaches");
}

/* ---- Git ---- */

static void keep_err(struct look *k, const struct err *err)
{
	k->answered = true;
	if (!err)
		return;
	err_free(&k->err);
	(void)err_set(&k->err, err->code, "%s", err_msg(err));
	if (err->hint)
		(void)err_hint(&k->err, "%s", err->hint);
}

static void on_listed(void *arg, const struct gitport_result *r)
{
	struct look *k = arg;
	keep_err(k, r->err);
	if (r->err)
		return;
	mem_replace(&k->head, r->head);
	if (!*r->head)
		(void)err_set(&k->err, ERR_NOTFOUND, "%s",
		    r->note && *r->note ? r->note : "the watched branch does not exist");
}

static void on_read(void *arg, const struct gitport_result *r)
{
	struct look *k = arg;
	const char *folder = k->s->config->git_path;
	keep_err(k, r->err);
	if (r->err)
		return;
	if (r->path_missing) {
		(void)err_set(&k->err, ERR_NOTFOUND, "the branch has no folder %s", folder);
		(void)err_hint(&k->err, "check git.path");
		return;
	}
	struct bundle_file *files = mem_calloc(r->n_files, sizeof(*files));
	size_t n = 0;
	for (size_t i = 0; i < r->n_files; i++)
		if (bundle_is_manifest_path(r->files[i].path) ||
		    bundle_is_near_path(r->files[i].path))
			files[n++] = (struct bundle_file){.path = r->files[i].path,
			    .data = r->files[i].data,
			    .len = r->files[i].len,
			    .skipped = r->files[i].skipped,
			    .passed_over = bundle_is_near_path(r->files[i].path)};
	if (bundle_build(r->rev, files, n, NULL, &k->bundle, &k->err) != 0)
		k->bundle = NULL; /* the error tells */
	free(files);
}

static void on_can_push(void *arg, const struct gitport_result *r)
{
	struct look *k = arg;
	keep_err(k, r->err);
	mem_free_str(&k->head);
	if (!r->err && r->new_head && *r->new_head)
		k->head = mem_strdup(r->new_head);
}

/* Tells the failure of the question that was just answered; false if there is none. */
static bool tell_err(struct look *k, const char *what)
{
	if (!k->err)
		return false;
	/* What to do stands behind the facts, where it has no place of its own. */
	const char *next = k->err->hint;
	const char *text = err_msg(k->err);
	size_t facts = next ? strlen(text) : status_problem_facts(text, &next);
	checkup_say(k, CHECKUP_FAILED, what, mem_strndup(text, facts), *next ? next : NULL);
	err_free(&k->err);
	return true;
}

static int look_git(struct look *k, struct err **err)
{
	const struct config *f = k->s->config;
	struct gitport *g = k->s->ports.git;
	k->answered = false;
	gitport_list(g, on_listed, k);
	if (checkup_wait(k, err) != 0)
		return -1;
	if (tell_err(k, "git"))
		return 0;
	k->answered = false;
	gitport_read(g, k->head, on_read, k);
	if (checkup_wait(k, err) != 0)
		return -1;
	if (tell_err(k, "git"))
		return 0;
	size_t bad = diags_errors(&k->bundle->diags);
	size_t good = k->bundle->n;
	checkup_say(k, CHECKUP_OK, "git",
	    mem_printf("%s is at %.12s: %zu manifest%s", f->git_branch, k->head, good,
		good == 1 ? "" : "s"),
	    NULL);
	if (bad > 0)
		checkup_say(k, CHECKUP_FAILED, "manifests",
		    mem_printf("%zu finding%s manifests", bad, bad == 1 ? " refuses" : "s refuse"),
		    "ramet validate PATH in a working tree shows them");
	if (strcmp(f->report_mode, "commit") != 0)
		return 0;
	k->answered = false;
	if (!gitport_can_push(g, on_can_push, k))
		return 0;
	if (checkup_wait(k, err) != 0)
		return -1;
	if (!tell_err(k, "git push"))
		checkup_say(k, CHECKUP_OK, "git push",
		    k->head ? mem_printf("%s may be pushed to", f->report_branch)
			    : mem_printf("pushes are taken; %s comes with the first report",
				  f->report_branch),
		    NULL);
	return 0;
}

/* ---- all of it ---- */

int checkup_run(struct setup *s, struct checkup *ret, struct err **err)
{
	const struct config *f = s->config;
	struct look k = {.s = s, .c = ret};
	k.pve = pvereq_new(s->ports.cluster, s->ports.clock, f->cluster_timeout);
	checkup_say(&k, CHECKUP_OK, "configuration",
	    mem_strdup(f->path ? f->path : "from the environment"), NULL);
	look_folder(&k, "state", "controller.state_dir", f->controller_state_dir);
	if (strcmp(f->report_mode, "files") == 0)
		look_folder(&k, "report", "report.directory", f->report_directory);
	look_listener(&k);
	int rc = look_git(&k, err);
	if (rc == 0)
		rc = checkcluster_look(&k, err);
	pvereq_free(&k.pve);
	bundle_unref(&k.bundle);
	needs_fini(&k.needs);
	kv_fini(&k.nodes);
	err_free(&k.err);
	free(k.head);
	return rc;
}

void checkup_fini(struct checkup *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].text);
		free(c->v[i].next);
	}
	free(c->v);
	*c = (struct checkup){0};
}

const char *checkup_word(enum checkup_verdict v)
{
	static const char *const words[CHECKUP_VERDICT__MAX] = {
	    [CHECKUP_OK] = "ok", [CHECKUP_REMARK] = "remark", [CHECKUP_FAILED] = "FAILED"};
	return words[v];
}
