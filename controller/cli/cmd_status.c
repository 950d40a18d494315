/* ramet status and ramet explain: what the controller reported. */
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "setup.h"
#include "statusload.h"
#include "statusview.h"
#include "term.h"

/* Git alone, and with report.mode: files not even that. */
static int load(const struct cli *c, struct statusload *ret)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_err_ struct err *err = NULL;
	int rc = setup_open(c, SETUP_STATUS, &s);
	if (rc != CLI_OK)
		return rc;
	if (statusload_get(&s, ret, &err) != 0)
		return cli_fail(c, err);
	for (size_t i = 0; i < ret->problems.n; i++)
		log_warn("status", "%s, ignoring", ret->problems.v[i]);
	return CLI_OK;
}

static struct statusview view(const struct cli *c)
{
	return (struct statusview){
	    .colors = c->color, .columns = c->terminal ? term_columns(STDOUT_FILENO) : 0};
}

static const struct vmstat *find(const struct cli *c, const struct statusload *l)
{
	const struct vmstat *v = statusload_find(l, c->args[0]);
	if (v)
		return v;
	_cleanup_err_ struct err *err = NULL;
	const char **names = mem_calloc(l->n ? l->n : 1, sizeof(*names));
	for (size_t i = 0; i < l->n; i++)
		names[i] = l->vms[i].name;
	const char *near = text_nearest(c->args[0], names, l->n);
	(void)err_set(&err, ERR_NOTFOUND, "the controller reports no VM named %s", c->args[0]);
	if (near)
		(void)err_hint(&err, "did you mean %s?", near);
	else
		(void)err_hint(&err, "\"ramet status\" lists all; a manifest is reported once its "
				     "revision has been read");
	(void)cli_fail(c, err);
	free(names);
	return NULL;
}

int cmd_status(const struct cli *c)
{
	_cleanup_statusload_ struct statusload l = {0};
	_cleanup_buf_ struct buf out = {0};
	struct statusview o = view(c);
	int rc = load(c, &l);
	if (rc != CLI_OK)
		return rc;
	const struct vmstat *v = c->n_args > 0 ? find(c, &l) : NULL;
	if (c->n_args > 0 && !v)
		return CLI_ERROR;
	bool ready =
	    v ? vmstat_is_ready(v) && !l.status.cluster_problem : statusview_is_ready(&l.status);
	if (cli_form_is(c, "json")) {
		_cleanup_str_ char *json =
		    v ? statusview_one_json(v) : statusview_all_json(&l.status);
		buf_adds(&out, json);
	} else if (v) {
		statusview_problems(&o, &l.status, &out);
		statusview_one(&o, v, &out);
	} else {
		statusview_all(&o, &l.status, &out);
	}
	if (!cli_put(buf_str(&out)) || l.problems.n > 0)
		return CLI_ERROR;
	return ready ? CLI_OK : CLI_NOT_READY;
}

int cmd_explain(const struct cli *c)
{
	_cleanup_statusload_ struct statusload l = {0};
	_cleanup_buf_ struct buf out = {0};
	struct statusview o = view(c);
	int rc = load(c, &l);
	if (rc != CLI_OK)
		return rc;
	const struct vmstat *v = find(c, &l);
	if (!v)
		return CLI_ERROR;
	statusview_explain(&o, v, &out);
	return cli_put(buf_str(&out)) ? CLI_OK : CLI_ERROR;
}
