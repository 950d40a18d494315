#include "cli.h"
#include "export.h"

int cmd_schema(const struct cli *c)
{
	_cleanup_str_ char *text = NULL;
	if (cli_form_is(c, "markdown"))
		text = export_markdown();
	else if (cli_form_is(c, "dictionary"))
		text = export_dictionary();
	else
		text = export_json_schema();
	return cli_put(text) ? CLI_OK : CLI_ERROR;
}
