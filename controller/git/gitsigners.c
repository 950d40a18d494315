#include "gitsigners.h"

#include <string.h>

void gitsigners_strip_times(struct buf *list)
{
	static const char *const words[] = {"valid-after=\"", "valid-before=\""};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (char *at = list->data; at && (at = strcasestr(at, words[i]));) {
			char *end = strchr(at + strlen(words[i]), '"');
			if (!end)
				return;
			/* One of the commas beside it goes with it. */
			end++;
			if (*end == ',')
				end++;
			else if (at > list->data && at[-1] == ',')
				at--;
			memset(at, ' ', (size_t)(end - at));
		}
	}
}
