/* The reference as a page for man(1). */
#include <string.h>

#include "help.h"

/* Text of ours into a line of roff: nothing of it is a request or an escape. */
static void put_text(struct buf *out, const char *s)
{
	bool start = true;
	for (; *s; s++) {
		if (start && (*s == '.' || *s == '\''))
			buf_adds(out, "\\&");
		start = *s == '\n';
		if (*s == '\\')
			buf_adds(out, "\\e");
		else if (*s == '-')
			buf_adds(out, "\\-");
		else
			buf_addc(out, *s);
	}
}

static void put_paragraphs(struct buf *out, const char *doc)
{
	for (const char *end; *doc; doc = *end ? end + 1 : end) {
		end = doc + strcspn(doc, "\n");
		_cleanup_str_ char *text = mem_strndup(doc, (size_t)(end - doc));
		buf_adds(out, ".PP\n");
		put_text(out, text);
		buf_addc(out, '\n');
	}
}

static void put_item(struct buf *out, const char *left, const char *right)
{
	buf_adds(out, ".TP\n.B ");
	put_text(out, left);
	buf_addc(out, '\n');
	put_text(out, right);
	buf_addc(out, '\n');
}

static void put_option(void *arg, const char *left, const char *doc)
{
	put_item(arg, left, doc);
}

static void put_exit(void *arg, int code, const char *doc)
{
	struct buf *out = arg;
	buf_addf(out, ".IP %d 4\n", code);
	put_text(out, doc);
	buf_addc(out, '\n');
}

static void put_command(struct buf *out, const struct cli_command *cmd)
{
	_cleanup_str_ char *title =
	    mem_printf("ramet %s%s%s", cmd->name, *cmd->args ? " " : "", cmd->args);
	buf_adds(out, ".SS \"");
	put_text(out, title);
	buf_adds(out, "\"\n");
	put_text(out, cmd->brief);
	buf_adds(out, ".\n");
	put_paragraphs(out, cmd->doc);
	help_each_option(cmd, put_option, out);
	buf_adds(out, ".PP\nExit status:\n");
	help_each_exit(cmd, put_exit, out);
}

void help_man(struct buf *out)
{
	buf_adds(out, ".\\\" Generated: ramet help --output man\n"
		      ".TH RAMET 1 \"\" Ramet \"User Commands\"\n"
		      ".SH NAME\nramet \\- keep VMs cloned from templates on Proxmox VE as a Git "
		      "repository says\n"
		      ".SH SYNOPSIS\n.B ramet\n.I COMMAND\n.RI [ OPTIONS ]\n.RI [ ARGUMENTS ]\n"
		      ".SH COMMANDS\n");
	for (size_t i = 0; i < cli_n_commands; i++)
		put_command(out, &cli_commands[i]);
	buf_adds(out, ".SH OPTIONS\nThese go with every command.\n");
	help_each_option(NULL, put_option, out);
	buf_adds(out, ".SH ENVIRONMENT\n");
	put_item(out, "RAMET_*",
	    "Every setting of the configuration: RAMET_CLUSTER_TOKEN_FILE stands for "
	    "cluster.token_file.");
	put_item(out, "NO_COLOR", "When it is set, there is no colour.");
	buf_adds(out, ".SH FILES\n");
	put_item(out, "ramet.yaml", "The configuration, in the current folder, or else");
	put_item(out, "/etc/ramet/ramet.yaml", "there.");
}
