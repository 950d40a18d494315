/* A drive string is read without harm, and what was read is complete. */
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	_cleanup_drive_ struct drive d = {0};
	if (drive_parse(text, &d, NULL) < 0) {
		MUST(!d.volume);
		return 0;
	}
	MUST(d.volume && *d.volume && d.storage && d.format);
	MUST(text_starts(d.volume, d.storage));
	MUST(drive_gib_up(d.bytes) >= d.bytes >> 30);
	return 0;
}
