/*
 * args: the words of the command line, held against the tables of commands and options.
 *
 * Not their meaning: the commands know that.
 *
 * Fills a struct cli, which borrows the words; args_fini frees the list of arguments.
 *
 * The controller process; pure.
 */
#ifndef RAMET_ARGS_H
#define RAMET_ARGS_H

#include "cli.h"

/* Options may stand anywhere, as "--name value" or "--name=value"; "--" ends them. ERR_USAGE with a
 * hint that names what was probably meant. c->command stays NULL when there is none. */
int args_parse(struct cli *c, int argc, char **argv, struct err **err) MUST_CHECK;
void args_fini(struct cli *c);

#endif
