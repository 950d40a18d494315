/* Any bytes as the name of a file and as words of a server: what comes out is printable, bounded,
 * and a name that passes is harmless. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitname.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = mem_strndup((const char *)data, size);
	struct buf b;

	if (!gitname_fault(name) && (!text_is_printable(name, strlen(name)) || strchr(name, '/') ||
					strcasecmp(name, ".git") == 0))
		abort();
	buf_init(&b, 4 * size + 1);
	gitname_add_printable(&b, name);
	if (b.overflow || !text_is_printable(buf_str(&b), b.len))
		abort();
	buf_fini(&b);
	char *line = gitname_clean(name, 100, false);
	if (strlen(line) > 100 || !text_is_printable(line, strlen(line)))
		abort();
	free(line);
	char *lines = gitname_clean(name, 100, true);
	if (strlen(lines) > 100 || !text_is_utf8(lines, strlen(lines)))
		abort();
	free(lines);
	(void)gitname_is_lfs((const char *)data, size);
	(void)gitname_has_suffix(name, ".yaml .yml");
	free(name);
	return 0;
}
