#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

struct word {
	const char *name;
	const char *arg; /* what its value is called, NULL = it takes none */
};

static const struct word options[CLI_OPT__MAX] = {
#define OPTION(name, word, arg, common, doc) [CLI_OPT_##name] = {word, arg},
#include "options.def"
#undef OPTION
};

/* word: as it was written. */
static int unknown_option(const struct cli *c, const char *word, const char *name, struct err **err)
{
	const char *names[CLI_OPT__MAX];
	for (int i = 0; i < CLI_OPT__MAX; i++)
		names[i] = options[i].name;
	const char *near = name ? text_nearest(name, names, CLI_OPT__MAX) : NULL;
	(void)err_set(err, ERR_USAGE, "there is no option %s", word);
	if (near)
		return err_hint(err, "did you mean --%s?", near);
	return err_hint(err, "\"ramet help%s%s\" lists what there is", c->command ? " " : "",
	    c->command ? c->command->name : "");
}

static int unknown_command(struct err **err, const char *name)
{
	const char **names = mem_calloc(cli_n_commands, sizeof(*names));
	for (size_t i = 0; i < cli_n_commands; i++)
		names[i] = cli_commands[i].name;
	const char *near = text_nearest(name, names, cli_n_commands);
	free(names);
	(void)err_set(err, ERR_USAGE, "there is no command %s", name);
	if (near)
		return err_hint(err, "did you mean %s?", near);
	return err_hint(err, "\"ramet help\" lists what there is");
}

/* One option at argv[*i]; moves *i on over a value of its own. */
static int take_option(struct cli *c, int argc, char **argv, int *i, struct err **err)
{
	const char *word = strcmp(argv[*i], "-h") == 0 ? "--help" : argv[*i];
	if (word[1] != '-')
		return unknown_option(c, word, NULL, err);
	word += 2;
	size_t len = strcspn(word, "=");
	_cleanup_str_ char *name = mem_strndup(word, len);
	int o = 0;
	while (o < CLI_OPT__MAX && strcmp(options[o].name, name) != 0)
		o++;
	if (o == CLI_OPT__MAX)
		return unknown_option(c, argv[*i], name, err);
	if (!options[o].arg) {
		if (word[len] == '=') {
			(void)err_set(err, ERR_USAGE, "--%s takes no value", name);
			return err_hint(err, "write --%s alone", name);
		}
		c->opt[o] = "";
		return 0;
	}
	if (c->opt[o]) {
		(void)err_set(err, ERR_USAGE, "--%s is given twice", name);
		return err_hint(err, "keep one of them");
	}
	if (word[len] == '=')
		c->opt[o] = word + len + 1;
	else if (*i + 1 < argc)
		c->opt[o] = argv[++*i];
	if (!c->opt[o] || !*c->opt[o]) {
		(void)err_set(err, ERR_USAGE, "--%s needs a value", name);
		return err_hint(err, "write it as --%s %s", name, options[o].arg);
	}
	return 0;
}

static bool in_forms(const char *forms, const char *form)
{
	struct strs l = {0};
	bool found = text_split(forms, "|", true, 10, &l) == 0 && strs_has(&l, form);
	strs_fini(&l);
	return found;
}

/* What each word says is known; now whether the command takes it. */
static int check(const struct cli *c, struct err **err)
{
	const struct cli_command *cmd = c->command;
	for (int i = 0; i < CLI_OPT__MAX; i++) {
		if (!c->opt[i] || cli_command_takes(cmd, (enum cli_opt)i))
			continue;
		(void)err_set(err, ERR_USAGE, "ramet %s takes no --%s", cmd->name, options[i].name);
		return err_hint(err, "\"ramet help %s\" lists its options", cmd->name);
	}
	const char *form = c->opt[CLI_OPT_OUTPUT];
	if (form && !in_forms(cmd->forms, form)) {
		(void)err_set(err, ERR_USAGE, "ramet %s cannot write %s", cmd->name, form);
		return err_hint(err, "--output takes %s", cmd->forms);
	}
	if (c->n_args < cmd->least) {
		(void)err_set(err, ERR_USAGE, "ramet %s needs %s", cmd->name, cmd->args);
		return err_hint(err, "\"ramet help %s\" tells more", cmd->name);
	}
	if (c->n_args > cmd->most) {
		(void)err_set(err, ERR_USAGE, "ramet %s: one argument too many: %s", cmd->name,
		    c->args[cmd->most]);
		return err_hint(err, "\"ramet help %s\" tells more", cmd->name);
	}
	for (size_t i = 0; i < c->n_args; i++) {
		if (*c->args[i])
			continue;
		(void)err_set(err, ERR_USAGE, "ramet %s: an argument is empty", cmd->name);
		return err_hint(err, "look whether a variable in the call is not set");
	}
	return 0;
}

int args_parse(struct cli *c, int argc, char **argv, struct err **err)
{
	bool options_end = false;
	c->args = mem_calloc(argc > 0 ? (size_t)argc : 1, sizeof(*c->args));
	for (int i = 1; i < argc; i++) {
		if (!options_end && strcmp(argv[i], "--") == 0) {
			options_end = true;
		} else if (!options_end && !c->command && strcmp(argv[i], "--version") == 0) {
			/* What everybody tries first. */
			c->command = cli_command_find("version");
		} else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
			if (take_option(c, argc, argv, &i, err) != 0)
				return -1;
		} else if (!c->command) {
			c->command = cli_command_find(argv[i]);
			if (!c->command)
				return unknown_command(err, argv[i]);
		} else {
			c->args[c->n_args++] = argv[i];
		}
	}
	/* Whoever asks for help need not know how the command is called rightly. */
	if (!c->command || c->opt[CLI_OPT_HELP])
		return 0;
	return check(c, err);
}

void args_fini(struct cli *c)
{
	free(c->args);
	c->args = NULL;
	c->n_args = 0;
}
