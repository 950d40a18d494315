#include "support_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void case_merge(struct world *w, const char *yaml, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "all.yaml", yaml);
	memgit_commit(w->git, &files, subject);
}

void case_must_be_ready(struct world *w)
{
	if (world_run(w, HOUR_MS, world_all_ready, NULL))
		return;
	fputs(buf_str(&w->story), stderr);
	fail_msg("not ready");
}
