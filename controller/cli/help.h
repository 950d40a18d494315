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

/* The page for man(1): docs/ramet.1. */
void help_man(struct buf *out);

/* The options of the command but for the common ones; NULL = the common ones. */
void help_each_option(const struct cli_command *cmd,
    void (*each)(void *arg, const char *left, const char *doc), void *arg);
void help_each_exit(
    const struct cli_command *cmd, void (*each)(void *arg, int code, const char *doc), void *arg);

#endif
