/* ramet apply: shows the plan, asks, and works until every VM is Ready or waits for something. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desired.h"
#include "planview.h"
#include "progress.h"
#include "statusview.h"
#include "term.h"

#define DESTROY_BUDGET_MAX 100000

struct apply {
	const struct cli *cli;
	struct setup setup;
	struct bundle *desired; /* of the PATH, NULL = from the branch */
	char *rev;		/* what the plan was made from, NULL with a PATH */
	struct progress *progress;
	unsigned destroy_budget; /* 0 = that of the configuration */
	struct pass *pass;	 /* the one under way */
};

static int fail_interrupted(const struct apply *a, const char *what)
{
	_cleanup_err_ struct err *err = NULL;
	(void)err_set(&err, ERR_CANCELLED, "%s", what);
	return cli_fail(a->cli, err);
}

/* ---- the plan, and the question ---- */

/* CLI_OK: nothing to do; CLI_CHANGES: to be asked; else the exit status. */
static int plan(struct apply *a)
{
	_cleanup_pass_ struct pass p = {0};
	_cleanup_err_ struct err *err = NULL;
	struct controller_opts o = {.mode = CONTROLLER_PLAN,
	    .desired = a->desired,
	    .rev = a->cli->opt[CLI_OPT_REV],
	    .destroy_budget = a->destroy_budget};
	if (pass_start(&p, &a->setup, &o, &err) != 0 || pass_wait(&p, &err) != 0)
		return cli_fail(a->cli, err);
	if (p.end != PASS_SETTLED)
		return fail_interrupted(a, "stopped before anything was changed");
	err = pass_problem(&p);
	if (err)
		return cli_fail(a->cli, err);
	const struct bundle *b = controller_bundle(p.controller);
	if (!a->desired) {
		setup_print_diags(a->cli, &b->diags);
		a->rev = mem_strdup(b->rev);
	}
	enum planview_sum sum;
	_cleanup_str_ char *text = planview_render(&p, PLANVIEW_TEXT, a->cli->color, &sum);
	if (!cli_put(text))
		return CLI_ERROR;
	return sum == PLANVIEW_TODO ? CLI_CHANGES : CLI_OK;
}

static bool ask(void)
{
	char answer[16] = "";
	fputs("\nApply? [y/N] ", stdout);
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin)) {
		fputc('\n', stdout);
		return false;
	}
	answer[strcspn(answer, "\r\n")] = '\0';
	return text_eq_nocase(answer, "y") || text_eq_nocase(answer, "yes");
}

static int check_askable(const struct cli *c, struct err **err)
{
	if (cli_has(c, CLI_OPT_YES) || (c->terminal && isatty(STDIN_FILENO) == 1))
		return 0;
	(void)err_set(err, ERR_USAGE, "there is no terminal to ask for consent");
	return err_hint(err, "look at \"ramet plan\" first, then call apply with --yes");
}

static int read_budget(struct apply *a, struct err **err)
{
	const char *text = a->cli->opt[CLI_OPT_DESTROY_BUDGET];
	int64_t n;
	if (!text)
		return 0;
	if (text_to_int(text, 1, DESTROY_BUDGET_MAX, &n) != 0) {
		(void)err_set(err, ERR_USAGE, "--destroy-budget %s is no number of VMs", text);
		return err_hint(
		    err, "write how many VMs may be destroyed, as in --destroy-budget 5");
	}
	a->destroy_budget = (unsigned)n;
	return 0;
}

/* ---- the work ---- */

static char *summary(void *arg)
{
	struct apply *a = arg;
	struct status_counts n = status_count(controller_status(a->pass->controller));
	if (n.stalled > 0)
		return mem_printf(
		    "%zu of %zu ready, %zu need a person", n.ready, n.total, n.stalled);
	return mem_printf("%zu of %zu ready", n.ready, n.total);
}

static void on_stopping(void *arg)
{
	const struct apply *a = arg;
	progress_line(a->progress, "stopping: steps under way end first, at most 10 s; once more "
				   "to stop at once");
}

static int show_result(struct apply *a, const struct status *s)
{
	_cleanup_buf_ struct buf out = {0};
	struct statusview o = {
	    .colors = a->cli->color, .columns = a->cli->terminal ? term_columns(STDOUT_FILENO) : 0};
	buf_addc(&out, '\n');
	statusview_all(&o, s, &out);
	if (!cli_put(buf_str(&out)))
		return CLI_ERROR;
	return statusview_is_ready(s) ? CLI_OK : CLI_NOT_READY;
}

static int work(struct apply *a)
{
	_cleanup_pass_ struct pass p = {.on_stopping = on_stopping, .arg = a};
	_cleanup_err_ struct err *err = NULL;
	struct progress_opts po = progress_stdout(a->cli, a->setup.ports.clock);
	po.summary = summary;
	po.summary_arg = a;
	a->pass = &p;
	a->progress = progress_new(&po);
	struct controller_opts o = {.mode = CONTROLLER_APPLY,
	    .desired = a->desired,
	    .rev = a->rev,
	    .destroy_budget = a->destroy_budget,
	    .ports.note = progress_note,
	    .ports.note_arg = a->progress};
	int rc = pass_start(&p, &a->setup, &o, &err);
	if (rc == 0)
		rc = pass_wait(&p, &err);
	progress_free(&a->progress);
	if (rc != 0)
		return cli_fail(a->cli, err);
	if (p.end == PASS_CUT)
		return fail_interrupted(a, "stopped at once; the journal knows what was under way");
	rc = show_result(a, controller_status(p.controller));
	err = pass_problem(&p);
	if (err)
		return cli_fail(a->cli, err);
	if (p.end == PASS_STOPPED)
		return fail_interrupted(a, "stopped before everything was done");
	return rc;
}

static int run(struct apply *a)
{
	/* Of the VMs outside of a PATH nothing is known: a report would be one of a part. */
	unsigned report = a->desired ? 0u : SETUP_GIT | SETUP_REPORT;
	int rc = setup_open(a->cli, SETUP_CLUSTER | SETUP_STORE | report, &a->setup);
	if (rc == CLI_OK)
		rc = plan(a);
	if (rc == CLI_CHANGES) {
		bool go = cli_has(a->cli, CLI_OPT_YES) || ask();
		return go ? work(a) : fail_interrupted(a, "nothing was changed");
	}
	/* Nothing to do: what is so is also told, and reported. */
	return rc == CLI_OK ? work(a) : rc;
}

int cmd_apply(const struct cli *c)
{
	struct apply a = {.cli = c, .setup = SETUP_NONE};
	_cleanup_err_ struct err *err = NULL;
	if (planview_check_scope(c, &err) != 0 || read_budget(&a, &err) != 0 ||
	    check_askable(c, &err) != 0)
		return cli_fail(c, err);
	int rc = c->n_args > 0 ? desired_load(c, NULL, &a.desired) : CLI_OK;
	if (rc == CLI_OK)
		rc = run(&a);
	setup_close(&a.setup);
	bundle_unref(&a.desired);
	free(a.rev);
	return rc;
}
