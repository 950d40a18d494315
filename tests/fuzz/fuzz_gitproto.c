/* Whatever decodes obeys its limits and encodes back to the very same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gitproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gitproto_msg msg;
	struct buf b;

	if (gitproto_decode(data, size, &msg, NULL) != 0)
		return 0;
	buf_init(&b, 0);
	if (gitproto_encode(&msg, &b, NULL) != 0 || b.len != size ||
	    memcmp(b.data, data, size) != 0)
		abort();
	buf_fini(&b);
	return 0;
}
