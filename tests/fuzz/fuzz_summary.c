/* summary.json from a branch that somebody else wrote to: what is accepted is written and read
 * again as the same bytes, and what a person reads of it has no character that is none. */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_page(const struct tree *t, const char *path)
{
	for (const char *s = tree_find(t, path)->data; *s;) {
		size_t len = strcspn(s, "\n");
		if (!text_is_printable(s, len))
			abort();
		s += len + (s[len] == '\n');
	}
}

/* Its summary.json; caller frees. */
static char *render(const struct status *s)
{
	struct tree t;
	tree_render_tables(s, &t);
	check_page(&t, "STATUS.md");
	check_page(&t, "DRIFT.md");
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
