#include "cli.h"

int cmd_version(const struct cli *c)
{
	(void)c;
	return cli_put("ramet " RAMET_VERSION "\n") ? CLI_OK : CLI_ERROR;
}
