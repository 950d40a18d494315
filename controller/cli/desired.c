#include "desired.h"

#include <stdio.h>

#include "files.h"
#include "setup.h"

int desired_load(const struct cli *c,
    void (*refused)(const struct cli *c, const struct diags *findings), struct bundle **ret)
{
	_cleanup_files_ struct files files = {0};
	_cleanup_err_ struct err *err = NULL;
	struct bundle *b = NULL;
	if (files_load(c->args, c->n_args, &files, &err) != 0 ||
	    bundle_build(DESIRED_REV, files.v, files.n, NULL, &b, &err) != 0)
		return cli_fail(c, err);
	setup_print_diags(c, &b->diags);
	if (diags_errors(&b->diags) > 0 || b->incomplete) {
		if (refused)
			refused(c, &b->diags);
		(void)err_set(
		    &err, ERR_INPUT, "the manifests have findings, nothing was looked at");
		(void)err_hint(&err, "mend them as the findings say; \"ramet validate\" shows them "
				     "without a cluster");
	} else if (b->n == 0) {
		(void)err_set(&err, ERR_INPUT, "there is no manifest in %s", c->args[0]);
		(void)err_hint(&err, "a manifest is a *.yaml file with apiVersion ramet.dev/v1");
	}
	if (err) {
		bundle_unref(&b);
		return cli_fail(c, err);
	}
	*ret = b;
	return CLI_OK;
}
