#include "help.h"

#include <string.h>

#include "text.h"

#define COLUMNS 80

struct option_row {
	const char *word, *arg;
	bool common;
	const char *doc;
};

static const struct option_row options[CLI_OPT__MAX] = {
#define OPTION(name, word, arg, common, doc) [CLI_OPT_##name] = {word, arg, common, doc},
#include "options.def"
#undef OPTION
};

struct exit_row {
	const char *command;
	int code;
	const char *doc;
};

static const struct exit_row exits[] = {
#define EXIT(command, code, doc) {#command, code, doc},
#include "exits.def"
#undef EXIT
};

static const char usage_exit[] = "the command line is wrong";

/* Words of s from column `at` on, further lines indented to `margin`. */
static void put_wrapped(struct buf *out, const char *s, size_t at, size_t margin)
{
	size_t col = at;
	while (*s) {
		size_t len = strcspn(s, " \n");
		if (col > margin && col + 1 + len > COLUMNS) {
			buf_addf(out, "\n%*s", (int)margin, "");
			col = margin;
		} else if (col > margin) {
			buf_addc(out, ' ');
			col++;
		}
		buf_add(out, s, len);
		col += len;
		s += len;
		if (*s == '\n') {
			buf_addf(out, "\n\n%*s", (int)margin, "");
			col = margin;
		}
		s += *s != '\0';
	}
	buf_addc(out, '\n');
}

/* "  left      right", the right side wrapped. */
static void put_pair(struct buf *out, const char *left, size_t width, const char *right)
{
	buf_addf(out, "  %-*s", (int)width, left);
	size_t used = 2 + (strlen(left) > width ? strlen(left) : width);
	if (used > 2 + width) {
		buf_addf(out, "\n%*s", (int)(4 + width), "");
	} else {
		buf_adds(out, "  ");
	}
	put_wrapped(out, right, 4 + width, 4 + width);
}

static char *option_left(enum cli_opt o)
{
	const struct option_row *r = &options[o];
	return r->arg ? mem_printf("--%s %s", r->word, r->arg) : mem_printf("--%s", r->word);
}

/* What the option does, for this command (NULL = in general). */
static char *option_doc(enum cli_opt o, const struct cli_command *cmd)
{
	if (o != CLI_OPT_OUTPUT || !cmd || !cmd->forms)
		return mem_strdup(options[o].doc);
	_cleanup_strs_ struct strs forms = {0};
	if (text_split(cmd->forms, "|", true, 10, &forms) != 0 || forms.n == 0)
		return mem_strdup(options[o].doc);
	_cleanup_str_ char *all = strs_join(&forms, ", ");
	return mem_printf("%s: %s; %s is the default", options[o].doc, all, forms.v[0]);
}

static void put_option(void *arg, const char *left, const char *doc)
{
	put_pair(arg, left, 19, doc);
}

static void put_exit(void *arg, int code, const char *doc)
{
	_cleanup_str_ char *left = mem_printf("%d", code);
	put_pair(arg, left, 4, doc);
}

void help_each_option(const struct cli_command *cmd,
    void (*each)(void *arg, const char *left, const char *doc), void *arg)
{
	for (int i = 0; i < CLI_OPT__MAX; i++) {
		enum cli_opt o = (enum cli_opt)i;
		if (options[o].common != !cmd || (cmd && !cli_command_takes(cmd, o)))
			continue;
		_cleanup_str_ char *left = option_left(o);
		_cleanup_str_ char *doc = option_doc(o, cmd);
		each(arg, left, doc);
	}
}

void help_each_exit(
    const struct cli_command *cmd, void (*each)(void *arg, int code, const char *doc), void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		if (strcmp(exits[i].command, cmd->name) == 0)
			each(arg, exits[i].code, exits[i].doc);
	each(arg, CLI_USAGE, usage_exit);
}

static bool has_own_options(const struct cli_command *cmd)
{
	for (int i = 0; i < CLI_OPT__MAX; i++)
		if (!options[i].common && cli_command_takes(cmd, (enum cli_opt)i))
			return true;
	return false;
}

void help_overview(struct buf *out)
{
	buf_adds(out,
	    "Ramet keeps VMs cloned from templates on Proxmox VE as a Git repository says."
	    "\n\nUsage: ramet COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
	for (size_t i = 0; i < cli_n_commands; i++) {
		const struct cli_command *cmd = &cli_commands[i];
		_cleanup_str_ char *left =
		    mem_printf("%s%s%s", cmd->name, *cmd->args ? " " : "", cmd->args);
		put_pair(out, left, 19, cmd->brief);
	}
	buf_adds(out, "\nCommon options:\n");
	help_each_option(NULL, put_option, out);
	buf_adds(out, "\n\"ramet help COMMAND\" tells what a command does and how it ends.\n");
}

void help_command(struct buf *out, const struct cli_command *cmd)
{
	buf_addf(out, "ramet %s: %s\n\nUsage: ramet %s [OPTIONS]%s%s\n\n", cmd->name, cmd->brief,
	    cmd->name, *cmd->args ? " " : "", cmd->args);
	put_wrapped(out, cmd->doc, 0, 0);
	if (has_own_options(cmd)) {
		buf_adds(out, "\nOptions:\n");
		help_each_option(cmd, put_option, out);
	}
	buf_adds(out, "\nCommon options:\n");
	help_each_option(NULL, put_option, out);
	buf_adds(out, "\nExit status:\n");
	help_each_exit(cmd, put_exit, out);
}

/* ---- the reference ---- */

static void put_markdown_option(void *arg, const char *left, const char *doc)
{
	buf_addf(arg, "| `%s` | %s |\n", left, doc);
}

static void put_markdown_exit(void *arg, int code, const char *doc)
{
	buf_addf(arg, "| %d | %s |\n", code, doc);
}

static void put_markdown_options(struct buf *out, const struct cli_command *cmd)
{
	buf_adds(out, "\n| option | |\n| --- | --- |\n");
	help_each_option(cmd, put_markdown_option, out);
}

static void put_markdown_command(struct buf *out, const struct cli_command *cmd)
{
	buf_addf(out, "\n## ramet %s\n\n`ramet %s%s%s`: %s.\n\n", cmd->name, cmd->name,
	    *cmd->args ? " " : "", cmd->args, cmd->brief);
	for (const char *p = cmd->doc; *p; p++)
		buf_adds(out, *p == '\n' ? "\n\n" : (char[]){*p, '\0'});
	buf_addc(out, '\n');
	if (has_own_options(cmd))
		put_markdown_options(out, cmd);
	buf_adds(out, "\n| exit status | |\n| --- | --- |\n");
	help_each_exit(cmd, put_markdown_exit, out);
}

void help_markdown(struct buf *out)
{
	buf_adds(out, "# Command line\n\n<!-- Generated: ramet help --output markdown -->\n\n"
		      "| command | |\n| --- | --- |\n");
	for (size_t i = 0; i < cli_n_commands; i++)
		buf_addf(out, "| [`%s`](#ramet-%s) | %s |\n", cli_commands[i].name,
		    cli_commands[i].name, cli_commands[i].brief);
	buf_adds(out, "\n## Common options\n");
	put_markdown_options(out, NULL);
	for (size_t i = 0; i < cli_n_commands; i++)
		put_markdown_command(out, &cli_commands[i]);
}

int cmd_help(const struct cli *c)
{
	_cleanup_buf_ struct buf out = {0};
	if (c->n_args == 1) {
		const struct cli_command *cmd = cli_command_find(c->args[0]);
		if (!cmd) {
			_cleanup_err_ struct err *err = NULL;
			(void)err_set(&err, ERR_USAGE, "there is no command %s", c->args[0]);
			(void)err_hint(&err, "\"ramet help\" lists the commands");
			return cli_fail(c, err);
		}
		help_command(&out, cmd);
	} else if (cli_form_is(c, "markdown")) {
		help_markdown(&out);
	} else if (cli_form_is(c, "man")) {
		help_man(&out);
	} else {
		help_overview(&out);
	}
	return cli_put(buf_str(&out)) ? CLI_OK : CLI_ERROR;
}
