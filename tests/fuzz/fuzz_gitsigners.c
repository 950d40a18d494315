/* Any list of signers: without its times it is as long as before, and only options changed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitsigners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf list;

	buf_init(&list, size + 1);
	buf_add(&list, data, size);
	size_t len = list.len;
	gitsigners_strip_times(&list);
	if (list.len != len)
		abort();
	for (size_t i = 0; i < len; i++) {
		if (list.data[i] != (char)data[i] && list.data[i] != ' ')
			abort();
	}
	buf_fini(&list);
	return 0;
}
