/*
 * The committed reference and sample are what the table says. `test_config_docs --update` writes
 * them anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "configtab.h"

struct doc {
	const char *path;
	void (*print)(struct buf *out);
};

static const struct doc docs[] = {
    {RAMET_SOURCE_DIR "/docs/config.md", config_print_reference},
    {RAMET_SOURCE_DIR "/deploy/ramet.yaml", config_print_sample},
};

static void committed_files_are_current(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		static char text[1 << 18];
		struct buf b;
		buf_init(&b, sizeof(text));
		docs[i].print(&b);
		FILE *f = fopen(docs[i].path, "r");
		if (!f)
			fail_msg(
			    "%s is not there; run %s --update", docs[i].path, "test_config_docs");
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
		if (strcmp(text, buf_str(&b)) != 0)
			fail_msg(
			    "%s is not current; run %s --update", docs[i].path, "test_config_docs");
		buf_fini(&b);
	}
}

/* What the sample sets is an example, what it comments on is the default: without the comment
 * signs it still loads, and then says the same. */
static void the_sample_loads_and_shows_every_setting(void **state)
{
	(void)state;
	struct buf b, bare;
	buf_init(&b, 0);
	buf_init(&bare, 0);
	config_print_sample(&b);
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL, *all = NULL;
	assert_int_equal(config_parse("ramet.yaml", buf_str(&b), b.len, NULL, &diags, &c), 0);
	assert_int_equal(diags.n, 0);
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		const struct configtab_row *row = &configtab_rows[i];
		_cleanup_str_ char *value = configtab_print(c, row);
		assert_string_equal(value, row->example ? row->example : row->def);
	}

	/* Lines such as "# http:" and "  # interval: 60s", but not those of prose. */
	for (const char *line = buf_str(&b); *line;) {
		size_t len = strcspn(line, "\n");
		size_t blanks = strspn(line, " ");
		const char *hash = line + blanks;
		const char *key = hash + 2 + (*hash == '#' ? strspn(hash + 2, " ") : 0);
		size_t word = strspn(key, "abcdefghijklmnopqrstuvwxyz_");
		bool setting = *hash == '#' && word > 0 && key[word] == ':' &&
			       (key[word + 1] == ' ' || key[word + 1] == '\n');
		buf_add(&bare, line, blanks);
		if (setting)
			buf_add(&bare, hash + 2, len - blanks - 2);
		else
			buf_add(&bare, hash, len - blanks);
		buf_addc(&bare, '\n');
		line += len + (line[len] == '\n');
	}
	/* These two cannot stand beside what the sample sets. */
	if (config_parse("ramet.yaml", buf_str(&bare), bare.len, NULL, &diags, &all) < 0) {
		struct buf text;
		buf_init(&text, 0);
		diags_print_text(&diags, false, &text);
		fail_msg("%s\n%s", buf_str(&text), buf_str(&bare));
	}
	_cleanup_strs_ struct strs changed = {0};
	config_diff(c, all, &changed);
	assert_int_equal(changed.n, 0);
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		const char *key = strrchr(configtab_rows[i].key, '.') + 1;
		_cleanup_str_ char *line = mem_printf(" %s: ", key);
		assert_non_null(strstr(buf_str(&bare), line));
	}
	buf_fini(&b);
	buf_fini(&bare);
}

static void every_row_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONFIGTAB__MAX; i++) {
		const struct configtab_row *row = &configtab_rows[i];
		assert_true(row->min <= row->max);
		assert_true(strlen(row->doc) >= 15);
		assert_int_equal(row->doc[strlen(row->doc) - 1], '.');
		assert_int_equal(row->type == CONFIGTAB_CHOICE, row->choices != NULL);
		if (row->type == CONFIGTAB_SECRET)
			assert_true(strcmp(row->key + strlen(row->key) - 5, "_file") == 0);
		for (size_t k = 0; k < i; k++) {
			_cleanup_str_ char *a = configtab_env_name(row);
			_cleanup_str_ char *b = configtab_env_name(&configtab_rows[k]);
			assert_string_not_equal(a, b);
		}
		bool known = false;
		for (size_t s = 0; s < configtab_n_sections; s++) {
			size_t len = strlen(configtab_sections[s].name);
			known |= strncmp(row->key, configtab_sections[s].name, len) == 0 &&
				 row->key[len] == '.';
		}
		assert_true(known);
	}
}

static int update(void)
{
	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		struct buf b;
		buf_init(&b, 0);
		docs[i].print(&b);
		FILE *f = fopen(docs[i].path, "w");
		if (!f || fwrite(buf_str(&b), 1, b.len, f) != b.len || fclose(f) != 0) {
			perror(docs[i].path);
			return 1;
		}
		buf_fini(&b);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--update") == 0)
		return update();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(committed_files_are_current),
	    cmocka_unit_test(the_sample_loads_and_shows_every_setting),
	    cmocka_unit_test(every_row_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
