/* vms/NAME.yaml from a branch that somebody else wrote to: what is accepted is written and read
 * again as the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmstat v, again;
	if (tree_parse_vm((const char *)data, size, &v, NULL) != 0)
		return 0;
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
