/*
 * jsn_parse on any bytes. What it takes must print as JSON that reads back as the same value and
 * prints the same again, flat and pretty.
 */
#include "jsn.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jsn *again(const char *text)
{
	struct jsn *j = NULL;
	struct err *e = NULL;
	MUST(jsn_parse(text, strlen(text), &j, &e) == 0);
	return j;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_jsn_ struct jsn *j = NULL;
	_cleanup_err_ struct err *e = NULL;
	if (jsn_parse((const char *)data, size, &j, &e) != 0) {
		MUST(e && e->msg && *e->msg);
		return 0;
	}
	_cleanup_str_ char *flat = jsn_print(j, false);
	_cleanup_str_ char *pretty = jsn_print(j, true);
	_cleanup_jsn_ struct jsn *from_flat = again(flat);
	_cleanup_jsn_ struct jsn *from_pretty = again(pretty);
	_cleanup_str_ char *flat2 = jsn_print(from_flat, false);
	_cleanup_str_ char *flat3 = jsn_print(from_pretty, false);
	MUST(strcmp(flat, flat2) == 0);
	MUST(strcmp(flat, flat3) == 0);
	_cleanup_jsn_ struct jsn *copy = jsn_copy(j);
	MUST(jsn_eq(j, from_flat) && jsn_eq(j, copy));
	return 0;
}
