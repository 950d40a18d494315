/* ramet plan: what would be done, and nothing else. */
#include <stdio.h>

#include "desired.h"
#include "log.h"
#include "planview.h"

static enum planview_form form(const struct cli *c)
{
	if (cli_form_is(c, "json"))
		return PLANVIEW_JSON;
	return cli_form_is(c, "markdown") ? PLANVIEW_MARKDOWN : PLANVIEW_TEXT;
}

/* Who reads a form for programs or a comment gets one, whatever the end. */
static void tell_refused(const struct cli *c, const struct diags *findings)
{
	_cleanup_str_ char *text = planview_refused(form(c), findings);
	(void)cli_put(text);
}

static int show(const struct cli *c, struct pass *p)
{
	_cleanup_err_ struct err *err = pass_problem(p);
	enum planview_sum sum;
	if (err)
		return cli_fail(c, err);
	const char *git = controller_status(p->controller)->git_problem;
	if (git) { /* what is in force all the same: a folder without any manifest */
		_cleanup_err_ struct err *odd = pass_sentence(git);
		cli_warn(c, odd);
	}
	const struct diags *findings = &controller_bundle(p->controller)->diags;
	setup_print_diags(c, findings);
	_cleanup_str_ char *text = planview_render(p, form(c), c->color, &sum);
	if (!cli_put(text) || diags_errors(findings) > 0)
		return CLI_ERROR;
	return sum == PLANVIEW_NOTHING ? CLI_OK : CLI_CHANGES;
}

static int run(const struct cli *c, struct bundle *desired)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_err_ struct err *err = NULL;
	int rc = setup_open(c, SETUP_CLUSTER | (desired ? 0u : SETUP_GIT), &s);
	if (rc != CLI_OK)
		return rc;
	_cleanup_pass_ struct pass p = {0};
	struct controller_opts o = {.desired = desired, .rev = c->opt[CLI_OPT_REV]};
	if (planview_read(&p, &s, &o, &err) != 0)
		return cli_fail(c, err);
	return p.end == PASS_SETTLED ? show(c, &p) : CLI_ERROR;
}

int cmd_plan(const struct cli *c)
{
	_cleanup_err_ struct err *err = NULL;
	struct bundle *desired = NULL;
	if (planview_check_scope(c, &err) != 0)
		return cli_fail(c, err);
	int rc = c->n_args > 0 ? desired_load(c, tell_refused, &desired) : CLI_OK;
	if (rc == CLI_OK)
		rc = run(c, desired);
	bundle_unref(&desired);
	return rc;
}
