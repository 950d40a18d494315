/* ramet explain: why a VM is as it is: what was reported of it, and what a look at it now says. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jsn.h"
#include "planview.h"
#include "statusload.h"
#include "statusview.h"
#include "term.h"

/* Somebody waits, and what was reported is there already. */
#define LOOK_MS 500
#define UNSEEN_MS 4000 /* without an answer of the cluster */
#define UNREAD_MS 30000
#define UNTOLD_MS 20000 /* without Git's answer about what was reported */

/* What the look gave. */
struct now {
	char *place, *problem, *plan; /* plan: as text or JSON */
	struct mark mark;
	char *file, *rev;
	bool found, todo;
};

static void now_fini(struct now *n)
{
	free(n->place);
	free(n->problem);
	free(n->plan);
	free(n->file);
	free(n->rev);
}

/* A sentence with its next step, on one line. */
static char *sentence(const struct err *err)
{
	return err->hint ? mem_printf("%s (%s)", err_msg(err), err->hint)
			 : mem_strdup(err_msg(err));
}

static void take_manifest(struct pass *p, const char *name, struct now *ret)
{
	const struct bundle *b = controller_bundle(p->controller);
	const struct bundle_entry *e = b ? bundle_find(b, name) : NULL;
	if (!e)
		return;
	ret->mark = e->res->mark;
	ret->file = mem_strdup(e->res->file);
	ret->rev = mem_strdup(e->rev);
	ret->place = mem_printf("%s:%u:%u", e->res->file, ret->mark.line, ret->mark.col);
}

static void take_plan(struct pass *p, const struct cli *c, const char *name, struct now *ret)
{
	enum planview_sum sum;
	bool json = cli_form_is(c, "json");
	const struct status *s = controller_status(p->controller);
	take_manifest(p, name, ret);
	_cleanup_err_ struct err *err = pass_problem(p);
	if (err) {
		ret->problem = sentence(err);
		return;
	}
	for (size_t i = 0; i < s->n_vms; i++)
		ret->found |= text_eq(s->vms[i]->name, name);
	if (!ret->found)
		return;
	ret->plan = planview_render(p, json ? PLANVIEW_JSON : PLANVIEW_TEXT, c->color, &sum);
	ret->todo = sum == PLANVIEW_TODO;
	if (!json && text_starts(ret->plan, "Plan: "))
		mem_replace(&ret->plan, "Everything that is listed is so.\n");
}

/* Ends a look that takes too long. */
struct watch {
	struct pass *pass;
	struct clock *clock;
	timer_id timer;
	int64_t since;
	const char *late; /* why it was ended, or NULL */
};

static void on_watch(void *arg)
{
	struct watch *w = arg;
	const struct controller *c = w->pass->controller;
	int64_t waited = clock_now(w->clock) - w->since;
	bool unseen = c && controller_bundle(c) && !controller_is_ready(c);

	w->timer = 0;
	if (unseen && waited >= UNSEEN_MS)
		w->late = "the cluster cannot be reached: no endpoint has answered within 4 s "
			  "(check cluster.endpoints, as https://HOST:8006, and the network)";
	else if (waited >= UNREAD_MS)
		w->late = c && controller_bundle(c)
			      ? "it could not be read within 30 s"
			      : "Git has not answered within 30 s (look at git.url and at its "
				"server)";
	else
		w->timer = clock_timer(w->clock, LOOK_MS, on_watch, w);
	if (w->late)
		loop_stop(w->pass->setup->loop);
}

static void late(struct pass *p, const char *name, const char *why, struct now *ret)
{
	_cleanup_err_ struct err *err = pass_problem(p);
	take_manifest(p, name, ret);
	ret->problem = err ? sentence(err) : mem_strdup(why);
}

/* The VM alone is looked at, and planned for as the newest manifest says. */
static void look(const struct cli *c, const char *name, struct now *ret)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_pass_ struct pass p = {0};
	_cleanup_err_ struct err *err = NULL;
	_cleanup_strs_ struct strs only = {0};
	if (setup_open(c, SETUP_CLUSTER | SETUP_GIT | SETUP_QUIET, &s) != CLI_OK) {
		ret->problem = mem_strdup("the configuration here does not lead to the cluster");
		return;
	}
	strs_add(&only, name);
	const struct controller_opts o = {.only = &only};
	struct watch w = {.pass = &p, .clock = s.ports.clock, .since = clock_now(s.ports.clock)};
	w.timer = clock_timer(w.clock, LOOK_MS, on_watch, &w);
	int rc = planview_read(&p, &s, &o, &err);
	clock_cancel(w.clock, &w.timer);
	if (rc != 0)
		ret->problem = sentence(err);
	else if (w.late)
		late(&p, name, w.late, ret);
	else if (p.end == PASS_SETTLED)
		take_plan(&p, c, name, ret);
	else
		ret->problem = mem_strdup("it was interrupted");
}

/* ---- the answer ---- */

static struct jsn *json_of(const char *text)
{
	struct jsn *j = NULL;
	return jsn_parse(text, strlen(text), &j, NULL) == 0 ? j : NULL;
}

static char *json(const char *name, const struct vmstat *v, const struct now *now)
{
	_cleanup_jsn_ struct jsn *j = jsn_new_object();
	_cleanup_jsn_ struct jsn *plan = now->plan ? json_of(now->plan) : NULL;
	jsn_put_str(j, "name", name);
	if (v) {
		_cleanup_str_ char *status = statusview_one_json(v);
		jsn_put_str(j, "state", vmstat_state_word(vmstat_state(v)));
		jsn_put_str(j, "reason", reason_word(vmstat_reason(v)));
		jsn_put_str(j, "means", reason_doc(vmstat_reason(v)));
		jsn_put_str(j, "waitsFor", statusview_waits_for(v));
		jsn_put_str(j, "next", vmstat_next(v));
		jsn_put(j, "status", json_of(status));
	}
	if (now->file) {
		struct jsn *m = jsn_new_object();
		jsn_put_str(m, "file", now->file);
		jsn_put_int(m, "line", now->mark.line);
		jsn_put_int(m, "column", now->mark.col);
		jsn_put_str(m, "revision", now->rev);
		jsn_put(j, "manifest", m);
	}
	const struct jsn *vm = jsn_at(jsn_get(plan, "vms"), 0);
	if (vm)
		jsn_put(j, "plan", jsn_copy(vm));
	jsn_put_str(j, "planProblem", now->problem);
	return jsn_print(j, true);
}

static char *text(const struct cli *c, const char *name, const struct vmstat *v,
    const struct status *s, const struct now *now)
{
	const struct statusview o = {
	    .colors = c->color, .columns = c->terminal ? term_columns(STDOUT_FILENO) : 0};
	const struct statusview_now n = {
	    .place = now->place, .plan = now->plan, .problem = now->problem, .todo = now->todo};
	struct buf out;
	buf_init(&out, 0);
	statusview_problems(&o, s, &out);
	if (v)
		statusview_explain(&o, v, &n, &out);
	else
		buf_addf(&out, "%s has a manifest and has not been reported yet.\n\n%s", name,
		    now->plan);
	return buf_take(&out);
}

static int answer(const struct cli *c, const struct statusload *l, const struct now *now)
{
	const char *name = c->args[0];
	const struct vmstat *v = statusload_find(l, name);
	if (!v && !now->found)
		return statusload_unknown(c, l, name);
	_cleanup_str_ char *out =
	    cli_form_is(c, "json") ? json(name, v, now) : text(c, name, v, &l->status, now);
	return cli_put(out) ? CLI_OK : CLI_ERROR;
}

int cmd_explain(const struct cli *c)
{
	_cleanup_statusload_ struct statusload l = {0};
	struct now now = {0};
	int rc = statusload_open(c, UNTOLD_MS, &l);
	if (rc != CLI_OK)
		return rc;
	look(c, c->args[0], &now);
	rc = answer(c, &l, &now);
	now_fini(&now);
	return rc;
}
