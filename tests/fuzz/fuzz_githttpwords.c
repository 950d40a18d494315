/* Any bytes as what a server or the library says of a transfer: there is always an error with a
 * hint, printable and short, and nothing of it is believed. The same bytes as a file's beginning:
 * the small judges of content look at no more than is there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "githttpwords.h"
#include "gitname.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct err **err)
{
	struct err *e = *err;
	if (!e || !e->hint || strlen(e->msg) > 800 || !text_is_printable(e->msg, strlen(e->msg)) ||
	    !text_is_printable(e->hint, strlen(e->hint)) || e->retry_ms < 0)
		abort();
	err_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const proxies[] = {"", "http://proxy.example.org:3128"};
	uint8_t a = size ? data[0] : 0, b = size > 1 ? data[1] : 0;
	struct githttpwords w = {.base = "https://git.example.org/x.git",
	    .origin = "https://git.example.org",
	    .user = a & 1 ? "ramet" : NULL,
	    .section = a & 2 ? "git" : "git.write",
	    .proxy = proxies[a >> 2 & 1],
	    .credentials =
		(enum githttpwords_credentials)((a >> 3) % GITHTTPWORDS_CREDENTIALS__MAX),
	    .retry_s = a & 0x80 ? b : 0};
	size_t skip = size < 2 ? size : 2;
	char *said = mem_strndup((const char *)data + skip, size - skip);
	struct err *err = NULL;

	(void)githttpwords_status(&w, 100 + 2 * (long)b, said, &err);
	check(&err);
	(void)githttpwords_transfer(
	    &w, (enum githttpwords_failure)(b % GITHTTPWORDS_FAILURE__MAX), said, &err);
	check(&err);
	if (gitname_is_lfs((const char *)data, size) && size < 40)
		abort();
	if (gitname_is_sha256((const char *)data, size) && size < 20)
		abort();
	free(said);
	return 0;
}
