/*
 * help: the tables of the command line as text for people.
 *
 * Not the reference of manifests (spec/export.h) or settings (config/).
 *
 * Writes into the caller's buffer.
 *
 * The controller process; pure.
 */
#ifndef RAMET_HELP_H
#define RAMET_HELP_H

#include "cli.h"

/* All commands and the common options. */
void help_overview(struct buf *out);
void help_command(struct buf *out, const struct cli_command *cmd);
/* docs/cli.md, which is generated. */
void help_markdown(struct buf *out);

#endif
