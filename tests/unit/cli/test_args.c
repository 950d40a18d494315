#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "args.h"
#include "help.h"

#define MAX_WORDS 8

static int parse(struct cli *c, const char *const *words, struct err **err)
{
	char *argv[MAX_WORDS + 2] = {(char *)"ramet"};
	int argc = 1;
	while (words[argc - 1]) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	*c = (struct cli){0};
	return args_parse(c, argc, argv, err);
}

static void good(struct cli *c, const char *const *words)
{
	_cleanup_err_ struct err *err = NULL;
	if (parse(c, words, &err) != 0)
		fail_msg("%s refused: %s", words[0], err_msg(err));
}

#define GOOD(c, ...) good(c, (const char *const[]){__VA_ARGS__, NULL})

static void test_options_stand_anywhere(void **state)
{
	(void)state;
	struct cli c;
	GOOD(&c, "--config", "a.yaml", "plan", "vms", "--output=json", "--no-color");
	assert_string_equal(c.command->name, "plan");
	assert_string_equal(c.opt[CLI_OPT_CONFIG], "a.yaml");
	assert_int_equal(c.n_args, 1);
	assert_string_equal(c.args[0], "vms");
	assert_true(cli_form_is(&c, "json"));
	assert_false(cli_form_is(&c, "text"));
	assert_true(cli_has(&c, CLI_OPT_NO_COLOR));
	assert_false(cli_has(&c, CLI_OPT_REV));
	args_fini(&c);
}

static void test_first_form_is_the_default(void **state)
{
	(void)state;
	struct cli c;
	GOOD(&c, "plan");
	assert_true(cli_form_is(&c, "text"));
	assert_false(cli_form_is(&c, "markdown"));
	assert_false(cli_form_is(&c, "tex"));
	args_fini(&c);
	GOOD(&c, "run");
	assert_false(cli_form_is(&c, "text"));
	args_fini(&c);
}

static void test_two_dashes_end_the_options(void **state)
{
	(void)state;
	struct cli c;
	GOOD(&c, "plan", "--", "--rev", "-");
	assert_int_equal(c.n_args, 2);
	assert_string_equal(c.args[0], "--rev");
	assert_null(c.opt[CLI_OPT_REV]);
	args_fini(&c);
}

static void test_version_is_asked_for_as_everywhere(void **state)
{
	(void)state;
	struct cli c;
	GOOD(&c, "--version");
	assert_string_equal(c.command->name, "version");
	args_fini(&c);
}

static void test_help_needs_no_valid_call(void **state)
{
	(void)state;
	struct cli c;
	GOOD(&c, "explain", "--help");
	assert_true(cli_has(&c, CLI_OPT_HELP));
	args_fini(&c);
	GOOD(&c, "-h");
	assert_null(c.command);
	assert_true(cli_has(&c, CLI_OPT_HELP));
	args_fini(&c);
	GOOD(&c, "status", "a", "b", "c", "-h");
	args_fini(&c);
}

struct bad {
	const char *words[MAX_WORDS];
	const char *msg, *hint;
};

static const struct bad bad[] = {
    {{"plna"}, "there is no command plna", "did you mean plan?"},
    {{"xyzzy"}, "there is no command xyzzy", "\"ramet help\" lists what there is"},
    {{"plan", "--outptu", "json"}, "there is no option --outptu", "did you mean --output?"},
    {{"plan", "-o", "json"}, "there is no option -o", "\"ramet help plan\" lists what there is"},
    {{"plan", "--version"}, "there is no option --version",
	"\"ramet help plan\" lists what there is"},
    {{"plan", "--output", "xml"}, "ramet plan cannot write xml",
	"--output takes text|json|markdown"},
    {{"run", "--output", "json"}, "ramet run takes no --output",
	"\"ramet help run\" lists its options"},
    {{"status", "--yes"}, "ramet status takes no --yes", "\"ramet help status\" lists its options"},
    {{"apply", "--yes=1"}, "--yes takes no value", "write --yes alone"},
    {{"plan", "--rev"}, "--rev needs a value", "write it as --rev REV"},
    {{"plan", "--rev="}, "--rev needs a value", "write it as --rev REV"},
    {{"plan", "--rev", "a", "--rev", "b"}, "--rev is given twice", "keep one of them"},
    {{"status", ""}, "ramet status: an argument is empty",
	"look whether a variable in the call is not set"},
    {{"explain"}, "ramet explain needs NAME", "\"ramet help explain\" tells more"},
    {{"status", "a", "b"}, "ramet status: one argument too many: b",
	"\"ramet help status\" tells more"},
};

static void test_mistakes_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct cli c;
		_cleanup_err_ struct err *err = NULL;
		assert_int_equal(parse(&c, bad[i].words, &err), -1);
		assert_int_equal(err->code, ERR_USAGE);
		assert_string_equal(err->msg, bad[i].msg);
		assert_string_equal(err->hint, bad[i].hint);
		args_fini(&c);
	}
}

static void test_every_command_is_explained(void **state)
{
	(void)state;
	_cleanup_buf_ struct buf all = {0}, markdown = {0};
	help_overview(&all);
	help_markdown(&markdown);
	for (size_t i = 0; i < cli_n_commands; i++) {
		const struct cli_command *cmd = &cli_commands[i];
		_cleanup_str_ char *row = mem_printf("\n  %s", cmd->name);
		_cleanup_str_ char *title = mem_printf("\n## ramet %s\n", cmd->name);
		assert_non_null(strstr(buf_str(&all), row));
		assert_non_null(strstr(buf_str(&markdown), title));
		_cleanup_buf_ struct buf one = {0};
		help_command(&one, cmd);
		/* Beside 64 each says at least how it ends well. */
		const char *ends = strstr(buf_str(&one), "\nExit status:\n  0 ");
		assert_non_null(ends);
		assert_non_null(strstr(ends, "\n  64 "));
		assert_non_null(strstr(buf_str(&one), "--config FILE"));
	}
}

static void test_help_fits_80_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < cli_n_commands; i++) {
		_cleanup_buf_ struct buf one = {0};
		help_command(&one, &cli_commands[i]);
		for (const char *line = buf_str(&one); *line;) {
			size_t len = strcspn(line, "\n");
			if (len > 80)
				fail_msg("%.*s", (int)len, line);
			line += len + (line[len] == '\n');
		}
	}
}

static void test_environment(void **state)
{
	(void)state;
	char *const env[] = {(char *)"NO_COLORS=x", (char *)"NO_COLOR=1", (char *)"EMPTY=", NULL};
	assert_string_equal(cli_env(env, "NO_COLOR"), "1");
	assert_string_equal(cli_env(env, "EMPTY"), "");
	assert_null(cli_env(env, "NO"));
	assert_null(cli_env(NULL, "NO"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_options_stand_anywhere),
	    cmocka_unit_test(test_first_form_is_the_default),
	    cmocka_unit_test(test_two_dashes_end_the_options),
	    cmocka_unit_test(test_version_is_asked_for_as_everywhere),
	    cmocka_unit_test(test_help_needs_no_valid_call),
	    cmocka_unit_test(test_mistakes_are_named),
	    cmocka_unit_test(test_every_command_is_explained),
	    cmocka_unit_test(test_help_fits_80_columns),
	    cmocka_unit_test(test_environment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
