#include "sim_extjs.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

bool format_known(const char *format)
{
	return !format || !strcmp(format, "json") || !strcmp(format, "extjs");
}

void format_answer(const char *format, struct jsn *body, int *status, const char **reason)
{
	if (!format || strcmp(format, "extjs") != 0)
		return;
	jsn_put_int(body, "success", *status < 400);
	if (*status < 400)
		return;
	/* The code of an exception was part of a text once, and stays one. */
	if (*status == 500 || *status == 501)
		jsn_put_int(body, "status", *status);
	else {
		char code[16];

		snprintf(code, sizeof(code), "%d", *status);
		jsn_put_str(body, "status", code);
	}
	*status = 200;
	*reason = "OK";
}
