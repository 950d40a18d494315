/* The rules of an ignore file against what git itself makes of them. */
#include "gitfix.h"

#include "gitignore.h"

static const char *const rules[] = {
    "",
    "# all of it is a comment\n",
    "*.yaml\n",
    "a.yaml\n",
    "/a.yaml\n",
    "b/\n",
    "b\n",
    "/b/c\n",
    "b/*.yaml\n",
    "**/d.yaml\n",
    "b/**/d.yaml\n",
    "b/**\n",
    "*.yaml\n!b/\n!a.yaml\n",
    "b/\n!b/a.yaml\n",
    "[ab].yaml\n",
    "?.yaml\n",
    "\\#x.yaml\n",
    "a.yaml   \n",
    "x\\ y.yaml\n",
    "a.yaml\r\n",
    "*\n!*.yml\n",
    "B/\nA.YAML\n",
    "b",
    "\n\n\n",
    "!a.yaml\na.yaml\n",
    ("\xef\xbb\xbf"
     "a.yaml\n"),
    "a.yaml\r\n",
    "/\n//\n!\n",
    "**\n",
    "**/b\n",
    "/**/b/*\n",
    "b/**/\n",
    "b**/a.yaml\n",
    "**c/d.yaml\n",
    "b/***\n",
    "***/a.yaml\n",
    "a**l\n",
    "[!a]*.yaml\n",
    "[^a-c].yaml\n",
    "[[:alpha:]].yaml\n",
    "[[:digit:][:punct:]]x.yaml\n",
    "[]a].yaml\n",
    "[a-].yaml\n",
    "[\\a].yaml\n",
    "[a.yaml\n",
    "[[:nothing:]].yaml\n",
    "b[/]a.yaml\n",
    "b?a.yaml\n",
    "a.yaml\\\n",
    "a.yaml\\ \n",
    "\\a.yaml\n",
    "*a*a*a*a*a*\n",
    "b/c/\n!b/c/e.yml\n",
    "b/*\n!b/c\n",
    " a.yaml\n",
    "!/b\n/*\n",
    "/*\n!/b\n",
};

static const char *const paths[] = {"a.yaml", "b/a.yaml", "b/c/d.yaml", "b/c/e.yml", "d.yaml",
    "c/b/d.yaml", "#x.yaml", "x y.yaml", "bb/a.yaml", "\xc3\xa9.yaml", "x.yml"};

static bool covers(struct gitignore *g, const char *path, bool folder)
{
	bool covered = false;
	struct err *err = NULL;
	if (gitignore_covers(g, path, folder, &covered, &err) != 0)
		fail_msg("%s", err_msg(err));
	return covered;
}

/* As whoever walks the tree asks: the folders above come first. */
static bool is_covered(struct gitignore *g, const char *path)
{
	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		_cleanup_str_ char *above = mem_strndup(path, (size_t)(at - path));
		if (covers(g, above, true))
			return true;
	}
	return covers(g, path, false);
}

static void test_like_git(void **state UNUSED)
{
	fix_run("git init -q ignores");
	_cleanup_str_ char *list = mem_printf("%s/ignores.list", fix_dir);
	FILE *f = fopen(list, "w");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		fprintf(f, "%s\n", paths[i]);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		_cleanup_str_ char *file = mem_printf("%s/ignores/.gitignore", fix_dir);
		struct gitignore *g = NULL;
		f = fopen(file, "w");
		fputs(rules[i], f);
		fclose(f);
		_cleanup_str_ char *ignored =
		    fix_sh("cd ignores; git -c core.quotepath=off check-ignore --no-index --stdin "
			   "<../ignores.list | tr '\\n' '|' || true");
		assert_int_equal(gitignore_new(&g, rules[i], strlen(rules[i]), NULL), 0);
		for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
			_cleanup_str_ char *item = mem_printf("|%s|", paths[k]);
			_cleanup_str_ char *all = mem_printf("|%s", ignored);
			bool want = strstr(all, item) != NULL;
			if (is_covered(g, paths[k]) != want)
				fail_msg("rules %zu, %s: git says %d", i, paths[k], want);
		}
		gitignore_free(&g);
	}
}

static void test_refused(void **state UNUSED)
{
	struct gitignore *g = NULL;
	struct buf b;
	buf_init(&b, 0);
	for (int i = 0; i < 1001; i++)
		buf_adds(&b, "x\n");
	assert_int_equal(gitignore_new(&g, buf_str(&b), b.len, NULL), -1);
	buf_cut(&b, b.len - 2);
	assert_int_equal(gitignore_new(&g, buf_str(&b), b.len, NULL), 0);
	gitignore_free(&g);
	assert_int_equal(gitignore_new(&g, "a\0b", 3, NULL), -1);
	assert_null(g);
	buf_fini(&b);
	assert_false(covers(NULL, "a.yaml", false));
}

/* What would take others for ever is a matter of microseconds; and in all there is an end. */
static void test_bounded(void **state UNUSED)
{
	struct gitignore *g = NULL;
	struct err *err = NULL;
	struct buf costly;
	char name[250];
	bool covered;
	int64_t asked = 0;

	buf_init(&costly, 0);
	for (int i = 0; i < 200; i++)
		buf_adds(&costly, "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*c\n");
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(gitignore_new(&g, buf_str(&costly), costly.len, NULL), 0);
	while (gitignore_covers(g, name, false, &covered, &err) == 0) {
		assert_false(covered);
		asked++;
	}
	/* 200 rules, 249 bytes, at most 52 places: 2.6 million steps for each. */
	assert_true(asked > 100);
	assert_int_equal(err->code, ERR_LIMIT);
	assert_non_null(err->hint);
	err_free(&err);
	gitignore_free(&g);
	buf_fini(&costly);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_like_git),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_bounded),
	};
	fix_begin();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_end();
	return failed;
}
