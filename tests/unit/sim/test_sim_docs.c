/* Every key that a seed may have, and every line of the control, stands in the page for users. */
#include "sim_client.h"
#include "sim_control.h"

static char *page(void)
{
	return file_text(RAMET_SOURCE_DIR "/docs/ramet-sim.md");
}

/* The lists "|name|ip|…|" of the sources that read seeds. */
static void keys_of(const char *source, struct strs *ret)
{
	_cleanup_str_ char *path = mem_printf("%s/tests/sim/%s", RAMET_SOURCE_DIR, source);
	_cleanup_str_ char *text = file_text(path);

	for (const char *p = text; (p = strstr(p, "field_known(")); p++) {
		const char *end = strstr(p, ") <");
		_cleanup_str_ char *call = mem_strndup(p, end ? (size_t)(end - p) : 0);

		for (char *q = call, *bar; (bar = strchr(q, '|')); q = bar + 1) {
			size_t len = strspn(bar + 1, "abcdefghijklmnopqrstuvwxyz-");

			if (len && bar[1 + len] == '|')
				strs_add_take(ret, mem_strndup(bar + 1, len));
		}
	}
}

static void keys(void **state)
{
	_cleanup_str_ char *text = page();
	_cleanup_strs_ struct strs l = {0};

	(void)state;
	keys_of("sim_seed.c", &l);
	keys_of("sim_past.c", &l);
	assert_true(l.n > 60);
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_str_ char *quoted = mem_printf("`%s`", l.v[i]);

		if (!strstr(text, quoted))
			fail_msg("docs/ramet-sim.md does not name the key %s", l.v[i]);
	}
}

static void control_lines(void **state)
{
	_cleanup_str_ char *text = page();
	_cleanup_strs_ struct strs l = {0};

	(void)state;
	assert_int_equal(text_split(control_help, " |,\n", true, 200, &l), 0);
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_str_ char *quoted = mem_printf("`%s ", l.v[i]);
		_cleanup_str_ char *alone = mem_printf("`%s`", l.v[i]);

		if (*l.v[i] >= 'a' && *l.v[i] <= 'z' && !strstr(text, alone) &&
		    !strstr("all on off", l.v[i]) && !text_starts(l.v[i], "pve") &&
		    !strstr(text, quoted))
			fail_msg("docs/ramet-sim.md does not name the line %s", l.v[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys),
	    cmocka_unit_test(control_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
