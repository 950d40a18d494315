#include "reportread.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

bool reportread_is_ours(const char *path)
{
	return strcmp(path, "STATUS.md") == 0 || strcmp(path, "DRIFT.md") == 0 ||
	       strcmp(path, REPORTREAD_SUMMARY) == 0 ||
	       (text_starts(path, "vms/") && text_ends(path, ".yaml"));
}

static void restore_vm(
    const struct reporter_opts *o, const char *path, const char *data, size_t len, struct err **e)
{
	struct vmstat v = {0};

	if (tree_parse_vm(data, len, &v, e) < 0)
		return;
	_cleanup_str_ char *own = tree_vm_path(v.name);
	/* What somebody copied beside it is older. */
	if (text_eq(path, own))
		o->on_vm(o->arg, &v);
	else
		(void)err_set(e, ERR_INPUT, "it is about %s", v.name);
	vmstat_fini(&v);
}

void reportread_restore(
    const struct reporter_opts *o, const char *path, const char *data, size_t len)
{
	_cleanup_err_ struct err *e = NULL;

	if (text_starts(path, "vms/")) {
		restore_vm(o, path, data, len, &e);
	} else if (strcmp(path, REPORTREAD_SUMMARY) == 0) {
		struct status s = {0};

		if (tree_parse_status(data, len, &s, &e) == 0) {
			for (size_t i = 0; i < s.used_vmids.n; i++) {
				int64_t v;

				if (text_to_int(s.used_vmids.v[i], 100, 999999999, &v) == 0)
					o->on_used(o->arg, (uint32_t)v);
			}
			o->on_summary(o->arg, &s);
			status_fini(&s);
		}
	}
	if (e)
		log_warn("report", "%s: %s, ignoring", path, err_msg(e));
}

void reportread_instance(const struct reporter_opts *o, const char *data, size_t len)
{
	struct status s = {0};

	if (tree_parse_status(data, len, &s, NULL) < 0)
		return;
	o->on_instance(o->arg, s.instance, s.observe_only);
	status_fini(&s);
}
