/* Any status lines of gpgv and any keyring: a signature counts as good only with exactly one line
 * that says so and one that says it is valid; armour never makes more bytes than it had. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitpgpwords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines that begin with these words. */
static size_t count_lines(const char *text, const char *start)
{
	size_t n = 0, len = strlen(start);
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
		n += strncmp(at, start, len) == 0 && (!at[len] || strchr(" \r\n", at[len]));
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	enum gitverdict v = gitpgpwords_verdict(text, 0);
	struct buf keys;

	if ((unsigned)v >= GITVERDICT__MAX)
		abort();
	if (gitpgpwords_verdict(text, 1) == GITVERDICT_GOOD)
		abort();
	if (v == GITVERDICT_GOOD &&
	    (count_lines(text, "[GNUPG:] VALIDSIG") != 1 ||
		count_lines(text, "[GNUPG:] GOODSIG") + count_lines(text, "[GNUPG:] EXPKEYSIG") !=
		    1))
		abort();
	buf_init(&keys, 0);
	if (gitpgpwords_unarmour(text, &keys) && keys.len > size)
		abort();
	(void)gitpgpwords_is_armoured((const char *)data, size);
	buf_fini(&keys);
	free(text);
	return 0;
}
