/*
 * cli: the command line: what was asked for, and how to answer on a terminal.
 *
 * Not what the commands do (cmd_*.c) and not the settings (config/).
 *
 * The command borrows everything for its run.
 *
 * The controller process, before and around the loop.
 */
#ifndef RAMET_CLI_H
#define RAMET_CLI_H

#include "buf.h"
#include "err.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_ERROR = 1,
	CLI_CHANGES = 2, /* plan: there is something to do */
	CLI_NOT_READY = 3,
	CLI_USAGE = 64,
	CLI_CONFIG = 78, /* run: the configuration has findings; sysexits.h calls it EX_CONFIG */
};

enum cli_opt {
#define OPTION(name, word, arg, common, doc) CLI_OPT_##name,
#include "options.def"
#undef OPTION
	CLI_OPT__MAX
};

struct cli_command;

struct cli {
	const struct cli_command *command;
	const char *opt[CLI_OPT__MAX]; /* value; "" for a switch that is set; NULL = not given */
	char **args;
	size_t n_args;
	char *const *env;
	bool color;	/* standard output takes colours */
	bool err_color; /* standard error does */
	bool terminal;	/* standard output is one */
};

struct cli_command {
	const char *name;
	const char *args;
	size_t least, most;
	const char *forms;
	unsigned options;
	const char *brief, *doc;
	int (*run)(const struct cli *c);
};

#define CLI_MANY 1000000 /* arguments without a limit */

/* The whole program behind main: returns the exit status. env as main gets it. */
int cli_main(int argc, char **argv, char *const *env);

extern const struct cli_command cli_commands[];
extern const size_t cli_n_commands;
const struct cli_command *cli_command_find(const char *name);
bool cli_command_takes(const struct cli_command *cmd, enum cli_opt opt);

/* One of the command's forms, the first by default. */
bool cli_form_is(const struct cli *c, const char *form);
bool cli_has(const struct cli *c, enum cli_opt opt);
/* Variable of the environment, NULL if unset. */
const char *cli_env(char *const *env, const char *name);

/* "ramet: message", the hint below. Returns the exit status: CLI_USAGE for ERR_USAGE, else
 * CLI_ERROR. */
int cli_fail(const struct cli *c, const struct err *err);
/* The same for what does not end the command. */
void cli_warn(const struct cli *c, const struct err *err);
/* Writes to standard output; false after telling why not (a closed pipe is told nobody). */
bool cli_put(const char *text);

/* Functions of the commands. */
#define COMMAND(name, args, least, most, forms, options, brief, doc) \
	int cmd_##name(const struct cli *c);
#include "commands.def"
#undef COMMAND

#endif
