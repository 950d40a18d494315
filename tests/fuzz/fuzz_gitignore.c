/* Any ignore file and any path: first line the path, the rest the rules. What is refused is refused
 * with a reason; what is taken ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, '\n', size) : NULL;
	struct gitignore *g = NULL;
	struct err *err = NULL;

	if (!end)
		return 0;
	char *path = mem_strndup(text, (size_t)(end - text));
	end++;
	if (gitignore_new(&g, end, size - (size_t)(end - text), &err) != 0) {
		if (!err || !err->msg || g)
			abort();
		err_free(&err);
	} else if (*path && *path != '/') {
		bool file = false, folder = false;
		/* What covers a file covers a folder of that name only if no rule for folders says
		 * otherwise, so both may be anything; but the answer never changes. */
		if (gitignore_covers(g, path, false, &file, NULL) != 0 ||
		    gitignore_covers(g, path, true, &folder, NULL) != 0)
			abort();
		bool again = !file;
		if (gitignore_covers(g, path, false, &again, NULL) != 0 || again != file)
			abort();
	}
	gitignore_free(&g);
	free(path);
	return 0;
}
