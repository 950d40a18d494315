/* Any bytes as the words of the ssh program: there is always an error with a hint, printable and
 * short. The same bytes as an address: what parses is harmless as an argument. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitaddr.h"
#include "gitsshwords.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words = mem_strndup((const char *)data, size);
	struct err *err = NULL;
	struct gitaddr a;

	gitsshwords_blame("h", words, size % 256, &err);
	if (!err || !err->hint || strlen(err->msg) > 500 ||
	    !text_is_printable(err->msg, strlen(err->msg)))
		abort();
	err_free(&err);
	if (gitsshwords_changed(words) && !strstr(words, "HAS CHANGED"))
		abort();
	(void)gitsshwords_is_hostkey(words);
	if (!gitaddr_parse(words, &a) &&
	    (a.path[0] != '/' || a.host[0] == '-' || (a.user && a.user[0] == '-') || a.port < 0 ||
		a.port > 65535 || (a.scheme != GITADDR_FILE && !a.host[0])))
		abort();
	gitaddr_fini(&a);
	free(words);
	return 0;
}
