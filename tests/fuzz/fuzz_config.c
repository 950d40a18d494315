/*
 * config_parse on any bytes, as a file and, from "RAMET_" on, as a variable of the environment.
 * It either gives findings that a person can read, or settings within the limits of the table.
 */
#include "configtab.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_settings(const struct config *c)
{
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		const struct configtab_row *row = &configtab_rows[i];
		_cleanup_str_ char *text = configtab_print(c, row);
		MUST(text_is_printable(text, strlen(text)));
		if (row->type == CONFIGTAB_STR || row->type == CONFIGTAB_FILE)
			MUST((int64_t)strlen(text) <= row->max);
	}
	MUST(c->vmid_first <= c->vmid_last && (c->vmid_first == 0 || c->vmid_first >= 100));
	MUST(!strstr(c->git_path, ".."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	bool is_env = text_starts(text, "RAMET_");
	char *env[] = {is_env ? text : NULL, NULL};
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	int rc = config_parse("f", (const char *)data, is_env ? 0 : size, env, &diags, &c);
	MUST((rc == 0) == (c != NULL));
	MUST((rc == 0) == (diags_errors(&diags) == 0));
	struct buf out;
	buf_init(&out, 0);
	diags_print_text(&diags, false, &out);
	MUST(text_is_utf8(buf_str(&out), out.len));
	buf_fini(&out);
	if (c)
		check_settings(c);
	return 0;
}
