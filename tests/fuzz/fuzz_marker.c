/* A marker that is found prints as a line that is found again; stripping leaves none; joining
 * makes exactly one. */
#include <stdlib.h>
#include <string.h>

#include "marker.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	_cleanup_str_ char *bare = marker_strip(text), *joined = NULL;
	struct marker m = {0}, back = {0};
	MUST(marker_find(bare, &m) == MARKER_NONE);
	if (marker_find(text, &m) != MARKER_OK)
		return 0;
	_cleanup_str_ char *line = marker_print(&m);
	MUST(marker_is_line(line));
	if (marker_join(text, &m, &joined, NULL) == 0) {
		MUST(marker_find(joined, &back) == MARKER_OK);
		MUST(back.vmid == m.vmid && text_eq(back.name, m.name));
		_cleanup_str_ char *stripped = marker_strip(joined);
		MUST(text_eq(stripped, bare));
		marker_fini(&back);
	}
	marker_fini(&m);
	return 0;
}
