/* summary.json from a branch that somebody else wrote to: what is accepted is written and read
 * again as the same bytes, and what a person reads of it has no character that is none. */
#include <stdlib.h>
#include <string.h>

#include "statusview.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const char *s)
{
	while (*s) {
		size_t len = strcspn(s, "\n");
		if (!text_is_printable(s, len))
			abort();
		s += len + (s[len] == '\n');
	}
}

/* Its summary.json; caller frees. */
static char *render(const struct status *s)
{
	static const struct statusview plain = {.colors = false};
	_cleanup_buf_ struct buf terminal = {0};
	struct tree t;
	statusview_all(&plain, s, &terminal);
	check_lines(buf_str(&terminal));
	tree_render_tables(s, &t);
	check_lines(tree_find(&t, "STATUS.md")->data);
	check_lines(tree_find(&t, "DRIFT.md")->data);
	char *json = mem_strdup(tree_find(&t, "summary.json")->data);
	tree_fini(&t);
	return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct status s, again;
	if (tree_parse_status((const char *)data, size, &s, NULL) != 0)
		return 0;
	_cleanup_str_ char *first = render(&s);
	status_fini(&s);
	if (tree_parse_status(first, strlen(first), &again, NULL) != 0)
		abort();
	_cleanup_str_ char *second = render(&again);
	status_fini(&again);
	if (strcmp(first, second) != 0)
		abort();
	return 0;
}
