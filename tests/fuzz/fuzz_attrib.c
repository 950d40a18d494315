/* Lines of the cluster's log, told twice: names are a short line of text, and what was told before
 * is no news. */
#include <stdlib.h>
#include <string.h>

#include "attrib.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_touch(void *arg, uint32_t vmid)
{
	if (vmid < 100 || vmid > 999999999)
		abort();
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"cores", "net0", "power", "node", ""};
	struct attrib *a = attrib_new("ramet@pve!ctl");
	size_t touched = 0;
	if (attrib_feed(a, "{\"data\":[]}", 11, on_touch, &touched) < 0)
		abort();
	for (int i = 0; i < 2; i++) {
		size_t before = touched;
		int rc = attrib_feed(a, (const char *)data, size, on_touch, &touched);
		if (i > 0 && rc == 0 && touched != before)
			abort();
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *who = attrib_who(a, 1204, keys[i]);
		if (who && !text_is_printable(who, strlen(who)))
			abort();
	}
	attrib_free(&a);
	return 0;
}
