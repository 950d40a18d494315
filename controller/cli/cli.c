#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "help.h"
#include "log.h"
#include "loop.h"
#include "text.h"

#define OPT(name) (1u << CLI_OPT_##name)

const struct cli_command cli_commands[] = {
#define COMMAND(name, args, least, most, forms, options, brief, doc) \
	{#name, args, least, most, forms, options, brief, doc, cmd_##name},
#include "commands.def"
#undef COMMAND
};
const size_t cli_n_commands = ARRAY_LEN(cli_commands);

const struct cli_command *cli_command_find(const char *name)
{
	for (size_t i = 0; i < cli_n_commands; i++)
		if (strcmp(cli_commands[i].name, name) == 0)
			return &cli_commands[i];
	return NULL;
}

bool cli_command_takes(const struct cli_command *cmd, enum cli_opt opt)
{
	static const bool common[CLI_OPT__MAX] = {
#define OPTION(name, word, arg, is_common, doc) [CLI_OPT_##name] = is_common,
#include "options.def"
#undef OPTION
	};
	if (common[opt])
		return true;
	if (opt == CLI_OPT_OUTPUT)
		return cmd && cmd->forms;
	return cmd && (cmd->options & 1u << opt);
}

bool cli_form_is(const struct cli *c, const char *form)
{
	const char *given = c->opt[CLI_OPT_OUTPUT];
	if (given)
		return strcmp(given, form) == 0;
	const char *forms = c->command->forms;
	size_t len = forms ? strcspn(forms, "|") : 0;
	return strlen(form) == len && strncmp(forms, form, len) == 0;
}

bool cli_has(const struct cli *c, enum cli_opt opt)
{
	return c->opt[opt] != NULL;
}

const char *cli_env(char *const *env, const char *name)
{
	size_t len = strlen(name);
	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* ---- answers ---- */

bool cli_put(const char *text)
{
	size_t len = strlen(text);
	if (fwrite(text, 1, len, stdout) == len && fflush(stdout) == 0)
		return true;
	if (errno != EPIPE)
		fprintf(stderr, "ramet: cannot write to standard output: %s\n", strerror(errno));
	return false;
}

static void complain(
    const struct cli *c, const char *color, const char *word, const struct err *err)
{
	_cleanup_str_ char *msg = text_oneline(err_msg(err), 2000);
	fprintf(stderr, "ramet: %s%s:%s %s\n", c->err_color ? color : "", word,
	    c->err_color ? "\x1b[0m" : "", msg);
	if (err && err->hint) {
		_cleanup_str_ char *hint = text_oneline(err->hint, 2000);
		fprintf(stderr, "  hint: %s\n", hint);
	}
}

void cli_warn(const struct cli *c, const struct err *err)
{
	complain(c, "\x1b[1;33m", "warning", err);
}

int cli_fail(const struct cli *c, const struct err *err)
{
	complain(c, "\x1b[1;31m", "error", err);
	return err && err->code == ERR_USAGE ? CLI_USAGE : CLI_ERROR;
}

/* ---- set-up before any command ---- */

/* LeakSanitizer looks at its own process as a debugger does, and may not then. */
#if defined(__SANITIZE_ADDRESS__)
#define DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DUMPABLE 1
#endif
#endif

/* What is closed would go to the next file that is opened, and then the log into the journal. The
 * wrong way round, so that reading and writing fail as they do on what is closed. */
static void hold_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Secrets stay in this process: no core, no debugger of another user, nothing readable by others
 * in what is written. */
static void harden(void)
{
	const struct rlimit none = {0, 0};
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef DUMPABLE
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void take_color(struct cli *c)
{
	const char *no = cli_env(c->env, "NO_COLOR"), *term = cli_env(c->env, "TERM");
	bool off = cli_has(c, CLI_OPT_NO_COLOR) || (no && *no) || text_eq(term, "dumb");
	c->terminal = isatty(STDOUT_FILENO) == 1;
	c->color = !off && c->terminal;
	c->err_color = !off && isatty(STDERR_FILENO) == 1;
}

/* systemd tells what it connected standard error to as DEVICE:INODE. */
static bool is_journal(char *const *env)
{
	const char *at = cli_env(env, "JOURNAL_STREAM");
	struct stat st;
	if (!at || fstat(STDERR_FILENO, &st) != 0)
		return false;
	_cleanup_str_ char *ours =
	    mem_printf("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(at, ours) == 0;
}

static int take_log(struct cli *c, struct err **err)
{
	enum log_level level = LOG_WARN;
	const char *word = c->opt[CLI_OPT_LOG_LEVEL], *form = c->opt[CLI_OPT_LOG_FORMAT];
	if (word && log_level_parse(word, &level) != 0) {
		(void)err_set(err, ERR_USAGE, "--log-level does not know %s", word);
		return err_hint(err, "it takes error, warn, info or debug");
	}
	if (form && strcmp(form, "text") != 0 && strcmp(form, "json") != 0) {
		(void)err_set(err, ERR_USAGE, "--log-format does not know %s", form);
		return err_hint(err, "it takes text or json");
	}
	log_set_clock(loop_wall_ms);
	log_setup(level, text_eq(form, "json"));
	log_set_color(c->err_color);
	log_set_journal(is_journal(c->env));
	return 0;
}

int cli_main(int argc, char **argv, char *const *env)
{
	struct cli c = {.env = env};
	hold_standard_fds();
	harden();
	_cleanup_err_ struct err *err = NULL;
	int parsed = args_parse(&c, argc, argv, &err);
	take_color(&c);
	if (parsed != 0 || take_log(&c, &err) != 0) {
		args_fini(&c);
		return cli_fail(&c, err);
	}
	int rc;
	if (cli_has(&c, CLI_OPT_HELP) || !c.command) {
		_cleanup_buf_ struct buf out = {0};
		if (c.command)
			help_command(&out, c.command);
		else
			help_overview(&out);
		rc = cli_put(buf_str(&out)) ? CLI_OK : CLI_ERROR;
		/* Without any word the help is an answer to a mistake. */
		if (!c.command && !cli_has(&c, CLI_OPT_HELP))
			rc = CLI_USAGE;
	} else {
		rc = c.command->run(&c);
	}
	args_fini(&c);
	return rc;
}
