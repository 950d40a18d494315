/* ramet status: what the controller reported. */
#include <unistd.h>

#include "cli.h"
#include "statusload.h"
#include "statusview.h"
#include "term.h"

static struct statusview view(const struct cli *c)
{
	return (struct statusview){
	    .colors = c->color, .columns = c->terminal ? term_columns(STDOUT_FILENO) : 0};
}

int cmd_status(const struct cli *c)
{
	_cleanup_statusload_ struct statusload l = {0};
	_cleanup_buf_ struct buf out = {0};
	struct statusview o = view(c);
	int rc = statusload_open(c, 0, &l);
	if (rc != CLI_OK)
		return rc;
	const struct vmstat *v = c->n_args > 0 ? statusload_find(&l, c->args[0]) : NULL;
	if (c->n_args > 0 && !v)
		return statusload_unknown(c, &l, c->args[0]);
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
