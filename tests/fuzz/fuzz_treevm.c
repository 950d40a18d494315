/* vms/NAME.yaml from a branch that somebody else wrote to: what is accepted is written and read
 * again as the same bytes, and a terminal that shows it obeys nothing in it. */
#include <stdlib.h>
#include <string.h>

#include "statusview.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(const struct vmstat *v)
{
	static const struct statusview plain = {.colors = false};
	static const struct statusview_now now = {0};
	_cleanup_buf_ struct buf out = {0};
	statusview_one(&plain, v, &out);
	statusview_explain(&plain, v, &now, &out);
	for (const char *s = buf_str(&out); *s;) {
		size_t len = strcspn(s, "\n");
		if (!text_is_printable(s, len))
			abort();
		s += len + (s[len] == '\n');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmstat v, again;
	if (tree_parse_vm((const char *)data, size, &v, NULL) != 0)
		return 0;
	show(&v);
	_cleanup_str_ char *first = tree_render_vm(&v);
	if (tree_parse_vm(first, strlen(first), &again, NULL) != 0)
		abort();
	_cleanup_str_ char *second = tree_render_vm(&again);
	if (strcmp(first, second) != 0 || !record_eq(&v.record, &again.record))
		abort();
	vmstat_fini(&v);
	vmstat_fini(&again);
	return 0;
}
