/*
 * pvetask_parse_upid on any text: what it takes can be put together from its parts again, and makes
 * a path of the API with exactly as many parts as the template has.
 */
#include "endpoints.h"
#include "pvetask.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upid u;
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	if (pvetask_parse_upid(text, &u, NULL) < 0)
		return 0;
	_cleanup_str_ char *prefix = mem_printf("UPID:%s:", u.node);
	_cleanup_str_ char *suffix = mem_printf(":%s:%s:%s:", u.type, u.id, u.user);
	MUST(strcmp(u.text, text) == 0);
	MUST(text_starts(text, prefix) && text_ends(text, suffix));
	_cleanup_str_ char *path = NULL;
	struct endpoint_args args = {.node = u.node, .upid = u.text};
	MUST(endpoint_path(ENDPOINT_TASK_STATUS, &args, &path, NULL) == 0);
	size_t slashes = 0;
	for (const char *p = path; *p; p++) {
		MUST(!strchr(" ?#;&", *p));
		slashes += *p == '/';
	}
	MUST(slashes == 5 && !strstr(path, "/../"));
	return 0;
}
